"""Functions of real numbers that engines compute by rules or look up in tables."""

from functools import lru_cache
from typing import Any

import numpy as np

from refquant import arguments, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.dtypes import qint8, qint32, quint8
from refquant.engines.rule import Split
from refquant.engines.rules import functions as rules
from refquant.engines.rules import tables
from refquant.errors import ArgumentError
from refquant.ops import checks, layout
from refquant.ops.inplace import check_writable
from refquant.ops.quantized.activation import finite, rules_of
from refquant.ops.registered import operation
from refquant.tensors import QuantizedTensor

__all__ = ["hardswish", "sigmoid", "threshold"]

# Steps and zero points of results whose range is known: 0 to 1, and -1 to 1.
TO_ONE = {quint8: (2.0**-8, 0), qint8: (2.0**-8, -128), qint32: (2.0**-32, 0)}
FROM_MINUS_ONE = {quint8: (2.0**-7, 128), qint8: (2.0**-7, 0), qint32: (2.0**-31, 0)}
_UNIFORM = {rule: Split.uniform(rule) for rule in (rules.HARDSIGMOID, rules.HARDSWISH)}


def by_table(q: QuantizedTensor) -> bool:
    """Whether the engine looks functions of such a tensor up."""
    return rules_of(q, "activation")[0] is rules.FUNCTION_BY_TABLE


@lru_cache(maxsize=256)
def _answers(table: Any, *parameters: Any) -> np.ndarray:
    return table(*parameters)


def _looked_up(q: QuantizedTensor, table, scale: float, zero_point: int, *parameters: Any):
    """Look a function up; `table` makes the answers for the operand's and other parameters."""
    flat, memory_format = layout.flatten(q.array)
    answers = _answers(table, q.scale, q.zero_point, *parameters)
    result = layout.restore(kernels.look_up(flat, answers), q.array.shape, memory_format)
    return QuantizedTensor._unchecked(result, q.dtype, scale, zero_point)


def _computed(q: QuantizedTensor, function, output, dequantize="elementwise_dequantize"):
    """Apply a function that is given by a step, or by one rule for every element."""
    scale, zero_point = output
    if type(function) is str:
        dequantize, split, quantize = rules_of(q, dequantize, function, "elementwise_quantize")
    else:
        dequantize, quantize = rules_of(q, dequantize, "elementwise_quantize")
        split = _UNIFORM[function]
    flat, run, vectors, memory_format = layout.in_own_format(q.array)
    vector_length = layout.vector_length(run, dequantize.block) if vectors else 0
    result = kernels.function(
        flat, (q.scale, q.zero_point), (scale, zero_point, q.dtype.quant_min, q.dtype.quant_max),
        (run, vector_length), dequantize, split, quantize,
    )  # fmt: skip
    restored = layout.restore(result, q.array.shape, memory_format)
    return QuantizedTensor._unchecked(restored, q.dtype, scale, zero_point)


@operation(
    "codes", "elementwise_quantize", "sigmoid_dequantize", output_scale=2.0**-8, output_zero_point=0
)
def sigmoid(qx: Any, output_scale: float, output_zero_point: int) -> QuantizedTensor:
    r"""Logistic function, :math:`1 / (1 + e^{-x})`, quantized with the parameters given.

    Parameters
    ----------
    qx : QuantizedTensor
        Quantized per tensor, any shape and layout.
    %(output_quantizer)s

    Returns
    -------
    QuantizedTensor
        Of the dtype and memory format of `qx`; what lies in no format becomes row-major.

    Raises
    ------
    QuantizerError
        If `qx` is not quantized per tensor.
    QuantizationParameterError
        If `output_scale` or `output_zero_point` is not valid.
    ArgumentError
        If `output_scale` is not 1/256 or `output_zero_point` not 0, for quint8 by the table of
        QNNPACK.

    Notes
    -----
    Source: ATen ``qsigmoid_kernel``; QNNPACK has a table for quint8. Whole vectors are computed in
    float32 alone, the rest in float64 (steps ``sigmoid_dequantize`` and ``sigmoid``); integers of
    8 bits are the same. `refquant.sigmoid` chooses 1/256 and 0 itself.

    %(one_and_less)s
    >>> refquant.ops.quantized.sigmoid(x, 0.01, 0).dequantize()
    tensor([0.7300, 0.1200])
    """
    q = checks.quantized_per_tensor("qx", qx)
    scale = checks.scale_value("output_scale", output_scale)
    zero_point = checks.zero_point_value("output_zero_point", output_zero_point, q.dtype)
    if by_table(q) and (scale, zero_point) != TO_ONE[quint8]:
        raise ArgumentError(
            argument="output_scale",
            expected="1/256, with `output_zero_point` 0: the table of QNNPACK has no others",
            got=(scale, zero_point),
            hint="call refquant.sigmoid(qx), and requantize the result",
        )
    return _sigmoid_to(q, (scale, zero_point))


def _sigmoid_to(q: QuantizedTensor, output: tuple[float, int]) -> QuantizedTensor:
    if by_table(q):
        return _looked_up(q, tables.sigmoid, *output)
    return _computed(q, "sigmoid", output, "sigmoid_dequantize")


