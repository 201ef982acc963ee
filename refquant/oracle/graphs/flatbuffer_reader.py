"""FlatBuffers, read: tables whose fields are looked up one by one.

Every place is checked to lie inside the file before it is read, and arrays are views of the file.
"""

import struct
from typing import Any

import numpy as np

from refquant.errors import FileFormatError

__all__ = ["TableReader", "root"]

_MOST_TABLES = 2**16  # in one vector
_LONGEST = 1024  # bytes of a name


def _damaged(what: str) -> FileFormatError:
    return FileFormatError("the file is damaged", expected="a .tflite file", got=what)


class TableReader:
    """One table.

    Parameters
    ----------
    data : memoryview
        The whole file.
    place : int
        Where the table starts.
    """

    def __init__(self, data: memoryview, place: int) -> None:
        self.data, self.place = data, place
        self._fields = place - self._unpack("i", place)
        self._count = (self._unpack("H", self._fields) - 4) // 2

    def _unpack(self, code: str, place: int) -> Any:
        try:
            if place < 0:
                raise struct.error
            return struct.unpack_from("<" + code, self.data, place)[0]
        except struct.error:
            raise _damaged(f"what points to byte {place} of {len(self.data)}") from None

    def _where(self, field: int) -> int | None:
        if field >= self._count:
            return None
        offset = self._unpack("H", self._fields + 4 + 2 * field)
        return self.place + offset if offset else None

    def _follow(self, field: int) -> int | None:
        place = self._where(field)
        return None if place is None else place + self._unpack("I", place)

    def place_of(self, field: int) -> int | None:
        """Return where a field is stored; None if it is not."""
        return self._where(field)

    def scalar(self, field: int, code: str, default: Any = 0) -> Any:
        """Read a number by its code of `struct`."""
        place = self._where(field)
        return default if place is None else self._unpack(code, place)

    def table(self, field: int) -> "TableReader | None":
        """Read a table; None if it is not there."""
        place = self._follow(field)
        return None if place is None else TableReader(self.data, place)

    def _counted(self, field: int, size: int) -> tuple[int, int] | None:
        place = self._follow(field)
        if place is None:
            return None
        count = self._unpack("I", place)
        if count * size > len(self.data) - place - 4:
            raise _damaged(f"{len(self.data) - place - 4} bytes where {count * size} are declared")
        return place + 4, count

    def vector(self, field: int, dtype: str) -> np.ndarray:
        """Return numbers as a view; none if they are not there."""
        kind = np.dtype(dtype)
        found = self._counted(field, kind.itemsize)
        if found is None:
            return np.empty(0, kind)
        place, count = found
        return np.frombuffer(self.data, kind, count, place)

    def tables(self, field: int) -> list["TableReader"]:
        """Read a vector of tables."""
        found = self._counted(field, 4)
        if found is None:
            return []
        place, count = found
        if count > _MOST_TABLES:
            raise _damaged(f"{count} tables in one vector")
        places = range(place, place + 4 * count, 4)
        return [TableReader(self.data, at + self._unpack("I", at)) for at in places]

    def text(self, field: int) -> str:
        """Read a text; an empty one if it is not there."""
        found = self._counted(field, 1)
        if found is None:
            return ""
        place, count = found
        if count > _LONGEST:
            raise _damaged(f"a name of {count} bytes")
        try:
            return str(self.data[place : place + count], "utf-8")
        except UnicodeDecodeError:
            raise _damaged("a name that is no text") from None


def root(data: memoryview, identifier: bytes) -> TableReader:
    """Read the root table of a file with an identifier of four bytes."""
    if len(data) < 8 or bytes(data[4:8]) != identifier:
        raise _damaged(f"no identifier {identifier.decode()}")
    return TableReader(data, struct.unpack_from("<I", data)[0])
