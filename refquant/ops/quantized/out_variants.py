"""The ``_out`` variants of operations, which write their results into a given tensor.

Where the operation takes a scale and zero point, those of the target are used; where it chooses
them itself, the target takes them over.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from refquant._environment import enclose
from refquant.ops.quantized import arithmetic, concat, given_out, with_scalar
from refquant.tensors import QuantizedTensor

__all__ = [
    "add_out",
    "add_relu_out",
    "add_scalar_out",
    "add_scalar_relu_out",
    "cat_out",
    "cat_relu_out",
    "mul_out",
    "mul_relu_out",
    "mul_scalar_out",
    "mul_scalar_relu_out",
]


def _scalar(operation: Callable, qa: Any, number: float, out: Any) -> QuantizedTensor:
    into = given_out.target(out)
    return given_out.written(into, operation(qa, number), False)


def _join(operation: Callable, qx: Sequence[Any], dim: int, out: Any) -> QuantizedTensor:
    into = given_out.target(out)
    return given_out.written(into, operation(qx, dim, into.scale, into.zero_point), False)


_OPERANDS = {
    "qb": """qa, qb : QuantizedTensor
    Operands quantized per tensor, of one dtype, of shapes that broadcast.""",
    "number": """qa : QuantizedTensor
    The operand, quantized per tensor.
number : float
    The number.""",
    "dim": """qx : sequence of QuantizedTensor
    The parts, quantized per tensor, of one dtype.
dim : int
    The dimension along which they are joined.""",
}
_FITS = {"qb": ", or without elements, whose place it takes", "": ", or of one it broadcasts to"}
_DOCUMENTED = """{summary}

Parameters
----------
{operands}
out : QuantizedTensor
    Of the shape and dtype of the result{fits}.

Returns
-------
QuantizedTensor
    `out`, in the memory format that it has.

Raises
------
OperationError
    As `{operation}`, and if `out` does not fit.

Examples
--------
>>> import refquant
>>> from refquant.ops import quantized
>>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.1, 64, refquant.quint8)
>>> out = refquant.quantize_per_tensor(refquant.zeros({size}), 0.1, 64, refquant.quint8)
>>> quantized.{operation}_out({arguments}, out).dequantize()
tensor([{numbers}])
"""
_Function = TypeVar("_Function", bound=Callable[..., QuantizedTensor])


def _shown(arguments: str, numbers: str) -> Callable[[_Function], _Function]:
    """Decorate an operation: document it, with the numbers that an example gives."""

    def decorate(function: _Function) -> _Function:
        second = function.__code__.co_varnames[1]
        if function.__doc__ is not None:  # python -OO removes docstrings
            function.__doc__ = _DOCUMENTED.format(
                summary=function.__doc__, operands=_OPERANDS[second],
                operation=function.__name__.removesuffix("_out"), size=numbers.count(",") + 1,
                fits=_FITS["qb" if second == "qb" else ""],
                arguments=arguments, numbers=numbers,
            )  # fmt: skip
        return function

    return decorate


@_shown("x, x", "-2.,  4.")
def add_out(qa: Any, qb: Any, out: Any) -> QuantizedTensor:
    """Add into `out`, with its scale and zero point; see `add`."""
    return arithmetic.add(qa, qb, out=out)


@_shown("x, x", "0., 4.")
def add_relu_out(qa: Any, qb: Any, out: Any) -> QuantizedTensor:
    """Add into `out`, negative sums as 0; see `add_out`."""
    return arithmetic.add_relu(qa, qb, out=out)


@_shown("x, x", "1., 4.")
def mul_out(qa: Any, qb: Any, out: Any) -> QuantizedTensor:
    """Multiply into `out`, with its scale and zero point; see `mul` and `add_out`."""
    return arithmetic.mul(qa, qb, out=out)


@_shown("x, x", "1., 4.")
def mul_relu_out(qa: Any, qb: Any, out: Any) -> QuantizedTensor:
    """Multiply into `out`, negative products as 0; see `mul` and `add_out`."""
    return arithmetic.mul_relu(qa, qb, out=out)


@_shown("x, 2.0", "1., 4.")
def add_scalar_out(qa: Any, number: float, out: Any) -> QuantizedTensor:
    """Add a number into `out`, which takes over scale and zero point; see `add_scalar`."""
    return _scalar(with_scalar.add_scalar, qa, number, out)


@_shown("x, 2.0", "1., 4.")
def add_scalar_relu_out(qa: Any, number: float, out: Any) -> QuantizedTensor:
    """Add a number into `out`, negative sums as 0; see `add_scalar_out`."""
    return _scalar(with_scalar.add_scalar_relu, qa, number, out)


@_shown("x, 2.0", "-2.,  4.")
def mul_scalar_out(qa: Any, number: float, out: Any) -> QuantizedTensor:
    """Multiply by a number into `out`, which takes over scale and zero point; see `mul_scalar`."""
    return _scalar(with_scalar.mul_scalar, qa, number, out)


@_shown("x, 2.0", "0., 4.")
def mul_scalar_relu_out(qa: Any, number: float, out: Any) -> QuantizedTensor:
    """Multiply by a number into `out`, negative products as 0; see `mul_scalar_out`."""
    return _scalar(with_scalar.mul_scalar_relu, qa, number, out)


@_shown("[x, x], 0", "-1.,  2., -1.,  2.")
def cat_out(qx: Sequence[Any], dim: int, out: Any) -> QuantizedTensor:
    """Join tensors into `out`, with its scale and zero point; see `cat` and `add_out`."""
    return _join(concat.cat, qx, dim, out)


@_shown("[x, x], 0", "0., 2., 0., 2.")
def cat_relu_out(qx: Sequence[Any], dim: int, out: Any) -> QuantizedTensor:
    """Join tensors into `out`, negative numbers as 0; see `cat_out`."""
    return _join(concat.cat_relu, qx, dim, out)


enclose(__name__)
