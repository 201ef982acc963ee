"""Linear layers on quantized tensors."""

from typing import Any

import numpy as np

from refquant import dtypes, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import ArgumentTypeError, DtypeError, ShapeError
from refquant.ops import checks
from refquant.ops.quantized.packing import (
    PackedLinear,
    check_bias,
    check_weight,
)
from refquant.reference.operands import FUNCTIONS, PostOps
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "as_rows",
    "linear",
    "linear_prepack",
    "linear_relu",
    "linear_unpack",
    "pack_linear",
    "quint8_input",
    "run_linear",
]


SIGN = np.uint8(128)  # the bit in which int8 and what is 128 more differ
# What is done with real results, where there are no numbers to it.
AFTER = {name: PostOps(name) for name in FUNCTIONS}


def pack_linear(weight: Any, bias: Any) -> PackedLinear:
    """Check and pack a weight and bias, which stay unchanged as long as the packed weight lives."""
    weight = check_weight(weight, 2)
    return PackedLinear(weight, check_bias(bias, weight.array.shape[0]))


def linear_prepack(W: Any, B: Any = None) -> PackedLinear:
    """Pack the weight and bias of a linear layer for the engine that is chosen.

    Parameters
    ----------
    W : QuantizedTensor, shape (outputs, depth)
        qint8, quantized per tensor or along axis 0; copied.
    B : Tensor, shape (outputs,), optional
        Bias in real units, float32; copied.

    Returns
    -------
    PackedLinear
        For `linear`, `linear_relu`, `linear_dynamic` and `linear_relu_dynamic`.

    Raises
    ------
    DtypeError, ShapeError, QuantizerError
        If weight or bias do not fit.
    EngineError
        If the engine has no weights per channel.

    Examples
    --------
    >>> import refquant
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.1, 0, refquant.qint8)
    >>> packed = refquant.ops.quantized.linear_prepack(w, refquant.tensor([0.5]))
    >>> refquant.ops.quantized.linear_unpack(packed)[1]
    tensor([0.5000])
    """
    packed = pack_linear(W, B)
    packed.keep_copies()
    return packed


def _packed(value: Any) -> PackedLinear:
    if isinstance(value, PackedLinear):
        return value
    raise ArgumentTypeError(
        argument="W_prepack",
        expected="a packed weight",
        got=type(value).__name__,
        hint="make it with refquant.ops.quantized.linear_prepack(weight, bias)",
    )


def linear_unpack(W_prepack: PackedLinear) -> tuple[QuantizedTensor, Tensor | None]:
    """Copy weight and bias out of a packed weight.

    Parameters
    ----------
    %(packed_linear)s

    Returns
    -------
    weight : QuantizedTensor, shape (outputs, depth)
    bias : Tensor, shape (outputs,), or None

    %(packed)s
    >>> weight, bias = quantized.linear_unpack(packed)
    >>> weight.dequantize()
    tensor([[ 1., -2.]])
    """
    return _packed(W_prepack).unpack()


def as_rows(array: np.ndarray, depth: int) -> np.ndarray:
    """View an input as a contiguous matrix of rows to multiply."""
    if array.ndim < 2:
        raise ShapeError(
            argument="X",
            expected="of at least 2 dimensions",
            got=f"shape {array.shape}",
            hint="add a dimension for the batch with unsqueeze(0)",
        )
    if array.shape[-1] != depth:
        raise ShapeError(
            argument="X",
            expected=f"of shape (..., {depth}), the depth of the weight",
            got=f"shape {array.shape}",
        )
    if array.ndim != 2:
        array = array.reshape(int(np.prod(array.shape[:-1])), depth)
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def _activations(value: Any) -> QuantizedTensor:
    """Return a tensor that is quint8, or qint8 if the engine takes that, or raise."""
    tensor = checks.quantized_per_tensor("X", value)
    taken = "qint8_activations" not in engines.current().unsupported
    if tensor.dtype is dtypes.qint8 and taken:
        return tensor
    return quint8_input("X", tensor)


def quint8_input(argument: str, value: Any) -> QuantizedTensor:
    """Return a quint8 tensor quantized per tensor, or raise."""
    tensor = checks.quantized_per_tensor(argument, value)
    if tensor.dtype is not dtypes.quint8:
        raise DtypeError(
            argument=argument,
            expected="a quint8 tensor",
            got=f"a {tensor.dtype} tensor",
            hint="quantize activations with dtype=refquant.quint8",
        )
    return tensor


