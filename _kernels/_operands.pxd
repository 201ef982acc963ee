# The records of refquant.reference.operands as C structs, unpacked once for a call.
#
# Design
# (a) A record is a tuple with names. The casts below let the compiler read its items in place: a
#     cast is not checked, and a subclass of tuple has the memory of a tuple.

from libc.stdint cimport int8_t, int32_t, uint8_t

ctypedef fused stored:
    uint8_t
    int8_t
    int32_t

cdef struct Quantizer:
    double scale
    int32_t zero_point

cdef struct Output:
    double scale
    int32_t zero_point
    int32_t output_min
    int32_t output_max

cdef struct Runs:
    Py_ssize_t run_length
    Py_ssize_t vector_length

# The numbers by which _rules.pyx knows a refquant.reference.operands.ProductRules; those of the
# accumulator and the border are the only ones.
cdef struct ProductRules:
    int product
    int bias
    int multiplier
    int requantize


cdef inline Quantizer quantizer_of(record):
    cdef tuple t = <tuple>record
    return Quantizer(t[0], t[1])


cdef inline Output output_of(record):
    cdef tuple t = <tuple>record
    return Output(t[0], t[1], t[2], t[3])


cdef inline Runs runs_of(record):
    cdef tuple t = <tuple>record
    return Runs(t[0], t[1])


cdef inline str char_of(stored unused):
    """NumPy's letter for a storage type."""
    if stored is uint8_t:
        return "B"
    elif stored is int8_t:
        return "b"
    else:
        return "i"
