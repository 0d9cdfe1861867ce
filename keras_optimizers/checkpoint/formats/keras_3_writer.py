"""Writing for Keras 3: whole models in `.keras`, or the optimizer's state in `.weights.h5`.

Whole models in HDF5 are not written: Keras 3 loads them without the optimizer's slots and cannot
train them then.
"""

import json
import os
import re
import tempfile
import zipfile
from typing import Any, Dict, Optional

from keras_optimizers.checkpoint.architecture import hard_sigmoid, model_config, weight_places
from keras_optimizers.checkpoint.architecture.layers import FUNCTIONAL, layer_order
from keras_optimizers.checkpoint.eras import configs, layouts, weight_lists
from keras_optimizers.checkpoint.eras.dialects import KERAS_3
from keras_optimizers.checkpoint.eras.layout import Layout
from keras_optimizers.checkpoint.eras.releases import numbers_of, release_of
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats.archive_files import CONFIG, METADATA, WEIGHTS, Archive
from keras_optimizers.checkpoint.formats.format import Format, WriteRequest
from keras_optimizers.checkpoint.formats.keras_3_weights import unfreeze_what_was_trained
from keras_optimizers.checkpoint.formats.keras_hdf5 import WholeModel, is_whole_model
from keras_optimizers.checkpoint.formats.weights_h5 import STATE_ATTRIBUTE
from keras_optimizers.checkpoint.report import LOST, RECOMPUTED, Report
from keras_optimizers.checkpoint.state import Array, OptimizerState
from keras_optimizers.checkpoint.storage import hdf5
from keras_optimizers.checkpoint.storage.atomic_files import stored, written_whole

SNIPPET = """\
import json, h5py, keras
model = ...  # the same architecture, with its weights
with h5py.File({path!r}, "r") as state:
    optimizer = keras.optimizers.deserialize(json.loads(state.attrs[{attribute!r}]))
    optimizer.build(model.trainable_variables)
    optimizer.load_own_variables(state["optimizer/vars"])
model.compile(optimizer, loss=...)
"""


def write(request: WriteRequest) -> None:
    """Write a whole .keras model, or the state alone into a .weights.h5.

    The option `keras_version` names the release that will read the file. Without it a model that
    Keras 3 wrote stays one of its release, and any other becomes one of the newest.

    Raises:
        CheckpointError: If it cannot be written. Nothing has changed then.
    """
    version = request.options.get("keras_version")
    request = request if version is None else _for_version(request, str(version))
    if request.path.endswith(".keras"):
        _write_archive(request)
    else:
        _write_state_file(request)


def _for_version(request: WriteRequest, version: str) -> WriteRequest:
    """The request with the layout of a release."""
    layout = request.layout
    if not re.match(r"3\.\d+(\.|$)", version):
        raise CheckpointError(f"Expected a version of Keras 3, such as 3.9, received {version!r}.")
    place = release_of(layout, version).momentum_product or layout.momentum_product
    return request._replace(layout=layout._replace(keras_version=version, momentum_product=place))


def _translated(
    config: Optional[Dict[str, Any]], report: Report, keras_version: str
) -> Dict[str, Any]:
    if config is None:
        raise CheckpointError("The source holds no model's architecture.")
    try:
        translated, notes = model_config.translate(config, KERAS_3)
    except CheckpointError as error:
        raise type(error)(
            f"{error} With an ending of .weights.h5 the optimizer's state and the layers' weights "
            "are written without the model, which is then built in code."
        ) from error
    if hard_sigmoid.is_in(translated) and numbers_of(keras_version) < hard_sigmoid.LOADED_FROM:
        raise CheckpointError(
            f"The model uses Keras 2's hard_sigmoid, which a file can give to Keras 3.10 and later "
            f"alone, not to {keras_version}. Use an ending of .weights.h5, and build the model in "
            "code there, with a function that computes 0.2 x + 0.5, at least 0 and at most 1."
        )
    report.add("model_config", RECOMPUTED, "the same architecture in the words of Keras 3")
    if any(layer.class_name in FUNCTIONAL for layer in layer_order(config)) or (
        config.get("class_name") in FUNCTIONAL
    ):
        report.note(
            "The model is functional: Keras 3.0 does not load this file, 3.4 and later do (3.1 to "
            "3.3 were not tried)."
        )
    for note in notes:
        report.note(note)
    return translated


