"""`tf.train.Checkpoint` and `save_weights` checkpoints of models with OptimizerV2.

Names are paths through Python objects: `layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE`,
slots `layer_with_weights-0/kernel/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE`, the
optimizer's own `optimizer/iter/...`. Written through `tf.keras`, because only it makes the graph of
objects that such a file describes.
"""

import functools
import os
import re
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from keras_optimizers import reference
from keras_optimizers.checkpoint.confirmation import differences
from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats import keras_hdf5_writer, model_transfer
from keras_optimizers.checkpoint.formats.format import Format, WriteRequest
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.state import Array, OptimizerState, Parameter, Provenance
from keras_optimizers.checkpoint.storage import bundles
from keras_optimizers.checkpoint.storage.atomic_files import folder_beside
from keras_optimizers.checkpoint.storage.object_graphs import Node

LAYOUT = layouts.OBJECT_CHECKPOINT

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_SLOT = re.compile(
    r"(?P<variable>.+)/\.OPTIMIZER_SLOT/(?P<optimizer>.+)/(?P<role>[^/]+)" + re.escape(VALUE) + "$"
)
_HYPERPARAMETERS = {
    "learning_rate": "lr",
    "decay": "decay",
    "momentum": "momentum",
    "rho": "rho",
    "beta_1": "beta_1",
    "beta_2": "beta_2",
}
# Usual order of a layer's variables.
_ATTRIBUTES = (
    "kernel",
    "depthwise_kernel",
    "pointwise_kernel",
    "recurrent_kernel",
    "embeddings",
    "bias",
    "gamma",
    "beta",
    "moving_mean",
    "moving_variance",
)


def read(
    prefix: str,
    tensors: Dict[str, Array],
    candidates: Optional[Sequence[Candidate]],
    values: Dict[str, Any],
    class_name: Optional[str] = None,
    nodes: Sequence[Node] = (),
) -> OptimizerState:
    """The state in such a checkpoint.

    Arguments:
        tensors: all of them, by name.
        candidates: the model's variables in their order, from a file that holds the model.
        values: hyperparameters that are known otherwise.
        class_name: needed where Adam and Adamax cannot be told apart.
        nodes: its objects, which say what the graph calls the variables.

    Raises:
        CheckpointError: If it holds no OptimizerV2, or the class is needed.
    """
    slots, optimizer = _slots(tensors, prefix)
    own = {
        name[len(optimizer) + 1 : -len(VALUE)]: array
        for name, array in tensors.items()
        if name.startswith(optimizer + "/") and name.endswith(VALUE)
    }
    if "iter" not in own:
        raise CheckpointError(
            f"{prefix!r} holds no optimizer that is known (it has {sorted(own)[:5]} ...)."
        )
    notes: List[str] = []
    class_name = class_name or _class_of(slots, own, prefix, notes)
    hyperparameters: Dict[str, Any] = {
        ours: float(own[theirs].read())
        for theirs, ours in _HYPERPARAMETERS.items()
        if theirs in own
    }
    if class_name == "Nadam" and "decay" in hyperparameters:
        hyperparameters["schedule_decay"] = hyperparameters.pop("decay")
    hyperparameters.update(values)
    if class_name == "Adam":
        hyperparameters.setdefault("amsgrad", any("vhat" in held for held in slots.values()))
    if class_name == "RMSprop":
        hyperparameters.setdefault("centered", any("mg" in held for held in slots.values()))
        if hyperparameters.get("momentum"):
            hyperparameters["epsilon_inside_root"] = True
    notes.append("epsilon, nesterov and clipping are in no such file; give them with --set.")
    variables = variables_in(tensors, optimizer)
    full_names = {node.key[: -len(VALUE)]: node.full_name for node in nodes if node.key}
    names = names_of(variables, candidates, prefix, full_names)
    trained = [path for path in names if path in slots]
    if not slots:
        frozen = {one.name for one in candidates or [] if one.trainable is False}
        trained = [path for path, name in names.items() if name not in frozen]
        trained = [path for path in trained if not path.split("/")[-1].startswith("moving_")]
    roles = {}
    for role, theirs in LAYOUT.roles.items():
        held = {
            names[path]: slots[path][theirs] for path in trained if theirs in slots.get(path, {})
        }
        if held and role in _roles_of(class_name, hyperparameters):
            roles[role] = held
    product = own.get("momentum_cache")
    state = OptimizerState(
        class_name,
        hyperparameters,
        int(own["iter"].read()),
        [_parameter(names[path], variables[path]) for path in trained],
        roles,
        {} if product is None else {"m_schedule": product.read()[()]},
        Provenance(prefix, LAYOUT.name, LAYOUT.title, "tf.train.Checkpoint"),
        notes,
    )
    state.variables = {names[path]: variables[path] for path in names}
    return state


