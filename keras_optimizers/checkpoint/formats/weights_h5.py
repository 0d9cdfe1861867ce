"""Reading `.weights.h5`: weights without a model, from Keras 3, and state files of ours."""

import json
import os
from typing import Any, List, Optional

from keras_optimizers.checkpoint.eras import configs, layouts
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats.format import Reader, ReadRequest
from keras_optimizers.checkpoint.formats.keras_3_weights import state_in
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.state import OptimizerState, Provenance
from keras_optimizers.checkpoint.storage import hdf5

STATE_ATTRIBUTE = "keras_optimizers_config"


def is_weights_file(path: str) -> bool:
    """Whether an HDF5 file has the groups of a `.weights.h5`, or is a state file of ours."""
    if not hdf5.is_hdf5(path):
        return False
    with hdf5.open_checked(path, os.path.getsize(path), path) as opened, hdf5.reported(path):
        return "model_weights" not in opened and (
            "optimizer" in opened or ("layers" in opened and "layer_names" not in opened.attrs)
        )


def read_weights_file(request: ReadRequest) -> OptimizerState:
    """The optimizer's state in a `.weights.h5`.

    A file that Keras wrote has no config: the class is told by its variables' count and shapes
    only where there is one possibility, and no hyperparameter but the learning rate is in it.

    Raises:
        CheckpointError: If the file holds no optimizer, or `class_name` is needed.
    """
    path, class_name = request.path, request.class_name
    opened = hdf5.open_checked(path, os.path.getsize(path), path)
    try:
        with hdf5.reported(path):
            written = hdf5.optional_text(opened, STATE_ATTRIBUTE)
            if written is not None:
                serialized = json.loads(written)
            elif class_name is not None:
                serialized = {"class_name": class_name, "config": {}}
            else:
                serialized = {"class_name": _class_told(opened, path), "config": {}}
            layout = layouts.KERAS_3
            provenance = Provenance(path, layout.name, layout.title, "keras 3")
            state = state_in(
                layout, serialized, opened, _named(opened, path), provenance, class_name
            )
            state.opened_file = opened
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


WEIGHTS_READER = Reader(is_weights_file, read_weights_file)
