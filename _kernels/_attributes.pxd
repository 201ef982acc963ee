# Return types that carry an attribute: how a function is to be compiled.
#
# `embedded` functions become part of their caller, so that arguments which are constant there make
# loops of constant length. `narrow` ones take vectors of 256 bits where there are longer ones.
# `separate` ones stay functions: they are long, and a call of them computes a whole run.

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define REFQUANT_EMBEDDED __attribute__((always_inline))
    #define REFQUANT_SEPARATE __attribute__((noinline))
    #else
    #define REFQUANT_EMBEDDED
    #define REFQUANT_SEPARATE
    #endif
    #if defined(__GNUC__) && !defined(__clang__)
    #pragma GCC diagnostic ignored "-Wattributes"  /* noinline stands beside `inline` */
    #endif
    #if defined(__GNUC__) && !defined(__clang__) && defined(__AVX512VNNI__)
    #define REFQUANT_NARROW __attribute__((noinline, target("prefer-vector-width=256")))
    #else
    #define REFQUANT_NARROW
    #endif
    """
    ctypedef void embedded "REFQUANT_EMBEDDED void"
    ctypedef void narrow "REFQUANT_NARROW void"
    ctypedef void separate "REFQUANT_SEPARATE void"
