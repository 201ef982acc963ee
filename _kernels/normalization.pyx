"""Kernels of refquant.reference.normalization.

Design
(a) Sums first: integers of eight bits in int32 for as long as it holds them, then in int64.
(b) Then elements go through a small buffer of real numbers, one plain loop a step; the rules on
    both sides stand in _rounding.pxd.
(c) Where channels lie innermost, all that differs between channels is a slope and a shift. A pixel
    is cut where rules change, and neighbors with the same rules are one piece.
(d) Threads take rows, groups or pixels.
"""

from cython.parallel cimport prange
from libc.math cimport fmaf, sqrt, sqrtf
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint64_t

from refquant._kernels._operands cimport (
    Output, Quantizer, output_of, quantizer_of, stored,
)
from refquant._kernels._rounding cimport dequantize_run, quantize_run
from refquant._kernels._threads cimport threads_for

import numpy as np

from refquant._kernels._rules import DEQUANTIZING, QUANTIZING

cdef enum:
    CHUNK = 1024         # elements of a buffer: 4 KiB of float32
    GRAIN = 1 << 15      # elements that are worth a thread
    HELD = 1 << 15       # squares of eight bits that an int32 holds
    LANES = 8
    MANY_PIXELS = 512


cdef struct Rules:
    int dequantize
    int tail_dequantize
    int quantize
    int tail_quantize
    Py_ssize_t block


cdef Rules rules_of(dequantize, quantize):
    return Rules(DEQUANTIZING[dequantize.vector], DEQUANTIZING[dequantize.tail],
                 QUANTIZING[quantize.vector], QUANTIZING[quantize.tail], quantize.block)


cdef struct Sums:
    float total
    float squares


cdef float _squares_in_lanes(const int32_t* a, Py_ssize_t n) noexcept nogil:
    cdef float lanes[LANES]
    cdef float total = 0.0, x
    cdef Py_ssize_t i, lane, whole = n - n % LANES, unfused
    for lane in range(LANES):
        lanes[lane] = 0.0
    i = 0
    while i < whole:
        for lane in range(LANES):
            x = <float>a[i + lane]
            lanes[lane] = fmaf(x, x, lanes[lane])
        i = i + LANES
    for lane in range(LANES):
        total = total + lanes[lane]
    unfused = whole + (n - whole) // 4 * 4
    for i in range(whole, n):
        x = <float>a[i]
        total = total + x * x if i < unfused else fmaf(x, x, total)
    return total


cdef Sums _sums(const stored* a, Py_ssize_t n) noexcept nogil:
    """Sums of neighbors."""
    cdef int64_t total = 0, squares = 0
    cdef int32_t few, few_squares, x
    cdef Py_ssize_t i, start = 0, stop
    if stored is int32_t:
        for i in range(n):
            total = total + a[i]
        return Sums(<float>total, _squares_in_lanes(a, n))
    else:
        while start < n:
            stop = min(n, start + HELD)
            few = few_squares = 0
            for i in range(start, stop):
                x = a[i]
                few = few + x
                few_squares = few_squares + x * x
            total = total + few
            squares = squares + few_squares
            start = stop
        return Sums(<float>total, <float>squares)


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


cdef void _scaled(
    const stored* a, stored* q, Py_ssize_t n, int32_t zero_point, const float* slope,
    const float* shift, Output to, int dequantize, int quantize
) noexcept nogil:
    """Multiply by a slope and add a shift, both of the place."""
    cdef float x[CHUNK]
    cdef Py_ssize_t start = 0, count, i
    while start < n:
        count = min(<Py_ssize_t>CHUNK, n - start)
        dequantize_run(a + start, x, count, Quantizer(1.0, zero_point), dequantize)
        for i in range(count):
            x[i] = fmaf(x[i], slope[start + i], shift[start + i])
        quantize_run(x, q + start, count, to, quantize)
        start = start + count


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


cdef void _pixel(
    const stored* a, stored* q, Py_ssize_t channels, Py_ssize_t block, int32_t zero_point,
    const float* slope, const float* shift, Output to, Rules rules
) noexcept nogil:
    """One pixel: blocks of channels, each of vectors and a tail."""
    cdef Py_ssize_t whole = block - block % rules.block, start = 0
    if whole == 0 or whole == block:  # the same rules everywhere
        _scaled(a, q, channels, zero_point, slope, shift, to,
                rules.dequantize if whole else rules.tail_dequantize,
                rules.quantize if whole else rules.tail_quantize)
        return
    while start < channels:
        _scaled(a + start, q + start, whole, zero_point, slope + start, shift + start, to,
                rules.dequantize, rules.quantize)
        _scaled(a + start + whole, q + start + whole, block - whole, zero_point,
                slope + start + whole, shift + start + whole, to, rules.tail_dequantize,
                rules.tail_quantize)
        start = start + block


cdef void _not_below(stored* q, Py_ssize_t n, stored least) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        q[i] = q[i] if q[i] > least else least


