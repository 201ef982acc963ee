"""Convolutions whose weights are quantized and dequantized."""

from typing import Any, Self

from refquant import arguments, nn
from refquant._documentation import document
from refquant.nn.module import Module
from refquant.nn.quantized.reference.rounding import PARTS, OneWeight, check_place
from refquant.tensors import Tensor

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]


class _Rounded(OneWeight):
    """Base class of all six."""

    _float: type
    _convolve: Any
    # In the order of the float constructor.
    _order: tuple[str, ...]

    def forward(self, x: Tensor) -> Tensor:
        """Round the weight and convolve `x`, which is float."""
        return self._convolve(x, self.get_weight(), self.bias)

    @classmethod
    def from_float(cls, float_conv: Module, weight_qparams: Any) -> Self:
        """Make a module from a float one, whose parameters it shares.

        Parameters
        ----------
        float_conv : Module
            The convolution.
        weight_qparams : mapping
            As of the constructor.
        """
        name = f"a {cls._float.__name__}"
        given: Any = arguments.instance("float_conv", float_conv, cls._float, name)
        settings = {part: getattr(given, part) for part in cls._order}
        settings["bias"] = given.bias is not None
        made: Any = cls
        return made(**settings, weight_qparams=weight_qparams)._share(given)


class _Convolution(_Rounded):
    _order = (
        "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups",
        "bias", "padding_mode",
    )  # fmt: skip

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        weight_qparams: Any = None,
    ) -> None:
        check_place(device, dtype)
        super().__init__(  # type: ignore[call-arg]  # the next class is the convolution
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode,
        )  # fmt: skip
        self._keep(weight_qparams)


class _ConvTranspose(_Rounded):
    _order = (
        "in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding",
        "groups", "bias", "dilation", "padding_mode",
    )  # fmt: skip

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        weight_qparams: Any = None,
    ) -> None:
        check_place(device, dtype)
        super().__init__(  # type: ignore[call-arg]  # the next class is the convolution
            in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias,
            dilation, padding_mode,
        )  # fmt: skip
        self._keep(weight_qparams)

    def forward(self, x: Tensor, output_size: Any = None) -> Tensor:
        """Round the weight and convolve `x`, which is float, to extents that may be given."""
        return self._convolve(x, self.get_weight(), self.bias, output_size)


class Conv1d(_Convolution, nn.Conv1d):
    """Convolve sequences with a weight that stands for integers, in float.

    Weights are quantized and dequantized at every call; input and output are float, see
    `refquant.nn.quantized.reference.Linear`.

    %(convolution_parameters)s
    %(reference_settings)s

    Attributes
    ----------
    weight, bias : Parameter
        Of `refquant.nn.Conv1d`.
    %(reference_attributes)s

    Examples
    --------
    >>> import refquant
    >>> module = refquant.nn.quantized.reference.Conv1d(3, 8, 2)
    >>> module(refquant.ones(2, 3, 6)).shape
    refquant.Size([2, 8, 5])
    """

    _float = nn.Conv1d


class Conv2d(_Convolution, nn.Conv2d):
    """Convolve images with a weight that stands for integers, in float.

    Weights are quantized and dequantized at every call; input and output are float, see
    `refquant.nn.quantized.reference.Linear`.

    %(convolution_parameters)s
    %(reference_settings)s

    Attributes
    ----------
    weight, bias : Parameter
        Of `refquant.nn.Conv2d`.
    %(reference_attributes)s

    Examples
    --------
    >>> import refquant
    >>> module = refquant.nn.quantized.reference.Conv2d(3, 8, 2)
    >>> module(refquant.ones(2, 3, 6, 6)).shape
    refquant.Size([2, 8, 5, 5])
    """

    _float = nn.Conv2d


class Conv3d(_Convolution, nn.Conv3d):
    """Convolve volumes with a weight that stands for integers, in float.

    Weights are quantized and dequantized at every call; input and output are float, see
    `refquant.nn.quantized.reference.Linear`.

    %(convolution_parameters)s
    %(reference_settings)s

    Attributes
    ----------
    weight, bias : Parameter
        Of `refquant.nn.Conv3d`.
    %(reference_attributes)s

    Examples
    --------
    >>> import refquant
    >>> module = refquant.nn.quantized.reference.Conv3d(3, 8, 2)
    >>> module(refquant.ones(2, 3, 6, 6, 6)).shape
    refquant.Size([2, 8, 5, 5, 5])
    """

    _float = nn.Conv3d


class ConvTranspose1d(_ConvTranspose, nn.ConvTranspose1d):
    """Convolve sequences by the transposed map of a weight that stands for integers, in float.

    Weights are quantized and dequantized at every call; input and output are float, see
    `refquant.nn.quantized.reference.Linear`.

    %(transposed_parameters)s
    %(reference_settings)s

    Attributes
    ----------
    weight, bias : Parameter
        Of `refquant.nn.ConvTranspose1d`.
    %(reference_attributes)s

    Examples
    --------
    >>> import refquant
    >>> module = refquant.nn.quantized.reference.ConvTranspose1d(3, 8, 2)
    >>> module(refquant.ones(2, 3, 6)).shape
    refquant.Size([2, 8, 7])
    """

    _float = nn.ConvTranspose1d


class ConvTranspose2d(_ConvTranspose, nn.ConvTranspose2d):
    """Convolve images by the transposed map of a weight that stands for integers, in float.

    Weights are quantized and dequantized at every call; input and output are float, see
    `refquant.nn.quantized.reference.Linear`.

    %(transposed_parameters)s
    %(reference_settings)s

    Attributes
    ----------
    weight, bias : Parameter
        Of `refquant.nn.ConvTranspose2d`.
    %(reference_attributes)s

    Examples
    --------
    >>> import refquant
    >>> module = refquant.nn.quantized.reference.ConvTranspose2d(3, 8, 2)
    >>> module(refquant.ones(2, 3, 6, 6)).shape
    refquant.Size([2, 8, 7, 7])
    """

    _float = nn.ConvTranspose2d


class ConvTranspose3d(_ConvTranspose, nn.ConvTranspose3d):
    """Convolve volumes by the transposed map of a weight that stands for integers, in float.

    Weights are quantized and dequantized at every call; input and output are float, see
    `refquant.nn.quantized.reference.Linear`.

    %(transposed_parameters)s
    %(reference_settings)s

    Attributes
    ----------
    weight, bias : Parameter
        Of `refquant.nn.ConvTranspose3d`.
    %(reference_attributes)s

    Examples
    --------
    >>> import refquant
    >>> module = refquant.nn.quantized.reference.ConvTranspose3d(3, 8, 2)
    >>> module(refquant.ones(2, 3, 6, 6, 6)).shape
    refquant.Size([2, 8, 7, 7, 7])
    """

    _float = nn.ConvTranspose3d


document(__name__, **PARTS)
