"""Writing object checkpoints: OptimizerV2's, and those of the optimizers of tf.keras 2.11 to 2.15.

A checkpoint of objects follows the attributes of a program's objects. Where the source is one, its
objects stay as they are, and only the optimizer among them is replaced: whatever the program calls
its models, counters and other optimizers, it restores the new one as it did the old one. Where the
source is a model's file, TensorFlow loads the model and saves its objects.
"""

import functools
import os
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from keras_optimizers import reference
from keras_optimizers.checkpoint import mathematics
from keras_optimizers.checkpoint.architecture.code_in_configs import check_runs_no_code
from keras_optimizers.checkpoint.confirmation import differences
from keras_optimizers.checkpoint.eras import layouts, weight_lists
from keras_optimizers.checkpoint.eras.layout import Layout
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats import (
    keras_hdf5,
    keras_hdf5_writer,
    model_transfer,
    object_checkpoint,
)
from keras_optimizers.checkpoint.formats.format import Format, ReadRequest, WriteRequest
from keras_optimizers.checkpoint.formats.object_checkpoint import HYPERPARAMETERS
from keras_optimizers.checkpoint.formats.optimizer_objects import (
    ITERATIONS,
    LIST,
    V2_ITERATIONS,
    VALUE,
    Objects,
    open_objects,
)
from keras_optimizers.checkpoint.report import DEFAULTED, LOST
from keras_optimizers.checkpoint.state import Array, OptimizerState
from keras_optimizers.checkpoint.storage import bundles
from keras_optimizers.checkpoint.storage.atomic_files import folder_beside
from keras_optimizers.checkpoint.storage.object_graphs import (
    OBJECT_GRAPH,
    Node,
    keys_of,
    without_unreachable,
    written_checkpoint_graph,
)

# As Keras calls the optimizer of a model.
_OPTIMIZER = "optimizer"
_SCHEDULE = "learning_rate_schedule"
# What carries an object's values, in its message.
_ATTRIBUTES = 2


def write(request: WriteRequest) -> None:
    """Write the source's objects, or its model's, with the optimizer in the layout's form.

    Raises:
        CheckpointError: If the source holds neither, or this TensorFlow has no Keras 2.
    """
    state, source = request.state, request.source
    _say_what_it_lacks(request)
    if state.object_paths:
        objects = open_objects(state.provenance.path)
        place = objects.chosen(state.provenance.optimizer or None)
        numbers = objects.variables()
        parameters = {one.name: numbers[state.object_paths[one.name]] for one in state.parameters}
        request.report.note("All other objects of the source are in the new checkpoint, unchanged.")
        _write_objects(request, objects, place.number, place.path, parameters)
    elif not model_transfer.holds_model(source):
        raise CheckpointError(
            "An object checkpoint follows the objects of a model, and the source holds none. Give "
            "one with --model FILE."
        )
    elif not request.layout.slot_lists:  # slots are objects beside the optimizer, not lists in it
        _write_with_keras(request)
    else:
        _write_model_and_optimizer(request)


def _say_what_it_lacks(request: WriteRequest) -> None:
    """With which arguments to make the optimizer that restores it: the file holds few of them."""
    state = request.state
    names = [*reference.OPTIMIZERS[state.class_name].defaults, *mathematics.EXTENSIONS]
    known = state.hyperparameters
    shown = {
        name: _shown(known[name])
        for name in [*names, *reference.CLIPPING]
        if known.get(name) is not None and name not in ("epsilon_inside_root", _SCHEDULE)
    }
    rate = shown.pop("lr", "0")
    if request.layout.decay == "schedule":
        decay = shown.pop("decay", "0")
        rate = rate if decay == "0" else f"InverseTimeDecay({rate}, 1, {decay})"
    if known.get(_SCHEDULE) is not None:
        rate = f"the {known[_SCHEDULE].get('class_name')}"
    arguments = ", ".join(f"{name}={value}" for name, value in shown.items())
    how = "as the source was restored" if state.object_paths else "with model.load_weights"
    request.report.note(
        f"Restore it {how}, into {state.class_name} of {request.layout.optimizers}, made with "
        f"learning_rate={rate}, {arguments}: it holds few of them."
    )


