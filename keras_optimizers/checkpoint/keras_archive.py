"""Keras 3: `.keras` archives, `.weights.h5` files, and state files for `load_own_variables`.

An archive is a zip of metadata.json, config.json (architecture and compile arguments) and
model.weights.h5. In the latter the optimizer's variables are optimizer/vars/0, 1, ..., those of
the layers layers/dense/vars/0, ..., named by class and not by layer.
"""

import contextlib
import json
import os
import shutil
import tempfile
import zipfile
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from keras_optimizers.checkpoint import (
    configs,
    hdf5,
    layouts,
    model_config,
    weight_lists,
    weight_places,
)
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.keras_hdf5 import WholeModel, holds
from keras_optimizers.checkpoint.keras_hdf5 import write as write_whole_model
from keras_optimizers.checkpoint.layer_arguments import KERAS_3
from keras_optimizers.checkpoint.layouts import Layout
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.model_layers import MODELS, layer_order
from keras_optimizers.checkpoint.replacing import written_whole
from keras_optimizers.checkpoint.report import LOST, RECOMPUTED, Report
from keras_optimizers.checkpoint.state import Array, OptimizerState
from keras_optimizers.checkpoint.weight_lists import Weight

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_LARGEST_JSON = 1 << 26
_LONG_NAMES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "kld": "kullback_leibler_divergence",
    "acc": "accuracy",
}
_STATE_ATTRIBUTE = "keras_optimizers_config"

SNIPPET = """\
import json, h5py, keras
model = ...  # the same architecture, with its weights
with h5py.File({path!r}, "r") as state:
    optimizer = keras.optimizers.deserialize(json.loads(state.attrs[{attribute!r}]))
    optimizer.build(model.trainable_variables)
    optimizer.load_own_variables(state["optimizer/vars"])
model.compile(optimizer, loss=...)
"""


class Archive:
    """An open .keras archive: its JSON files and its weights. Use it as a context manager."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._folder: Optional[str] = None
        self._zip: Optional[zipfile.ZipFile] = None
        self.weights: Any = None
        with _zip_reported(path):
            packed = self._zip = zipfile.ZipFile(path)
            try:
                _check_entries(packed)
                self.config = _json_entry(packed, _CONFIG)
                self.metadata = _json_entry(packed, _METADATA)
                self._open_weights(packed)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the archive; arrays that were not read are gone then."""
        if self.weights is not None:
            with contextlib.suppress(Exception):
                self.weights.close()
            self.weights = None
        if self._zip is not None:
            self._zip.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _open_weights(self, packed: zipfile.ZipFile) -> None:
        """h5py needs a file to seek in: the entry is unpacked, unless it is stored as it is."""
        self._folder = tempfile.mkdtemp(".partial")
        unpacked = os.path.join(self._folder, "weights.h5")
        with packed.open(_WEIGHTS) as entry, open(unpacked, "wb") as target:
            shutil.copyfileobj(entry, target, 1 << 20)
        self.weights = hdf5.open_checked(unpacked, os.path.getsize(unpacked), self.path)


def _check_entries(packed: zipfile.ZipFile) -> None:
    """Only entries that an archive of Keras has; nothing is unpacked under a name of theirs."""
    entries = packed.infolist()
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise ValueError("it holds a name twice")
    for name in (_CONFIG, _WEIGHTS):
        if name not in names:
            raise ValueError(f"it has no {name}")
    for entry in entries:
        if entry.flag_bits & 1:
            raise ValueError("it is encrypted")
        size, stored = entry.file_size, max(entry.compress_size, 1)
        if size > max(1 << 28, 100 * stored):
            raise ValueError(f"{entry.filename!r} unpacks to {size} bytes from {stored}")


def _json_entry(packed: zipfile.ZipFile, name: str) -> Dict[str, Any]:
    if name not in packed.namelist():
        return {}
    if packed.getinfo(name).file_size > _LARGEST_JSON:
        raise ValueError(f"{name} is larger than any model's")
    try:
        value = json.loads(packed.read(name).decode("utf-8"))
    except RecursionError as error:
        raise ValueError(f"{name} is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError(f"{name} holds no object")
    return value


@contextlib.contextmanager
def _zip_reported(path: str) -> Iterator[None]:
    with hdf5.reported(path):
        try:
            yield
        except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError) as error:
            raise ValueError(str(error) or type(error).__name__) from error
        except Exception as error:
            if type(error).__module__ in ("zlib", "lzma", "_lzma", "struct"):
                raise ValueError(str(error)) from error
            raise


