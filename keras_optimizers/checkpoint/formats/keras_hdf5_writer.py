"""Writing whole models in HDF5 for every Keras before 3."""

import json
from typing import Any, Dict, List, Sequence, Tuple

from keras_optimizers.checkpoint.eras import configs, weight_lists
from keras_optimizers.checkpoint.eras.layout import Layout
from keras_optimizers.checkpoint.eras.releases import Release, release_of
from keras_optimizers.checkpoint.eras.weight_lists import Weight
from keras_optimizers.checkpoint.errors import CheckpointError, NotRepresentable
from keras_optimizers.checkpoint.formats import model_transfer
from keras_optimizers.checkpoint.formats.format import Format, WriteRequest
from keras_optimizers.checkpoint.formats.keras_hdf5 import STEPS_IN_RATES
from keras_optimizers.checkpoint.state import OptimizerState
from keras_optimizers.checkpoint.storage import hdf5
from keras_optimizers.checkpoint.storage.atomic_files import written_whole


def format_of(layout: Layout) -> Format:
    """The format of an era that keeps whole models in HDF5."""
    return Format(
        layout,
        write,
        endings=(".h5", ".hdf5"),
        remedy="Use an ending of .h5.",
        options=("keras_version",),
    )


def write(request: WriteRequest) -> None:
    """Write a file with the optimizer's part anew, and all else as in the request's source.

    The option `keras_version` names the release that will read the file, where that is one which
    differs from the rest of its era.

    Raises:
        CheckpointError: If the file cannot be written. Nothing has changed then.
    """
    carries_model = request.source is not None and model_transfer.holds_model(request.source)
    state, layout, release = _for_release(request, carries_model)
    weights = weight_lists.arrange(layout, state)
    config = configs.write(layout, state.class_name, state.hyperparameters)
    if not release.amsgrad:
        config.pop("amsgrad", None)
    serialized = configs.serialized_optimizer(layout, state.class_name, config)
    with written_whole(request.path, request.confirm) as partial, hdf5.created(partial) as target:
        training: Dict[str, Any] = {}
        if request.source is not None and carries_model:
            training = model_transfer.carry_over(
                request.source, target, layout, state, request.report
            )
        training["optimizer_config"] = serialized
        target.attrs["training_config"] = json.dumps(training).encode("utf-8")
        group = target.create_group("optimizer_weights")
        if state.steps_in_rates is not None:
            group.attrs[STEPS_IN_RATES] = state.steps_in_rates
        _write_weights(group, weights, request.progress)


def _for_release(
    request: WriteRequest, carries_model: bool
) -> Tuple[OptimizerState, Layout, Release]:
    """The state and the layout as the release wants them that will read the file."""
    state, layout = request.state, request.layout
    version = request.options.get("keras_version")
    if version is not None:
        layout = layout._replace(keras_version=str(version))
    release = release_of(layout, layout.keras_version)
    if not release.amsgrad:
        if state.class_name == "Adam" and state.hyperparameters.get("amsgrad"):
            raise NotRepresentable(f"Keras {version} has no AMSGrad.")
        layout = layout._replace(amsgrad_placeholders=False)
    if release.slot_order == "name":
        if not carries_model:
            raise CheckpointError(
                f"Keras {version} orders slots by the names of the model's weights, and the source "
                "holds no model. Give one with --model FILE."
            )
        state = state.copy()
        state.parameters.sort(key=lambda one: one.name + ":0")
    return state, layout, release


def _write_weights(group: Any, weights: Sequence[Weight], progress: Any = None) -> None:
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
