"""The ``_out`` variants of operations, which write their results into a given tensor.

Where the operation takes a scale and zero point, those of the target are used; where it chooses
them itself, the target takes them over.
"""

from collections.abc import Callable, Sequence
from typing import Any

from refquant.errors import DtypeError, ShapeError
from refquant.ops import checks
from refquant.ops.quantized import arithmetic, concat, with_scalar
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


def _target(out: Any) -> QuantizedTensor:
    return checks.quantized_per_tensor("out", out)


def _written(target: QuantizedTensor, result: QuantizedTensor) -> QuantizedTensor:
    if result.dtype is not target.dtype:
        raise DtypeError(argument="out", expected=str(result.dtype), got=target.dtype)
    if result.array.shape != target.array.shape:
        raise ShapeError(
            argument="out",
            expected=f"of shape {result.array.shape}",
            got=f"shape {target.array.shape}",
        )
    target.array[...] = result.array
    target.scale, target.zero_point = result.scale, result.zero_point
    return target


def _binary(operation: Callable, qa: Any, qb: Any, out: Any) -> QuantizedTensor:
    target = _target(out)
    return _written(target, operation(qa, qb, target.scale, target.zero_point))


def _scalar(operation: Callable, qa: Any, number: float, out: Any) -> QuantizedTensor:
    return _written(_target(out), operation(qa, number))


def add_out(qa: Any, qb: Any, out: Any) -> QuantizedTensor:
    """Add into `out`, with its scale and zero point; see `add`.

    Parameters
    ----------
    qa, qb : QuantizedTensor
        Operands, as of `add`.
    out : QuantizedTensor
        Of the shape and dtype of the sum.

    Returns
    -------
    QuantizedTensor
        `out`, in the memory format that it has.

    Raises
    ------
    OperationError
        As `add`, and if `out` does not fit.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([1.0, 2.0]), 0.5, 8, refquant.quint8)
    >>> refquant.ops.quantized.add_out(x, x, x.clone()).dequantize()
    tensor([2., 4.])
    """
    return _binary(arithmetic.add_written, qa, qb, out)


def add_relu_out(qa: Any, qb: Any, out: Any) -> QuantizedTensor:
    """Add into `out`, negative sums as 0; see `add_out`.

    Parameters
    ----------
    qa : QuantizedTensor
        The operand, per tensor.
    qb : QuantizedTensor
        The other operand; shapes broadcast.
    out : QuantizedTensor
        Where the result goes; its scale and zero point are used.

    Returns
    -------
    QuantizedTensor
        `out`, in the memory format that it has.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ops import quantized
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.1, 64, refquant.quint8)
    >>> out = refquant.quantize_per_tensor(refquant.zeros(2), 0.1, 64, refquant.quint8)
    >>> quantized.add_relu_out(x, x, out).dequantize()
    tensor([0., 4.])
    """
    return _binary(arithmetic.add_relu_written, qa, qb, out)


def mul_out(qa: Any, qb: Any, out: Any) -> QuantizedTensor:
    """Multiply into `out`, with its scale and zero point; see `mul` and `add_out`.

    Parameters
    ----------
    qa : QuantizedTensor
        The operand, per tensor.
    qb : QuantizedTensor
        The other operand; shapes broadcast.
    out : QuantizedTensor
        Where the result goes; its scale and zero point are used.

    Returns
    -------
    QuantizedTensor
        `out`, in the memory format that it has.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ops import quantized
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.1, 64, refquant.quint8)
    >>> out = refquant.quantize_per_tensor(refquant.zeros(2), 0.1, 64, refquant.quint8)
    >>> quantized.mul_out(x, x, out).dequantize()
    tensor([1., 4.])
    """
    return _binary(arithmetic.mul, qa, qb, out)


def mul_relu_out(qa: Any, qb: Any, out: Any) -> QuantizedTensor:
    """Multiply into `out`, negative products as 0; see `mul` and `add_out`.

    Parameters
    ----------
    qa : QuantizedTensor
        The operand, per tensor.
    qb : QuantizedTensor
        The other operand; shapes broadcast.
    out : QuantizedTensor
        Where the result goes; its scale and zero point are used.

    Returns
    -------
    QuantizedTensor
        `out`, in the memory format that it has.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ops import quantized
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.1, 64, refquant.quint8)
    >>> out = refquant.quantize_per_tensor(refquant.zeros(2), 0.1, 64, refquant.quint8)
    >>> quantized.mul_relu_out(x, x, out).dequantize()
    tensor([1., 4.])
    """
    return _binary(arithmetic.mul_relu, qa, qb, out)


