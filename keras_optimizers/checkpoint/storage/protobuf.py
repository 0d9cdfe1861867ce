"""Protocol buffers without their schema: a message as the values of its numbered fields."""

import struct
from typing import Dict, Iterable, List, Tuple, Union

Value = Union[int, bytes]
_LONGEST_VARINT = 10


def message(data: bytes) -> Dict[int, List[Value]]:
    """The values of each field, in their order.

    A number that is written with a variable or a fixed length is an int; a text, a nested message
    or an array is bytes.

    Raises:
        ValueError: If it is no message.
    """
    found: Dict[int, List[Value]] = {}
    place = 0
    while place < len(data):
        key, place = varint(data, place)
        number, kind = key >> 3, key & 7
        if not number or key >= 1 << 32:
            raise ValueError("a protocol buffer has a field without a number")
        value: Value
        if kind == 0:
            value, place = varint(data, place)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            if place + size > len(data):
                raise ValueError("a protocol buffer ends inside a number")
            value = struct.unpack_from("<Q" if kind == 1 else "<I", data, place)[0]
            place += size
        elif kind == 2:
            size, place = varint(data, place)
            if place + size > len(data):
                raise ValueError("a protocol buffer ends inside a field")
            value = data[place : place + size]
            place += size
        else:
            raise ValueError(f"a protocol buffer has a field of the kind {kind}")
        found.setdefault(number, []).append(value)
    return found


def varint(data: bytes, place: int) -> Tuple[int, int]:
    """A number of variable length that begins at `place`, and the place after it.

    Raises:
        ValueError: If there is none.
    """
    value = 0
    for index, byte in enumerate(data[place : place + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & (1 << 64) - 1, place + index + 1
    raise ValueError("a protocol buffer has an unfinished number")


def number(fields: Dict[int, List[Value]], field: int) -> int:
    """A field that holds a number; 0 where it is missing.

    Raises:
        ValueError: If it holds bytes.
    """
    value = fields.get(field, [0])[-1]
    if not isinstance(value, int):
        raise ValueError(f"field {field} of a protocol buffer holds no number")
    return value


def nested(fields: Dict[int, List[Value]], field: int) -> List[bytes]:
    """All values of a field that holds texts or messages.

    Raises:
        ValueError: If it holds a number.
    """
    found = []
    for value in fields.get(field, []):
        if not isinstance(value, bytes):
            raise ValueError(f"field {field} of a protocol buffer holds a number")
        found.append(value)
    return found


def text(fields: Dict[int, List[Value]], field: int) -> str:
    """A field that holds a text; "" where it is missing.

    Raises:
        ValueError: If it holds a number, or no UTF-8.
    """
    values = nested(fields, field)
    return values[-1].decode("utf-8") if values else ""


def written(fields: Iterable[Tuple[int, Union[int, bytes, str]]]) -> bytes:
    """A message of (field, value), in that order. A number of 0 is left out, as it is the default.

    Examples:
        >>> from keras_optimizers.checkpoint.storage.protobuf import message, written
        >>> message(written([(1, 300), (2, "kernel")]))
        {1: [300], 2: [b'kernel']}
    """
    parts = []
    for field, value in fields:
        if isinstance(value, int):
            if value:
                parts.append(_written_varint(field << 3) + _written_varint(value))
            continue
        data = value.encode("utf-8") if isinstance(value, str) else value
        parts.append(_written_varint(field << 3 | 2) + _written_varint(len(data)) + data)
    return b"".join(parts)


def _written_varint(value: int) -> bytes:
    data = bytearray()
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])
