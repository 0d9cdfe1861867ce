"""All formats: which reader a file needs, and which writer a format's name means.

A format of one's own joins by `register`, or by one line in `_FORMATS`.
"""

import os
from typing import Any, Dict, List, Optional

from keras_optimizers.checkpoint.eras import layouts
from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.formats import (
    archive_files,
    keras_3_writer,
    keras_archive,
    keras_hdf5,
    keras_hdf5_writer,
    object_checkpoint_writer,
    saved_model,
    saver,
    tensorflow_checkpoint,
    tf_train,
    weights_h5,
)
from keras_optimizers.checkpoint.formats.format import Format, Reader, ReadRequest
from keras_optimizers.checkpoint.matching import Candidate
from keras_optimizers.checkpoint.state import OptimizerState
from keras_optimizers.suggestions import did_you_mean

# What several formats have in common; the first that recognises a file reads it.
_READERS: List[Reader] = [
    weights_h5.WEIGHTS_READER,
    keras_hdf5.READER,
    keras_archive.READER,
    saved_model.READER,
    tensorflow_checkpoint.READER,
]
_LFS_POINTER = b"version https://git-lfs"
_HOLD_MODELS = (keras_hdf5.READER, keras_archive.READER, saved_model.READER)
_FORMATS: List[Format] = [
    keras_hdf5_writer.format_of(layouts.KERAS_OPTIMIZERS),
    keras_hdf5_writer.format_of(layouts.TF_KERAS_1_10),
    keras_hdf5_writer.format_of(layouts.KERAS_2_2),
    keras_hdf5_writer.format_of(layouts.KERAS_2_3),
    keras_hdf5_writer.format_of(layouts.OPTIMIZER_V2),
    keras_hdf5_writer.format_of(layouts.TF_KERAS_2_11),
    keras_3_writer.FORMAT,
    saver.FORMAT,
    tf_train.FORMAT,
    *object_checkpoint_writer.FORMATS,
]


def register(format: Format) -> None:
    """Make a format known: `--to` takes its name, and its files are recognised.

    Raises:
        ValueError: If there is a format of that name.
    """
    if format.name in names():
        raise ValueError(f"There is a format {format.name!r} already.")
    _FORMATS.append(format)


def unregister(format: Format) -> None:
    """Take back `register`."""
    _FORMATS.remove(format)


def names() -> List[str]:
    """All formats that `write` takes."""
    return [one.name for one in _FORMATS]


def titles() -> Dict[str, str]:
    """What each format is, by name."""
    return {one.name: one.title for one in _FORMATS}


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        CheckpointError: If there is none.
    """
    for one in _FORMATS:
        if one.name == name:
            return one
    raise CheckpointError(
        f"Unknown format {name!r}.{did_you_mean(name, names())} There are: {', '.join(names())}."
    )


def reader_of(path: str) -> Reader:
    """The reader of a file, found by its content.

    Raises:
        CheckpointError: If there is no such file, or no format recognises it.
    """
    own = [one.reader for one in _FORMATS if one.reader is not None]
    for reader in [*own, *_READERS]:
        if reader.recognises(path):
            return reader
    if not os.path.exists(path):
        raise CheckpointError(f"There is no file {path!r}.")
    if os.path.isdir(path):
        raise CheckpointError(f"Cannot read {path!r}: {_what_a_directory_is(path)}")
    if not os.path.getsize(path):
        raise CheckpointError(f"Cannot read {path!r}: the file is empty.")
    if os.path.basename(path) == "saved_model.pb":
        folder = os.path.dirname(os.path.abspath(path))
        raise CheckpointError(
            f"Cannot read {path!r}: it is one file of a SavedModel. Give its directory, {folder!r}."
        )
    with open(path, "rb") as opened:
        if opened.read(len(_LFS_POINTER)) == _LFS_POINTER:
            raise CheckpointError(
                f"Cannot read {path!r}: it is a pointer of Git LFS, not the file itself. Get that "
                "with `git lfs pull`."
            )
    raise CheckpointError(
        f"Cannot read {path!r}: it is neither HDF5, nor a .keras archive, nor a checkpoint of "
        "TensorFlow (PREFIX.index with PREFIX.data-...), nor a SavedModel's directory."
    )


def _what_a_directory_is(path: str) -> str:
    """What to give in place of a directory that is no SavedModel's."""
    ending = ".index"
    prefixes = sorted(name[: -len(ending)] for name in os.listdir(path) if name.endswith(ending))
    if prefixes:
        example = os.path.join(path, prefixes[-1])
        return f"it is a directory of TensorFlow's checkpoints. Give a prefix, such as {example!r}."
    return "it is a directory, and not a SavedModel's. Give a file, or a checkpoint's prefix."


def read(
    path: str,
    class_name: Optional[str] = None,
    model: Optional[str] = None,
    values: Optional[Dict[str, Any]] = None,
    optimizer: Optional[str] = None,
) -> OptimizerState:
    """The optimizer's state in a file of any format.

    Arguments:
        path: path of an HDF5 or .keras file or of a SavedModel's directory, or prefix of a
            TensorFlow checkpoint.
        class_name: where the file does not tell it.
        model: path of a file that holds the same model, for TensorFlow's checkpoints, which tell
            neither the order of the parameters nor what is trained.
        values: hyperparameters, where the file does not hold them.
        optimizer: which one, where a checkpoint of objects holds several: the attributes that lead
            to it, such as "generator_optimizer".

    Raises:
        CheckpointError: If the file cannot be read, or holds no optimizer's state.
    """
    path = os.fspath(path)

    def candidates() -> Optional[List[Candidate]]:
        return None if model is None else model_candidates(model)

    state = reader_of(path).read(ReadRequest(path, class_name, values or {}, candidates, optimizer))
    _check_shapes(state, path)
    state.has_embeddings = has_embeddings(state, model)
    for name, value in layouts.defaults_of(state.provenance.format, state.class_name).items():
        state.era_defaults.setdefault(name, value)
    return state


def _check_shapes(state: OptimizerState, path: str) -> None:
    """Each slot has the shape of its parameter.

    Raises:
        CheckpointError: If one has another.
    """
    shapes = {parameter.name: parameter.shape for parameter in state.parameters}
    for role, name, array in state.arrays():
        if array.shape != shapes.get(name, array.shape):
            raise CheckpointError(
                f"Cannot read {path!r}: {role} of {name!r} has the shape {array.shape}, and "
                f"{name!r} {shapes[name]}. It is damaged, or of another kind."
            )


def has_embeddings(state: OptimizerState, model: Optional[str]) -> Optional[bool]:
    """Whether the state's model looks up rows: as it says, or its names, or the model's file."""
    if state.has_embeddings is not None:
        return state.has_embeddings
    if any("embedding" in parameter.name.lower() for parameter in state.parameters):
        return True
    if model is None or reader_of(model) not in _HOLD_MODELS:
        return None
    module = keras_archive if archive_files.is_archive(model) else keras_hdf5
    with saved_model.as_file(model) as file:
        return module.model_has_embeddings(file)


def model_candidates(path: str) -> List[Candidate]:
    """The variables of the model in a file.

    Raises:
        CheckpointError: If the file holds none.
    """
    if saved_model.is_saved_model(path):
        found = saved_model.model_candidates(path)
    elif archive_files.is_archive(path):
        found = keras_archive.model_candidates(path)
    else:
        reader_of(path)  # says what is wrong with the path
        found = keras_hdf5.model_candidates(path)
    if not found:
        raise CheckpointError(f"{path!r} holds no model.")
    return found
