"""Known engines as points on the axes, and the foreign ones among them as records.

The foreign records say how other int8 runtimes compute what PyTorch's operations mean. They have
no kernels. `refquant.engines.get` knows them by name and loads this file when one is asked for.
"""

from refquant import arguments
from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import record
from refquant.engines.builtin.other_sums import (
    ADD_FOLDED,
    AVERAGE_OF_CODES,
    MULTIPLY_BY_RATIO,
    tflite_rules,
)
from refquant.engines.builtin.records import FBGEMM
from refquant.engines.record import Engine
from refquant.engines.rule import Split, choose
from refquant.engines.rules.accumulate import SATURATED_PAIRS
from refquant.engines.rules.elementwise import PRODUCT_OF_REALS
from refquant.engines.rules.exact import (
    DEQUANTIZE_EXACTLY,
    MIX_EXACT,
    OUTPUT_EXACT,
    PLACE_EXACT,
    STEP_EXACT,
)
from refquant.errors import EngineError

__all__ = ["FOREIGN", "POINTS", "arithmetic_of"]

_FBGEMM = Arithmetic()
_QNNPACK = Arithmetic(formed_by="product", bias="int32_product")
_TFLITE = Arithmetic(
    rounding="half_away",
    precision="float64",
    scaling="q31_double",
    bias="int32_half_away",
    overflow="saturated",
)
POINTS = {
    "fbgemm": _FBGEMM,
    "qnnpack": _QNNPACK,
    "fbgemm-1.4": _FBGEMM,
    "qnnpack-1.4": Arithmetic(rounding="half_away", scaling="q31_double", bias="int32_division"),
    "exact": Arithmetic(precision="exact", bias="exact", accumulator="exact", overflow="saturated"),
    "tflite": _TFLITE,
    "tflite-single": _TFLITE.change(scaling="q31_single", rounding="half_up"),
    "onnx": Arithmetic(bias="int32_division", clamp="before", overflow="saturated"),
    "x86-sat16": _FBGEMM.change(accumulator="saturated_pairs"),
}


def arithmetic_of(engine: str, per_channel: bool = False) -> Arithmetic:
    """Tell where an engine stands on the axes, for linear layers and convolutions.

    Parameters
    ----------
    engine : str
        One of PyTorch's engines or a foreign one.
    per_channel : bool, default False
        Whether the weight has a scale for each output; FBGEMM adds the bias differently then.

    Returns
    -------
    Arithmetic

    Raises
    ------
    EngineError
        If the engine is one of your own, of which only the rules are known.

    Examples
    --------
    >>> from refquant import oracle
    >>> oracle.arithmetic_of("fbgemm").differences(oracle.arithmetic_of("qnnpack"))
    {'formed_by': ('division', 'product'), 'bias': ('fused', 'int32_product')}
    """
    per_channel = arguments.flag("oracle.arithmetic_of", "per_channel", per_channel)
    point = POINTS.get(engine) if isinstance(engine, str) else None
    if point is None:
        raise EngineError(
            f"oracle.arithmetic_of: {arguments.describe(engine)} has no known place on the axes",
            expected=f"one of {', '.join(POINTS)}",
            mend="compose it: oracle.Arithmetic(...).record(name)",
        )
    return point.change(bias="divided") if per_channel and point.bias == "fused" else point


_EXACT_STEPS = {
    "dequantize_per_tensor": choose(DEQUANTIZE_EXACTLY),
    "dequantize_per_channel": choose(DEQUANTIZE_EXACTLY),
    "dynamic_output": choose(OUTPUT_EXACT),
    "multiply": choose(PRODUCT_OF_REALS),
    "resize_step": choose(STEP_EXACT),
    "resize_place": choose(PLACE_EXACT),
    "resize_mix": choose(Split.uniform(MIX_EXACT)),
}


def _foreign(name: str, title: str, **steps) -> Engine:
    return record(POINTS[name], name).derive(name, title, steps=steps)


_TFLITE_AVERAGES = {
    step: choose(Split.uniform(AVERAGE_OF_CODES))
    for step in ("average_pool", "adaptive_average_pool")
}
FOREIGN = {
    engine.name: engine
    for engine in (
        _foreign(
            "exact",
            "Rational arithmetic, one rounding at the end, half to even: what all approximate",
            **_EXACT_STEPS,
        ),
        _foreign(
            "tflite",
            "TensorFlow Lite, reference kernels with double rounding",
            **_TFLITE_AVERAGES,
            **{step: choose(rule) for step, rule in tflite_rules(POINTS["tflite"]).items()},
        ),
        _foreign(
            "tflite-single",
            "TensorFlow Lite with single rounding (TFLITE_SINGLE_ROUNDING, ruy)",
            **_TFLITE_AVERAGES,
            **{step: choose(rule) for step, rule in tflite_rules(POINTS["tflite-single"]).items()},
        ),
        _foreign(
            "onnx",
            "ONNX Runtime on processors: QLinearConv, QLinearMatMul, QLinearAdd, QLinearMul",
            add=choose(ADD_FOLDED),
            multiply=choose(MULTIPLY_BY_RATIO),
        ),
        FBGEMM.derive(
            "x86-sat16",
            "FBGEMM of PyTorch 2.13 on x86 processors without VNNI; its kernels for groups of 4, "
            "8 or 16 channels, which sum exactly, are left aside",
            steps={"accumulator": choose(SATURATED_PAIRS)},
        ),
    )
}
