"""FlatBuffers, as far as ``.tflite`` files need them: tables, vectors and strings.

Offsets are unsigned and point forward, so that a parent is written before its children; a table
stands behind the list of places of its fields.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Scalar", "Table", "Vector", "finish"]

_SIZES = {"b": 1, "B": 1, "i": 4, "I": 4, "f": 4, "q": 8}
_DATA = 16  # bytes of arrays start at multiples of it


@dataclass(frozen=True)
class Scalar:
    """A number, by its code of `struct`."""

    code: str
    value: Any


@dataclass(frozen=True)
class Vector:
    """Numbers of one code of `struct`, or tables where the code is empty."""

    code: str
    values: Any


@dataclass(frozen=True)
class Table:
    """Fields by their numbers: scalars, strings, bytes, vectors and tables."""

    fields: dict[int, Any]


class _Writer:
    def __init__(self) -> None:
        self.data = bytearray()

    def align(self, size: int, ahead: int = 0) -> None:
        """Fill up, so that what follows so many bytes later is aligned."""
        self.data += bytes(-(len(self.data) + ahead) % size)

    def point(self, place: int, target: int) -> None:
        """Write the offset of a target to a place."""
        struct.pack_into("<I", self.data, place, target - place)

    def put(self, value: Any) -> int:
        """Write a value behind all others; returns where it is."""
        if isinstance(value, Table):
            return self._table(value)
        if isinstance(value, Vector) and not value.code:
            return self._tables(value.values)
        if isinstance(value, Vector):
            content = np.asarray(value.values, "<" + value.code).tobytes()
            return self._counted(len(value.values), content, _SIZES[value.code])
        if isinstance(value, str):
            return self._counted(len(value), value.encode() + b"\0", 1)
        return self._counted(len(value), value, _DATA)

    def _counted(self, count: int, content: bytes, size: int) -> int:
        self.align(max(size, 4), ahead=4)
        place = len(self.data)
        self.data += struct.pack("<I", count) + content
        return place

    def _tables(self, tables: Any) -> int:
        self.align(4)
        place = len(self.data)
        self.data += struct.pack("<I", len(tables)) + bytes(4 * len(tables))
        for number, table in enumerate(tables):
            at = place + 4 + 4 * number
            self.point(at, self.put(table))
        return place

    def _table(self, table: Table) -> int:
        sizes = {
            key: _SIZES[value.code] if isinstance(value, Scalar) else 4
            for key, value in table.fields.items()
        }
        places, end = {}, 4  # behind the offset to the list of places
        for key in sorted(sizes, key=lambda key: -sizes[key]):
            end += -end % sizes[key]
            places[key] = end
            end += sizes[key]
        count = max(table.fields, default=-1) + 1
        self.align(8, ahead=4 + 2 * count)
        listed = len(self.data)
        entries = [places.get(key, 0) for key in range(count)]
        self.data += struct.pack(f"<{2 + count}H", 4 + 2 * count, end, *entries)
        start = len(self.data)
        self.data += struct.pack("<i", start - listed) + bytes(end - 4)
        for key, value in table.fields.items():
            at = start + places[key]
            if isinstance(value, Scalar):
                struct.pack_into("<" + value.code, self.data, at, value.value)
            else:
                self.point(at, self.put(value))
        return start


def finish(root: Table, identifier: bytes) -> bytes:
    """Write a root table with the identifier of four bytes of its kind of files.

    Examples
    --------
    >>> from refquant.oracle.vectors.models.flatbuffer import Scalar, Table, finish
    >>> finish(Table({0: Scalar("i", 3)}), b"TEST")[4:8]
    b'TEST'
    """
    writer = _Writer()
    writer.data += bytes(4) + identifier
    writer.point(0, writer.put(root))
    return bytes(writer.data)
