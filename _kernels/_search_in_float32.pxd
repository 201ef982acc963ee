# The search that narrows the range of a histogram, with the error in float32, as PyTorch 2.13 does.
#
# Design
# (a) The terms of all bins are computed without a branch, so that the loop vectorizes.
# (b) The remainder is formed in float64: below 2**28 the quotient of two float32 is cut to the
#     right integer there, and its product with the divisor is exact. Others take fmodf.

from libc.math cimport INFINITY, floorf, fmodf, trunc

from refquant._kernels._sums cimport cascade

cdef enum:
    LARGEST_QUOTIENT = 1 << 28


cdef inline float floor_divided(float a, float b, float remainder) noexcept nogil:
    """Divide and round down as Python does."""
    cdef float quotient = (a - remainder) / b, down
    quotient = quotient - <float>1.0 if remainder < 0 else quotient
    down = floorf(quotient)
    return down + <float>1.0 if quotient - down > <float>0.5 else down


cdef inline float level_of(float a, float b, float highest) noexcept nogil:
    cdef double divisor = b, quotient = trunc(<double>a / divisor)
    cdef float level = floor_divided(a, b, <float>(<double>a - quotient * divisor))
    level = <float>0.0 if level < 0 else level
    return highest if level > highest else level


cdef inline float far_level_of(float a, float b, float highest) noexcept nogil:
    cdef float level = a / b if b == 0 else floor_divided(a, b, fmodf(a, b))
    level = <float>0.0 if level < 0 else level
    return highest if level > highest else level


cdef inline float squared(float density, float a, float b) noexcept nogil:
    """Squared distances from a to b."""
    return density * ((b * b * b - a * a * a) / <float>3.0)


cdef inline float term(
    float count, float begin, float end, float level, float last_level, float bin, float cell,
    float half
) noexcept nogil:
    cdef float density = count / bin
    cdef float error = squared(density, begin - (level + <float>0.5) * cell, half)
    error = error + (last_level - level - <float>1.0) * squared(density, -half, half)
    return error + squared(density, -half, end - (last_level * cell + half))


cdef inline float error_in_float32(
    const float* counts, float* terms, Py_ssize_t bins, double bin_width, Py_ssize_t first,
    Py_ssize_t last, Py_ssize_t levels
) noexcept nogil:
    """Squared error of quantizing to `levels` values that cover the bins first..last."""
    cdef double width = bin_width * <double>(last - first + 1) / <double>levels
    cdef float bin = <float>bin_width, cell = <float>width, half = <float>(width / 2)
    cdef float highest = <float>(levels - 1), begin, end
    cdef Py_ssize_t i
    if width == 0.0:
        return 0
    if levels <= LARGEST_QUOTIENT // bins and cell > 0:
        for i in range(bins):
            begin = <float>(i - first) * bin
            end = begin + bin
            terms[i] = term(counts[i], begin, end, level_of(begin, cell, highest),
                            level_of(end, cell, highest), bin, cell, half)
    else:
        for i in range(bins):
            begin = <float>(i - first) * bin
            end = begin + bin
            terms[i] = term(counts[i], begin, end, far_level_of(begin, cell, highest),
                            far_level_of(end, cell, highest), bin, cell, half)
    return cascade(terms, bins)


cdef inline void search_in_float32(
    const float* counts, float* cumulative, float* terms, Py_ssize_t bins, double bin_width,
    Py_ssize_t levels, Py_ssize_t* found_first, Py_ssize_t* found_last
) noexcept nogil:
    cdef Py_ssize_t first = 0, last = bins - 1, left, right, i
    cdef double cut_below = 0.0, kept_above = 1.0, more_cut, less_kept, running = 0
    cdef double total = cascade(counts, bins)
    cdef float error, least = INFINITY, below, above
    for i in range(bins):
        running = running + counts[i]
        cumulative[i] = <float>running
    while cut_below < kept_above:
        # SEARCH_STEP of the definition.
        more_cut = cut_below + 1e-5
        less_kept = kept_above - 1e-5
        below = <float>(more_cut * total)
        above = <float>(less_kept * total)
        left = first
        right = last
        while left < last and cumulative[left] < below:
            left += 1
        while right > first and cumulative[right] > above:
            right -= 1
        if left - first > last - right:
            cut_below = more_cut
            right = last
        else:
            kept_above = less_kept
            left = first
        if left == first and right == last:
            continue
        error = error_in_float32(counts, terms, bins, bin_width, left, right, levels)
        if error > least:
            break
        least = error
        first = left
        last = right
    found_first[0] = first
    found_last[0] = last
