"""Kernels of refquant.reference.normalization.

Design
(a) Sums first: integers of eight bits in int32 for as long as it holds them, then in int64.
(b) Then elements go through a small buffer of real numbers, one plain loop a step; the rules on
    both sides stand in _rounding.pxd.
(c) Where channels lie innermost, all that differs between channels is a slope and a shift; see
    _pixels.pxd.
(d) Threads take rows, groups or runs of pixels.
"""

from cython.parallel cimport prange
from libc.math cimport fmaf, sqrt, sqrtf
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint64_t

from refquant._kernels._operands cimport (
    Output, Quantizer, output_of, quantizer_of, stored,
)
from refquant._kernels._pixels cimport (
    CHUNK, SUMMED, Cut, Rules, cut_of, exact_sums, repeat, scaled_pixels,
    sums_of_channels,
)
from refquant._kernels._rounding cimport dequantize_run, quantize_run
from refquant._kernels._row_sums cimport RowSums, sums_of_row
from refquant._kernels._threads cimport threads_for

import numpy as np

from refquant._kernels._rules import DEQUANTIZING, QUANTIZING

cdef enum:
    GRAIN = 1 << 15      # elements that are worth a thread
    MANY_PIXELS = 512


cdef Rules rules_of(dequantize, quantize):
    return Rules(DEQUANTIZING[dequantize.vector], DEQUANTIZING[dequantize.tail],
                 QUANTIZING[quantize.vector], QUANTIZING[quantize.tail], quantize.block)


cdef struct Sums:
    float total
    float squares


cdef inline Sums _sums(const stored* a, Py_ssize_t n) noexcept nogil:
    cdef RowSums sums = sums_of_row(a, n)
    return Sums(<float>sums.total, sums.squares)


# The mean less the zero point, and how many deviations a step is.
cdef struct Statistics:
    float mean
    float spread


cdef inline Statistics _statistics(
    Sums sums, Py_ssize_t count, Quantizer of, double eps
) noexcept nogil:
    cdef float scale = <float>of.scale, n = <float>count
    cdef float mean = sums.total / n
    cdef float variance = fmaf(-mean, mean, sums.squares / n)
    variance = variance if variance > 0.0 else <float>0.0
    variance = variance * scale * scale
    return Statistics(mean - <float>of.zero_point,
                      <float>(<double>scale / sqrt(<double>variance + eps)))


cdef void _layer(
    const stored* a, stored* q, Py_ssize_t n, int32_t zero_point, Statistics by,
    const float* weight, const float* bias, Output to, int dequantize, int quantize
) noexcept nogil:
    cdef float x[CHUNK]
    cdef Py_ssize_t start = 0, count, i
    while start < n:
        count = min(<Py_ssize_t>CHUNK, n - start)
        dequantize_run(a + start, x, count, Quantizer(1.0, zero_point), dequantize)
        for i in range(count):
            x[i] = fmaf((x[i] - by.mean) * by.spread, weight[start + i], bias[start + i])
        quantize_run(x, q + start, count, to, quantize)
        start = start + count


cdef void _channel(
    const stored* a, stored* q, Py_ssize_t n, int32_t zero_point, float mean, float slope,
    float shift, Output to, int dequantize, int quantize
) noexcept nogil:
    cdef float x[CHUNK]
    cdef Py_ssize_t start = 0, count, i
    while start < n:
        count = min(<Py_ssize_t>CHUNK, n - start)
        dequantize_run(a + start, x, count, Quantizer(1.0, zero_point), dequantize)
        for i in range(count):
            x[i] = fmaf(x[i] - mean, slope, shift)
        quantize_run(x, q + start, count, to, quantize)
        start = start + count


cdef void _not_below(stored* q, Py_ssize_t n, stored least) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        q[i] = q[i] if q[i] > least else least


