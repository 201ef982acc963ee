"""Kernels of refquant.reference.convolution.

Design
(a) Tiles stand in _product.pxd, offsets in _columns.pxd, output rules in _output_rules.pxd; here
    is what lies under the filter.
(b) A block of output positions is gathered into scratch memory of a few tens of KiB and multiplied
    by all filters while it lies in the cache; nothing of the size of an image is allocated.
(c) Without groups and dilation neighboring columns of the filter are neighbors in memory, so a
    line of the filter is one copy.
(d) Depthwise filters stand in _nine_taps.pxd and _depthwise.pxd, those in panels in
    _panel_convolution.pxd.
(e) For a transposed convolution the image is spread in memory, pixel by pixel.
"""

from cython.parallel cimport prange, threadid
from libc.stdint cimport int8_t, int32_t, uint8_t, uint32_t, uintptr_t
from libc.string cimport memcpy, memset

from refquant._kernels._bands cimport Band, band_of, bands_of
from refquant._kernels._columns cimport (
    Columns, set_offsets, set_static, table_length, width_of_cut,
)
from refquant._kernels._depthwise cimport POINTERS, depthwise_line
from refquant._kernels._float_tiles cimport TILE
from refquant._kernels._images cimport Geometry, Position, advance, line_of, position_of
from refquant._kernels._integers cimport round_up
from refquant._kernels._nine_taps cimport TAPS, convolve_nine_taps, has_nine_taps
from refquant._kernels._operands cimport (
    Output, ProductRules, Quantizer, output_of, quantizer_of,
)
from refquant._kernels._panel_convolution cimport (
    Slice, convolve_band, widen_slice, window_of,
)
from refquant._kernels._panels cimport (
    PANEL, columns_of_slice, in_panels, on_a_line, room, widened_length,
)
from refquant._kernels._pipeline cimport post_of
from refquant._kernels._product cimport (
    SHIFT, multiply_block, padded_depth, rows_of_block,
)
from refquant._kernels._threads cimport threads_for
from refquant._kernels._windows cimport Window, window_length

import numpy as np

from refquant._kernels._memory import aligned
from refquant._kernels._rules import ACCUMULATOR, BIAS, BORDER, MULTIPLIER, PRODUCT, SUM

cdef enum:
    ROWS = 4
    GRAIN = 1 << 20  # products that are worth a thread
    BYTES = 1 << 17  # that are worth a thread where they are copied
    PIXELS = 256  # whose channels are placed in turn while they lie in the cache


def pack_filters(const int8_t[:, :, :, :, ::1] weight not None, Py_ssize_t groups):
    """Lay out the filters of a convolution for products; inputs are not checked."""
    cdef Py_ssize_t count = weight.shape[0], outputs = count // groups
    cdef Py_ssize_t length = weight.shape[1] * weight.shape[2] * weight.shape[3] * weight.shape[4]
    cdef Py_ssize_t n, k, row, height = round_up(outputs, ROWS)
    cdef const int8_t* source
    cdef uint32_t total
    packed_weight = aligned((groups * height, padded_depth(length)), np.int8)
    weight_sums = np.zeros(count, np.int32)
    cdef int8_t[:, ::1] r = packed_weight
    cdef int32_t[::1] s = weight_sums
    if count == 0 or length == 0:
        return packed_weight, weight_sums
    source = &weight[0, 0, 0, 0, 0]
    with nogil:
        for n in range(count):
            row = n // outputs * height + n % outputs
            memcpy(&r[row, 0], source + n * length, length)
            total = 0
            for k in range(length):
                total += <uint32_t><int32_t>source[n * length + k]
            s[n] = <int32_t>total
    return packed_weight, weight_sums


def pack_depthwise(
    const int8_t[:, :, :, :, ::1] weight not None, const int32_t[::1] weight_zero_points not None
):
    """Lay out one filter for each channel; inputs are not checked."""
    cdef Py_ssize_t channels = weight.shape[0], t, c
    cdef Py_ssize_t count = weight.shape[1] * weight.shape[2] * weight.shape[3]
    cdef const int8_t* source
    packed_taps = aligned((count, channels), np.int32)
    weight_sums = np.zeros(channels, np.int32)
    cdef int32_t[:, ::1] w = packed_taps
    cdef int32_t[::1] s = weight_sums
    if count == 0 or channels == 0:
        return packed_taps, weight_sums
    source = &weight[0, 0, 0, 0, 0]
    with nogil:
        for c in range(channels):
            for t in range(count):
                w[t, c] = source[c * count + t] - weight_zero_points[c]
                s[c] = <int32_t>(<uint32_t>s[c] + <uint32_t>w[t, c])
    return packed_taps, weight_sums


