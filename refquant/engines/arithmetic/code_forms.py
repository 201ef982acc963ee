"""Which axes rules of integers depend on that other runtimes map one by one, average or resize.

The axes say how the last number of such a rule becomes an integer; resizing has one of its own.
"""

from refquant.engines.arithmetic import fixed_softmax, ncnn, openvino, reals, xnnpack_reals
from refquant.engines.arithmetic import runtime_codes as codes
from refquant.engines.arithmetic import runtime_windows as windows
from refquant.engines.arithmetic.compose import Form

__all__ = ["CODE_FORMS"]

_ROUNDED = ("rounding",)
_ADDED = ("rounding", "zero_point")
_QUANTIZED = ("rounding", "zero_point", "formed_by")
_SCALED = ("rounding", "scaling", "width")


def _formula(axes) -> str:
    """Write how the last number is rounded; the rule writes what it is."""
    return f"clip({axes.rounding}(t) + z)"


CODE_FORMS = tuple(
    Form(axes, function, _formula)
    for axes, functions in (
        (
            _ROUNDED,
            (
                codes.requantize_in_8_bits,
                codes.leaky_relu_in_8_bits,
                codes.softmax_by_table,
                codes.hardswish_in_16_bits,
                fixed_softmax.softmax_in_fixed_point,
                windows.average_of_codes,
                windows.mean_by_multiplier,
                windows.mean_by_bias,
                openvino.requantize,
                openvino.product_then_fake_quantize,
                openvino.product_within_ends,
                openvino.product_by_ratio,
                ncnn.requantize_by_halves,
                ncnn.requantize_exactly,
                ncnn.product,
            ),
        ),
        (_ADDED, (windows.global_average, windows.mean_in_float32)),
        (
            _QUANTIZED,
            (
                codes.by_table,
                codes.requantize_by_table,
                codes.leaky_relu_by_table,
                codes.softmax_in_float64,
                windows.average_of_reals,
                reals.function_of_reals,
                reals.hardswish_of_reals,
                reals.leaky_relu_of_reals,
                reals.average_of_reals,
                reals.mean_of_reals,
                reals.global_average_of_reals,
                reals.resize_of_reals,
                xnnpack_reals.average_in_a_tree,
                xnnpack_reals.resize_by_lines,
            ),
        ),
        (_SCALED, (codes.leaky_relu_of_codes,)),
        ((*_SCALED, "precision", "multiplier", "formed_by"), (codes.requantize_codes_of_axes,)),
        (("rounding", "places"), (windows.resize_of_axes,)),
    )
    for function in functions
)