cdef _batch_norm(
    const stored[:, ::1] a, stored[:, ::1] q, int32_t zero_point, const float[::1] slope,
    const float[::1] shift, Output to, bint relu, Rules rules
):
    cdef Py_ssize_t pixels = a.shape[0], channels = a.shape[1], pixel
    cdef int threads = threads_for(pixels * channels, GRAIN)
    with nogil:
        for pixel in prange(pixels, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            _pixel(&a[pixel, 0], &q[pixel, 0], channels, channels, zero_point, &slope[0],
                   &shift[0], to, rules)
            if relu:
                _not_below(&q[pixel, 0], channels, <stored>to.zero_point)


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
    slopes, shifts = np.empty(channels, np.float32), np.empty(channels, np.float32)
    cdef float[::1] slope = slopes, shift = shifts
    cdef double ratio = of.scale / to.scale, scale = to.scale
    cdef float inverse
    for c in range(channels):
        inverse = <float>(1.0 / <double>sqrtf(variance[c] + <float>eps))
        slope[c] = <float>(<double>(inverse * weight[c]) * ratio)
        shift[c] = <float>(<double>(bias[c] - mean[c] * inverse * weight[c]) / scale)
    out = np.empty_like(a)
    if out.size == 0:
        return out
    to.scale = 1.0
    kind = a.dtype.char
    if kind == "B":
        _batch_norm[uint8_t](a, out, of.zero_point, slope, shift, to, relu, rules)
    elif kind == "b":
        _batch_norm[int8_t](a, out, of.zero_point, slope, shift, to, relu, rules)
    else:
        _batch_norm[int32_t](a, out, of.zero_point, slope, shift, to, relu, rules)
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


cdef Sums _sums_of_pixels(
    const stored* a, Py_ssize_t pixels, Py_ssize_t channels, Py_ssize_t step
) noexcept nogil:
    """Exact sums of a group whose pixels are `step` apart."""
    cdef int64_t total = 0, x
    cdef uint64_t squares = 0  # which wraps
    cdef Py_ssize_t pixel, channel
    for pixel in range(pixels):
        for channel in range(channels):
            x = a[pixel * step + channel]
            total = total + x
            squares = squares + <uint64_t>(x * x)
    return Sums(<float>total, <float><int64_t>squares)


cdef void _sums_of_channels(
    const stored* a, Py_ssize_t pixels, Py_ssize_t channels, float* total, float* squares
) noexcept nogil:
    """Sums of float32, a channel at a time, pixels in order."""
    cdef Py_ssize_t pixel, channel
    cdef int64_t x
    for channel in range(channels):
        total[channel] = squares[channel] = 0.0
    for pixel in range(pixels):
        for channel in range(channels):
            x = a[pixel * channels + channel]
            total[channel] = total[channel] + <float>x
            squares[channel] = squares[channel] + <float>(x * x)


cdef void _lines(
    const stored* a, Py_ssize_t pixels, Py_ssize_t groups, Py_ssize_t channels, Quantizer of,
    const float* weight, const float* bias, double eps, float* slope, float* shift
) noexcept nogil:
    """Slopes and shifts of the channels of one image; they hold sums at first."""
    cdef Py_ssize_t group, channel, place
    cdef Sums sums
    cdef Statistics by
    cdef bint many = pixels >= MANY_PIXELS
    if many:
        _sums_of_channels(a, pixels, groups * channels, slope, shift)
    for group in range(groups):
        if many:
            sums = Sums(0.0, 0.0)
            for channel in range(channels):
                sums.total = sums.total + slope[group * channels + channel]
                sums.squares = sums.squares + shift[group * channels + channel]
        else:
            sums = _sums_of_pixels(a + group * channels, pixels, channels, groups * channels)
        by = _statistics(sums, pixels * channels, of, eps)
        for channel in range(channels):
            place = group * channels + channel
            slope[place] = by.spread * weight[place]
            shift[place] = fmaf(-slope[place], by.mean, bias[place])


cdef _group_norm_of_pixels(
    const stored[:, :, :, ::1] a, stored[:, :, :, ::1] q, Quantizer of, const float[:, ::1] weight,
    const float[:, ::1] bias, double eps, Output to, Rules rules, float[:, ::1] slope,
    float[:, ::1] shift
):
    cdef Py_ssize_t images = a.shape[0], pixels = a.shape[1], groups = a.shape[2]
    cdef Py_ssize_t channels = a.shape[3], all_channels = groups * channels, image, pixel, index
    cdef Py_ssize_t block = all_channels if pixels >= MANY_PIXELS else channels
    cdef int threads = threads_for(images * pixels * all_channels, GRAIN)
    with nogil:
        for image in prange(images, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            _lines(&a[image, 0, 0, 0], pixels, groups, channels, of, &weight[0, 0], &bias[0, 0],
                   eps, &slope[image, 0], &shift[image, 0])
        for index in prange(images * pixels, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            image = index // pixels
            pixel = index % pixels
            _pixel(&a[image, pixel, 0, 0], &q[image, pixel, 0, 0], all_channels, block,
                   of.zero_point, &slope[image, 0], &shift[image, 0], to, rules)


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
    lines = np.empty((2, a.shape[0], a.shape[2] * a.shape[3]), np.float32)
    kind = a.dtype.char
    if kind == "B":
        _group_norm_of_pixels[uint8_t](a, out, of, weight, bias, eps, to, rules, *lines)
    elif kind == "b":
        _group_norm_of_pixels[int8_t](a, out, of, weight, bias, eps, to, rules, *lines)
    else:
        _group_norm_of_pixels[int32_t](a, out, of, weight, bias, eps, to, rules, *lines)
    return out
