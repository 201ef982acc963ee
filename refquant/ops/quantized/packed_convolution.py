"""Packed weights of convolutions, transposed ones too, with their geometry."""

import math
from typing import Any, NamedTuple

import numpy as np

from refquant import arguments, dtypes, kernels
from refquant.engines import Convolution
from refquant.errors import ArgumentTypeError, OperationError, ShapeError
from refquant.ops import layout
from refquant.ops.quantized.packing import PackedWeight, copy_weight, prefers_panels
from refquant.reference.operands import Geometry, ProductRules, Weight
from refquant.tensors import QuantizedTensor

__all__ = ["PackedConvolution", "Window", "geometry"]

MOST = 2**31 - 1  # of every number of a geometry, so that sums of them fit 64 bits


class Window(NamedTuple):
    """The geometry of a convolution as it was given, one number for each dimension of the image.

    Attributes
    ----------
    stride, padding, dilation : tuple of int
    groups : int
    output_padding : tuple of int
        Of a transposed convolution; zeros of another.
    transposed : bool
    """

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    output_padding: tuple[int, ...]
    transposed: bool = False

    def extents(self, image: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[int, ...]:
        """Extents of the result, which are not positive if the filter does not fit."""
        rows = zip(
            image, kernel, self.stride, self.padding, self.dilation, self.output_padding,
            strict=True,
        )  # fmt: skip
        if self.transposed:
            return tuple((n - 1) * s - 2 * p + d * (k - 1) + o + 1 for n, k, s, p, d, o in rows)
        return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d, _ in rows)


