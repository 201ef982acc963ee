r"""Normalization of quantized tensors: by statistics that are given, or by those of the elements.

Sums of integers are exact, but where an engine adds float32; what is said to be rounded to float32
is rounded once. With the mean m of integers, their variance v and the scale s,
:math:`r = s / \sqrt{s^2 v + \epsilon}` turns steps into units of the standard deviation.

See ``_kernels/normalization.pyx``.
"""

import numpy as np

from refquant.engines.rules.float32 import fma
from refquant.reference.operands import split_at

__all__ = ["batch_norm", "deviation", "group_norm", "group_norm_of_pixels", "layer_norm"]

F = np.float32
# From so many pixels on, channels-last groups are added in float32, a channel at a time.
MANY_PIXELS = 512
# float32 that vectors of squares of int32 hold, and half of them.
LANES, HALF_OF_LANES = 8, 4


@np.errstate(all="ignore")
def batch_norm(a, a_quantizer, statistics, eps, output, relu, dequantize, quantize):
    r"""Normalize channels by given statistics, :math:`q = quantize(\alpha (q_a - z_a) + \beta)`.

    .. math:: \alpha = \frac{s_a}{s} \frac{w}{\sqrt{v + \epsilon}},\quad
        \beta = \frac{1}{s} \left(b - \frac{m w}{\sqrt{v + \epsilon}}\right)

    in float32 but for the scales, and added in one fused operation.

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, shape (pixels, channels)
        Integers.
    a_quantizer : Quantizer
        Their scale and zero point.
    statistics : tuple of four ndarray of float32, shape (channels,)
        Weight w, bias b, mean m and variance v.
    eps : float
        :math:`\epsilon`, which becomes float32.
    output : Output
        Scale, zero point and range after.
    relu : bool
        Whether results below the zero point become the zero point.
    dequantize, quantize : Split
        How one element becomes a number of steps, and how the steps of the result become an
        integer; by whole vectors of channels and the others.

    Returns
    -------
    ndarray, as `a`
    """
    (a_scale, a_zero_point), (scale, zero_point, *ends) = a_quantizer, output
    weight, bias, mean, variance = statistics
    inverse = (1.0 / np.sqrt(variance + F(eps)).astype(np.float64)).astype(F)
    alpha = ((inverse * weight).astype(np.float64) * (a_scale / scale)).astype(F)
    beta = ((bias - mean * inverse * weight).astype(np.float64) / scale).astype(F)
    result = np.empty_like(a)
    for columns, (real, integer) in split_at(_vectors(a.shape[1], quantize), dequantize, quantize):
        steps = np.asarray(real(a[:, columns], 1.0, a_zero_point), F)
        y = fma(alpha[columns], steps, beta[columns])
        result[:, columns] = integer(y, 1.0, zero_point, *ends)
    return np.maximum(result, a.dtype.type(zero_point)) if relu else result


def _vectors(length, split):
    """Count the leading elements that are taken in whole vectors."""
    return length - length % split.block


def _squares_in_lanes(rows):
    """Add the squares of int32 in float32, as vectors do."""
    x = rows.astype(F)
    whole = x.shape[1] - x.shape[1] % LANES
    lanes = np.zeros((x.shape[0], LANES), F)
    for start in range(0, whole, LANES):
        part = x[:, start : start + LANES]
        lanes = fma(part, part, lanes)
    total = np.zeros(x.shape[0], F)
    for lane in range(LANES):
        total = total + lanes[:, lane]
    unfused = whole + (x.shape[1] - whole) // HALF_OF_LANES * HALF_OF_LANES
    for place in range(whole, x.shape[1]):
        part = x[:, place]
        total = total + part * part if place < unfused else fma(part, part, total)
    return total


def _sums(rows):
    """Add the elements of each row, and their squares, exactly."""
    wide = rows.astype(np.int64)
    return wide.sum(axis=1), (wide * wide).sum(axis=1)


def _sums_of_rows(rows):
    """Add the elements of each row and their squares: exactly, but squares of int32 in lanes."""
    total, squares = _sums(rows)
    return total, _squares_in_lanes(rows) if rows.dtype == np.int32 else squares


@np.errstate(all="ignore")
def deviation(a, less):
    r"""Compute the standard deviation of rows, in steps and in float64.

    .. math:: \sqrt{\frac{\sum q^2}{d} - 2 m \frac{\sum q}{d} + \frac{m^2 n}{d}}

    with the mean m of the n elements of a row, and d of n less `less`, at least 0. What is under
    the root is at least 0, too.

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, shape (rows, n)
        Integers. Sums are exact but for squares of int32, which are added in float32.
    less : float
        What is taken from n.

    Returns
    -------
    ndarray of float64, shape (rows,)
    """
    total, squares = (v.astype(np.float64) for v in _sums_of_rows(a))
    count = np.float64(a.shape[1])
    divisor = np.float64(max(a.shape[1] - less, 0.0))
    mean, share = total / count, total / divisor
    variance = squares / divisor - 2.0 * mean * share + mean * mean * count / divisor
    return np.sqrt(np.where(variance <= 0, 0.0, variance))


