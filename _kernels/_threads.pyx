"""How many threads a kernel may use: the one place that knows.

Design
(a) Work is split in blocks of a fixed size, so that results never depend on the thread count.
(b) Small work stays on the calling thread: starting others costs microseconds.
"""

cdef int _count = 1


def set_count(int count):
    """Set the number of threads, at least 1."""
    global _count
    _count = count


def get_count():
    """Get the number of threads."""
    return _count


cdef int threads_for(Py_ssize_t work, Py_ssize_t grain) noexcept nogil:
    """Threads worth starting for `work` units when one should have at least `grain` of them."""
    cdef Py_ssize_t useful = work // grain
    if useful >= _count:
        return _count
    return <int>useful if useful > 1 else 1
