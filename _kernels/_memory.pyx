"""Memory for what kernels read again and again.

Design
(a) Packed weights begin at a multiple of 64 bytes, so that no vector of theirs lies in two lines of
    the cache.
"""

import math

import numpy as np


def aligned(shape, dtype):
    """Make an array of zeros that begins at a multiple of 64."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    whole = np.zeros(size + 64, np.uint8)
    start = -whole.ctypes.data % 64
    return whole[start : start + size].view(dtype).reshape(shape)
