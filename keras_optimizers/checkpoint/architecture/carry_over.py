"""The model's part of an HDF5 file, carried over from another file of any era."""

import json
import zipfile
from typing import Any, Dict, Optional

from keras_optimizers.checkpoint.architecture import model_config
from keras_optimizers.checkpoint.architecture.layer_arguments import KERAS_2, KERAS_3, TF_KERAS_2
from keras_optimizers.checkpoint.architecture.layers import dialect
from keras_optimizers.checkpoint.eras import configs, layouts
from keras_optimizers.checkpoint.eras.layouts import Layout
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats import keras_archive
from keras_optimizers.checkpoint.formats.keras_hdf5 import WholeModel, is_whole_model
from keras_optimizers.checkpoint.report import COPIED, DEFAULTED, LOST, RECOMPUTED, Report
from keras_optimizers.checkpoint.state import Array, OptimizerState
from keras_optimizers.checkpoint.storage import hdf5

# What a file of each era says about who wrote it; loaders, and `inspect`, go by it.
_VERSIONS = {
    layouts.KERAS_OPTIMIZERS.name: "2.2.4-tf",
    layouts.TF_KERAS_1_10.name: "2.1.6-tf",
    layouts.KERAS_2_2.name: "2.2.4",
    layouts.KERAS_2_3.name: "2.3.1",
    layouts.OPTIMIZER_V2.name: "2.2.4-tf",
    layouts.TF_KERAS_2_11.name: "2.15.0",
    layouts.KERAS_3.name: "3.0.0",
}


_DIALECTS = {layouts.KERAS_3.name: KERAS_3, layouts.TF_KERAS_2_11.name: TF_KERAS_2}


def carry_over(
    source: str, target: Any, layout: Layout, state: OptimizerState, report: Report
) -> Dict[str, Any]:
    """Copy everything but the optimizer's part into an open HDF5 file.

    Arguments:
        source: the file that holds the model: HDF5 or a .keras archive.
        state: if it comes from another file than `source`, its values take the place of the
            model's.

    Returns:
        The training config.

    Raises:
        CheckpointError: If `source` cannot be read.
    """
    if zipfile.is_zipfile(source):
        training = _from_archive(source, target, layout, report)
    else:
        training = _from_hdf5(source, target, layout, report)
    if source != state.provenance.get("path"):
        _put_values(target, state.variables, report)
    # Older loaders look for these, and take no None for a list.
    training.setdefault("sample_weight_mode", None)
    training.setdefault("loss_weights", None)
    training.setdefault("loss", None)
    if not training.get("metrics"):
        training["metrics"] = []
    if layout is layouts.KERAS_3:
        for name in ("loss", "metrics"):
            training[name] = configs.long_names(training[name])
    return training


def _from_hdf5(source: str, target: Any, layout: Layout, report: Report) -> Dict[str, Any]:
    with WholeModel(source) as model, hdf5.reported(source):
        training = model.json_attribute("training_config") or {}
        hdf5.copy_attributes(model.file, target, but=("training_config",))
        for name in model.file:
            if name != "optimizer_weights":
                model.file.copy(name, target)
        config = model.json_attribute("model_config")
        held = model.keras_version
        if config is not None and not _is_readable(config, held, layout):
            _write_config(target, config, layout, report)
        if _era(held) != _era(_VERSIONS[layout.name]):
            _sign(target, layout)
    return training


