"""Pooling as modules; they take quantized tensors, too."""

from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.nn import functional as F
from refquant.nn.module import Module
from refquant.ops.floating import windows
from refquant.tensors import Tensor

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
]


class _Pool(Module):
    """What modules of windows share; they keep, and show, the window as it was given."""

    _spatial = 2

    def _take_window(self, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1) -> None:
        kernel = windows.per_dimension("kernel_size", kernel_size, self._spatial, 1)
        windows.strides(stride, kernel)
        windows.per_dimension("padding", padding, self._spatial, 0)
        windows.per_dimension("dilation", dilation, self._spatial, 1)
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride


class _MaxPool(_Pool):
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
        self._take_window(kernel_size, stride, padding, dilation)
        self.dilation = dilation
        self.return_indices = arguments.switch("return_indices", return_indices)
        self.ceil_mode = arguments.flag("ceil_mode", ceil_mode)

    def forward(self, input: Tensor) -> Tensor:
        """Pool `input`."""
        pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[self._spatial - 1]
        return pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MaxPool1d(_MaxPool):
    """Find the largest element of every window of a sequence.

    %(max_pool)s

    %(example)s
    >>> refquant.nn.MaxPool1d(2)(refquant.arange(4.0).reshape(1, 4))
    tensor([[1., 3.]])
    """

    _spatial = 1


class MaxPool2d(_MaxPool):
    """Find the largest element of every window.

    %(max_pool)s

    %(example)s
    >>> refquant.nn.MaxPool2d(2)
    MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    """


class MaxPool3d(_MaxPool):
    """Find the largest element of every window of a volume.

    %(max_pool)s

    %(example)s
    >>> refquant.nn.MaxPool3d(2)(refquant.ones(1, 1, 4, 4, 4)).shape
    refquant.Size([1, 1, 2, 2, 2])
    """

    _spatial = 3


class AvgPool1d(_Pool):
    """Average every window of a sequence.

    %(window)s
    padding : int
        Border of zeros.
    %(counting)s

    %(example)s
    >>> refquant.nn.AvgPool1d(2)
    AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))
    """

    _spatial = 1
    _shown = ("kernel_size", "stride", "padding")

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self._take_window(kernel_size, stride, padding)
        for name in ("kernel_size", "stride", "padding"):  # which PyTorch shows as tuples
            setattr(self, name, windows.per_dimension(name, getattr(self, name), 1, 0))
        self.ceil_mode = arguments.flag("ceil_mode", ceil_mode)
        self.count_include_pad = arguments.flag("count_include_pad", count_include_pad)

    def forward(self, input: Tensor) -> Tensor:
        """Pool `input`."""
        window = self.kernel_size, self.stride, self.padding
        return F.avg_pool1d(input, *window, self.ceil_mode, self.count_include_pad)


class _AvgPool(_Pool):
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
        self._take_window(kernel_size, stride, padding)
        self.ceil_mode = arguments.flag("ceil_mode", ceil_mode)
        self.count_include_pad = arguments.flag("count_include_pad", count_include_pad)
        if divisor_override is not None:
            divisor_override = arguments.integer("divisor_override", divisor_override)
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """Pool `input`."""
        pool = F.avg_pool2d if self._spatial == 2 else F.avg_pool3d
        return pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool2d(_AvgPool):
    """Average every window.

    %(window)s
    padding : int or pair of int
        Border of zeros.
    %(counting)s
    divisor_override : int, optional
        What sums are divided by, instead of the count.

    %(example)s
    >>> refquant.nn.AvgPool2d(2)(refquant.arange(4).float().reshape(1, 1, 2, 2)).item()
    1.5
    """


class AvgPool3d(_AvgPool):
    """Average every window of a volume.

    %(window)s
    padding : int or triple of int
        Border of zeros.
    %(counting)s
    divisor_override : int, optional
        What sums are divided by, instead of the count.

    %(example)s
    >>> refquant.nn.AvgPool3d(2)(refquant.arange(8.0).reshape(1, 1, 2, 2, 2)).item()
    3.5
    """

    _spatial = 3


class _AdaptiveAvgPool(Module):
    _spatial = 2
    _shown = ("output_size",)

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        # Where it is None, the input has a size, for which 1 stands here.
        windows.adaptive_sizes(output_size, (1,) * self._spatial)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """Pool `input`."""
        pools = F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d
        return pools[self._spatial - 1](input, self.output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Average windows of a sequence so that it gets a given length.

    Parameters
    ----------
    output_size : int or None
        Length of the output; None keeps that of the input.

    %(example)s
    >>> refquant.nn.AdaptiveAvgPool1d(2)(refquant.arange(4.0).reshape(1, 4))
    tensor([[0.5000, 2.5000]])
    """

    _spatial = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Average windows that are chosen so that the output has a given size.

    Parameters
    ----------
    output_size : int or pair of int or None
        Size of the output; None keeps that of the input.

    %(example)s
    >>> refquant.nn.AdaptiveAvgPool2d(1)(refquant.ones(1, 2, 4, 4)).shape
    refquant.Size([1, 2, 1, 1])
    """


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Average windows of a volume so that it gets a given size.

    Parameters
    ----------
    output_size : int or triple of int or None
        Size of the output; None keeps that of the input.

    %(example)s
    >>> refquant.nn.AdaptiveAvgPool3d(1)(refquant.ones(1, 2, 4, 4, 4)).shape
    refquant.Size([1, 2, 1, 1, 1])
    """

    _spatial = 3


document(
    __name__,
    window="""
Parameters
----------
kernel_size : int or tuple of int
    Size of a window.
stride : int or tuple of int, optional
    Elements from window to window; `kernel_size` if not given.""",
    max_pool="""
%(window)s
padding : int or tuple of int
    Border that never wins.
dilation : int or tuple of int
    Elements from tap to tap of a window.
return_indices : bool
    Whether to tell where the largest elements are, too.
ceil_mode : bool
    Whether windows may reach over the end.""",
    counting="""
ceil_mode : bool
    Whether windows may reach over the end.
count_include_pad : bool
    Whether the zeros of the border count.""",
)
