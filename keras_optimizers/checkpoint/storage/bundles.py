"""TensorFlow's own checkpoint files (PREFIX.index, PREFIX.data-...): tensors by name.

Written by TensorFlow, any from 1.13 on, and read without it by `tensor_tables`. What the names mean
is said in `saver`, `tf_train` and `object_checkpoint`.
"""

import contextlib
import errno
import os
import shutil
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

import numpy as np

from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.state import Array
from keras_optimizers.checkpoint.storage.atomic_files import (
    folder_beside,
    not_stored,
    to_disk,
)
from keras_optimizers.checkpoint.storage.object_graphs import (
    OBJECT_GRAPH,
    Node,
    parse_checkpoint_graph,
)
from keras_optimizers.checkpoint.storage.tensor_tables import (
    BFLOAT16,
    REAL_NUMBERS,
    TEXT,
    CompressedIndex,
    Table,
)

# Tensors are handed to TensorFlow in portions of this many bytes.
_PORTION = 1 << 26


def require_tensorflow() -> Any:
    """The module tensorflow.compat.v1.

    Raises:
        CheckpointError: If TensorFlow is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow.compat.v1 as tf
    except ImportError as error:
        raise CheckpointError(
            "TensorFlow's checkpoints are written by TensorFlow (1.13 or later; 1.15 on Python 3.6 "
            f"and 3.7): {error}. HDF5 and .keras files need none, nor does reading."
        ) from error
    tf.logging.set_verbosity(tf.logging.ERROR)
    return tf


def prefix_of(path: str) -> Optional[str]:
    """The prefix of a checkpoint, also from the name of one of its files; None if it is none."""
    for prefix in (path, os.path.splitext(path)[0]):
        if os.path.isfile(prefix + ".index"):
            return prefix
    return None


def open_bundle(prefix: str) -> Dict[str, Array]:
    """All tensors of a checkpoint that hold real numbers or truth values, by name.

    Raises:
        CheckpointError: If it cannot be read.
    """
    table = _opened(prefix)
    return {
        name: _array(prefix, table, name)
        for name, entry in sorted(table.entries.items())
        if entry.dtype in REAL_NUMBERS
    }


def open_others(prefix: str) -> Dict[str, Array]:
    """The texts, complex numbers and bfloat16 of a checkpoint, as TensorFlow takes them.

    TensorFlow is needed: NumPy has no bfloat16 of its own.

    Raises:
        CheckpointError: If it cannot be read, or TensorFlow is not installed.
    """
    bfloat16 = require_tensorflow().bfloat16.as_numpy_dtype
    table, found = _opened(prefix), {}
    for name, entry in sorted(table.entries.items()):
        if entry.dtype == TEXT:
            with _reported(prefix):
                found[name] = Array.of(table.read_texts(name))
        elif entry.dtype == BFLOAT16:
            found[name] = _array(prefix, table, name, bfloat16)
        elif entry.dtype is not None and entry.dtype not in REAL_NUMBERS:
            found[name] = _array(prefix, table, name)
    return found


def open_object_graph(prefix: str) -> List[Node]:
    """The objects of a checkpoint of objects; none where it is another kind of checkpoint.

    Raises:
        CheckpointError: If it cannot be read.
    """
    table = _opened(prefix)
    with _reported(prefix):
        written = table.read_text(OBJECT_GRAPH) if OBJECT_GRAPH in table.entries else b""
        return parse_checkpoint_graph(written)


def _opened(prefix: str) -> Table:
    with _reported(prefix):
        return Table(prefix)


def _array(prefix: str, table: Table, name: str, dtype: Any = None) -> Array:
    """A tensor, which is read when it is asked for; its bits as `dtype`, where there is one."""

    def load() -> np.ndarray:
        with _reported(prefix):
            value = table.read(name)
            return value if dtype is None else value.view(dtype)

    entry = table.entries[name]
    return Array(entry.shape, entry.dtype if dtype is None else dtype, load)


@contextlib.contextmanager
def _reported(prefix: str) -> Iterator[None]:
    try:
        yield
    except (LookupError, OSError, OverflowError, MemoryError, ValueError) as error:
        raise unreadable(prefix, error) from error


def unreadable(prefix: str, error: Exception) -> CheckpointError:
    """The error for a checkpoint whose tensors are not what its kind consists of."""
    if isinstance(error, CompressedIndex):
        return CheckpointError(f"Cannot read {prefix!r}: {error}.")
    reason = " ".join(str(error).split())[:200]
    if isinstance(error, FileNotFoundError) and error.filename:
        reason = f"there is no file {error.filename!r}"
    return CheckpointError(f"Cannot read {prefix!r}: it is damaged or incomplete ({reason}).")


def is_object_checkpoint(tensors: Iterable[str]) -> bool:
    """Whether the names are those of `tf.train.Checkpoint` and `save_weights`."""
    return any("/.ATTRIBUTES/" in name for name in tensors)


def write_bundle(
    prefix: str,
    tensors: List[Tuple[str, Array]],
    progress: Any = None,
    confirm: Optional[Callable[[str], None]] = None,
) -> None:
    """Write tensors as a checkpoint; `PREFIX.index`, without which it is none, comes last.

    Arguments:
        progress: called with (bytes done, bytes in all).
        confirm: called with the prefix of the finished files before they take their names; if it
            raises, nothing has changed.

    Raises:
        CheckpointError: If a file of that prefix exists: several files cannot be replaced at once.
    """
    if os.path.exists(prefix + ".index"):
        raise CheckpointError(
            f"{prefix!r} exists, and a TensorFlow checkpoint cannot be replaced at one stroke. Use "
            "another prefix."
        )
    total = sum(array.size_in_bytes for _, array in tensors)
    done = 0
    with folder_beside(prefix) as folder:
        parts = []
        for number, portion in enumerate(_portions(tensors)):
            part = os.path.join(folder, f"part{number}", "part")
            os.mkdir(os.path.dirname(part))
            with stored_by_tensorflow(prefix):
                _save(part, [(name, array.read()) for name, array in portion])
            parts.append(part)
            done += sum(array.size_in_bytes for _, array in portion)
            if progress is not None:
                progress(done, total)
        merged = os.path.join(folder, "merged")
        with stored_by_tensorflow(prefix):
            _merge(parts, merged)
        if confirm is not None:
            confirm(merged)
        move_bundle(merged, prefix)


@contextlib.contextmanager
def stored_by_tensorflow(path: str) -> Iterator[None]:
    """Turn what TensorFlow raises about a disk into one sentence about `path`.

    Raises:
        CheckpointError: If TensorFlow could not write.
    """
    errors = require_tensorflow().errors
    try:
        yield
    except errors.OpError as error:
        # Such as "FILE; No space left on device", a line among those about the graph.
        lines = str(error.message).splitlines()
        reason = next((line for line in lines if "; " in line), lines[0]).rpartition("; ")[2]
        raise not_stored(path, OSError(errno.EIO, reason)) from error


def move_bundle(source: str, prefix: str) -> None:
    """Give the files of a finished checkpoint their names, the index last.

    Raises:
        CheckpointError: If there is a checkpoint of that name.
    """
    if os.path.exists(prefix + ".index"):
        raise CheckpointError(f"{prefix!r} exists. Use another prefix.")
    folder, name = os.path.split(source)
    files = sorted(one for one in os.listdir(folder) if one.startswith(name + "."))
    files.sort(key=lambda one: one.endswith(".index"))
    for one in files:
        to_disk(os.path.join(folder, one))
        shutil.move(os.path.join(folder, one), prefix + one[len(name) :])
    to_disk(os.path.dirname(os.path.abspath(prefix)))


def _portions(tensors: List[Tuple[str, Array]]) -> Iterable[List[Tuple[str, Array]]]:
    portion: List[Tuple[str, Array]] = []
    size = 0
    for name, array in tensors:
        if portion and size + array.size_in_bytes > _PORTION:
            yield portion
            portion, size = [], 0
        portion.append((name, array))
        size += array.size_in_bytes
    yield portion


def _save(prefix: str, tensors: List[Tuple[str, np.ndarray]]) -> None:
    tf = require_tensorflow()
    with tf.Graph().as_default(), tf.device("/CPU:0"):
        places = [tf.placeholder(value.dtype, value.shape) for _, value in tensors]
        save = tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=[name for name, _ in tensors],
            shape_and_slices=[""] * len(tensors),
            tensors=places,
        )
        with tf.Session() as session:
            session.run(save, dict(zip(places, [value for _, value in tensors])))


def _merge(parts: List[str], prefix: str) -> None:
    tf = require_tensorflow()
    with tf.Graph().as_default(), tf.device("/CPU:0"), tf.Session() as session:
        session.run(
            tf.raw_ops.MergeV2Checkpoints(
                checkpoint_prefixes=parts, destination_prefix=prefix, delete_old_dirs=False
            )
        )
