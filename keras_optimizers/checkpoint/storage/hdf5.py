"""HDF5 files that may be damaged or hostile: looked over before anything in them is used."""

import contextlib
import io
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from keras_optimizers.checkpoint.errors import CheckpointError
from keras_optimizers.checkpoint.state import Array

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Attributes longer than this are split by Keras into name0, name1, ...
_LONGEST_ATTRIBUTE = 64512
# A file may say that it holds far more than it does: what unpacks to more than this many times
# the file's size, and to more than this many bytes, is refused.
_LARGEST_RATIO, _ALWAYS_ALLOWED = 100, 1 << 28
_MOST_OBJECTS = 1000000
_DEEPEST = 64


def require_h5py() -> Any:
    """The module h5py.

    Raises:
        CheckpointError: If it is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise CheckpointError(
            "Reading and writing HDF5 and .keras files needs h5py: pip install h5py"
        ) from error
    return h5py


@contextlib.contextmanager
def reported(path: str) -> Iterator[None]:
    """Turn what h5py raises about a damaged file into one sentence about `path`."""
    try:
        yield
    except CheckpointError:
        raise
    except MemoryError as error:
        raise CheckpointError(
            f"Cannot read {path!r}: it needs more memory than a file of its size should. It is "
            "damaged or hostile, or this machine is too small for its largest array."
        ) from error
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(
            f"Cannot read {path!r}: the file is damaged or of another kind ({reason[:200]})."
        ) from error


def is_hdf5(path: str) -> bool:
    """Whether the file begins as HDF5 files do."""
    try:
        with open(path, "rb") as opened:
            return opened.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError:
        return False


def open_checked(path: Any, file_size: int, shown: str) -> Any:
    """Open an HDF5 file for reading and look all of it over.

    Arguments:
        path: path, or a file object.
        file_size: of the file, in bytes.
        shown: the path as messages name it.

    Raises:
        CheckpointError: If it is no HDF5 file, damaged, or holds what no checkpoint holds.
    """
    h5py = require_h5py()
    with reported(shown):
        opened = h5py.File(path, "r")
        try:
            _look_over(h5py, opened, file_size)
        except BaseException:
            opened.close()
            raise
        return opened


@contextlib.contextmanager
def created(path: str) -> Iterator[Any]:
    """A new HDF5 file to write to.

    The library crashes, at the latest when the process ends, where it cannot write a file out. So
    a failed write is kept from it, and raised when the file is closed.

    Raises:
        OSError: If the disk is full.
    """
    h5py = require_h5py()
    with _Kept(path) as kept:
        try:
            with h5py.File(kept, "w") as opened:
                yield opened
        finally:
            if kept.failure is not None:
                raise kept.failure


class _Kept(io.FileIO):
    """A file whose first failed write is kept in `failure`; the writer sees none."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "w+")
        self.failure: Optional[OSError] = None

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        written = 0
        try:
            # One call may write less than it is given: where the disk becomes full within it.
            while self.failure is None and written < len(view):
                written += super().write(view[written:]) or 0
        except OSError as error:
            self.failure = error
        return len(view)

    def truncate(self, size: Optional[int] = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0

    def readinto(self, buffer: Any) -> int:
        found = super().readinto(buffer) or 0
        if found < len(buffer) and self.failure is not None:
            buffer[found:] = bytes(len(buffer) - found)  # what was to be written is not there
            found = len(buffer)
        return found


def _look_over(h5py: Any, opened: Any, file_size: int) -> None:
    """Visit every object once: only hard links, no cycles, no more data than can be there."""
    seen = {_address(h5py, opened)}
    waiting: List[Tuple[Any, int]] = [(opened, 0)]
    budget = max(_ALWAYS_ALLOWED, _LARGEST_RATIO * file_size)
    while waiting:
        group, depth = waiting.pop()
        _check_attributes(h5py, group, file_size)
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise ValueError(f"{name!r} is a link to elsewhere, which no checkpoint holds")
            found = group[name]
            address = _address(h5py, found)
            if address in seen:
                raise ValueError(f"{name!r} is reached by two ways, maybe a cycle")
            seen.add(address)
            if len(seen) > _MOST_OBJECTS or depth > _DEEPEST:
                raise ValueError("it has more or deeper groups than any checkpoint")
            if isinstance(found, h5py.Group):
                waiting.append((found, depth + 1))
            elif isinstance(found, h5py.Dataset):
                budget -= _checked_size(h5py, found, file_size)
                if budget < 0:
                    raise ValueError(f"{name!r} unpacks to far more than the file can hold")
                _check_attributes(h5py, found, file_size)


def _address(h5py: Any, found: Any) -> Any:
    info = h5py.h5o.get_info(found.id)
    return info.fileno, getattr(info, "addr", None) or getattr(info, "token", None)


def _check_attributes(h5py: Any, owner: Any, file_size: int) -> None:
    for name in owner.attrs:
        attribute = h5py.h5a.open(owner.id, name.encode("utf-8", "surrogateescape"))
        dtype = attribute.dtype
        if dtype.kind not in "biufSOVU":
            raise ValueError(f"the attribute {name!r} has the type {dtype}")
        count = int(np.prod(attribute.shape, dtype=np.float64)) if attribute.shape else 1
        if count * dtype.itemsize > _ALWAYS_ALLOWED + file_size:
            raise ValueError(f"the attribute {name!r} is larger than the file")


def _checked_size(h5py: Any, dataset: Any, file_size: int) -> int:
    """Bytes of a dataset in memory."""
    creation = dataset.id.get_create_plist()
    if creation.get_external_count():
        raise ValueError(f"{dataset.name!r} keeps its data in another file")
    if creation.get_layout() not in (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED):
        raise ValueError(f"{dataset.name!r} is put together from other datasets")
    if dataset.shape is None:
        raise ValueError(f"{dataset.name!r} holds no array")
    size = float(np.prod(dataset.shape, dtype=np.float64)) * max(dataset.dtype.itemsize, 1)
    stored = dataset.id.get_storage_size()
    if creation.get_layout() == h5py.h5d.CONTIGUOUS and size > _ALWAYS_ALLOWED > stored:
        raise ValueError(f"{dataset.name!r} says it has {size:.0f} bytes, and has {stored}")
    if size > max(_ALWAYS_ALLOWED, _LARGEST_RATIO * file_size):
        raise ValueError(f"{dataset.name!r} unpacks to far more than the file can hold")
    return int(size)


def array(dataset: Any, path: str) -> Array:
    """A dataset as an `Array` that is read when it is asked for.

    Raises:
        CheckpointError: If it does not hold numbers.
    """
    dtype = dataset.dtype
    if (dtype.kind == "V" and dtype.itemsize == 2) or dtype.kind not in "biuf":
        raise CheckpointError(
            f"Cannot read {path!r}: {dataset.name!r} holds {dtype}, expected real numbers."
        )

    def load() -> np.ndarray:
        with reported(path):
            return np.asarray(dataset[()])

    return Array(dataset.shape, dtype.newbyteorder("="), load)


def text(value: Any) -> str:
    """An attribute's text, whichever h5py and whichever Keras made it."""
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, str):
        return str(value)
    raise ValueError(f"expected text, found {type(value).__name__}")


