"""Products of other kinds: transposed convolutions, and sums of integers that stay integers."""

from dataclasses import replace
from typing import Any

import numpy as np

from refquant import arguments
from refquant.engines import Engine
from refquant.engines.arithmetic.change import values_of
from refquant.engines.rules.float32 import wrap_int32
from refquant.engines.rules.ratios import Ratios, ratios
from refquant.errors import ArgumentError, EngineError, ShapeError
from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.problems.layer import Layer
from refquant.oracle.problems.neutral import NeutralProduct, pads_of

__all__ = [
    "NeutralSums",
    "NeutralTransposed",
    "conv_integer",
    "conv_transpose2d",
    "matmul_integer",
]


def conv_transpose2d(
    x, weight, bias=None, output=None, stride=1, padding=0, output_padding=0, layout="NCHW",
    weight_layout=None,
):  # fmt: skip
    """Take the operands of a transposed convolution."""


def conv_integer(
    x, weight, stride=1, padding=0, dilation=1, groups=1, layout="NCHW", weight_layout=None
):
    """Take the operands of a convolution whose sums are the result."""


def matmul_integer(a, b):
    """Take the operands of a product of two matrices whose sums are the result."""


class NeutralTransposed(NeutralProduct):
    """A transposed convolution: one of an image with zeros between its pixels, filters turned."""

    def _convolution(self, a: dict[str, Any]) -> tuple[Layer, tuple[int, ...]]:
        x = arguments.instance("x", a["x"], Codes, "an oracle.Codes")
        w = arguments.instance("weight", a["weight"], Codes, "an oracle.Codes")
        for name, codes in (("x", x), ("weight", w)):
            if codes.array.ndim != 4:
                raise ShapeError(
                    argument=name, expected="of 4 dimensions", got=f"shape {codes.shape}"
                )
        layout = arguments.choice("layout", a["layout"], ("NCHW", "NHWC"))
        default = "IOHW" if layout == "NCHW" else "OHWI"
        order = arguments.choice("weight_layout", a["weight_layout"] or default, ("IOHW", "OHWI"))
        strides = arguments.integers("stride", a["stride"], 2, 1)
        more = arguments.integers("output_padding", a["output_padding"], 2, 0)
        outputs = order.index("O")
        if w.axis not in (None, outputs):
            raise ArgumentError(
                argument="weight",
                expected=f"scales along axis {outputs}, that of the outputs",
                got=f"along axis {w.axis}",
            )
        filters = w.array if order == "OHWI" else np.moveaxis(w.array, (1, 2, 3, 0), (0, 1, 2, 3))
        turned = np.ascontiguousarray(filters[:, ::-1, ::-1])
        pads = []
        for sides, kernel, extra in zip(
            pads_of(a["padding"], 2), filters.shape[1:3], more, strict=True
        ):
            if max(sides) >= kernel or extra >= max(strides):
                raise ArgumentError(
                    argument="padding, output_padding",
                    expected="less than the window, and less than the stride",
                    got=f"{sides} and {extra} for a window of {kernel}",
                )
            pads.append((kernel - 1 - sides[0], kernel - 1 - sides[1] + extra))
        images = np.moveaxis(x.array, 1, -1) if layout == "NCHW" else x.array
        batch, height, width, channels = images.shape
        if not height or not width:
            raise ShapeError(argument="x", expected="pixels", got=f"shape {x.shape}")
        down, right = strides
        spread = np.full(
            (batch, (height - 1) * down + 1, (width - 1) * right + 1, channels),
            0 if x.axis is not None else x.zero_point,
            images.dtype,
        )
        spread[:, ::down, ::right] = images
        self.name = "conv2d"
        plain = {
            "x": Codes(spread, x.scale, x.zero_point, x.axis),
            "weight": Codes(turned, w.scale, w.zero_point, None if w.axis is None else 0),
            "bias": a["bias"], "stride": 1, "padding": tuple(pads), "dilation": 1, "groups": 1,
            "layout": "NHWC", "weight_layout": "OHWI",
        }  # fmt: skip
        self._given = images, filters, strides, pads
        layer, shape = super()._convolution(plain)
        if layer.convolution is not None:
            layer = replace(layer, convolution=layer.convolution._replace(transposed=True))
        self.channels_first = layout == "NCHW"
        if self.channels_first:
            shape = (shape[0], shape[3], *shape[1:3])
        return layer, shape

    def real_sums(self, rule: Any) -> np.ndarray:
        """Multiply each pixel by all filters, and add the products where filters lie.

        Where several meet, they are added tap by tap, as ONNX Runtime does.
        """
        images, filters, (down, right), pads = self._given
        batch, height, width, channels = images.shape
        outputs, lines, columns, _ = filters.shape
        if height * width == 1:
            raise EngineError(
                f"oracle: {self.operation}",
                argument="engine",
                expected="one that multiplies integers: the order of float sums of a single pixel "
                "is not known",
                got="an image of one pixel",
            )
        layer, rows = self.layer, (outputs * lines * columns, channels)
        weights = layer.scales.astype(np.float32)[:, None, None, None] * (
            filters.astype(np.int64) - layer.zero_points[:, None, None, None]
        ).astype(np.float32)
        steps = (images.astype(np.int64) - layer.input_zero).astype(np.float32)
        pixels = (np.float32(layer.input_scale) * steps).reshape(batch, -1, channels)
        products = rule(weights.reshape(rows)[None], np.swapaxes(pixels, 1, 2))
        products = products.reshape(batch, outputs, lines, columns, height, width)
        # What `pads` adds to the border of a convolution, the transposed one cuts off.
        cut = tuple(n - 1 - before for n, (before, _) in zip((lines, columns), pads, strict=True))
        extent = self._places[1][-3:-1]
        whole = np.zeros(
            (
                batch,
                outputs,
                *(n + c + k for n, c, k in zip(extent, cut, (lines, columns), strict=True)),
            ),
            np.float32,
        )
        for i in range(lines):
            for j in range(columns):
                reach = (slice(i, i + down * (height - 1) + 1, down),
                         slice(j, j + right * (width - 1) + 1, right))  # fmt: skip
                whole[:, :, *reach] += products[:, :, i, j]
        top, left = cut
        return np.moveaxis(whole[:, :, top : top + extent[0], left : left + extent[1]], 1, -1)


