r"""Functions of one operand on integers that stand for real numbers, :math:`x = s (q - z)`.

Runs, vectors and tails are those of `refquant.reference.elementwise`.

See ``_kernels/activation.pyx``: each function is a loop in ``_function`` there; the rules of the
exponential function are ``expm1_run`` of ``_kernels/_exponential.pxd``, those of other functions
``function_run`` of ``_kernels/_functions.pxd``.
"""

import numpy as np

from refquant.engines.rules.float32 import reciprocal, wrap_int32
from refquant.reference.operands import parts, rows

__all__ = [
    "elu",
    "function",
    "leaky_relu",
    "look_up",
    "prelu",
    "softmax_of_integers",
    "threshold",
]


@np.errstate(all="ignore")
def elu(a, a_quantizer, output, factors, runs, dequantize, exponential, quantize):
    r"""Apply the exponential linear unit to real numbers, :math:`q = quantize(f \cdot y)`.

    .. math:: y = x \text{ if } x > 0 \text{ else } \alpha (e^{g x} - 1),\quad x = s_a (q_a - z_a)

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, shape (n,)
        Integers.
    a_quantizer : Quantizer
        Scale and zero point before.
    output : Output
        Scale, zero point and range after.
    factors : EluFactors
        :math:`\alpha`, :math:`f` and :math:`g`.
    runs : Runs
        How the engine walks.
    dequantize, exponential, quantize : Split
        How one element becomes a real number, what :math:`e^x - 1` is, and how the result becomes
        an integer.

    Returns
    -------
    ndarray of the type of `a`, shape (n,)
    """
    result = np.empty_like(a)
    q_a, q = rows(runs, a, result)
    alpha, output_factor, input_factor = (np.float32(factor) for factor in factors)
    splits = dequantize, exponential, quantize
    for columns, (real, minus_one, integer) in parts(runs, *splits):
        x = real(q_a[:, columns], *a_quantizer)
        below = minus_one(x * input_factor) * alpha
        y = np.where(x > 0, x, below) * output_factor
        q[:, columns] = integer(y, *output)
    return result


@np.errstate(all="ignore")
def leaky_relu(a, a_quantizer, output, negative_slope, runs, dequantize, quantize):
    r"""Apply the leaky rectified linear unit to real numbers, :math:`q = quantize(y)`.

    .. math:: y = x \text{ if } x > 0 \text{ else } c x,\quad x = s_a (q_a - z_a)

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, shape (n,)
        Integers.
    a_quantizer : Quantizer
        Scale and zero point before.
    output : Output
        Scale, zero point and range after.
    negative_slope : float
        The slope c, which becomes float32.
    runs : Runs
        How the engine walks.
    dequantize, quantize : Split
        How one element becomes a real number, and how the result becomes an integer.

    Returns
    -------
    ndarray of the type of `a`, shape (n,)
    """
    result = np.empty_like(a)
    q_a, q = rows(runs, a, result)
    slope = np.float32(negative_slope)
    for columns, (real, integer) in parts(runs, dequantize, quantize):
        x = real(q_a[:, columns], *a_quantizer)
        q[:, columns] = integer(np.where(x > 0, x, x * slope), *output)
    return result


@np.errstate(all="ignore")
def threshold(a, a_quantizer, output, factors, runs, dequantize, quantize):
    r"""Replace real numbers that are not above a threshold, :math:`q = quantize(y)`.

    .. math:: y = x \text{ if } x > t \text{ else } v,\quad x = s_a (q_a - z_a)

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, shape (n,)
        Integers.
    a_quantizer : Quantizer
        Scale and zero point before.
    output : Output
        Scale, zero point and range after.
    factors : tuple of float
        The threshold t and the value v, which become float32.
    runs : Runs
        How the engine walks.
    dequantize, quantize : Split
        How one element becomes a real number, and how the result becomes an integer.

    Returns
    -------
    ndarray, as `a`
    """
    result = np.empty_like(a)
    q_a, q = rows(runs, a, result)
    limit, value = (np.float32(factor) for factor in factors)
    for columns, (real, integer) in parts(runs, dequantize, quantize):
        x = real(q_a[:, columns], *a_quantizer)
        q[:, columns] = integer(np.where(x > limit, x, value), *output)
    return result