def _shown(value: Any) -> str:
    """A number without the digits that float32 does not have."""
    return f"{value:.7g}" if isinstance(value, float) else str(value)


class _Graph:
    """Objects that are changed, and the values that are new among them."""

    def __init__(self, nodes: List[Node], state: OptimizerState, layout: Layout) -> None:
        self.nodes, self.state, self.layout = nodes, state, layout
        self.values: Dict[str, Array] = {}

    def add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def variable(self, key: str, full_name: str, value: Array) -> int:
        """A new variable."""
        self.values[key + VALUE] = value
        return self.add(Node({}, full_name, key + VALUE))

    def kept_variable(
        self, number: Optional[int], path: str, name: str, full_name: str, value: Array
    ) -> int:
        """A scalar of the optimizer `path`: the old one's, which other objects may hold too."""
        if number is None:
            return self.variable(f"{path}/{name}", full_name, value)
        node = self.nodes[number]
        if node.key.startswith(path + "/"):  # else it is called after another object
            node = node._replace(full_name=full_name, key=f"{path}/{name}{VALUE}")
        self.nodes[number] = node
        self.values[node.key] = value
        return number

    def replace(self, number: int, path: str, parameters: Dict[str, int]) -> None:
        """Put the state's optimizer in the place of the object `number`."""
        put = self._put_v2 if not self.layout.slot_lists else self._put_new
        put(number, path, parameters)

    def _put_v2(self, number: int, path: str, parameters: Dict[str, int]) -> None:
        state, old = self.state, self.nodes[number]
        known = dict(state.hyperparameters)
        if state.class_name == "Nadam":
            known["decay"] = known.get("schedule_decay")
        children = {V2_ITERATIONS: self._iterations(old, path, V2_ITERATIONS, "iter")}
        own = [*reference.OPTIMIZERS[state.class_name].defaults, "decay"]
        own += ["momentum"] if state.class_name == "RMSprop" else []
        for theirs, ours in sorted(HYPERPARAMETERS.items()):
            if ours in own and known.get(ours) is not None:
                value = Array.of(np.float32(known[ours]))
                rate = self._old_rate(old) if ours == "lr" else None
                children[theirs] = self.kept_variable(rate, path, theirs, theirs, value)
        if state.class_name == "Nadam":
            product = Array.of(np.asarray(state.scalars["m_schedule"], self._dtype()))
            name = "momentum_cache"
            children[name] = self.variable(f"{path}/{name}", name, product)
        slots = []
        for (role, parameter), array in self._slots():
            theirs, variable = self.layout.roles[role], self.nodes[parameters[parameter]]
            key = f"{variable.key[: -len(VALUE)]}/.OPTIMIZER_SLOT/{path}/{theirs}"
            full_name = f"{state.class_name}/{variable.full_name}/{theirs}"
            slots.append((parameters[parameter], theirs, self.variable(key, full_name, array)))
        self._finish(number, children, slots)

    def _put_new(self, number: int, path: str, parameters: Dict[str, int]) -> None:
        state, old, layout = self.state, self.nodes[number], self.layout
        iterations = self._iterations(old, path, ITERATIONS, "iteration")
        children = {LIST: -1, ITERATIONS: iterations}
        known = state.hyperparameters.get("lr")
        if known is not None and not layouts.is_scheduled(layout, state.hyperparameters):
            rate, name = Array.of(np.float32(known)), "_learning_rate"
            children[name] = self.kept_variable(
                self._old_rate(old), path, name, "learning_rate", rate
            )
        else:  # a schedule, which the next step asks again: the value is not read
            shown = 0.0 if known is None else mathematics.learning_rate(state)
            name = "current_learning_rate"
            rate = Array.of(np.float32(shown))
            children[f"_{name}"] = self.variable(f"{path}/_{name}", name, rate)
        listed = [iterations]
        lists: Dict[str, List[int]] = {}
        for (role, parameter), array in self._slots():
            variable = self.nodes[parameters[parameter]].full_name
            full_name = f"{state.class_name}/{layout.roles[role]}/{variable}"
            slot = self.variable(f"{path}/{LIST}/{len(listed)}", full_name, array)
            listed.append(slot)
            lists.setdefault(layout.slot_lists[state.class_name][role], []).append(slot)
        children[LIST] = self.add(_list(listed))
        children.update((name, self.add(_list(slots))) for name, slots in lists.items())
        if state.class_name == "Nadam":
            product = Array.of(np.asarray(state.scalars["m_schedule"], self._dtype()))
            children["_u_product"] = self.variable(f"{path}/_u_product", "Nadam/Variable", product)
        self._finish(number, children, [])

    def _finish(
        self, number: int, children: Dict[str, int], slots: List[Tuple[int, str, int]]
    ) -> None:
        others = [one for one in self.nodes[number].others if one[0] != _ATTRIBUTES]
        self.nodes[number] = Node(children, slots=slots, others=others)

    def _dtype(self) -> Any:
        return self.state.parameters[0].dtype if self.state.parameters else np.float32

    def _iterations(self, old: Node, path: str, name: str, full_name: str) -> int:
        number = old.children.get(V2_ITERATIONS, old.children.get(ITERATIONS))
        value = Array.of(np.asarray(self.state.iterations or 0, np.int64))
        return self.kept_variable(number, path, name, full_name, value)

    def _old_rate(self, old: Node) -> Optional[int]:
        found = old.children.get("learning_rate", old.children.get("_learning_rate"))
        return found if found is not None and self.nodes[found].key else None

    def _slots(self) -> List[Tuple[Tuple[str, str], Array]]:
        """(role, parameter's name) and values of all slots, in the layout's order."""
        state, layout = self.state, self.layout
        roles = layouts.roles(layout, state.class_name, state.hyperparameters)
        groups = [[(role, one.name) for one in state.parameters] for role in roles]
        places = weight_lists.join_roles(layout, state.class_name, roles, groups)
        weights = weight_lists.arrange(layout._replace(momentum_product=""), state)
        arrays = [weight.array for weight in weights[len(weights) - len(places) :]]
        return list(zip(places, arrays))