@operation(
    "codes",
    "elementwise_quantize",
    "elementwise_dequantize",
    output_scale=0.04,
    output_zero_point=30,
)
def hardswish(input: Any, output_scale: float, output_zero_point: int) -> QuantizedTensor:
    r"""Compute :math:`x \min(\max(x + 3, 0), 6) / 6`, quantized with the parameters given.

    %(per_tensor)s
    %(output_quantizer)s

    Returns
    -------
    QuantizedTensor
        Of the dtype and memory format of `input`; what lies in no format becomes row-major.

    %(unless_per_tensor)s
    QuantizationParameterError
        If `output_scale` or `output_zero_point` is not valid.

    Notes
    -----
    Source: ATen ``qhardswish_kernel``; QNNPACK has a table for quint8.

    %(one_and_less)s
    >>> refquant.ops.quantized.hardswish(x, 0.25, 8).dequantize()
    tensor([ 0.7500, -0.2500])
    """
    q = checks.quantized_per_tensor("input", input)
    scale = checks.scale_value("output_scale", output_scale)
    zero_point = checks.zero_point_value("output_zero_point", output_zero_point, q.dtype)
    if by_table(q):
        return _looked_up(q, tables.hardswish, scale, zero_point, scale, zero_point)
    return _computed(q, rules.HARDSWISH, (scale, zero_point))


@operation("codes", "elementwise_quantize", "elementwise_dequantize", threshold=0.5, value=-1.0)
def threshold(qx: Any, threshold: float, value: float) -> QuantizedTensor:
    r"""Replace real numbers that are not above a threshold by a value.

    .. math:: y = \begin{cases} x & x > t \\ v & x \le t \end{cases}

    Parameters
    ----------
    qx : QuantizedTensor
        Quantized per tensor, any shape and layout.
    threshold : float
        The threshold t, which becomes float32.
    value : float
        The value v, which becomes float32.

    Returns
    -------
    QuantizedTensor
        With the parameters and memory format of `qx`; what lies in no format becomes row-major.

    Raises
    ------
    QuantizerError
        If `qx` is not quantized per tensor.
    ArgumentTypeError, ArgumentError
        If one of the other arguments is not a finite number.

    Notes
    -----
    Source: ATen ``qthreshold_kernel``.

    %(one_and_less)s
    >>> refquant.ops.quantized.threshold(x, 0.0, 3.0).dequantize()
    tensor([1., 3.])
    """
    q = checks.quantized_per_tensor("qx", qx)
    return _threshold(q, threshold, value)


def _threshold(input: Any, threshold: float, value: float) -> QuantizedTensor:
    q = checks.quantized_per_tensor("input", input)
    factors = finite("threshold", threshold), finite("value", value)
    dequantize, quantize = rules_of(q, "elementwise_dequantize", "elementwise_quantize")
    flat, run, vectors, memory_format = layout.in_own_format(q.array)
    vector_length = layout.vector_length(run, dequantize.block) if vectors else 0
    result = kernels.threshold(
        flat, (q.scale, q.zero_point),
        (q.scale, q.zero_point, q.dtype.quant_min, q.dtype.quant_max), factors,
        (run, vector_length), dequantize, quantize,
    )  # fmt: skip
    return q.like(layout.restore(result, q.array.shape, memory_format))


# -- what functions of plain tensors do with quantized ones --------------------------------------


def _sigmoid(input: Any) -> QuantizedTensor:
    q = checks.quantized_per_tensor("input", input)
    return _sigmoid_to(q, TO_ONE[q.dtype])


def _tanh(input: Any) -> QuantizedTensor:
    q = checks.quantized_per_tensor("input", input)
    output = FROM_MINUS_ONE[q.dtype]
    if by_table(q):
        return _looked_up(q, tables.tanh, *output)
    return _computed(q, "tanh", output)


def _hardsigmoid(input: Any) -> QuantizedTensor:
    q = checks.quantized_per_tensor("input", input)
    output = TO_ONE[q.dtype]
    if by_table(q):
        return _looked_up(q, tables.hardsigmoid, *output)
    return _computed(q, rules.HARDSIGMOID, output)


def _hardsigmoid_(input: Any) -> QuantizedTensor:
    result = _hardsigmoid(input)
    check_writable(input.array)
    input.array[...] = result.array
    input.scale, input.zero_point = result.scale, result.zero_point
    return input


def _gelu(input: Any, approximate: str = "none") -> QuantizedTensor:
    q = checks.quantized_per_tensor("input", input)
    arguments.choice("approximate", approximate, ("none", "tanh"))
    step = "gelu" if approximate == "none" else "gelu_tanh"
    return _computed(q, step, (float(np.float32(q.scale)), q.zero_point))


FORMS: dict[str, Any] = {
    "gelu": _gelu,
    "hardsigmoid": _hardsigmoid,
    "hardsigmoid_": _hardsigmoid_,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "threshold": _threshold,
}
document(__name__)
enclose(__name__)
