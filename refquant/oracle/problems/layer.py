"""What a linear layer or a convolution computes with, whatever interface it was described by."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refquant.engines import Convolution
from refquant.reference.convolution import gather, sum_groups
from refquant.reference.operands import Geometry

__all__ = ["Layer"]


@dataclass(frozen=True, eq=False)
class Layer:
    """Integers, quantizers and geometry of sums of products.

    Attributes
    ----------
    x : ndarray of integers
        Rows, shape (count, depth), or images, shape (batch, depth, height, width, channels).
    input_scale : float
        Scale of `x`.
    input_zero : int
        Zero point of `x`.
    filters : ndarray of integers, shape (groups, outputs of a group, length)
        Raw weights, in the order of the products.
    scales : ndarray of float64, shape (outputs,)
        Scale of the weight, for each output.
    zero_points : ndarray of int64, shape (outputs,)
        Zero point of the weight, for each output.
    biases : ndarray, shape (outputs,)
        The bias: float32 in real units, or integers in steps of the sums.
    has_bias : bool
        Whether there is one; otherwise `biases` are zeros.
    per_channel : bool
        Whether the weight was given a scale for each output.
    geometry : Geometry or None
        Where windows lie in images that have their border; None for rows.
    pads : tuple of (int, int)
        Width of the border before and behind the image, along each dimension.
    convolution : Convolution or None
        What conditions of engines ask about; None for rows.
    wide_sums : bool
        Whether the bias was given in 64 bits beside activations of 16, so that sums have as many.
    """

    x: np.ndarray
    input_scale: float
    input_zero: int
    filters: np.ndarray
    scales: np.ndarray
    zero_points: np.ndarray
    biases: np.ndarray
    has_bias: bool
    per_channel: bool
    geometry: Geometry | None = None
    pads: tuple[tuple[int, int], ...] = ()
    convolution: Convolution | None = None
    wide_sums: bool = False

    @property
    def depth(self) -> int:
        """Number of products of one output."""
        return int(self.filters.shape[2])

    @property
    def integer_bias(self) -> bool:
        """Whether the bias is given in steps of the sums."""
        return self.biases.dtype.kind == "i"

    def real_biases(self) -> np.ndarray:
        """Return the bias in real units, float32."""
        if not self.integer_bias:
            return self.biases
        return (self.biases * (self.input_scale * self.scales)).astype(np.float32)

    def _images(self, outside: int) -> np.ndarray:
        if not any(map(any, self.pads)):
            return self.x
        return np.pad(self.x, ((0, 0), *self.pads, (0, 0)), constant_values=outside)

    def sums(self, rule: Any, outside: int, zero: int, zeros: np.ndarray) -> np.ndarray:
        """Sum the products of every output, channels last."""
        if self.geometry is None:
            return rule(self.x, self.filters[0], zero, zeros)
        images = self._images(outside)
        return sum_groups(images, self.filters, zero, zeros, self.geometry, lambda _: outside, rule)

    def matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """Dequantize what is multiplied, as matrices of float32.

        Returns
        -------
        a, b : ndarray
            Rows (count, depth) and weights (depth, outputs); or filters (1, groups, outputs of a
            group, length) and windows (batch, groups, length, places), in the order channel,
            depth, line, column.
        """
        single = np.float32(self.input_scale)
        scales = self.scales.astype(np.float32).reshape(*self.filters.shape[:2], 1)
        zeros = self.zero_points.reshape(scales.shape)
        weights = scales * (self.filters.astype(np.int64) - zeros).astype(np.float32)
        if self.geometry is None:
            x = self.x.astype(np.int64)
            return single * (x - self.input_zero).astype(np.float32), weights[0].T
        groups, outputs, length = weights.shape
        channels = self.x.shape[-1] // groups
        weights = np.moveaxis(weights.reshape(groups, outputs, -1, channels), -1, 2)
        padded = self._images(self.input_zero)
        taps = np.stack([gather(image, self.input_zero, self.geometry) for image in padded])
        steps = (taps.astype(np.int64) - self.input_zero).astype(np.float32)
        steps = steps.reshape(len(padded), -1, length // channels, groups, channels)
        windows = np.transpose(single * steps, (0, 3, 4, 2, 1))
        return (
            weights.reshape(1, groups, outputs, length),
            windows.reshape(len(padded), groups, length, -1),
        )

    def products_of(self, *place: int) -> tuple[np.ndarray, np.ndarray]:
        """Collect raw inputs and weights of one sum, in the order of its products."""
        *place_of_row, channel = place
        per_group = self.filters.shape[1]
        group = channel // per_group
        row = self.filters[group, channel % per_group].astype(np.int64)
        if self.geometry is None:
            return self.x[place_of_row[0]].astype(np.int64), row
        image, *position = place_of_row
        taps = gather(self._images(self.input_zero)[image], self.input_zero, self.geometry)
        channels = self.x.shape[-1] // len(self.filters)
        under = taps[tuple(position)][:, group * channels : (group + 1) * channels]
        return under.reshape(-1).astype(np.int64), row

    def touches_border(self) -> np.ndarray:
        """Find the windows that reach outside the image, shape (depth, height, width)."""
        taps = math.prod(self.geometry.kernel) if self.geometry else 0
        ones = replace(
            self,
            x=np.ones((1, *self.x.shape[1:-1], 1), np.uint8),
            filters=np.ones((1, 1, taps), np.int8),
        )
        inside = ones.sums(_count, 0, 0, np.zeros(1, np.int64))[0, ..., 0]
        return inside < taps


def _count(x, weight, *zeros):
    return x.astype(np.int64) @ weight.astype(np.int64).T