def _list(numbers: List[int]) -> Node:
    return Node({str(index): number for index, number in enumerate(numbers)})


def _write_objects(
    request: WriteRequest, objects: Objects, number: int, path: str, parameters: Dict[str, int]
) -> None:
    """The objects, with the state's optimizer in the place of the object `number`."""
    graph = _Graph(list(objects.nodes), _with_known_rate(request), request.layout)
    graph.replace(number, path, parameters)
    try:
        nodes = without_unreachable(graph.nodes)
        wanted = [key for node in nodes for key in keys_of(node)]
    except ValueError as error:
        raise bundles.unreadable(objects.prefix, error) from error
    others = bundles.open_others(objects.prefix)
    others.pop(OBJECT_GRAPH, None)
    held = dict(objects.tensors, **others)
    values: Dict[str, Array] = {}
    missing = []
    for key in wanted:
        found = _values_of(key, graph.values, held)
        values.update(found)
        missing += [] if found else [key]
    if missing:
        why = f"their values are neither numbers nor texts: {', '.join(missing)}"
        request.report.add("objects", LOST, why)
        nodes = [_without(node, missing) for node in nodes]
    tensors = sorted(values.items())
    text = np.asarray(written_checkpoint_graph(nodes), object)
    bundles.write_bundle(
        request.path, [*tensors, (OBJECT_GRAPH, Array.of(text))], request.progress, request.confirm
    )


def _values_of(key: str, new: Dict[str, Array], held: Dict[str, Array]) -> Dict[str, Array]:
    """The tensors of an object's value: some have several, whose names begin with the key."""
    for values in (new, held):
        if key in values:
            return {key: values[key]}
    return {name: value for name, value in held.items() if name.startswith(key)}


def _without(node: Node, keys: List[str]) -> Node:
    if not set(keys_of(node)) & set(keys):
        return node
    others = [one for one in node.others if one[0] != _ATTRIBUTES]
    return node._replace(key="" if node.key in keys else node.key, others=others)


def _with_known_rate(request: WriteRequest) -> OptimizerState:
    """The state, without a learning rate that was only assumed: the source's is a schedule."""
    state = request.state.copy()
    if any(one.field == "lr" and one.status == DEFAULTED for one in request.report.entries):
        del state.hyperparameters["lr"]
    return state


