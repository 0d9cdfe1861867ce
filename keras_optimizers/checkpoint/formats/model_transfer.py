"""A model's architecture, weights and the rest of its file, carried over into an HDF5 file."""

import json
import zipfile
from typing import Any, Dict, Optional

from keras_optimizers.checkpoint.architecture import model_config
from keras_optimizers.checkpoint.architecture.layers import (
    dialect,
    with_float_embeddings,
    with_plain_numbers,
    with_reset_after,
)
from keras_optimizers.checkpoint.eras import dialects
from keras_optimizers.checkpoint.eras.layout import Layout
from keras_optimizers.checkpoint.eras.releases import family_of
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats import archive_files, keras_3_weights
from keras_optimizers.checkpoint.formats.keras_hdf5 import WholeModel, is_whole_model
from keras_optimizers.checkpoint.report import COPIED, DEFAULTED, LOST, RECOMPUTED, Report
from keras_optimizers.checkpoint.state import Array, OptimizerState
from keras_optimizers.checkpoint.storage import hdf5


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
        training = _from_archive(source, target, layout, state, report)
    else:
        training = _from_hdf5(source, target, layout, report)
    if source != state.provenance.path:
        _put_values(target, state.variables, report)
    # Older loaders look for these, and take no None for a list.
    training.setdefault("sample_weight_mode", None)
    training.setdefault("loss_weights", None)
    training.setdefault("loss", None)
    if not training.get("metrics"):
        training["metrics"] = []
    return training


def _from_hdf5(source: str, target: Any, layout: Layout, report: Report) -> Dict[str, Any]:
    with WholeModel(source) as model, hdf5.reported(source):
        training = model.json_attribute("training_config") or {}
        hdf5.copy_attributes(model.file, target, but=("training_config",))
        for name in model.file:
            if name != "optimizer_weights":
                model.file.copy(name, target)
        for (layer_name, name), array in model.turned_kernels().items():
            target["model_weights"][layer_name][name][...] = array.read()
        held = model.keras_version
        _write_architecture(target, model.architecture(), held, layout, report)
        # Always: single releases of one family order slots, or clip, otherwise.
        _sign(target, layout)
    return training


def _write_architecture(
    target: Any, config: Optional[Dict[str, Any]], version: str, layout: Layout, report: Report
) -> None:
    """The architecture, where the target's Keras does not read it as the source has it."""
    if config is None:
        return
    completed = with_plain_numbers(with_float_embeddings(config))
    if layout.reads_older_architectures:
        completed = with_reset_after(completed)
    if not _is_readable(config, version, layout):
        _write_config(target, completed, layout, report)
    elif completed is not config:
        target.attrs["model_config"] = json.dumps(completed).encode("utf-8")


def _from_archive(
    source: str, target: Any, layout: Layout, state: OptimizerState, report: Report
) -> Dict[str, Any]:
    """The layers' variables under the names of older files."""
    with archive_files.Archive(source) as archive, hdf5.reported(source):
        keras_3_weights.unfreeze_what_was_trained(archive, state.parameters)
        config = archive.config
        candidates = keras_3_weights.layer_candidates(archive.weights, config, source)
        if candidates is None:
            raise CheckpointError(
                f"Cannot take the model of {source!r} into HDF5: its layers, or their variables, "
                "are described in a way that is not known here."
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


def _is_readable(config: Dict[str, Any], version: str, layout: Layout) -> bool:
    """Whether the target's Keras reads this architecture as it is written."""
    family = family_of(version)
    if layout.reads_older_architectures:
        newest = family_of("2.4") == family and layout.dialect != dialects.TF_KERAS_2
        return dialect(config) == dialects.KERAS_2 and not newest
    return family == family_of(layout.keras_version)


def _write_config(target: Any, config: Dict[str, Any], layout: Layout, report: Report) -> None:
    """The architecture in the target's words, or as it is where that is not possible."""
    to = layout.dialect
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
    version = layout.keras_version.encode("ascii")
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


def holds_model(source: Optional[str]) -> bool:
    """Whether there is a file with a model to carry over."""
    if source is None:
        return False
    return zipfile.is_zipfile(source) or is_whole_model(source)
