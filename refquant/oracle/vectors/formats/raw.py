"""Raw little-endian files with a flat text header, which C reads without a library.

``CASE.ARRAY.bin`` has the elements of an array in row-major order, and nothing else. ``CASE.txt``
has the entry of the case in the manifest, a line for each value: names joined by dots, then what
they stand for, separated by blanks.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from refquant.oracle.vectors.storage import Forms, check_regular, fault

__all__ = ["ANSWER", "ENDING", "answer", "read", "write"]

ENDING = ".output.bin"
ANSWER = "CASE.output.bin with its numbers alone"


def _words(value: Any) -> Iterator[str]:
    """Write a value, or the values of a list one after the other; floats keep all digits."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from _words(each)
    elif value is None:
        yield "none"
    else:
        yield str(int(value) if isinstance(value, bool) else value)


def _lines(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        value = {str(number): each for number, each in enumerate(value)}
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _lines(f"{name}.{key}" if name else key, part)
    else:
        yield " ".join([name, *_words(value)])


def _file(folder: Path, case: str, array: str) -> Path:
    return folder / f"{case}.{array}.bin"


def write(folder: Path, entry: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Write the arrays of a case, and its header."""
    for name, array in arrays.items():
        data = array.astype(array.dtype.newbyteorder("<")).tobytes()
        _file(folder, entry["name"], name).write_bytes(data)
    text = "\n".join(_lines("", entry)) + "\n"
    (folder / f"{entry['name']}.txt").write_text(text, encoding="utf-8", newline="\n")


def read(folder: Path, case: str, forms: Forms) -> dict[str, np.ndarray]:
    """Read the arrays of a case that is not trusted, or raise."""
    arrays = {}
    for name, (dtype, shape) in forms.items():
        path = _file(folder, case, name)
        if not (name.isidentifier() and name.isascii()):
            raise fault(path, f"{name!r} is not a valid array name")
        arrays[name] = _array(path, dtype, shape)
    return arrays


def answer(path: Path, expected: np.ndarray) -> np.ndarray:
    """Read the numbers that a backend gave, of the dtype of the right ones, or raise."""
    return _array(path, expected.dtype, expected.shape)


def _array(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    size = math.prod(shape) * dtype.itemsize
    try:
        check_regular(path)
        if path.stat().st_size != size:
            raise fault(path, f"it has {path.stat().st_size} bytes, {dtype} {shape} has {size}")
        data = path.read_bytes()
        return np.frombuffer(data, dtype.newbyteorder("<")).reshape(shape).astype(dtype)
    except FileNotFoundError:
        raise fault(path, "it does not exist") from None
    except (OSError, ValueError, OverflowError, MemoryError) as error:
        raise fault(path, f"{type(error).__name__}: {error}") from None
