"""Kernels of refquant.reference.matmul.

Design
(a) Tiles stand in _product.pxd, offsets in _columns.pxd, output rules in _output_rules.pxd; here
    is the split into blocks.
(b) A block of input rows is copied into scratch memory, padded and aligned, and multiplied by all
    columns while it lies in the cache.
(c) Few rows are cut by columns too, so that every thread has work; sums of integers do not depend
    on the cut.
"""

from cython.parallel cimport prange, threadid
from libc.math cimport fmaf
from libc.stdint cimport int8_t, int32_t, uint8_t, uint32_t, uintptr_t
from libc.string cimport memcpy, memset

from refquant._kernels._columns cimport (
    Columns, set_dynamic, set_offsets, set_static, table_length, width_of_cut,
)
from refquant._kernels._float_tiles cimport Row, TILE, TILE_ROWS
from refquant._kernels._integers cimport round_up
from refquant._kernels._operands cimport (
    Output, ProductRules, Quantizer, output_of, quantizer_of,
)
from refquant._kernels._panels cimport (
    FEW_ROWS, PANEL, PANEL_ROWS, columns_of_slice, in_panels, multiply_few, multiply_panels,
    on_a_line, panel_rows_of_block, room, widen_run, widen_tiles, widened_length,
)
from refquant._kernels._pipeline cimport PostOps, post_of
from refquant._kernels._product cimport (
    SHIFT, multiply_block, padded_depth, rows_of_block,
)
from refquant._kernels._rules cimport NO_RELU
from refquant._kernels._threads cimport threads_for
from refquant._kernels._windows cimport (
    Window, add_piece, begin_window, fill_last_tile, window_length,
)

import numpy as np

from refquant._kernels._memory import aligned
from refquant._kernels._rules import (
    ACCUMULATOR, BIAS, BORDER, DYNAMIC_OUTPUT, DYNAMIC_RELU, MULTIPLIER, PRODUCT, SUM,
)

cdef enum:
    ROWS = 4
    SLICE = 256  # columns that few rows are multiplied by at once
    GRAIN = 1 << 20  # products that are worth a thread
    GAP = 16  # between rows of floats: rows a power of two apart compete for a line of the cache
    WIDTH = 32  # columns of float sums that grow at once
    HALF_BLOCK = 512  # products of the last columns that are added before they join the sums before
    SMALL = 4096  # bytes of rows that a call keeps without an array


def pack_rows(const int8_t[:, ::1] weight not None):
    """Lay out the weight of a linear layer for products; inputs are not checked."""
    cdef Py_ssize_t outputs = weight.shape[0], depth = weight.shape[1], n, k
    cdef uint32_t total
    packed_weight = aligned((round_up(outputs, ROWS), padded_depth(depth)), np.int8)
    weight_sums = np.zeros(outputs, np.int32)
    cdef int8_t[:, ::1] r = packed_weight
    cdef int32_t[::1] s = weight_sums
    if depth == 0:
        return packed_weight, weight_sums
    with nogil:
        for n in range(outputs):
            memcpy(&r[n, 0], &weight[n, 0], depth)
            total = 0
            for k in range(depth):
                total += <uint32_t><int32_t>weight[n, k]
            s[n] = <int32_t>total
    return packed_weight, weight_sums


