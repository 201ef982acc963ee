"""Sums, differences and products of two tensors of any int8 runtime."""

from typing import Any

import numpy as np

from refquant import arguments, engines
from refquant.engines import Engine, Operands
from refquant.engines.registry import chosen
from refquant.engines.rule import Rule
from refquant.engines.rules.elementwise import (
    PRODUCT_OF_INTEGERS,
    SUM_IN_FIXED_POINT,
    SUM_OF_REALS,
    product_of_integers,
    sum_in_fixed_point,
)
from refquant.engines.rules.float32 import reciprocal
from refquant.errors import ArgumentError, EngineError, ShapeError
from refquant.oracle.problems.base import Problem, parts_of
from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.problems.elementwise import Sum

__all__ = ["NeutralSum", "pair", "rule_of"]


def pair(a, b, output=None):
    """Take the operands of a sum or a product of two tensors."""


def rule_of(record: Engine, step: str, operands: Operands, operation: str) -> Any:
    """Look up the rule of a step, or raise if the engine's runtime lacks the operation."""
    if step not in record.steps:
        others = [n for n in engines.other_runtimes() if step in engines.get(n).steps]
        raise EngineError(
            f"oracle: {operation}",
            argument="engine",
            expected=f"one that has the operation: {', '.join(others)}",
            got=repr(record.name),
        )
    return record.rule(step, operands)


class NeutralSum(Sum):
    """A sum or a product of neutral operands, computed by rules alone."""

    output: Output

    def __init__(self, operation, function, operands):
        Problem.__init__(self, operation, function, operands)
        a, b = (arguments.instance(n, operands[n], Codes, "an oracle.Codes") for n in ("a", "b"))
        for name, codes in (("a", a), ("b", b)):
            if codes.axis is not None:
                raise ArgumentError(
                    argument=name, expected="one scale and one zero point", got=repr(codes)
                )
        output = arguments.instance("output", operands["output"], Output, "an oracle.Output")
        try:
            arrays = np.broadcast_arrays(a.array, b.array)
        except ValueError:
            raise ShapeError(
                argument="b", expected=f"a shape that fits {a.shape}", got=f"{b.shape}"
            ) from None
        self.output, self.dtype, self.relu = output, output.engine_dtype, False
        self.scale, self.zero_point = output.scale, output.zero_point
        self.lower, self.upper = output.lower, output.upper
        self.a, self.b, self.shape = a, b, arrays[0].shape
        self.integers = tuple(array.reshape(-1).astype(np.int64) for array in arrays)
        self.size = self.integers[0].size
        self.undefined = np.zeros(self.size, bool)
        self.flat = a.shape == b.shape and all(q.array.flags.c_contiguous for q in (a, b))
        self.kind = {"add": "add", "sub": "subtract"}.get(operation, "multiply")

    def run(self, engine: str | Engine) -> np.ndarray:
        """Compute the operation by the rules of an engine, as integers in the output's shape."""
        record = chosen(engine)
        bounds = self.lower, self.upper
        answers = self.compute(record, self.a, self.b, self.scale, self.zero_point, *bounds)
        return answers.reshape(self.shape).astype(self.output.dtype)

    def compute(
        self, record: Engine, a: Any, b: Any, scale: float, zero_point: int, lower: int, upper: int
    ) -> np.ndarray:
        """Compute all outputs for operands, flat int64."""
        q_a, q_b = (q.reshape(-1).astype(np.int64) for q in np.broadcast_arrays(a.array, b.array))
        first, second = (q_a, a.scale, a.zero_point), (q_b, b.scale, b.zero_point)
        operands = self.operands()
        rule = rule_of(record, self.kind, operands, self.operation)
        bounds = lower, upper
        with np.errstate(all="ignore"):
            if isinstance(rule, Rule):
                return rule(*first, *second, scale, zero_point, *bounds).astype(np.int64)
            if rule is SUM_IN_FIXED_POINT:
                steps = sum_in_fixed_point(*first, *second, scale)
                return np.clip(steps + zero_point, *bounds)
            result = np.empty(q_a.size, np.int64)
            if rule is PRODUCT_OF_INTEGERS:
                n = product_of_integers(q_a, a.zero_point, q_b, b.zero_point)
                m = np.float32(a.scale) * np.float32(b.scale) * reciprocal(scale)
                split = record.rule("elementwise_requantize", operands)
                for requantize, part in parts_of(split, n.size):
                    result[part] = requantize(n[part], m, zero_point, *bounds)
                return result
            dequantize = record.rule("elementwise_dequantize", operands)
            quantize = record.rule("elementwise_quantize", operands)
            if rule is not SUM_OF_REALS:  # scalar code at every position
                reals = (dequantize.tail(*q) for q in (first, second))
                return quantize.tail(np.multiply(*reals), scale, zero_point, *bounds)
            for real, part in parts_of(dequantize, q_a.size):
                total = real(q_a[part], *first[1:]) + real(q_b[part], *second[1:])
                for integer, inner in parts_of(quantize, q_a.size):
                    here = slice(max(part.start, inner.start), min(part.stop, inner.stop))
                    if here.start < here.stop:
                        t = total[here.start - part.start : here.stop - part.start]
                        result[here] = integer(t, scale, zero_point, *bounds)
            return result