def _write_archive(request: WriteRequest) -> None:
    state, path, source, report = request.state, request.path, request.source, request.report
    if source is not None and zipfile.is_zipfile(source):
        with Archive(source) as archive:
            unfreeze_what_was_trained(archive, state.parameters)
            config, metadata = dict(archive.config), archive.metadata
            version = str(metadata.get("keras_version", ""))
            if version.startswith("3"):
                if "keras_version" not in request.options:
                    request = _for_version(request, version)
            else:
                config = dict(
                    _translated(config, report, request.layout.keras_version),
                    compile_config=config.get("compile_config"),
                )
                metadata = dict(metadata)
            _pack(request, config, metadata, archive.weights)
        return
    if source is None or not is_whole_model(source):
        raise CheckpointError(
            f"Cannot write {path!r}: the source holds no model, and a .keras file is a whole "
            "one. Use an ending of .weights.h5 for the optimizer's state alone."
        )
    with stored(path), WholeModel(source) as model, tempfile.TemporaryDirectory() as folder:
        old = model.architecture()
        training = model.json_attribute("training_config") or {}
        config = _translated(old, report, request.layout.keras_version)
        config["compile_config"] = _compile_config(training, report)
        metadata = {"date_saved": ""}
        with hdf5.created(os.path.join(folder, "layers.h5")) as weights:
            _write_layers(model, old or {}, weights, _values_for(state, source))
            _pack(request, config, metadata, weights)


def _compile_config(training: Dict[str, Any], report: Report) -> Dict[str, Any]:
    """What `compile` was called with, as far as plain names say it."""
    loss = training.get("loss")
    if loss is not None and not isinstance(loss, (str, list, dict)):
        loss = None
    metrics = training.get("metrics") or None
    if metrics is not None and not all(isinstance(metric, str) for metric in metrics):
        report.note("metrics: left out, they are no plain names; compile the model with them.")
        metrics = None
    loss, metrics = configs.long_names(loss), configs.long_names(metrics)
    return {"loss": loss, "loss_weights": training.get("loss_weights"), "metrics": metrics}


def _values_for(state: OptimizerState, source: str) -> Dict[str, Array]:
    """The model's values that come with the state, where `source` only lends the model."""
    return state.variables if source != state.provenance.path else {}


def _write_layers(
    model: WholeModel, config: Dict[str, Any], target: Any, values: Dict[str, Array]
) -> None:
    """The layers' variables under the paths of Keras 3; `values` take the place of the file's."""
    group = model.file["model_weights"]
    paths = weight_places.variable_paths(config)
    turned = model.turned_kernels()
    for layer_name in hdf5.names(group, "layer_names"):
        names = hdf5.names(group[layer_name], "weight_names")
        places = paths.get(layer_name, [])
        if len(places) != len(names):
            raise CheckpointError(
                f"The layer {layer_name!r} has {len(names)} arrays in the file, and "
                f"{len(places)} in Keras 3: they cannot be told apart."
            )
        for name, place in zip(names, places):
            value = values.get(name.split(":")[0]) or turned.get((layer_name, name))
            if value is None:
                group.copy(f"{layer_name}/{name}", target, place)
            else:
                target.create_dataset(place, data=value.read())


def _say_which_release(request: WriteRequest) -> None:
    """Nadam's product stands before the slots in some releases and after them in others."""
    if request.state.class_name != "Nadam":
        return
    first = request.layout.momentum_product == "first"
    held, others = ("3.0 to 3.9", "3.10") if first else ("3.10 and later", "3.9")
    request.report.note(
        f"Nadam's variables are in the order of Keras {held}, which the other releases cannot "
        f"load; for those say --keras-version {others}."
    )


