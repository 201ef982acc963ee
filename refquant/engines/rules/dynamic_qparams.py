r"""Rules that choose scale and zero point for a range of real numbers inside an operation.

Operations that quantize their own input (dynamic quantization) do not ask an observer: the engine
has a formula of its own. A rule is called with ``(lower, upper, quant_min, quant_max)``, the ends
of the range as float32 numbers, and returns ``(scale, zero_point)``: the scale a float32 number
under PyTorch 1.4, and one that is not rounded under 2.13.

The range is widened to contain zero. The zero point can be derived from either end,
:math:`q_{min} - l / s` or :math:`q_{max} - u / s`; the one whose parts are smaller has the smaller
rounding error. A range of zeros has scale 0.1.
"""

import numpy as np

from refquant.engines.rule import Rule

SCALE_OF_NOTHING = 0.1
# Below this scale the range is widened, because kernels lose precision.
SMALL_SCALE = np.float32(6.1e-5)


def _nudge(low, high, scale, quant_min, quant_max):
    """Derive the zero point from the end of the range that has the smaller error."""
    from_low, from_high = quant_min - low / scale, quant_max - high / scale
    error_low = abs(quant_min) + abs(low / scale)
    error_high = abs(quant_max) + abs(high / scale)
    zero_point = from_low if error_low < error_high else from_high
    if not zero_point > quant_min:
        return quant_min
    return int(np.rint(zero_point)) if zero_point < quant_max else quant_max


def _contain_zero(lower, upper):
    zero = np.float32(0)
    low, high = np.float32(lower), np.float32(upper)
    return (low if low < zero else zero), (high if high > zero else zero)


@np.errstate(all="ignore")
def _range_in_float32(lower, upper, quant_min, quant_max):
    low, high = _contain_zero(lower, upper)
    scale = np.float64(high - low) / (quant_max - quant_min)
    if scale == 0:
        scale = np.float64(SCALE_OF_NOTHING)
    zero_point = _nudge(np.float64(low), np.float64(high), scale, quant_min, quant_max)
    return float(np.float32(scale)), zero_point


@np.errstate(all="ignore")
def _range_in_float64(lower, upper, quant_min, quant_max):
    low, high = _contain_zero(lower, upper)
    scale = (np.float64(high) - np.float64(low)) / (quant_max - quant_min)
    if np.float32(scale) == 0 or np.isinf(np.float32(1) / np.float32(scale)):
        scale = np.float64(SCALE_OF_NOTHING)
    if np.float32(scale) < SMALL_SCALE:
        amplifier = SMALL_SCALE / np.float32(scale)
        scale = np.float64(SMALL_SCALE)
        if low == 0:
            high = SMALL_SCALE * np.float32(quant_max - quant_min)
        elif high == 0:
            low = -SMALL_SCALE * np.float32(quant_max - quant_min)
        else:
            low, high = low * amplifier, high * amplifier
    zero_point = _nudge(np.float64(low), np.float64(high), scale, quant_min, quant_max)
    return float(scale), zero_point


@np.errstate(all="ignore")
def _by_rounded_scale(lower, upper, quant_min, quant_max):
    low, high = _contain_zero(lower, upper)
    scale = np.float32((np.float64(high) - np.float64(low)) / (quant_max - quant_min))
    if scale == 0 or np.isinf(np.float32(1) / scale):
        scale = np.float32(SCALE_OF_NOTHING)
    if scale < SMALL_SCALE:
        amplifier, scale = SMALL_SCALE / scale, SMALL_SCALE
        if low == 0:
            high = scale * np.float32(quant_max - quant_min)
        elif high == 0:
            low = -scale * np.float32(quant_max - quant_min)
        else:
            low, high = low * amplifier, high * amplifier
    zero_point = _nudge(np.float64(low), np.float64(high), np.float64(scale), quant_min, quant_max)
    return float(scale), zero_point


RANGE_IN_FLOAT32 = Rule(
    "range_in_float32",
    "s = f64(f32(u - l)) / (qmax - qmin)",
    "ChooseQuantizationParams of PyTorch 1.4",
    _range_in_float32,
)
RANGE_IN_FLOAT64 = Rule(
    "range_in_float64",
    "s = (f64(u) - f64(l)) / (qmax - qmin), at least f32(6.1e-5) with the range widened to it",
    "ChooseQuantizationParams of PyTorch 2.13",
    _range_in_float64,
)
BY_ROUNDED_SCALE = Rule(
    "by_rounded_scale",
    "as range_in_float64, but the zero point derives from f32(s)",
    "ChooseQuantizationParams of the FBGEMM library",
    _by_rounded_scale,
)
