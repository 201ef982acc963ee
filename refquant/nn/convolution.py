"""Convolutional layers."""

from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ArgumentError, NotSupportedError, ShapeError
from refquant.nn import functional as F
from refquant.nn.linear import reset_weight_and_bias
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.ops.floating.creation import empty
from refquant.ops.floating.windows import border, per_dimension
from refquant.tensors import Tensor

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
]


def channels(
    in_channels: Any, out_channels: Any, groups: Any, least: int = 0
) -> tuple[int, int, int]:
    """Check the counts of channels and groups, one by one."""
    return (
        arguments.integer("in_channels", in_channels, least),
        arguments.integer("out_channels", out_channels, least),
        arguments.integer("groups", groups, 1),
    )


def check_padding_mode(padding_mode: Any, *known: str) -> None:
    """Raise unless a border holds zeros, or what else is known."""
    if not isinstance(padding_mode, str) or padding_mode not in ("zeros", *known):
        raise NotSupportedError(
            argument="padding_mode",
            expected=" or ".join(map(repr, ("zeros", *known))),
            got=arguments.describe(padding_mode),
        )


def bordered(
    input: Any,
    padding: tuple[int, ...],
    padding_mode: str,
    behind: tuple[int, ...] | None = None,
) -> Any:
    """Put a border around a tensor, unless that is one of zeros, which convolutions make."""
    behind = padding if behind is None else behind
    if padding_mode == "zeros" or not any((*padding, *behind)):
        return input
    sizes = zip(reversed(padding), reversed(behind), strict=True)
    return F.pad(input, [size for pair in sizes for size in pair], padding_mode)