def _roles_of(class_name: str, options: Dict[str, Any]) -> List[str]:
    return layouts.roles(LAYOUT, class_name, options)


def _parameter(name: str, array: Array) -> Parameter:
    return Parameter(name, array.shape, array.dtype.name, array)


def _slots(tensors: Dict[str, Array], prefix: str) -> Tuple[Dict[str, Dict[str, Array]], str]:
    """Slots by variable's path and role, and the optimizer's path."""
    slots: Dict[str, Dict[str, Array]] = {}
    optimizers = set()
    for name, array in tensors.items():
        match = _SLOT.match(name)
        if match:
            slots.setdefault(match.group("variable"), {})[match.group("role")] = array
            optimizers.add(match.group("optimizer"))
    if not optimizers:
        ending = "/iter" + VALUE
        optimizers = {name[: -len(ending)] for name in tensors if name.endswith(ending)}
    if len(optimizers) != 1:
        raise CheckpointError(
            f"{prefix!r} holds {len(optimizers)} optimizers ({', '.join(sorted(optimizers))}); "
            "expected one."
        )
    return slots, optimizers.pop()


def _class_of(
    slots: Dict[str, Dict[str, Array]], own: Dict[str, Array], prefix: str, notes: List[str]
) -> str:
    """The class, from the names of its slots and hyperparameters."""
    roles = {role for held in slots.values() for role in held}
    if "momentum_cache" in own:
        return "Nadam"
    if "vhat" in roles:
        return "Adam"
    if "accumulator" in roles:
        return "Adagrad"
    if "accum_grad" in roles:
        return "Adadelta"
    if "rms" in roles:
        return "RMSprop"
    if {"m", "v"} <= roles:
        # Adamax's v is at least |m|; Adam's, a mean of squares, is not where gradients are small.
        for held in slots.values():
            if np.any(np.abs(held["m"].read()) > 1.001 * held["v"].read()):
                notes.append("class: Adam, inferred from its slots; Adamax has the same names.")
                return "Adam"
        raise CheckpointError(
            f"{prefix!r} may hold Adam or Adamax, which use the same names. Say --class Adam or "
            "--class Adamax."
        )
    if "momentum" in own and "rho" not in own:
        return "SGD"
    raise CheckpointError(f"{prefix!r} does not tell which optimizer it holds; give --class.")


def variables_in(tensors: Dict[str, Array], optimizer: str) -> Dict[str, Array]:
    """The model's variables by path."""
    return {
        name[: -len(VALUE)]: array
        for name, array in tensors.items()
        if name.endswith(VALUE)
        and "/.OPTIMIZER_SLOT/" not in name
        and not name.startswith(optimizer + "/")
        and name.split("/")[0] not in ("save_counter", "keras_api")
        and array.dtype.kind == "f"
    }


