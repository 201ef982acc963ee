"""Linear layers with float input and output: dynamic quantization, and weights in float16."""

import math
from typing import Any

import numpy as np

from refquant import dtypes, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant._operation import warn
from refquant.arguments import flag
from refquant.engines.rules.quantize import AS_TENSORS
from refquant.errors import ArgumentTypeError, OperationError, ShapeError
from refquant.ops import checks
from refquant.ops.quantized.affine import quantize_array, rule_for
from refquant.ops.quantized.linear_layers import PackedLinear, as_rows
from refquant.ops.quantized.packing import PackedWeight, check_bias, copy_bias
from refquant.reference.operands import DynamicProduct
from refquant.tensors import Tensor

__all__ = [
    "PackedHalf",
    "check_range",
    "dynamic_product",
    "input_quantizer",
    "linear_dynamic",
    "linear_dynamic_fp16",
    "linear_dynamic_fp16_unpacked_weight",
    "linear_prepack_fp16",
    "linear_relu_dynamic",
    "linear_relu_dynamic_fp16",
    "linear_unpack_fp16",
    "multiply_rows",
    "packed_linear",
    "reduced_range",
]

LARGEST_HALF = np.float32(65504)


def check_range(argument: str, array: np.ndarray) -> tuple[float, float]:
    """Find the range of a row-major array, whose numbers have to be finite."""
    if not array.size:
        return 0.0, 0.0
    lower, upper = ends = kernels.min_max(array.reshape(-1)).tolist()
    if not (math.isfinite(lower) and math.isfinite(upper)):
        lower, upper = map(np.float32, ends)
        raise OperationError(
            argument=argument,
            expected="finite numbers, because their range is the quantizer's",
            got=f"a range of {lower} to {upper}",
        )
    return lower, upper


def input_quantizer(argument: str, x: np.ndarray, reduce_range: bool) -> tuple[float, int]:
    """Choose the quantizer of an input by its range, or raise if that is not finite."""
    lower, upper = check_range(argument, x)
    rule = rule_for("dynamic_qparams")
    return kernels.dynamic_qparams(lower, upper, 0, 127 if reduce_range else 255, rule)


def _input_split() -> tuple[str, Any]:
    """Return the step that quantizes inputs, and how it does."""
    step = "dynamic_quantize"
    split = rule_for(step, dtypes.quint8)
    if split is AS_TENSORS:
        step = "quantize_per_tensor"
        split = rule_for(step, dtypes.quint8)
    return step, split


