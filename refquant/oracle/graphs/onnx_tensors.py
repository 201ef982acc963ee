"""Constants, attributes and shapes of ``.onnx`` files."""

import math
from typing import Any

import numpy as np

from refquant.errors import FileFormatError
from refquant.oracle.graphs.protobuf_reader import Fields
from refquant.oracle.graphs.unsupported import Unsupported

__all__ = ["DTYPES", "attributes", "constant", "damaged", "described"]

DTYPES = {1: "float32", 2: "uint8", 3: "int8", 5: "int16", 6: "int32", 7: "int64"}
_MOST_DIMENSIONS = 8
_MOST_INTEGERS = 64  # of an attribute


def damaged(what: str) -> FileFormatError:
    """Describe a damaged file."""
    return FileFormatError("the .onnx file is damaged", expected="a graph", got=what)


def constant(tensor: Fields) -> np.ndarray:
    """Read a tensor: raw bytes, or numbers one by one."""
    name, dims = tensor.text(8), tuple(tensor.numbers(1, _MOST_DIMENSIONS))
    kind = tensor.number(2)
    if tensor.number(14) or 13 in tensor:
        raise Unsupported(f"constant {name!r} lies in another file")
    if kind not in DTYPES:
        raise Unsupported(f"constant {name!r} of dtype {kind}")
    if min(dims, default=0) < 0:
        raise damaged(f"constant {name!r} of shape {dims}")
    dtype, count = np.dtype(DTYPES[kind]), math.prod(dims)
    if 9 in tensor:
        raw = tensor.data(9)
        if len(raw) != count * dtype.itemsize:
            raise damaged(f"constant {name!r} of {len(raw)} bytes for shape {dims} of {dtype}")
        return np.frombuffer(bytes(raw), dtype.newbyteorder("<")).astype(dtype).reshape(dims)
    if dtype.kind == "f":
        numbers: Any = tensor.reals(4)
    else:
        numbers = tensor.numbers(7 if dtype.itemsize == 8 else 5, count)
    if len(numbers) != count:
        raise damaged(f"constant {name!r} of {len(numbers)} numbers for shape {dims}")
    held = np.asarray(numbers, np.float32 if dtype.kind == "f" else np.int64)
    info = None if dtype.kind == "f" else np.iinfo(dtype)
    if info is not None and held.size and not info.min <= held.min() <= held.max() <= info.max:
        raise damaged(f"constant {name!r} of numbers that {dtype} does not hold")
    return held.astype(dtype).reshape(dims)


def attributes(node: Fields) -> dict[str, Any]:
    """Read the attributes of a node: numbers, texts, integers and tensors."""
    found: dict[str, Any] = {}
    for entry in node.messages(5):
        name = entry.text(1)
        if 2 in entry:
            found[name] = entry.real(2)
        elif 4 in entry:
            found[name] = entry.text(4)
        elif 5 in entry:
            found[name] = constant(entry.message(5))
        elif 6 in entry or 11 in entry:
            raise Unsupported(f"with a graph as attribute {name!r}")
        elif 8 in entry or entry.number(20) == 7:
            found[name] = tuple(entry.numbers(8, _MOST_INTEGERS))
        elif 3 in entry or entry.number(20) == 2:
            found[name] = entry.number(3)
        else:
            raise Unsupported(f"with attribute {name!r}")
    return found


def described(info: Fields) -> tuple[str, str, tuple[int, ...] | None]:
    """Read name, dtype and shape of an input or output; unknown sizes are -1."""
    name, tensor = info.text(1), info.message(2).message(1)
    kind = tensor.number(1)
    if kind not in DTYPES:
        raise Unsupported(f"{name!r} of dtype {kind}")
    if 2 not in tensor:
        return name, DTYPES[kind], None
    sizes = [dim.number(1) if 1 in dim else -1 for dim in tensor.message(2).messages(1)]
    if len(sizes) > _MOST_DIMENSIONS or min(sizes, default=0) < -1:
        raise damaged(f"{name!r} of shape {tuple(sizes[:9])}")
    return name, DTYPES[kind], tuple(sizes)
