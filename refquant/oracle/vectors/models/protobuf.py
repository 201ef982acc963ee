"""Protocol buffers, as far as ``.onnx`` files need them: messages of numbers, bytes and messages.

A message is a list of pairs, the number of a field and its value; repeated fields are repeated.
"""

import struct
from typing import Any

__all__ = ["Message", "encode"]

Message = list[tuple[int, Any]]

_VARINT, _BYTES, _FIXED32 = 0, 2, 5


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1  # negative numbers have ten bytes
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def encode(message: Message) -> bytes:
    """Encode a message.

    Parameters
    ----------
    message : list of (int, int, float, str, bytes or list)
        Numbers of fields with their values; integers become varints, floats 32 bits.

    Examples
    --------
    >>> from refquant.oracle.vectors.models.protobuf import encode
    >>> encode([(1, 150), (2, "hi"), (3, [(1, -1)])]).hex()
    '089601120268691a0b08ffffffffffffffffff01'
    """
    parts = []
    for field, value in message:
        if isinstance(value, float):
            parts += [_varint(field << 3 | _FIXED32), struct.pack("<f", value)]
        elif isinstance(value, int):
            parts += [_varint(field << 3 | _VARINT), _varint(value)]
        else:
            data = encode(value) if isinstance(value, list) else value
            data = data.encode() if isinstance(data, str) else data
            parts += [_varint(field << 3 | _BYTES), _varint(len(data)), data]
    return b"".join(parts)
