r"""Element-wise operations on integers that stand for real numbers, :math:`x = s (q - z)`.

Operands lie in runs: the engine takes the first `body` elements of every `run` in whole vectors
and the others one by one, and rounds the two differently. A pair of rules is a `Split`: its
``body`` is for the former, its ``tail`` for the latter.
"""

import numpy as np

from refquant.engines.elementwise import (
    product_of_integers,
    shift_of_integers,
    sum_in_fixed_point,
)

__all__ = [
    "add",
    "add_fixed_point",
    "add_number",
    "clamp",
    "multiply",
    "multiply_integers",
    "requantize",
]


def _parts(split, body):
    """Columns of the body and their rule, then those of the tail and theirs."""
    return (slice(0, body), split.body), (slice(body, None), split.tail)


def _in_runs(q, run):
    return q.reshape(-1, max(run, 1))


@np.errstate(all="ignore")
def add(
    a,
    a_scale,
    a_zero_point,
    b,
    b_scale,
    b_zero_point,
    scale,
    zero_point,
    quant_min,
    quant_max,
    relu,
    run,
    body,
    dequantize,
    quantize,
):
    r"""Add real numbers, :math:`q = quantize(s_a (q_a - z_a) + s_b (q_b - z_b))`.

    Parameters
    ----------
    a, b : ndarray of uint8, int8 or int32, shape (n,)
        Integers of both operands, of the same type.
    a_scale, b_scale, scale : float
        Real units of one quantized step, of the operands and of the result.
    a_zero_point, b_zero_point, zero_point : int
        The integers that stand for real zero.
    quant_min, quant_max : int
        Range of the integers.
    relu : bool
        Whether negative sums become 0; NaN stays.
    run : int
        Length of a run; `n` is a multiple of it.
    body : int
        How many leading elements of a run are rounded like vectors.
    dequantize, quantize : Split
        How one element becomes a real number, and how the sum becomes an integer.

    Returns
    -------
    ndarray of the type of `a`, shape (n,)
    """
    result = np.empty_like(a)
    q_a, q_b, q = _in_runs(a, run), _in_runs(b, run), _in_runs(result, run)
    for (columns, real), (_, integer) in zip(
        _parts(dequantize, body), _parts(quantize, body), strict=True
    ):
        x = real(q_a[:, columns], a_scale, a_zero_point)
        y = real(q_b[:, columns], b_scale, b_zero_point)
        total = x + y
        if relu:
            total = np.maximum(total, 0)
        q[:, columns] = integer(total, scale, zero_point, quant_min, quant_max)
    return result


@np.errstate(all="ignore")
def multiply(
    a,
    a_scale,
    a_zero_point,
    b,
    b_scale,
    b_zero_point,
    scale,
    zero_point,
    quant_min,
    quant_max,
    relu,
    run,
    body,
    dequantize,
    quantize,
):
    r"""Multiply real numbers, :math:`q = quantize(s_a (q_a - z_a) \cdot s_b (q_b - z_b))`.

    Parameters
    ----------
    a, b : ndarray of uint8, int8 or int32, shape (n,)
        Integers of both operands, of the same type.
    a_scale, b_scale, scale : float
        Real units of one quantized step, of the operands and of the result.
    a_zero_point, b_zero_point, zero_point : int
        The integers that stand for real zero.
    quant_min, quant_max : int
        Range of the integers.
    relu : bool
        Whether negative products become 0; NaN stays.
    run : int
        Length of a run; `n` is a multiple of it.
    body : int
        How many leading elements of a run are rounded like vectors.
    dequantize, quantize : Split
        How one element becomes a real number, and how the product becomes an integer.

    Returns
    -------
    ndarray of the type of `a`, shape (n,)
    """
    result = np.empty_like(a)
    q_a, q_b, q = _in_runs(a, run), _in_runs(b, run), _in_runs(result, run)
    for (columns, real), (_, integer) in zip(
        _parts(dequantize, body), _parts(quantize, body), strict=True
    ):
        x = real(q_a[:, columns], a_scale, a_zero_point)
        y = real(q_b[:, columns], b_scale, b_zero_point)
        product = x * y
        if relu:
            product = np.maximum(product, 0)
        q[:, columns] = integer(product, scale, zero_point, quant_min, quant_max)
    return result


