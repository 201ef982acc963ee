r"""Rules that turn the exact sum of a product into its result at once, in real units: oneDNN.

FBGEMM and QNNPACK add the bias in steps of the sum and multiply once (`IN_STEPS`; the rules are
those of `refquant.engines.rules.requantize`). oneDNN goes through real numbers, and rounds to
float32 after each operation:

1. the sum times the scale of the input, then times that of the weight,
2. plus the bias,
3. plus another tensor, fused, with one rounding; then ReLU, leaky ReLU or tanh,
4. divided by the scale of the output, as a product with the reciprocal or as a quotient,
5. plus the zero point, clamped, then rounded half to even.

A rule is called with ``(acc, bias, input_scale, weight_scale, post, scale, zero_point, quant_min,
quant_max)`` and returns int64; `post` is a `refquant.reference.operands.PostOps`. NaN becomes the
upper end, or 0 where it is divided.

Scales are float64 as the tensors hold them. :math:`X` and :math:`O` are those of input and output,
inverted twice, each time rounded to float32, because oneDNN is given reciprocals. What becomes of
the scale of the weight, :math:`W`, depends on the layer:

=================================== ============================================================
layer                               W
=================================== ============================================================
linear, one scale                   ``f32(1 / f32(1 / s))``, the inner quotient in float64
linear, a scale for each channel    ``f32(1 / f32(1 / f32(s)))``
convolution                         ``f32(s)``
=================================== ============================================================
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from refquant.engines.rule import Form, Rule
from refquant.engines.rules.exponential import tanh
from refquant.engines.rules.float32 import (
    clip,
    fma,
    inverted_twice,
    inverted_twice_in_float32,
    round_half_even,
    single,
)

IN_STEPS = Form(
    "in_steps",
    "requantize_sum(bias(acc), multiplier): the rules of these three steps, one after the other",
    "FBGEMM and QNNPACK, PyTorch 1.4 and 2.13",
)


def _apply(function, slope, v, divides):
    """Apply a post-op; ReLU of the kernel that divides keeps NaN, that of the others does not."""
    if function == "relu":
        return np.where(v < 0, np.float32(0), v) if divides else np.where(v > 0, v, np.float32(0))
    if function == "leaky_relu":
        return np.where(v > 0, v, v * np.float32(slope))
    return tanh(v).astype(np.float32) if function == "tanh" else v


def _clamp(t, low, high):
    """Clamp as oneDNN's compiled kernels do: NaN becomes the upper end."""
    t = np.where(t < high, t, np.float32(high))
    return np.where(t > low, t, np.float32(low))


@dataclass(frozen=True)
class Pipeline:
    """The definition of a rule: how the scale of the weight and the quotient are formed.

    Attributes
    ----------
    weight_factor : callable
        Makes W of the scale of the weight.
    product_first : bool
        Whether both scales are multiplied before the sum is.
    divides : bool
        Whether the result is divided by O, and not multiplied by its reciprocal.
    """

    weight_factor: Callable[[Any], Any]
    product_first: bool = False
    divides: bool = False

    def stages(
        self, acc: Any, bias: Any, input_scale: Any, weight_scale: Any, post: Any
    ) -> Iterator[tuple[str, Any, str]]:
        """Compute the real result, and yield each number on the way.

        Yields
        ------
        name, value, formula
            The value in float32; the last one is the result.
        """
        x, w = inverted_twice(input_scale), self.weight_factor(weight_scale)
        yield "X", x, "f32(1 / f32(1 / s_x))"
        yield "W", w, FORMULAS[self.weight_factor]
        v = acc.astype(np.float32)
        if self.product_first:
            yield "X * W", x * w, "f32(X * W)"
            v = v * (x * w)
            yield "times both", v, "f32(f32(acc) * f32(X * W))"
        else:
            v = v * x
            yield "times X", v, "f32(f32(acc) * X)"
            v = v * w
            yield "times W", v, "f32(f32(f32(acc) * X) * W)"
        v = v + bias
        yield "with bias", v, "f32(t + b), in real units"
        function, slope, addend, addend_scale, addend_zero_point = post
        if addend is not None:
            steps = addend.astype(np.float32) - np.float32(addend_zero_point)
            v = fma(steps, inverted_twice_in_float32(addend_scale), v)
            yield "with the addend", v, "fma(q_a - z_a, f32(1 / f32(1 / f32(s_a))), t)"
        if function:
            v = _apply(function, slope, v, self.divides)
            yield function, v, f"{function}(t)"

    def real(self, *operands: Any) -> Any:
        """Compute the real result of the operands of `stages`."""
        *_, (_, v, _) = self.stages(*operands)
        return v

    def unrounded(self, v: Any, scale: Any, zero_point: Any) -> tuple[str, Any, str]:
        """Turn a real result into steps with the zero point; returns a stage, as `stages` does."""
        o, z = inverted_twice(scale), np.float32(zero_point)
        if self.divides:
            return "unrounded", v / o + z, "f32(f32(t / O) + f32(z))"
        return "unrounded", v * (np.float32(1) / o) + z, "f32(f32(t * f32(1 / O)) + f32(z))"

    def __call__(
        self, acc, bias, input_scale, weight_scale, post, scale, zero_point, quant_min, quant_max
    ):
        """Compute what the rule does."""
        v = self.real(acc, bias, input_scale, weight_scale, post)
        _, t, _ = self.unrounded(v, scale, zero_point)
        if self.divides:  # the kernel that takes any shape, in C++: NaN is converted to 0
            return np.where(np.isnan(t), 0, clip(round_half_even(t), quant_min, quant_max))
        return clip(round_half_even(_clamp(t, quant_min, quant_max)), quant_min, quant_max)


