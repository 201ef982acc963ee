# Sums of the integers of windows that lie beside each other, to be inlined into loops.
#
# Design
# (a) The rows under a line of windows are added up first, then the columns of each window.
# (b) Rows go in chunks of a constant size, which the compiler turns into vectors without a loop
#     for the rest: the last chunk ends where the row ends and is computed once more in part.
# (c) A chunk of 8-bit integers is added in 16 bits, in registers, as long as these hold the sum.
# (d) Sums of columns are in blocks, too; a line of sums has ROOM behind its end for the last one.

from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t

from refquant._kernels._operands cimport stored

cdef enum:
    CHUNK = 64
    HELD_ROWS = 255  # elements of 8 bits whose sum 16 bits hold
    BLOCK = 16       # sums
    ROOM = 64


# What is added to one row of sums: `rows` of each of `planes`.
cdef struct Slab:
    Py_ssize_t planes
    Py_ssize_t plane_step
    Py_ssize_t rows
    Py_ssize_t row_step


cdef inline int32_t widened(uint16_t held, stored unused) noexcept nogil:
    """A sum of 8-bit integers, as signed as these."""
    if stored is uint8_t:
        return held
    else:
        return <int16_t>held


cdef inline void add_chunk(
    const stored* first, Slab of, int32_t* sums, const Py_ssize_t size
) noexcept nogil:
    """Add `size` neighbors of at most HELD_ROWS rows."""
    cdef uint16_t held[CHUNK]
    cdef Py_ssize_t z, y, k
    cdef const stored* line
    for k in range(size):
        held[k] = 0
    for z in range(of.planes):
        for y in range(of.rows):
            line = first + z * of.plane_step + y * of.row_step
            for k in range(size):
                held[k] = held[k] + <uint16_t>line[k]
    for k in range(size):
        sums[k] = widened(held[k], <stored>0)


cdef inline void add_high_chunk(
    const stored* first, Slab of, int32_t* sums, const Py_ssize_t size
) noexcept nogil:
    """Add `size` neighbors of any number of rows."""
    cdef int32_t part[CHUNK]
    cdef Py_ssize_t z, y = 0, k
    for k in range(size):
        sums[k] = 0
    for z in range(of.planes):
        y = 0
        while y < of.rows:
            add_chunk(first + z * of.plane_step + y * of.row_step,
                      Slab(1, 0, min(<Py_ssize_t>HELD_ROWS, of.rows - y), of.row_step), part, size)
            for k in range(size):
                sums[k] = sums[k] + part[k]
            y += HELD_ROWS


cdef inline void add_rows(
    const stored* first, Slab of, Py_ssize_t n, int32_t* sums
) noexcept nogil:
    """Add up rows of `n` 8-bit integers."""
    cdef Py_ssize_t start = 0, k
    if of.planes * of.rows > HELD_ROWS:
        if n >= CHUNK // 4:
            while start < n:
                start = min(start, n - CHUNK // 4)
                add_high_chunk(first + start, of, sums + start, CHUNK // 4)
                start += CHUNK // 4
        else:
            for k in range(n):
                add_high_chunk(first + k, of, sums + k, 1)
    elif n >= CHUNK:
        while start < n:
            start = min(start, n - CHUNK)
            add_chunk(first + start, of, sums + start, CHUNK)
            start += CHUNK
    elif n >= CHUNK // 2:
        start = n - CHUNK // 2
        add_chunk(first, of, sums, CHUNK // 2)
        add_chunk(first + start, of, sums + start, CHUNK // 2)
    elif n >= CHUNK // 4:
        start = n - CHUNK // 4
        add_chunk(first, of, sums, CHUNK // 4)
        add_chunk(first + start, of, sums + start, CHUNK // 4)
    else:
        for k in range(n):
            add_chunk(first + k, of, sums + k, 1)


cdef inline void add_block(
    const int32_t* pixel, Py_ssize_t count, Py_ssize_t step, int32_t* total, const Py_ssize_t size
) noexcept nogil:
    """Add `size` neighbors of `count` pixels, `step` apart."""
    cdef int32_t held[CHUNK]
    cdef Py_ssize_t u, k
    for k in range(size):
        held[k] = pixel[k]
    for u in range(1, count):
        for k in range(size):
            held[k] = held[k] + pixel[u * step + k]
    for k in range(size):
        total[k] = held[k]


cdef inline void add_columns(
    const int32_t* sums, int32_t* total, Py_ssize_t count, Py_ssize_t size, Py_ssize_t step,
    Py_ssize_t inner
) noexcept nogil:
    """Add the columns of neighboring windows of one size, `step` apart."""
    cdef Py_ssize_t i = 0, u, k
    cdef int32_t held[BLOCK]
    cdef int32_t one
    if inner > 1:  # of an incomplete block the next window overwrites what is too much
        for i in range(count):
            k = 0
            while k + CHUNK <= inner:
                add_block(sums + i * step * inner + k, size, inner, total + i * inner + k, CHUNK)
                k += CHUNK
            while k < inner:
                add_block(sums + i * step * inner + k, size, inner, total + i * inner + k, BLOCK)
                k += BLOCK
    elif step == 1:
        while i < count:
            add_block(sums + i, size, 1, total + i, BLOCK)
            i += BLOCK
    elif step == 2:
        while i < count:
            for k in range(BLOCK):
                held[k] = 0
            for u in range(size):
                for k in range(BLOCK):
                    held[k] = held[k] + sums[2 * (i + k) + u]
            for k in range(BLOCK):
                total[i + k] = held[k]
            i += BLOCK
    else:
        for i in range(count):
            one = 0
            for u in range(size):
                one = one + sums[i * step + u]
            total[i] = one
