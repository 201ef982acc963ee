"""Cases of test vectors: an operation with operands constructed to hit what often goes wrong."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from refquant.dtypes import qint8, quint8
from refquant.ops.from_data import tensor
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.table import problem
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Case", "floats", "quantized", "weight"]


@dataclass(frozen=True)
class Case:
    """One operation with its operands.

    Attributes
    ----------
    name : str
        Unique among the cases of an operation; letters, digits, ``_`` and ``-``.
    operation : str
        See `refquant.oracle.problem`.
    arguments : dict
        The operands by name: quantized tensors, tensors, numbers.

    Examples
    --------
    >>> import refquant
    >>> from refquant import oracle
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.1, 64, refquant.quint8)
    >>> oracle.Case("two-values", "relu6", {"qx": x}).name
    'two-values'
    """

    name: str
    operation: str
    arguments: dict[str, Any]

    @property
    def problem(self) -> Problem:
        """The case as a problem of the oracle."""
        return problem(self.operation, **self.arguments)


def quantized(q: Any, scale: float, zero_point: int, dtype: Any = None) -> QuantizedTensor:
    """Make a tensor of integers with one scale."""
    dtype = quint8 if dtype is None else dtype
    return QuantizedTensor(
        np.ascontiguousarray(q, dtype.numpy), dtype, float(scale), int(zero_point)
    )


def weight(q: Any, scale: Any, zero_point: int = 0) -> QuantizedTensor:
    """Make a qint8 weight with one scale, or one for each output."""
    q = np.ascontiguousarray(q, np.int8)
    if np.ndim(scale) == 0:
        return QuantizedTensor(q, qint8, float(scale), zero_point)
    zeros = np.full(len(scale), zero_point, np.int64)
    return QuantizedTensor(q, qint8, np.asarray(scale, np.float64), zeros, axis=0)


def floats(values: Any) -> Tensor:
    """Make a float32 tensor."""
    return tensor(np.ascontiguousarray(values, np.float32))
