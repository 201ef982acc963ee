"""Operands of a case of neutral vectors, as its entry in the manifest and its arrays hold them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from refquant.errors import NotSupportedError
from refquant.oracle.problems.codes import Output
from refquant.oracle.problems.table import neutral_defaults

__all__ = ["Operands", "Quantized"]


@dataclass(frozen=True)
class Quantized:
    """Integers with scales and zero points."""

    array: Any  # None of a result
    dtype: np.dtype
    scale: np.ndarray  # float32: one, or one for each slice along the axis
    zero_point: np.ndarray
    axis: int | None


class Operands:
    """Operands of a case by name, for writers that reject what their files cannot hold.

    Parameters
    ----------
    entry : dict
        The entry of the case in the manifest.
    arrays : dict of str to ndarray
        Its arrays.
    files : str
        The ending of the files, for messages.
    """

    def __init__(self, entry: dict[str, Any], arrays: dict[str, np.ndarray], files: str) -> None:
        self.operation, self.arrays = entry["operation"], arrays
        self.given = {**neutral_defaults(self.operation), **entry["arguments"]}
        self.case, self.files, self.output = entry["name"], files, entry["output"]
        self.shape = arrays["expected"].shape
        plain = {"scale": 1.0, "zero_point": 0}  # of results that have no quantizer
        self.result = self._quantized({**plain, **self.output, "array": None})

    def unsupported(self, what: str) -> NotSupportedError:
        """Describe what the files cannot hold."""
        return NotSupportedError(
            f"oracle.write_vectors of {self.operation}",
            argument="format",
            expected=f"one whose files can hold case {self.case!r}",
            got=f"{self.files} files, {what}",
        )

    def require(self, condition: Any, what: str) -> None:
        """Raise unless a condition holds."""
        if not condition:
            raise self.unsupported(what)

    def _quantized(self, value: dict[str, Any]) -> Quantized:
        array = None if value["array"] is None else self.arrays[value["array"]]
        axis = value.get("axis")
        ends = "" if axis is None else "s"
        scale = np.asarray(value[f"scale{ends}"], np.float32)
        zero = np.asarray(value[f"zero_point{ends}"], np.int64)
        return Quantized(array, np.dtype(value["dtype"]), scale, zero, axis)

    def __contains__(self, name: str) -> bool:
        """Whether an operand is given and not None."""
        return self.given.get(name) is not None

    def __getitem__(self, name: str) -> Any:
        """Return an operand: integers, a list of them, an array or plain values."""
        value = self.given[name]
        if isinstance(value, dict) and "list" in value:
            return [self._quantized(each) for each in value["list"]]
        if isinstance(value, dict) and "dtype" in value:
            return self._quantized(value)
        return self.arrays[value["array"]] if isinstance(value, dict) else value

    def get(self, name: str) -> Any:
        """Return an operand, or None if it is not given."""
        return None if self.given[name] is None else self[name]

    def require_quantizer(self, *pieces: Quantized) -> None:
        """Raise unless the result has the quantizer of its operands."""
        own = (self.result.scale, self.result.zero_point)
        self.require(
            all((piece.scale, piece.zero_point) == own for piece in pieces),
            "which demand the quantizer of the input for the result",
        )

    def is_bounded_by_activation(self) -> bool:
        """Whether a result has the bounds of its activation and no others."""
        o = self.output
        if "activation" not in o:
            return True
        own = Output(o["scale"], o["zero_point"], o["dtype"], o["activation"])
        return (own.lower, own.upper) == (o["lower"], o["upper"])

    def bounded(self) -> bool:
        """Whether a result is bounded more narrowly than by its dtype."""
        if "lower" not in self.output:
            return False
        info = np.iinfo(self.output["dtype"])
        return (self.output["lower"], self.output["upper"]) != (info.min, info.max)

    def border(self, dims: int = 2) -> list[tuple[int, int]]:
        """Read the border before and behind each dimension."""
        padding = self.given["padding"]
        each = padding if isinstance(padding, list | tuple) else [padding] * dims
        return [tuple(p) if isinstance(p, list | tuple) else (p, p) for p in each]

    def each(self, name: str, dims: int) -> tuple[int, ...]:
        """Read one number, or one for each dimension."""
        value = self.given[name]
        return tuple(value) if isinstance(value, list | tuple) else (value,) * dims

    def stride(self, dims: int = 2) -> tuple[int, ...]:
        """Read the distance of windows, by default their size."""
        return self.each("kernel" if self.given["stride"] is None else "stride", dims)

    def pair(self, name: str) -> tuple[int, int]:
        """Read one number, or one for each of two dimensions."""
        first, second = self.each(name, 2)
        return first, second
