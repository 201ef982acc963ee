# Return types that carry an attribute: how a function is to be compiled.
#
# `embedded` functions become part of their caller, so that arguments which are constant there make
# loops of constant length. `narrow` ones take vectors of 256 bits where there are longer ones.

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define REFQUANT_EMBEDDED __attribute__((always_inline))
    #else
    #define REFQUANT_EMBEDDED
    #endif
    #if defined(__GNUC__) && !defined(__clang__) && defined(__AVX512VNNI__)
    #pragma GCC diagnostic ignored "-Wattributes"  /* it stands beside `inline` */
    #define REFQUANT_NARROW __attribute__((noinline, target("prefer-vector-width=256")))
    #else
    #define REFQUANT_NARROW
    #endif
    """
    ctypedef void embedded "REFQUANT_EMBEDDED void"
    ctypedef void narrow "REFQUANT_NARROW void"
