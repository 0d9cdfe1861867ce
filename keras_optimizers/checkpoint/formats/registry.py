"""The spokes: which reader a file needs, and which writer a format's name means."""

import os
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats import (
    keras_3_writing,
    keras_archive,
    keras_hdf5,
    object_checkpoint,
    saver,
    tf_train,
)
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.report import Report
from keras_optimizers.checkpoint.state import OptimizerState
from keras_optimizers.checkpoint.storage import bundles

HDF5 = "hdf5"
ARCHIVE = "archive"
BUNDLE = "bundle"

# TensorFlow's own formats, beside the layouts of HDF5.
_BUNDLE_SPOKES: Dict[str, Any] = {
    spoke.LAYOUT.name: spoke for spoke in (saver, tf_train, object_checkpoint)
}
BUNDLES = tuple(_BUNDLE_SPOKES)


def names() -> List[str]:
    """All formats that `write` takes."""
    return [*layouts.LAYOUTS, *BUNDLES]


def titles() -> Dict[str, str]:
    """What each format is, by name."""
    found = {name: layout.title for name, layout in layouts.LAYOUTS.items()}
    found.update((name, spoke.LAYOUT.title) for name, spoke in _BUNDLE_SPOKES.items())
    return found


def kind_of(path: str) -> str:
    """HDF5, ARCHIVE or BUNDLE, found in the file itself.

    Raises:
        CheckpointError: If there is no such file, or it is nothing of these.
    """
    if os.path.isfile(path):
        with open(path, "rb") as opened:
            start = opened.read(8)
        if start == b"\x89HDF\r\n\x1a\n":
            return HDF5
        if start.startswith(b"PK"):
            return ARCHIVE
    if _bundle_prefix(path) is not None:
        return BUNDLE
    if not os.path.exists(path):
        raise CheckpointError(f"There is no file {path!r}.")
    raise CheckpointError(
        f"Cannot read {path!r}: it is neither HDF5, nor a .keras archive, nor a checkpoint of "
        "TensorFlow (PREFIX.index with PREFIX.data-...)."
    )


def _bundle_prefix(path: str) -> Optional[str]:
    """The prefix of a TensorFlow checkpoint, also from the name of one of its files."""
    for prefix in (path, os.path.splitext(path)[0]):
        if os.path.isfile(prefix + ".index"):
            return prefix
    return None


def read(
    path: str,
    class_name: Optional[str] = None,
    model: Optional[str] = None,
    values: Optional[Dict[str, Any]] = None,
) -> OptimizerState:
    """The optimizer's state in a file of any format.

    Arguments:
        path: path of an HDF5 or .keras file, or prefix of a TensorFlow checkpoint.
        class_name: where the file does not tell it.
        model: path of a file that holds the same model, for TensorFlow's checkpoints, which tell
            neither the order of the parameters nor what is trained.
        values: hyperparameters, where the file does not hold them.

    Raises:
        CheckpointError: If the file cannot be read, or holds no optimizer's state.
    """
    path = os.fspath(path)
    kind = kind_of(path)
    if kind == BUNDLE:
        return _read_bundle(_bundle_prefix(path) or path, class_name, model, values or {})
    if kind == ARCHIVE:
        return keras_archive.read(path)
    if keras_archive.is_weights_file(path):
        return keras_archive.read_weights_file(path, class_name)
    return keras_hdf5.read(path)


def _read_bundle(
    prefix: str, class_name: Optional[str], model: Optional[str], values: Dict[str, Any]
) -> OptimizerState:
    tensors = bundles.open_bundle(prefix)
    candidates = None if model is None else model_candidates(model)
    if bundles.is_object_checkpoint(tensors):
        return object_checkpoint.read(prefix, tensors, candidates, values, class_name)
    if saver.scope_of(tensors) is not None:
        return saver.read(prefix, tensors, candidates, values)
    return tf_train.read(prefix, tensors, candidates, values, class_name)


def model_candidates(path: str) -> List[Candidate]:
    """The variables of the model in a file.

    Raises:
        CheckpointError: If the file holds none.
    """
    if kind_of(path) == ARCHIVE:
        found = keras_archive.model_candidates(path)
    else:
        found = keras_hdf5.model_candidates(path)
    if not found:
        raise CheckpointError(f"{path!r} holds no model.")
    return found


class Target(NamedTuple):
    """A writer: the layout a state must fit, and the function that writes what fits.

    `check` refuses or reports what a layout cannot say.
    """

    layout: layouts.Layout
    write: Callable[..., None]
    check: Callable[[OptimizerState, Report], None]


def target(name: str) -> Target:
    """The writer for a format's name.

    Raises:
        CheckpointError: If there is no such format.
    """
    if name in BUNDLES:
        spoke = _BUNDLE_SPOKES[name]
        return Target(spoke.LAYOUT, spoke.write, getattr(spoke, "check", _nothing))
    if name not in layouts.LAYOUTS:
        raise CheckpointError(f"Unknown format {name!r}; there are: {', '.join(names())}.")
    write = keras_3_writing.write if name == layouts.KERAS_3.name else keras_hdf5.write
    return Target(layouts.LAYOUTS[name], write, _nothing)


def _nothing(state: OptimizerState, report: Report) -> None:
    """The layout says all."""
