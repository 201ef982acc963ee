"""Channels and pixels in other places, as modules; they take quantized tensors, too."""

from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.nn import functional as F
from refquant.nn.module import Module
from refquant.tensors import Tensor

__all__ = ["ChannelShuffle", "PixelShuffle", "PixelUnshuffle"]


class ChannelShuffle(Module):
    """Mix the channels of groups.

    Parameters
    ----------
    groups : int
        Parts into which the channels are cut.

    %(example)s
    >>> refquant.nn.ChannelShuffle(2)(refquant.arange(4).reshape(1, 4, 1, 1)).flatten()
    tensor([0, 2, 1, 3])
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = arguments.integer("groups", groups, 1)

    def forward(self, input: Tensor) -> Tensor:
        """Mix the channels of `input`."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """Describe the groups."""
        return f"groups={self.groups}"


class PixelShuffle(Module):
    """Turn channels into pixels.

    Parameters
    ----------
    upscale_factor : int
        How many times larger height and width become.

    %(example)s
    >>> refquant.nn.PixelShuffle(2)(refquant.ones(1, 4, 1, 1)).shape
    refquant.Size([1, 1, 2, 2])
    """

    _shown = ("upscale_factor",)

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = arguments.integer("upscale_factor", upscale_factor, 1)

    def forward(self, input: Any) -> Tensor:
        """Enlarge `input`."""
        return F.pixel_shuffle(input, self.upscale_factor)


class PixelUnshuffle(Module):
    """Turn pixels into channels.

    Parameters
    ----------
    downscale_factor : int
        How many times smaller height and width become.

    %(example)s
    >>> refquant.nn.PixelUnshuffle(2)(refquant.ones(1, 1, 2, 2)).shape
    refquant.Size([1, 4, 1, 1])
    """

    _shown = ("downscale_factor",)

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = arguments.integer("downscale_factor", downscale_factor, 1)

    def forward(self, input: Any) -> Tensor:
        """Reduce `input`."""
        return F.pixel_unshuffle(input, self.downscale_factor)


document(__name__)
