"""Linear layers with float input, which is quantized by parameters that are given."""

from typing import Any

from refquant import dtypes, engines
from refquant._documentation import document
from refquant._environment import enclose
from refquant.ops import checks
from refquant.ops.quantized.dynamic import multiply_rows, packed_linear
from refquant.ops.quantized.linear_layers import as_rows
from refquant.ops.quantized.packing import PackedLinear
from refquant.tensors import Tensor

__all__ = [
    "linear_with_input_q_dq_qweight_dq_output_fp32",
    "linear_with_input_q_dq_qweight_dq_relu_output_fp32",
]


def _run(X: Any, scale: Any, zero_point: Any, packed: Any, relu: bool) -> Tensor:
    engines.require("given_input")
    packed = packed_linear(packed)
    scale = checks.scale_value("X_scale", scale)
    zero_point = checks.zero_point_value("X_zero_point", zero_point, dtypes.quint8)
    x = checks.float32_tensor("X", X).array
    rows = as_rows(x, packed.kept_weight.array.shape[1])
    y = multiply_rows(rows, packed, (scale, zero_point), relu)
    return Tensor(y.reshape(*x.shape[:-1], y.shape[1]))


def linear_with_input_q_dq_qweight_dq_output_fp32(
    X: Any, X_scale: float, X_zero_point: int, W_prepack: PackedLinear
) -> Tensor:
    r"""Quantize the input to quint8, multiply by a packed weight, return real values.

    .. math:: y_{mn} = s_x s_{w,n} \sum_k (q_{mk} - z_x)(w_{nk} - z_{w,n}) + b_n, \qquad
        q = \mathrm{quantize}(x; s_x, z_x)

    It is `linear_dynamic` with parameters of the input that are known beforehand. No gradient is
    recorded.

    %(given_input)s

    Notes
    -----
    Source: ATen ``PackedLinearWeight::apply_with_input_q_dq_qweight_dq_output_fp32``.

    %(given_example)s
    >>> quantized.linear_with_input_q_dq_qweight_dq_output_fp32(x, 0.5, 10, packed)
    tensor([[-3.]])
    """
    return _run(X, X_scale, X_zero_point, W_prepack, False)


def linear_with_input_q_dq_qweight_dq_relu_output_fp32(
    X: Any, X_scale: float, X_zero_point: int, W_prepack: PackedLinear
) -> Tensor:
    """Compute `linear_with_input_q_dq_qweight_dq_output_fp32`; results below 0 become 0.

    %(given_input)s

    %(given_example)s
    >>> quantized.linear_with_input_q_dq_qweight_dq_relu_output_fp32(x, 0.5, 10, packed)
    tensor([[0.]])
    """
    return _run(X, X_scale, X_zero_point, W_prepack, True)


document(
    __name__,
    given_input="""
Parameters
----------
X : Tensor, shape (..., depth)
    float32, at least 2 dimensions.
X_scale : float
    Scale of the quantized input.
X_zero_point : int
    Zero point of the quantized input, 0 to 255.
%(packed_linear)s

Returns
-------
Tensor, shape (..., outputs)
    float32, row-major.

Raises
------
DtypeError, ShapeError
    If `X` does not fit.
QuantizationParameterError
    If `X_scale` or `X_zero_point` is not valid.
EngineError
    If another engine packed the weight, or the engine has no such operation.""",
    given_example="""
%(from_ops)s
>>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.5, 0, refquant.qint8)
>>> packed = quantized.linear_prepack(w, None)
>>> x = refquant.tensor([[1.2, 2.0]])""",
)
enclose(__name__)
