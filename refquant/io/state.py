"""Saving and loading state dicts and tensors, without pickle.

A file holds only plain data: reading one never executes code from it. `refquant.archive` defines
the container.
"""

import io
import math
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from refquant import archive, arguments, dtypes, kernels
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    FileFormatError,
    OperationError,
    RefquantError,
)
from refquant.ops import checks, layout
from refquant.tensors import QuantizedTensor, Size, Tensor

__all__ = ["load", "save"]

DEEPEST = 200  # containers inside one another
LARGEST_INTEGER = 4096  # bits
_CONSTANT_TYPES = (dtypes.dtype, dtypes.qscheme, dtypes.memory_format)
_SEQUENCES: dict[str, Callable] = {"list": list, "tuple": tuple, "size": Size}
_MAPPINGS: dict[str, Callable] = {"dict": dict, "ordered_dict": OrderedDict}


def save(obj: Any, f: Any) -> None:
    """Write a state dict, a tensor, or any nesting of plain values to a file.

    Parameters
    ----------
    obj : object
        A tensor (plain or quantized), number, string, bool, None, dtype or scheme, or a dict,
        OrderedDict, list or tuple of them. Modules are refused: save their ``state_dict()``.
    f : str, Path or binary file
        Where to write. An existing file is replaced atomically when the new one is complete; if
        anything fails it stays as it was.

    Raises
    ------
    ArgumentTypeError
        If `obj` holds something else; the message says where.

    Notes
    -----
    Elements, strides of dense tensors, quantizers, ``requires_grad``, the order of dicts and every
    bit of a float are preserved. Tensors that share one array are written once and share it again
    after loading. Equal values give equal files.

    Examples
    --------
    >>> import io, refquant
    >>> file = io.BytesIO()
    >>> refquant.save({"weight": refquant.tensor([1.0, 2.0]), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> refquant.load(file)
    {'weight': tensor([1., 2.]), 'epoch': 3}
    """
    if hasattr(obj, "state_dict") and not isinstance(obj, type):
        raise ArgumentTypeError(
            argument="obj",
            expected="a state dict or plain values",
            got=f"a whole {type(obj).__name__}",
            hint="save its state_dict(), and load it with load_state_dict() into a model that is "
            "built the same way",
        )
    writer = _Writer()
    value = writer.encode(obj, "obj", 0)
    if hasattr(f, "write"):
        buffer = io.BytesIO()
        archive.write(buffer, value, writer.arrays)
        f.write(buffer.getbuffer())
        return
    archive.replace_file(_path(f), lambda stream: archive.write(stream, value, writer.arrays))


def load(f: Any, map_location: Any = None, *, weights_only: bool = True) -> Any:
    """Read what `save` wrote.

    Parameters
    ----------
    f : str, Path or binary file
        A file; one that is open is read from its current position to the end.
    map_location : 'cpu', device or callable, optional
        Accepted: there is one device.
    weights_only : bool, default True
        Accepted: a file holds nothing but data.

    Returns
    -------
    object
        As it was saved.

    Raises
    ------
    FileFormatError
        If the file is damaged, was not written by refquant, or is of a later version. For a file
        of ``torch.save`` it says how to bring the content over.
    FileNotFoundError
        If there is no such file.
    ArgumentError
        If `f` is a folder.

    Examples
    --------
    >>> import io, refquant
    >>> refquant.load(io.BytesIO(b"something else"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    refquant.errors.FileFormatError: load: the file is damaged or not one of refquant's (...
    """
    if map_location is not None and not callable(map_location):
        dtypes.device(map_location)
    arguments.flag("weights_only", weights_only)
    if hasattr(f, "read"):
        data = f.read()
        if not isinstance(data, bytes | bytearray):
            raise ArgumentTypeError(
                argument="f",
                expected="a file opened in binary mode",
                got=f"one that gives {type(data).__name__}",
                hint='open it with "rb"',
            )
        return _read(io.BytesIO(data), "load")
    path = _path(f)
    with path.open("rb") as stream:
        return _read(stream, f"load of {str(path)!r}")


def _path(f: Any) -> Path:
    target = arguments.path("f", f, "a path or a binary file")
    if not target.name or target.is_dir():
        raise ArgumentError(
            argument="f",
            expected="the path of a file, or a binary file",
            got=f"the folder {str(target)!r}",
        )
    return target


def _memory_order(array: np.ndarray) -> list[int] | None:
    """Return the dimensions from slowest to fastest, if the array is dense in that order."""
    if array.size == 0:
        return list(range(array.ndim))
    order = sorted(range(array.ndim), key=lambda d: (-array.strides[d], -array.shape[d]))
    step = array.itemsize
    for dimension in reversed(order):
        if array.strides[dimension] != step:
            return None
        step *= array.shape[dimension]
    return order


