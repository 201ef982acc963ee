"""The steps in which engines differ, and the capabilities that they may lack.

A step is the one place where a rule is looked up; adding an engine means giving a rule for each of
them, adding a step means giving it to every record. `check` compares a record with them. Steps of
other runtimes alone may be missing.
"""

import inspect
from functools import lru_cache
from typing import Any, NamedTuple

from refquant.engines.record import Engine
from refquant.engines.rule import Choice, Form, FusedRule, Rule, Split
from refquant.engines.rules import elementwise, functions, mean, pipeline, quantize
from refquant.engines.workflow import Workflow
from refquant.errors import EngineError


class Step(NamedTuple):
    """What a step takes.

    Attributes
    ----------
    meaning : str
        What is done in it, for people.
    parameters : tuple of str
        What its rules are called with; empty if it takes forms alone.
    split : bool
        Whether it takes a `Split` of two rules.
    forms : tuple of Form
        The forms that it takes.
    kind : type
        Rule or FusedRule: what else it takes.
    """

    meaning: str
    parameters: tuple[str, ...]
    split: bool = False
    forms: tuple[Form, ...] = ()
    kind: type[Rule] = Rule


_QUANTIZE = ("x", "scale", "zero_point", "quant_min", "quant_max")
_DEQUANTIZE = ("q", "scale", "zero_point")
_REQUANTIZE = ("n", "multiplier", "zero_point", "lower", "upper")
_AVERAGE = ("total", "sizes", "divisor", "scale", "zero_point", "quant_min", "quant_max")
_SUM = ("acc", "bias", "input_scale", "weight_scale")
_PIPELINE = (*_SUM, "post", "scale", "zero_point", "lower", "upper")
_WHOLE = (
    *("a", "a_scale", "a_zero_point", "b", "b_scale", "b_zero_point"),
    *("scale", "zero_point", "lower", "upper"),
)

STEPS = {
    "quantize_per_tensor": Step(
        "float32 to integers, one scale: quantize_per_tensor", _QUANTIZE, split=True
    ),
    "copy": Step("float32 written into a quantized tensor", _QUANTIZE, split=True),
    "quantize_per_channel": Step(
        "float32 to integers, a scale for each slice along an axis", _QUANTIZE, split=True
    ),
    "dequantize_per_tensor": Step("integers to float32, one scale", _DEQUANTIZE),
    "dequantize_per_channel": Step(
        "integers to float32, a scale for each slice along an axis", _DEQUANTIZE
    ),
    "elementwise_dequantize": Step(
        "operands of element-wise operations, in vectors and one by one", _DEQUANTIZE, split=True
    ),
    "elementwise_quantize": Step(
        "results of element-wise operations, in vectors and one by one", _QUANTIZE, split=True
    ),
    "elementwise_requantize": Step(
        "products and sums of integers, in vectors and one by one", _REQUANTIZE, split=True
    ),
    "exponential": Step("e**x - 1 in elu, in vectors and one by one", ("x",), split=True),
    "sigmoid_dequantize": Step(
        "the operand of sigmoid, in vectors and one by one", _DEQUANTIZE, split=True
    ),
    "sigmoid": Step("the logistic function, in vectors and one by one", ("x",), split=True),
    "gate": Step(
        "the logistic function in recurrent cells, in vectors and one by one", ("x",), split=True
    ),
    "tanh": Step("the hyperbolic tangent, in vectors and one by one", ("x",), split=True),
    "gelu": Step("x times the normal distribution, in vectors and one by one", ("x",), split=True),
    "gelu_tanh": Step("gelu by a tangent, in vectors and one by one", ("x",), split=True),
    "normalize_dequantize": Step(
        "operands of normalizations, as steps: the scale is 1", _DEQUANTIZE, split=True
    ),
    "normalize_quantize": Step(
        "results of layer, group and instance normalization", _QUANTIZE, split=True
    ),
    "batch_norm_quantize": Step(
        "steps of batch normalization to integers: the scale is 1", _QUANTIZE, split=True
    ),
    "activation": Step(
        "how sigmoid, tanh, hardsigmoid, hardswish and softmax are computed",
        (),
        forms=(functions.FUNCTION_OF_REALS, functions.FUNCTION_BY_TABLE),
    ),
    "add": Step(
        "how two tensors are added",
        _WHOLE,
        forms=(elementwise.SUM_OF_REALS, elementwise.SUM_IN_FIXED_POINT),
        kind=FusedRule,
    ),
    "multiply": Step(
        "how two tensors are multiplied",
        _WHOLE,
        forms=(elementwise.PRODUCT_OF_REALS, elementwise.PRODUCT_OF_INTEGERS),
        kind=FusedRule,
    ),
    "add_scalar": Step(
        "how a number is added when the zero point alone cannot hold it",
        (),
        forms=(elementwise.SHIFT_OF_REALS, elementwise.SHIFT_OF_INTEGERS),
    ),
    "cat_dequantize": Step(
        "pieces of a channels-last cat along the channels", _DEQUANTIZE, split=True
    ),
    "cat_quantize": Step(
        "results of a channels-last cat along the channels", _QUANTIZE, split=True
    ),
    "mean": Step(
        "the average over dimensions", _AVERAGE, forms=(mean.MEAN_IN_ORDER, mean.MEAN_IN_CASCADES)
    ),
    "average_pool": Step("the average over windows of a fixed size", _AVERAGE, split=True),
    "adaptive_average_pool": Step(
        "the average over windows that give an output size", _AVERAGE, split=True
    ),
    "resize_step": Step(
        "how far one pixel of the output goes in the input",
        ("size", "count", "factor", "align_corners"),
    ),
    "resize_place": Step("where a pixel of the output lies in the input", ("index", "step")),
    "resize_mix": Step(
        "how neighboring pixels are mixed", ("a", "b", "c", "d", "h", "w"), split=True
    ),
    "dynamic_qparams": Step(
        "scale and zero point for the input of a dynamic operation",
        ("lower", "upper", "quant_min", "quant_max"),
    ),
    "dynamic_quantize": Step(
        "the input of a dynamic operation to integers",
        _QUANTIZE,
        split=True,
        forms=(quantize.AS_TENSORS,),
    ),
    "accumulator": Step(
        "how the products of a linear layer or convolution are summed",
        ("x", "weight", "input_zero_point", "weight_zero_points"),
    ),
    "border": Step("what stands outside an image that is convolved", ("zero_point",)),
    "product": Step(
        "how the sum of a linear layer or convolution becomes its result: by the next three steps, "
        "or at once",
        _PIPELINE,
        forms=(pipeline.IN_STEPS,),
    ),
    "bias": Step("the bias of a linear layer or convolution to its integer sum", _SUM),
    "multiplier": Step(
        "the scales of input, weight and output to the factor of the sum",
        ("input_scale", "weight_scale", "output_scale"),
    ),
    "requantize_sum": Step("the sum of a linear layer or convolution to integers", _REQUANTIZE),
    "dynamic_output": Step("the sum of a dynamic linear layer to float32", _SUM),
    "dynamic_relu": Step("ReLU of what a dynamic linear layer gives", ("y",)),
}

