"""Quantized layers with more than ReLU behind them, which the engine ``onednn`` alone runs."""

from typing import Any, Self

from refquant import arguments, dtypes
from refquant._documentation import document
from refquant.errors import ArgumentError
from refquant.nn import intrinsic, quantized
from refquant.nn.module import Module
from refquant.nn.quantized.linear import stored_dtype
from refquant.ops.quantized.post_operations import linear_leaky_relu, linear_tanh, run_addition
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["ConvAdd2d", "ConvAddReLU2d", "LinearLeakyReLU", "LinearTanh"]


class ConvAdd2d(quantized.Conv2d):
    r"""A convolution of quantized images plus another tensor, :math:`x * w + b + a`.

    %(convolution)s

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.randn(1, 3, 5, 5), 0.1, 0, refquant.quint8)
    >>> with refquant.engines.using("onednn"):
    ...     m = refquant.nn.intrinsic.quantized.ConvAdd2d(3, 3, 1)
    ...     m(x, x).size()
    refquant.Size([1, 3, 5, 5])
    """

    _FLOAT_MODULE: type = intrinsic.ConvAdd2d

    def forward(self, input: Any, extra_input: Any) -> QuantizedTensor:  # type: ignore[override]
        """Compute the quint8 output for quint8 `input` and what is added."""
        images = self._bordered(input)
        return run_addition(
            images, extra_input, self._packed_params, self.scale, self.zero_point, self._relu
        )

    def _get_name(self) -> str:
        return "QuantizedConvAdd2d"


class ConvAddReLU2d(ConvAdd2d):
    r"""A convolution plus another tensor with ReLU, :math:`\max(x * w + b + a, 0)`.

    %(convolution)s

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.randn(1, 3, 5, 5), 0.1, 0, refquant.quint8)
    >>> with refquant.engines.using("onednn"):
    ...     m = refquant.nn.intrinsic.quantized.ConvAddReLU2d(3, 3, 1)
    ...     m(x, x).size()
    refquant.Size([1, 3, 5, 5])
    """

    _FLOAT_MODULE = intrinsic.ConvAddReLU2d
    _relu = True

    def _get_name(self) -> str:
        return "QuantizedConvAddReLU2d"


class LinearLeakyReLU(quantized.Linear):
    r"""A linear layer on quantized tensors with leaky ReLU.

    Parameters
    ----------
    in_features, out_features : int
        Length of the last dimension of input and output.
    negative_slope : float
        Factor of negative results.
    %(linear)s

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.randn(128, 20), 0.1, 0, refquant.quint8)
    >>> with refquant.engines.using("onednn"):
    ...     m = refquant.nn.intrinsic.quantized.LinearLeakyReLU(20, 30, 0.01)
    ...     m(x).size()
    refquant.Size([128, 30])
    """

    _FLOAT_MODULE = intrinsic.LinearLeakyReLU

    def __init__(
        self,
        in_features: int,
        out_features: int,
        negative_slope: float,
        bias: bool = True,
        dtype: Any = dtypes.qint8,
    ) -> None:
        stored_dtype(dtype)
        super().__init__(in_features, out_features, bias)
        self.negative_slope = arguments.real("negative_slope", negative_slope)

    def forward(self, x: Any) -> Tensor:
        """Compute the output of shape (..., out_features), of the dtype of `x`."""
        return linear_leaky_relu(x, self._packed, self.scale, self.zero_point, self.negative_slope)

    @classmethod
    def from_float(cls, mod: Module, use_precomputed_fake_quant: bool = False) -> Self:
        """Make a quantized layer from a fused pair that was prepared and has seen data.

        Parameters
        ----------
        mod : Module
            `refquant.nn.intrinsic.LinearLeakyReLU`.
        use_precomputed_fake_quant : bool, default False
            Without effect: the pair has no counterpart for quantization-aware training.
        """
        return cls._from_parts(
            mod,
            use_precomputed_fake_quant,
            *([mod[1].negative_slope] if type(mod) is cls._FLOAT_MODULE else []),
        )

    @classmethod
    def _more_settings(cls, mod: Any) -> tuple[Any, ...]:
        if type(mod) is not cls._FLOAT_MODULE:
            raise ArgumentError(
                argument="ref_qlinear",
                expected="a LinearLeakyReLU that begins with a reference module",
                got=type(mod).__name__,
            )
        return (mod[1].negative_slope,)

    def _get_name(self) -> str:
        return "QuantizedLinearLeakyReLU"


class LinearTanh(quantized.Linear):
    r"""A linear layer on quantized tensors with hyperbolic tangent, :math:`\tanh(x w^T + b)`.

    Parameters
    ----------
    in_features, out_features : int
        Length of the last dimension of input and output.
    %(linear)s

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.randn(128, 20), 0.1, 0, refquant.quint8)
    >>> with refquant.engines.using("onednn"):
    ...     m = refquant.nn.intrinsic.quantized.LinearTanh(20, 30)
    ...     m(x).size()
    refquant.Size([128, 30])
    """

    _FLOAT_MODULE = intrinsic.LinearTanh

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, dtype: Any = dtypes.qint8
    ) -> None:
        stored_dtype(dtype)
        super().__init__(in_features, out_features, bias)

    def forward(self, x: Any) -> Tensor:
        """Compute the output of shape (..., out_features), of the dtype of `x`."""
        return linear_tanh(x, self._packed, self.scale, self.zero_point)

    def _get_name(self) -> str:
        return "QuantizedLinearTanh"


document(
    __name__,
    convolution="""
Parameters
----------
in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
    As of `refquant.nn.quantized.Conv2d`, whose other attributes and methods it has too.""",
    linear="""
bias : bool, default True
    Whether there is a bias.
dtype : dtype, default qint8
    Of the weight; there is no other.

Notes
-----
Its other attributes and methods are those of `refquant.nn.quantized.Linear`.""",
)
