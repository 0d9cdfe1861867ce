"""CRC-32C (Castagnoli), the checksum in TensorFlow's files, in NumPy for the speed.

The data are a polynomial over the numbers 0 and 1, the first byte's lowest bit first; the checksum
is what the division by the polynomial of CRC-32C leaves. Adding a multiple of that polynomial
changes nothing. `_MULTIPLES` are two with few terms: adding them clears the beginning of the data,
a few thousand words at a time, and changes only words further on. A loop over the bytes then ends
what is left, about a thousand.

They are multiples in bits, and so in words: with the sum x**a + x**b + 1 the polynomial divides its
32nd power, which is x**(32 a) + x**(32 b) + 1.
"""

from typing import List, Sequence

import numpy as np

_POLYNOMIAL = 0x82F63B78
_ALL = 0xFFFFFFFF
# The exponents of the terms of each multiple, the largest first. The more the second is below it,
# the more words are cleared at a time.
_MULTIPLES = ((6777, 484, 100, 0), (290, 136, 113, 107, 32, 0))
_PORTION = 1 << 22  # of the data at a time, which fit into the processor's cache
_MASK = 0xA282EAD8


def _table() -> List[int]:
    """What eight steps make of each byte of the register."""
    entries = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        entries = np.where(entries & 1, (entries >> 1) ^ np.uint32(_POLYNOMIAL), entries >> 1)
    return [int(entry) for entry in entries]


_TABLE = _table()


def crc32c(data: bytes, before: int = 0) -> int:
    """The checksum of `data`, or of what has the checksum `before` followed by `data`.

    Arguments:
        data: bytes, or what gives its bytes as a memoryview.
    """
    view = memoryview(data)
    register = before ^ _ALL
    for start in range(0, len(view), _PORTION):
        portion = view[start : start + _PORTION]
        whole = len(portion) // 4
        if whole > _MULTIPLES[-1][0]:
            words = np.frombuffer(portion, "<u4", whole).copy()
            words[0] ^= np.uint32(register)
            for multiple in _MULTIPLES:
                words = _without_beginning(words, multiple)
            register, portion = _plain(words.tobytes(), 0), portion[4 * whole :]
        register = _plain(portion, register)
    return register ^ _ALL


def masked(checksum: int) -> int:
    """It as TensorFlow stores it, so that data that hold checksums have none that are alike."""
    return ((checksum >> 15 | checksum << 17) + _MASK) & _ALL


def _without_beginning(words: np.ndarray, multiple: Sequence[int]) -> np.ndarray:
    """As many words at the end as the multiple is long, that leave the same register.

    `words` is changed.
    """
    length = multiple[0]
    distances = [length - exponent for exponent in multiple[1:]]
    start, end = 0, len(words) - length
    while start < end:
        stop = min(start + distances[0], end)
        for distance in distances:
            words[start + distance : stop + distance] ^= words[start:stop]
        start = stop
    return words[max(end, 0) :]


def _plain(data: bytes, register: int) -> int:
    """The register after `data`, byte by byte."""
    for byte in data:
        register = _TABLE[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register
