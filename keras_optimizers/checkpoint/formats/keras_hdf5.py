"""Reading whole models in HDF5, as `model.save("x.h5")` of every Keras from 2.0 on writes them.

Root attributes `model_config` and `training_config` (JSON), groups `model_weights` and
`optimizer_weights`; in each a list of names that gives the order. See `layouts` for what differs.
"""

import json
import os
from typing import Any, Dict, Iterator, List, Optional, Tuple

from keras_optimizers.checkpoint.architecture import theano_kernels
from keras_optimizers.checkpoint.architecture.layers import (
    has_embeddings,
    has_frozen_normalization,
    layer_order,
    with_names,
)
from keras_optimizers.checkpoint.eras import configs, layouts, releases, weight_lists
from keras_optimizers.checkpoint.eras.layout import Layout
from keras_optimizers.checkpoint.eras.releases import Release
from keras_optimizers.checkpoint.eras.weight_lists import Content, Weight
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats.format import Reader, ReadRequest
from keras_optimizers.checkpoint.matching import Candidate, sorted_by_name, with_slots_though_fixed
from keras_optimizers.checkpoint.state import Array, OptimizerState, Provenance
from keras_optimizers.checkpoint.storage import hdf5

# Where a layout drops `iterations`, the writer puts the finished steps into lr and decay, which
# then count from 0. The attribute of this name says so; no Keras reads it.
STEPS_IN_RATES = "keras_optimizers_steps_in_rates"
# Never trained, whichever layer they belong to.
_STATISTICS = ("moving_mean", "moving_variance", "running_mean", "running_std")


class WholeModel:
    """An open file: the model's part and the optimizer's. Use it as a context manager."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            size = os.path.getsize(path)
        except OSError as error:
            raise CheckpointError(f"Cannot read {path!r}: {error.strerror or error}.") from error
        self.file = hdf5.open_checked(path, size, path)
        self._turned: Optional[Dict[Tuple[str, str], Array]] = None

    def __enter__(self) -> "WholeModel":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; arrays that were not read are gone then."""
        self.file.close()

    @property
    def keras_version(self) -> str:
        """Of the Keras that wrote the file; "" where the file does not say."""
        for group in (self.file, self.file.get("model_weights")):
            if group is not None and "keras_version" in group.attrs:
                return hdf5.text(group.attrs["keras_version"])
        return ""

    @property
    def is_of_theano(self) -> bool:
        """Whether Keras on Theano wrote the file."""
        groups = (self.file, self.file.get("model_weights"))
        return "theano" in [hdf5.optional_text(one, "backend") for one in groups if one is not None]

    def turned_kernels(self) -> Dict[Tuple[str, str], Array]:
        """The kernels that Theano has turned, as other backends have them.

        By the outermost layer and the weight's name. Empty for a file of another backend.

        Raises:
            CheckpointError: If which they are cannot be told.
        """
        if self._turned is None:
            self._turned = dict(self._find_turned())
        return self._turned

    def _find_turned(self) -> Iterator[Tuple[Tuple[str, str], Array]]:
        group = self._weights()
        if group is None or not self.is_of_theano:
            return
        layers = theano_kernels.kernel_layers(self.architecture())
        for layer_name in hdf5.names(group, "layer_names"):
            for name in hdf5.names(group[layer_name], "weight_names"):
                array = hdf5.array(group[layer_name][name], self.path)
                is_turned = theano_kernels.is_turned(name, layer_name, array.shape, layers)
                if is_turned is None:
                    raise CheckpointError(
                        f"Cannot read {self.path!r}: Keras on Theano wrote it, where kernels of "
                        f"convolutions are turned, and whether {name!r} is one cannot be told. "
                        "Load it in Keras 2.0 to 2.3 on TensorFlow, and save it there."
                    )
                if is_turned:
                    yield (layer_name, name), theano_kernels.Turned(array)

    def json_attribute(self, name: str) -> Optional[Dict[str, Any]]:
        """A root attribute that holds a JSON object; None where it is missing."""
        written = hdf5.optional_text(self.file, name)
        if written is None:
            return None
        try:
            value = json.loads(written)
        except RecursionError as error:
            raise ValueError(f"{name} is nested too deeply") from error
        if not isinstance(value, dict):
            raise ValueError(f"{name} is {type(value).__name__}, expected an object")
        return value

    def architecture(self) -> Optional[Dict[str, Any]]:
        """The model's config, with the names of its layers; None where the file has none."""
        config = self.json_attribute("model_config")
        group = self.file.get("model_weights")
        if config is None or group is None:
            return config
        try:
            return with_names(config, hdf5.names(group, "layer_names"))
        except (KeyError, TypeError, ValueError, AttributeError):
            return config  # a model of an unknown kind

    def candidates(self) -> Optional[List[Candidate]]:
        """The model's variables in the file's order; None where the file has no model."""
        group = self._weights()
        if group is None:
            return None
        turned = self.turned_kernels()
        frozen = _frozen_layers(self.architecture())
        found = []
        for layer_name in hdf5.names(group, "layer_names"):
            layer = group[layer_name]
            for name in hdf5.names(layer, "weight_names"):
                plain = name.split(":")[0]
                trainable = None
                parts = plain.split("/")
                if layer_name in parts[1:]:  # Keras 3 puts the model's name first
                    parts = parts[parts.index(layer_name) :]
                    plain = "/".join(parts)
                is_frozen = layer_name in frozen or any(part in frozen for part in parts[:-1])
                if parts[-1] in _STATISTICS or is_frozen:
                    trainable = False
                array = turned.get((layer_name, name)) or hdf5.array(layer[name], self.path)
                found.append(Candidate(plain, array, trainable))
        return found

    def _weights(self) -> Any:
        """The group with the layers' weights; None where the file has none."""
        group = self.file.get("model_weights")
        if group is None and hdf5.has_names(self.file, "layer_names"):
            return self.file
        return group

    def optimizer_weights(self) -> List[Weight]:
        """The optimizer's weights in their order; empty where the file has none."""
        group = self.file.get("optimizer_weights")
        if group is None:
            return []
        names = hdf5.names(group, "weight_names")
        return [Weight(name, hdf5.array(group[name], self.path)) for name in names]