@np.errstate(all="ignore")
def requantize(
    a,
    a_scale,
    a_zero_point,
    scale,
    zero_point,
    quant_min,
    quant_max,
    relu,
    run,
    body,
    dequantize,
    quantize,
):
    r"""Give the same real numbers other parameters, :math:`q = quantize(s_a (q_a - z_a))`.

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, shape (n,)
        Integers.
    a_scale, scale : float
        Real units of one quantized step, before and after.
    a_zero_point, zero_point : int
        The integer that stands for real zero, before and after.
    quant_min, quant_max : int
        Range of the integers.
    relu : bool
        Whether negative numbers become 0; NaN stays.
    run : int
        Length of a run; `n` is a multiple of it.
    body : int
        How many leading elements of a run are rounded like vectors.
    dequantize, quantize : Split
        How one element becomes a real number, and how that becomes an integer.

    Returns
    -------
    ndarray of the type of `a`, shape (n,)
    """
    result = np.empty_like(a)
    q_a, q = _in_runs(a, run), _in_runs(result, run)
    for (columns, real), (_, integer) in zip(
        _parts(dequantize, body), _parts(quantize, body), strict=True
    ):
        x = real(q_a[:, columns], a_scale, a_zero_point)
        if relu:
            x = np.maximum(x, 0)
        q[:, columns] = integer(x, scale, zero_point, quant_min, quant_max)
    return result


def add_fixed_point(
    a, a_scale, a_zero_point, b, b_scale, b_zero_point, scale, zero_point, lower, upper
):
    r"""Add with integers alone: scales over the scale of the result as 22-bit multipliers.

    .. math:: q = clip(round(m_a (q_a - z_a) + m_b (q_b - z_b), 2^{shift}) + z)

    Parameters
    ----------
    a, b : ndarray of uint8, shape (n,)
        Integers of both operands.
    a_scale, b_scale, scale : float
        Real units of one quantized step; both ratios to `scale` lie in [2**-14, 2**8).
    a_zero_point, b_zero_point, zero_point : int
        The integers that stand for real zero.
    lower, upper : int
        Range of the result: of the integers, or from `zero_point` on for relu.

    Returns
    -------
    ndarray of uint8, shape (n,)
    """
    steps = sum_in_fixed_point(a, a_scale, a_zero_point, b, b_scale, b_zero_point, scale)
    return np.clip(steps + zero_point, lower, upper).astype(np.uint8)


@np.errstate(all="ignore")
def multiply_integers(
    a,
    a_scale,
    a_zero_point,
    b,
    b_scale,
    b_zero_point,
    scale,
    zero_point,
    lower,
    upper,
    run,
    body,
    requantize,
):
    r"""Multiply integers, :math:`q = clip(round(m (q_a - z_a)(q_b - z_b)) + z)`, m = s_a s_b / s.

    Parameters
    ----------
    a, b : ndarray of uint8, int8 or int32, shape (n,)
        Integers of both operands, of the same type; products of int32 wrap.
    a_scale, b_scale, scale : float
        Real units of one quantized step, of the operands and of the result.
    a_zero_point, b_zero_point, zero_point : int
        The integers that stand for real zero.
    lower, upper : int
        Range of the result: of the integers, or from `zero_point` on for relu.
    run : int
        Length of a run; `n` is a multiple of it.
    body : int
        How many leading elements of a run are rounded like vectors.
    requantize : Split
        How the product becomes an integer of the result.

    Returns
    -------
    ndarray of the type of `a`, shape (n,)
    """
    both = np.float32(a_scale) * np.float32(b_scale)
    multiplier = both * (np.float32(1) / np.float32(scale))
    product = _in_runs(product_of_integers(a, a_zero_point, b, b_zero_point), run)
    result = np.empty_like(a)
    q = _in_runs(result, run)
    for columns, rule in _parts(requantize, body):
        q[:, columns] = rule(product[:, columns], multiplier, zero_point, lower, upper)
    return result


@np.errstate(all="ignore")
def add_number(a, offset, a_scale, scale, zero_point, lower, upper, run, body, requantize):
    r"""Add a number of steps, :math:`q = clip(round(m (q_a + offset)) + z)`, m = s_a / s.

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, shape (n,)
        Integers.
    offset : int
        Steps to add, less the zero point of `a`; the sum wraps in int32.
    a_scale, scale : float
        Real units of one quantized step, before and after.
    zero_point : int
        The integer that stands for real zero in the result.
    lower, upper : int
        Range of the result: of the integers, or from `zero_point` on for relu.
    run : int
        Length of a run; `n` is a multiple of it.
    body : int
        How many leading elements of a run are rounded like vectors.
    requantize : Split
        How the sum becomes an integer of the result.

    Returns
    -------
    ndarray of the type of `a`, shape (n,)
    """
    multiplier = np.float32(a_scale) * (np.float32(1) / np.float32(scale))
    steps = _in_runs(shift_of_integers(a, offset), run)
    result = np.empty_like(a)
    q = _in_runs(result, run)
    for columns, rule in _parts(requantize, body):
        q[:, columns] = rule(steps[:, columns], multiplier, zero_point, lower, upper)
    return result


def clamp(a, lower, upper):
    r"""Keep integers in a range, :math:`q = \min(\max(q_a, lower), upper)`.

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, shape (n,)
        Integers.
    lower, upper : int
        The range, inside that of the type.

    Returns
    -------
    ndarray of the type of `a`, shape (n,)
    """
    return np.minimum(np.maximum(a, a.dtype.type(lower)), a.dtype.type(upper))