def spread(
    const uint8_t[:, :, :, :, ::1] x not None, int between, step, before, extents
):
    """Place the pixels of images apart; inputs are not checked."""
    cdef Py_ssize_t channels = x.shape[4], n, i, j, k, at, line, column
    cdef Py_ssize_t[3] s, b, e
    cdef int d
    for d in range(3):
        s[d], b[d], e[d] = step[d], before[d], extents[d]
    result = np.empty((x.shape[0], e[0], e[1], e[2], channels), np.uint8)
    cdef uint8_t[:, :, :, :, ::1] y = result
    if result.size == 0:
        return result
    with nogil:
        memset(&y[0, 0, 0, 0, 0], between, x.shape[0] * e[0] * e[1] * e[2] * channels)
        for n in range(x.shape[0]):
            for i in range(x.shape[1]):
                at = b[0] + i * s[0]
                if not 0 <= at < e[0]:
                    continue
                for j in range(x.shape[2]):
                    line = b[1] + j * s[1]
                    if not 0 <= line < e[1]:
                        continue
                    for k in range(x.shape[3]):
                        column = b[2] + k * s[2]
                        if 0 <= column < e[2]:
                            memcpy(&y[n, at, line, column, 0], &x[n, i, j, k, 0], channels)
    return result


cdef inline void _interleave(
    const uint8_t* planes, Py_ssize_t apart, Py_ssize_t channels, Py_ssize_t n, uint8_t* pixels
) noexcept nogil:
    """Place `n` pixels; planes are `apart`. Images of three colors have a loop that vectorizes."""
    cdef Py_ssize_t k, c
    if channels == 3:
        for k in range(n):
            pixels[3 * k] = planes[k]
            pixels[3 * k + 1] = planes[apart + k]
            pixels[3 * k + 2] = planes[2 * apart + k]
        return
    for c in range(channels):
        for k in range(n):
            pixels[k * channels + c] = planes[c * apart + k]


