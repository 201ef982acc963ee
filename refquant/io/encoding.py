"""Values as JSON documents beside named arrays, which `refquant.archive` writes."""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import dtypes
from refquant.errors import ArgumentTypeError, OperationError
from refquant.ops import layout
from refquant.tensors import QuantizedTensor, Size, Tensor
from refquant.tensors.arrays import memory_order

__all__ = ["DEEPEST", "MAPPINGS", "SEQUENCES", "Writer"]

DEEPEST = 200  # containers inside one another
LARGEST_INTEGER = 4096  # bits
LONGEST_NAME = 1000  # characters
RESERVED = ("", "__metadata__")
SEQUENCES: dict[str, Callable] = {"list": list, "tuple": tuple, "size": Size}
MAPPINGS: dict[str, Callable] = {"dict": dict, "ordered_dict": OrderedDict}
_CONSTANT_TYPES = (dtypes.dtype, dtypes.qscheme, dtypes.memory_format)


class Writer:
    """Encode values as JSON, and collect arrays under names that say where they come from."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._entries: dict[int, dict] = {}
        self._kept: list[np.ndarray] = []  # kept alive, so that their ids stay unique

    def encode(self, value: Any, place: str, name: str = "", depth: int = 0) -> Any:
        """Encode one value; `place` says where it is, `name` how its array is to be called."""
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
        for title, sequence in SEQUENCES.items():
            if kind is sequence:
                return {
                    title: [
                        self.encode(v, f"{place}[{i}]", _below(name, i), depth + 1)
                        for i, v in enumerate(value)
                    ]
                }
        for title, mapping in MAPPINGS.items():
            if kind is mapping:
                return {
                    title: [
                        [
                            self._key(k, place),
                            self.encode(v, f"{place}[{k!r}]", _below(name, k), depth + 1),
                        ]
                        for k, v in value.items()
                    ]
                }
        if isinstance(value, QuantizedTensor):
            return {"quantized": self._quantized(value, name)}
        if isinstance(value, Tensor):
            trained = {"requires_grad": True} if value.requires_grad else {}
            return {"tensor": {**self._array(value.array, name), **trained}}
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
            return self.encode(key, f"a key of {place}")
        raise ArgumentTypeError(
            argument=f"a key of {place}"[:200],
            expected="a string, number, bool, None or a tuple of them",
            got=type(key).__name__,
        )

    def _array(self, array: np.ndarray, name: str) -> dict:
        """Take an array; the order of its memory is noted if it is not row-major."""
        entry = self._entries.get(id(array))
        if entry is None:
            order = memory_order(array)
            if order is None:
                order = memory_order(layout.dense_copy(array))
            entry = {"array": self._free(name)}
            if order != list(range(array.ndim)):
                entry["order"] = order
            self.arrays[entry["array"]] = array
            self._entries[id(array)] = entry
            self._kept.append(array)
        return entry

    def _free(self, name: str) -> str:
        """Return a name that no array has: this one, or one with a number behind it."""
        # Lone surrogates are no text that other programs read.
        name = name[:LONGEST_NAME].encode("utf-8", "replace").decode("utf-8")
        if name in RESERVED:
            name = f"tensor{name}"
        free, count = name, 1
        while free in self.arrays:
            count += 1
            free = f"{name}#{count}"
        return free

    def _packed(self, q: QuantizedTensor, name: str) -> dict:
        """Encode integers of fewer than 8 bits, several a byte."""
        entry = self._entries.get(id(q.array))
        if entry is None or "shape" not in entry:
            packed = q.int_repr().array
            entry = {**self._array(packed, name), "shape": list(q.array.shape)}
            self._entries[id(q.array)] = entry
            self._kept.append(q.array)
        return entry

    def _quantized(self, q: QuantizedTensor, name: str) -> dict:
        few = q.dtype.bits < 8
        elements = self._packed(q, name) if few else self._array(q.array, name)
        entry = {**elements, "dtype": q.dtype.name}
        if q.axis is None:
            return {**entry, "scale": q.scale, "zero_point": q.zero_point}
        zero_points = q.zero_point.tolist()
        if q.zero_point.dtype == np.float32:  # with scales that are float32 as well
            entry["float_zero_points"] = True
            zero_points = [self.encode(z, "zero_point") for z in zero_points]
        return {**entry, "axis": q.axis, "scale": q.scale.tolist(), "zero_point": zero_points}


def _below(name: str, key: Any) -> str:
    return f"{name}.{key}"[: LONGEST_NAME + 1] if name else str(key)[:LONGEST_NAME]


def _hint(value: Any) -> str | None:
    if isinstance(value, np.ndarray):
        return "convert it with refquant.from_numpy()"
    if isinstance(value, np.generic):
        return "convert it with .item()"
    return "save its state_dict()" if hasattr(value, "state_dict") else None