def quantize_input(rows: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Quantize the input of a dynamic operation to quint8 as the engine does."""
    step, _ = _input_split()
    return quantize_array(rows, scale, zero_point, dtypes.quint8, step)


def reduced_range(packed: PackedWeight, reduce_range: Any) -> bool:
    """Return whether seven bits are quantized to; warn if the engine always takes all eight."""
    reduce_range = flag("reduce_range", reduce_range)
    if reduce_range and "dynamic_reduce_range" in packed.record.unsupported:
        reason = packed.record.unsupported["dynamic_reduce_range"]
        warn(f"engine {packed.engine!r} ignores reduce_range ({reason})")
        return False
    return reduce_range


def packed_linear(value: Any) -> PackedLinear:
    """Return the packed weight of a linear layer; raise for others, and for another engine's."""
    if not isinstance(value, PackedLinear):
        raise ArgumentTypeError(
            argument="W_prepack",
            expected="a packed weight",
            got=type(value).__name__,
            hint="make it with refquant.ops.quantized.linear_prepack(weight, bias)",
        )
    value.check_engine()
    return value


def _run(X: Any, packed: Any, reduce_range: bool, relu: bool) -> Tensor:
    engines.require("dynamic_linear")
    packed = packed_linear(packed)
    reduce_range = reduced_range(packed, reduce_range)
    x = checks.float32_tensor("X", X).array
    rows = as_rows(x, packed.kept_weight.array.shape[1])
    y = multiply_rows(rows, packed, input_quantizer("X", rows, reduce_range), relu)
    return Tensor(y if x.ndim == 2 else y.reshape(*x.shape[:-1], y.shape[1]))


def multiply_rows(
    rows: np.ndarray, packed: PackedLinear, quantizer: tuple[float, int], relu: bool
) -> np.ndarray:
    """Quantize a row-major matrix and multiply it by a packed weight."""
    q = quantize_input(rows, *quantizer)
    return kernels.linear_dynamic(
        q, quantizer, packed.operand, packed.biases, packed.relu_rule if relu else None,
        packed.rules.accumulate, packed.output_rule,
    )  # fmt: skip


def dynamic_product(packed: PackedLinear, reduce_range: bool) -> DynamicProduct:
    """Put together what `linear_dynamic` computes with, checked, for layers of many products."""
    engines.require("dynamic_linear")
    packed = packed_linear(packed)
    quant_max = 127 if reduced_range(packed, reduce_range) else 255
    return DynamicProduct(
        packed.operand, packed.biases, packed.rules.accumulate, packed.output_rule,
        rule_for("dynamic_qparams"), _input_split()[1], quant_max,
    )  # fmt: skip


def linear_dynamic(X: Any, W_prepack: PackedLinear, reduce_range: bool = False) -> Tensor:
    r"""Quantize the input by its own range, multiply by a packed weight, return real values.

    .. math:: y_{mn} = s_x s_{w,n} \sum_k (q_{mk} - z_x)(w_{nk} - z_{w,n}) + b_n

    The range is that of the whole input, widened to contain zero; the step
    ``dynamic_qparams`` of the engine makes a scale and zero point of it,
    ``dynamic_output`` says how the last line is rounded. No gradient is recorded.

    %(real_and_packed)s

    Notes
    -----
    Source: FBGEMM ``ReQuantizeForFloat`` and ``ChooseQuantizationParams``.

    Examples
    --------
    >>> import refquant
    >>> ops = refquant.ops.quantized
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.125, 0, refquant.qint8)
    >>> ops.linear_dynamic(refquant.tensor([[255.0, 0.0]]), ops.linear_prepack(w))
    tensor([[255.]])
    """
    return _run(X, W_prepack, reduce_range, False)


def linear_relu_dynamic(X: Any, W_prepack: PackedLinear, reduce_range: bool = False) -> Tensor:
    """Compute `linear_dynamic` and replace negative results by zero.

    %(real_and_packed)s

    %(from_ops)s
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.5, 0, refquant.qint8)
    >>> packed = quantized.linear_prepack(w, None)
    >>> quantized.linear_relu_dynamic(refquant.tensor([[1.0, 1.0]]), packed)
    tensor([[0.]])
    """
    return _run(X, W_prepack, reduce_range, True)


class PackedHalf:
    """Weight and bias of a linear layer whose weight is stored in float16.

    Attributes
    ----------
    kept_weight : ndarray of float16, shape (outputs, depth)
    kept_bias : Tensor or None
    operand : ndarray of float32, shape (depth, outputs)
        What the kernel takes.
    """

    __slots__ = ("kept_bias", "kept_weight", "operand")

    def __init__(self, weight: np.ndarray, bias: Tensor | None):
        self.kept_weight, self.kept_bias = weight, bias
        self.operand = np.ascontiguousarray(weight.T.astype(np.float32))

    def __deepcopy__(self, memo):
        return self

    def unpack(self) -> tuple[Tensor, Tensor | None]:
        """Copy weight (as float32) and bias out."""
        return Tensor(self.kept_weight.astype(np.float32)), copy_bias(self.kept_bias)

    def bias(self) -> Tensor | None:
        """Copy the bias out; None if there is none."""
        return copy_bias(self.kept_bias)


def linear_prepack_fp16(W: Any, B: Any = None) -> PackedHalf:
    """Round a weight to float16; what it cannot hold saturates at 65504.

    Parameters
    ----------
    W : Tensor, shape (outputs, depth)
        float32; copied.
    B : Tensor, shape (outputs,), optional
        Bias, float32; copied.

    Returns
    -------
    PackedHalf
        For `linear_dynamic_fp16`.

    Raises
    ------
    EngineError
        If the engine has no such operation.

    %(packed_half)s
    >>> quantized.linear_unpack_fp16(packed)[0]
    tensor([[ 1., -2.]])
    """
    engines.require("float16_linear")
    return _packed_half("W", W, B)


def _packed_half(weight_name: str, weight: Any, bias: Any) -> PackedHalf:
    array = checks.float32_tensor(weight_name, weight).array
    if array.ndim != 2:
        raise ShapeError(
            argument=weight_name, expected="of 2 dimensions", got=f"shape {array.shape}"
        )
    bias = copy_bias(check_bias(bias, array.shape[0]))
    return PackedHalf(np.clip(array, -LARGEST_HALF, LARGEST_HALF).astype(np.float16), bias)


def _half(value: Any) -> PackedHalf:
    if isinstance(value, PackedHalf):
        return value
    raise ArgumentTypeError(
        argument="W_prepack",
        expected="a weight in float16",
        got=type(value).__name__,
        hint="make it with refquant.ops.quantized.linear_prepack_fp16(weight, bias)",
    )


def linear_unpack_fp16(W_prepack: PackedHalf) -> tuple[Tensor, Tensor | None]:
    """Copy weight (as float32) and bias out of a packed weight.

    Parameters
    ----------
    W_prepack : PackedHalf
        As `linear_prepack_fp16` returns it.

    Returns
    -------
    weight : Tensor, shape (outputs, depth)
        float32 numbers that float16 holds.
    bias : Tensor, shape (outputs,), or None

    %(packed_half)s
    >>> weight, bias = quantized.linear_unpack_fp16(packed)
    >>> weight
    tensor([[ 1., -2.]])
    """
    return _half(W_prepack).unpack()


def _run_half(X: Any, packed: PackedHalf, relu: bool) -> Tensor:
    x = checks.float32_tensor("X", X).array
    rows = as_rows(x, packed.kept_weight.shape[1])
    bias = None if packed.kept_bias is None else np.ascontiguousarray(packed.kept_bias.array)
    y = kernels.linear_half(rows, packed.operand, bias, relu)
    return Tensor(y.reshape(*x.shape[:-1], y.shape[1]))


def linear_dynamic_fp16(X: Any, W_prepack: PackedHalf) -> Tensor:
    """Multiply float32 by a weight stored in float16, :math:`y = x w^T + b` in float32.

    Products are added in the order of `refquant.reference.matmul.linear_half`, each with one
    rounding, so the result is the same on every machine.

    %(real_and_half)s

    %(packed_half)s
    >>> quantized.linear_dynamic_fp16(refquant.tensor([[1.0, 1.0]]), packed)
    tensor([[-1.]])
    """
    packed = _half(W_prepack)
    engines.require("float16_linear")
    return _run_half(X, packed, False)


def linear_relu_dynamic_fp16(X: Any, W_prepack: PackedHalf) -> Tensor:
    """Compute `linear_dynamic_fp16` and replace negative results by zero.

    %(real_and_half)s

    %(packed_half)s
    >>> quantized.linear_relu_dynamic_fp16(refquant.tensor([[1.0, 1.0]]), packed)
    tensor([[0.]])
    """
    packed = _half(W_prepack)
    engines.require("float16_linear")
    return _run_half(X, packed, True)


def linear_dynamic_fp16_unpacked_weight(X: Any, weight: Any, bias: Any = None) -> Tensor:
    """Round a weight to float16 and compute `linear_dynamic_fp16`, under every engine.

    Parameters
    ----------
    X : Tensor, shape (..., depth)
        float32, at least 2 dimensions.
    weight : Tensor, shape (outputs, depth)
        float32.
    bias : Tensor, shape (outputs,), optional
        float32.

    Returns
    -------
    Tensor, shape (..., outputs)
        float32, row-major.

    Examples
    --------
    >>> import refquant
    >>> w = refquant.tensor([[1.0, 2.0**-30]])
    >>> ops = refquant.ops.quantized
    >>> ops.linear_dynamic_fp16_unpacked_weight(refquant.tensor([[3.0, 2.0**30]]), w, None)
    tensor([[3.]])
    """
    return _run_half(X, _packed_half("weight", weight, bias), False)


document(
    __name__,
    real_and_packed="""
Parameters
----------
X : Tensor, shape (..., depth)
    float32, finite, at least 2 dimensions.
%(packed_linear)s
reduce_range : bool, default False
    Choose the quantizer of the input for 0..127; it still clips at 255.

Returns
-------
Tensor, shape (..., outputs)
    float32, row-major.

Raises
------
DtypeError, ShapeError, OperationError
    If `X` does not fit.
EngineError
    If another engine packed the weight, or the engine has no such operation.

Warns
-----
UserWarning
    If the engine ignores `reduce_range`.""",
    real_and_half="""
Parameters
----------
X : Tensor, shape (..., depth)
    float32, at least 2 dimensions.
W_prepack : PackedHalf
    As `linear_prepack_fp16` returns it.

Returns
-------
Tensor, shape (..., outputs)
    float32, row-major.""",
    packed_half="""
%(from_ops)s
>>> packed = quantized.linear_prepack_fp16(refquant.tensor([[1.0, -2.0]]))""",
)
enclose(__name__)