def _pack(
    request: WriteRequest, config: Dict[str, Any], metadata: Dict[str, Any], layers: Any
) -> None:
    state, layout = request.state, request.layout
    metadata = dict(metadata, keras_version=layout.keras_version)
    compiled = dict(config.get("compile_config") or {})
    compiled["optimizer"] = serialized(layout, state)
    if compiled.get("steps_per_execution") is None:
        # tf.keras 2.14 and 2.15 write null, with which Keras 3 cannot train.
        compiled["steps_per_execution"] = 1
    config["compile_config"] = compiled
    with written_whole(request.path, request.confirm) as partial:
        with written_whole(partial + ".h5", shown=request.path) as weights_path:
            with hdf5.created(weights_path) as target:
                hdf5.copy_attributes(layers, target)
                for name in layers:
                    if name != "optimizer":
                        layers.copy(name, target)
                target.require_group("vars")  # Keras before 3.6 looks for it
                _write_variables(request, target)
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED, allowZip64=True) as packed:
                packed.writestr(METADATA, json.dumps(metadata))
                packed.writestr(CONFIG, json.dumps(config))
                packed.write(weights_path, WEIGHTS)
        os.remove(partial + ".h5")


def serialized(layout: Layout, state: OptimizerState) -> Dict[str, Any]:
    """The optimizer's config as Keras 3 reads it."""
    config = configs.write(layout, state.class_name, state.hyperparameters)
    return configs.serialized_optimizer(layout, state.class_name, config)


def _write_variables(request: WriteRequest, target: Any) -> None:
    group = target.create_group("optimizer/vars")
    _say_which_release(request)
    weights = weight_lists.arrange(request.layout, request.state)
    total = sum(weight.array.size_in_bytes for weight in weights)
    done = 0
    for index, weight in enumerate(weights):
        group.create_dataset(str(index), data=weight.array.read())
        done += weight.array.size_in_bytes
        if request.progress is not None:
            request.progress(done, total)


def _write_state_file(request: WriteRequest) -> None:
    """The optimizer's variables; the layers' too where the source tells where they belong."""
    state, source, report = request.state, request.source, request.report
    report.note(
        "Load it in Keras 3 with:\n" + SNIPPET.format(path=request.path, attribute=STATE_ATTRIBUTE)
    )
    with written_whole(request.path, request.confirm) as partial, hdf5.created(partial) as target:
        if source is not None:
            _copy_layers(source, target, _values_for(state, source), report)
        _write_variables(request, target)
        target.attrs[STATE_ATTRIBUTE] = json.dumps(serialized(request.layout, state))
        parameters = target.create_group("parameters")
        hdf5.write_names(parameters, "names", [one.name for one in state.parameters])
        for index, parameter in enumerate(state.parameters):
            value = parameter.value
            if value is None:
                value = Array.filled(parameter.shape, parameter.dtype, 0)
            parameters.create_dataset(str(index), data=value.read())


def _copy_layers(source: str, target: Any, values: Dict[str, Array], report: Report) -> None:
    try:
        if zipfile.is_zipfile(source):
            with Archive(source) as archive:
                for name in archive.weights:
                    if name != "optimizer":
                        archive.weights.copy(name, target)
        elif is_whole_model(source):
            with WholeModel(source) as model:
                config = model.architecture() or {}
                _write_layers(model, config, target, values)
    except CheckpointError as error:
        report.add("model weights", LOST, f"not in this file: {error}")


FORMAT = Format(
    layouts.KERAS_3,
    write,
    endings=(".keras", ".weights.h5"),
    only_endings=True,
    options=("keras_version",),
    remedy=(
        "Keras 3 loads a model from HDF5 without the optimizer's slots and cannot train it. Use "
        "an ending of .keras for the whole model, or of .weights.h5 for the optimizer's state "
        "alone."
    ),
)
