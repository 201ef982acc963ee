"""Kernels of refquant.reference.folding.

Design
(a) One loop over channels and, inside, one over the weights of a channel.
(b) Each operation stands alone, in the order of the formula; the compiler may not fuse them.
"""

from libc.math cimport sqrtf

import numpy as np


def fold_batch_norm(
    const float[:, ::1] weight not None, const float[::1] bias not None,
    const float[::1] mean not None, const float[::1] variance not None, double eps,
    const float[::1] gamma not None, const float[::1] beta not None
):
    """Compute weight and bias that include the normalization; inputs are not checked."""
    cdef Py_ssize_t channels = weight.shape[0], n = weight.shape[1], c, i
    folded_weight = np.empty((channels, n), np.float32)
    folded_bias = np.empty(channels, np.float32)
    cdef float[:, ::1] w = folded_weight
    cdef float[::1] b = folded_bias
    cdef float added = <float>eps, inverse, factor
    with nogil:
        for c in range(channels):
            inverse = <float>1.0 / sqrtf(variance[c] + added)
            factor = gamma[c] * inverse
            for i in range(n):
                w[c, i] = weight[c, i] * factor
            b[c] = (bias[c] - mean[c]) * inverse * gamma[c] + beta[c]
    return folded_weight, folded_bias