def read(path: str) -> OptimizerState:
    """The optimizer's state in a .keras archive.

    Raises:
        CheckpointError: If the archive is damaged, or holds no optimizer that is known.
    """
    archive = Archive(path)
    try:
        with hdf5.reported(path):
            return _read(archive)
    except BaseException:
        archive.close()
        raise


def _read(archive: Archive) -> OptimizerState:
    path = archive.path
    compiled = archive.config.get("compile_config")
    serialized = compiled.get("optimizer") if isinstance(compiled, dict) else None
    if not isinstance(serialized, dict) or not isinstance(serialized.get("config"), dict):
        raise CheckpointError(f"{path!r} holds no optimizer: the model was not compiled.")
    version = str(archive.metadata.get("keras_version", ""))
    layout = layouts.KERAS_3 if version.startswith("3") else layouts.TF_KERAS_2_11
    if serialized["config"].get("is_legacy_optimizer") is True:
        layout = layouts.OPTIMIZER_V2
    candidates = _candidates(archive.weights, archive.config, path)
    state = _state(layout, serialized, archive.weights, candidates, path)
    state.variables = {one.name: one.array for one in candidates or []}
    state.provenance.update(producer=f"keras {version}", file=archive)
    return state


def model_candidates(path: str) -> List[Candidate]:
    """The variables of the model in an archive, read into memory."""
    with Archive(path) as archive, hdf5.reported(path):
        found = _candidates(archive.weights, archive.config, path) or []
        return [one._replace(array=Array.of(one.array.read())) for one in found]


def _state(
    layout: Layout,
    serialized: Dict[str, Any],
    weights_file: Any,
    candidates: Optional[List[Candidate]],
    path: str,
) -> OptimizerState:
    class_name = configs.class_name_of(serialized.get("class_name"), path)
    options, notes = configs.parse(layout, class_name, serialized["config"], path)
    weights = _optimizer_weights(weights_file, path)
    if not weights:
        raise CheckpointError(f"{path!r} holds no optimizer's variables.")
    content = weight_lists.parse(layout, class_name, options, weights, candidates, path)
    scalars = dict(content.scalars)
    rate = scalars.pop("learning_rate", None)
    if rate is not None and not layouts.is_scheduled(layout, options):
        options["lr"] = float(rate)
    provenance = {
        "path": path,
        "format": layout.name,
        "title": layout.title,
        "producer": "unknown",
        "notes": notes,
    }
    return OptimizerState(
        class_name,
        options,
        content.iterations,
        content.parameters,
        content.slots,
        scalars,
        provenance,
    )


def _optimizer_weights(weights_file: Any, path: str) -> List[Weight]:
    found = weights_file.get("optimizer/vars")
    return [] if found is None else _numbered(found, "optimizer", path)


def _numbered(group: Any, name: str, path: str) -> List[Weight]:
    """The datasets 0, 1, ... of a group."""
    weights: List[Weight] = []
    while str(len(weights)) in group:
        dataset = group[str(len(weights))]
        weights.append(Weight(f"{name}/{len(weights)}", hdf5.array(dataset, path)))
    return weights


def _candidates(weights_file: Any, config: Dict[str, Any], path: str) -> Optional[List[Candidate]]:
    """The layers' variables in the model's order; None where the order is not told."""
    found = layer_candidates(weights_file, config, path)
    return None if found is None else [candidate for _, candidate in found]