def _write_model_and_optimizer(request: WriteRequest) -> None:
    """The objects of a model's file, as TensorFlow saves them, and the state's optimizer."""
    with folder_beside(request.path) as folder:
        whole, prefix = os.path.join(folder, "whole.h5"), os.path.join(folder, "objects")
        _save_objects(request, whole, prefix, compiled=False)
        # Its parameters are in the state's order, and named as the variables of that file.
        again = keras_hdf5.READER.read(
            ReadRequest(whole, request.state.class_name, {}, lambda: None)
        )
        objects = open_objects(prefix)
        numbers = objects.variables()
        arrays = {path: objects.value(number) for path, number in numbers.items()}
        candidates = keras_hdf5.model_candidates(whole)
        try:
            names = object_checkpoint.names_of(arrays, candidates, whole, objects.full_names())
        except CheckpointError as error:
            raise CheckpointError(
                f"The names of the variables in {request.source!r} do not tell their layers (HDF5 "
                "files of Keras 3.0 are so). Convert it with --to keras-3 into a .keras file, and "
                f"that one with --to {request.layout.name}."
            ) from error
        by_name = {name: numbers[path] for path, name in names.items()}
        ours = [parameter.name for parameter in request.state.parameters]
        parameters = {name: by_name[one.name] for name, one in zip(ours, again.parameters)}
        root = objects.nodes[0]
        nodes = [*objects.nodes, Node({})]
        nodes[0] = root._replace(children=dict(root.children, **{_OPTIMIZER: len(nodes) - 1}))
        _write_objects(
            request, objects._replace(nodes=nodes), len(nodes) - 1, _OPTIMIZER, parameters
        )


def _write_with_keras(request: WriteRequest) -> None:
    """Load the model, with its optimizer, into `tf.keras` and save it there."""
    with folder_beside(request.path) as folder:
        whole, objects = os.path.join(folder, "whole.h5"), os.path.join(folder, "objects")
        _save_objects(request, whole, objects, compiled=True)
        if request.confirm is not None:
            request.confirm(objects)
        bundles.move_bundle(objects, request.path)


def _save_objects(request: WriteRequest, whole: str, prefix: str, compiled: bool) -> None:
    """Write an HDF5 file of the model, load it into `tf.keras`, save its objects.

    Raises:
        CheckpointError: If this TensorFlow's Keras cannot load the model, or would run code of it.
    """
    keras = _keras()
    try:
        keras_hdf5_writer.write(
            request._replace(path=whole, layout=layouts.OPTIMIZER_V2, progress=None, confirm=None)
        )
    except CheckpointError as error:
        raise type(error)(str(error).replace(repr(whole), repr(request.path))) from error
    with keras_hdf5.WholeModel(whole) as held:
        for name in ("model_config", "training_config"):
            check_runs_no_code(held.json_attribute(name), request.source or request.path)
    tf = bundles.require_tensorflow()
    try:
        with tf.Graph().as_default(), tf.Session().as_default():
            loaded = keras.models.load_model(whole, compile=compiled)
            with bundles.stored_by_tensorflow(request.path):
                loaded.save_weights(prefix, save_format="tf")
    except (AttributeError, LookupError, NotImplementedError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"This TensorFlow's Keras cannot load the model of {request.source!r}: {error}"
        ) from error


def _keras() -> Any:
    """A Keras 2: TensorFlow's own before 2.16, else the package tf_keras."""
    bundles.require_tensorflow()
    import tensorflow as tf

    if not str(getattr(tf.keras, "__version__", "2")).startswith("3"):
        return tf.keras
    try:
        import tf_keras
    except ImportError as error:
        raise CheckpointError(
            "This TensorFlow's Keras is Keras 3, which has no object checkpoints with OptimizerV2. "
            "Install tf_keras."
        ) from error
    return tf_keras


def _format_of(layout: Layout) -> Format:
    return Format(
        layout,
        write,
        remedy="It is several files: give their common prefix, without an ending.",
        differences=functools.partial(differences, in_order=False),
        needs_tensorflow=True,
    )


FORMATS = [_format_of(layouts.OBJECT_CHECKPOINT), _format_of(layouts.OBJECT_CHECKPOINT_2_11)]