cdef _batch_norm(
    const stored[:, ::1] a, stored[:, ::1] q, int32_t zero_point, const float[::1] slope,
    const float[::1] shift, Output to, bint relu, Cut cut, Rules rules
):
    cdef Py_ssize_t pixels = a.shape[0], channels = a.shape[1], run, first, count
    cdef int threads = threads_for(pixels * channels, GRAIN)
    with nogil:
        for run in prange((pixels + cut.together - 1) // cut.together, num_threads=threads,
                          schedule="static", use_threads_if=threads > 1):
            first = run * cut.together
            count = min(cut.together, pixels - first)
            scaled_pixels(&a[first, 0], &q[first, 0], count, cut, zero_point, &slope[0], &shift[0],
                          to, rules)
            if relu:
                _not_below(&q[first, 0], count * channels, <stored>to.zero_point)


def batch_norm(
    a not None, a_quantizer, statistics, double eps, output, bint relu, dequantize, quantize
):
    """Normalize channels by given statistics; inputs are not checked."""
    cdef Quantizer of = quantizer_of(a_quantizer)
    cdef Output to = output_of(output)
    cdef Rules rules = rules_of(dequantize, quantize)
    cdef const float[::1] weight, bias, mean, variance
    weight, bias, mean, variance = statistics
    cdef Py_ssize_t channels = weight.shape[0], c
    out = np.empty_like(a)
    if out.size == 0:
        return out
    cdef Cut cut = cut_of(len(a), channels, channels, rules)
    cdef float[:, ::1] lines = np.empty((2, cut.together * channels), np.float32)
    cdef float[::1] slope = lines[0], shift = lines[1]
    cdef double ratio = of.scale / to.scale, scale = to.scale
    cdef float inverse
    for c in range(channels):
        inverse = <float>(1.0 / <double>sqrtf(variance[c] + <float>eps))
        slope[c] = <float>(<double>(inverse * weight[c]) * ratio)
        shift[c] = <float>(<double>(bias[c] - mean[c] * inverse * weight[c]) / scale)
    repeat(&slope[0], channels, cut.together)
    repeat(&shift[0], channels, cut.together)
    to.scale = 1.0
    kind = a.dtype.char
    if kind == "B":
        _batch_norm[uint8_t](a, out, of.zero_point, slope, shift, to, relu, cut, rules)
    elif kind == "b":
        _batch_norm[int8_t](a, out, of.zero_point, slope, shift, to, relu, cut, rules)
    else:
        _batch_norm[int32_t](a, out, of.zero_point, slope, shift, to, relu, cut, rules)
    return out


cdef _layer_norm(
    const stored[:, ::1] a, stored[:, ::1] q, Quantizer of, const float[::1] weight,
    const float[::1] bias, double eps, Output to, Rules rules
):
    cdef Py_ssize_t rows = a.shape[0], n = a.shape[1], whole = n - n % rules.block, row
    cdef Statistics by
    cdef int threads = threads_for(rows * n, GRAIN)
    with nogil:
        for row in prange(rows, num_threads=threads, schedule="static",
                          use_threads_if=threads > 1):
            by = _statistics(_sums(&a[row, 0], n), n, of, eps)
            _layer(&a[row, 0], &q[row, 0], whole, of.zero_point, by, &weight[0], &bias[0], to,
                   rules.dequantize, rules.quantize)
            if whole < n:
                _layer(&a[row, whole], &q[row, whole], n - whole, of.zero_point, by,
                       &weight[whole], &bias[whole], to, rules.tail_dequantize,
                       rules.tail_quantize)


def layer_norm(
    a not None, a_quantizer, weight not None, bias not None, double eps, output, dequantize,
    quantize
):
    """Normalize rows; inputs are not checked."""
    cdef Quantizer of = quantizer_of(a_quantizer)
    cdef Output to = output_of(output)
    cdef Rules rules = rules_of(dequantize, quantize)
    out = np.empty_like(a)
    if out.size == 0:
        return out
    kind = a.dtype.char
    if kind == "B":
        _layer_norm[uint8_t](a, out, of, weight, bias, eps, to, rules)
    elif kind == "b":
        _layer_norm[int8_t](a, out, of, weight, bias, eps, to, rules)
    else:
        _layer_norm[int32_t](a, out, of, weight, bias, eps, to, rules)
    return out