def names(group: Any, attribute: str) -> List[str]:
    """A list of names among the attributes, also where Keras split it into several."""
    if attribute in group.attrs:
        return [text(name) for name in np.asarray(group.attrs[attribute]).ravel().tolist()]
    found: List[str] = []
    number = 0
    while f"{attribute}{number}" in group.attrs:
        part = np.asarray(group.attrs[f"{attribute}{number}"]).ravel().tolist()
        found += [text(name) for name in part]
        number += 1
    return found


def has_names(group: Any, attribute: str) -> bool:
    """Whether `names` would find the attribute, whole or split."""
    return attribute in group.attrs or attribute + "0" in group.attrs


def write_names(group: Any, attribute: str, values: Sequence[str]) -> None:
    """Write a list of names as Keras does: split where one attribute cannot hold it."""
    # Old Keras takes arrays of bytes of one length alone; h5py 3 makes another kind of a list.
    encoded = np.array([value.encode("utf-8") for value in values] or np.zeros(0, "S1"))
    if any(len(value) > _LONGEST_ATTRIBUTE for value in encoded):
        raise CheckpointError("Cannot write a name of more than 64,512 bytes into HDF5.")
    for name in [attribute] + [key for key in group.attrs if _is_part(key, attribute)]:
        if name in group.attrs:
            del group.attrs[name]
    parts = 1
    chunks = [encoded]
    while any(chunk.nbytes > _LONGEST_ATTRIBUTE for chunk in chunks):
        parts += 1
        chunks = np.array_split(encoded, parts)
    if parts == 1:
        group.attrs[attribute] = encoded
    for number, chunk in enumerate(chunks if parts > 1 else []):
        group.attrs[f"{attribute}{number}"] = chunk


def _is_part(key: str, attribute: str) -> bool:
    return key.startswith(attribute) and key[len(attribute) :].isdigit()


def copy_attributes(source: Any, target: Any, but: Sequence[str] = ()) -> None:
    """All attributes but those named, of the very types they are stored in."""
    h5py = require_h5py()
    for name in source.attrs:
        if name in but:
            continue
        key = name.encode("utf-8", "surrogateescape")
        old = h5py.h5a.open(source.id, key)
        values = np.empty(old.shape, old.dtype)
        old.read(values)
        new = h5py.h5a.create(target.id, key, old.get_type(), old.get_space())
        new.write(values)


def optional_text(group: Any, attribute: str) -> Optional[str]:
    """The text of an attribute, None where there is none."""
    return text(group.attrs[attribute]) if attribute in group.attrs else None
