"""Functions of one quantized tensor that compute with the real numbers of its integers."""

import warnings
from typing import Any

from refquant import arguments, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant._operation import operation_name
from refquant.engines import Operands
from refquant.errors import ArgumentError, QuantizerError
from refquant.ops import checks, layout
from refquant.ops.registered import operation
from refquant.tensors import QuantizedTensor
from refquant.tensors.quantizer import LARGEST_SCALE

__all__ = ["celu", "elu", "leaky_relu"]

_STEPS = ("elementwise_quantize", "elementwise_dequantize")


def finite(argument: str, value: Any) -> float:
    """Return a number whose float32 is finite, or raise."""
    number = arguments.real(argument, value)
    if not abs(number) < LARGEST_SCALE:
        raise ArgumentError(
            argument=argument, expected="a number whose float32 is finite", got=number
        )
    return number


def rules_of(q: QuantizedTensor, *steps: str) -> tuple[Any, ...]:
    """Look up what the engine does in some steps for operands of a dtype; its record keeps that."""
    record, key = engines.current(), (q.dtype, steps)
    rules = record.plans.get(key)
    if rules is None:
        operands = Operands(q.dtype)
        rules = record.plans[key] = tuple(record.rule(step, operands) for step in steps)
    return rules


@operation("codes", *_STEPS, output_scale=0.04, output_zero_point=30)
def elu(
    self: Any,
    output_scale: float,
    output_zero_point: int,
    alpha: float = 1.0,
    scale: float = 1.0,
    input_scale: float = 1.0,
) -> QuantizedTensor:
    r"""Apply the exponential linear unit: negative numbers approach :math:`-\alpha`.

    .. math:: y = f \cdot \begin{cases} x & x > 0 \\ \alpha (e^{g x} - 1) & x \le 0 \end{cases}

    with :math:`x = s (q - z)`, every product rounded to float32, and quantized with the parameters
    given. The engine's record names the rules: steps ``elementwise_dequantize``, ``exponential``
    and ``elementwise_quantize``; whole vectors and the rest follow different ones.

    Parameters
    ----------
    self : QuantizedTensor
        Quantized per tensor, any shape and layout.
    %(output_quantizer)s
    alpha : float, default 1
        :math:`\alpha`: far negative numbers become :math:`-\alpha`.
    scale, input_scale : float, default 1
        Factors :math:`f` of the result and :math:`g` of the exponent. They are part of the
        function, not of a quantizer.

    Returns
    -------
    QuantizedTensor
        Of the dtype of `self`, row-major whatever the memory format of `self`.

    Raises
    ------
    QuantizerError
        If `self` is not quantized per tensor.
    QuantizationParameterError
        If `output_scale` or `output_zero_point` is not valid.
    ArgumentTypeError, ArgumentError
        If one of the other arguments is not a finite number.

    Notes
    -----
    Source: ATen ``qelu_kernel``. In vectors :math:`e^x - 1` is computed with float32 alone, and
    its last bit decides where far negative numbers lie on a tie, such as :math:`-1` with an
    output scale of 2/3. Elements beside whole vectors are rounded correctly; the C library that
    PyTorch calls for them may err by the last bit. PyTorch 1.4 has no such operation: its engines
    here dequantize and quantize as they do in their other element-wise operations.

    %(one_and_less)s
    >>> refquant.ops.quantized.elu(x, 0.125, 8).dequantize()
    tensor([ 1.0000, -0.8750])
    """
    q = checks.quantized_per_tensor("self", self)
    factors = [
        finite(name, value)
        for name, value in (("alpha", alpha), ("scale", scale), ("input_scale", input_scale))
    ]
    return _exponential(q, output_scale, output_zero_point, factors)