def pack_panels(const int8_t[:, ::1] weight not None, Py_ssize_t groups):
    """Lay out a weight in panels of columns; inputs are not checked."""
    cdef Py_ssize_t count = weight.shape[0], depth = weight.shape[1], outputs = count // groups
    cdef Py_ssize_t n, k, panels = (outputs + PANEL - 1) // PANEL, column
    cdef uint32_t total
    packed_weight = aligned((groups * panels, depth, PANEL), np.int8)
    weight_sums = np.zeros(count, np.int32)
    cdef int8_t[:, :, ::1] p = packed_weight
    cdef int32_t[::1] s = weight_sums
    with nogil:
        for n in range(count):
            column = n % outputs
            total = 0
            for k in range(depth):
                p[n // outputs * panels + column // PANEL, k, column % PANEL] = weight[n, k]
                total += <uint32_t><int32_t>weight[n, k]
            s[n] = <int32_t>total
    return packed_weight, weight_sums


cdef void _block(
    const Columns* c, Py_ssize_t start, Py_ssize_t count, uint8_t* scratch, const uint8_t* x,
    Py_ssize_t depth, const int8_t* rows, Py_ssize_t padded, Py_ssize_t outputs, Py_ssize_t first,
    Py_ssize_t last, uint8_t* q, float* y
) noexcept nogil:
    """Compute columns `first` to `last` for a block of rows."""
    cdef Py_ssize_t i
    scratch += (64 - <uintptr_t>scratch % 64) % 64
    for i in range(count):
        memcpy(scratch + i * padded, x + (start + i) * depth, depth)
        memset(scratch + i * padded + depth, 0, padded - depth)
    multiply_block(
        c, scratch, padded, count, depth, rows + first * padded, padded, first, last,
        q + start * outputs if q != NULL else NULL, y + start * outputs if y != NULL else NULL,
        outputs
    )


cdef _multiply_by_rows(
    const Columns* c, const uint8_t[:, ::1] x, const int8_t[:, ::1] rows, Py_ssize_t outputs,
    uint8_t* q, float* y
):
    """Compute all blocks."""
    cdef Py_ssize_t m = x.shape[0], padded = rows.shape[1], task, start, first
    cdef Py_ssize_t height = min(rows_of_block(padded), round_up(m, ROWS))
    cdef Py_ssize_t blocks = (m + height - 1) // height
    cdef int threads = threads_for(m * outputs * padded, GRAIN)
    cdef Py_ssize_t width = width_of_cut(blocks, outputs, threads)
    cdef Py_ssize_t cuts = (outputs + width - 1) // width
    cdef Py_ssize_t length = height * padded + 64
    cdef uint8_t[SMALL] small  # making an array takes longer than multiplying a short row
    cdef uint8_t[::1] memory
    cdef uint8_t* scratch = small
    if threads * length > SMALL:
        memory = np.empty(threads * length, np.uint8)
        scratch = &memory[0]
    with nogil:
        for task in prange(blocks * cuts, num_threads=threads, schedule="static",
                           use_threads_if=threads > 1):
            start = task % blocks * height
            first = task // blocks * width
            _block(c, start, min(height, m - start), scratch + threadid() * length, &x[0, 0],
                   x.shape[1], &rows[0, 0], padded, outputs, first, min(first + width, outputs),
                   q, y)


cdef void _block_of_panels(
    const Columns* c, const Window* window, Py_ssize_t start, Py_ssize_t count, float* scratch,
    const uint8_t* x, const float* widened, Py_ssize_t outputs, Py_ssize_t first, Py_ssize_t last,
    uint8_t* q, float* y
) noexcept nogil:
    """Compute columns `first`, with which `widened` begins, to `last` for a block of rows."""
    cdef Py_ssize_t depth = window.depth, i
    cdef Row[PANEL_ROWS] rows
    for i in range(count):
        rows[i] = scratch + i * (depth + GAP)
        widen_run(x + (start + i) * depth, depth, scratch + i * (depth + GAP))
    fill_last_tile(rows, count)
    multiply_panels(
        c, rows, count, window, 0, widened, first, last,
        q + start * outputs if q != NULL else NULL, y + start * outputs if y != NULL else NULL,
        outputs
    )


cdef _multiply_by_panels(
    const Columns* c, const uint8_t[:, ::1] x, const int8_t[:, :, ::1] panels, Py_ssize_t outputs,
    uint8_t* q, float* y
):
    """Compute all blocks, for as many columns at a time as a cache holds in float."""
    cdef Py_ssize_t m = x.shape[0], depth = x.shape[1], task, first, last, tile, part
    cdef Py_ssize_t width, cuts, start, at
    cdef Py_ssize_t height = min(panel_rows_of_block(depth), round_up(m, TILE_ROWS))
    cdef Py_ssize_t blocks = (m + height - 1) // height, columns = columns_of_slice(depth)
    cdef int threads = threads_for(m * outputs * depth, GRAIN)
    cdef const int8_t* weight = &panels[0, 0, 0] if depth > 0 else NULL
    cdef const uint8_t* rows = &x[0, 0] if depth > 0 else NULL
    cdef float[:, ::1] scratch
    cdef float[::1] widths
    cdef float* widened
    cdef Py_ssize_t[::1] table
    cdef Window window
    if m <= FEW_ROWS:
        with nogil:
            for task in prange((outputs + SLICE - 1) // SLICE, num_threads=threads,
                               schedule="static", use_threads_if=threads > 1):
                multiply_few(c, rows, m, depth, weight + task * SLICE * depth, task * SLICE,
                             min((task + 1) * SLICE, outputs), q, y, outputs)
        return
    table = np.empty(window_length(1, depth), np.intp)
    window = begin_window(&table[0], 1, depth)
    add_piece(&window, 0, depth)
    scratch = np.empty((threads, room(height * (depth + GAP))), np.float32)
    widths = np.empty(room(widened_length(min(columns, outputs), depth)), np.float32)
    widened = on_a_line(&widths[0])
    for part in range((outputs + columns - 1) // columns):
        first = part * columns
        last = min(first + columns, outputs)
        width = width_of_cut(blocks, last - first, threads)
        cuts = (last - first + width - 1) // width
        with nogil:
            for tile in prange((last - first + TILE - 1) // TILE, num_threads=threads,
                               schedule="static", use_threads_if=threads > 1):
                widen_tiles(weight, depth, first + tile * TILE,
                            min(<Py_ssize_t>TILE, last - first - tile * TILE),
                            widened + tile * TILE * depth)
            for task in prange(blocks * cuts, num_threads=threads, schedule="static",
                               use_threads_if=threads > 1):
                start = task % blocks * height
                at = task // blocks * width
                _block_of_panels(c, &window, start, min(height, m - start),
                                 on_a_line(&scratch[threadid(), 0]), rows, widened + at * depth,
                                 outputs, first + at, min(first + at + width, last), q, y)


cdef _multiply(
    const Columns* c, const uint8_t[:, ::1] x, packed, Py_ssize_t outputs, uint8_t* q, float* y
):
    """Compute all blocks by a packed weight."""
    if in_panels(packed):
        _multiply_by_panels(c, x, packed, outputs, q, y)
    else:
        _multiply_by_rows(c, x, packed, outputs, q, y)


def linear(
    const uint8_t[:, ::1] x not None, input_quantizer, weight, const float[::1] bias not None,
    output, rules, post
):
    """Multiply by a packed weight, add the bias and requantize; inputs are not checked."""
    cdef tuple w = <tuple>weight, r = <tuple>rules
    cdef const int32_t[::1] sums = w[1], zero_points = w[3]
    cdef const double[::1] scales = w[2]
    cdef Quantizer of = quantizer_of(input_quantizer)
    cdef Output to = output_of(output)
    ACCUMULATOR[r[0]], BORDER[r[1]]  # a rule that is not in them is a KeyError
    cdef ProductRules by = ProductRules(PRODUCT[r[2]], BIAS[r[3]], MULTIPLIER[r[4]], SUM[r[5]])
    cdef PostOps after = post_of(post)
    cdef Py_ssize_t outputs = sums.shape[0]
    cdef Columns c
    out = np.empty((x.shape[0], outputs), np.uint8)
    cdef uint8_t[:, ::1] q = out
    cdef int32_t[::1] table
    if x.shape[0] == 0 or outputs == 0:
        return out
    table = np.zeros(table_length(outputs), np.int32)
    set_offsets(&c, &table[0], outputs, x.shape[1], of.zero_point,
                0 if in_panels(w[0]) else SHIFT, &sums[0], &zero_points[0])
    set_static(&c, outputs, &scales[0], &bias[0], of.scale, to, by, after)
    c.start = &q[0, 0]
    _multiply(&c, x, w[0], outputs, &q[0, 0], NULL)
    return out


def linear_dynamic(
    const uint8_t[:, ::1] x not None, input_quantizer, weight, const float[::1] bias not None,
    relu, accumulate, rule
):
    """Multiply by a packed weight and return real values; inputs are not checked."""
    cdef tuple w = <tuple>weight
    cdef const int32_t[::1] sums = w[1], zero_points = w[3]
    cdef const double[::1] scales = w[2]
    cdef Quantizer of = quantizer_of(input_quantizer)
    cdef int code = DYNAMIC_OUTPUT[rule]
    cdef int relu_code = NO_RELU if relu is None else DYNAMIC_RELU[relu]
    ACCUMULATOR[accumulate]  # a rule that is not in it is a KeyError
    cdef Py_ssize_t outputs = sums.shape[0]
    cdef Columns c
    out = np.empty((x.shape[0], outputs), np.float32)
    cdef float[:, ::1] y = out
    cdef int32_t[::1] table
    if x.shape[0] == 0 or outputs == 0:
        return out
    table = np.zeros(table_length(outputs), np.int32)
    set_offsets(&c, &table[0], outputs, x.shape[1], of.zero_point,
                0 if in_panels(w[0]) else SHIFT, &sums[0], &zero_points[0])
    set_dynamic(&c, outputs, &scales[0], &bias[0], of.scale, relu_code, code)
    _multiply(&c, x, w[0], outputs, NULL, &y[0, 0])
    return out


cdef inline void _half_columns(
    const float* x, const float* weight, Py_ssize_t depth, Py_ssize_t block, Py_ssize_t outputs,
    Py_ssize_t count, float* y
) noexcept nogil:
    """Sum `count` columns, at most WIDTH, of one row, in blocks."""
    cdef float[WIDTH] total
    cdef Py_ssize_t first = 0, k, n
    for n in range(count):
        y[n] = <float>(-0.0) if depth > 0 else 0
    while first < depth:
        for n in range(count):
            total[n] = 0 if first else <float>(-0.0)
        for k in range(first, min(first + block, depth)):
            for n in range(count):
                total[n] = fmaf(x[k], weight[k * outputs + n], total[n])
        for n in range(count):
            y[n] += total[n]
        first += block


cdef void _half_row(
    const float* x, const float* weight, const float* bias, bint relu, Py_ssize_t depth,
    Py_ssize_t outputs, float* y
) noexcept nogil:
    """Compute one row; sums of neighboring columns grow at once, in registers."""
    cdef Py_ssize_t first = 0, n
    while first + WIDTH <= outputs:
        _half_columns(x, weight + first, depth, depth, outputs, WIDTH, y + first)
        first += WIDTH
    if first < outputs:
        _half_columns(x, weight + first, depth, HALF_BLOCK, outputs, outputs - first, y + first)
    if bias != NULL:
        for n in range(outputs):
            y[n] += bias[n]
    if relu:
        for n in range(outputs):
            y[n] = <float>0.0 if y[n] < 0.0 else y[n]


def linear_half(
    const float[:, ::1] x not None, const float[:, ::1] weight not None, bias, bint relu
):
    """Multiply float32 by a weight of few bits; inputs are not checked."""
    cdef Py_ssize_t depth = weight.shape[0], outputs = weight.shape[1], row, m = x.shape[0]
    cdef int threads = threads_for(m * outputs * depth, GRAIN // 8)
    out = np.zeros((m, outputs), np.float32)
    cdef float[:, ::1] y = out
    cdef const float[::1] given
    cdef const float* b = NULL
    cdef const float* xs = NULL
    cdef const float* w = NULL
    if m == 0 or outputs == 0:
        return out
    if bias is not None:
        given = bias
        b = &given[0]
    if depth > 0:
        xs, w = &x[0, 0], &weight[0, 0]
    with nogil:
        for row in prange(m, num_threads=threads, schedule="static", use_threads_if=threads > 1):
            _half_row(xs + row * depth, w, b, relu, depth, outputs, &y[row, 0])
    return out
