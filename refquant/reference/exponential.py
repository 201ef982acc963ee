r"""The exponential linear unit on integers that stand for real numbers, :math:`x = s (q - z)`.

Runs, bodies and tails are those of `refquant.reference.elementwise`.
"""

import numpy as np

__all__ = ["elu"]


@np.errstate(all="ignore")
def elu(
    a,
    a_scale,
    a_zero_point,
    scale,
    zero_point,
    quant_min,
    quant_max,
    alpha,
    factor,
    input_factor,
    run,
    body,
    dequantize,
    exponential,
    quantize,
):
    r"""Apply the exponential linear unit to real numbers, :math:`q = quantize(f \cdot y)`.

    .. math:: y = x \text{ if } x > 0 \text{ else } \alpha (e^{g x} - 1),\quad x = s_a (q_a - z_a)

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
    alpha, factor, input_factor : float
        :math:`\alpha`, :math:`f` and :math:`g`, which become float32.
    run : int
        Length of a run; `n` is a multiple of it.
    body : int
        How many leading elements of a run are rounded like vectors.
    dequantize, exponential, quantize : Split
        How one element becomes a real number, what :math:`e^x - 1` is, and how the result becomes
        an integer.

    Returns
    -------
    ndarray of the type of `a`, shape (n,)
    """
    result = np.empty_like(a)
    q_a, q = a.reshape(-1, max(run, 1)), result.reshape(-1, max(run, 1))
    for part, columns in (("body", slice(0, body)), ("tail", slice(body, None))):
        real, minus_one, integer = (
            getattr(split, part) for split in (dequantize, exponential, quantize)
        )
        x = real(q_a[:, columns], a_scale, a_zero_point)
        below = minus_one(x * np.float32(input_factor)) * np.float32(alpha)
        y = np.where(x > 0, x, below) * np.float32(factor)
        q[:, columns] = integer(y, scale, zero_point, quant_min, quant_max)
    return result