class _Writer:
    """Encode values as JSON, and collect arrays."""

    def __init__(self):
        self.arrays: list[np.ndarray] = []
        self._entries: dict[int, dict] = {}
        self._kept: list[np.ndarray] = []  # kept alive, so that their ids stay unique

    def encode(self, value: Any, place: str, depth: int) -> Any:
        """Encode one value; `place` says where it is."""
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind is int and value.bit_length() <= LARGEST_INTEGER:
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if depth > DEEPEST:
            raise OperationError(
                argument=place[:200],
                expected=f"at most {DEEPEST} containers inside one another",
                got="more, or one that holds itself",
            )
        for name, sequence in _SEQUENCES.items():
            if kind is sequence:
                return {
                    name: [self.encode(v, f"{place}[{i}]", depth + 1) for i, v in enumerate(value)]
                }
        for name, mapping in _MAPPINGS.items():
            if kind is mapping:
                return {
                    name: [
                        [self._key(k, place), self.encode(v, f"{place}[{k!r}]", depth + 1)]
                        for k, v in value.items()
                    ]
                }
        if isinstance(value, QuantizedTensor):
            return {"quantized": self._quantized(value)}
        if isinstance(value, Tensor):
            return {"tensor": {**self._array(value.array), "requires_grad": value.requires_grad}}
        if isinstance(value, _CONSTANT_TYPES):
            return {"constant": value.name}
        raise ArgumentTypeError(
            argument=place[:200],
            expected="a tensor, number, string, bool, None, dtype, dict, list or tuple",
            got="an integer too large" if kind is int else kind.__name__,
            hint=_hint(value),
        )

    def _key(self, key: Any, place: str) -> Any:
        if type(key) is tuple:
            return {"tuple": [self._key(k, place) for k in key]}
        if key is None or type(key) in (str, int, bool, float):
            return self.encode(key, f"a key of {place}", 0)
        raise ArgumentTypeError(
            argument=f"a key of {place}"[:200],
            expected="a string, number, bool, None or a tuple of them",
            got=type(key).__name__,
        )

    def _array(self, array: np.ndarray) -> dict:
        entry = self._entries.get(id(array))
        if entry is None:
            order: Any = _memory_order(array)
            dense = array
            if order is None:
                dense = layout.dense_copy(array)
                order = _memory_order(dense)
            entry = {"array": len(self.arrays), "order": order}
            self.arrays.append(
                np.ascontiguousarray(dense.transpose(order)).reshape(
                    [array.shape[d] for d in order]
                )
            )
            self._entries[id(array)] = entry
            self._kept.append(array)
        return entry

    def _packed(self, q: QuantizedTensor) -> dict:
        """Encode integers of fewer than 8 bits, several a byte."""
        entry = self._entries.get(id(q.array))
        if entry is None or "shape" not in entry:
            packed = q.int_repr().array
            entry = {**self._array(packed), "shape": list(q.array.shape)}
            self._entries[id(q.array)] = entry
            self._kept.append(q.array)
        return entry

    def _quantized(self, q: QuantizedTensor) -> dict:
        elements = self._packed(q) if q.dtype.bits < 8 else self._array(q.array)
        entry = {**elements, "dtype": q.dtype.name}
        if q.axis is None:
            return {**entry, "scale": q.scale, "zero_point": q.zero_point}
        return {
            **entry,
            "axis": q.axis,
            "scale": self._array(q.scale),
            "zero_point": self._array(q.zero_point),
        }


def _hint(value: Any) -> str | None:
    if isinstance(value, np.ndarray):
        return "convert it with refquant.from_numpy()"
    if isinstance(value, np.generic):
        return "convert it with .item()"
    return "save its state_dict()" if hasattr(value, "state_dict") else None


def _read(stream: BinaryIO, source: str) -> Any:
    value, arrays = archive.read(source, stream)
    reader = _Reader(source, arrays)
    try:
        decoded = reader.decode(value, 0)
    except FileFormatError:
        raise
    except (RefquantError, TypeError, ValueError, KeyError, OverflowError) as error:
        raise reader.fault(f"{type(error).__name__}: {error}") from None
    if len(reader.used) != len(arrays):
        raise reader.fault("it holds arrays that nothing refers to")
    return decoded