def _exponential(q: QuantizedTensor, output_scale: Any, output_zero_point: Any, factors):
    made = checks.scale_value("output_scale", output_scale)
    zero_point = checks.zero_point_value("output_zero_point", output_zero_point, q.dtype)
    dequantize, exponential, quantize = rules_of(
        q, "elementwise_dequantize", "exponential", "elementwise_quantize"
    )
    flat, run, vectors = layout.row_major(q.array)
    vector_length = layout.vector_length(run, dequantize.block) if vectors else 0
    result = kernels.elu(
        flat, (q.scale, q.zero_point),
        (made, zero_point, q.dtype.quant_min, q.dtype.quant_max), tuple(factors),
        (run, vector_length), dequantize, exponential, quantize,
    )  # fmt: skip
    return QuantizedTensor._unchecked(result.reshape(q.array.shape), q.dtype, made, zero_point)


@operation("codes", *_STEPS, output_scale=0.04, output_zero_point=30)
def celu(
    self: Any, output_scale: float, output_zero_point: int, alpha: float = 1.0
) -> QuantizedTensor:
    r"""Apply the exponential linear unit whose slope is 1 at zero, whatever its limit.

    .. math:: y = \begin{cases} x & x > 0 \\ \alpha (e^{x / \alpha} - 1) & x \le 0 \end{cases}

    It is `elu` with an `input_scale` of :math:`1 / \alpha`.

    Parameters
    ----------
    self : QuantizedTensor
        Quantized per tensor, any shape and layout.
    %(output_quantizer)s
    alpha : float, default 1
        :math:`\alpha`: far negative numbers become :math:`-\alpha`. Not 0.

    Returns
    -------
    QuantizedTensor
        Of the dtype of `self`, row-major whatever the memory format of `self`.

    Raises
    ------
    QuantizerError
        If `self` is not quantized per tensor.
    QuantizationParameterError
        If `output_scale` or `output_zero_point` is not valid.
    ArgumentTypeError, ArgumentError
        If `alpha` is not a finite number, or 0.

    Notes
    -----
    Source: ATen ``quantized_celu``, which calls ``qelu_kernel``.

    %(one_and_less)s
    >>> refquant.ops.quantized.celu(x, 0.125, 16, 2.0).dequantize()
    tensor([ 1.0000, -1.2500])
    """
    q = checks.quantized_per_tensor("self", self)
    limit = finite("alpha", alpha)
    if limit == 0 or not abs(1 / limit) < LARGEST_SCALE:
        raise ArgumentError(
            argument="alpha", expected="a number whose reciprocal is finite", got=limit
        )
    return _exponential(q, output_scale, output_zero_point, (limit, 1.0, 1 / limit))


@operation(
    "codes", *_STEPS, negative_slope=0.1, inplace=False, output_scale=0.04, output_zero_point=30
)
def leaky_relu(
    qx: Any, negative_slope: float, inplace: bool, output_scale: float, output_zero_point: int
) -> QuantizedTensor:
    r"""Apply the leaky rectified linear unit: negative numbers are multiplied by a slope.

    .. math:: y = \begin{cases} x & x > 0 \\ c x & x \le 0 \end{cases}

    with :math:`x = s (q - z)`, the product rounded to float32, and quantized with the parameters
    given. The engine's record names the rules: steps ``elementwise_dequantize`` and
    ``elementwise_quantize``; whole vectors and the rest follow different ones.

    Parameters
    ----------
    qx : QuantizedTensor
        Quantized per tensor, any shape and layout.
    negative_slope : float
        The slope c.
    inplace : bool
        Without effect, as in PyTorch: the parameters of `qx` are others.
    %(output_quantizer)s

    Returns
    -------
    QuantizedTensor
        Of the dtype and memory format of `qx`.

    Raises
    ------
    QuantizerError
        If `qx` is not quantized per tensor.
    QuantizationParameterError
        If `output_scale` or `output_zero_point` is not valid.
    ArgumentTypeError, ArgumentError
        If one of the other arguments is not a finite number or not a bool.

    Warns
    -----
    UserWarning
        If `inplace` is True.

    Notes
    -----
    Source: ATen ``qleaky_relu_kernel``, which QNNPACK of PyTorch 2.13 uses too. PyTorch 1.4 has no
    such operation: its engines here dequantize and quantize as in their other element-wise
    operations. `refquant.nn.functional.leaky_relu` keeps the parameters of its operand.

    %(one_and_less)s
    >>> refquant.ops.quantized.leaky_relu(x, 0.25, False, 0.125, 8).dequantize()
    tensor([ 1.0000, -0.5000])
    """
    q = checks.quantized_per_tensor("qx", qx)
    if arguments.flag("inplace", inplace):
        warnings.warn(
            f"{operation_name()}: the result is a new tensor, although inplace is True",
            stacklevel=2,
        )
    scale = checks.scale_value("output_scale", output_scale)
    zero_point = checks.zero_point_value("output_zero_point", output_zero_point, q.dtype)
    return _with_slope(q, negative_slope, scale, zero_point)