def _frozen_layers(model_config: Optional[Dict[str, Any]]) -> Tuple[str, ...]:
    """Names of the layers that are held fixed."""
    if model_config is None:
        return ()
    try:
        return tuple(layer.name for layer in layer_order(model_config) if not layer.trainable)
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()  # a model of an unknown kind: shapes decide


def model_has_embeddings(path: str) -> Optional[bool]:
    """Whether the model in a file looks up rows of a parameter."""
    with WholeModel(path) as model, hdf5.reported(path):
        return has_embeddings(model.json_attribute("model_config"))


def model_candidates(path: str) -> List[Candidate]:
    """The variables of the model in a file; their values are read from it when they are used."""
    return kept_candidates(WholeModel(path))


def kept_candidates(model: WholeModel) -> List[Candidate]:
    """The variables of the model in an open file, which stays open as long as they are in use."""
    with hdf5.reported(model.path):
        return [
            one._replace(array=Array(one.array.shape, one.array.dtype, _kept(model, one.array)))
            for one in model.candidates() or []
        ]


def _kept(model: WholeModel, array: Array) -> Any:
    def load() -> Any:
        assert model.file
        return array.read()

    return load


def is_whole_model(source: str) -> bool:
    """Whether an HDF5 file holds a model's architecture."""
    if not hdf5.is_hdf5(source):
        return False
    with WholeModel(source) as model, hdf5.reported(source):
        return model.json_attribute("model_config") is not None


def read(request: ReadRequest) -> OptimizerState:
    """The optimizer's state in a whole model's file.

    Raises:
        CheckpointError: If the file is damaged, or holds no optimizer that is known.
    """
    model = WholeModel(request.path)
    try:
        with hdf5.reported(request.path):
            return read_model(model, request.class_name)
    except BaseException:
        model.close()
        raise


