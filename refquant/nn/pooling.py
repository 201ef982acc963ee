"""Pooling and resizing as modules; they take quantized tensors, too."""

from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.nn import functional as F
from refquant.nn.module import Module
from refquant.ops.floating import windows
from refquant.tensors import Tensor

__all__ = [
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "MaxPool2d",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
]


def _check_window(kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1) -> None:
    """Raise unless these describe a window; they are kept, and shown, as they were given."""
    kernel = windows.per_dimension("kernel_size", kernel_size, 2, 1)
    windows.strides(stride, kernel)
    windows.per_dimension("padding", padding, 2, 0)
    windows.per_dimension("dilation", dilation, 2, 1)


class MaxPool2d(Module):
    """Find the largest element of every window.

    Parameters
    ----------
    kernel_size : int or pair of int
        Size of a window.
    stride : int or pair of int, optional
        Pixels from window to window; `kernel_size` if not given.
    padding : int or pair of int
        Border that never wins.
    dilation : int or pair of int
        Pixels from tap to tap of a window.
    return_indices : bool
        Whether to tell where the largest elements are, too.
    ceil_mode : bool
        Whether windows may reach over the end.

    %(example)s
    >>> refquant.nn.MaxPool2d(2)
    MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    """

    _shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        _check_window(kernel_size, stride, padding, dilation)
        self.kernel_size, self.padding, self.dilation = kernel_size, padding, dilation
        self.stride = kernel_size if stride is None else stride
        self.return_indices = arguments.switch("return_indices", return_indices)
        self.ceil_mode = arguments.flag("ceil_mode", ceil_mode)

    def forward(self, input: Tensor) -> Tensor:
        """Pool `input`."""
        return F.max_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class AvgPool2d(Module):
    """Average every window.

    Parameters
    ----------
    kernel_size : int or pair of int
        Size of a window.
    stride : int or pair of int, optional
        Pixels from window to window; `kernel_size` if not given.
    padding : int or pair of int
        Border of zeros.
    ceil_mode : bool
        Whether windows may reach over the end.
    count_include_pad : bool
        Whether the zeros of the border count.
    divisor_override : int, optional
        What sums are divided by, instead of the count.

    %(example)s
    >>> refquant.nn.AvgPool2d(2)(refquant.arange(4).float().reshape(1, 1, 2, 2)).item()
    1.5
    """

    _shown = ("kernel_size", "stride", "padding")

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        _check_window(kernel_size, stride, padding)
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride
        self.ceil_mode = arguments.flag("ceil_mode", ceil_mode)
        self.count_include_pad = arguments.flag("count_include_pad", count_include_pad)
        if divisor_override is not None:
            divisor_override = arguments.integer("divisor_override", divisor_override)
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """Pool `input`."""
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AdaptiveAvgPool2d(Module):
    """Average windows that are chosen so that the output has a given size.

    Parameters
    ----------
    output_size : int or pair of int or None
        Size of the output; None keeps that of the input.

    %(example)s
    >>> refquant.nn.AdaptiveAvgPool2d(1)(refquant.ones(1, 2, 4, 4)).shape
    refquant.Size([1, 2, 1, 1])
    """

    _shown = ("output_size",)

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        # Where it is None, the input has a size, for which 1 stands here.
        windows.adaptive_sizes(output_size, (1, 1))
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """Pool `input`."""
        return F.adaptive_avg_pool2d(input, self.output_size)


class Upsample(Module):
    """Resize to a size, or by a factor.

    Parameters
    ----------
    size : int or sequence of int, optional
        Spatial sizes of the output.
    scale_factor : float or sequence of float, optional
        Instead of `size`.
    mode : {'nearest', 'linear', 'bilinear', 'trilinear'}
        What to take: the pixel at the place, or a mix of those beside it.
    align_corners : bool, optional
        For the linear modes: whether the centers of the corner pixels stay in place.

    %(example)s
    >>> refquant.nn.Upsample(scale_factor=2)(refquant.ones(1, 1, 2, 2)).shape
    refquant.Size([1, 1, 4, 4])
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.size, self.mode, self.align_corners = size, mode, align_corners
        if isinstance(scale_factor, tuple | list):
            self.scale_factor: Any = tuple(arguments.real("scale_factor", f) for f in scale_factor)
        elif scale_factor is None:
            self.scale_factor = None
        else:
            self.scale_factor = arguments.real("scale_factor", scale_factor) or None

    def forward(self, input: Tensor) -> Tensor:
        """Resize `input`."""
        return F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners)

    def extra_repr(self) -> str:
        """Describe the sizes."""
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor!r}, mode={self.mode!r}"
        return f"size={self.size!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Resize images by nearest-neighbor interpolation; see `Upsample`.

    Parameters
    ----------
    size : int or tuple of int, optional
        The new extents.
    scale_factor : float or sequence of float, optional
        Factor of every extent, instead of a size.

    %(example)s
    >>> refquant.nn.UpsamplingNearest2d(scale_factor=2)(refquant.ones(1, 1, 2, 2)).shape
    refquant.Size([1, 1, 4, 4])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Resize images by bilinear interpolation with aligned corners; see `Upsample`.

    Parameters
    ----------
    size : int or tuple of int, optional
        The new extents.
    scale_factor : float or sequence of float, optional
        Factor of every extent, instead of a size.

    %(example)s
    >>> refquant.nn.UpsamplingBilinear2d(scale_factor=2)(refquant.ones(1, 1, 2, 2)).shape
    refquant.Size([1, 1, 4, 4])
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)


document(__name__)
