# Pixels whose channels lie innermost: their sums, and a slope and a shift for each channel.
#
# Design
# (a) As many pixels as fill a buffer are one run: slopes and shifts are repeated for them, and one
#     plain loop a step has no need to know where a pixel ends.
# (b) Where rules differ between whole vectors of channels and the rest, a run follows those of
#     vectors, and its tails are collected and computed again by theirs.
# (c) Sums of channels are taken for a block of channels at a time: they stay in registers.

from libc.math cimport fmaf
from libc.stdint cimport int32_t, int64_t, uint64_t

from refquant._kernels._operands cimport Output, Quantizer, stored
from refquant._kernels._rounding cimport dequantize_run, quantize_run

cdef enum:
    CHUNK = 1024  # elements of a buffer: 4 KiB of float32
    SUMMED = 64   # channels whose sums are taken at once


cdef struct Rules:
    int dequantize
    int tail_dequantize
    int quantize
    int tail_quantize
    Py_ssize_t block


# Where rules of a pixel change: in each `block` of channels after `whole` of them.
cdef struct Cut:
    Py_ssize_t channels
    Py_ssize_t block
    Py_ssize_t whole
    Py_ssize_t together  # pixels of a run
    int dequantize
    int quantize
    bint tails


cdef inline Cut cut_of(
    Py_ssize_t pixels, Py_ssize_t channels, Py_ssize_t block, Rules rules
) noexcept nogil:
    cdef Cut cut
    cdef bint same = (
        rules.dequantize == rules.tail_dequantize and rules.quantize == rules.tail_quantize
    )
    cut.channels, cut.block, cut.whole = channels, block, block - block % rules.block
    cut.together = min(pixels, max(<Py_ssize_t>1, <Py_ssize_t>CHUNK // channels))
    cut.tails = 0 < cut.whole < block and not same
    cut.dequantize = rules.dequantize if cut.whole else rules.tail_dequantize
    cut.quantize = rules.quantize if cut.whole else rules.tail_quantize
    return cut


cdef inline void repeat(float* line, Py_ssize_t channels, Py_ssize_t pixels) noexcept nogil:
    """Repeat the numbers of the first pixel for the others."""
    cdef Py_ssize_t i
    for i in range(channels, channels * pixels):
        line[i] = line[i - channels]


cdef inline void scaled_run(
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


cdef inline void scaled_tails(
    const stored* a, stored* q, Py_ssize_t n, int32_t zero_point, const float* slope,
    const float* shift, Output to, Cut cut, int dequantize, int quantize
) noexcept nogil:
    """Compute what no vector holds in a run of `n` elements."""
    cdef stored integers[CHUNK]
    cdef float slopes[CHUNK]
    cdef float shifts[CHUNK]
    cdef Py_ssize_t length = cut.block - cut.whole, first = cut.whole, start, count, i, held
    while length > CHUNK and first < n:
        scaled_run(a + first, q + first, length, zero_point, slope + first, shift + first, to,
                   dequantize, quantize)
        first += cut.block
    while first < n:
        held, start = 0, first
        while start < n and held + length <= CHUNK:
            for i in range(length):
                integers[held + i] = a[start + i]
                slopes[held + i] = slope[start + i]
                shifts[held + i] = shift[start + i]
            held, start = held + length, start + cut.block
        scaled_run(integers, integers, held, zero_point, slopes, shifts, to, dequantize, quantize)
        count, held, start = start, 0, first
        while start < count:
            for i in range(length):
                q[start + i] = integers[held + i]
            held, start = held + length, start + cut.block
        first = count


cdef inline void scaled_pixels(
    const stored* a, stored* q, Py_ssize_t pixels, Cut cut, int32_t zero_point,
    const float* slope, const float* shift, Output to, Rules rules
) noexcept nogil:
    """A run of pixels; slopes and shifts are there for each of them."""
    cdef Py_ssize_t n = pixels * cut.channels
    scaled_run(a, q, n, zero_point, slope, shift, to, cut.dequantize, cut.quantize)
    if cut.tails:
        scaled_tails(a, q, n, zero_point, slope, shift, to, cut, rules.tail_dequantize,
                     rules.tail_quantize)


cdef inline void exact_sums(
    const stored* a, Py_ssize_t pixels, Py_ssize_t channels, Py_ssize_t count, int64_t* total,
    uint64_t* squares
) noexcept nogil:
    """Sums of `count` channels, at most SUMMED, over fewer pixels than overflow an int32."""
    cdef int32_t few[SUMMED]
    cdef int32_t few_squares[SUMMED]
    cdef Py_ssize_t pixel, c
    cdef const stored* line
    cdef int32_t x
    cdef int64_t wide
    for c in range(SUMMED):
        total[c] = squares[c] = few[c] = few_squares[c] = 0
    for pixel in range(pixels):
        line = a + pixel * channels
        if stored is int32_t:
            for c in range(count):
                wide = line[c]
                total[c] = total[c] + wide
                squares[c] = squares[c] + <uint64_t>(wide * wide)  # wraps
        else:
            for c in range(count):
                x = line[c]
                few[c] = few[c] + x
                few_squares[c] = few_squares[c] + x * x
    for c in range(count):
        total[c] = total[c] + few[c]
        squares[c] = squares[c] + <uint64_t>few_squares[c]


cdef inline void sums_of_channels(
    const stored* a, Py_ssize_t pixels, Py_ssize_t channels, float* total, float* squares
) noexcept nogil:
    """Sums of float32, a channel at a time, pixels in order."""
    cdef float sums[SUMMED]
    cdef float powers[SUMMED]
    cdef Py_ssize_t pixel, first = 0, count, c
    cdef const stored* line
    cdef float x
    cdef int64_t wide
    while first < channels:
        count = min(<Py_ssize_t>SUMMED, channels - first)
        for c in range(SUMMED):
            sums[c] = powers[c] = 0.0
        for pixel in range(pixels):
            line = a + pixel * channels + first
            if stored is int32_t:
                for c in range(count):
                    wide = line[c]
                    sums[c] = sums[c] + <float>wide
                    powers[c] = powers[c] + <float>(wide * wide)
            else:
                for c in range(count):
                    x = <float>line[c]  # whose square is exact
                    sums[c] = sums[c] + x
                    powers[c] = powers[c] + x * x
        for c in range(count):
            total[first + c], squares[first + c] = sums[c], powers[c]
        first += count