def _from_archive(source: str, target: Any, layout: Layout, report: Report) -> Dict[str, Any]:
    """The layers' variables under the names of older files."""
    with keras_archive.Archive(source) as archive, hdf5.reported(source):
        config = archive.config
        candidates = keras_archive.layer_candidates(archive.weights, config, source)
        if candidates is None:
            raise CheckpointError(
                f"Cannot take the model of {source!r} into HDF5: it is nested, or describes "
                "itself in an unknown way."
            )
        group = target.create_group("model_weights")
        owners = list(dict.fromkeys(owner for owner, _ in candidates))
        hdf5.write_names(group, "layer_names", owners)
        for owner in owners:
            layer = group.create_group(owner)
            # Older files have what is trained first, also of a nested model.
            own = [one for of, one in candidates if of == owner]
            variables = sorted(own, key=lambda one: one.trainable is False)
            names = [f"{one.name}:0" for one in variables]
            hdf5.write_names(layer, "weight_names", names)
            for name, variable in zip(names, variables):
                layer.create_dataset(name, data=variable.array.read())
        _write_config(target, config, layout, report)
        _sign(target, layout)
        compiled = config.get("compile_config") or {}
        loss = compiled.get("loss")
        plain = loss if isinstance(loss, (str, list)) else None
        if loss is not None and plain is None:
            report.note("loss: left out, it is no plain name; compile the model with it.")
        return {"loss": plain, "metrics": [], "loss_weights": None, "sample_weight_mode": None}


def _era(version: str) -> str:
    """Files of one era read each other's architecture."""
    if version.startswith("3."):
        return "keras-3"
    if version.endswith("-tf"):
        return "tf-keras-1.10" if version.startswith(("2.0.", "2.1.")) else "tf-keras-1.14"
    if version.startswith(("2.0.", "2.1.", "2.2.")):
        return "keras-2.2"
    return "keras-2.3" if version.startswith("2.3") else "tf-keras-2"


def _is_readable(config: Dict[str, Any], version: str, layout: Layout) -> bool:
    """Whether the target's Keras reads this architecture as it is written."""
    if layout in (layouts.OPTIMIZER_V2, layouts.TF_KERAS_2_11, layouts.KERAS_OPTIMIZERS):
        # tf.keras reads all that is older; the newest dialect of tf.keras 2 is for itself.
        is_newest = _era(version) == "tf-keras-2" and layout is not layouts.TF_KERAS_2_11
        return dialect(config) == KERAS_2 and not is_newest
    return _era(version) == _era(_VERSIONS[layout.name])


def _write_config(target: Any, config: Dict[str, Any], layout: Layout, report: Report) -> None:
    """The architecture in the target's words, or as it is where that is not possible."""
    to = _DIALECTS.get(layout.name, KERAS_2)
    try:
        translated, notes = model_config.translate(config, to)
    except CheckpointError as error:
        report.add(
            "model_config",
            LOST,
            f"carried over as it is, {layout.name} may not read it: {error} Build the model in "
            "code there and load this file's weights.",
        )
        translated, notes = config, []
    else:
        report.add("model_config", RECOMPUTED, f"the same architecture in the words of {to}")
    for note in notes:
        report.note(note)
    target.attrs["model_config"] = json.dumps(translated).encode("utf-8")


def _sign(target: Any, layout: Layout) -> None:
    """Attributes as text of the kind that old h5py and old Keras expect."""
    version = _VERSIONS[layout.name].encode("ascii")
    for group in (target, target.get("model_weights")):
        if group is not None:
            group.attrs["keras_version"] = version
            group.attrs["backend"] = b"tensorflow"
    for group in (target.get("model_weights") or {}).values():
        if hdf5.has_names(group, "weight_names"):
            hdf5.write_names(group, "weight_names", hdf5.names(group, "weight_names"))


def _put_values(target: Any, variables: Dict[str, Array], report: Report) -> None:
    """The checkpoint's values in the place of those of the file that lent the model."""
    group = target["model_weights"]
    put, missing = 0, []
    for layer_name in hdf5.names(group, "layer_names"):
        for name in hdf5.names(group[layer_name], "weight_names"):
            dataset, value = group[layer_name][name], variables.get(name.split(":")[0])
            if value is None or value.shape != dataset.shape:
                missing.append(name)
            else:
                dataset[...] = value.read()
                put += 1
    if put:
        report.add("model weights", COPIED, f"{put} arrays")
    if missing:
        held = f"the source does not hold {', '.join(missing[:5])}: the model file's are kept"
        report.add("model weights", LOST if variables else DEFAULTED, held)


def model_of(source: Optional[str]) -> bool:
    """Whether there is a file with a model to carry over."""
    if source is None:
        return False
    return zipfile.is_zipfile(source) or is_whole_model(source)
