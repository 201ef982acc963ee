r"""Sums, products and quantization of single elements from inside.

The exact real number behind an output, in steps of its quantizer and with its zero point, is

.. math:: r = \frac{x_a + x_b}{s} + z, \qquad r = \frac{x_a x_b}{s} + z, \qquad
    r = \frac{x}{s} + z, \qquad x_i = s_i (q_i - z_i) .
"""

from typing import Any

import numpy as np

from refquant import engines
from refquant.engines import Engine
from refquant.engines.rules.rounding import as_fractions
from refquant.oracle.problem import Problem
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Quantization", "Sum"]


class Sum(Problem):
    """A sum or a product of two quantized tensors."""

    family = "sum"

    def __init__(self, operation, function, arguments):
        super().__init__(operation, function, arguments)
        self.run("fbgemm")  # checks all operands
        a, b = arguments["qa"], arguments["qb"]
        self.relu = operation.endswith("_relu")
        self.scale, self.zero_point = float(arguments["scale"]), int(arguments["zero_point"])
        self.lower = self.zero_point if self.relu else a.dtype.quant_min
        self.upper = a.dtype.quant_max
        self.a, self.b = (
            q.like(np.ascontiguousarray(array).reshape(-1))
            for q, array in zip((a, b), np.broadcast_arrays(a.array, b.array), strict=True)
        )

    def answer_for(self, record: Engine, where: Any, **other) -> np.ndarray:
        """Answer for some outputs by the rules of a record, as if these were all.

        Parameters
        ----------
        record : Engine
            Its rules should not depend on places.
        where : ndarray of int64
            Flat indices.
        **other
            ``a``, ``b``, ``scale``, ``zero_point`` in place of the problem's own.
        """
        a, b = other.get("a", self.a), other.get("b", self.b)
        scale = other.get("scale", self.scale)
        zero_point = other.get("zero_point", self.zero_point)
        with engines.using(record):
            q = self.function(a.like(a.array[where]), b.like(b.array[where]), scale, zero_point)
        return q.array.astype(np.int64)

    def _reals(self, where: Any) -> tuple[np.ndarray, np.ndarray]:
        first, second = (
            as_fractions(q.array[where].astype(np.int64) - q.zero_point) * as_fractions(q.scale)
            for q in (self.a, self.b)
        )
        return first, second

    def exact(self, where: Any) -> np.ndarray:
        """Compute the real number behind some outputs, in steps and with the zero point."""
        x, y = self._reals(where)
        total = x + y if self.operation.startswith("add") else x * y
        return total / as_fractions(self.scale) + self.zero_point

    def roundings(self, where: Any) -> np.ndarray:
        """Bound the sizes that are rounded on the way, in steps of the output."""
        x, y = (
            np.abs(q.array[where].astype(np.float64)) * q.scale + abs(q.zero_point) * q.scale
            for q in (self.a, self.b)
        )
        return (x + y if self.operation.startswith("add") else x * y) / self.scale


class Quantization(Problem):
    """Real numbers to integers."""

    family = "quantization"

    def __init__(self, operation, function, arguments):
        super().__init__(operation, function, arguments)
        expected: QuantizedTensor = self.run("fbgemm")
        self.dtype = expected.dtype
        self.lower, self.upper = expected.dtype.quant_min, expected.dtype.quant_max
        value = arguments["input"]
        self.x = (value.array if isinstance(value, Tensor) else np.asarray(value)).reshape(-1)
        shape = [1] * len(expected.shape)
        if expected.axis is not None:
            shape[expected.axis] = -1
        self.scales, self.zeros = (
            np.broadcast_to(np.asarray(v).reshape(shape or ()), tuple(expected.shape)).reshape(-1)
            for v in (expected.scale, expected.zero_point)
        )
        self.step = operation

    def answer_for(self, record: Engine, where: Any, **other) -> np.ndarray:
        """Answer for some elements by the rule of a record for vectors.

        Parameters
        ----------
        record : Engine
            Its rules should not depend on places.
        where : ndarray of int64
            Flat indices.
        **other
            ``scales``, ``zeros`` in place of the problem's own.
        """
        from refquant.engines import Operands

        split = record.rule(self.step, Operands(self.dtype))
        scales, zeros = other.get("scales", self.scales), other.get("zeros", self.zeros)
        with np.errstate(all="ignore"):
            q = split.vector(self.x[where], scales[where], zeros[where], self.lower, self.upper)
        return np.asarray(q).astype(np.int64)

    def exact(self, where: Any) -> np.ndarray:
        """Compute the real number behind some outputs, in steps and with the zero point."""
        # Infinities stand for the largest number; NaN has no exact value, 0 takes its place.
        steps = as_fractions(np.nan_to_num(self.x[where])) / as_fractions(self.scales[where])
        return steps + as_fractions(self.zeros[where])

    def roundings(self, where: Any) -> np.ndarray:
        """Bound the sizes that are rounded on the way, in steps of the output."""
        return np.abs(np.nan_to_num(self.x[where]).astype(np.float64)) / self.scales[where]
