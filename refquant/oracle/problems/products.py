r"""Linear layers and convolutions, step by step: sums, bias, multiplier, rounding.

The sums of all outputs are kept, so that any engine or arithmetic can compute a few of the outputs
at once; this is what makes a diagnosis fast. The exact real value of an output, in steps of the
output quantizer and including its zero point, is

.. math:: r = \frac{s_x s_w \, acc + b}{s_y} + z_y .
"""

import inspect
import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from refquant import dtypes, engines
from refquant.engines import Engine, Operands
from refquant.engines.arithmetic.change import steps_of_product, values_of
from refquant.engines.arithmetic.compose import ACCUMULATORS, BORDERS
from refquant.engines.rules import accumulate
from refquant.engines.rules.pipeline import IN_STEPS
from refquant.engines.rules.ratios import Ratios, ratios
from refquant.errors import ArgumentError
from refquant.nn.quantized import functional
from refquant.ops.quantized.convolution import run_convolution
from refquant.ops.quantized.convolution_prepack import pack_convolution
from refquant.ops.quantized.linear_layers import pack_linear, quint8_input, run_linear
from refquant.oracle.problems.base import Problem
from refquant.reference.convolution import gather, sum_groups
from refquant.reference.operands import PostOps
from refquant.tensors import QuantizedTensor

__all__ = ["Product", "product_function"]


def product_function(name: str, relu: bool) -> Callable[..., Any]:
    """Return ``functional.NAME``, or a function with its signature that also applies ReLU."""
    plain = getattr(functional, name)
    if not relu:
        return plain

    def linear_relu(input, weight, bias=None, scale=None, zero_point=None):
        x = quint8_input("input", input)
        packed = pack_linear(weight, bias)
        out = (
            x.scale if scale is None else scale,
            x.zero_point if zero_point is None else zero_point,
        )
        return run_linear(x, packed, *out, "relu")

    def convolve_relu(**arguments):
        dims = int(name[4])
        a = arguments
        packed = pack_convolution(
            dims, a["weight"], a["bias"], a["stride"], a["padding"], a["dilation"],
            a["groups"],
        )  # fmt: skip
        return run_convolution(dims, a["input"], packed, a["scale"], a["zero_point"], True)

    if name == "linear":
        return linear_relu
    convolve_relu.__signature__ = inspect.signature(plain)  # type: ignore[attr-defined]
    return convolve_relu