def layer_candidates(
    weights_file: Any, config: Dict[str, Any], path: str
) -> Optional[List[Tuple[str, Candidate]]]:
    """The variables in the model's order, each with the outermost model's layer that it is in.

    None where the model is of an unknown kind, or other variables are there than it should have.
    """
    try:
        classes = {layer.name: layer.class_name for layer in layer_order(config)}
        places = weight_places.layer_variables(config)
    except (CheckpointError, KeyError, TypeError, ValueError, AttributeError):
        return None
    found = []
    for layer in places:
        paths = [*layer.trained, *layer.fixed]
        sides = [side for side in ("forward_layer", "backward_layer") if side in paths[0]]
        for number, place in enumerate(paths):
            if not isinstance(weights_file.get(place), hdf5.require_h5py().Dataset):
                return None
            side = [one for one in ("forward_layer", "backward_layer") if one in place] or sides
            index, count = int(place.rpartition("/")[2]), len(paths) // (2 if side else 1)
            variable = _variable_name(classes.get(layer.name, ""), index, count)
            name = "/".join([layer.name, *side, variable])
            array = hdf5.array(weights_file[place], path)
            trainable = None if number < len(layer.trained) else False
            found.append((layer.owner, Candidate(name, array, trainable)))
    return found


def _variable_name(class_name: str, index: int, count: int) -> str:
    """The usual name of a layer's variable, else its number."""
    names: Sequence[str] = {
        "Embedding": ("embeddings",),
        "LSTM": ("kernel", "recurrent_kernel", "bias"),
        "GRU": ("kernel", "recurrent_kernel", "bias"),
        "SimpleRNN": ("kernel", "recurrent_kernel", "bias"),
    }.get(class_name, ())
    if class_name.startswith("BatchNorm") and count == 4:
        names = ("gamma", "beta", "moving_mean", "moving_variance")
    if (class_name == "Dense" or class_name.startswith("Conv")) and count <= 2:
        names = ("kernel", "bias")
    return names[index] if index < len(names) else f"variable_{index}"


def is_weights_file(path: str) -> bool:
    """Whether an HDF5 file has the groups of a `.weights.h5`, or is a state file of ours."""
    if not holds(path):
        return False
    with hdf5.open_checked(path, os.path.getsize(path), path) as opened, hdf5.reported(path):
        return "model_weights" not in opened and (
            "optimizer" in opened or ("layers" in opened and "layer_names" not in opened.attrs)
        )


def read_weights_file(path: str, class_name: Optional[str] = None) -> OptimizerState:
    """The optimizer's state in a `.weights.h5`.

    A file that Keras wrote has no config: the class is told by its variables' count and shapes
    only where there is one possibility, and no hyperparameter but the learning rate is in it.

    Raises:
        CheckpointError: If the file holds no optimizer, or `class_name` is needed.
    """
    opened = hdf5.open_checked(path, os.path.getsize(path), path)
    try:
        with hdf5.reported(path):
            written = hdf5.optional_text(opened, _STATE_ATTRIBUTE)
            if written is not None:
                serialized = json.loads(written)
            elif class_name is not None:
                serialized = {"class_name": class_name, "config": {}}
            else:
                serialized = {"class_name": _class_told(opened, path), "config": {}}
            state = _state(layouts.KERAS_3, serialized, opened, _named(opened, path), path)
            state.provenance.update(producer="keras 3", file=opened)
            return state
    except BaseException:
        opened.close()
        raise


def _named(opened: Any, path: str) -> Optional[List[Candidate]]:
    """The parameters' names in a state file of ours."""
    if "parameters" not in opened:
        return None
    names = hdf5.names(opened["parameters"], "names")
    slots = opened["parameters"]
    return [
        Candidate(name, hdf5.array(slots[str(index)], path)) for index, name in enumerate(names)
    ]


def _class_told(opened: Any, path: str) -> str:
    """The class, from the name that Keras writes beside the variables."""
    group = opened.get("optimizer/vars")
    if group is None:
        raise CheckpointError(
            f"{path!r} holds no optimizer: save a compiled model that has been trained."
        )
    told = hdf5.optional_text(group, "name") or ""
    plain = told.replace("_", "").rstrip("0123456789")
    try:
        return configs.class_name_of(plain, path)
    except CheckpointError as error:
        raise CheckpointError(
            f"{path!r} does not say which optimizer its variables are of; give --class."
        ) from error