class PackedConvolution(PackedWeight):
    """The packed weight of a convolution, with its geometry.

    Attributes
    ----------
    window : Window
        The geometry as it was given.
    depthwise : bool
        Whether the weight is packed by `refquant.reference.convolution.pack_depthwise`, and not by
        `refquant.reference.convolution.pack_filters`.
    geometry : Geometry
        Of the filter, along (depth, height, width); of a transposed convolution in the image that
        `refquant.reference.convolution.spread` makes.
    """

    __slots__ = ("_checked", "depthwise", "geometry", "window")

    def __init__(self, weight, bias, window: Window):
        outputs, self.window = weight.array.shape[0], window
        if window.transposed:
            outputs = weight.array.shape[1] * window.groups
        super().__init__(weight, bias, outputs)
        kernel, ones = weight.array.shape[2:], (1,) * len(window.stride)
        geometry = Geometry(kernel, window.stride, window.padding, window.dilation)
        if window.transposed:
            geometry = Geometry(kernel, ones, (0,) * len(ones), window.dilation)
        if len(ones) == 2:  # an image of two dimensions has a depth of 1
            geometry = Geometry(
                *((first, *part) for first, part in zip((1, 1, 0, 1), geometry, strict=True))
            )
        self.geometry = geometry
        # The last image that was checked, and its result.
        self._checked: tuple[tuple[int, ...] | None, tuple[int, ...]] = None, ()
        filters = self.filters()
        depth = math.prod(filters.shape[1:])
        self.depthwise = window.groups > 1 and window.groups == outputs and filters.shape[-1] == 1
        if self.depthwise:
            packed, sums = kernels.pack_depthwise(filters, self.zero_points)
        elif prefers_panels(depth, outputs // window.groups, math.prod(filters.shape[1:4])):
            rows = filters.reshape(outputs, depth)
            packed, sums = kernels.pack_panels(rows, window.groups)
        else:
            packed, sums = kernels.pack_filters(filters, window.groups)
        self.operand = Weight(packed, sums, self.scales, self.zero_points)

    def filters(self) -> np.ndarray:
        """Lay out the filters channels last, with depth: outputs, kernel, channels of a group.

        Those of a transposed convolution are turned around: they meet the image as it is spread.
        """
        array = self.kept_weight.array
        if self.window.transposed:
            groups, (channels, outputs, *kernel) = self.window.groups, array.shape
            of_groups = array.reshape(groups, channels // groups, outputs, *kernel)
            array = of_groups.swapaxes(1, 2).reshape(groups * outputs, channels // groups, *kernel)
            array = np.flip(array, axis=tuple(range(2, array.ndim)))
        shape = (array.shape[0], *self.geometry.kernel, array.shape[1])
        return np.ascontiguousarray(layout.with_channels_last(array).reshape(shape))

    def convolution(self) -> Convolution:
        """Describe the convolution; `rules_of` tells more of transposed ones."""
        window, (outputs, *_) = self.window, self.scales.shape
        return Convolution(
            window.stride,
            window.dilation,
            window.groups,
            self.channels // window.groups,
            outputs // window.groups,
            window.transposed,
            output_padding=any(window.output_padding),
            symmetric=not self.zero_points.any(),
            kernel=self.kept_weight.array.shape[2:],
            padding=window.padding,
        )

    def rules_of(self, sizes: tuple[int, ...]) -> ProductRules:
        """Look up what the engine does for extents of the result."""
        if not self.window.transposed:
            return self.rules
        divisible = not any(n % s for n, s in zip(sizes, self.window.stride, strict=True))
        return self.rules_for(dtypes.quint8, self.convolution()._replace(divisible=divisible))

    @property
    def channels(self) -> int:
        """How many channels an image has."""
        shape = self.kept_weight.array.shape
        return shape[0] if self.window.transposed else shape[1] * self.window.groups

    def check_image(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the extents of the result for an image of a shape, or raise."""
        checked, sizes = self._checked
        if shape != checked:
            sizes = self._sizes_for(shape)
            self._checked = shape, sizes
        return sizes

    def _sizes_for(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        window, kernel = self.window, self.kept_weight.array.shape[2:]
        dims = len(window.stride)
        if len(shape) != dims + 2:
            raise ShapeError(
                argument="qx",
                expected=f"of {dims + 2} dimensions, {LETTERS[dims]}",
                got=f"{len(shape)} dimensions, shape {shape}",
            )
        if shape[1] != self.channels:
            raise ShapeError(
                argument="qx",
                expected=f"of {self.channels} channels (groups={window.groups}, weight of shape "
                f"{self.kept_weight.array.shape})",
                got=f"shape {shape}",
            )
        sizes = window.extents(shape[2:], kernel)
        for d in range(dims):
            if window.transposed and sizes[d] < 1:
                raise ShapeError(
                    argument="qx",
                    expected=f"long enough along dimension {d + 2} to leave something of the "
                    "result, which padding cuts off",
                    got=f"shape {shape} with padding {window.padding}",
                )
            reach = window.dilation[d] * (kernel[d] - 1) + 1
            if not window.transposed and shape[d + 2] + 2 * window.padding[d] < reach:
                raise ShapeError(
                    argument="qx",
                    expected=f"at least {reach} long with its padding along dimension {d + 2}, as "
                    "the filter is",
                    got=f"shape {shape} with padding {window.padding}",
                )
        framed = [n + 2 * p for n, p in zip(shape[2:], window.padding, strict=True)]
        if window.transposed:  # the image as it is spread
            framed = [
                n + d * (k - 1) for n, d, k in zip(sizes, window.dilation, kernel, strict=True)
            ]
        arguments.shape("the shape of qx with its padding", (*shape[:2], *framed))
        arguments.shape("the shape of the output", (shape[0], len(self.scales), *sizes))
        return sizes

    # -- the methods of PyTorch's packed parameters ------------------------------------------------

    def weight(self) -> QuantizedTensor:
        """Copy the weight out."""
        return copy_weight(self.kept_weight)

    def stride(self) -> list[int]:
        """List the step of the window along each dimension of the image."""
        return list(self.window.stride)

    def padding(self) -> list[int]:
        """List the width of the border along each dimension of the image."""
        return list(self.window.padding)

    def output_padding(self) -> list[int]:
        """List what is added behind, along each dimension of the image."""
        return list(self.window.output_padding)

    def dilation(self) -> list[int]:
        """List the distance of the taps along each dimension of the image."""
        return list(self.window.dilation)

    def groups(self) -> int:
        """Return the number of groups."""
        return self.window.groups

    def transpose(self) -> bool:
        """Tell whether the convolution is a transposed one."""
        return self.window.transposed


LETTERS = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}


def geometry(argument: str, value: Any, count: int, least: int) -> tuple[int, ...]:
    """Return an integer for each dimension of the image, or raise; one stands for all."""
    if argument == "padding" and isinstance(value, str):
        raise OperationError(
            argument=argument,
            expected="whole numbers for quantized convolutions",
            got=arguments.describe(value),
            hint="give the width of the border that it stands for",
        )
    values = tuple(value) if isinstance(value, list | tuple) else (value,) * count
    if len(values) != count:
        raise ArgumentTypeError(argument=argument, expected=f"one number or {count}", got=values)
    try:
        values = tuple(arguments.integer(argument, v, least) for v in values)
    except ArgumentTypeError:
        raise ArgumentTypeError(
            argument=argument,
            expected="whole numbers",
            got=arguments.describe(value),
            hint="write scale and zero_point of the output with their names, scale=...",
        ) from None
    for number in values:
        arguments.integer(argument, number, most=MOST)
    return values
