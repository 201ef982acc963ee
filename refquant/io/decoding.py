"""Values from JSON documents and named arrays, which `refquant.archive` reads."""

import math
from typing import Any

import numpy as np

from refquant import archive, dtypes, kernels
from refquant.errors import FileFormatError, RefquantError
from refquant.io.encoding import DEEPEST, MAPPINGS, SEQUENCES
from refquant.ops import checks
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["decode"]


def decode(source: str, content: archive.Content) -> Any:
    """Build the value that a file holds; of files of other programs, a dict of tensors.

    Raises
    ------
    FileFormatError
        If the document is anything but what `Writer` writes.
    """
    if not content.own:
        return {name: Tensor(array) for name, array in content.arrays.items()}
    reader = _Reader(source, content.arrays)
    try:
        value = reader.decode(content.document, 0)
    except FileFormatError:
        raise
    except (RefquantError, TypeError, ValueError, KeyError, OverflowError) as error:
        raise reader.fault(f"{type(error).__name__}: {error}"[:300]) from None
    if len(reader.used) != len(content.arrays):
        raise reader.fault("it holds arrays that nothing refers to")
    return value


class _Reader:
    """Decode JSON into values; every entry must be exactly what `Writer` writes."""

    def __init__(self, source: str, arrays: dict[str, np.ndarray]):
        self.source, self.arrays = source, arrays
        # Each array is copied into one order, and unpacked into one shape.
        self.used: dict[str, tuple[tuple, np.ndarray]] = {}

    def fault(self, what: str) -> FileFormatError:
        """Describe what is wrong with the file."""
        return archive.fault(self.source, what)

    def decode(self, entry: Any, depth: int) -> Any:
        """Decode one value."""
        if entry is None or isinstance(entry, bool | str | int | float):
            return entry
        if depth > DEEPEST or not isinstance(entry, dict) or len(entry) != 1:
            raise self.fault("a value is nested too deeply or is of no known kind")
        ((kind, content),) = entry.items()
        if kind in SEQUENCES and isinstance(content, list):
            return SEQUENCES[kind](self.decode(v, depth + 1) for v in content)
        if kind in MAPPINGS and isinstance(content, list):
            pairs = [(self.decode(k, depth + 1), self.decode(v, depth + 1)) for k, v in content]
            mapping = MAPPINGS[kind](pairs)
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

    def _array(
        self, array: str, order: Any = None, kind: dtypes.dtype | None = None, shape: Any = None
    ) -> np.ndarray:
        """Look up an array, with its memory in `order`, or unpacked from few bits into `shape`."""
        if not isinstance(array, str) or array not in self.arrays:
            raise self.fault("a tensor refers to an array that is not there")
        key = (str(order), kind, str(shape))
        if array not in self.used:
            elements = self.arrays[array]
            if order is not None:
                elements = self._reordered(elements, order)
            if kind is not None:
                elements = self._unpacked(elements, kind, shape)
            self.used[array] = key, elements
        if self.used[array][0] != key:
            raise self.fault("two tensors read an array in different ways")
        return self.used[array][1]

    def _reordered(self, elements: np.ndarray, order: Any) -> np.ndarray:
        known = isinstance(order, list) and all(type(d) is int for d in order)
        if not known or sorted(order) != list(range(elements.ndim)):
            raise self.fault(f"an array of shape {elements.shape} has dimensions {order}"[:200])
        dense = np.ascontiguousarray(elements.transpose(order))
        return dense.transpose([order.index(d) for d in range(elements.ndim)])

    def _unpacked(self, packed: np.ndarray, kind: dtypes.dtype, shape: Any) -> np.ndarray:
        """Unpack integers of fewer than 8 bits."""
        known = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
        count = math.prod(shape) if known else -1
        if packed.dtype != np.uint8 or packed.shape != (-(-count * kind.bits // 8),):
            raise self.fault(f"a tensor of {kind.name} does not fit its shape")
        return kernels.unpack_bits(packed, kind.bits, count).reshape(shape)

    def _tensor(self, array: str, order: Any = None, requires_grad: Any = False) -> Tensor:
        if not isinstance(requires_grad, bool):
            raise self.fault("requires_grad is neither true nor false")
        return Tensor(self._array(array, order), requires_grad)

    def _quantized(
        self,
        array: str,
        dtype: str,
        scale: Any,
        zero_point: Any,
        order: Any = None,
        shape: Any = None,
        axis: Any = None,
        float_zero_points: Any = False,
    ) -> QuantizedTensor:
        kind = dtypes.BY_NAME[dtype]
        few = kind.is_quantized and kind.bits < 8
        if (shape is not None) is not few or not isinstance(float_zero_points, bool):
            raise self.fault("a quantized tensor has other entries than its type")
        elements = self._array(array, order, kind if few else None, shape)
        if not kind.is_quantized or elements.dtype != kind.numpy:
            raise self.fault(f"a tensor of {dtype} holds {elements.dtype}")
        if axis is None:
            if not isinstance(scale, float | int) or type(zero_point) is not int:
                raise self.fault("a scale or zero point is not a number")
            s = checks.scale_value("scale", scale)
            z = checks.zero_point_value("zero_point", zero_point, kind)
            return QuantizedTensor(elements, kind, s, z)
        if type(axis) is not int or not 0 <= axis < elements.ndim:
            raise self.fault(f"axis {axis} is no dimension"[:200])
        count = elements.shape[axis]
        if float_zero_points:
            scales = self._numbers(scale, count, float, np.float32)
            zero_points = self._numbers(zero_point, count, float, np.float32)
        else:
            scales = self._numbers(scale, count, float, np.float64)
            zero_points = self._numbers(zero_point, count, int, np.int64)
            if ((zero_points < kind.quant_min) | (zero_points > kind.quant_max)).any():
                raise self.fault("a zero point is outside its dtype")
        checks.scale_values("scale", scales)
        return QuantizedTensor(elements, kind, scales, zero_points, axis)

    def _numbers(self, values: Any, count: int, kind: type, dtype: Any) -> np.ndarray:
        if not isinstance(values, list) or len(values) != count:
            raise self.fault("scales or zero points do not fit their tensor")
        numbers = [self.decode(value, 0) for value in values]
        if any(type(number) is not kind for number in numbers):
            raise self.fault("a scale or zero point is not a number")
        with np.errstate(over="ignore"):
            return np.array(numbers, dtype)
