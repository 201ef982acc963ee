"""Base class of problems: an operation bound to operands, which any engine can compute.

Answers are compared as flat arrays in row-major order of the output, whatever the memory formats.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import engines
from refquant.engines import Engine
from refquant.engines.arithmetic.change import values_of_rule
from refquant.engines.rule import Split
from refquant.errors import ArgumentError, ArgumentTypeError, DtypeError, ShapeError
from refquant.ops.registered import OPERATIONS
from refquant.oracle.problems.codes import Codes, Output
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Problem", "fitted", "in_parts", "parts_of"]


def in_parts(entry: Any, flat: np.ndarray, *operands: Any) -> np.ndarray:
    """Apply a rule, or a split of two, to flat elements."""
    if not isinstance(entry, Split):
        return entry(flat, *operands)
    parts = parts_of(entry, flat.size)
    return np.concatenate([rule(flat[part], *operands) for rule, part in parts])


def parts_of(split: Split, size: int) -> tuple[tuple[Any, slice], ...]:
    """List the rule of whole vectors, then that of the rest, with the elements of each."""
    end = size - size % split.block
    return (split.vector, slice(0, end)), (split.tail, slice(end, size))


class Problem:
    """An operation with its operands.

    Parameters
    ----------
    operation : str
        The name of the operation.
    function : callable
        Computes it with the current engine.
    arguments : dict
        The operands by name.

    Attributes
    ----------
    operation, arguments
        As given.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant import oracle
    >>> x = refquant.tensor([0.25, 0.26, 0.5])
    >>> oracle.problem("quantize_per_tensor", x, 0.1, 0, refquant.quint8).operation
    'quantize_per_tensor'
    """

    family = "other"
    output: Output | None = None  # of neutral operands

    def __init__(
        self, operation: str, function: Callable[..., Any], arguments: dict[str, Any]
    ) -> None:
        self.operation, self.function, self.arguments = operation, function, arguments

    def run(self, engine: str | Engine) -> Any:
        """Compute the operation by an engine."""
        with engines.using(engine):
            return self.function(**self.arguments)

    def answer(self, engine: str | Engine) -> np.ndarray:
        """Compute the operation by an engine, as a flat array of integers (or real numbers)."""
        return _flat(self.run(engine))

    def result(self, engine: str | Engine) -> np.ndarray:
        """Compute the operation by an engine, as integers (or real numbers) in their own shape."""
        return _array(self.run(engine))

    def values(self, record: Engine) -> dict[str, tuple[str, ...]]:
        """List the engine's values on each axis that this operation depends on.

        Rules of all conditions count, whether or not the conditions hold for the operands.
        """
        by_axis: dict[str, tuple[str, ...]] = {}
        entry = OPERATIONS.get(self.operation)
        for step in entry.steps if entry is not None else ():
            for choice in record.steps[step]:
                for axis, values in values_of_rule(record, step, choice.rule).items():
                    by_axis[axis] = tuple(dict.fromkeys((*by_axis.get(axis, ()), *values)))
        return by_axis

    def check(self, actual: Any, engine: str | Engine) -> tuple[np.ndarray, np.ndarray, tuple]:
        """Validate a backend's answer, and flatten it and the engine's.

        Returns
        -------
        actual, expected : ndarray
            Flat, int64 or float64.
        shape : tuple of int
            Of the output.
        """
        return fitted(self, actual, self.run(engine))

    def describe(self) -> str:
        """Describe the operation and its operands in one line."""
        parts = (f"{name}={_short(value)}" for name, value in self.arguments.items())
        return f"{self.operation}({', '.join(parts)})"

    def __repr__(self) -> str:
        return f"<Problem {self.describe()}>"


def fitted(task: Problem, actual: Any, expected: Any) -> tuple[np.ndarray, np.ndarray, tuple]:
    """Validate a backend's answer against a right one; see `Problem.check`."""
    array = _array(actual.array if isinstance(actual, Codes) else actual)
    if array.shape != tuple(expected.shape):
        raise ShapeError(
            f"oracle: {task.operation}",
            argument="actual",
            expected=f"of shape {tuple(expected.shape)}, as the operation returns",
            got=f"shape {array.shape}",
        )
    quantized_output = isinstance(expected, QuantizedTensor)
    integers = isinstance(expected, np.ndarray) and expected.dtype.kind in "iu"
    if (quantized_output or integers) and array.dtype.kind not in "iu":
        raise DtypeError(
            f"oracle: {task.operation}",
            argument="actual",
            expected="a quantized tensor or an array of its integers",
            got=f"an array of {array.dtype}",
            hint="give the integers, not the real numbers that they stand for",
        )
    if isinstance(actual, QuantizedTensor) and quantized_output:
        ours = (expected.dtype, expected.scale, expected.zero_point)
        theirs = (actual.dtype, actual.scale, actual.zero_point)
        if not all(np.array_equal(o, t) for o, t in zip(ours, theirs, strict=True)):
            raise ArgumentError(
                f"oracle: {task.operation}",
                argument="actual",
                expected="quantized with dtype {}, scale {} and zero point {}".format(*ours),
                got="{}, {} and {}".format(*theirs),
            )
    return _flat(array), _flat(expected), array.shape


def _array(value: Any) -> np.ndarray:
    if isinstance(value, QuantizedTensor | Tensor):
        return value.array
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
        return value
    raise ArgumentTypeError(
        argument="actual",
        expected="a QuantizedTensor, a Tensor or an ndarray",
        got=type(value).__name__,
    )


def _flat(value: Any) -> np.ndarray:
    array = _array(value)
    return array.reshape(-1).astype(np.float64 if array.dtype.kind == "f" else np.int64)


def _short(value: Any) -> str:
    if isinstance(value, QuantizedTensor):
        kind = "per channel" if value.axis is not None else f"{value.scale:.4g}"
        return f"{value.dtype.name} {tuple(value.shape)}, scale {kind}"
    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, list | tuple) and any(
        isinstance(v, QuantizedTensor | Codes) for v in value
    ):
        return f"{len(value)} tensors"
    return repr(value)
