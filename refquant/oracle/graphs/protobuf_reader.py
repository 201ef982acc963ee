"""Protocol buffers, read: fields of one message, none of those that lie inside it.

Messages are views of the bytes of the file, so that nothing is copied and no size is believed:
what a length promises must be there.
"""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from refquant.errors import FileFormatError

__all__ = ["Fields", "fields"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST = 10  # bytes of a number


def _damaged(what: str) -> FileFormatError:
    return FileFormatError("the file is damaged", expected="an .onnx file", got=what)


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    for place in range(at, min(at + _LONGEST, len(data))):
        byte = data[place]
        number |= (byte & 127) << shift
        if byte < 128:
            return number & (1 << 64) - 1, place + 1
        shift += 7
    raise _damaged("a number without an end")


def fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Walk the fields of a message.

    Yields
    ------
    int, int or memoryview
        The number of the field, and its value: an integer without sign, or bytes.
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise _damaged(f"a field of kind {kind}")
        if size > len(data) - at:
            raise _damaged(f"{len(data) - at} bytes where {size} are declared")
        yield key >> 3, data[at : at + size]
        at += size


class Fields:
    """The fields of one message, by number.

    Parameters
    ----------
    data : memoryview
        The message.
    """

    def __init__(self, data: memoryview) -> None:
        self._values: dict[int, list[Any]] = {}
        for number, value in fields(data):
            self._values.setdefault(number, []).append(value)

    def __contains__(self, number: int) -> bool:
        """Whether a field is there."""
        return number in self._values

    def messages(self, number: int) -> list["Fields"]:
        """Read messages."""
        return [Fields(self._bytes(value)) for value in self._values.get(number, ())]

    def message(self, number: int) -> "Fields":
        """Read one message; an empty one if it is not there."""
        return Fields(self._bytes(self._values.get(number, [memoryview(b"")])[-1]))

    def data(self, number: int) -> memoryview:
        """Return bytes; none if they are not there."""
        return self._bytes(self._values.get(number, [memoryview(b"")])[-1])

    def texts(self, number: int) -> list[str]:
        """Read texts."""
        try:
            return [str(self._bytes(v), "utf-8") for v in self._values.get(number, ())]
        except UnicodeDecodeError:
            raise _damaged("a name that is no text") from None

    def text(self, number: int) -> str:
        """Read one text; an empty one if it is not there."""
        return (self.texts(number) or [""])[-1]

    def number(self, number: int, default: int = 0) -> int:
        """Read a signed integer."""
        value = self._values.get(number, [default])[-1]
        if not isinstance(value, int):
            raise _damaged("bytes where a number belongs")
        return value - (1 << 64) if value >> 63 else value

    def real(self, number: int) -> float:
        """Read a number of float32."""
        data = self.data(number)
        if len(data) != 4:
            raise _damaged("a number of a wrong size")
        return float(struct.unpack("<f", data)[0])

    def numbers(self, number: int, most: int) -> list[int]:
        """Read signed integers, packed or one by one."""
        found: list[int] = []
        for value in self._values.get(number, ()):
            at = 0
            if isinstance(value, int):
                found.append(value)
            else:
                while at < len(value) and len(found) <= most:
                    one, at = _varint(value, at)
                    found.append(one)
            if len(found) > most:
                raise _damaged(f"more than {most} numbers")
        return [n - (1 << 64) if n >> 63 else n for n in found]

    def reals(self, number: int) -> np.ndarray:
        """Read numbers of float32, packed or one by one."""
        data = b"".join(self._bytes(value) for value in self._values.get(number, ()))
        if len(data) % 4:
            raise _damaged("numbers of a wrong size")
        return np.frombuffer(data, "<f4")

    @staticmethod
    def _bytes(value: Any) -> memoryview:
        if isinstance(value, int):
            raise _damaged("a number where bytes belong")
        return value
