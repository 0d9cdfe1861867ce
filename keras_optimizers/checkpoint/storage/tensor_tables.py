"""Reading TensorFlow's checkpoint files without TensorFlow.

`PREFIX.index` is a table, sorted by the tensors' names, in the format of LevelDB: blocks of
entries whose keys leave out what they share with the one before, an index of the blocks, and a
footer. An entry says where in `PREFIX.data-...` a tensor lies. Blocks and tensors have checksums,
all of which are compared.
"""

import os
import struct
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np

from keras_optimizers.checkpoint.storage.crc32c import crc32c, masked
from keras_optimizers.checkpoint.storage.protobuf import message, nested, number, text, varint

_FOOTER, _MAGIC = 48, 0xDB4775248B80FB57
# After each block: a byte that says how it is compressed, and a checksum.
_TRAILER = 5
_STRING = 7
_MOST_DIMENSIONS = 254  # of TensorFlow's
_MOST_SHARDS = 99999  # as many as a file's name has room for
_DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    9: "int64",
    10: "bool",
    17: "uint16",
    19: "float16",
    22: "uint32",
    23: "uint64",
}


class Entry(NamedTuple):
    """Where a tensor lies.

    Attributes:
        dtype: NumPy's name of its dtype; "" for a text, None where NumPy has none.
        is_cut: whether it is stored in slices.
    """

    dtype: Any
    shape: Tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    is_cut: bool