_FORMULA = "rne(clamp(f32(f32(post(f32(f32(f32(f32(acc) * X) * W) + b)) * f32(1 / O)) + f32(z)))), "
_DIVIDED = "clip(rne(f32(f32(post(f32(f32(f32(f32(acc) * X) * W) + b)) / O) + f32(z)))), "
_LAYER = "W = f32(1 / f32(1 / s))"
_CHANNELS = "W = f32(1 / f32(1 / f32(s)))"
_DIRECT = "W = f32(s)"
FORMULAS = {
    inverted_twice: "f32(1 / f32(1 / s_w))",
    inverted_twice_in_float32: "f32(1 / f32(1 / f32(s_w)))",
    single: "f32(s_w)",
}

LINEAR = Rule(
    "in_turn",
    _FORMULA + _LAYER,
    "oneDNN brg_matmul, PyTorch 2.13: linear, one scale for the weight",
    Pipeline(inverted_twice),
)
LINEAR_CHANNELS = Rule(
    "in_turn_by_channel",
    _FORMULA + _CHANNELS,
    "oneDNN brg_matmul, PyTorch 2.13: linear, a scale for each channel",
    Pipeline(inverted_twice_in_float32),
)
LINEAR_DIVIDED = Rule(
    "in_turn_divided",
    _DIVIDED + _LAYER + "; NaN gives 0",
    "oneDNN ref_int8, PyTorch 2.13: linear with qint8 activations, one scale for the weight",
    Pipeline(inverted_twice, divides=True),
)
LINEAR_CHANNELS_DIVIDED = Rule(
    "in_turn_by_channel_divided",
    _DIVIDED + _CHANNELS + "; NaN gives 0",
    "oneDNN ref_int8, PyTorch 2.13: linear with qint8 activations, a scale for each channel",
    Pipeline(inverted_twice_in_float32, divides=True),
)
CONVOLUTION = Rule(
    "in_turn_direct",
    _FORMULA + _DIRECT,
    "oneDNN brgconv, brdgmm, jit_int8 and brg_deconv, PyTorch 2.13",
    Pipeline(single),
)
CONVOLUTION_PRODUCT_FIRST = Rule(
    "product_of_scales_first",
    "rne(clamp(f32(f32(post(f32(f32(f32(acc) * f32(X * W)) + b)) * f32(1 / O)) + f32(z)))), "
    + _DIRECT,
    "oneDNN gemm_s8u8s32, PyTorch 2.13: depthwise conv3d with dilation",
    Pipeline(single, product_first=True),
)
CONVOLUTION_DIVIDED = Rule(
    "in_turn_direct_divided",
    _DIVIDED + _DIRECT + "; NaN gives 0",
    "oneDNN conv:any, PyTorch 2.13: transposed convolutions that no compiled kernel takes",
    Pipeline(single, divides=True),
)

AT_ONCE = (
    LINEAR,
    LINEAR_CHANNELS,
    LINEAR_DIVIDED,
    LINEAR_CHANNELS_DIVIDED,
    CONVOLUTION,
    CONVOLUTION_PRODUCT_FIRST,
    CONVOLUTION_DIVIDED,
)

# -- dynamic output --------------------------------------------------------------------------


def _relu_of_positive(y):
    return np.where(y > 0, y, np.float32(0))


def _in_turn(weight_factor):
    def rule(acc, bias, input_scale, weight_scale):
        v = acc.astype(np.float32) * inverted_twice(input_scale) * weight_factor(weight_scale)
        return v + bias

    return rule


OUTPUT_IN_TURN = Rule(
    "output_in_turn",
    "f32(f32(f32(f32(acc) * X) * W) + b), " + _LAYER,
    "oneDNN brg_matmul, PyTorch 2.13: dynamic linear, one scale for the weight",
    _in_turn(inverted_twice),
)
OUTPUT_IN_TURN_CHANNELS = Rule(
    "output_in_turn_by_channel",
    "f32(f32(f32(f32(acc) * X) * W) + b), " + _CHANNELS,
    "oneDNN brg_matmul, PyTorch 2.13: dynamic linear, a scale for each channel",
    _in_turn(inverted_twice_in_float32),
)
RELU_OF_POSITIVE = Rule(
    "relu_of_positive",
    "y > 0 ? y : 0; NaN gives 0",
    "oneDNN brg_matmul, PyTorch 2.13",
    _relu_of_positive,
)
