r"""Tables of QNNPACK: what stands for each of the 256 integers of quint8, under one quantizer.

With x = f32(S * (q - z)); each table is an array of 256 integers.
"""

import numpy as np

from refquant.engines.rules import exponential as e
from refquant.engines.rules.float32 import clip, reciprocal, single
from refquant.engines.rules.functions import HARDSIGMOID, HARDSWISH

__all__ = ["hardsigmoid", "hardswish", "powers", "sigmoid", "tanh"]

F = np.float32
# The largest power of a softmax, which leaves 8 bits of 32 for the factor of the result.
LARGEST_POWER = 8388607.0


def _reals(scale, zero_point):
    return single(scale) * (np.arange(256) - zero_point).astype(F)


def _answers(t, lower=0, upper=255):
    return clip(np.rint(t), lower, upper).astype(np.uint8)


@np.errstate(all="ignore")
def sigmoid(scale, zero_point):
    """Table of the logistic function, in steps of 1/256 from 0: rne(f32(256 / f32(1 + e**-x)))."""
    power = e.exp(-_reals(scale, zero_point)).astype(F)
    return _answers(F(256) / (F(1) + power))


@np.errstate(all="ignore")
def tanh(scale, zero_point):
    """Table of tanh, in steps of 1/128 around 128: rne(f32(128 * tanh(x) + 128))."""
    return _answers((128.0 * e.tanh(_reals(scale, zero_point)) + 128.0).astype(F))


@np.errstate(all="ignore")
def hardsigmoid(scale, zero_point):
    """Table of hardsigmoid, in steps of 1/256 from 0: rne(f32(256 * f))."""
    return _answers(F(256) * HARDSIGMOID(_reals(scale, zero_point)))


@np.errstate(all="ignore")
def hardswish(scale, zero_point, output_scale, output_zero_point):
    """Table of hardswish: rne(f32(f32(inv * f) + z))."""
    f = HARDSWISH(_reals(scale, zero_point))
    return _answers(reciprocal(output_scale) * f + F(output_zero_point))


@np.errstate(all="ignore")
def powers(scale, count):
    """Powers of a softmax over so many elements, by the distance to the largest: uint32."""
    largest = min((2**32 - 1) / count, LARGEST_POWER)
    exponents = (np.arange(256) - 255.0) * np.float64(single(scale))
    return np.rint(largest * e.exp(exponents)).astype(np.uint32)
