"""Linear layers and convolutions with more than ReLU behind them, which oneDNN alone has."""

from typing import Any

from refquant import arguments, dtypes, engines
from refquant._documentation import document
from refquant._environment import enclose
from refquant.ops import checks
from refquant.ops.quantized.convolution import convolve_packed
from refquant.ops.quantized.convolution_prepack import packed_convolution
from refquant.ops.quantized.linear_layers import PackedLinear, quint8_input, run_linear
from refquant.ops.quantized.packed_convolution import PackedConvolution
from refquant.tensors import QuantizedTensor

__all__ = ["conv2d_add", "conv2d_add_relu", "linear_leaky_relu", "linear_tanh"]


def linear_leaky_relu(
    X: Any,
    W_prepack: PackedLinear,
    Y_scale_i: float,
    Y_zero_point_i: int,
    negative_slope: float,
) -> QuantizedTensor:
    r"""Compute `linear` and multiply negative results by a slope.

    .. math:: y = \sum_k s_x (x_k - z_x) \, s_w w_{nk} + b_n, \qquad
        q = \mathrm{clip}(\mathrm{round}(\max(y, 0) + a \min(y, 0)) / s_y + z_y)

    %(linear)s
    negative_slope : float
        :math:`a`.

    %(linear_result)s

    Examples
    --------
    >>> import refquant
    >>> quantized = refquant.ops.quantized
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.5, 0, refquant.qint8)
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[1.0, 3.0]]), 0.5, 0, refquant.quint8)
    >>> with refquant.engines.using("onednn"):
    ...     packed = quantized.linear_prepack(w, None)
    ...     quantized.linear_leaky_relu(x, packed, 0.5, 20, 0.1).dequantize()
    tensor([[-0.5000]])
    """
    engines.require("post_operations")
    slope = arguments.real("negative_slope", negative_slope)
    return run_linear(X, W_prepack, Y_scale_i, Y_zero_point_i, "leaky_relu", slope)


def linear_tanh(
    X: Any, W_prepack: PackedLinear, Y_scale_i: float, Y_zero_point_i: int
) -> QuantizedTensor:
    """Compute `linear` and the hyperbolic tangent of its result.

    %(linear)s

    %(linear_result)s

    Examples
    --------
    >>> import refquant
    >>> quantized = refquant.ops.quantized
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.5, 0, refquant.qint8)
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[1.0, 0.0]]), 0.5, 0, refquant.quint8)
    >>> with refquant.engines.using("onednn"):
    ...     packed = quantized.linear_prepack(w, None)
    ...     quantized.linear_tanh(x, packed, 2.0**-7, 128).dequantize()
    tensor([[0.7578]])
    """
    engines.require("post_operations")
    return run_linear(X, W_prepack, Y_scale_i, Y_zero_point_i, "tanh")


def run_addition(
    qx: Any, qaccum: Any, packed: PackedConvolution, scale: Any, zero_point: Any, relu: bool
) -> QuantizedTensor:
    """Check the arguments and compute `conv2d_add` or `conv2d_add_relu`."""
    engines.require("post_operations")
    packed = packed_convolution(packed, 2)
    packed.check_engine()
    x, addend = quint8_input("qx", qx), quint8_input("qaccum", qaccum)
    scale = checks.scale_value("output_scale", scale)
    zero_point = checks.zero_point_value("output_zero_point", zero_point, dtypes.quint8)
    return convolve_packed(packed, x, scale, zero_point, relu, addend)


def conv2d_add(
    qx: Any,
    qaccum: Any,
    packed_weight: PackedConvolution,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    r"""Compute `conv2d` and add a tensor to its result, before it is rounded.

    .. math:: q = \mathrm{clip}(\mathrm{round}((y + s_a (a - z_a)) / s_y) + z_y)

    %(convolution)s

    Notes
    -----
    PyTorch writes the result into `qaccum` and returns that; here it is a tensor of its own.

    %(images)s
    ...     quantized.conv2d_add(x, x, packed, 0.5, 0).dequantize().ravel()
    tensor([1.5000, 3.0000])
    """
    return run_addition(qx, qaccum, packed_weight, output_scale, output_zero_point, False)


def conv2d_add_relu(
    qx: Any,
    qaccum: Any,
    packed_weight: PackedConvolution,
    output_scale: float,
    output_zero_point: int,
) -> QuantizedTensor:
    """Compute `conv2d_add` and replace negative results by zero.

    %(convolution)s

    %(images)s
    ...     quantized.conv2d_add_relu(x, x, packed, 0.5, 0).dequantize().ravel()
    tensor([1.5000, 3.0000])
    """
    return run_addition(qx, qaccum, packed_weight, output_scale, output_zero_point, True)


_UNDER_ONEDNN = """
EngineError
    Unless the engine is ``onednn``, which packed the weight."""
document(
    __name__,
    linear="""
Parameters
----------
X : QuantizedTensor, shape (..., depth)
    quint8 or qint8, one scale, at least 2 dimensions.
%(packed_linear)s
Y_scale_i : float
    Scale of the output.
Y_zero_point_i : int
    Zero point of the output, in the range of its dtype.""",
    linear_result=f"""
Returns
-------
QuantizedTensor, shape (..., outputs)
    Of the dtype of `X`, row-major.

Raises
------
QuantizerError, DtypeError, ShapeError
    If `X` does not fit.
QuantizationParameterError
    If the quantizer of the output is not valid.{_UNDER_ONEDNN}""",
    convolution=f"""
Parameters
----------
qx : QuantizedTensor, shape (batch, channels, height, width)
    quint8, one scale, any memory format.
qaccum : QuantizedTensor, shape (batch, outputs, height, width)
    What is added: quint8, one scale, of the shape of the result.
packed_weight : PackedConvolution
    As `conv2d_prepack` returns it.
output_scale : float
    Scale of the output.
output_zero_point : int
    Zero point of the output, 0..255.

Returns
-------
QuantizedTensor, shape (batch, outputs, height, width)
    quint8, channels_last.

Raises
------
QuantizerError, DtypeError, ShapeError
    If `qx` or `qaccum` do not fit.
QuantizationParameterError
    If the quantizer of the output is not valid.{_UNDER_ONEDNN}""",
    images="""
Examples
--------
>>> import refquant
>>> quantized = refquant.ops.quantized
>>> w = refquant.quantize_per_tensor(refquant.ones(1, 1, 1, 1), 0.5, 0, refquant.qint8)
>>> x = refquant.tensor([[[[1.0, 2.0]]]])
>>> x = refquant.quantize_per_tensor(x * 0.75, 0.25, 0, refquant.quint8)
>>> with refquant.engines.using("onednn"):
...     packed = quantized.conv2d_prepack(w, None, 1, 0, 1, 1)""",
)
enclose(__name__)