def run_linear(
    X, packed: PackedLinear, scale, zero_point, function: str = "", slope: float = 0.0
) -> QuantizedTensor:
    """Check the arguments and compute a linear layer and a function of its real result."""
    packed = _packed(packed)
    packed.check_engine()
    x = _activations(X)
    dtype, array, input_zero_point, rules = x.dtype, x.array, x.zero_point, packed.rules
    scale = checks.scale_value("Y_scale_i", scale)
    zero_point = checks.zero_point_value("Y_zero_point_i", zero_point, dtype)
    packed.check_multiplier(x.scale, scale)
    rows = as_rows(array, packed.kept_weight.array.shape[1])
    if dtype is dtypes.qint8:  # kernels take bytes: 128 more, as the zero point is
        rows, input_zero_point = rows.view(np.uint8) ^ SIGN, input_zero_point + 128
        rules = packed.rules_for(dtype, None)
    least = zero_point if function == "relu" else dtype.quant_min
    output = scale, zero_point, least, dtype.quant_max
    post = PostOps(function, slope) if slope else AFTER[function]
    q = kernels.linear(
        rows, (x.scale, input_zero_point), packed.operand, packed.biases, output, rules,
        post,
    )  # fmt: skip
    if array.ndim != 2:
        q = q.reshape(*array.shape[:-1], q.shape[1])
    return QuantizedTensor._unchecked(q.view(dtype.numpy), dtype, scale, zero_point)


def linear(
    X: Any, W_prepack: PackedLinear, Y_scale_i: float, Y_zero_point_i: int
) -> QuantizedTensor:
    r"""Multiply by a packed weight, add the bias and requantize.

    .. math::
        y = \sum_k s_x (x_k - z_x) \, s_w (w_{nk} - z_w) + b_n, \qquad
        q = \mathrm{clip}(\mathrm{round}(y / s_y) + z_y)

    The sum is exact. How bias, product of scales and rounding are formed is the engine's matter:
    step ``product`` of its record, or steps ``bias``, ``multiplier`` and ``requantize_sum``.

    %(product)s

    Notes
    -----
    Source: FBGEMM ``requantizeOutputProcessingAvx2`` and QNNPACK; see
    `refquant.engines.rules.requantize`.

    Examples
    --------
    >>> import refquant
    >>> ops = refquant.ops.quantized
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.1, 0, refquant.qint8)
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[3.0, 1.0]]), 0.05, 0, refquant.quint8)
    >>> ops.linear(x, ops.linear_prepack(w, refquant.tensor([0.5])), 0.1, 10).dequantize()
    tensor([[1.5000]])
    """
    return run_linear(X, W_prepack, Y_scale_i, Y_zero_point_i)


def linear_relu(
    X: Any, W_prepack: PackedLinear, Y_scale_i: float, Y_zero_point_i: int
) -> QuantizedTensor:
    """Compute `linear` and replace negative results by zero.

    %(product)s

    %(packed)s
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[1.0, 1.0]]), 0.5, 0, refquant.quint8)
    >>> quantized.linear_relu(x, packed, 0.5, 2).dequantize()
    tensor([[0.]])
    """
    return run_linear(X, W_prepack, Y_scale_i, Y_zero_point_i, "relu")


document(
    __name__,
    product="""
Parameters
----------
X : QuantizedTensor, shape (..., depth)
    quint8, under the engine ``onednn`` also qint8; one scale, at least 2 dimensions.
%(packed_linear)s
Y_scale_i : float
    Scale of the output.
Y_zero_point_i : int
    Zero point of the output, in the range of its dtype.

Returns
-------
QuantizedTensor, shape (..., outputs)
    Of the dtype of `X`, row-major.

Raises
------
QuantizerError, DtypeError, ShapeError
    If `X` does not fit.
EngineError
    If another engine packed the weight, or the engine cannot form the multiplier.
QuantizationParameterError
    If the quantizer of the output is not valid.""",
    packed="""
%(from_ops)s
>>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.5, 0, refquant.qint8)
>>> packed = quantized.linear_prepack(w, None)""",
)
enclose(__name__)