def write(
    state: OptimizerState,
    path: str,
    layout: Layout,
    source: Optional[str] = None,
    report: Optional[Report] = None,
    progress: Any = None,
) -> None:
    """Write for Keras 3: a whole .keras or .h5 model where its layers allow it, else the state.

    Arguments:
        state: as `fitting.fit` returns it.
        path: its ending says what is written: ".keras", ".weights.h5", or any other for HDF5.
        source: the file that holds the model.

    Raises:
        CheckpointError: If it cannot be written. Nothing has changed then.
    """
    report = report if report is not None else Report()
    if path.endswith(".keras"):
        _write_archive(state, path, layout, source, report, progress)
    elif path.endswith(".weights.h5") or source is None or not is_whole_model(source):
        _write_state_file(state, path, layout, source, report, progress)
    else:
        with WholeModel(source) as model, hdf5.reported(source):
            is_nested = _is_nested(model.json_attribute("model_config") or {})
        if is_nested:
            report.add(
                "optimizer",
                LOST,
                "Keras 3 cannot train a nested model that it has loaded from HDF5: use .keras",
            )
        write_whole_model(state, path, layout, source, report=report, progress=progress)


def _is_nested(config: Dict[str, Any]) -> bool:
    """Whether a model is a layer of another."""
    try:
        return any(layer.class_name in MODELS for layer in layer_order(config))
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def is_whole_model(source: str) -> bool:
    """Whether an HDF5 file holds a model's architecture."""
    if not holds(source):
        return False
    with WholeModel(source) as model, hdf5.reported(source):
        return model.json_attribute("model_config") is not None


def _translated(config: Optional[Dict[str, Any]], report: Report) -> Dict[str, Any]:
    if config is None:
        raise CheckpointError("The source holds no model's architecture.")
    translated, notes = model_config.translate(config, KERAS_3)
    report.add("model_config", RECOMPUTED, "the same architecture in the words of Keras 3")
    for note in notes:
        report.note(note)
    return translated


def _write_archive(
    state: OptimizerState,
    path: str,
    layout: Layout,
    source: Optional[str],
    report: Report,
    progress: Any,
) -> None:
    h5py = hdf5.require_h5py()
    if source is not None and zipfile.is_zipfile(source):
        with Archive(source) as archive:
            config, metadata = dict(archive.config), archive.metadata
            if not str(metadata.get("keras_version", "")).startswith("3"):
                config = dict(
                    _translated(config, report), compile_config=config.get("compile_config")
                )
                metadata = dict(metadata, keras_version="3.0.0")
            _pack(state, path, layout, config, metadata, archive.weights, progress)
        return
    if source is None or not is_whole_model(source):
        raise CheckpointError(
            f"Cannot write {path!r}: the source holds no model, and a .keras file is a whole "
            "one. Use an ending of .weights.h5 for the optimizer's state alone."
        )
    with WholeModel(source) as model, tempfile.TemporaryDirectory() as folder:
        old = model.json_attribute("model_config")
        training = model.json_attribute("training_config") or {}
        config = _translated(old, report)
        config["compile_config"] = _compile_config(training, report)
        metadata = {"keras_version": "3.0.0", "date_saved": ""}
        with h5py.File(os.path.join(folder, "layers.h5"), "w") as weights:
            _write_layers(model, old or {}, weights, _values_for(state, source))
            _pack(state, path, layout, config, metadata, weights, progress)


def long_names(value: Any) -> Any:
    """Losses and metrics by the names that every Keras knows; Keras 3 loads no short ones."""
    if isinstance(value, list):
        return [long_names(one) for one in value]
    if isinstance(value, dict):
        return {key: long_names(one) for key, one in value.items()}
    return _LONG_NAMES.get(value, value) if isinstance(value, str) else value


def _compile_config(training: Dict[str, Any], report: Report) -> Dict[str, Any]:
    """What `compile` was called with, as far as plain names say it."""
    loss = training.get("loss")
    if loss is not None and not isinstance(loss, (str, list, dict)):
        loss = None
    metrics = training.get("metrics") or None
    if metrics is not None and not all(isinstance(metric, str) for metric in metrics):
        report.note("metrics: left out, they are no plain names; compile the model with them.")
        metrics = None
    loss, metrics = long_names(loss), long_names(metrics)
    return {"loss": loss, "loss_weights": training.get("loss_weights"), "metrics": metrics}


def _values_for(state: OptimizerState, source: str) -> Dict[str, Array]:
    """The model's values that come with the state, where `source` only lends the model."""
    return state.variables if source != state.provenance.get("path") else {}


