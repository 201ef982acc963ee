"""Which instruction sets this processor and its operating system offer.

Design
(a) Compiled without any ISA flag, so that it runs everywhere.
(b) GCC's and clang's ``__builtin_cpu_supports`` looks at the state that the operating system
    saves, not only at the processor.
(c) A variant is offered only if every feature that it was compiled for is there.
(d) It also tells how the kernels were compiled: the build hands it the flags as a macro.
"""

cdef extern from *:
    """
    #if defined(__x86_64__) && defined(__GNUC__)
    static int refquant_supports(int variant) {
        __builtin_cpu_init();
        int v2 = __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1")
              && __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
        int v3 = v2 && __builtin_cpu_supports("avx") && __builtin_cpu_supports("avx2")
              && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi")
              && __builtin_cpu_supports("bmi2");
        int v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd")
              && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")
              && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
        return variant == 0 ? v2 : variant == 1 ? v3 : v4;
    }
    static int refquant_is_x86(void) { return 1; }
    static int refquant_is_arm(void) { return 0; }
    #elif defined(_M_X64)
    #include <intrin.h>
    #include <immintrin.h>
    static int refquant_supports(int variant) {
        int one[4], seven[4];
        __cpuid(one, 1);
        int v2 = (one[2] >> 19) & (one[2] >> 20) & (one[2] >> 23) & 1;
        if (variant == 0 || !v2) return v2;
        if (!((one[2] >> 27) & 1)) return 0;
        unsigned long long saved = _xgetbv(0);
        __cpuidex(seven, 7, 0);
        int v3 = (one[2] >> 12) & (one[2] >> 28) & (seven[1] >> 5) & (seven[1] >> 8) & 1
              && (saved & 6) == 6;
        if (variant == 1 || !v3) return v3;
        return ((seven[1] >> 16) & (seven[1] >> 17) & (seven[1] >> 30) & (seven[1] >> 31)
              & (seven[2] >> 11) & 1) && (saved & 0xe6) == 0xe6;
    }
    static int refquant_is_x86(void) { return 1; }
    static int refquant_is_arm(void) { return 0; }
    #elif defined(__aarch64__) && defined(__linux__)
    #include <sys/auxv.h>
    static int refquant_supports(int variant) {
        int dot = (getauxval(AT_HWCAP) >> 20) & 1;
        int i8mm = (getauxval(AT_HWCAP2) >> 13) & 1;
        return variant == 0 ? 1 : variant == 1 ? dot : dot && i8mm;
    }
    static int refquant_is_x86(void) { return 0; }
    static int refquant_is_arm(void) { return 1; }
    #elif defined(__aarch64__) && defined(__APPLE__)
    #include <sys/sysctl.h>
    static int refquant_asks(const char *name) {
        int value = 0;
        size_t size = sizeof value;
        return sysctlbyname(name, &value, &size, 0, 0) == 0 && value;
    }
    static int refquant_supports(int variant) {
        return variant == 0 ? 1 : variant == 1 ? refquant_asks("hw.optional.arm.FEAT_DotProd")
             : refquant_asks("hw.optional.arm.FEAT_DotProd")
               && refquant_asks("hw.optional.arm.FEAT_I8MM");
    }
    static int refquant_is_x86(void) { return 0; }
    static int refquant_is_arm(void) { return 1; }
    #else
    static int refquant_supports(int variant) { return variant == 0; }
    static int refquant_is_x86(void) { return 0; }
    static int refquant_is_arm(void) { return 0; }
    #endif

    #define REFQUANT_TEXT_(x) #x
    #define REFQUANT_TEXT(x) REFQUANT_TEXT_(x)
    #if defined(__clang__)
    #define REFQUANT_COMPILER "clang " __clang_version__
    #elif defined(__GNUC__)
    #define REFQUANT_COMPILER "gcc " __VERSION__
    #elif defined(_MSC_VER)
    #define REFQUANT_COMPILER "msvc " REFQUANT_TEXT(_MSC_VER)
    #else
    #define REFQUANT_COMPILER "unknown"
    #endif
    #ifdef _OPENMP
    #define REFQUANT_OPENMP _OPENMP
    #else
    #define REFQUANT_OPENMP 0
    #endif
    #ifndef REFQUANT_FLAGS
    #define REFQUANT_FLAGS "{}"
    #endif
    """
    const char* REFQUANT_COMPILER
    const char* REFQUANT_FLAGS
    int REFQUANT_OPENMP
    int refquant_supports(int variant) noexcept nogil
    int refquant_is_x86() noexcept nogil
    int refquant_is_arm() noexcept nogil


def supported_variants():
    """Names of the variants that this machine can run, weakest first."""
    if refquant_is_x86():
        names = ("baseline", "avx2", "avx512vnni")
    elif refquant_is_arm():
        names = ("baseline", "dotprod", "i8mm")
    else:
        names = ("baseline",)
    return tuple(name for level, name in enumerate(names) if refquant_supports(level))


def build():
    """Tell how the kernels were built: compiler, year and month of OpenMP (or 0), flags as JSON."""
    return (
        (<bytes>REFQUANT_COMPILER).decode(), REFQUANT_OPENMP, (<bytes>REFQUANT_FLAGS).decode()
    )
