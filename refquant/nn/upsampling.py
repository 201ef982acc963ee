"""Resizing as modules; they take quantized tensors, too."""

from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.nn import functional as F
from refquant.nn.module import Module
from refquant.tensors import Tensor

__all__ = ["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]


class Upsample(Module):
    """Resize to a size, or by a factor.

    Parameters
    ----------
    size : int or sequence of int, optional
        Spatial sizes of the output.
    scale_factor : float or sequence of float, optional
        Instead of `size`.
    mode : {'nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear', 'area'}
        What to take: the pixel at the place, a mix of those beside it, or an average.
    align_corners : bool, optional
        For the linear modes: whether the centers of the corner pixels stay in place.
    recompute_scale_factor : bool, optional
        Whether places follow from the sizes that a factor led to, instead of from the factor.

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
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.recompute_scale_factor = arguments.flag_or_none(
            "recompute_scale_factor", recompute_scale_factor
        )
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
        target = self.size, self.scale_factor
        options = self.align_corners, self.recompute_scale_factor
        return F.interpolate(input, *target, self.mode, *options)

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
