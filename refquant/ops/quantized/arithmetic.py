"""Sums and products of two quantized tensors, with parameters given for the result."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import dtypes, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant._operation import operation_name
from refquant.engines import FusedRule, Operands
from refquant.engines.rules.elementwise import PRODUCT_OF_INTEGERS, SUM_IN_FIXED_POINT
from refquant.errors import ArgumentTypeError, DtypeError, EngineError
from refquant.ops import checks, layout
from refquant.ops.quantized import given_out, with_scalar
from refquant.ops.registered import operation
from refquant.tensors import QuantizedTensor

__all__ = ["add", "add_relu", "mul", "mul_relu"]


def _plan(step: str, dtype: dtypes.dtype, same_shape: bool, number: bool = False) -> tuple:
    """(how to combine, how to dequantize, how to quantize, how to requantize)."""
    record, key = engines.current(), (step, dtype, same_shape, number)
    plan = record.plans.get(key)
    if plan is None:
        operands = Operands(dtype, same_shape=same_shape, number=number)
        steps = ("elementwise_dequantize", "elementwise_quantize", "elementwise_requantize")
        plan = (record.rule(step, operands), *(record.rule(s, operands) for s in steps))
        record.plans[key] = plan
    return plan


def _operands(a: Any, b: Any) -> tuple[QuantizedTensor, QuantizedTensor]:
    a = checks.quantized_per_tensor("qa", a)
    b = checks.quantized_per_tensor("qb", b)
    if a.dtype is not b.dtype:
        raise DtypeError(
            argument="qb",
            expected=f"{a.dtype}, the dtype of `qa`",
            got=b.dtype,
            hint="quantize both operands to one dtype",
        )
    if a.array.shape != b.array.shape:
        engines.require("broadcast", f"of shapes {a.array.shape} and {b.array.shape}")
    return a, b


@operation("pair")
def add(
    qa: Any, qb: Any, scale: Any = None, zero_point: Any = None, *, out: Any = None
) -> QuantizedTensor:
    r"""Add two quantized tensors.

    .. math:: q = quantize(s_a (q_a - z_a) + s_b (q_b - z_b);\; s, z)

    FBGEMM adds real numbers and rounds whole vectors and the rest differently; QNNPACK adds
    quint8 of equal shapes with integers alone. The engine's record names the rules: steps
    ``add``, ``elementwise_dequantize``, ``elementwise_quantize``.

    %(pair)s

    %(unless_pair)s

    Notes
    -----
    Source: ATen ``qadd_kernel``; QNNPACK ``q8vadd``. See `refquant.engines.rules.elementwise`.
    Unlike the real QNNPACK this one takes 0-dimensional tensors, and sums whose operands both have
    a scale below 2**-10 of that of the result are exact, where the real one shifts by more than 31
    bits.

    %(one_and_less)s
    >>> refquant.ops.quantized.add(x, x, 1.0, 8).int_repr()
    tensor([10,  4], dtype=refquant.uint8)
    """
    if out is None and scale is not None:
        return _add(qa, qb, scale, zero_point, False)
    pair = _add if out is None else _add_written
    return _overload(pair, with_scalar.add_scalar, False, qa, qb, scale, zero_point, out)


@operation("pair")
def add_relu(
    qa: Any, qb: Any, scale: Any = None, zero_point: Any = None, *, out: Any = None
) -> QuantizedTensor:
    """Add two quantized tensors; negative sums become 0.

    As `add`, with :math:`max(0, x)` between the sum and its quantization.

    %(pair)s

    %(unless_pair)s

    %(one_and_less)s
    >>> refquant.ops.quantized.add_relu(x, x, 1.0, 8).int_repr()
    tensor([10,  8], dtype=refquant.uint8)
    """
    if out is None and scale is not None:
        return _add(qa, qb, scale, zero_point, True)
    pair = _add if out is None else _add_written
    return _overload(pair, with_scalar.add_scalar_relu, True, qa, qb, scale, zero_point, out)


def _overload(
    of_pair: Callable, of_number: Callable, relu: bool, qa: Any, qb: Any, scale, zero_point, out
) -> QuantizedTensor:
    """Choose among the forms of an operation: of two tensors or a number, into a given tensor."""
    numbers = [False, False]
    if scale is None and zero_point is None:
        numbers = [isinstance(q, int | float | np.number) for q in (qa, qb)]
    into = None if out is None else given_out.target(out)
    if any(numbers):
        result = of_number(*((qb, qa) if numbers[0] else (qa, qb)))
    elif into is None:
        result = of_pair(qa, qb, scale, zero_point, relu)
    else:
        _leave_out(scale, zero_point)
        result = of_pair(qa, qb, into.scale, into.zero_point, relu)
    return result if into is None else given_out.written(into, result, not any(numbers))


def _leave_out(scale: Any, zero_point: Any) -> None:
    """Raise if parameters are given beside a target, which has its own."""
    for name, value in (("scale", scale), ("zero_point", zero_point)):
        if value is not None:
            raise ArgumentTypeError(
                argument=name,
                expected="left out beside `out`",
                got=value,
                hint="call it without `scale` and `zero_point`; those of `out` are used",
            )


def _add_written(qa: Any, qb: Any, scale: Any, zero_point: Any, relu: bool) -> QuantizedTensor:
    """Add into a given tensor, for which QNNPACK has no kernel of its own."""
    return _add(qa, qb, scale, zero_point, relu, written=True)


def _add(qa: Any, qb: Any, scale, zero_point, relu: bool, written: bool = False) -> QuantizedTensor:
    a, b = _operands(qa, qb)
    dtype = a.dtype
    scale = checks.scale_value("scale", scale)
    zero_point = checks.zero_point_value("zero_point", zero_point, dtype)
    x, y, run, vectors, shape, memory_format = layout.pair(a.array, b.array)
    least = zero_point if relu else dtype.quant_min
    of_a, of_b = (a.scale, a.zero_point), (b.scale, b.zero_point)
    how, dequantize, quantize, _ = _plan(
        "add", dtype, a.array.shape == b.array.shape and not written, a.array.size == 1
    )
    if how is SUM_IN_FIXED_POINT:
        _check_fixed_point(a, b, scale)
        q = kernels.add_fixed_point(x, of_a, y, of_b, (scale, zero_point, least, dtype.quant_max))
    elif isinstance(how, FusedRule):
        q = _at_once(how, x, of_a, y, of_b, (scale, zero_point, least, dtype.quant_max))
    else:
        q = kernels.add(
            x, of_a, y, of_b, (scale, zero_point, dtype.quant_min, dtype.quant_max), relu,
            (run, run - run % dequantize.block if vectors else 0), dequantize, quantize,
        )  # fmt: skip
    return QuantizedTensor._unchecked(
        layout.restore(q, shape, memory_format), dtype, scale, zero_point
    )


def _at_once(rule, x, of_a, y, of_b, output) -> np.ndarray:
    """Follow a rule that computes the whole operation."""
    return np.asarray(rule(x.ravel(), *of_a, y.ravel(), *of_b, *output)).astype(x.dtype)


def _check_fixed_point(a: QuantizedTensor, b: QuantizedTensor, scale: float) -> None:
    """Multipliers of the fixed-point sum hold ratios of scales from 2**-14 to 2**8 only."""
    for name, tensor in (("qa", a), ("qb", b)):
        with np.errstate(over="ignore"):
            ratio = np.float32(tensor.scale) / np.float32(scale)
        if not 2.0**-14 <= ratio < 2.0**8:
            raise EngineError(
                f"{operation_name()}: engine {engines.current().name!r} adds in fixed point",
                argument=f"{name}.q_scale() / scale",
                expected="at least 2**-14 and below 2**8",
                got=float(ratio),
                hint="choose an output scale nearer to those of the operands",
            )


@operation("pair")
def mul(
    qa: Any, qb: Any, scale: Any = None, zero_point: Any = None, *, out: Any = None
) -> QuantizedTensor:
    r"""Multiply two quantized tensors.

    .. math:: q = quantize(s_a (q_a - z_a) \cdot s_b (q_b - z_b);\; s, z)

    PyTorch 2.13 multiplies integers and scales their product; 1.4 multiplies real numbers. The
    engine's record names the rules: steps ``multiply``, ``elementwise_requantize``.

    %(pair)s

    %(unless_pair)s

    Notes
    -----
    Source: ATen ``qmul_kernel``. A product times its multiplier beyond int32 becomes the least
    integer, as in the real kernel. See `refquant.engines.rules.elementwise`.

    %(one_and_less)s
    >>> refquant.ops.quantized.mul(x, x, 0.5, 8).int_repr()
    tensor([10, 16], dtype=refquant.uint8)
    """
    if out is None and scale is not None:
        return _multiply(qa, qb, scale, zero_point, False)
    return _overload(_multiply, with_scalar.mul_scalar, False, qa, qb, scale, zero_point, out)


@operation("pair")
def mul_relu(
    qa: Any, qb: Any, scale: Any = None, zero_point: Any = None, *, out: Any = None
) -> QuantizedTensor:
    """Multiply two quantized tensors; negative products become 0.

    %(pair)s

    %(unless_pair)s

    %(one_and_less)s
    >>> y = refquant.quantize_per_tensor(refquant.tensor([1.0, 2.0]), 0.5, 8, refquant.quint8)
    >>> refquant.ops.quantized.mul_relu(x, y, 0.5, 8).int_repr()
    tensor([10,  8], dtype=refquant.uint8)
    """
    if out is None and scale is not None:
        return _multiply(qa, qb, scale, zero_point, True)
    return _overload(_multiply, with_scalar.mul_scalar_relu, True, qa, qb, scale, zero_point, out)


def _multiply(qa: Any, qb: Any, scale, zero_point, relu: bool) -> QuantizedTensor:
    a, b = _operands(qa, qb)
    dtype = a.dtype
    scale = checks.scale_value("scale", scale)
    zero_point = checks.zero_point_value("zero_point", zero_point, dtype)
    x, y, run, vectors, shape, memory_format = layout.pair(a.array, b.array)
    least = zero_point if relu else dtype.quant_min
    of_a, of_b = (a.scale, a.zero_point), (b.scale, b.zero_point)
    how, dequantize, quantize, requantize = _plan("multiply", dtype, True)
    if how is PRODUCT_OF_INTEGERS:
        q = kernels.multiply_integers(
            x, of_a, y, of_b, (scale, zero_point, least, dtype.quant_max),
            (run, run - run % requantize.block if vectors else 0), requantize,
        )  # fmt: skip
    elif isinstance(how, FusedRule):
        q = _at_once(how, x, of_a, y, of_b, (scale, zero_point, least, dtype.quant_max))
    else:  # scalar code at every position
        q = kernels.multiply(
            x, of_a, y, of_b, (scale, zero_point, dtype.quant_min, dtype.quant_max), relu,
            (run, 0), dequantize, quantize,
        )  # fmt: skip
    return QuantizedTensor._unchecked(
        layout.restore(q, shape, memory_format), dtype, scale, zero_point
    )


document(
    __name__,
    pair="""
Parameters
----------
qa, qb : QuantizedTensor or float
    Operands quantized per tensor, of one dtype, of shapes that broadcast. One of them may be a
    number; the parameters then follow from it, as in `add_scalar` and `mul_scalar`.
%(quantizer_of_result)s
    Left out beside a number or `out`.
out : QuantizedTensor, optional
    A tensor that the result is written into, with its scale and zero point.

Returns
-------
QuantizedTensor
    Of the dtype and memory format of `qa`; `out` where it is given.""",
    unless_pair="""
Raises
------
QuantizerError
    If an operand is not quantized per tensor.
DtypeError
    If the dtypes differ.
ShapeError
    If the shapes do not broadcast.
QuantizationParameterError
    If `scale` or `zero_point` is not valid.
EngineError
    If the engine cannot broadcast, or holds scales in fixed point and these differ too much.""",
)
enclose(__name__)