class Table:
    """The tensors of a checkpoint.

    Raises:
        ValueError: If the index is damaged.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        with open(prefix + ".index", "rb") as opened:
            data = opened.read()
        self.entries: Dict[str, Entry] = {}
        self._shards = 0
        for key, value in _entries(data):
            if not key:
                header = message(value)
                self._shards = number(header, 1)
                if number(header, 2):
                    raise ValueError("it was written on a machine of the other byte order")
            elif key.startswith(b"\0"):  # of a slice
                _entry("a slice", value)
            else:
                name = key.decode("utf-8")
                self.entries[name] = _entry(name, value)
        if not self._shards:
            raise ValueError("its index has no header")
        if self._shards > _MOST_SHARDS:
            raise ValueError(f"its index says that it has {self._shards} data files")

    def read(self, name: str) -> np.ndarray:
        """A numeric tensor.

        Raises:
            ValueError: If it is damaged, or stored in slices.
        """
        entry = self.entries[name]
        if entry.is_cut:
            raise ValueError(f"{name!r} is stored in slices, which only TensorFlow puts together")
        dtype = np.dtype(entry.dtype)
        data = self._bytes(name, entry)
        if masked(crc32c(data)) != entry.checksum:
            raise ValueError(f"the checksum of {name!r} is wrong")
        if dtype.kind != "b":
            dtype = dtype.newbyteorder("<")
        elif data.strip(b"\0\1"):
            raise ValueError(f"{name!r} holds something else than truth values")
        array = np.frombuffer(data, dtype).reshape(entry.shape)
        return array.astype(array.dtype.newbyteorder("="), copy=True)

    def read_text(self, name: str) -> bytes:
        """A tensor that is one text.

        Raises:
            ValueError: If it is damaged, or something else.
        """
        entry = self.entries[name]
        if entry.dtype != "" or entry.shape != () or entry.is_cut:
            raise ValueError(f"{name!r} is no text")
        data = self._bytes(name, entry)
        length, start = varint(data, 0)
        found = data[start + 4 :]
        if len(found) != length or len(data) < start + 4:
            raise ValueError(f"{name!r} is cut off")
        checksum = crc32c(struct.pack("<I" if length < 1 << 32 else "<Q", length))
        stored = struct.pack("<I", masked(checksum))
        if data[start : start + 4] != stored:
            raise ValueError(f"the checksum of {name!r} is wrong")
        if masked(crc32c(found, crc32c(stored, checksum))) != entry.checksum:
            raise ValueError(f"the checksum of {name!r} is wrong")
        return found

    def size_of_data(self) -> int:
        """The bytes of all its data files that are there."""
        names = (f"{self._prefix}.data-{n:05d}-of-{self._shards:05d}" for n in range(self._shards))
        return sum(os.path.getsize(name) for name in names if os.path.isfile(name))

    def _bytes(self, name: str, entry: Entry) -> bytes:
        path = f"{self._prefix}.data-{entry.shard:05d}-of-{self._shards:05d}"
        with open(path, "rb") as opened:
            if entry.offset + entry.size > os.fstat(opened.fileno()).st_size:
                raise ValueError(f"{name!r} lies beyond the end of {path!r}")
            opened.seek(entry.offset)
            return opened.read(entry.size)


def _entry(name: str, value: bytes) -> Entry:
    """An entry of the index, as strict as TensorFlow, whose own reader ends the process.

    Raises:
        ValueError: If it is damaged.
    """
    fields = message(value)
    shape: List[int] = []
    for described in nested(fields, 2):
        described_fields = message(described)
        if number(described_fields, 3):
            raise ValueError(f"{name!r} has no known shape")
        for described_extent in nested(described_fields, 2):
            extent_fields = message(described_extent)
            text(extent_fields, 2)
            shape.append(number(extent_fields, 1))
    kind = number(fields, 1)
    count = 1
    for extent in shape:
        count *= extent
    if len(shape) > _MOST_DIMENSIONS or any(part >= 1 << 62 for part in [*shape, count]):
        raise ValueError(f"{name!r} has the shape {tuple(shape[:8])}")
    is_whole = kind in _DTYPES and not fields.get(7)
    if is_whole and number(fields, 5) != count * np.dtype(_DTYPES[kind]).itemsize:
        raise ValueError(f"{name!r} of shape {tuple(shape)} has {number(fields, 5)} bytes")
    for cut in nested(fields, 7):
        for cut_extent in nested(message(cut), 1):
            for place in (1, 2):
                number(message(cut_extent), place)
    if max(number(fields, 3) >> 31, number(fields, 4) >> 62, number(fields, 5) >> 62):
        raise ValueError(f"{name!r} lies beyond the end of any file")
    return Entry(
        "" if kind == _STRING else _DTYPES.get(kind),
        tuple(shape),
        number(fields, 3),
        number(fields, 4),
        number(fields, 5),
        number(fields, 6),
        bool(fields.get(7)),
    )


def _entries(data: bytes) -> Iterator[Tuple[bytes, bytes]]:
    """All keys and values of a table."""
    if len(data) < _FOOTER or struct.unpack("<Q", data[-8:])[0] != _MAGIC:
        raise ValueError("its index does not end as one does")
    footer = data[-_FOOTER:]
    place = 0
    for _ in range(2):  # of the other index, which is empty
        _, place = varint(footer, place)
    before = b""
    for _, handle in _block(data, footer[place:]):
        for key, value in _block(data, handle):
            if before and key <= before:
                raise ValueError("the names in its index are not in order")
            before = key
            yield key, value


def _block(data: bytes, handle: bytes) -> Iterator[Tuple[bytes, bytes]]:
    """The keys and values of the block at (offset, size)."""
    offset, place = varint(handle, 0)
    size, _ = varint(handle, place)
    end = offset + size
    if size < 4 or end + _TRAILER > len(data):
        raise ValueError("a block of its index lies beyond the end")
    stored = struct.unpack("<I", data[end + 1 : end + _TRAILER])[0]
    if masked(crc32c(data[offset : end + 1])) != stored:
        raise ValueError("the checksum of a block of its index is wrong")
    if data[end]:
        raise ValueError("its index is compressed, which TensorFlow's own is not")
    restarts = struct.unpack("<I", data[end - 4 : end])[0]
    last = size - 4 - 4 * restarts
    if last < 0:
        raise ValueError("a block of its index is too short")
    block, place, key = data[offset : offset + last], 0, b""
    while place < last:
        shared, place = varint(block, place)
        more, place = varint(block, place)
        length, place = varint(block, place)
        if shared > len(key) or place + more + length > last:
            raise ValueError("an entry of its index is damaged")
        key = key[:shared] + block[place : place + more]
        place += more
        yield key, block[place : place + length]
        place += length
