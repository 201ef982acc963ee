r"""Functions of one operand on integers that stand for real numbers, :math:`x = s (q - z)`.

Runs, vectors and tails are those of `refquant.reference.elementwise`.

See ``_kernels/activation.pyx``: each function is a loop in ``_function`` there; the rules of the
exponential function are ``expm1_run`` of ``_kernels/_exponential.pxd``.
"""

import numpy as np

from refquant.reference.operands import parts, rows

__all__ = ["elu", "leaky_relu"]


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