def names_of(
    variables: Dict[str, Array],
    candidates: Optional[Sequence[Candidate]],
    prefix: str,
    full_names: Dict[str, str],
) -> Dict[str, str]:
    """The variables' names by path, in the model's order.

    Without a model a variable is named by its path. With one, it is the model's variable of the
    same name in the graph, if each has one; otherwise the layers with weights are those of the
    model in their order, and the variable's attribute is the end of its name.

    Arguments:
        full_names: the names in the graph, by path.
    """
    paths = sorted(variables, key=_natural)
    if candidates is None:
        return {path: path for path in paths}
    by_name = {full_names.get(path, ""): path for path in paths}
    if len(by_name) == len(paths) and all(
        one.name in by_name and variables[by_name[one.name]].shape == one.array.shape
        for one in candidates
    ):
        return {by_name[one.name]: one.name for one in candidates}
    layers: Dict[str, List[Candidate]] = {}
    for candidate in candidates:
        layers.setdefault(candidate.name.rpartition("/")[0], []).append(candidate)
    groups: Dict[str, List[str]] = {}
    for path in paths:
        groups.setdefault(path.rpartition("/")[0], []).append(path)
    if len(groups) != len(layers):
        raise CheckpointError(
            f"{prefix!r} holds {len(groups)} layers with weights, the model has {len(layers)}."
        )
    found = {}
    for own, group in zip(layers.values(), groups.values()):
        by_end = {candidate.name.rpartition("/")[2]: candidate for candidate in own}
        for path in group:
            match = by_end.get(path.rpartition("/")[2])
            if match is None or match.array.shape != variables[path].shape:
                raise CheckpointError(
                    f"{prefix!r}: {path!r} of shape {variables[path].shape} is not in the model's "
                    f"layer {own[0].name.rpartition('/')[0]!r}."
                )
            found[path] = match.name
    order = [candidate.name for candidate in candidates]
    return dict(sorted(found.items(), key=lambda item: order.index(item[1])))


def _natural(path: str) -> Tuple[Any, ...]:
    """layer_with_weights-10 after layer_with_weights-9; kernel before bias."""
    parts: List[Any] = []
    for part in path.split("/"):
        number = re.search(r"-(\d+)$", part)
        rank = _ATTRIBUTES.index(part) if part in _ATTRIBUTES else len(_ATTRIBUTES)
        parts.append((int(number.group(1)) if number else -1, rank, part))
    return tuple(parts)


def write(request: WriteRequest) -> None:
    """Write by loading the model, with its optimizer, into `tf.keras` and saving it there.

    Raises:
        CheckpointError: If the source holds no model, or this TensorFlow has no Keras 2.
    """
    state, path, source = request.state, request.path, request.source
    if not model_transfer.holds_model(source):
        raise CheckpointError(
            "An object checkpoint follows the objects of a model, and the source holds none. Give "
            "one with --model FILE."
        )
    keras = _keras()
    with folder_beside(path) as folder:
        whole, objects = os.path.join(folder, "whole.h5"), os.path.join(folder, "objects")
        try:
            keras_hdf5_writer.write(
                request._replace(
                    path=whole, layout=layouts.OPTIMIZER_V2, progress=None, confirm=None
                )
            )
        except CheckpointError as error:
            raise type(error)(str(error).replace(repr(whole), repr(path))) from error
        tf = bundles.require_tensorflow()
        try:
            with tf.Graph().as_default(), tf.Session().as_default():
                loaded = keras.models.load_model(whole)
                with bundles.stored_by_tensorflow(path):
                    loaded.save_weights(objects, save_format="tf")
        except (AttributeError, LookupError, NotImplementedError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"This TensorFlow's Keras cannot load the model of {source!r}: {error}"
            ) from error
        if request.confirm is not None:
            request.confirm(objects)
        bundles.move_bundle(objects, path)
    options = {
        name: state.hyperparameters[name]
        for name in reference.OPTIMIZERS[state.class_name].defaults
        if name in state.hyperparameters
    }
    request.report.note(
        f"Load it with model.load_weights({path!r}) into a model that was compiled with "
        f"OptimizerV2's {state.class_name}; epsilon, nesterov and amsgrad are no part of the "
        f"file, here {options}."
    )


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


FORMAT = Format(
    LAYOUT,
    write,
    remedy="It is several files: give their common prefix, without an ending.",
    differences=functools.partial(differences, in_order=False),
    needs_tensorflow=True,
)
