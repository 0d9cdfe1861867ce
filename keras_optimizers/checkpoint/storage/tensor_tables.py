"""Reading TensorFlow's checkpoint files, whether TensorFlow is installed or not.

`PREFIX.index` is a table, sorted by the tensors' names, in the format of LevelDB: blocks of
entries whose keys leave out what they share with the one before, an index of the blocks, and a
footer. An entry says where in `PREFIX.data-...` a tensor lies. Blocks and tensors have checksums,
all of which are compared.

TensorFlow's own reader can crash on a crafted file, so it reads no file here.
"""

import os
import struct
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from keras_optimizers.checkpoint.storage.crc32c import crc32c, masked
from keras_optimizers.checkpoint.storage.protobuf import message, nested, number, text, varint

_FOOTER, _MAGIC = 48, 0xDB4775248B80FB57
# After each block: a byte that says how it is compressed, and a checksum.
_TRAILER = 5
_MOST_DIMENSIONS = 254  # of TensorFlow's
_MOST_SHARDS = 99999  # as many as a file's name has room for
# The dtypes of tensors that hold real numbers, by TensorFlow's numbers; NumPy has all of them.
_REAL = {
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
TEXT, BFLOAT16 = "string", "bfloat16"
_DTYPES = {**_REAL, 7: TEXT, 8: "complex64", 14: BFLOAT16, 18: "complex128"}
REAL_NUMBERS = frozenset(_REAL.values())
# How many elements an extent of a slice has that says "all".
_WHOLE = -1

Extents = Tuple[Tuple[int, int], ...]


class CompressedIndex(ValueError):
    """An index that is whole, and compressed."""


class Entry(NamedTuple):
    """Where a tensor, or a slice of one, lies.

    Attributes:
        dtype: TensorFlow's name of its dtype; None for those that are not read.
        slices: where it is stored in slices (a partitioned variable): (start, length) of each
            dimension, of each slice. The tensor has no place of its own then.
    """

    dtype: Optional[str]
    shape: Tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    slices: Tuple[Extents, ...]


class Table:
    """The tensors of a checkpoint.

    Attributes:
        entries: where each of them lies, by name.

    Raises:
        ValueError: If the index is damaged.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        with open(prefix + ".index", "rb") as opened:
            data = opened.read()
        self.entries: Dict[str, Entry] = {}
        self._slices: Dict[bytes, Entry] = {}
        self._shards = 0
        for key, value in _entries(data):
            if not key:
                header = message(value)
                self._shards = number(header, 1)
                if number(header, 2):
                    raise ValueError("it was written on a machine of the other byte order")
            elif key.startswith(b"\0"):
                self._slices[key] = _entry("a slice", value)
            else:
                name = key.decode("utf-8")
                self.entries[name] = _entry(name, value)
        if not self._shards:
            raise ValueError("its index has no header")
        if self._shards > _MOST_SHARDS:
            raise ValueError(f"its index says that it has {self._shards} data files")
        for name, entry in self.entries.items():
            if entry.slices and entry.dtype not in (None, TEXT):
                self._pieces(name, entry)  # so much is there as the shape says

    def read(self, name: str) -> np.ndarray:
        """A tensor of numbers; one of bfloat16, which NumPy does not have, as its bits in uint16.

        Raises:
            ValueError: If it is damaged.
        """
        entry = self.entries[name]
        if entry.dtype in (None, TEXT):
            raise ValueError(f"{name!r} holds no numbers")
        return self._joined(name, entry) if entry.slices else self._whole(name, entry)

    def _whole(self, name: str, entry: Entry) -> np.ndarray:
        """A tensor, or a slice, that is stored in one piece."""
        data = self._bytes(name, entry)
        if masked(crc32c(data)) != entry.checksum:
            raise ValueError(f"the checksum of {name!r} is wrong")
        dtype = _in_numpy(entry)
        if dtype.kind != "b":
            dtype = dtype.newbyteorder("<")
        elif (data > 1).any():
            raise ValueError(f"{name!r} holds something else than truth values")
        array = data.view(dtype).reshape(entry.shape)
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    def _joined(self, name: str, entry: Entry) -> np.ndarray:
        """A tensor that is stored in slices."""
        pieces = self._pieces(name, entry)
        for _, piece in pieces:  # before memory is taken
            self._check_place(name, piece)
        array = np.empty(entry.shape, _in_numpy(entry))
        filled = np.zeros(entry.shape, np.bool_)
        for place, piece in pieces:
            array[place] = self._whole(name, piece)
            filled[place] = True
        if not filled.all():
            raise ValueError(f"the slices of {name!r} are not all of it")
        return array

    def _pieces(self, name: str, entry: Entry) -> List[Tuple[Tuple[slice, ...], Entry]]:
        """The place of each slice of a tensor, and its entry; they are as large as the tensor."""
        pieces = []
        for extents in entry.slices:
            piece = self._slices.get(_slice_key(name, extents))
            place = _place(extents, entry.shape)
            if piece is None or place is None:
                raise ValueError(f"a slice of {name!r} is missing")
            if piece.dtype != entry.dtype or piece.shape != _shape_of(place) or piece.slices:
                raise ValueError(f"a slice of {name!r} has another shape or dtype")
            pieces.append((place, piece))
        if sum(_count(piece.shape) for _, piece in pieces) != _count(entry.shape):
            raise ValueError(f"the slices of {name!r} are not all of it")
        return pieces

    def read_texts(self, name: str) -> np.ndarray:
        """A tensor of texts: an array of bytes objects.

        Raises:
            ValueError: If it is damaged, or something else.
        """
        entry = self.entries[name]
        if entry.dtype != TEXT or entry.slices:
            raise ValueError(f"{name!r} is no text")
        data = self._bytes(name, entry).tobytes()
        lengths, start = [], 0
        count = _count(entry.shape)
        if count > len(data):
            raise ValueError(f"{name!r} is cut off")
        for _ in range(count):
            length, start = varint(data, start)
            lengths.append(length)
        end = start + 4
        if len(data) != end + sum(lengths):
            raise ValueError(f"{name!r} is cut off")
        packed = (struct.pack("<I" if one < 1 << 32 else "<Q", one) for one in lengths)
        checksum = crc32c(b"".join(packed))
        if data[start:end] != struct.pack("<I", masked(checksum)):
            raise ValueError(f"the checksum of {name!r} is wrong")
        if masked(crc32c(data[start:], checksum)) != entry.checksum:
            raise ValueError(f"the checksum of {name!r} is wrong")
        texts = np.empty(count, object)
        for index, length in enumerate(lengths):
            texts[index] = data[end : end + length]
            end += length
        return texts.reshape(entry.shape)

    def read_text(self, name: str) -> bytes:
        """A tensor that is one text.

        Raises:
            ValueError: If it is damaged, or something else.
        """
        if self.entries[name].shape != ():
            raise ValueError(f"{name!r} is no text")
        text_: bytes = self.read_texts(name)[()]
        return text_

    def _bytes(self, name: str, entry: Entry) -> np.ndarray:
        self._check_place(name, entry)
        data = np.empty(entry.size, np.uint8)
        with open(self._path(entry), "rb") as opened:
            opened.seek(entry.offset)
            if data.size and opened.readinto(memoryview(data)) != data.size:
                raise ValueError(f"{name!r} is cut off")
        return data

    def _check_place(self, name: str, entry: Entry) -> None:
        """Its data file is as long as it needs.

        Raises:
            ValueError: If it is not.
        """
        path = self._path(entry)
        if entry.offset + entry.size > os.path.getsize(path):
            raise ValueError(f"{name!r} lies beyond the end of {path!r}")

    def _path(self, entry: Entry) -> str:
        return f"{self._prefix}.data-{entry.shard:05d}-of-{self._shards:05d}"


def _in_numpy(entry: Entry) -> np.dtype:
    return np.dtype("uint16" if entry.dtype == BFLOAT16 else entry.dtype)


def _count(shape: Sequence[int]) -> int:
    count = 1
    for extent in shape:
        count *= extent
    return count


def _place(extents: Extents, shape: Tuple[int, ...]) -> Optional[Tuple[slice, ...]]:
    """Which elements a slice has; None where the tensor has no such elements."""
    if len(extents) != len(shape):
        return None
    ends = [
        extent if length == _WHOLE else start + length
        for (start, length), extent in zip(extents, shape)
    ]
    if any(end > extent for end, extent in zip(ends, shape)):
        return None
    return tuple(slice(start, end) for (start, _), end in zip(extents, ends))


def _shape_of(place: Tuple[slice, ...]) -> Tuple[int, ...]:
    return tuple(one.stop - one.start for one in place)


def _slice_key(name: str, extents: Extents) -> bytes:
    """The key of a slice's entry, in TensorFlow's encoding, in which keys sort as what they say."""
    escaped = name.encode("utf-8").replace(b"\0", b"\0\xff")
    numbers = b"".join(_ordered(one) for extent in extents for one in extent)
    dimensions = struct.pack("B", len(extents)).strip(b"\0")
    return b"\0" + escaped + b"\0\1" + bytes([len(dimensions)]) + dimensions + numbers


def _ordered(value: int) -> bytes:
    """A number that may be negative: as many bits as it has bytes say how long it is."""
    size = 1
    while not -(1 << (7 * size - 1)) <= value < 1 << (7 * size - 1):
        size += 1
    lead = ((1 << size) - 1) << (8 * size - size)
    return ((value & (1 << 8 * size) - 1) ^ lead).to_bytes(size, "big")


def _entry(name: str, value: bytes) -> Entry:
    """An entry of the index.

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
    count = _count(shape)
    if len(shape) > _MOST_DIMENSIONS or any(part >= 1 << 62 for part in [*shape, count]):
        raise ValueError(f"{name!r} has the shape {tuple(shape[:8])}")
    if max(number(fields, 3) >> 31, number(fields, 4) >> 62, number(fields, 5) >> 62):
        raise ValueError(f"{name!r} lies beyond the end of any file")
    entry = Entry(
        _DTYPES.get(kind),
        tuple(shape),
        number(fields, 3),
        number(fields, 4),
        number(fields, 5),
        number(fields, 6),
        tuple(_extents(name, cut) for cut in nested(fields, 7)),
    )
    is_whole = entry.dtype not in (None, TEXT) and not entry.slices
    if is_whole and entry.size != count * _in_numpy(entry).itemsize:
        raise ValueError(f"{name!r} of shape {entry.shape} has {entry.size} bytes")
    return entry


def _extents(name: str, cut: bytes) -> Extents:
    """A slice's place in each dimension."""
    extents = []
    for described in nested(message(cut), 1):
        fields = message(described)
        start, length = number(fields, 1), number(fields, 2) if 2 in fields else _WHOLE
        if max(start, length) >= 1 << 62 or (length == _WHOLE and start):
            raise ValueError(f"a slice of {name!r} lies beyond its end")
        extents.append((start, length))
    return tuple(extents)


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
        raise CompressedIndex(
            "its index is compressed, which is not read here. Restore it in TensorFlow, and save "
            "it again"
        )
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
