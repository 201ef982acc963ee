"""A record whose rules truncate wherever FBGEMM rounds; kernels know none of them."""

import math

import numpy as np

from refquant.engines import Rule, Split, first_of, get


def _clip(t, zero_point, lower, upper):
    return np.clip(np.trunc(t).astype(np.int64) + zero_point, lower, upper)


def _quantize(x, scale, zero_point, quant_min, quant_max):
    return _clip(x / np.asarray(scale, np.float32), zero_point, quant_min, quant_max)


def _requantize(n, multiplier, zero_point, lower, upper):
    return _clip(np.asarray(n).astype(np.float32) * multiplier, zero_point, lower, upper)


def _average(total, sizes, divisor, scale, zero_point, quant_min, quant_max):
    steps = total - math.prod(sizes) * zero_point
    return _clip(steps / divisor, zero_point, quant_min, quant_max)


def _mix(a, b, c, d, h, w):
    return np.trunc(h[0] * (w[0] * a + w[1] * b) + h[1] * (w[0] * c + w[1] * d))


def _choose(lower, upper, quant_min, quant_max):
    low, high = min(float(lower), 0.0), max(float(upper), 0.0)
    scale = (high - low) / (quant_max - quant_min) or 0.1
    return float(np.float32(scale)), min(int(quant_min - low / scale), quant_max)


def _rule(name, function):
    return Rule(name, f"{name}: trunc instead of round", "an accelerator of a test", function)


QUANTIZE = first_of(Split.uniform(_rule("truncate", _quantize)))
AVERAGE = first_of(Split.uniform(_rule("truncate_average", _average)))
REQUANTIZE = _rule("truncate_product", _requantize)

STEPS = {
    "quantize_per_tensor": QUANTIZE,
    "copy": QUANTIZE,
    "quantize_per_channel": QUANTIZE,
    "elementwise_quantize": QUANTIZE,
    "elementwise_requantize": first_of(Split.uniform(REQUANTIZE)),
    "cat_quantize": QUANTIZE,
    "mean": first_of(_rule("truncate_mean", _average)),
    "average_pool": AVERAGE,
    "adaptive_average_pool": AVERAGE,
    "resize_mix": first_of(Split.uniform(_rule("truncate_mix", _mix))),
    "dynamic_qparams": first_of(_rule("truncate_zero_point", _choose)),
    "requantize_sum": first_of(REQUANTIZE),
}


def record(name="truncating"):
    return get("fbgemm").derive(name, "truncates wherever FBGEMM rounds", steps=STEPS)