def read_model(model: WholeModel, known_class: Optional[str]) -> OptimizerState:
    """The optimizer's state in an open file.

    Raises:
        CheckpointError: If it holds no optimizer that is known.
    """
    path = model.path
    training = model.json_attribute("training_config")
    if training is None:
        held = "weights alone" if model.candidates() is not None else "no Keras model"
        if model.json_attribute("model_config") is not None:
            held = "a model that was not compiled"
        raise CheckpointError(
            f"{path!r} holds no optimizer: it has no `training_config` ({held}). Was the model "
            "saved before `compile`, by `save_weights`, or with include_optimizer=False?"
        )
    serialized = training.get("optimizer_config") or training.get("optimizer")
    if not isinstance(serialized, dict) or not isinstance(serialized.get("config"), dict):
        raise CheckpointError(f"{path!r} holds no optimizer: its training_config has none.")
    serialized, left_out = configs.unwrapped(serialized)
    class_name = configs.class_name_of(known_class or serialized.get("class_name"), path)
    config = serialized["config"]
    weights, is_scaled = weight_lists.inside_loss_scale(model.optimizer_weights())
    if is_scaled:
        left_out = dict(configs.LEFT_OUT_LOSS_SCALE)
    version = model.keras_version
    if releases.numbers_of(version)[:1] == (1,):
        raise CheckpointError(
            f"Cannot read {path!r}: Keras {version} wrote it, and files of Keras 1 are not read. "
            "Keras 2.0 to 2.2 loads the model and can save it; whether it carries the optimizer's "
            "state over was not tried."
        )
    layout = releases.layout_of(config, version, [weight.name for weight in weights])
    release = releases.release_of(layout, version)
    options, notes = configs.parse(layout, class_name, config, path)
    more, doubts = releases.adjust(release, class_name, options, version)
    notes += more
    producer = f"keras {version}" if version else "unknown"
    provenance = Provenance(path, layout.name, layout.title, producer)
    candidates = model.candidates()
    embeddings = has_embeddings(model.json_attribute("model_config"))
    if not weights:
        notes.append(
            "The file has no optimizer weights: it was saved before the first step (then say "
            "--iterations 0), or they were removed."
        )
        parameters = [one.as_parameter() for one in candidates or [] if one.trainable is not False]
        slots = weight_lists.initial_slots(layout, class_name, config, parameters)
        state = OptimizerState(class_name, options, None, parameters, slots, {}, provenance, notes)
        state.doubts.update(doubts)
        state.left_out.update(left_out)
        state.has_embeddings = embeddings
        return state
    content = _parse_weights(release, layout, class_name, options, weights, candidates, path)
    shifted = theano_kernels.shifted_layers(model.architecture()) if model.is_of_theano else []
    if shifted:
        left_out["padding"] = (
            f'of {", ".join(shifted)}: with padding="same" and an even kernel_size Theano pads on '
            "the other side, so the model computes something else on other backends"
        )
    _turn_slots(content)
    if model.turned_kernels():
        notes.append(
            "Keras on Theano wrote the file: kernels of convolutions, and their slots, are turned "
            "by 180 degrees, as other backends need them."
        )
    scalars = dict(content.scalars)
    rate = scalars.pop("learning_rate", None)
    if rate is not None and not layouts.is_scheduled(layout, options):
        options["lr"] = float(rate)
    iterations = content.iterations
    counted = model.file["optimizer_weights"].attrs.get(STEPS_IN_RATES)
    if iterations is None and counted is not None:
        iterations = 0
        notes.append(f"lr and decay count from step {int(counted)}, at which they were rewritten.")
    state = OptimizerState(
        class_name,
        options,
        iterations,
        content.parameters,
        content.slots or weight_lists.initial_slots(layout, class_name, config, content.parameters),
        scalars,
        provenance,
        notes,
    )
    state.left_out.update(with_slots_though_fixed(candidates, content.parameters))
    state.doubts.update(doubts)
    state.left_out.update(left_out)
    state.has_embeddings = embeddings
    state.has_frozen_normalization = has_frozen_normalization(model.architecture())
    state.variables = {one.name: one.array for one in candidates or []}
    state.opened_file = model
    return state


def _turn_slots(content: Content) -> None:
    """Turn the slots of kernels that Theano has turned."""
    names = {one.name for one in content.parameters if isinstance(one.value, theano_kernels.Turned)}
    for arrays in content.slots.values():
        for name in names.intersection(arrays):
            if len(arrays[name].shape) >= 3:  # an unused third group is smaller
                arrays[name] = theano_kernels.Turned(arrays[name])


def _parse_weights(
    release: Release,
    layout: Layout,
    class_name: str,
    options: Dict[str, Any],
    weights: List[Weight],
    candidates: Optional[List[Candidate]],
    path: str,
) -> Content:
    """The state in the list, its parameters in the model's order.

    Raises:
        CheckpointError: If the list fits in no order, or in two and the file tells not which.
    """
    by_name = None if candidates is None else sorted_by_name(candidates)
    orders = {
        "model": [candidates],
        "name": [by_name],
        "unknown": [candidates] if by_name == candidates else [candidates, by_name],
    }[release.slot_order]
    found, problems = [], []
    for order in orders:
        try:
            found.append(weight_lists.parse(layout, class_name, options, weights, order, path))
        except CheckpointError as error:
            problems.append(error)
    if not found:
        raise problems[0]
    if len(found) == 2 and _owners(found[0]) != _owners(found[1]):
        raise CheckpointError(
            f"Cannot read {path!r}: it does not say which Keras wrote it, and its slots fit in two "
            "orders, that of the layers and (Keras 2.0.0 to 2.0.5) that of the weights' names. "
            "Write the version into the file's attribute keras_version."
        )
    content = found[0]
    if candidates is not None and release.slot_order == "name":
        places = {one.name: place for place, one in enumerate(candidates)}
        content.parameters.sort(key=lambda one: places.get(one.name.split("#")[0], len(places)))
    return content


def _owners(content: Content) -> Dict[str, List[int]]:
    """Which array each parameter has, role by role."""
    return {
        role: [id(arrays.get(name)) for name in sorted(one.name for one in content.parameters)]
        for role, arrays in content.slots.items()
    }


READER = Reader(hdf5.is_hdf5, read)