cdef double _deviation(RowSums sums, Py_ssize_t n, double divisor) noexcept nogil:
    cdef double total = <double>sums.total, mean = total / <double>n, share = total / divisor
    cdef double variance = sums.wide_squares / divisor - 2.0 * mean * share + (
        mean * mean * <double>n / divisor)
    return sqrt(0.0 if variance <= 0.0 else variance)


cdef _deviations(const stored[:, ::1] a, double[::1] result, double divisor):
    cdef Py_ssize_t rows = a.shape[0], n = a.shape[1], row
    cdef int threads = threads_for(rows * n, GRAIN)
    with nogil:
        for row in prange(rows, num_threads=threads, schedule="static",
                          use_threads_if=threads > 1):
            result[row] = _deviation(sums_of_row(&a[row, 0], n), n, divisor)


def deviation(a not None, double less):
    """Compute the standard deviation of rows, in steps; inputs are not checked."""
    cdef double divisor = <double>a.shape[1] - less
    if divisor < 0.0:
        divisor = 0.0
    out = np.empty(a.shape[0])
    kind = a.dtype.char
    if kind == "B":
        _deviations[uint8_t](a, out, divisor)
    elif kind == "b":
        _deviations[int8_t](a, out, divisor)
    else:
        _deviations[int32_t](a, out, divisor)
    return out


