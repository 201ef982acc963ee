# Where the elements of arrays lie, without the object that a typed memoryview makes for a call:
# that takes 80 ns, as long as a sum of a thousand elements.
#
# Design
# (a) For arrays without gaps: others are a ValueError. Sizes of elements are compared, so that
#     nothing beyond an array is read. The elements stay in their place while the caller holds the
#     array.

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer


cdef struct Elements:
    void* start
    Py_ssize_t count


cdef inline Py_UCS4 kind_of(storage) except *:
    """NumPy's letter for the type of quantized integers: B, b or i, which may be l for it."""
    cdef Py_UCS4 kind = storage.char
    if kind == u"B" or kind == u"b" or kind == u"i":
        return kind
    if storage.kind != "i" or storage.itemsize != 4:
        raise TypeError(f"kernels take uint8, int8 or int32, not {storage}")
    return u"i"


cdef inline Elements elements_of(array, Py_ssize_t size) except *:
    """The elements of `size` bytes of an array of any shape, in their order in memory."""
    cdef Py_buffer buffer
    PyObject_GetBuffer(array, &buffer, PyBUF_SIMPLE)
    PyBuffer_Release(&buffer)
    if buffer.itemsize != size:
        raise TypeError(f"kernels take elements of {size} bytes here, not {array.dtype}")
    return Elements(buffer.buf, buffer.len // size)