def interleave(const uint8_t[:, :, ::1] x not None):
    """Place the channels of each pixel beside each other; inputs are not checked."""
    cdef Py_ssize_t channels = x.shape[1], pixels = x.shape[2], task, first
    cdef Py_ssize_t runs = (pixels + PIXELS - 1) // PIXELS
    cdef int threads = threads_for(x.shape[0] * channels * pixels, BYTES)
    out = np.empty((x.shape[0], pixels, channels), np.uint8)
    cdef uint8_t[:, :, ::1] y = out
    if out.size == 0:
        return out
    with nogil:
        for task in prange(x.shape[0] * runs, num_threads=threads, schedule="static",
                           use_threads_if=threads > 1):
            first = task % runs * PIXELS
            _interleave(&x[task // runs, 0, first], pixels, channels,
                        min(<Py_ssize_t>PIXELS, pixels - first), &y[task // runs, first, 0])
    return out


cdef Geometry _geometry(shape, Py_ssize_t groups, geometry, int zero_point):
    cdef Geometry g
    cdef tuple t = <tuple>geometry
    cdef tuple kernel = t[0], stride = t[1], padding = t[2], dilation = t[3]
    cdef int d
    for d in range(3):
        g.image[d] = shape[d + 1]
        g.kernel[d], g.stride[d] = kernel[d], stride[d]
        g.padding[d], g.dilation[d] = padding[d], dilation[d]
        g.out[d] = (
            g.image[d] + 2 * g.padding[d] - g.dilation[d] * (g.kernel[d] - 1) - 1
        ) // g.stride[d] + 1
    g.channels = shape[4]
    g.in_group = g.channels // groups
    g.size = shape[0] * shape[1] * shape[2] * shape[3] * shape[4]
    g.pointwise = groups == 1
    for d in range(3):
        g.pointwise = g.pointwise and g.kernel[d] == 1 and g.stride[d] == 1 and g.padding[d] == 0
    g.zero_point = zero_point
    return g


cdef ProductRules _rules_of(rules):
    cdef tuple r = <tuple>rules
    ACCUMULATOR[r[0]], BORDER[r[1]]  # a rule that is not in them is a KeyError
    return ProductRules(PRODUCT[r[2]], BIAS[r[3]], MULTIPLIER[r[4]], SUM[r[5]])


cdef inline void _copy(uint8_t* to, const uint8_t* source, Py_ssize_t n) noexcept nogil:
    """Copy `n` bytes; the lines of small filters are too short to call memcpy for."""
    if n > 32 or n < 4:
        memcpy(to, source, n)
    elif n >= 16:
        memcpy(to, source, 16)
        memcpy(to + n - 16, source + n - 16, 16)
    elif n >= 8:
        memcpy(to, source, 8)
        memcpy(to + n - 8, source + n - 8, 8)
    else:
        memcpy(to, source, 4)
        memcpy(to + n - 4, source + n - 4, 4)


cdef inline uint8_t* _gather_line(
    const Geometry* g, const uint8_t* line, Py_ssize_t column, Py_ssize_t first_channel,
    uint8_t* to
) noexcept nogil:
    """Copy what lies under one line of the filter; returns the end of the copy."""
    cdef Py_ssize_t width = g.kernel[2], size = g.in_group, left, right, t, at
    if line == NULL:
        memset(to, g.zero_point, width * size)
        return to + width * size
    if g.dilation[2] == 1 and size == g.channels:
        left = min(max(-column, <Py_ssize_t>0), width)
        right = min(max(column + width - g.image[2], <Py_ssize_t>0), width - left)
        if left > 0:
            memset(to, g.zero_point, left * size)
        _copy(to + left * size, line + (column + left) * size, (width - left - right) * size)
        if right > 0:
            memset(to + (width - right) * size, g.zero_point, right * size)
        return to + width * size
    for t in range(width):
        at = column + t * g.dilation[2]
        if 0 <= at < g.image[2]:
            _copy(to, line + at * g.channels + first_channel, size)
        else:
            memset(to, g.zero_point, size)
        to += size
    return to


cdef inline void _gather(
    const Geometry* g, const Position* p, Py_ssize_t first_channel, uint8_t* to
) noexcept nogil:
    """Copy what lies under the filter at one output position."""
    cdef Py_ssize_t plane = p.at[0] * g.stride[0] - g.padding[0]
    cdef Py_ssize_t line = p.at[1] * g.stride[1] - g.padding[1]
    cdef Py_ssize_t column = p.at[2] * g.stride[2] - g.padding[2], i, j
    for i in range(g.kernel[0]):
        for j in range(g.kernel[1]):
            to = _gather_line(
                g, line_of(g, p.image, plane + i * g.dilation[0], line + j * g.dilation[1]), column,
                first_channel, to
            )


cdef void _block(
    const Columns* c, const Geometry* g, Py_ssize_t start, Py_ssize_t count, Py_ssize_t groups,
    Py_ssize_t length, Py_ssize_t padded, uint8_t* scratch, const uint8_t* x, const int8_t* rows,
    Py_ssize_t outputs, Py_ssize_t first, Py_ssize_t last, uint8_t* q
) noexcept nogil:
    """Compute columns `first` to `last` of each group for a block of output positions."""
    cdef Py_ssize_t in_group = outputs // groups, height = round_up(in_group, ROWS), group, i
    cdef Position p
    if g.pointwise and (start + count - 1) * length + padded <= g.size:
        multiply_block(c, x + start * length, length, count, length, rows + first * padded, padded,
                       first, last, q + start * outputs, NULL, outputs)
        return
    scratch += (64 - <uintptr_t>scratch % 64) % 64
    for group in range(groups):
        p = position_of(g, x, start)
        for i in range(count):
            _gather(g, &p, group * g.in_group, scratch + i * padded)
            memset(scratch + i * padded + length, 0, padded - length)
            advance(g, &p)
        multiply_block(c, scratch, padded, count, length,
                       rows + (group * height + first) * padded, padded, group * in_group + first,
                       group * in_group + last, q + start * outputs, NULL, outputs)


cdef _convolve_by_panels(
    const Columns* c, const Geometry* g, const uint8_t* x, const int8_t[:, :, ::1] packed,
    Py_ssize_t groups, Py_ssize_t images, Py_ssize_t outputs, uint8_t* q
):
    """Compute all bands, for as many columns at a time as a cache holds in float."""
    cdef Py_ssize_t depth = packed.shape[1], in_group = outputs // groups, task, tiles, i, j
    cdef Py_ssize_t panels = packed.shape[0] // groups, columns = columns_of_slice(depth)
    cdef Py_ssize_t at_once = max(<Py_ssize_t>1, columns // round_up(in_group, PANEL))
    cdef int threads = threads_for(
        images * g.out[0] * g.out[1] * g.out[2] * outputs * depth, GRAIN)
    cdef Band b = band_of(g, threads)
    cdef Py_ssize_t tasks = images * g.out[0] * bands_of(g, &b)
    cdef Py_ssize_t[::1] table = np.empty(
        window_length(g.kernel[0] * g.kernel[1] * g.kernel[2], depth), np.intp)
    cdef Window window = window_of(g, &b, &table[0], depth)
    cdef float[:, ::1] scratch = np.empty((threads, room(b.size)), np.float32)
    cdef float[::1] widths = np.empty(
        room(min(at_once, groups) * widened_length(min(columns, in_group), depth)), np.float32)
    cdef float* widened = on_a_line(&widths[0])
    cdef const int8_t* weight = &packed[0, 0, 0] if depth > 0 else NULL
    cdef Slice s
    for i in range((groups + at_once - 1) // at_once):
        s.first_group = i * at_once
        s.last_group = min(s.first_group + at_once, groups)
        for j in range((in_group + columns - 1) // columns):
            s.first = j * columns
            s.last = min(s.first + columns, in_group)
            tiles = (s.last - s.first + TILE - 1) // TILE
            with nogil:
                for task in prange((s.last_group - s.first_group) * tiles, num_threads=threads,
                                   schedule="static", use_threads_if=threads > 1):
                    widen_slice(&s, task, tiles, panels, depth, weight, widened)
                for task in prange(tasks, num_threads=threads, schedule="static",
                                   use_threads_if=threads > 1):
                    convolve_band(c, g, &b, &window, &s, task,
                                  on_a_line(&scratch[threadid(), 0]), x, widened, in_group,
                                  outputs, q)


cdef _convolve_by_rows(
    const Columns* c, const Geometry* g, const uint8_t* x, const int8_t[:, ::1] packed,
    Py_ssize_t groups, Py_ssize_t images, Py_ssize_t outputs, uint8_t* q
):
    """Compute all blocks of output positions."""
    cdef Py_ssize_t positions = images * g.out[0] * g.out[1] * g.out[2]
    cdef Py_ssize_t in_group = outputs // groups
    cdef Py_ssize_t length = g.kernel[0] * g.kernel[1] * g.kernel[2] * g.in_group
    cdef Py_ssize_t padded = packed.shape[1], height = rows_of_block(padded)
    cdef Py_ssize_t blocks = (positions + height - 1) // height, task, block, first
    cdef int threads = threads_for(positions * outputs * padded, GRAIN)
    cdef Py_ssize_t width = width_of_cut(blocks, outputs, threads) if groups == 1 else in_group
    cdef Py_ssize_t cuts = (in_group + width - 1) // width
    cdef uint8_t[:, ::1] scratch = np.empty((threads, height * padded + 64), np.uint8)
    with nogil:
        for task in prange(blocks * cuts, num_threads=threads, schedule="static",
                           use_threads_if=threads > 1):
            block = task % blocks
            first = task // blocks * width
            _block(c, g, block * height, min(height, positions - block * height), groups, length,
                   padded, &scratch[threadid(), 0], x, &packed[0, 0], outputs, first,
                   min(first + width, in_group), q)


def convolve(
    const uint8_t[:, :, :, :, ::1] x not None, input_quantizer, weight,
    const float[::1] bias not None, geometry, Py_ssize_t groups, output, rules, post
):
    """Convolve with packed filters, add the bias and requantize; inputs are not checked."""
    cdef tuple w = <tuple>weight
    cdef const int32_t[::1] sums = w[1], zero_points = w[3]
    cdef const double[::1] scales = w[2]
    cdef Quantizer of = quantizer_of(input_quantizer)
    cdef Output to = output_of(output)
    cdef ProductRules by = _rules_of(rules)
    cdef Geometry g = _geometry(
        (x.shape[0], x.shape[1], x.shape[2], x.shape[3], x.shape[4]), groups, geometry,
        of.zero_point
    )
    cdef Py_ssize_t outputs = sums.shape[0]
    cdef Py_ssize_t length = g.kernel[0] * g.kernel[1] * g.kernel[2] * g.in_group
    cdef Columns c
    out = np.empty((x.shape[0], g.out[0], g.out[1], g.out[2], outputs), np.uint8)
    cdef uint8_t[:, :, :, :, ::1] q = out
    cdef int32_t[::1] table
    if out.size == 0:
        return out
    table = np.zeros(table_length(outputs), np.int32)
    set_offsets(&c, &table[0], outputs, length, of.zero_point,
                0 if in_panels(w[0]) else SHIFT, &sums[0], &zero_points[0])
    set_static(&c, outputs, &scales[0], &bias[0], of.scale, to, by, post_of(post))
    c.start = &q[0, 0, 0, 0, 0]
    if in_panels(w[0]):
        _convolve_by_panels(&c, &g, &x[0, 0, 0, 0, 0], w[0], groups, x.shape[0], outputs,
                            &q[0, 0, 0, 0, 0])
    else:
        _convolve_by_rows(&c, &g, &x[0, 0, 0, 0, 0], w[0], groups, x.shape[0], outputs,
                          &q[0, 0, 0, 0, 0])
    return out


cdef _convolve_nine_taps(
    const Columns* c, const Geometry* g, const uint8_t* outside, const uint8_t* x,
    const int32_t[:, ::1] taps, Py_ssize_t rows, int threads, uint8_t* q
):
    """Compute all lines of the output."""
    cdef Py_ssize_t channels = g.channels, t, k, row
    cdef float[::1] widened = np.empty(TAPS * channels, np.float32)
    with nogil:
        for t in range(TAPS):
            for k in range(channels):
                widened[t * channels + k] = <float>taps[t, k]
        for row in prange(rows, num_threads=threads, schedule="static",
                          use_threads_if=threads > 1):
            convolve_nine_taps(c, g, row, outside, x, &widened[0], q)


def convolve_depthwise(
    const uint8_t[:, :, :, :, ::1] x not None, input_quantizer, weight,
    const float[::1] bias not None, geometry, output, rules, post
):
    """Convolve each channel with its own filter and requantize; inputs are not checked."""
    cdef tuple w = <tuple>weight
    cdef const int32_t[:, ::1] taps = w[0]
    cdef const int32_t[::1] sums = w[1]
    cdef const double[::1] scales = w[2]
    cdef Quantizer of = quantizer_of(input_quantizer)
    cdef Output to = output_of(output)
    cdef ProductRules by = _rules_of(rules)
    cdef Geometry g = _geometry(
        (x.shape[0], x.shape[1], x.shape[2], x.shape[3], x.shape[4]), 1, geometry, of.zero_point
    )
    cdef Py_ssize_t channels = x.shape[4], row, rows = x.shape[0] * g.out[0] * g.out[1]
    cdef int threads = threads_for(rows * g.out[2] * channels * taps.shape[0], GRAIN // 4)
    cdef Columns c
    out = np.empty((x.shape[0], g.out[0], g.out[1], g.out[2], channels), np.uint8)
    cdef uint8_t[:, :, :, :, ::1] q = out
    cdef const uint8_t[::1] outside
    cdef uintptr_t[:, ::1] under
    cdef int32_t[::1] table
    if rows == 0 or g.out[2] == 0 or channels == 0:
        return out
    table = np.zeros(table_length(channels), np.int32)
    set_offsets(&c, &table[0], channels, 0, of.zero_point, 0, &sums[0], NULL)
    set_static(&c, channels, &scales[0], &bias[0], of.scale, to, by, post_of(post))
    c.start = &q[0, 0, 0, 0, 0]
    outside = np.full(channels, of.zero_point, np.uint8)
    if has_nine_taps(&g):
        _convolve_nine_taps(&c, &g, &outside[0], &x[0, 0, 0, 0, 0], taps, rows, threads,
                            &q[0, 0, 0, 0, 0])
        return out
    under = np.empty((threads, POINTERS * taps.shape[0]), np.uintp)
    with nogil:
        for row in prange(rows, num_threads=threads, schedule="static",
                          use_threads_if=threads > 1):
            depthwise_line(&c, &g, row, <const uint8_t**>&under[threadid(), 0], &outside[0],
                           &x[0, 0, 0, 0, 0], &taps[0, 0], taps.shape[0], &q[0, 0, 0, 0, 0])
    return out