def _statistics(sums, count, quantizer, eps):
    """Return the mean less the zero point, and how many deviations a step is."""
    total, squares = sums
    scale, zero_point = F(quantizer[0]), F(quantizer[1])
    mean = total.astype(F) / F(count)
    variance = fma(-mean, mean, squares.astype(F) / F(count))
    variance = np.where(variance > 0, variance, F(0))
    spread = (variance * scale * scale).astype(np.float64) + eps
    return mean - zero_point, (np.float64(scale) / np.sqrt(spread)).astype(F)


@np.errstate(all="ignore")
def layer_norm(a, a_quantizer, weight, bias, eps, output, dequantize, quantize):
    r"""Normalize rows, :math:`q = quantize(w \cdot (q_a - m) r + b)`.

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, shape (rows, n)
        Integers.
    a_quantizer : Quantizer
        Their scale and zero point.
    weight, bias : ndarray of float32, shape (n,)
        w and b.
    eps : float
        :math:`\epsilon`.
    output : Output
        Scale, zero point and range after.
    dequantize, quantize : Split
        How one element becomes a number of steps, and how the result becomes an integer; by whole
        vectors of a row and the others.

    Returns
    -------
    ndarray, as `a`
    """
    mean, spread = _statistics(_sums_of_rows(a), a.shape[1], a_quantizer, eps)
    result = np.empty_like(a)
    for columns, (real, integer) in split_at(_vectors(a.shape[1], quantize), dequantize, quantize):
        steps = np.asarray(real(a[:, columns], 1.0, a_quantizer[1]), F)
        normal = (steps - mean[:, None]) * spread[:, None]
        result[:, columns] = integer(fma(normal, weight[columns], bias[columns]), *output)
    return result


@np.errstate(all="ignore")
def group_norm(a, a_quantizer, weight, bias, eps, output, dequantize, quantize):
    r"""Normalize groups of channels, :math:`q = quantize((q_a - m) \cdot r w + b)`.

    Every element is rounded like one of a vector.

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, shape (batch, groups, channels, pixels)
        Integers.
    a_quantizer : Quantizer
        Their scale and zero point.
    weight, bias : ndarray of float32, shape (groups, channels)
        w and b.
    eps : float
        :math:`\epsilon`.
    output : Output
        Scale, zero point and range after.
    dequantize, quantize : Split
        How one element becomes a number of steps, and how the result becomes an integer.

    Returns
    -------
    ndarray, as `a`
    """
    batch, groups, channels, pixels = a.shape
    rows = a.reshape(batch * groups, channels * pixels)
    mean, spread = _statistics(_sums_of_rows(rows), rows.shape[1], a_quantizer, eps)
    mean, spread = (v.reshape(batch, groups, 1, 1) for v in (mean, spread))
    slope, shift = spread * weight[..., None], bias[..., None]
    steps = np.asarray(dequantize.vector(a, 1.0, a_quantizer[1]), F)
    return quantize.vector(fma(steps - mean, slope, shift), *output).astype(a.dtype)


def _sums_of_channels(a):
    """Add pixels in order in float32, then the channels of each group."""
    channels = np.zeros((2, a.shape[0], *a.shape[2:]), F)
    for pixel in range(a.shape[1]):
        wide = a[:, pixel].astype(np.int64)
        channels[0] += wide.astype(F)
        channels[1] += (wide * wide).astype(F)
    groups = np.zeros(channels.shape[:-1], F)
    for channel in range(a.shape[3]):
        groups += channels[..., channel]
    return groups.reshape(2, -1)


@np.errstate(all="ignore")
def group_norm_of_pixels(a, a_quantizer, weight, bias, eps, output, dequantize, quantize):
    r"""Normalize groups of channels that lie innermost, :math:`q = quantize((q_a - z) g + b')`.

    With :math:`g = r w` and :math:`b' = b - g (m - z)`, both fused. Whole vectors are counted in
    each group; from 512 pixels on, in all channels of a pixel, and sums are those of float32.

    Parameters
    ----------
    a : ndarray of uint8, int8 or int32, shape (batch, pixels, groups, channels)
        Integers.
    a_quantizer : Quantizer
        Their scale and zero point.
    weight, bias : ndarray of float32, shape (groups, channels)
        w and b.
    eps : float
        :math:`\epsilon`.
    output : Output
        Scale, zero point and range after.
    dequantize, quantize : Split
        How one element becomes a number of steps, and how the result becomes an integer; by whole
        vectors of channels and the others.

    Returns
    -------
    ndarray, as `a`
    """
    batch, pixels, groups, channels = a.shape
    many = pixels >= MANY_PIXELS
    rows = a.transpose(0, 2, 1, 3).reshape(batch * groups, pixels * channels)
    sums = _sums_of_channels(a) if many else _sums(rows)
    mean, spread = _statistics(sums, rows.shape[1], a_quantizer, eps)
    mean, spread = (v.reshape(batch, groups, 1) for v in (mean, spread))
    slope = spread * weight
    shift = fma(-slope, mean, bias)
    block = groups * channels if many else channels
    q = a.reshape(batch, pixels, -1, block)
    slope, shift = (v.reshape(batch, 1, -1, block) for v in (slope, shift))
    result = np.empty_like(q)
    for columns, (real, integer) in split_at(_vectors(block, quantize), dequantize, quantize):
        steps = np.asarray(real(q[..., columns], 1.0, a_quantizer[1]), F)
        y = fma(steps, slope[..., columns], shift[..., columns])
        result[..., columns] = integer(y, *output)
    return result.reshape(a.shape)
