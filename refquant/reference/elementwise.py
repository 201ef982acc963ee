r"""Element-wise operations on integers that stand for real numbers, :math:`x = s (q - z)`.

Operands lie in runs (`refquant.reference.operands.Runs`): the engine takes the first elements of
each in whole vectors and the others one by one, and rounds the two differently. A pair of rules is
a `Split`: its ``vector`` is for the former, its ``tail`` for the latter.

See ``_kernels/elementwise.pyx``: `add`, `multiply` and `requantize` are ``_combine_piece`` there,
`multiply_integers` is ``product_piece`` of ``_kernels/_integer_runs.pxd``, `add_scalar` is
``shift_piece``; `join` is ``join_rows`` of ``_kernels/_joined.pxd``.
"""

import numpy as np

from refquant.engines.rules.elementwise import (
    product_of_integers,
    shift_of_integers,
    sum_in_fixed_point,
)
from refquant.engines.rules.float32 import reciprocal
from refquant.reference.operands import Runs, parts, rows

__all__ = [
    "add",
    "add_fixed_point",
    "add_scalar",
    "clamp",
    "join",
    "multiply",
    "multiply_integers",
    "requantize",
]


@np.errstate(all="ignore")
def add(a, a_quantizer, b, b_quantizer, output, relu, runs, dequantize, quantize):
    r"""Add real numbers, :math:`q = quantize(s_a (q_a - z_a) + s_b (q_b - z_b))`.

    Parameters
    ----------
    a, b : ndarray of uint8, int8 or int32, of any shape, without gaps
        Integers of both operands, of the same type.
    a_quantizer, b_quantizer : Quantizer
        Scales and zero points of the operands.
    output : Output
        Scale, zero point and range of the result.
    relu : bool
        Whether negative sums become 0; NaN stays.
    runs : Runs
        How the engine walks.
    dequantize, quantize : Split
        How one element becomes a real number, and how the sum becomes an integer.

    Returns
    -------
    ndarray of the type and shape of `a`
    """
    result = np.empty_like(a)
    q_a, q_b, q = rows(runs, a, b, result)
    for columns, (real, integer) in parts(runs, dequantize, quantize):
        total = real(q_a[:, columns], *a_quantizer) + real(q_b[:, columns], *b_quantizer)
        if relu:
            total = np.maximum(total, 0)
        q[:, columns] = integer(total, *output)
    return result


@np.errstate(all="ignore")
def multiply(a, a_quantizer, b, b_quantizer, output, relu, runs, dequantize, quantize):
    r"""Multiply real numbers, :math:`q = quantize(s_a (q_a - z_a) \cdot s_b (q_b - z_b))`.

    Parameters
    ----------
    a, b : ndarray of uint8, int8 or int32, of any shape, without gaps
        Integers of both operands, of the same type.
    a_quantizer, b_quantizer : Quantizer
        Scales and zero points of the operands.
    output : Output
        Scale, zero point and range of the result.
    relu : bool
        Whether negative products become 0; NaN stays.
    runs : Runs
        How the engine walks.
    dequantize, quantize : Split
        How one element becomes a real number, and how the product becomes an integer.

    Returns
    -------
    ndarray of the type and shape of `a`
    """
    result = np.empty_like(a)
    q_a, q_b, q = rows(runs, a, b, result)
    for columns, (real, integer) in parts(runs, dequantize, quantize):
        product = real(q_a[:, columns], *a_quantizer) * real(q_b[:, columns], *b_quantizer)
        if relu:
            product = np.maximum(product, 0)
        q[:, columns] = integer(product, *output)
    return result


@np.errstate(all="ignore")
def requantize(a, a_quantizer, output, relu, runs, dequantize, quantize):
    r"""Give the same real numbers other parameters, :math:`q = quantize(s_a (q_a - z_a))`.

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, of any shape, without gaps
        Integers.
    a_quantizer : Quantizer
        Scale and zero point before.
    output : Output
        Scale, zero point and range after.
    relu : bool
        Whether negative numbers become 0; NaN stays.
    runs : Runs
        How the engine walks.
    dequantize, quantize : Split
        How one element becomes a real number, and how that becomes an integer.

    Returns
    -------
    ndarray of the type and shape of `a`
    """
    result = np.empty_like(a)
    q_a, q = rows(runs, a, result)
    for columns, (real, integer) in parts(runs, dequantize, quantize):
        x = real(q_a[:, columns], *a_quantizer)
        if relu:
            x = np.maximum(x, 0)
        q[:, columns] = integer(x, *output)
    return result