def add_scalar_out(qa: Any, number: float, out: Any) -> QuantizedTensor:
    """Add a number into `out`, which takes over scale and zero point; see `add_scalar`.

    Parameters
    ----------
    qa : QuantizedTensor
        The operand, per tensor.
    number : float
        The number.
    out : QuantizedTensor
        Where the result goes; its scale and zero point are used.

    Returns
    -------
    QuantizedTensor
        `out`, in the memory format that it has.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ops import quantized
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.1, 64, refquant.quint8)
    >>> out = refquant.quantize_per_tensor(refquant.zeros(2), 0.1, 64, refquant.quint8)
    >>> quantized.add_scalar_out(x, 2.0, out).dequantize()
    tensor([1., 4.])
    """
    return _scalar(with_scalar.add_scalar, qa, number, out)


def add_scalar_relu_out(qa: Any, number: float, out: Any) -> QuantizedTensor:
    """Add a number into `out`, negative sums as 0; see `add_scalar_out`.

    Parameters
    ----------
    qa : QuantizedTensor
        The operand, per tensor.
    number : float
        The number.
    out : QuantizedTensor
        Where the result goes; its scale and zero point are used.

    Returns
    -------
    QuantizedTensor
        `out`, in the memory format that it has.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ops import quantized
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.1, 64, refquant.quint8)
    >>> out = refquant.quantize_per_tensor(refquant.zeros(2), 0.1, 64, refquant.quint8)
    >>> quantized.add_scalar_relu_out(x, 2.0, out).dequantize()
    tensor([1., 4.])
    """
    return _scalar(with_scalar.add_scalar_relu, qa, number, out)


def mul_scalar_out(qa: Any, number: float, out: Any) -> QuantizedTensor:
    """Multiply by a number into `out`, which takes over scale and zero point; see `mul_scalar`.

    Parameters
    ----------
    qa : QuantizedTensor
        The operand, per tensor.
    number : float
        The number.
    out : QuantizedTensor
        Where the result goes; its scale and zero point are used.

    Returns
    -------
    QuantizedTensor
        `out`, in the memory format that it has.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ops import quantized
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.1, 64, refquant.quint8)
    >>> out = refquant.quantize_per_tensor(refquant.zeros(2), 0.1, 64, refquant.quint8)
    >>> quantized.mul_scalar_out(x, 2.0, out).dequantize()
    tensor([-2.,  4.])
    """
    return _scalar(with_scalar.mul_scalar, qa, number, out)


def mul_scalar_relu_out(qa: Any, number: float, out: Any) -> QuantizedTensor:
    """Multiply by a number into `out`, negative products as 0; see `mul_scalar_out`.

    Parameters
    ----------
    qa : QuantizedTensor
        The operand, per tensor.
    number : float
        The number.
    out : QuantizedTensor
        Where the result goes; its scale and zero point are used.

    Returns
    -------
    QuantizedTensor
        `out`, in the memory format that it has.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ops import quantized
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.1, 64, refquant.quint8)
    >>> out = refquant.quantize_per_tensor(refquant.zeros(2), 0.1, 64, refquant.quint8)
    >>> quantized.mul_scalar_relu_out(x, 2.0, out).dequantize()
    tensor([0., 4.])
    """
    return _scalar(with_scalar.mul_scalar_relu, qa, number, out)


def cat_out(qx: Sequence[Any], dim: int, out: Any) -> QuantizedTensor:
    """Join tensors into `out`, with its scale and zero point; see `cat` and `add_out`.

    Parameters
    ----------
    qx : sequence of QuantizedTensor
        The parts, quint8, qint8 or qint32, per tensor.
    dim : int
        The dimension along which they are joined.
    out : QuantizedTensor
        Where the result goes; its scale and zero point are used.

    Returns
    -------
    QuantizedTensor
        `out`, in the memory format that it has.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ops import quantized
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.1, 64, refquant.quint8)
    >>> out = refquant.quantize_per_tensor(refquant.zeros(4), 0.1, 64, refquant.quint8)
    >>> quantized.cat_out([x, x], 0, out).dequantize()
    tensor([-1.,  2., -1.,  2.])
    """
    target = _target(out)
    joined = concat.cat(qx, dim, target.scale, target.zero_point)
    return _written(target, joined)


def cat_relu_out(qx: Sequence[Any], dim: int, out: Any) -> QuantizedTensor:
    """Join tensors into `out`, negative numbers as 0; see `cat_out`.

    Parameters
    ----------
    qx : sequence of QuantizedTensor
        The parts, quint8, qint8 or qint32, per tensor.
    dim : int
        The dimension along which they are joined.
    out : QuantizedTensor
        Where the result goes; its scale and zero point are used.

    Returns
    -------
    QuantizedTensor
        `out`, in the memory format that it has.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ops import quantized
    >>> x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0]), 0.1, 64, refquant.quint8)
    >>> out = refquant.quantize_per_tensor(refquant.zeros(4), 0.1, 64, refquant.quint8)
    >>> quantized.cat_relu_out([x, x], 0, out).dequantize()
    tensor([0., 2., 0., 2.])
    """
    target = _target(out)
    joined = concat.cat_relu(qx, dim, target.scale, target.zero_point)
    return _written(target, joined)
