"""Whole models in HDF5, as `model.save("x.h5")` of every Keras from 2.0 on writes them.

Root attributes `model_config` and `training_config` (JSON), groups `model_weights` and
`optimizer_weights`; in each a list of names that gives the order. See `layouts` for what differs.
"""

import json
import os
from typing import Any, Dict, List, Optional, Sequence, Tuple

from keras_optimizers.checkpoint.architecture.layers import layer_order
from keras_optimizers.checkpoint.eras import configs, layouts, weight_lists
from keras_optimizers.checkpoint.eras.layouts import Layout
from keras_optimizers.checkpoint.eras.weight_lists import Weight
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.report import Report
from keras_optimizers.checkpoint.state import Array, OptimizerState
from keras_optimizers.checkpoint.storage import hdf5
from keras_optimizers.checkpoint.storage.atomic_files import written_whole

# Where a layout drops `iterations`, `write` puts the finished steps into lr and decay, which then
# count from 0. The attribute of this name says so; no Keras reads it.
_STEPS_IN_RATES = "keras_optimizers_steps_in_rates"
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

    def candidates(self) -> Optional[List[Candidate]]:
        """The model's variables in the file's order; None where the file has no model."""
        group = self.file.get("model_weights")
        if group is None and hdf5.has_names(self.file, "layer_names"):
            group = self.file
        if group is None:
            return None
        frozen = _frozen_layers(self.json_attribute("model_config"))
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
                found.append(Candidate(plain, hdf5.array(layer[name], self.path), trainable))
        return found

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


def model_candidates(path: str) -> List[Candidate]:
    """The variables of the model in a file; their values are read from it when they are used."""
    model = WholeModel(path)
    with hdf5.reported(path):
        return [
            # The file stays open as long as its arrays are in use.
            one._replace(array=Array(one.array.shape, one.array.dtype, _kept(model, one.array)))
            for one in model.candidates() or []
        ]


def _kept(model: WholeModel, array: Array) -> Any:
    def load() -> Any:
        assert model.file
        return array.read()

    return load


def holds(path: str) -> bool:
    """Whether the file begins as HDF5 files do."""
    try:
        with open(path, "rb") as opened:
            return opened.read(8) == b"\x89HDF\r\n\x1a\n"
    except OSError:
        return False


def is_whole_model(source: str) -> bool:
    """Whether an HDF5 file holds a model's architecture."""
    if not holds(source):
        return False
    with WholeModel(source) as model, hdf5.reported(source):
        return model.json_attribute("model_config") is not None


def layout_of(config: Dict[str, Any], keras_version: str, names: Sequence[str]) -> Layout:
    """The layout of a file, from what it says itself.

    Arguments:
        config: the optimizer's config.
        keras_version: the file's attribute.
        names: of the optimizer's weights.
    """
    if keras_version.startswith("3.") and "lr" not in config:
        return layouts.KERAS_3
    first = names[0].split(":")[0].split("/")[-1] if names else ""
    is_tf_keras = keras_version.endswith("-tf")
    if first == "iteration" or ("jit_compile" in config and not config.get("is_legacy_optimizer")):
        return layouts.TF_KERAS_2_11
    if first == "iter" or "name" in config:
        return layouts.OPTIMIZER_V2
    if "learning_rate" in config:
        return layouts.KERAS_2_3
    return layouts.TF_KERAS_1_10 if is_tf_keras else layouts.KERAS_2_2


def read(path: str) -> OptimizerState:
    """The optimizer's state in a whole model's file.

    Raises:
        CheckpointError: If the file is damaged, or holds no optimizer that is known.
    """
    model = WholeModel(path)
    try:
        with hdf5.reported(path):
            return _read(model)
    except BaseException:
        model.close()
        raise