def add_fixed_point(a, a_quantizer, b, b_quantizer, output):
    r"""Add with integers alone: scales over the scale of the result as 22-bit multipliers.

    .. math:: q = clip(round(m_a (q_a - z_a) + m_b (q_b - z_b), 2^{shift}) + z)

    Parameters
    ----------
    a, b : ndarray of uint8, of any shape, without gaps
        Integers of both operands.
    a_quantizer, b_quantizer : Quantizer
        Scales and zero points of the operands.
    output : Output
        Of the result; both ratios of scales to its scale lie in [2**-14, 2**8).

    Returns
    -------
    ndarray of uint8, of the shape of `a`
    """
    (a_scale, a_zero), (b_scale, b_zero) = a_quantizer, b_quantizer
    scale, zero_point, output_min, output_max = output
    result = np.empty_like(a)
    steps = sum_in_fixed_point(a, a_scale, a_zero, b, b_scale, b_zero, scale)
    result[...] = np.clip(steps + zero_point, output_min, output_max)
    return result


@np.errstate(all="ignore")
def multiply_integers(a, a_quantizer, b, b_quantizer, output, runs, requantize):
    r"""Multiply integers, :math:`q = clip(round(m (q_a - z_a)(q_b - z_b)) + z)`, m = s_a s_b / s.

    Parameters
    ----------
    a, b : ndarray of uint8, int8 or int32, of any shape, without gaps
        Integers of both operands, of the same type; products of int32 wrap.
    a_quantizer, b_quantizer : Quantizer
        Scales and zero points of the operands.
    output : Output
        Scale, zero point and range of the result.
    runs : Runs
        How the engine walks.
    requantize : Split
        How the product becomes an integer of the result.

    Returns
    -------
    ndarray of the type and shape of `a`
    """
    scale, *rest = output
    (a_scale, a_zero_point), (b_scale, b_zero_point) = a_quantizer, b_quantizer
    multiplier = np.float32(a_scale) * np.float32(b_scale) * reciprocal(scale)
    result = np.empty_like(a)
    product, q = rows(runs, product_of_integers(a, a_zero_point, b, b_zero_point), result)
    for columns, (rule,) in parts(runs, requantize):
        q[:, columns] = rule(product[:, columns], multiplier, *rest)
    return result


@np.errstate(all="ignore")
def add_scalar(a, offset, a_scale, output, runs, requantize):
    r"""Add a number of steps, :math:`q = clip(round(m (q_a + offset)) + z)`, m = s_a / s.

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, of any shape, without gaps
        Integers.
    offset : int
        Steps to add, less the zero point of `a`; the sum wraps in int32.
    a_scale : float
        Real units of one quantized step of `a`.
    output : Output
        Scale, zero point and range of the result.
    runs : Runs
        How the engine walks.
    requantize : Split
        How the sum becomes an integer of the result.

    Returns
    -------
    ndarray of the type and shape of `a`
    """
    scale, *rest = output
    multiplier = np.float32(a_scale) * reciprocal(scale)
    result = np.empty_like(a)
    steps, q = rows(runs, shift_of_integers(a, offset), result)
    for columns, (rule,) in parts(runs, requantize):
        q[:, columns] = rule(steps[:, columns], multiplier, *rest)
    return result


def clamp(a, lower, upper):
    r"""Keep integers in a range, :math:`q = \min(\max(q_a, lower), upper)`.

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, of any shape, without gaps
        Integers.
    lower, upper : int
        The range, inside that of the type.

    Returns
    -------
    ndarray of the type and shape of `a`
    """
    result = np.empty_like(a)
    result[...] = np.minimum(np.maximum(a, a.dtype.type(lower)), a.dtype.type(upper))
    return result


def join(pieces, quantizers, output, relu, keep, vector_lengths, dequantize, quantize):
    """Lay the rows of several arrays side by side and give them one scale and zero point.

    Parameters
    ----------
    pieces : tuple of ndarray of uint8, int8 or int32, shape (rows, n) with any n
        Integers, of one type.
    quantizers : tuple of Quantizer
        Scale and zero point of each.
    output : Output
        Scale, zero point and range of the result.
    relu : bool
        Whether negative numbers become 0.
    keep : bool
        Whether a piece that has scale and zero point of the result is copied, without `relu`.
    vector_lengths : tuple of int
        How many leading elements of the rows of each are rounded like vectors.
    dequantize, quantize : Split
        How numbers are recovered and rounded.

    Returns
    -------
    ndarray of the type of `pieces`, shape (rows, sum of all n)
    """
    joined = []
    for q, quantizer, vectors in zip(pieces, quantizers, vector_lengths, strict=True):
        if relu or not keep or tuple(quantizer) != tuple(output[:2]):
            runs = Runs(q.shape[1], vectors)
            flat = requantize(q.ravel(), quantizer, output, relu, runs, dequantize, quantize)
            joined.append(flat.reshape(q.shape))
        else:
            joined.append(q)
    return np.concatenate(joined, axis=1)