def _write_layers(
    model: WholeModel, config: Dict[str, Any], target: Any, values: Dict[str, Array]
) -> None:
    """The layers' variables under the paths of Keras 3; `values` take the place of the file's."""
    group = model.file["model_weights"]
    paths = weight_places.variable_paths(config)
    for layer_name in hdf5.names(group, "layer_names"):
        names = hdf5.names(group[layer_name], "weight_names")
        places = paths.get(layer_name, [])
        if len(places) != len(names):
            raise CheckpointError(
                f"The layer {layer_name!r} has {len(names)} arrays in the file, and "
                f"{len(places)} in Keras 3: they cannot be told apart."
            )
        for name, place in zip(names, places):
            value = values.get(name.split(":")[0])
            if value is None:
                group.copy(f"{layer_name}/{name}", target, place)
            else:
                target.create_dataset(place, data=value.read())


def _pack(
    state: OptimizerState,
    path: str,
    layout: Layout,
    config: Dict[str, Any],
    metadata: Dict[str, Any],
    layers: Any,
    progress: Any,
) -> None:
    h5py = hdf5.require_h5py()
    compiled = dict(config.get("compile_config") or {})
    compiled["optimizer"] = serialized(layout, state)
    config["compile_config"] = compiled
    with written_whole(path) as partial:
        with written_whole(partial + ".h5") as weights_path:
            with h5py.File(weights_path, "w") as target:
                hdf5.copy_attributes(layers, target)
                for name in layers:
                    if name != "optimizer":
                        layers.copy(name, target)
                _write_variables(state, layout, target, progress)
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED, allowZip64=True) as packed:
                packed.writestr(_METADATA, json.dumps(metadata))
                packed.writestr(_CONFIG, json.dumps(config))
                packed.write(weights_path, _WEIGHTS)
        os.remove(partial + ".h5")


def serialized(layout: Layout, state: OptimizerState) -> Dict[str, Any]:
    """The optimizer's config as Keras 3 reads it."""
    config = configs.write(layout, state.class_name, state.hyperparameters)
    return configs.serialized_optimizer(layout, state.class_name, config)


def _write_variables(state: OptimizerState, layout: Layout, target: Any, progress: Any) -> None:
    group = target.create_group("optimizer/vars")
    weights = weight_lists.arrange(layout, state)
    total = sum(weight.array.size_in_bytes for weight in weights)
    done = 0
    for index, weight in enumerate(weights):
        group.create_dataset(str(index), data=weight.array.read())
        done += weight.array.size_in_bytes
        if progress is not None:
            progress(done, total)


def _write_state_file(
    state: OptimizerState,
    path: str,
    layout: Layout,
    source: Optional[str],
    report: Report,
    progress: Any,
) -> None:
    """The optimizer's variables; the layers' too where the source tells where they belong."""
    h5py = hdf5.require_h5py()
    with written_whole(path) as partial, h5py.File(partial, "w") as target:
        if source is not None:
            _copy_layers(source, target, _values_for(state, source), report)
        _write_variables(state, layout, target, progress)
        target.attrs[_STATE_ATTRIBUTE] = json.dumps(serialized(layout, state))
        parameters = target.create_group("parameters")
        hdf5.write_names(parameters, "names", [one.name for one in state.parameters])
        for index, parameter in enumerate(state.parameters):
            value = parameter.value
            if value is None:
                value = Array.filled(parameter.shape, parameter.dtype, 0)
            parameters.create_dataset(str(index), data=value.read())
    report.note(
        "Load it in Keras 3 with:\n" + SNIPPET.format(path=path, attribute=_STATE_ATTRIBUTE)
    )


def _copy_layers(source: str, target: Any, values: Dict[str, Array], report: Report) -> None:
    try:
        if zipfile.is_zipfile(source):
            with Archive(source) as archive:
                for name in archive.weights:
                    if name != "optimizer":
                        archive.weights.copy(name, target)
        elif is_whole_model(source):
            with WholeModel(source) as model:
                config = model.json_attribute("model_config") or {}
                _write_layers(model, config, target, values)
    except CheckpointError as error:
        report.add("model weights", LOST, f"not in this file: {error}")