class _Reader:
    """Decode JSON into values; every entry must be exactly what `_Writer` writes."""

    def __init__(self, source: str, arrays: list[np.ndarray]):
        self.source, self.arrays = source, arrays
        self.used: set[int] = set()
        self._views: dict[tuple, np.ndarray] = {}

    def fault(self, fault: str) -> FileFormatError:
        """Describe what is wrong with the file."""
        return FileFormatError(
            f"{self.source}: the file is damaged or not one of refquant's ({fault})",
            hint="copy it again from where it came from, or write it anew with refquant.save()",
        )

    def decode(self, entry: Any, depth: int) -> Any:
        """Decode one value."""
        if entry is None or isinstance(entry, bool | str | int | float):
            return entry
        if depth > DEEPEST or not isinstance(entry, dict) or len(entry) != 1:
            raise self.fault("a value is nested too deeply or is of no known kind")
        ((kind, content),) = entry.items()
        if kind in _SEQUENCES and isinstance(content, list):
            return _SEQUENCES[kind](self.decode(v, depth + 1) for v in content)
        if kind in _MAPPINGS and isinstance(content, list):
            pairs = [(self.decode(k, depth + 1), self.decode(v, depth + 1)) for k, v in content]
            mapping = _MAPPINGS[kind](pairs)
            if len(mapping) != len(pairs):
                raise self.fault("a key is there twice")
            return mapping
        if kind == "float" and content in ("nan", "inf", "-inf"):
            return float(content)
        if kind == "constant" and isinstance(content, str) and content in dtypes.CONSTANTS:
            return dtypes.CONSTANTS[content]
        if kind == "tensor" and isinstance(content, dict):
            return self._tensor(**content)
        if kind == "quantized" and isinstance(content, dict):
            return self._quantized(**content)
        raise self.fault(f"{kind[:40]!r} is of no known kind")

    def _array(self, array: int, order: list) -> np.ndarray:
        if type(array) is not int or not 0 <= array < len(self.arrays):
            raise self.fault("a tensor refers to an array that is not there")
        dense = self.arrays[array]
        if sorted(order) != list(range(dense.ndim)) or any(type(d) is not int for d in order):
            raise self.fault(f"an array of shape {dense.shape} has dimensions {order}")
        self.used.add(array)
        key = (array, tuple(order))
        if key not in self._views:
            self._views[key] = dense.transpose([order.index(d) for d in range(dense.ndim)])
        return self._views[key]

    def _tensor(self, requires_grad: bool, **entry) -> Tensor:
        if not isinstance(requires_grad, bool):
            raise self.fault("requires_grad is neither true nor false")
        return Tensor(self._array(**entry), requires_grad)

    def _unpacked(self, kind: dtypes.dtype, shape: Any, **entry) -> np.ndarray:
        """Decode integers of fewer than 8 bits."""
        packed = self._array(**entry)
        known = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
        count = math.prod(shape) if known else -1
        if packed.dtype != np.uint8 or packed.shape != (-(-count * kind.bits // 8),):
            raise self.fault(f"a tensor of {kind.name} does not fit its shape")
        key = (entry["array"], kind.bits, *shape)
        if key not in self._views:
            integers = kernels.unpack_bits(packed, kind.bits, count)
            self._views[key] = integers.reshape(shape)
        return self._views[key]

    def _quantized(self, dtype: str, scale, zero_point, axis=None, **entry) -> QuantizedTensor:
        kind = dtypes.BY_NAME[dtype]
        few = kind.is_quantized and kind.bits < 8
        array = self._unpacked(kind, **entry) if few else self._array(**entry)
        if not kind.is_quantized or array.dtype != kind.numpy:
            raise self.fault(f"a tensor of {dtype} holds {array.dtype}")
        if axis is None:
            if not isinstance(scale, float | int) or type(zero_point) is not int:
                raise self.fault("a scale or zero point is not a number")
            s = checks.scale_value("scale", scale)
            z = checks.zero_point_value("zero_point", zero_point, kind)
            return QuantizedTensor(array, kind, s, z)
        scales, zero_points = self._array(**scale), self._array(**zero_point)
        if type(axis) is not int or not 0 <= axis < array.ndim:
            raise self.fault(f"axis {axis} is no dimension")
        fits = scales.shape == zero_points.shape == (array.shape[axis],)
        real = zero_points.dtype == np.float32 and scales.dtype == np.float32
        if not fits or not (real or (scales.dtype, zero_points.dtype) == (np.float64, np.int64)):
            raise self.fault("scales or zero points do not fit their tensor")
        checks.scale_values("scale", scales)
        if not real and ((zero_points < kind.quant_min) | (zero_points > kind.quant_max)).any():
            raise self.fault("a zero point is outside its dtype")
        return QuantizedTensor(array, kind, scales, zero_points, axis)
