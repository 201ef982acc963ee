"""How many threads a kernel may use: the one place that knows.

Design
(a) Work is split in blocks of a fixed size, so that results never depend on the thread count.
(b) Small work stays on the calling thread: starting others costs microseconds, tens of them if
    they sleep or a core is busy. Grains are about 15 microseconds of work.
(c) A forked process stays with one thread: it has none of those that OpenMP believes to be there.
"""

from refquant._kernels._environment cimport set_team

cdef int _count = 1
cdef bint _forked = False


def set_count(int count):
    """Set the number of threads, at least 1."""
    global _count
    _count = 1 if _forked else count


def after_fork():
    """Stay with one thread."""
    global _count, _forked
    _count, _forked = 1, True


def is_forked():
    """Whether this process stays with one thread."""
    return _forked


def get_count():
    """Get the number of threads."""
    return _count


cdef int threads_for(Py_ssize_t work, Py_ssize_t grain) noexcept nogil:
    """Threads worth starting for `work` units when one should have at least `grain` of them."""
    cdef Py_ssize_t useful = work // grain
    if useful > _count:
        useful = _count
    if useful <= 1:
        return 1
    set_team(<int>useful)
    return <int>useful
