"""The spokes: which reader a file needs, and which writer a format's name means."""

import os
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from keras_optimizers.checkpoint import keras_archive, keras_hdf5, layouts
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.state import OptimizerState

HDF5 = "hdf5"
ARCHIVE = "archive"
BUNDLE = "bundle"

# Formats beside the layouts of HDF5, with what they are.
BUNDLES: Dict[str, str] = {
    "saver": "tf.train.Saver, of a graph with ours or with upstream's old classes",
    "saver-tf-train": "tf.train.Saver, of a graph with tf.train optimizers",
    "checkpoint": "tf.train.Checkpoint or save_weights, with OptimizerV2",
}


def names() -> List[str]:
    """All formats that `write` takes."""
    return [*layouts.LAYOUTS, *BUNDLES]


def titles() -> Dict[str, str]:
    """What each format is, by name."""
    found = {name: layout.title for name, layout in layouts.LAYOUTS.items()}
    return dict(found, **BUNDLES)


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


def read(path: str, **options: Any) -> OptimizerState:
    """The optimizer's state in a file of any format.

    Arguments:
        path: path of an HDF5 or .keras file, or prefix of a TensorFlow checkpoint.
        **options: for TensorFlow's checkpoints, which do not tell everything: `class_name`,
            `model` (path of a file that holds the model), `optimizer` (name of the optimizer's
            scope or attribute).

    Raises:
        CheckpointError: If the file cannot be read, or holds no optimizer's state.
    """
    path = os.fspath(path)
    kind = kind_of(path)
    if kind == BUNDLE:
        from keras_optimizers.checkpoint import bundles

        return bundles.read(_bundle_prefix(path) or path, **options)
    if kind == ARCHIVE:
        return keras_archive.read(path)
    if keras_archive.is_weights_file(path):
        return keras_archive.read_weights_file(path)
    return keras_hdf5.read(path)


class Target(NamedTuple):
    """A writer: the layout a state must fit, and the function that writes what fits."""

    layout: layouts.Layout
    write: Callable[..., None]
    kind: str


def target(name: str, path: str) -> Target:
    """The writer for a format's name.

    Raises:
        CheckpointError: If there is no such format.
    """
    if name in BUNDLES:
        from keras_optimizers.checkpoint import bundles

        return Target(bundles.LAYOUTS[name], bundles.WRITERS[name], BUNDLE)
    if name not in layouts.LAYOUTS:
        raise CheckpointError(f"Unknown format {name!r}; there are: {', '.join(names())}.")
    if name == layouts.KERAS_3.name:
        return Target(layouts.KERAS_3, keras_archive.write, ARCHIVE)
    return Target(layouts.LAYOUTS[name], keras_hdf5.write, HDF5)
