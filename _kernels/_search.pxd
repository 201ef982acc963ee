# The search that narrows the range of a histogram until the squared error of quantization grows.
#
# Design
# (a) The terms of all bins are computed without a branch, so that the loop vectorizes.
# (b) They are added one after the other in float32, as the definition does, leaving out zeros.

from libc.math cimport INFINITY, floor

cdef inline float integral(float density, double a, double b) noexcept nogil:
    return density * <float>((b * b * b - a * a * a) / 3.0)


cdef inline double clamp_level(double v, double highest) noexcept nogil:
    v = v if v > 0.0 else 0.0
    return v if v < highest else highest


cdef inline void error_terms(
    const float* counts, float* terms, Py_ssize_t bins, double bin_width, Py_ssize_t first,
    double width, double highest
) noexcept nogil:
    """Terms of the squared error, three rows of `bins`."""
    cdef float density, narrow = <float>bin_width
    cdef double begin, end, level, last_level, half = width / 2, to_begin, to_end
    cdef bint alone
    cdef Py_ssize_t i
    for i in range(bins):
        density = counts[i] / narrow
        begin = <double>(i - first) * bin_width
        end = begin + bin_width
        level = clamp_level(floor(begin / width), highest)
        last_level = clamp_level(floor(end / width), highest)
        to_begin = begin - (level * width + half)
        to_end = end - (last_level * width + half)
        alone = level == last_level
        terms[i] = integral(density, to_begin, to_end if alone else half)
        terms[bins + i] = <float>0.0 if alone else (
            <float>(last_level - level - 1.0) * integral(density, -half, half))
        terms[2 * bins + i] = <float>0.0 if alone else integral(density, -half, to_end)


cdef inline float error_of(
    const float* counts, float* terms, Py_ssize_t bins, double bin_width, Py_ssize_t first,
    Py_ssize_t last, double levels
) noexcept nogil:
    """Squared error of quantizing to `levels` values that cover the bins first..last."""
    cdef double width = bin_width * <double>(last - first + 1) / levels
    cdef float error = 0
    cdef Py_ssize_t i
    if width == 0.0:
        return 0
    error_terms(counts, terms, bins, bin_width, first, width, levels - 1.0)
    for i in range(bins):
        # A sum is not changed by zero, and adding takes longer than looking.
        if terms[i] != 0:
            error = error + terms[i]
        if terms[bins + i] != 0:
            error = error + terms[bins + i]
        if terms[2 * bins + i] != 0:
            error = error + terms[2 * bins + i]
    return error


cdef inline void search(
    const float* counts, float* cumulative, float* terms, Py_ssize_t bins, double bin_width,
    double levels, Py_ssize_t* found_first, Py_ssize_t* found_last
) noexcept nogil:
    cdef Py_ssize_t first = 0, last = bins - 1, left, right, i
    cdef double cut_below = 0.0, kept_above = 1.0, more_cut, less_kept, running = 0
    cdef float total = 0, error, least = INFINITY
    for i in range(bins):
        running = running + counts[i]
        cumulative[i] = <float>running
        total = total + counts[i]
    while cut_below < kept_above:
        # SEARCH_STEP of the definition.
        more_cut = cut_below + 1e-5
        less_kept = kept_above - 1e-5
        left = first
        right = last
        while left < last and cumulative[left] < <float>more_cut * total:
            left += 1
        while right > first and cumulative[right] > <float>less_kept * total:
            right -= 1
        if left - first > last - right:
            cut_below = more_cut
            right = last
        else:
            kept_above = less_kept
            left = first
        if left == first and right == last:
            continue
        error = error_of(counts, terms, bins, bin_width, left, right, levels)
        if error > least:
            break
        least = error
        first = left
        last = right
    found_first[0] = first
    found_last[0] = last
