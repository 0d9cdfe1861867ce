"""Reading SavedModel directories: what `model.save("NAME")` of TensorFlow 2.0 to 2.11 writes.

The values lie in a checkpoint of objects, `variables/variables`; saved_model.pb (before TensorFlow
2.5) or keras_metadata.pb says what Keras knows of the objects. A directory is unpacked into the
HDF5 file that the same Keras would have saved, so that whatever takes such a file takes it too.
"""

import contextlib
import json
import os
import shutil
import tempfile
from typing import Any, Dict, Iterator, List, Optional, Tuple

from keras_optimizers.checkpoint.architecture.layers import DEEPEST, layer_configs, names_of
from keras_optimizers.checkpoint.eras import configs, layouts
from keras_optimizers.checkpoint.eras.weight_lists import Weight
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats import keras_hdf5
from keras_optimizers.checkpoint.formats.format import Reader, ReadRequest
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.state import Array, OptimizerState
from keras_optimizers.checkpoint.storage import bundles, hdf5, object_graphs
from keras_optimizers.checkpoint.storage.object_graphs import list_items

MODEL, METADATA = "saved_model.pb", "keras_metadata.pb"
_VARIABLES = os.path.join("variables", "variables")
# Where the optimizer inside a LossScaleOptimizer is.
_INNER = ("base_optimizer", "inner_optimizer", "_optimizer")
_EVERY_OPTION = {"momentum": 1.0, "centered": True, "amsgrad": True}


def is_saved_model(path: str) -> bool:
    """Whether it is such a directory."""
    return os.path.isfile(os.path.join(path, MODEL))


class _SavedModel:
    """The objects of a directory, and their values."""

    def __init__(self, path: str) -> None:
        self.path = path
        prefix = os.path.join(path, _VARIABLES)
        if not os.path.isfile(prefix + ".index"):
            raise CheckpointError(f"Cannot read {path!r}: it has no {_VARIABLES}.index.")
        self.saved = object_graphs.parse_saved_model(_content(path, MODEL))
        self.metadata = {number: node.metadata for number, node in enumerate(self.saved)}
        if os.path.isfile(os.path.join(path, METADATA)):
            self.metadata.update(object_graphs.parse_keras_metadata(_content(path, METADATA)))
        self.tensors = bundles.open_bundle(prefix)
        self.objects = bundles.open_object_graph(prefix)
        self.root = self.metadata.get(0, {})
        if "keras_version" not in self.root or len(self.saved) < len(self.objects):
            raise CheckpointError(
                f"{path!r} holds no Keras model: it was written by tf.saved_model.save of other "
                "objects, or by an exporter, which leave out the optimizer's class."
            )

    def optimizer_config(self) -> Dict[str, Any]:
        """The optimizer as Keras serialized it.

        Raises:
            CheckpointError: If there is none.
        """
        training = self.root.get("training_config")
        found = training.get("optimizer_config") if isinstance(training, dict) else None
        if not isinstance(found, dict) or "optimizer" not in self.saved[0].children:
            raise CheckpointError(
                f"{self.path!r} holds no optimizer. Was the model saved before `compile`, or with "
                "include_optimizer=False?"
            )
        return found

    def model_variables(self) -> List[Tuple[str, List[Weight]]]:
        """The outermost layers' variables by layer, those that are trained first."""
        children = self.saved[0].children
        numbers = {
            str(self.metadata.get(number, {}).get("name")): number
            for name, number in children.items()
            if name.startswith("layer-")
        }
        config = self.root.get("model_config")
        if not isinstance(config, dict):
            raise CheckpointError(
                f"Cannot read {self.path!r}: its model is a class of its own, whose layers have no "
                f"order there. Give its checkpoint, {os.path.join(self.path, _VARIABLES)!r}, and a "
                "file of the same model with --model."
            )
        found = []
        for name in names_of(layer_configs(config)):
            if name in numbers:
                found.append((name, self._variables_of(numbers[name])))
        return found

    def _variables_of(self, layer: int) -> List[Weight]:
        children = self.saved[layer].children
        lists = [children.get("trainable_variables")]
        if "keras_api" in children:
            api = self.saved[children["keras_api"]].children
            lists.append(api.get("non_trainable_variables"))
        numbers = [
            number
            for one in lists
            if one is not None
            for number in list_items(self.saved[one].children)
        ]
        return [Weight(self.saved[one].variable, self._value(one)) for one in numbers]

    def _value(self, number: int) -> Array:
        key = self.objects[number].key
        if key not in self.tensors:
            raise CheckpointError(
                f"Cannot read {self.path!r}: its checkpoint has no value of object {number}."
            )
        return self.tensors[key]

    def _weight(self, number: int) -> Weight:
        return Weight(self.objects[number].full_name, self._value(number))

    def optimizer_weights(self, class_name: str) -> List[Weight]:
        """The optimizer's weights in the order in which Keras lists them.

        Raises:
            CheckpointError: If it is an optimizer of another kind.
        """
        number = self.saved[0].children["optimizer"]
        for name in _INNER:
            number = self.objects[number].children.get(name, number)
        node = self.objects[number]
        if "_variables" in node.children:  # TensorFlow 2.11 and later
            listed = self.objects[node.children["_variables"]].children
            return [self._weight(one) for one in list_items(listed)]
        if "iter" not in node.children:
            raise CheckpointError(f"{self.path!r} holds an optimizer of an unknown kind.")
        first = [name for name in ("iter", "momentum_cache") if name in node.children]
        weights = [self._weight(node.children[name]) for name in first]
        slots = {(parameter, role): slot for parameter, role, slot in node.slots}
        trained = list_items(self.saved[self.saved[0].children["trainable_variables"]].children)
        layout = layouts.OPTIMIZER_V2
        roles = [layout.roles[one] for one in layouts.roles(layout, class_name, _EVERY_OPTION)]
        weights += [
            self._weight(slots[parameter, role])
            for role in roles
            for parameter in trained
            if (parameter, role) in slots
        ]
        if len(weights) != len(first) + len(slots):
            raise CheckpointError(
                f"Cannot read {self.path!r}: its optimizer has {len(slots)} slots, of which "
                f"{len(weights) - len(first)} are {class_name}'s for the model's trained variables."
            )
        return weights


