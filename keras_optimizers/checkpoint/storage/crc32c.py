"""CRC-32C (Castagnoli), the checksum in TensorFlow's files, in NumPy for the speed."""

import functools
from typing import List

import numpy as np

_POLYNOMIAL = 0x82F63B78
_ALL = 0xFFFFFFFF
# Large data are cut into rows of so many bytes, whose checksums are computed side by side.
_ROW = 1024
_PORTION = 1 << 24
_MASK = 0xA282EAD8


def _table() -> np.ndarray:
    entries = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        entries = np.where(entries & 1, (entries >> 1) ^ np.uint32(_POLYNOMIAL), entries >> 1)
    return entries.astype(np.uint32)


_TABLE = _table()
_PLAIN_TABLE: List[int] = [int(entry) for entry in _TABLE]


def crc32c(data: bytes, before: int = 0) -> int:
    """The checksum of `data`, or of what has the checksum `before` followed by `data`."""
    register = before ^ _ALL
    for start in range(0, len(data), _PORTION):
        portion = data[start : start + _PORTION]
        rows = len(portion) // _ROW
        if rows:
            register = _rows(np.frombuffer(portion, np.uint8, rows * _ROW), register)
        for byte in portion[rows * _ROW :]:
            register = _PLAIN_TABLE[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ _ALL


def masked(checksum: int) -> int:
    """It as TensorFlow stores it, so that data that hold checksums have none that are alike."""
    return ((checksum >> 15 | checksum << 17) + _MASK) & _ALL


def _rows(data: np.ndarray, register: int) -> int:
    """The register after whole rows.

    A checksum is linear: that of two rows is that of the second, begun at 0, plus (that is, xor)
    what a row of zeros makes of the first one's.
    """
    columns = np.ascontiguousarray(data.reshape(-1, _ROW).T)
    registers = np.zeros(columns.shape[1], np.uint32)
    for column in columns:
        registers = _TABLE[(registers ^ column) & 0xFF] ^ (registers >> 8)
    first, second, third, fourth = _after_zeros()
    for own in registers.tolist():
        register = (
            own
            ^ first[register & 0xFF]
            ^ second[register >> 8 & 0xFF]
            ^ third[register >> 16 & 0xFF]
            ^ fourth[register >> 24]
        )
    return register


@functools.lru_cache(maxsize=None)
def _after_zeros() -> List[List[int]]:
    """What a row of zeros makes of each byte of the register, at each of its four places."""
    registers = np.arange(256, dtype=np.uint32) << (8 * np.arange(4, dtype=np.uint32)[:, None])
    for _ in range(_ROW):
        registers = _TABLE[registers & 0xFF] ^ (registers >> 8)
    return [[int(entry) for entry in entries] for entries in registers]