class NeutralSums(NeutralProduct):
    """Sums of products of integers less their zero points, which are the result."""

    def _bind(self, a: dict[str, Any]) -> None:
        given = {**a, "bias": None, "output": Output(1.0, 0, "int32")}
        if self.name == "matmul_integer":
            self.name = "matmul"
        else:
            x = arguments.instance("x", a["x"], Codes, "an oracle.Codes")
            dims = x.array.ndim - 2
            if not 1 <= dims <= 3:
                raise ShapeError(
                    argument="x", expected="of 3 to 5 dimensions", got=f"shape {x.shape}"
                )
            self.name = f"conv{dims}d"
        super()._bind(given)

    def answer_for(self, record: Engine, where: Any, sums=None, scales=None, **other) -> np.ndarray:
        """Sum the products of some outputs by the rules of a record."""
        if scales is not None or other:
            raise EngineError(
                f"oracle: {self.operation}",
                argument="engine",
                expected="a change of sums: there are no scales",
                got=repr(record.name),
            )
        total = self.sums_for(record) if sums is None else sums
        return wrap_int32(total[where])

    def values(self, record: Engine) -> dict[str, tuple[str, ...]]:
        """List the engine's values on each axis that this operation depends on."""
        return values_of(record, ("accumulator", "border"), self.operands())

    def ratio(self, where: Any, sums: np.ndarray | None = None) -> Ratios:
        """Return exact sums."""
        return ratios((self.sums("exact") if sums is None else sums)[where])

    def fixed_point(self) -> None:
        """Return None: nothing is multiplied."""
        return

    def roundings(self, where: Any) -> np.ndarray:
        """Bound what is rounded: nothing."""
        return np.zeros(np.shape(where))
