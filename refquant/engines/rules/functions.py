"""Rules for functions of one real number: how activations compute it, in vectors and one by one.

Each takes and returns float32, and rounds each operation to float32 in the order written; what is
computed in float64 is rounded once, at the end. EXP, TANH and ERF are those of
`refquant.engines.rules.exponential`.
"""

import numpy as np

from refquant.engines.rule import Form, Rule
from refquant.engines.rules import exponential as e
from refquant.engines.rules.float32 import fma

__all__ = [
    "FUNCTION_BY_TABLE",
    "FUNCTION_OF_REALS",
    "GELU_IN_FLOAT32",
    "GELU_IN_FLOAT64",
    "GELU_TANH_IN_FLOAT32",
    "GELU_TANH_IN_FLOAT64",
    "HARDSIGMOID",
    "HARDSWISH",
    "SIGMOID_IN_FLOAT32",
    "SIGMOID_IN_FLOAT64",
    "SIGMOID_ROUNDED",
    "TANH_OF_PAIRS",
    "TANH_ROUNDED_ONCE",
]

F = np.float32
# From here on tanh is 1 in float32.
TANH_END = F(8.664339742)
ROOT_HALF = float.fromhex("0x1.6a09e667f3bcdp-1")
ROOT_TWO_OVER_PI = float.fromhex("0x1.9884533d43651p-1")
CUBIC = 0.044715


def _sigmoid_in_float32(x):
    return F(1) / (F(1) + e.exponential(-x))


def _sigmoid_in_float64(x):
    power = e.exp(-x).astype(F).astype(np.float64)
    return (1.0 / (1.0 + power)).astype(F)


def _sigmoid_rounded(x):
    return F(1) / (F(1) + e.exp(-x).astype(F))


def _difference(a, b):
    """Add two pairs of which the first is the larger."""
    total = a[0] + b[0]
    return total, (((a[0] - total) + b[0]) + a[1]) + b[1]


def _tanh_of_pairs(x):
    size = np.abs(x)
    inside = size <= TANH_END
    up = e.pair_of_exponential(np.where(inside, size, F(0)))
    t = F(1) / up[0]
    down = t, t * fma(-up[1], t, fma(-up[0], t, F(1)))
    n, d = _difference(up, (-down[0], -down[1])), _difference(up, down)
    t = F(1) / d[0]
    quotient = n[0] * t
    u = fma(t, n[0], -quotient)
    v = fma(-d[1], t, fma(-d[0], t, F(1)))
    y = quotient + fma(quotient, v, fma(n[1], t, u))
    return np.copysign(np.where(inside, y, np.where(size == size, F(1), size)), x)


def _tanh_rounded_once(x):
    return e.tanh(x).astype(F)


def _gelu_in_float32(x):
    return (x * F(0.5)) * (F(1) + e.error_function(x * F(ROOT_HALF)))


def _gelu_in_float64(x):
    x = x.astype(np.float64)
    return (x * 0.5 * (1.0 + e.erf(x * ROOT_HALF))).astype(F)


def _gelu_tanh_in_float32(x):
    inner = F(ROOT_TWO_OVER_PI) * fma(F(CUBIC), (x * x) * x, x)
    return (F(0.5) * x) * (F(1) + _tanh_of_pairs(inner))


def _gelu_tanh_in_float64(x):
    cube, x = ((x * x) * x).astype(np.float64), x.astype(np.float64)
    return (0.5 * x * (1.0 + e.tanh(ROOT_TWO_OVER_PI * (x + CUBIC * cube)))).astype(F)


def _bent(x):
    return np.minimum(np.maximum(x + F(3), F(0)), F(6))


def _hardsigmoid(x):
    return _bent(x) / F(6)


def _hardswish(x):
    return (x * _bent(x)) / F(6)


SIGMOID_IN_FLOAT32 = Rule(
    "sigmoid_in_float32",
    "f32(1 / f32(1 + EXP(-x)))",
    "ATen qsigmoid_kernel, PyTorch 2.13 (vector body)",
    _sigmoid_in_float32,
)
SIGMOID_IN_FLOAT64 = Rule(
    "sigmoid_in_float64",
    "f32(1 / (1 + f64(f32(e**-x)))), the exponential rounded once",
    "ATen qsigmoid_kernel, PyTorch 2.13 (scalar code); its C library may err by the last bit",
    _sigmoid_in_float64,
)
SIGMOID_ROUNDED = Rule(
    "sigmoid_rounded",
    "f32(1 / f32(1 + f32(e**-x))), the exponential rounded once",
    "ATen sigmoid_kernel (scalar code); its C library may err by the last bit",
    _sigmoid_rounded,
)
TANH_OF_PAIRS = Rule(
    "tanh_of_pairs",
    "(e**|x| - e**-|x|) / (e**|x| + e**-|x|) in pairs of float32, with the sign of x",
    "SLEEF tanhf_u10, in vectors of PyTorch 2.13",
    _tanh_of_pairs,
)
TANH_ROUNDED_ONCE = Rule(
    "tanh_rounded_once",
    "f32(tanh(x)), computed in float64 and rounded once",
    "std::tanh of C libraries, which may err by the last two bits",
    _tanh_rounded_once,
)
GELU_IN_FLOAT32 = Rule(
    "gelu_in_float32",
    "f32(f32(x / 2) * f32(1 + ERF(f32(x * f32(sqrt(1/2))))))",
    "ATen qgelu_kernel, PyTorch 2.13 (vector body)",
    _gelu_in_float32,
)
GELU_IN_FLOAT64 = Rule(
    "gelu_in_float64",
    "f32(x / 2 * (1 + erf(x * sqrt(1/2))))",
    "ATen qgelu_kernel, PyTorch 2.13 (scalar code)",
    _gelu_in_float64,
)
GELU_TANH_IN_FLOAT32 = Rule(
    "gelu_tanh_in_float32",
    "f32(f32(x / 2) * f32(1 + TANH(f32(f32(sqrt(2/pi)) * fma(f32(0.044715), x**3, x)))))",
    "ATen qgelu_kernel, PyTorch 2.13 (vector body)",
    _gelu_tanh_in_float32,
)
GELU_TANH_IN_FLOAT64 = Rule(
    "gelu_tanh_in_float64",
    "f32(x / 2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * f32(x**3)))))",
    "ATen qgelu_kernel, PyTorch 2.13 (scalar code)",
    _gelu_tanh_in_float64,
)
HARDSIGMOID = Rule(
    "hardsigmoid",
    "f32(min(max(f32(x + 3), 0), 6) / 6)",
    "ATen qhardsigmoid_kernel, PyTorch 2.13",
    _hardsigmoid,
)
HARDSWISH = Rule(
    "hardswish",
    "f32(f32(x * min(max(f32(x + 3), 0), 6)) / 6)",
    "ATen qhardswish_kernel, PyTorch 2.13",
    _hardswish,
)
FUNCTION_OF_REALS = Form(
    "function_of_reals",
    "quantize(f(dequantize(q)))",
    "ATen qsigmoid, qtanh, qhardsigmoid, qhardswish, qsoftmax, PyTorch 2.13",
)
FUNCTION_BY_TABLE = Form(
    "function_by_table",
    "table[q], a table of 256 integers for each quantizer; softmax with integers alone",
    "QNNPACK sigmoid, tanh, hardsigmoid, hardswish and softargmax, PyTorch 2.13",
)
