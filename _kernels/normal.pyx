"""Kernels of refquant.reference.normal.

Design
(a) Blocks of 16 are taken apart into arrays of radii and of angles; each step is one plain loop
    over a chunk, which compilers vectorize.
(b) Both polynomials are evaluated for every angle, and chosen between afterwards: no branches.
(c) Threads take groups of blocks.
"""

from cython.parallel cimport prange
from libc.math cimport fmaf, sqrtf
from libc.stdint cimport int32_t
from libc.string cimport memcpy

from refquant._kernels._threads cimport threads_for

import numpy as np

cdef enum:
    GROUP = 32          # blocks of 16 that go through the buffers at once
    CHUNK = 8 * GROUP   # pairs of a group


cdef inline float _log(float x) noexcept nogil:
    cdef int32_t bits
    memcpy(&bits, &x, sizeof(float))
    cdef float e = <float>((bits >> 23) - 126)
    bits = (bits & 0x007fffff) | 0x3f000000  # the mantissa, between 1/2 and 1
    cdef float m
    memcpy(&m, &bits, sizeof(float))
    cdef bint small = m < <float>0.707106781186547524
    m = (m + m if small else m) - <float>1.0
    e = e - <float>1.0 if small else e
    cdef float square = m * m
    cdef float y = <float>7.0376836292e-2
    y = fmaf(y, m, <float>-1.1514610310e-1)
    y = fmaf(y, m, <float>1.1676998740e-1)
    y = fmaf(y, m, <float>-1.2420140846e-1)
    y = fmaf(y, m, <float>1.4249322787e-1)
    y = fmaf(y, m, <float>-1.6668057665e-1)
    y = fmaf(y, m, <float>2.0000714765e-1)
    y = fmaf(y, m, <float>-2.4999993993e-1)
    y = fmaf(y, m, <float>3.3333331174e-1)
    y = y * m
    y = fmaf(y, square, e * <float>-2.12194440e-4)
    y = y - square * <float>0.5
    return fmaf(e, <float>0.693359375, m + y)


cdef inline void _turn(float angle, float* cosine, float* sine) noexcept nogil:
    """Cosine and sine of an angle between 0 and 2 pi."""
    cdef int32_t octant = <int32_t>(angle * <float>1.27323954473516)
    octant = (octant + 1) & ~1
    cdef float count = <float>octant
    angle = fmaf(count, <float>-0.78515625, angle)
    angle = fmaf(count, <float>-2.4187564849853515625e-4, angle)
    angle = fmaf(count, <float>-3.77489497744594108e-8, angle)
    cdef float square = angle * angle
    cdef float c = <float>2.443315711809948e-5
    c = fmaf(c, square, <float>-1.388731625493765e-3)
    c = fmaf(c, square, <float>4.166664568298827e-2)
    c = c * square
    c = fmaf(c, square, -(square * <float>0.5)) + <float>1.0
    cdef float s = <float>-1.9515295891e-4
    s = fmaf(s, square, <float>8.3321608736e-3)
    s = fmaf(s, square, <float>-1.6666654611e-1)
    s = fmaf(s * square, angle, angle)
    cdef float first = s if octant & 2 else c
    cdef float second = c if octant & 2 else s
    cosine[0] = -first if (octant + 2) & 4 else first
    sine[0] = -second if octant & 4 else second


cdef void _group(
    const float* uniforms, float* out, Py_ssize_t blocks, float mean, float std
) noexcept nogil:
    """Make the numbers of at most GROUP blocks."""
    cdef float radius[CHUNK]
    cdef float angle[CHUNK]
    cdef float cosine[CHUNK]
    cdef float sine[CHUNK]
    cdef Py_ssize_t i, j, n = 8 * blocks
    for j in range(blocks):
        for i in range(8):
            radius[8 * j + i] = <float>1.0 - uniforms[16 * j + i]
            angle[8 * j + i] = <float>6.283185307179586 * uniforms[16 * j + 8 + i]
    for i in range(n):
        radius[i] = sqrtf(<float>-2.0 * _log(radius[i]))
    for i in range(n):
        _turn(angle[i], &cosine[i], &sine[i])
    for i in range(n):
        cosine[i] = fmaf(radius[i] * cosine[i], std, mean)
        sine[i] = fmaf(radius[i] * sine[i], std, mean)
    for j in range(blocks):
        for i in range(8):
            out[16 * j + i] = cosine[8 * j + i]
            out[16 * j + 8 + i] = sine[8 * j + i]


def normal_blocks(const float[:, ::1] uniforms not None, double mean, double std):
    """Make normal numbers of uniform ones; inputs are not checked."""
    cdef Py_ssize_t n = uniforms.shape[0], groups = (n + GROUP - 1) // GROUP, group, start
    cdef int threads = threads_for(groups, 64)
    cdef float center = <float>mean, spread = <float>std
    out = np.empty((n, 16), np.float32)
    if n == 0:
        return out
    cdef float[:, ::1] result = out
    with nogil:
        for group in prange(groups, num_threads=threads, schedule="static",
                            use_threads_if=threads > 1):
            start = group * GROUP
            _group(&uniforms[start, 0], &result[start, 0], min(<Py_ssize_t>GROUP, n - start),
                   center, spread)
    return out
