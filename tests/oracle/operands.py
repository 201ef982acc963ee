"""Random operands on which ties are frequent: scales are powers of two."""

import numpy as np

import refquant


def activations(rng, shape, scale=0.25, zero_point=13):
    """Make a quint8 tensor of any integers."""
    q = rng.integers(0, 256, shape, dtype=np.uint8)
    return refquant.QuantizedTensor(q, refquant.quint8, scale, zero_point)


def weights(rng, shape, scale=2.0**-6, zero_point=0, per_channel=False, low=-128):
    """Make a qint8 tensor of any integers."""
    q = rng.integers(low, 128, shape, dtype=np.int8)
    if not per_channel:
        return refquant.QuantizedTensor(q, refquant.qint8, scale, zero_point)
    scales = scale * np.float64(2.0) ** rng.integers(-1, 2, shape[0])
    zeros = np.full(shape[0], zero_point, np.int64)
    return refquant.QuantizedTensor(q, refquant.qint8, scales, zeros, axis=0)


def bias(rng, count):
    """Make a bias that is no multiple of the scales."""
    return refquant.tensor((rng.normal(size=count) * 3).astype(np.float32))
