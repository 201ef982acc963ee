r"""Elementwise sums, products and quantization, step by step.

The exact real value of an output, in steps of its quantizer and including its zero point, is

.. math:: r = \frac{x_a + x_b}{s} + z, \qquad r = \frac{x_a x_b}{s} + z, \qquad
    r = \frac{x}{s} + z, \qquad x_i = s_i (q_i - z_i) .
"""

import math
from typing import Any

import numpy as np

from refquant import engines
from refquant.engines import Engine, Operands
from refquant.engines.arithmetic.change import values_of
from refquant.engines.rules.elementwise import PRODUCT_OF_REALS, SUM_OF_REALS
from refquant.engines.rules.ratios import Ratios, ratios
from refquant.oracle.problems.base import Problem
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Quantization", "Sum"]

# A multiple of what any engine processes at once; ONNX Runtime's sums, whose rule is no Split: 4.
BLOCK = 64


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
        self.dtype, self.a, self.b = a.dtype, a, b
        self.integers = tuple(
            array.reshape(-1).astype(np.int64) for array in np.broadcast_arrays(a.array, b.array)
        )
        self.size = self.integers[0].size
        self.undefined = np.zeros(self.size, bool)
        # Elements lie in memory in the order of their indices, so that a subset can be added alone.
        self.flat = a.shape == b.shape and all(q.array.flags.c_contiguous for q in (a, b))
        self.kind = "add" if operation.startswith("add") else "multiply"

    def answer_for(self, record: Engine, where: Any, **other) -> np.ndarray:
        """Compute some outputs by the rules of a record, each as at its own position.

        Parameters
        ----------
        record : Engine
            Gives the rules.
        where : ndarray of int64
            Flat indices.
        **other
            ``a``, ``b``, ``scale``, ``zero_point``, ``lower``, ``upper`` in place of the
            problem's own.
        """
        a, b = other.get("a", self.a), other.get("b", self.b)
        parameters = other.get("scale", self.scale), other.get("zero_point", self.zero_point)
        bounds = other.get("lower", self.lower), other.get("upper", self.upper)
        if self.flat and 2 * where.size <= self.size:
            subset, where = self._subset(record, where)
            a, b = (q.like(q.array.reshape(-1)[subset]) for q in (a, b))
        return self.compute(record, a, b, *parameters, *bounds)[where]

    def compute(
        self, record: Engine, a: Any, b: Any, scale: float, zero_point: int, lower: int, upper: int
    ) -> np.ndarray:
        """Compute all outputs for operands, flat int64, in bounds that may be narrower."""
        with engines.using(record):
            q = self.function(a, b, scale, zero_point)
        return np.clip(q.array.reshape(-1).astype(np.int64), lower, upper)

    def operands(self) -> Operands:
        """Describe the operands for the conditions of a record."""
        same = self.a.shape == self.b.shape
        return Operands(self.dtype, same_shape=same, number=self.a.array.size == 1)

    def _subset(self, record: Engine, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Choose a subset around some elements that leaves those in vectors and in the tail there.

        Returns
        -------
        subset : ndarray of int64
            Indices of the elements: whole vectors, then the tail.
        positions : ndarray of int64
            Positions of `where` within the subset.
        """
        steps = ("elementwise_dequantize", "elementwise_quantize", "elementwise_requantize")
        operands = Operands(self.dtype)
        block = math.lcm(BLOCK, *(record.rule(step, operands).block for step in steps))
        end = self.size - self.size % block
        inner = where < end
        vectors = where[inner]
        # Without a vector, one element of several would be taken for a number.
        missing = -vectors.size % block if vectors.size or not end else block
        vectors = np.pad(vectors, (0, missing), mode="edge" if vectors.size else "constant")
        positions = np.empty(where.size, np.int64)
        positions[inner] = np.arange(np.count_nonzero(inner))
        positions[~inner] = vectors.size + where[~inner] - end
        return np.concatenate([vectors, np.arange(end, self.size)]), positions

    def values(self, record: Engine) -> dict[str, tuple[str, ...]]:
        """List the engine's values on each axis that this operation depends on."""
        operands = self.operands()
        run = self.size if self.flat else None
        rule = record.rule(self.kind, operands)
        if rule is PRODUCT_OF_REALS:
            run = 1  # scalar code at every position
        if rule in (SUM_OF_REALS, PRODUCT_OF_REALS):
            steps = ("elementwise_quantize", "elementwise_dequantize")
            return values_of(record, steps, operands, run)
        return values_of(record, (self.kind,), operands)

    def ratio(self, where: Any) -> Ratios:
        """Compute the exact value of some outputs, in steps and including the zero point."""
        x, y = (
            ratios(n[where] - q.zero_point) * ratios(q.scale)
            for n, q in zip(self.integers, (self.a, self.b), strict=True)
        )
        total = {"add": x.__add__, "subtract": x.__sub__, "multiply": x.__mul__}[self.kind](y)
        return total / ratios(self.scale) + self.zero_point

    def exact(self, where: Any) -> np.ndarray:
        """Compute the same numbers as Fractions."""
        return np.asarray(self.ratio(where))

    def fixed_point(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Bound the integers that fixed-point arithmetic scales, and return their multiplier."""
        if self.kind != "multiply":
            return None
        x, y = (n - q.zero_point for n, q in zip(self.integers, (self.a, self.b), strict=True))
        return x * y, x * y, np.asarray(self.a.scale * self.b.scale / self.scale)

    def roundings(self, where: Any) -> np.ndarray:
        """Bound the magnitudes that are rounded on the way, in output steps."""
        x, y = (
            np.abs(n[where].astype(np.float64)) * q.scale + abs(q.zero_point) * q.scale
            for n, q in zip(self.integers, (self.a, self.b), strict=True)
        )
        return (x * y if self.kind == "multiply" else x + y) / self.scale


class Quantization(Problem):
    """Quantization of real numbers, per tensor or per channel."""

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
        self.step, self.size, self.undefined = operation, self.x.size, np.isnan(self.x)

    def answer_for(self, record: Engine, where: Any, **other) -> np.ndarray:
        """Compute some elements by the rules of a record, each as at its own position.

        Parameters
        ----------
        record : Engine
            Gives the rules.
        where : ndarray of int64
            Flat indices.
        **other
            ``scales``, ``zeros``, ``lower``, ``upper`` in place of the problem's own.
        """
        split = record.rule(self.step, Operands(self.dtype))
        bounds = other.get("lower", self.lower), other.get("upper", self.upper)
        scales, zeros = other.get("scales", self.scales), other.get("zeros", self.zeros)
        answers = np.empty(where.size, np.int64)
        tail = where >= self.x.size - self.x.size % split.block
        with np.errstate(all="ignore"):
            for rule, here in ((split.vector, ~tail), (split.tail, tail)):
                chosen = where[here]
                answers[here] = rule(self.x[chosen], scales[chosen], zeros[chosen], *bounds)
        return answers

    def values(self, record: Engine) -> dict[str, tuple[str, ...]]:
        """List the engine's values on each axis that this operation depends on."""
        return values_of(record, (self.step,), Operands(self.dtype), self.size)

    def ratio(self, where: Any) -> Ratios:
        """Compute the exact value of some outputs, in steps and including the zero point."""
        # Infinities become the largest number; NaN has no exact value and becomes 0.
        steps = ratios(np.nan_to_num(self.x[where])) / ratios(self.scales[where])
        return steps + ratios(self.zeros[where])

    def exact(self, where: Any) -> np.ndarray:
        """Compute the same numbers as Fractions."""
        return np.asarray(self.ratio(where))

    def fixed_point(self) -> None:
        """Return None: nothing here is scaled in fixed point."""

    def roundings(self, where: Any) -> np.ndarray:
        """Bound the magnitudes that are rounded on the way, in output steps."""
        return np.abs(np.nan_to_num(self.x[where]).astype(np.float64)) / self.scales[where]