_CODES = ("q", "x_scale", "x_zero_point", "scale", "zero_point", "lower", "upper")
_COUNTED = ("total", "count", *_CODES[1:])

# What other runtimes compute with integers of any quantizer, for the oracle alone: a record has
# rules for those operations that its runtime has.
RUNTIME_STEPS = {
    "subtract": Step("how two tensors are subtracted", _WHOLE, kind=FusedRule),
    "product_of_reals": Step(
        "matrices of dequantized numbers to their product in float32; in its absence integers are "
        "multiplied",
        ("a", "b"),
    ),
    "requantize_codes": Step("integers of one quantizer to those of another", _CODES, split=True),
    "concatenate_codes": Step("pieces of a concatenation to its quantizer", _CODES),
    "sigmoid_of_codes": Step("the logistic function of integers", _CODES),
    "tanh_of_codes": Step("the hyperbolic tangent of integers", _CODES),
    "elu_of_codes": Step("elu of integers", _CODES),
    "hardswish_of_codes": Step("hardswish of integers", _CODES),
    "leaky_relu_of_codes": Step("leaky ReLU of integers", (*_CODES[:3], "slope", *_CODES[3:])),
    "softmax_of_codes": Step("softmax of rows of integers", _CODES),
    "average_of_codes": Step(
        "the average of integers over windows", ("taps", "inside", *_CODES[1:])
    ),
    "average_of_reals": Step(
        "the average of dequantized integers over windows, given column by column",
        ("taps", "inside", *_CODES[1:]),
    ),
    "global_average_of_codes": Step("the average of integers over images", _COUNTED),
    "global_average_of_reals": Step(
        "the average of dequantized integers over images, channels last", _CODES
    ),
    "mean_of_reals": Step(
        "the average of dequantized integers over axes", ("q", "axes", "keepdims", *_CODES[1:])
    ),
    "resize_of_reals": Step(
        "bilinear resizing of dequantized integers",
        ("q", "height", "width", "align_corners", "half_pixel", *_CODES[1:]),
    ),
    "nearest_of_codes": Step(
        "which pixels of an axis are repeated when an image is resized",
        ("count", "places", "align_corners", "half_pixel"),
    ),
    "dynamic_quantize_of_reals": Step(
        "real numbers to integers by the scale and zero point of their range", ("x",)
    ),
    "mean_of_codes": Step("the average of integers over axes", _COUNTED),
    "resize_of_codes": Step(
        "bilinear resizing of integers", ("x", "height", "width", "align_corners", "half_pixel")
    ),
}

