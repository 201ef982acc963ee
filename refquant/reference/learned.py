r"""Fake quantization whose parameters are floats: float zero points, and gradients of parameters.

Definitions without kernels, because what uses them is rare. Every operation is rounded to float32
unless float64 is said; sums are `refquant.engines.rules.float_sums.sum_in_cascades`.
"""

import numpy as np

from refquant.engines.rules.float32 import fma

__all__ = ["backward_zero_point", "float_point_values", "learned_gradients"]


def _converted(p):
    """Round and convert to int64 as x86 does; float64."""
    q = np.rint(p).astype(np.float64)
    return np.where(np.abs(q) < 2.0**63, q, -(2.0**63))


@np.errstate(all="ignore")
def float_point_values(x, scale, zero_point, quant_min, quant_max):
    r"""Quantize and dequantize with zero points that are no integers.

    :math:`q = \mathrm{rne}(x / s + z)`, product and sum with one rounding; they are rounded one by
    one for zero points of float16, and formed in float64 for `x` of float64.

    Parameters
    ----------
    x : ndarray of float32 or float64
        Real values, numbers of fewer bits converted to float32.
    scale : ndarray of float32
        Broadcast against `x`.
    zero_point : ndarray of float32 or float16
        Broadcast against `x`.
    quant_min, quant_max : int
        Range of the integers.

    Returns
    -------
    values : ndarray of float64
        To be rounded to the type of the numbers.
    kept : ndarray of bool
        Where nothing was clipped.
    """
    inverse, z = np.float32(1) / scale, zero_point.astype(np.float32)
    if x.dtype == np.float64:
        p = (z.astype(np.float64) + x * inverse.astype(np.float64)).astype(np.float32)
    elif zero_point.dtype == np.float16:
        p = z + x * inverse
    else:
        p = fma(x, inverse, z)
    q = _converted(p)
    values = (np.clip(q, quant_min, quant_max) - z.astype(np.float64)) * scale.astype(np.float64)
    return values, (q >= quant_min) & (q <= quant_max)


def backward_zero_point(zero_point, quant_min, quant_max):
    """Round the zero point as the backward pass per tensor does: half up, towards zero.

    The forward pass rounds half to even, so the two differ for negative numbers and halves.
    """
    raised = np.asarray(zero_point, np.float32) + np.float32(0.5)
    return np.trunc(np.clip(raised, np.float32(quant_min), np.float32(quant_max)))


@np.errstate(all="ignore")
def learned_gradients(gradient, x, scale, zero_point, quant_min, quant_max, factor):
    """Form the gradients of fake quantization with respect to input, scale and zero point.

    Integers are rounded after the sum, unlike in the forward pass.

    Parameters
    ----------
    gradient, x : ndarray of float32
        Gradient of the result, and the real values.
    scale, zero_point : ndarray of float32
        Broadcast against `x`; the zero points are whole numbers.
    quant_min, quant_max : int
        Range of the integers.
    factor : float
        What the gradients of the parameters are multiplied by, rounded to float32.

    Returns
    -------
    of_input, of_scale, of_zero_point : ndarray of float32
        Element by element; those of the parameters are to be summed.
    """
    f32 = np.float32
    inverse, g = f32(1) / scale, f32(factor)
    q = _converted(fma(x, inverse, zero_point))
    inside = (q >= quant_min) & (q <= quant_max)
    steps = np.clip(q, quant_min, quant_max).astype(f32) - zero_point
    within = gradient * fma(steps, scale, -x) * inverse * g
    ends = np.where(q < quant_min, f32(quant_min) - zero_point, f32(quant_max) - zero_point)
    of_scale = np.where(inside, within, gradient * ends * g)
    of_zero_point = np.where(inside, f32(0), -gradient * scale * g)
    return gradient * inside.astype(f32), of_scale, of_zero_point