cdef _group_norm(
    const stored[:, :, :, ::1] a, stored[:, :, :, ::1] q, Quantizer of, const float[:, ::1] weight,
    const float[:, ::1] bias, double eps, Output to, Rules rules
):
    cdef Py_ssize_t groups = a.shape[1], channels = a.shape[2], pixels = a.shape[3]
    cdef Py_ssize_t batch, group, channel, index
    cdef Statistics by
    cdef int threads = threads_for(a.shape[0] * groups * channels * pixels, GRAIN)
    with nogil:
        for index in prange(a.shape[0] * groups, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            batch = index // groups
            group = index % groups
            by = _statistics(_sums(&a[batch, group, 0, 0], channels * pixels), channels * pixels,
                             of, eps)
            for channel in range(channels):
                _channel(&a[batch, group, channel, 0], &q[batch, group, channel, 0], pixels,
                         of.zero_point, by.mean, by.spread * weight[group, channel],
                         bias[group, channel], to, rules.dequantize, rules.quantize)


def group_norm(
    a not None, a_quantizer, weight not None, bias not None, double eps, output, dequantize,
    quantize
):
    """Normalize groups of channels; inputs are not checked."""
    cdef Quantizer of = quantizer_of(a_quantizer)
    cdef Output to = output_of(output)
    cdef Rules rules = rules_of(dequantize, quantize)
    out = np.empty_like(a)
    if out.size == 0:
        return out
    kind = a.dtype.char
    if kind == "B":
        _group_norm[uint8_t](a, out, of, weight, bias, eps, to, rules)
    elif kind == "b":
        _group_norm[int8_t](a, out, of, weight, bias, eps, to, rules)
    else:
        _group_norm[int32_t](a, out, of, weight, bias, eps, to, rules)
    return out


cdef inline void _line(
    Sums sums, Py_ssize_t count, Py_ssize_t channels, Quantizer of, const float* weight,
    const float* bias, double eps, float* slope, float* shift
) noexcept nogil:
    """Slopes and shifts of the channels of a group."""
    cdef Statistics by = _statistics(sums, count, of, eps)
    cdef Py_ssize_t c
    for c in range(channels):
        slope[c] = by.spread * weight[c]
        shift[c] = fmaf(-slope[c], by.mean, bias[c])


cdef void _lines_of_many(
    const stored* a, Py_ssize_t pixels, Py_ssize_t groups, Py_ssize_t channels, Quantizer of,
    const float* weight, const float* bias, double eps, float* slope, float* shift
) noexcept nogil:
    """Slopes and shifts of the channels of one image of many pixels; they hold sums at first."""
    cdef Py_ssize_t group, channel, place
    cdef Sums sums
    sums_of_channels(a, pixels, groups * channels, slope, shift)
    for group in range(groups):
        place = group * channels
        sums = Sums(0.0, 0.0)
        for channel in range(channels):
            sums.total = sums.total + slope[place + channel]
            sums.squares = sums.squares + shift[place + channel]
        _line(sums, pixels * channels, channels, of, weight + place, bias + place, eps,
              slope + place, shift + place)


cdef void _lines(
    const stored* a, Py_ssize_t pixels, Py_ssize_t groups, Py_ssize_t channels, Quantizer of,
    const float* weight, const float* bias, double eps, float* slope, float* shift
) noexcept nogil:
    """Slopes and shifts of the channels of one image."""
    cdef int64_t total[SUMMED]
    cdef uint64_t squares[SUMMED]
    cdef int64_t of_group = 0
    cdef uint64_t squares_of_group = 0  # which wraps
    cdef Py_ssize_t all_channels = groups * channels, first = 0, count, c, place
    while first < all_channels:
        count = min(<Py_ssize_t>SUMMED, all_channels - first)
        exact_sums(a + first, pixels, all_channels, count, total, squares)
        for c in range(count):
            of_group = of_group + total[c]
            squares_of_group = squares_of_group + squares[c]
            place = first + c + 1 - channels
            if place % channels == 0:  # the last channel of a group
                _line(Sums(<float>of_group, <float><int64_t>squares_of_group), pixels * channels,
                      channels, of, weight + place, bias + place, eps, slope + place,
                      shift + place)
                of_group = squares_of_group = 0
        first += count


cdef _group_norm_of_pixels(
    const stored[:, :, :, ::1] a, stored[:, :, :, ::1] q, Quantizer of, const float[:, ::1] weight,
    const float[:, ::1] bias, double eps, Output to, Cut cut, Rules rules, float[:, ::1] slope,
    float[:, ::1] shift
):
    cdef Py_ssize_t images = a.shape[0], pixels = a.shape[1], groups = a.shape[2]
    cdef Py_ssize_t channels = a.shape[3], runs = (pixels + cut.together - 1) // cut.together
    cdef Py_ssize_t image, first, index
    cdef int threads = threads_for(images * pixels * cut.channels, GRAIN)
    with nogil:
        for image in prange(images, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            if pixels >= MANY_PIXELS:
                _lines_of_many(&a[image, 0, 0, 0], pixels, groups, channels, of, &weight[0, 0],
                               &bias[0, 0], eps, &slope[image, 0], &shift[image, 0])
            else:
                _lines(&a[image, 0, 0, 0], pixels, groups, channels, of, &weight[0, 0],
                       &bias[0, 0], eps, &slope[image, 0], &shift[image, 0])
            repeat(&slope[image, 0], cut.channels, cut.together)
            repeat(&shift[image, 0], cut.channels, cut.together)
        for index in prange(images * runs, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            image = index // runs
            first = index % runs * cut.together
            scaled_pixels(&a[image, first, 0, 0], &q[image, first, 0, 0],
                          min(cut.together, pixels - first), cut, of.zero_point,
                          &slope[image, 0], &shift[image, 0], to, rules)


def group_norm_of_pixels(
    a not None, a_quantizer, weight not None, bias not None, double eps, output, dequantize,
    quantize
):
    """Normalize groups of channels that lie innermost; inputs are not checked."""
    cdef Quantizer of = quantizer_of(a_quantizer)
    cdef Output to = output_of(output)
    cdef Rules rules = rules_of(dequantize, quantize)
    out = np.empty_like(a)
    if out.size == 0:
        return out
    images, pixels, groups, channels = a.shape
    cdef Py_ssize_t block = groups * channels if pixels >= MANY_PIXELS else channels
    cdef Cut cut = cut_of(pixels, groups * channels, block, rules)
    lines = np.empty((2, images, cut.together * cut.channels), np.float32)
    kind = a.dtype.char
    if kind == "B":
        _group_norm_of_pixels[uint8_t](a, out, of, weight, bias, eps, to, cut, rules, *lines)
    elif kind == "b":
        _group_norm_of_pixels[int8_t](a, out, of, weight, bias, eps, to, cut, rules, *lines)
    else:
        _group_norm_of_pixels[int32_t](a, out, of, weight, bias, eps, to, cut, rules, *lines)
    return out
