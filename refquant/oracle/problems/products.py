r"""Linear layers and convolutions, step by step: sums, bias, multiplier, rounding.

The sums of all outputs are kept, so that any engine or arithmetic can compute a few of the outputs
at once; this is what makes a diagnosis fast. The exact real value of an output, in steps of the
output quantizer and including its zero point, is

.. math:: r = \frac{s_x s_w \, acc + b}{s_y} + z_y .
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from refquant import dtypes, engines
from refquant.engines import Engine, Operands
from refquant.engines.arithmetic.change import steps_of_product, values_of
from refquant.engines.arithmetic.compose import ACCUMULATORS, BORDERS
from refquant.engines.rule import IntegerBiasRule
from refquant.engines.rules import accumulate
from refquant.engines.rules.float32 import wrap_int32
from refquant.engines.rules.pipeline import IN_STEPS
from refquant.engines.rules.ratios import Ratios, ratios
from refquant.engines.rules.requantize import parts_by_channels
from refquant.errors import ArgumentError
from refquant.nn.quantized import functional
from refquant.ops.quantized.convolution import run_convolution
from refquant.ops.quantized.convolution_prepack import pack_convolution
from refquant.ops.quantized.linear_layers import pack_linear, quint8_input, run_linear
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.layer import Layer
from refquant.reference.operands import PostOps
from refquant.tensors import QuantizedTensor

__all__ = ["Product", "product_function"]

KEPT = 1 << 23  # sums that are kept for other candidates of a search


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
    """A linear layer or a convolution, given as PyTorch's functions take it.

    Attributes
    ----------
    layer : Layer
        Its integers, quantizers and geometry.
    shape : tuple of int
        Of the output.
    channels_first : bool
        Whether the channels of the output are its dimension 1; otherwise they are the last one.
    scale, zero_point, lower, upper
        The quantizer of the output, and its bounds.
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
        self.name = operation.removesuffix("_relu")
        self._bind(arguments)
        self._sums: dict[tuple, np.ndarray] = {}
        shape = self._raw_sums("wrapped", "zero_point", 0, 0).shape
        self._places = self._flatten(np.arange(math.prod(shape)).reshape(shape)), shape
        self.channel = self._flatten(np.broadcast_to(np.arange(shape[-1]), shape))
        self.size = self.channel.size
        self.undefined = np.zeros(self.size, bool)

    def _bind(self, a: dict[str, Any]) -> None:
        """Take operands as the functions of PyTorch do."""
        x: QuantizedTensor = quint8_input("input", a["input"])
        self.relu = self.operation.endswith("_relu")
        self.shape = tuple(self.run("fbgemm").shape)  # checks all operands
        self.dtype = dtypes.quint8
        self.scale = x.scale if a["scale"] is None else float(a["scale"])
        self.zero_point = x.zero_point if a["zero_point"] is None else int(a["zero_point"])
        self.lower, self.upper = (self.zero_point if self.relu else 0), 255
        self.channels_first = self.name != "linear"
        with engines.using("fbgemm"):
            if self.name == "linear":
                packed: Any = pack_linear(a["weight"], a["bias"])
                weight = packed.kept_weight
                rows = x.array.reshape(-1, weight.array.shape[1])
                place: dict[str, Any] = {}
                filters = weight.array[None]
            else:
                packed = pack_convolution(
                    int(self.name[4]), a["weight"], a["bias"], a["stride"],
                    a["padding"], a["dilation"], a["groups"],
                )  # fmt: skip
                weight = packed.kept_weight
                rows = np.moveaxis(x.array, 1, -1)
                rows = rows[:, None] if rows.ndim == 4 else rows
                taps, groups = packed.filters(), packed.window.groups
                filters = taps.reshape(groups, len(taps) // groups, math.prod(taps.shape[1:]))
                geometry = packed.geometry
                place = {
                    "geometry": geometry._replace(padding=(0, 0, 0)),
                    "pads": tuple((p, p) for p in geometry.padding),
                    "convolution": packed.convolution(),
                }
        self.layer = Layer(
            rows, x.scale, x.zero_point, filters, packed.scales, packed.zero_points,
            packed.biases, a["bias"] is not None, weight.axis is not None, **place,
        )  # fmt: skip

    # -- sums --------------------------------------------------------------------------------

    def _flatten(self, sums: np.ndarray) -> np.ndarray:
        """Flatten sums with channels last in the row-major order of the result."""
        return (np.moveaxis(sums, -1, 1) if self.channels_first else sums).reshape(-1)

    def _raw_sums(self, accumulator, border, input_zero, weight_zero):
        layer = self.layer
        zeros = layer.zero_points if weight_zero is None else np.zeros_like(layer.zero_points)
        zero = layer.input_zero if input_zero is None else input_zero
        # A backend that ignores the zero point in the sums may still pad with it.
        outside = BORDERS[border](layer.input_zero)
        return layer.sums(ACCUMULATORS[accumulator], outside, zero, zeros)

    def sums(
        self, accumulator="wrapped", border="zero_point", input_zero=None, weight_zero=None
    ) -> np.ndarray:
        """Sum the products of every output, flat int64; the last results are kept.

        Parameters
        ----------
        accumulator, border : str
            Values of these axes.
        input_zero, weight_zero : int, optional
            0 to ignore a zero point.
        """
        key = (accumulator, border, input_zero, weight_zero)
        if key not in self._sums:
            if len(self._sums) > 7 and len(self._sums) * self.size > KEPT:
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
        places, shape = self._places
        return self.layer.products_of(*map(int, np.unravel_index(places[flat], shape)))

    @cached_property
    def border(self) -> np.ndarray:
        """Whether the window of an output reaches outside the image."""
        if self.layer.geometry is None:
            return np.zeros(self.size, bool)
        touched = self.layer.touches_border()
        return self._flatten(np.broadcast_to(touched[None, ..., None], self._places[1]))

    # -- answers -----------------------------------------------------------------------------

    def operands(self) -> Operands:
        """Describe the operands for the conditions of a record."""
        return self._described

    @cached_property
    def _described(self) -> Operands:
        return Operands(
            self.dtype,
            per_channel=self.layer.per_channel,
            bias=self.layer.has_bias,
            convolution=self.layer.convolution,
            int16=self.layer.x.dtype == np.int16,
            wide_sums=self.layer.wide_sums,
            equal_biases=np.unique(self.layer.biases).size < 2,
        )

    def scales(self) -> tuple[float, np.ndarray, float]:
        """Return the scales of input, weight (one for each channel) and output."""
        return self.layer.input_scale, self.layer.scales, self.scale

    def totals(self, record: Engine, sums, biases, input_scale, weight_scales) -> np.ndarray:
        """Add the bias to sums: by the rule of a record, or in int32 if it is an integer."""
        if self.layer.integer_bias:
            return wrap_int32(sums + biases) if self._wraps(record) else sums + biases
        return record.rule("bias", self.operands())(sums, biases, input_scale, weight_scales)

    def _wraps(self, record: Engine) -> bool:
        return record.rule("accumulator", self.operands()) is not accumulate.EXACT

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
        biases = other.get("biases", self.layer.biases)[channel]
        zero_point = other.get("zero_point", self.zero_point)
        lower, upper = other.get("lower", self.lower), other.get("upper", self.upper)
        at_once = record.rule("product", operands)
        if at_once is not IN_STEPS:
            if self.layer.integer_bias and not isinstance(at_once, IntegerBiasRule):
                biases = self.layer.real_biases()[channel]
            post = PostOps("relu" if self.relu else "")
            real = (sums[where], biases, input_scale, weight_scales, post)
            return self.in_blocks(at_once, where, *real, output_scale, zero_point, lower, upper)
        with np.errstate(all="ignore"):
            total = self.totals(record, sums[where], biases, input_scale, weight_scales)
            multiplier = record.rule("multiplier", operands)(
                input_scale, weight_scales, output_scale
            )
            return self.rounded(record, total, multiplier, where, zero_point, lower, upper)

    def rounded(self, record: Engine, total, multiplier, where, *rest) -> np.ndarray:
        """Scale and round sums of some outputs by the rule of a record, then clip them."""
        rule = record.rule("requantize_sum", self.operands())
        return self.in_blocks(rule, where, total, multiplier, *rest)

    def in_blocks(self, rule: Any, where: Any, *operands: Any) -> np.ndarray:
        """Apply a rule to some outputs; it may treat whole blocks of channels by another one."""
        parts = parts_by_channels(rule)
        return self.in_parts(parts, rule, where, self.channel, self.layer.scales.size, operands)

    def in_parts(self, parts, rule, where, units, count, operands) -> np.ndarray:
        """Apply two rules: to the outputs whose units lie in whole blocks, and to the rest."""
        if parts is None:
            return rule(*operands).astype(np.int64)
        vector, tail, block = parts
        whole = units[where] < count - count % block
        return np.where(whole, vector(*operands), tail(*operands)).astype(np.int64)

    def values(self, record: Engine) -> dict[str, tuple[str, ...]]:
        """List the engine's values on each axis that this operation depends on."""
        operands = self.operands()
        steps = steps_of_product(record, operands)
        if self.layer.integer_bias:
            steps = tuple(step for step in steps if step != "bias")
        return values_of(record, steps, operands)

    def ratio(self, where: Any, sums: np.ndarray | None = None) -> Ratios:
        """Compute the exact value of some outputs, in steps and including the zero point.

        Parameters
        ----------
        where : ndarray of int64
            Flat indices.
        sums : ndarray, optional
            Of all outputs, in place of the exact ones.
        """
        channel, layer = self.channel[where], self.layer
        input_scale, weight_scales, output_scale = map(ratios, self.scales())
        exact = (self.sums("exact") if sums is None else sums)[where]
        if layer.integer_bias:
            exact = exact + layer.biases[channel]
        real = ratios(exact) * (input_scale * weight_scales)[channel]
        if layer.has_bias and not layer.integer_bias:
            real = real + ratios(layer.biases)[channel]
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
        multiplier = x * weight_scales / y
        if self.layer.integer_bias:
            sums = sums + self.layer.biases[self.channel]
            return sums, sums, multiplier
        if not self.layer.has_bias:
            return sums, sums, multiplier
        steps = self.layer.biases.astype(np.float64)[self.channel] / (x * weight_scales)
        near = 2.0**-20 * (1 + np.abs(steps))  # the quotient in float32
        low, high = (np.clip(steps + d, -(2.0**31), 2.0**31) for d in (-0.5 - near, 0.5 + near))
        return (
            sums + np.ceil(low).astype(np.int64),
            sums + np.floor(high).astype(np.int64),
            multiplier,
        )

    def magnitudes(self) -> np.ndarray:
        """Sum the magnitudes of the products of every output, flat."""
        layer = self.layer
        x = np.abs(layer.x.astype(np.int64) - layer.input_zero)
        zeros = layer.zero_points.reshape(*layer.filters.shape[:2], 1)
        plain = replace(layer, x=x, filters=np.abs(layer.filters.astype(np.int64) - zeros))
        sums = plain.sums(ACCUMULATORS["exact"], 0, 0, np.zeros_like(layer.zero_points))
        return self._flatten(sums)

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
        biases = np.abs(self.layer.real_biases()[channel].astype(np.float64))
        return (product + biases) / output_scale


def _name(table: dict, rule) -> str:
    for name, known in table.items():
        if known is rule:
            return name
    raise ArgumentError(
        argument="engine",
        expected="with sums and borders that the oracle knows",
        got=rule.name,
    )