class Product(Problem):
    """A linear layer or a convolution.

    Attributes
    ----------
    shape : tuple of int
        Of the output.
    channel : ndarray of int64
        The output channel of every output, flat.
    undefined : ndarray of bool
        Which outputs have no exact value: none.
    border : ndarray of bool
        Whether the window of an output reaches outside the image, flat.
    """

    family = "product"

    def __init__(self, operation, function, arguments):
        super().__init__(operation, function, arguments)
        self.relu = operation.endswith("_relu")
        self.name = operation.removesuffix("_relu")
        a = arguments
        self.x: QuantizedTensor = quint8_input("input", a["input"])
        self.shape = tuple(self.run("fbgemm").shape)  # checks all operands
        with engines.using("fbgemm"):
            self.packed: Any
            if self.name == "linear":
                self.packed = pack_linear(a["weight"], a["bias"])
            else:
                self.packed = pack_convolution(
                    int(self.name[4]), a["weight"], a["bias"], a["stride"],
                    a["padding"], a["dilation"], a["groups"],
                )  # fmt: skip
        self.weight: QuantizedTensor = self.packed.kept_weight
        self.has_bias = a["bias"] is not None
        self.per_channel = self.weight.axis is not None
        self.scale = self.x.scale if a["scale"] is None else float(a["scale"])
        self.zero_point = self.x.zero_point if a["zero_point"] is None else int(a["zero_point"])
        self.lower, self.upper = (self.zero_point if self.relu else 0), 255
        self._sums: dict[tuple, np.ndarray] = {}
        shape = self._sum_shape()
        self.channel = self._flatten(np.broadcast_to(np.arange(shape[-1]), shape))
        self.size = self.channel.size
        self.undefined = np.zeros(self.size, bool)

    # -- sums --------------------------------------------------------------------------------

    def _flatten(self, sums: np.ndarray) -> np.ndarray:
        """Flatten sums with channels last in the row-major order of the result."""
        if self.name == "linear":
            return sums.reshape(-1)
        return np.moveaxis(sums, -1, 1).reshape(-1)

    def _sum_shape(self) -> tuple[int, ...]:
        return self._raw_sums("wrapped", "zero_point", 0, 0).shape

    def _raw_sums(self, accumulator, border, input_zero, weight_zero):
        packed, rule = self.packed, ACCUMULATORS[accumulator]
        zeros = packed.zero_points if weight_zero is None else np.zeros_like(packed.zero_points)
        zero = self.x.zero_point if input_zero is None else input_zero
        # A backend that ignores the zero point in the sums may still pad with it.
        outside = BORDERS[border](self.x.zero_point)
        if self.name == "linear":
            rows = self.x.array.reshape(-1, self.weight.array.shape[1])
            return rule(rows, self.weight.array, zero, zeros)
        images = np.moveaxis(self.x.array, 1, -1)
        images = images[:, None] if images.ndim == 4 else images
        filters = packed.filters()
        filters = filters.reshape(
            packed.window.groups, len(filters) // packed.window.groups, math.prod(filters.shape[1:])
        )
        return sum_groups(images, filters, zero, zeros, packed.geometry, lambda _: outside, rule)

    def sums(
        self, accumulator="wrapped", border="zero_point", input_zero=None, weight_zero=None
    ) -> np.ndarray:
        """Sum the products of every output, flat int64; the last eight results are kept.

        Parameters
        ----------
        accumulator, border : str
            Values of these axes.
        input_zero, weight_zero : int, optional
            0 to ignore a zero point.
        """
        key = (accumulator, border, input_zero, weight_zero)
        if key not in self._sums:
            if len(self._sums) > 7:
                self._sums.pop(next(iter(self._sums)))
            self._sums[key] = self._flatten(self._raw_sums(*key))
        return self._sums[key]

    def sums_for(self, record: Engine, input_zero=None, weight_zero=None) -> np.ndarray:
        """Sum the products of every output by the rules of a record."""
        operands = self.operands()
        return self.sums(
            _name(ACCUMULATORS, record.rule("accumulator", operands)),
            _name(BORDERS, record.rule("border", operands)),
            input_zero,
            weight_zero,
        )

    def operands_of(self, flat: int) -> tuple[np.ndarray, np.ndarray]:
        """Collect the raw inputs and weights of one output, in the order of its products.

        Returns
        -------
        x, w : ndarray of int64, shape (depth,)
            Outside the image x is the zero point.
        """
        if self.name == "linear":
            row, channel = divmod(flat, self.shape[-1])
            rows = self.x.array.reshape(-1, self.weight.array.shape[1])
            return rows[row].astype(np.int64), self.weight.array[channel].astype(np.int64)
        image, channel, *place = (int(i) for i in np.unravel_index(flat, self.shape))
        packed = self.packed
        pixels = np.moveaxis(self.x.array[image], 0, -1)
        pixels, place = (pixels[None], [0, *place]) if len(place) == 2 else (pixels, place)
        taps = gather(pixels, self.x.zero_point, packed.geometry)[tuple(place)]
        depth = self.weight.array.shape[1]
        first = channel // (self.shape[1] // packed.window.groups) * depth
        return (
            taps[:, first : first + depth].reshape(-1).astype(np.int64),
            packed.filters()[channel].reshape(-1).astype(np.int64),
        )

    @cached_property
    def border(self) -> np.ndarray:
        """Whether the window of an output reaches outside the image."""
        if self.name == "linear":
            return np.zeros(self.channel.size, bool)
        channels, missing = self.weight.array.shape[1], 5 - self.x.array.ndim
        image = np.ones((1, *(1,) * missing, *self.x.array.shape[2:], channels), np.uint8)
        ones = np.ones((1, 1, math.prod(self.weight.array.shape[1:])), np.int8)
        inside = sum_groups(
            image, ones, 0, np.zeros(1, np.int32), self.packed.geometry,
            accumulate.BORDER_OF_ZERO, accumulate.EXACT,
        )[..., 0]  # fmt: skip
        touched = inside < ones.size
        batch, outputs = self.x.array.shape[0], self.weight.array.shape[0]
        return np.broadcast_to(touched[:, None], (batch, outputs, *touched.shape[1:])).reshape(-1)

    # -- answers -----------------------------------------------------------------------------

    def operands(self) -> Operands:
        """Describe the operands for the conditions of a record."""
        convolution = self.packed.convolution()
        return Operands(
            dtypes.quint8,
            per_channel=self.per_channel,
            bias=self.has_bias,
            convolution=convolution,
        )

    def scales(self) -> tuple[float, np.ndarray, float]:
        """Return the scales of input, weight (one for each channel) and output."""
        return self.x.scale, self.packed.scales, self.scale

    def answer_for(self, record: Engine, where: Any, sums=None, scales=None, **other) -> np.ndarray:
        """Compute some outputs by the rules of a record.

        Parameters
        ----------
        record : Engine
            Gives the rules of bias, multiplier and rounding.
        where : ndarray of int64
            Flat indices.
        sums : ndarray, optional
            Of all outputs; by default those that the record's rules give.
        scales : tuple, optional
            In place of `scales`.
        **other
            ``biases``, ``zero_point``, ``lower``, ``upper`` or ``channels`` (whose weight scales
            are taken) in place of the problem's own.
        """
        operands = self.operands()
        if sums is None:
            sums = self.sums_for(record)
        channel = self.channel[where]
        input_scale, weight_scales, output_scale = scales or self.scales()
        weight_scales = weight_scales[other.get("channels", self.channel)[where]]
        biases = other.get("biases", self.packed.biases)[channel]
        zero_point = other.get("zero_point", self.zero_point)
        lower, upper = other.get("lower", self.lower), other.get("upper", self.upper)
        at_once = record.rule("product", operands)
        if at_once is not IN_STEPS:
            post = PostOps("relu" if self.relu else "")
            real = (sums[where], biases, input_scale, weight_scales, post)
            return at_once(*real, output_scale, zero_point, lower, upper).astype(np.int64)
        with np.errstate(all="ignore"):
            total = record.rule("bias", operands)(sums[where], biases, input_scale, weight_scales)
            multiplier = record.rule("multiplier", operands)(
                input_scale, weight_scales, output_scale
            )
            rule = record.rule("requantize_sum", operands)
            return rule(total, multiplier, zero_point, lower, upper).astype(np.int64)

    def values(self, record: Engine) -> dict[str, tuple[str, ...]]:
        """List the engine's values on each axis that this operation depends on."""
        operands = self.operands()
        return values_of(record, steps_of_product(record, operands), operands)

    def ratio(self, where: Any, sums: np.ndarray | None = None) -> Ratios:
        """Compute the exact value of some outputs, in steps and including the zero point.

        Parameters
        ----------
        where : ndarray of int64
            Flat indices.
        sums : ndarray, optional
            Of all outputs, in place of the exact ones.
        """
        channel = self.channel[where]
        input_scale, weight_scales, output_scale = map(ratios, self.scales())
        exact = self.sums("exact") if sums is None else sums
        real = ratios(exact[where]) * (input_scale * weight_scales)[channel]
        if self.has_bias:
            real = real + ratios(self.packed.biases)[channel]
        return real / output_scale + self.zero_point

    def exact(self, where: Any) -> np.ndarray:
        """Compute the same numbers as Fractions."""
        return np.asarray(self.ratio(where))

    def fixed_point(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Bound the integers that fixed-point arithmetic scales, and return their multipliers.

        Returns
        -------
        least, most : ndarray of int64
            Exact sums, with the bias rounded to the nearest integer, ties to either side.
        multiplier : ndarray of float64
        """
        x, w, y = self.scales()
        sums, weight_scales = self.sums("exact"), np.asarray(w, np.float64)[self.channel]
        steps = self.packed.biases.astype(np.float64)[self.channel] / (x * weight_scales)
        near = 2.0**-20 * (1 + np.abs(steps))  # the quotient in float32
        low, high = (np.clip(steps + d, -(2.0**31), 2.0**31) for d in (-0.5 - near, 0.5 + near))
        if not self.has_bias:
            return sums, sums, x * weight_scales / y
        return (
            sums + np.ceil(low).astype(np.int64),
            sums + np.floor(high).astype(np.int64),
            x * weight_scales / y,
        )

    def roundings(self, where: Any) -> np.ndarray:
        """Bound the magnitudes that are rounded on the way, products and bias, in output steps.

        Returns
        -------
        ndarray of float64
            :math:`(|acc| s_x s_w + |b|) / s_y`.
        """
        channel = self.channel[where]
        input_scale, weight_scales, output_scale = self.scales()
        product = np.abs(self.sums("exact")[where]) * input_scale * weight_scales[channel]
        return (product + np.abs(self.packed.biases[channel].astype(np.float64))) / output_scale


def _name(table: dict, rule) -> str:
    for name, known in table.items():
        if known is rule:
            return name
    raise ArgumentError(
        argument="engine",
        expected="with sums and borders that the oracle knows",
        got=rule.name,
    )