class _Convolution(Module):
    """Base class of convolutions with any number of spatial dimensions."""

    _ndim: int
    _function: Any
    _padding_modes: tuple[str, ...] = ("reflect", "replicate", "circular")
    transposed = False

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
    ) -> None:
        super().__init__()
        in_channels, out_channels, groups = channels(in_channels, out_channels, groups)
        if in_channels % groups or out_channels % groups:
            raise ArgumentError(
                argument="groups",
                got=groups,
                expected=f"a divisor of in_channels={in_channels} and out_channels={out_channels}",
            )
        check_padding_mode(padding_mode, *self._padding_modes)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.padding_mode = padding_mode
        for name, value in (
            ("kernel_size", kernel_size),
            ("stride", stride),
            ("dilation", dilation),
        ):
            setattr(self, name, per_dimension(name, value, self._ndim, 1))
        if isinstance(padding, str) and not self.transposed:
            border(padding, self.kernel_size, self.stride, self.dilation, ArgumentError)
            self.padding: Any = padding
        else:
            self.padding = per_dimension("padding", padding, self._ndim, 0)
        self.output_padding = (0,) * self._ndim
        has_bias = arguments.switch("bias", bias)
        first, second = in_channels, out_channels
        if not self.transposed:
            first, second = second, first
        shape = (first, second // groups, *self.kernel_size)
        self.weight = Parameter(empty(arguments.shape("the shape of the weight", shape)))
        self.register_parameter("bias", Parameter(empty(out_channels)) if has_bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new parameters."""
        reset_weight_and_bias(self)

    def _convolve(self, input, weight, bias):
        padding = self.padding
        if self.padding_mode != "zeros":
            before, behind = border(padding, self.kernel_size, self.stride, self.dilation)
            input, padding = bordered(input, before, self.padding_mode, behind), 0
        return type(self)._function(
            input, weight, bias, self.stride, padding, self.dilation, self.groups
        )

    def forward(self, input: Tensor) -> Tensor:
        """Convolve `input`."""
        return self._convolve(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Describe the geometry; what is usual is left out."""
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        if isinstance(self.padding, str) or any(self.padding):
            text += f", padding={self.padding}"
        if any(self.output_padding):
            text += f", output_padding={self.output_padding}"
        if any(d != 1 for d in self.dilation):
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class Conv1d(_Convolution):
    """Convolve sequences, shape (batch, channels, length); see `Conv2d`.

    %(convolution_parameters)s

    %(example)s
    >>> refquant.nn.Conv1d(3, 8, 5)(refquant.randn(2, 3, 9)).shape
    refquant.Size([2, 8, 5])
    """

    _ndim, _function = 1, staticmethod(F.conv1d)


class Conv2d(_Convolution):
    """Convolve images with filters.

    %(convolution_parameters)s

    Attributes
    ----------
    weight : Parameter, shape (out_channels, in_channels / groups, kh, kw)
    bias : Parameter, shape (out_channels,), or None

    %(example)s
    >>> refquant.nn.Conv2d(3, 8, 3, padding=1)
    Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """

    _ndim, _function = 2, staticmethod(F.conv2d)


class Conv3d(_Convolution):
    """Convolve volumes, shape (batch, channels, depth, height, width); see `Conv2d`.

    %(convolution_parameters)s

    %(example)s
    >>> refquant.nn.Conv3d(3, 8, 2)(refquant.randn(2, 3, 4, 4, 4)).shape
    refquant.Size([2, 8, 3, 3, 3])
    """

    _ndim, _function = 3, staticmethod(F.conv3d)


class _ConvTranspose(_Convolution):
    """Base class of transposed convolutions, whose arguments come in another order."""

    _padding_modes = ()
    transposed = True

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
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode,
        )  # fmt: skip
        self.output_padding = per_dimension("output_padding", output_padding, self._ndim, 0)

    def _convolve(self, input, weight, bias, output_size=None):
        behind = self.output_padding
        if output_size is not None:
            behind = self._behind(input, output_size)
        return type(self)._function(
            input, weight, bias, self.stride, self.padding, behind, self.groups, self.dilation
        )

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """Convolve `input`.

        Parameters
        ----------
        input : Tensor
            Of the shape (batch, in_channels, ...); the batch may be left out.
        output_size : sequence of int, optional
            Extents of the result, with or without those of batch and channels, in place of
            `output_padding`: those whose convolution has the extents of `input`.
        """
        return self._convolve(input, self.weight, self.bias, output_size)

    def _behind(self, input: Any, output_size: Any) -> tuple[int, ...]:
        """Return the output padding that leads to the extents that are wanted."""
        shape = tuple(arguments.instance("input", input, Tensor, "a tensor").shape)
        given = arguments.sequence("output_size", output_size, "a sequence of extents")
        wanted = tuple(arguments.integer("output_size", size) for size in given)
        spatial = self._ndim
        lead = len(shape) - spatial
        if lead not in (1, 2):
            raise ShapeError(
                argument="input",
                expected=f"of {spatial + 1} or {spatial + 2} dimensions",
                got=f"shape {shape}",
            )
        if len(wanted) not in (spatial, len(shape)):
            raise ShapeError(
                argument="output_size",
                expected=f"of {spatial} or {len(shape)} extents for an input of shape {shape}",
                got=f"{len(wanted)}",
            )
        wanted = wanted[-spatial:]
        least = tuple(
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                shape[lead:], self.stride, self.padding, self.dilation, self.kernel_size,
                strict=True,
            )
        )  # fmt: skip
        most = tuple(n + s - 1 for n, s in zip(least, self.stride, strict=True))
        if any(not a <= n <= b for a, n, b in zip(least, wanted, most, strict=True)):
            raise ArgumentError(
                argument="output_size", expected=f"from {least} to {most}", got=wanted
            )
        return tuple(n - a for n, a in zip(wanted, least, strict=True))


class ConvTranspose1d(_ConvTranspose):
    """Convolve sequences by the transposed map; see `ConvTranspose2d`.

    %(transposed_parameters)s

    %(example)s
    >>> refquant.nn.ConvTranspose1d(3, 8, 5)(refquant.randn(2, 3, 9)).shape
    refquant.Size([2, 8, 13])
    """

    _ndim, _function = 1, staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """Convolve images by the transposed map: filters are added up where they overlap.

    %(transposed_parameters)s

    %(example)s
    >>> refquant.nn.ConvTranspose2d(3, 8, 2, stride=2)
    ConvTranspose2d(3, 8, kernel_size=(2, 2), stride=(2, 2))
    """

    _ndim, _function = 2, staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """Convolve volumes by the transposed map; see `ConvTranspose2d`.

    %(transposed_parameters)s

    %(example)s
    >>> refquant.nn.ConvTranspose3d(3, 8, 2)(refquant.randn(2, 3, 4, 4, 4)).shape
    refquant.Size([2, 8, 5, 5, 5])
    """

    _ndim, _function = 3, staticmethod(F.conv_transpose3d)


document(__name__)
