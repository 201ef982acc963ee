"""``CASE.npz``: the arrays of a case by name, uncompressed and without pickles."""

import io
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from refquant.errors import FileFormatError
from refquant.oracle.vectors.storage import LIMIT, Forms, check_regular, fault

__all__ = ["ANSWER", "ENDING", "answer", "read", "write"]

ENDING = ".npz"
ANSWER = "CASE.npz with an array `output`"
HEADER = 4096  # bytes before the elements of an array


def write(folder: Path, entry: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Write the arrays of a case."""
    np.savez(folder / f"{entry['name']}{ENDING}", **arrays)


def read(folder: Path, case: str, forms: Forms) -> dict[str, np.ndarray]:
    """Read the arrays of a case that is not trusted, or raise."""
    path = folder / f"{case}{ENDING}"
    arrays = read_limited(
        path, {n: math.prod(shape) * dtype.itemsize for n, (dtype, shape) in forms.items()}
    )
    for key, (dtype, shape) in forms.items():
        if arrays[key].dtype != dtype or arrays[key].shape != shape:
            raise fault(
                path, f"{key!r} is {arrays[key].dtype} {arrays[key].shape}, not {dtype} {shape}"
            )
    return arrays


def answer(path: Path, expected: np.ndarray) -> np.ndarray:
    """Read the numbers that a backend gave, of any dtype, or raise."""
    return read_limited(path, {"output": min(LIMIT, 8 * max(1, expected.size))})["output"]


def read_limited(path: Path, limits: dict[str, int]) -> dict[str, np.ndarray]:
    """Read the arrays of the given names, each of at most so many bytes."""
    arrays = {}
    try:
        check_regular(path)
        with zipfile.ZipFile(path) as file:
            for name, limit in limits.items():
                with file.open(f"{name}.npy") as member:
                    data = member.read(limit + HEADER + 1)
                if len(data) > limit + HEADER:
                    raise fault(path, f"array {name!r} is larger than {limit:,} bytes")
                arrays[name] = _array(data)
    except FileFormatError:
        raise
    except FileNotFoundError:
        raise fault(path, "it does not exist") from None
    except KeyError as error:
        raise fault(path, str(error.args[0])) from None
    except (
        OSError, EOFError, ValueError, TypeError, SyntaxError, RuntimeError, OverflowError,
        MemoryError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise fault(path, f"{type(error).__name__}: {error}") from None
    return arrays


def _array(data: bytes) -> np.ndarray:
    """Read an ``.npy`` whose header declares as many bytes as it has."""
    stream = io.BytesIO(data)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(np.lib.format.read_magic(stream))
    if read_header is None:
        raise ValueError("an array of an unknown version")
    shape, _, dtype = read_header(stream)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"its header declares another size, {shape} of {dtype}")
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)
