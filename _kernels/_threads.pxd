# Scratch memory of a thread is followed by two lines of the cache, which processors fetch together:
# threads that write to one line wait for each other.
cdef enum:
    GAP = 128

cdef int threads_for(Py_ssize_t work, Py_ssize_t grain) noexcept nogil


cdef inline Py_ssize_t apart(Py_ssize_t elements) noexcept nogil:
    """How many elements lie from the scratch memory of a thread to that of the next."""
    return elements + GAP