def _content(folder: str, name: str) -> bytes:
    with open(os.path.join(folder, name), "rb") as opened:
        return opened.read()


def _plain(value: Any, depth: int = 0) -> Any:
    """A config as an HDF5 file has it: tuples and shapes as lists, without numbers of objects."""
    if depth > 4 * DEEPEST:
        raise ValueError("the model is nested too deeply")
    if isinstance(value, list):
        return [_plain(one, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") in ("__tuple__", "TensorShape") and "items" in value:
        return _plain(value["items"], depth + 1)
    return {key: _plain(one, depth + 1) for key, one in value.items() if key != "shared_object_id"}


def unpack(
    path: str, target: str, with_optimizer: bool = False, class_name: Optional[str] = None
) -> None:
    """Write the HDF5 file that the same Keras would have saved.

    Arguments:
        with_optimizer: whether the optimizer goes into it; the model may have none otherwise.
        class_name: of the optimizer, where it is not the one that the directory names.

    Raises:
        CheckpointError: If the directory is damaged, or holds no Keras model or no optimizer.
    """
    with hdf5.reported(path), hdf5.require_h5py().File(target, "w") as written:
        model = _SavedModel(path)
        training = model.root.get("training_config")
        if with_optimizer:
            serialized = model.optimizer_config()
            inner, _ = configs.unwrapped(serialized)
            known = configs.class_name_of(class_name or inner.get("class_name"), path)
            _write_weights(written, "optimizer_weights", model.optimizer_weights(known))
        version = str(model.root["keras_version"]).encode("utf-8")
        layers = model.model_variables()
        group = written.create_group("model_weights")
        hdf5.write_names(group, "layer_names", [name for name, _ in layers])
        for name, weights in layers:
            _write_weights(group, name, weights)
        for owner in (written, group):
            owner.attrs["keras_version"], owner.attrs["backend"] = version, b"tensorflow"
        held = {"model_config": model.root["model_config"], "training_config": training}
        for name, value in held.items():
            if value is not None:
                written.attrs[name] = json.dumps(_plain(value)).encode("utf-8")


def _write_weights(group: Any, name: str, weights: List[Weight]) -> None:
    """A group of arrays with the list of their names, no two of which are equal."""
    part = group.create_group(name)
    names: List[str] = []
    for weight in weights:
        plain, number = weight.name, 0
        while f"{plain}:0" in names:
            number += 1
            plain = f"{weight.name}_{number}"
        names.append(f"{plain}:0")
        part.create_dataset(names[-1], data=weight.array.read())
    hdf5.write_names(part, "weight_names", names)


class _Unpacked(keras_hdf5.WholeModel):
    """An unpacked directory; its file is removed when it is closed."""

    def __init__(
        self, path: str, with_optimizer: bool = False, class_name: Optional[str] = None
    ) -> None:
        self._folder = tempfile.mkdtemp(".partial")
        try:
            unpacked = os.path.join(self._folder, "model.h5")
            unpack(path, unpacked, with_optimizer, class_name)
            super().__init__(unpacked)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self.path = path

    def __del__(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)


def read(request: ReadRequest) -> OptimizerState:
    """The optimizer's state in such a directory.

    Raises:
        CheckpointError: If it is damaged, or holds no optimizer that is known.
    """
    model = _Unpacked(request.path, True, request.class_name)
    try:
        with hdf5.reported(request.path):
            state = keras_hdf5.read_model(model, request.class_name)
    except BaseException:
        model.close()
        raise
    title = state.provenance.title.replace(", HDF5", "")
    state.provenance = state.provenance._replace(title=f"SavedModel of {title}")
    return state


def model_candidates(path: str) -> List[Candidate]:
    """The variables of the model in a directory."""
    return keras_hdf5.kept_candidates(_Unpacked(path))


@contextlib.contextmanager
def as_file(path: str) -> Iterator[str]:
    """The path, or, of a directory, that of an HDF5 file with its model while the block runs."""
    if not is_saved_model(path):
        yield path
        return
    folder = tempfile.mkdtemp(".partial")
    try:
        unpacked = os.path.join(folder, "model.h5")
        unpack(path, unpacked)
        yield unpacked
    finally:
        shutil.rmtree(folder, ignore_errors=True)


READER = Reader(is_saved_model, read)
