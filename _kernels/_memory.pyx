"""Memory for what kernels read again and again.

Design
(a) Packed weights and scratch memory begin at a multiple of 64 bytes, so that no vector of theirs
    lies in two lines of the cache.
"""

import math

import numpy as np


def aligned(shape, dtype, make=np.zeros):
    """Make an array that begins at a multiple of 64, of zeros or of what `make` gives."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    whole = make(size + 64, np.uint8)
    start = -whole.ctypes.data % 64
    return whole[start : start + size].view(dtype).reshape(shape)


def unset(rows, length):
    """Make rows of floats that are not set, each of which begins at a multiple of 64."""
    return aligned((rows, -(-length // 16) * 16), np.float32, np.empty)