@np.errstate(all="ignore")
def function(a, a_quantizer, output, runs, dequantize, rules, quantize):
    r"""Apply a function of real numbers, :math:`q = quantize(f(s_a (q_a - z_a)))`.

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, shape (n,)
        Integers.
    a_quantizer : Quantizer
        Scale and zero point before.
    output : Output
        Scale, zero point and range after.
    runs : Runs
        How the engine walks.
    dequantize, rules, quantize : Split
        How one element becomes a real number, what the function is, and how the result becomes an
        integer.

    Returns
    -------
    ndarray, as `a`
    """
    result = np.empty_like(a)
    q_a, q = rows(runs, a, result)
    for columns, (real, rule, integer) in parts(runs, dequantize, rules, quantize):
        x = np.asarray(real(q_a[:, columns], *a_quantizer), np.float32)
        q[:, columns] = integer(rule(x), *output)
    return result


def look_up(a, answers):
    """Take answers from a table, q = answers[q_a].

    Parameters
    ----------
    a : ndarray of uint8, shape (n,)
        Integers.
    answers : ndarray of uint8, shape (256,)
        What stands for each of them.

    Returns
    -------
    ndarray of uint8, shape (n,)
    """
    return answers[a]


@np.errstate(all="ignore")
def prelu(a, a_quantizer, weight, weight_quantizer, one, output, runs, requantize):
    r"""Multiply negative numbers by slopes, :math:`q = clip(round(m n) + z)`, m = s_a s_w / s.

    .. math:: n = (q_a - z_a) \cdot (one \text{ if } q_a > z_a \text{ else } q_w - z_w)

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, shape (n,)
        Integers.
    a_quantizer : Quantizer
        Their scale and zero point.
    weight : ndarray of the type of `a`, shape (n,) or (1,)
        Integers of the slopes, or of the only one.
    weight_quantizer : Quantizer
        Their scale and zero point.
    one : int
        How many steps of a slope 1 is.
    output : Output
        Scale, zero point and range of the result.
    runs : Runs
        How the engine walks.
    requantize : Split
        How the product, which wraps in int32, becomes an integer of the result.

    Returns
    -------
    ndarray, as `a`
    """
    (scale, zero_point), (weight_scale, weight_zero_point) = a_quantizer, weight_quantizer
    result_scale, *rest = output
    multiplier = np.float32(scale) * np.float32(weight_scale) * reciprocal(result_scale)
    slopes = np.where(a > zero_point, one, wrap_int32(weight.astype(np.int64) - weight_zero_point))
    steps = wrap_int32(wrap_int32(a.astype(np.int64) - zero_point) * slopes)
    result = np.empty_like(a)
    n, q = rows(runs, steps, result)
    for columns, (rule,) in parts(runs, requantize):
        q[:, columns] = rule(n[:, columns], multiplier, *rest)
    return result


def softmax_of_integers(a, powers):
    r"""Normalize powers of rows to a sum of about 256, with integers alone.

    .. math:: q = \min((256 t_i + \lfloor T / 2 \rfloor) / T, 255),\quad
        t_i = powers[q_i - \max q + 255],\; T = \sum_i t_i

    Parameters
    ----------
    a : ndarray of uint8, shape (rows, n)
        Integers.
    powers : ndarray of uint32, shape (256,)
        The power of each distance to the largest integer, which has the last one.

    Returns
    -------
    ndarray of uint8, shape (rows, n)
    """
    if a.size == 0:
        return np.empty_like(a)
    q = a.astype(np.int64)
    parts_of_row = powers.astype(np.int64)[q - q.max(axis=1, keepdims=True) + 255]
    total = parts_of_row.sum(axis=1, keepdims=True)
    shares = (parts_of_row * 256 + total // 2) // total
    return np.minimum(shares, 255).astype(np.uint8)