CAPABILITIES = {
    "broadcast": "element-wise operations on operands of different shapes",
    "mean_dimensions": "averages over other dimensions than height and width",
    "per_channel_weights": "weights with a scale for each output channel",
    "conv3d": "convolution over three dimensions",
    "conv_transpose3d": "transposed convolution over three dimensions",
    "transposed_channels": "transposed convolution with a scale for each output channel",
    "transposed_groups": "the same in groups",
    "transposed_relu": "transposed convolution with ReLU",
    "output_padding": "transposed convolution with output padding",
    "weight_zero_points": "weights with a zero point other than 0",
    "qint8_activations": "linear layers with qint8 input and result",
    "post_operations": "linear_leaky_relu, linear_tanh, conv2d_add and conv2d_add_relu",
    "dynamic_linear": "linear with float input that is quantized on the way",
    "dynamic_reduce_range": "dynamic linear with seven bits of the activation's eight",
    "given_input": "linear with float input that is quantized by given parameters",
    "float16_linear": "dynamic linear with weights in float16",
    "any_multiplier": "input scale * weight scale / output scale below 2**-32, or 1 and more",
}


@lru_cache(maxsize=1024)
def _takes(rule: Rule, parameters: tuple[str, ...]) -> bool:
    """Whether the definition of a rule can be called with so many arguments."""
    try:
        inspect.signature(rule.function).bind(*parameters)
    except TypeError:
        return False
    except ValueError:  # a function in C that does not tell
        return True
    return True


def _described(entry: Any) -> str:
    if isinstance(entry, Rule | Form):
        return f"the {type(entry).__name__} {entry.name!r}"
    return f"{type(entry).__name__} {entry!r}"


def _fault(step: Step, entry: Any) -> tuple[str, str, str] | None:
    """Return what a step expects, what the entry is, and how to fix it; None if it fits."""
    if any(entry is form for form in step.forms):
        return None
    known = [form.name for form in step.forms]
    if not step.parameters:
        hint = "give rules of your own to elementwise_quantize and elementwise_requantize"
        return f"{' or '.join(known)} of refquant.engines", _described(entry), hint
    if step.split and not isinstance(entry, Split):
        hint = "write Split.uniform(rule) for one rule at every position"
        return "a Split of two rules", _described(entry), hint
    for rule in (entry.vector, entry.tail) if step.split else (entry,):
        if not isinstance(rule, step.kind) or (isinstance(rule, FusedRule) and step.kind is Rule):
            expected = f"a {step.kind.__name__}"
            if known:
                expected = f"{', '.join(known)} of refquant.engines, or {expected}"
            hint = f"make one with refquant.engines.{step.kind.__name__}(...)"
            if step.kind is FusedRule:
                hint += ", or give rules to elementwise_quantize and elementwise_requantize"
            return expected, _described(rule), hint
        if not callable(rule.function) or not _takes(rule, step.parameters):
            expected = f"a rule that can be called with ({', '.join(step.parameters)})"
            return expected, _described(rule), "give its function these parameters, in this order"
    return None


def check(record: Engine) -> None:
    """Raise unless a record has an entry of the right kind for every step.

    Parameters
    ----------
    record : Engine
        Any record.

    Raises
    ------
    EngineError
        Names the engine, the step, what it expects and what it got.

    Examples
    --------
    >>> from refquant import engines
    >>> from refquant.engines.steps import check
    >>> check(engines.get("fbgemm"))
    """
    if not isinstance(record.workflow, Workflow):
        raise EngineError(
            f"engine {record.name!r}",
            argument="recipe['workflow']",
            expected="a refquant.engines.Workflow",
            got=repr(record.workflow),
            hint="take that of a built-in engine: refquant.engines.get('fbgemm').workflow",
        )
    missing = [step for step in STEPS if step not in record.steps]
    if missing:
        raise EngineError(
            f"engine {record.name!r} has no rule for {', '.join(missing)}",
            hint="derive() the record from a complete one",
        )
    unknown = [step for step in record.steps if step not in STEPS and step not in RUNTIME_STEPS]
    if unknown:
        raise EngineError(
            f"engine {record.name!r} has rules for unknown steps {', '.join(map(repr, unknown))}",
            expected=f"steps among {', '.join(STEPS)}",
            hint="write the names of steps as refquant.engines.steps lists them",
        )
    for name, step in {**STEPS, **RUNTIME_STEPS}.items():
        for choice in record.steps.get(name, ()):
            if isinstance(choice, Choice):
                fault = _fault(step, choice.rule)
            else:
                hint = "write the list with refquant.engines.first_of(...)"
                fault = "a list of Choice", _described(choice), hint
            if fault is not None:
                expected, got, hint = fault
                raise EngineError(
                    f"engine {record.name!r}",
                    argument=f"steps[{name!r}]",
                    expected=expected,
                    got=got,
                    hint=hint,
                )