def _with_slope(q: QuantizedTensor, slope: float, scale: float, zero_point: int):
    flat, memory_format = layout.flatten(q.array)
    result = _sloped(q, slope, (scale, zero_point), flat, flat.size, True)
    restored = layout.restore(result, q.array.shape, memory_format)
    return QuantizedTensor._unchecked(restored, q.dtype, scale, zero_point)


def leaky_relu_row_major(q: QuantizedTensor, slope: float, scale: float, zero_point: int):
    """Apply as the function with given parameters does, whose result is always row-major."""
    quantizer = (
        checks.scale_value("scale", scale),
        checks.zero_point_value("zero_point", zero_point, q.dtype),
    )
    result = _sloped(q, slope, quantizer, *layout.row_major(q.array))
    return QuantizedTensor._unchecked(result.reshape(q.array.shape), q.dtype, *quantizer)


def _sloped(q: QuantizedTensor, slope: float, quantizer, flat, run: int, vectors: bool):
    dequantize, quantize = rules_of(q, "elementwise_dequantize", "elementwise_quantize")
    output = (*quantizer, q.dtype.quant_min, q.dtype.quant_max)
    runs = run, layout.vector_length(run, dequantize.block) if vectors else 0
    return kernels.leaky_relu(
        flat, (q.scale, q.zero_point), output, finite("negative_slope", slope), runs,
        dequantize, quantize,
    )  # fmt: skip


def _leaky_relu(input: Any, negative_slope: float = 0.01) -> QuantizedTensor:
    q = checks.quantized_per_tensor("input", input)
    return _with_slope(q, negative_slope, q.scale, q.zero_point)


def _leaky_relu_(input: Any, negative_slope: float = 0.01) -> QuantizedTensor:
    q = checks.quantized_per_tensor("input", input)
    stored = layout.as_stored(q.array)
    result = _sloped(q, negative_slope, (q.scale, q.zero_point), *layout.row_major(stored))
    stored[...] = result.reshape(stored.shape)
    return q


def _needs_quantizer(call: str) -> Any:
    """Make the quantized form of a function whose result needs parameters: it rejects."""

    def reject(input: QuantizedTensor, *arguments, **keywords) -> QuantizedTensor:
        raise QuantizerError(
            argument="input",
            expected="a plain tensor",
            got=f"a {input.dtype} tensor",
            hint=f"write refquant.{call}, with the scale and zero point of the result, or call "
            ".dequantize() first",
        )

    return reject


_elu = _needs_quantizer("nn.quantized.functional.elu(input, scale, zero_point, alpha)")
_celu = _needs_quantizer("nn.quantized.functional.celu(input, scale, zero_point, alpha)")

# What functions of plain tensors do with quantized ones.
FORMS: dict[str, Any] = {
    "elu": _elu,
    "elu_": _elu,
    "celu": _celu,
    "celu_": _celu,
    "hardswish": _needs_quantizer("nn.quantized.functional.hardswish(input, scale, zero_point)"),
    "softmax": _needs_quantizer("ops.quantized.softmax(input, dim, scale, zero_point)"),
    "leaky_relu": _leaky_relu,
    "leaky_relu_": _leaky_relu_,
}
document(__name__)
enclose(__name__)
