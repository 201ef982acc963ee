# Quantized outputs through real numbers, as refquant.engines.rules.pipeline forms them.
#
# Design
# (a) The sum, scaled and with its bias, comes in; what follows runs along the columns, a loop for
#     each operation, where it vectorizes.
# (b) An addend has the memory of the result. The last columns of a row are computed with more, up
#     to a constant; these read no addend.

from libc.math cimport fmaf, rintf
from libc.stdint cimport int32_t, uint8_t

from refquant._kernels._exponential cimport tanh_of_double
from refquant._kernels._rounding cimport (
    clampf, inverted_twice, inverted_twice_in_float32,
)
from refquant._kernels._rules cimport (
    CONVOLUTION_DIVIDED, LINEAR, LINEAR_CHANNELS, LINEAR_CHANNELS_DIVIDED, LINEAR_DIVIDED,
)

# The places of refquant.reference.operands.FUNCTIONS.
cdef enum:
    NOTHING
    RELU
    LEAKY_RELU
    TANH

# A refquant.reference.operands.PostOps.
cdef struct PostOps:
    int function  # one of the below
    float slope
    const uint8_t* addend  # NULL if there is none
    Py_ssize_t size  # of the addend
    float scale
    float zero_point


cdef inline int place_of_function(str name):
    return RELU if name == "relu" else LEAKY_RELU if name == "leaky_relu" else (
        TANH if name == "tanh" else NOTHING)


cdef inline PostOps post_of(record):
    """Keep no reference to the addend, which the caller holds."""
    cdef tuple t = <tuple>record
    cdef const uint8_t[::1] addend
    cdef PostOps p = PostOps(place_of_function(t[0]), t[1], NULL, 0, 1.0, 0.0)
    if t[2] is not None and t[2].size:
        addend = t[2].reshape(-1)
        p.addend, p.size = &addend[0], addend.shape[0]
        p.scale, p.zero_point = inverted_twice_in_float32(t[3]), t[4]
    return p


cdef inline bint divides(int code) noexcept nogil:
    return (
        code == LINEAR_DIVIDED or code == LINEAR_CHANNELS_DIVIDED or code == CONVOLUTION_DIVIDED
    )


cdef inline float scale_of_weight(double scale, int code) noexcept nogil:
    if code == LINEAR or code == LINEAR_DIVIDED:
        return inverted_twice(scale)
    if code == LINEAR_CHANNELS or code == LINEAR_CHANNELS_DIVIDED:
        return inverted_twice_in_float32(scale)
    return <float>scale


cdef inline float relu(float v) noexcept nogil:
    """NaN becomes 0."""
    return v if v > 0.0 else <float>0.0


cdef inline int32_t clamp_then_round(float t, float lo, float hi) noexcept nogil:
    """NaN becomes the upper end."""
    t = t if t < hi else hi
    return <int32_t>rintf(t if t > lo else lo)


cdef inline uint8_t round_then_clamp(float t, float lo, float hi) noexcept nogil:
    """NaN becomes 0."""
    cdef float r = clampf(rintf(t), lo, hi)
    return <uint8_t><int32_t>(r if t == t else <float>0.0)


cdef inline void finish_in_real(
    const PostOps* post, int code, Py_ssize_t n, float* v, Py_ssize_t place, float scale, float z,
    float lo, float hi, uint8_t* done
) noexcept nogil:
    """Turn `n` real numbers into quantized outputs; the first has a place in the addend."""
    cdef float inv = <float>1.0 / scale
    cdef Py_ssize_t j
    if post.addend != NULL:
        for j in range(min(n, post.size - place)):
            v[j] = fmaf(<float>post.addend[place + j] - post.zero_point, post.scale, v[j])
    if post.function == RELU and divides(code):
        for j in range(n):
            v[j] = <float>0.0 if v[j] < 0.0 else v[j]
    elif post.function == RELU:
        for j in range(n):
            v[j] = relu(v[j])
    elif post.function == LEAKY_RELU:
        for j in range(n):
            v[j] = v[j] if v[j] > 0.0 else v[j] * post.slope
    elif post.function == TANH:
        for j in range(n):
            v[j] = <float>tanh_of_double(v[j])
    if divides(code):
        for j in range(n):
            done[j] = round_then_clamp(v[j] / scale + z, lo, hi)
    else:
        for j in range(n):
            done[j] = <uint8_t>clamp_then_round(v[j] * inv + z, lo, hi)


cdef inline bint is_plain(const PostOps* post, int code) noexcept nogil:
    """Whether at most `relu` stands between the real numbers and `clamp_then_round`."""
    return post.addend == NULL and post.function <= RELU and not divides(code)