def _read(model: WholeModel) -> OptimizerState:
    path = model.path
    training = model.json_attribute("training_config")
    if training is None:
        held = "weights alone" if model.candidates() is not None else "no Keras model"
        raise CheckpointError(
            f"{path!r} holds no optimizer: it has no `training_config` ({held}). Was the model "
            "saved before `compile`, by `save_weights`, or with include_optimizer=False?"
        )
    serialized = training.get("optimizer_config") or training.get("optimizer")
    if not isinstance(serialized, dict) or not isinstance(serialized.get("config"), dict):
        raise CheckpointError(f"{path!r} holds no optimizer: its training_config has none.")
    class_name = configs.class_name_of(serialized.get("class_name"), path)
    config = serialized["config"]
    weights = model.optimizer_weights()
    version = model.keras_version
    layout = layout_of(config, version, [weight.name for weight in weights])
    options, notes = configs.parse(layout, class_name, config, path)
    notes += clipping_notes(layout, version, options)
    provenance = {
        "path": path,
        "format": layout.name,
        "title": layout.title,
        "producer": f"keras {version}" if version else "unknown",
        "notes": notes,
    }
    candidates = model.candidates()
    if not weights:
        notes.append("The file has no optimizer weights: it was saved before the first step.")
        parameters = [one.as_parameter() for one in candidates or [] if one.trainable is not False]
        return OptimizerState(class_name, options, None, parameters, {}, {}, provenance)
    content = weight_lists.parse(layout, class_name, options, weights, candidates, path)
    scalars = dict(content.scalars)
    rate = scalars.pop("learning_rate", None)
    if rate is not None and not layouts.is_scheduled(layout, options):
        options["lr"] = float(rate)
    iterations = content.iterations
    counted = model.file["optimizer_weights"].attrs.get(_STEPS_IN_RATES)
    if iterations is None and counted is not None:
        iterations = 0
        notes.append(f"lr and decay count from step {int(counted)}, at which they were rewritten.")
    state = OptimizerState(
        class_name,
        options,
        iterations,
        content.parameters,
        content.slots,
        scalars,
        provenance,
    )
    state.variables = {one.name: one.array for one in candidates or []}
    state.provenance["file"] = model  # keeps it open for arrays that are read later
    return state


def clipping_notes(layout: Layout, version: str, options: Dict[str, Any]) -> List[str]:
    """Where a version does not tell which meaning `clipnorm` had."""
    if layout is layouts.TF_KERAS_1_10 and "clipnorm" in options and version == "2.1.6-tf":
        return [
            "clipnorm: files of tf.keras 1.9 look as those of 1.10 to 1.12 do, but meant the "
            "norm of all gradients together; 1.10's meaning, each by itself, was assumed."
        ]
    if layout is layouts.TF_KERAS_1_10 and "clipnorm" in options and _before_1_9(version):
        options["global_clipnorm"] = options.pop("clipnorm")
        return [f"clipnorm: tf.keras with Keras {version} bounded all gradients' common norm."]
    return []


def _before_1_9(version: str) -> bool:
    return version in ("2.0.8-tf", "2.1.1-tf", "2.1.2-tf", "2.1.3-tf", "2.1.4-tf", "2.1.5-tf")


def write(
    state: OptimizerState,
    path: str,
    layout: Layout,
    source: Optional[str] = None,
    report: Optional[Report] = None,
    progress: Any = None,
) -> None:
    """Write a file with the optimizer's part anew, and all else as in `source`.

    Arguments:
        state: as `fitting.fit` returns it for `layout`.
        source: a file whose model, and everything else, is carried over; None for none.
        report: gets what becomes of the model.
        progress: called with (bytes done, bytes in all).

    Raises:
        CheckpointError: If the file cannot be written. Nothing has changed then.
    """
    from keras_optimizers.checkpoint.architecture import carry_over

    h5py = hdf5.require_h5py()
    weights = weight_lists.arrange(layout, state)
    config = configs.write(layout, state.class_name, state.hyperparameters)
    serialized = configs.serialized_optimizer(layout, state.class_name, config)
    with written_whole(path) as partial, h5py.File(partial, "w") as target:
        training: Dict[str, Any] = {}
        if source is not None and carry_over.model_of(source):
            training = carry_over.carry_over(source, target, layout, state, report or Report())
        training["optimizer_config"] = serialized
        target.attrs["training_config"] = json.dumps(training).encode("utf-8")
        group = target.create_group("optimizer_weights")
        if "steps_in_rates" in state.provenance:
            group.attrs[_STEPS_IN_RATES] = state.provenance["steps_in_rates"]
        write_weights(group, weights, progress)


def write_weights(group: Any, weights: Sequence[Weight], progress: Any = None) -> None:
    """The datasets of a list of weights, one at a time in memory, and their names."""
    names = _distinct([weight.name for weight in weights])
    hdf5.write_names(group, "weight_names", names)
    total = sum(weight.array.size_in_bytes for weight in weights)
    done = 0
    for name, weight in zip(names, weights):
        group.create_dataset(name, data=weight.array.read())
        done += weight.array.size_in_bytes
        if progress is not None:
            progress(done, total)


def _distinct(names: Sequence[str]) -> List[str]:
    """Names of which none is another's or leads through another."""
    taken: Dict[str, int] = {}
    result = []
    for name in names:
        number = taken[name] = taken.get(name, -1) + 1
        result.append(name if not number else f"{name}_{number}")
    return result
