"""Linear layers and convolutions of any int8 runtime: neutral operands, layouts and bounds."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import arguments
from refquant.engines import Convolution, Engine, Operands
from refquant.engines.arithmetic.change import values_of
from refquant.engines.registry import chosen
from refquant.engines.rules.requantize import parts_by_places
from refquant.errors import ArgumentError, DtypeError, EngineError, ShapeError
from refquant.oracle.problems.base import in_parts
from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.problems.layer import Layer
from refquant.oracle.problems.products import Product
from refquant.reference.operands import Geometry
from refquant.tensors import Tensor

__all__ = ["FUNCTIONS", "NeutralProduct", "pads_of"]

IN_REALS = "product_of_reals"  # the step of runtimes that multiply dequantized numbers
WIDE_BITS = 47  # of a bias of int64: with products of 2**16 terms, sums fit into 48
LAYOUTS = ("NCHW", "NHWC")
WEIGHT_LAYOUTS = ("OIHW", "OHWI", "HWIO", "1HWO")


def linear(x, weight, bias=None, output=None, weight_layout="OI"):
    """Take the operands of a linear layer."""


def matmul(a, b, output=None):
    """Take the operands of a product of two matrices."""


def _convolution(
    x, weight, bias=None, output=None, stride=1, padding=0, dilation=1, groups=1, layout="NCHW",
    weight_layout=None,
):  # fmt: skip
    """Take the operands of a convolution."""


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "linear": linear,
    "matmul": matmul,
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
}


def _codes(name: str, value: Any, dims: int, dtypes: tuple[str, ...]) -> Codes:
    codes = arguments.instance(name, value, Codes, "an oracle.Codes")
    if codes.array.dtype.name not in dtypes:
        raise DtypeError(
            argument=name, expected=f"of {', '.join(dtypes)}", got=str(codes.array.dtype)
        )
    if dims and codes.array.ndim != dims:
        raise ShapeError(
            argument=name, expected=f"of {dims} dimensions", got=f"shape {codes.array.shape}"
        )
    return codes


def _one_scale(name: str, codes: Codes) -> Codes:
    if codes.axis is not None:
        raise ArgumentError(argument=name, expected="one scale and one zero point", got=repr(codes))
    return codes


def _of_outputs(name: str, codes: Codes, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Spread scales and zero points of a weight over the outputs, which lie along an axis."""
    if codes.axis not in (None, axis):
        raise ArgumentError(
            argument=name,
            expected=f"scales along axis {axis}, that of the outputs",
            got=f"along axis {codes.axis}",
        )
    count = codes.array.shape[axis]
    scales = np.broadcast_to(np.asarray(codes.scale, np.float64), (count,))
    return scales, np.broadcast_to(np.asarray(codes.zero_point, np.int64), (count,))


def _has_wide_sums(x: Codes, bias: Any) -> bool:
    """Whether sums have 64 bits: of activations of 16 bits, and with a bias of int64."""
    array = bias.array if isinstance(bias, Tensor) else bias
    return bool(x.array.dtype == np.int16 and getattr(array, "dtype", None) == np.int64)


def _bias(value: Any, outputs: int, wide: bool) -> np.ndarray:
    """Return a bias as float32 in real units, or as int64 in steps of the sums."""
    if value is None:
        return np.zeros(outputs, np.float32)
    array = value.array if isinstance(value, Tensor) else arguments.numbers("bias", value)
    if array.shape != (outputs,):
        raise ShapeError(
            argument="bias", expected=f"of shape ({outputs},)", got=f"shape {array.shape}"
        )
    if array.dtype.kind in "iu":
        bits = WIDE_BITS if wide else 32
        if array.size and not -(2 ** (bits - 1)) <= array.min() <= array.max() < 2 ** (bits - 1):
            raise ArgumentError(
                argument="bias", expected=f"integers of {bits} bits", got=arguments.describe(value)
            )
        return array.astype(np.int64)
    if array.dtype.kind != "f":
        raise DtypeError(
            argument="bias",
            expected="real numbers, or integers in steps of the sums",
            got=str(array.dtype),
        )
    return array.astype(np.float32)


def pads_of(value: Any, dims: int) -> tuple[tuple[int, int], ...]:
    """Read the border: one number, one for each dimension, or one for each side of each."""
    if not isinstance(value, list | tuple) or not any(isinstance(v, list | tuple) for v in value):
        return tuple((p, p) for p in arguments.integers("padding", value, dims, 0))
    if len(value) != dims:
        raise ArgumentError(
            argument="padding", expected=f"{dims} pairs (before, behind)", got=repr(value)
        )
    pairs = (arguments.integers("padding", pair, 2, 0) for pair in value)
    return tuple((before, behind) for before, behind in pairs)


class NeutralProduct(Product):
    """A product of neutral operands, computed by rules alone."""

    output: Output
    _latest: tuple[Any, np.ndarray] | None = None

    def _bind(self, a: dict[str, Any]) -> None:
        self.relu = False
        output = arguments.instance("output", a["output"], Output, "an oracle.Output")
        self.output, self.dtype = output, output.engine_dtype
        self.scale, self.zero_point = output.scale, output.zero_point
        self.lower, self.upper = output.lower, output.upper
        self.channels_first = False
        bind = {"linear": self._linear, "matmul": self._matmul}.get(self.name, self._convolution)
        self.layer, self.shape = bind(a)

    def _linear(self, a: dict[str, Any]) -> tuple[Layer, tuple[int, ...]]:
        return self._rows(
            a["x"], a["weight"], a["bias"],
            arguments.choice("weight_layout", a["weight_layout"], ("OI", "IO")), "x", "weight",
        )  # fmt: skip

    def _matmul(self, a: dict[str, Any]) -> tuple[Layer, tuple[int, ...]]:
        return self._rows(a["a"], a["b"], None, "IO", "a", "b")

    def _rows(self, x, weight, bias, layout, first, second):
        x = _one_scale(first, _codes(first, x, 0, ("int8", "uint8", "int16")))
        w = _codes(second, weight, 2, ("int8", "uint8"))
        axis = layout.index("O")
        depth = w.array.shape[1 - axis]
        if not x.array.ndim or x.array.shape[-1] != depth:
            raise ShapeError(
                argument=first, expected=f"of last dimension {depth}", got=f"shape {x.shape}"
            )
        scales, zeros = _of_outputs(second, w, axis)
        rows = np.moveaxis(w.array, axis, 0)
        lead, wide = x.array.shape[:-1], _has_wide_sums(x, bias)
        layer = Layer(
            np.ascontiguousarray(x.array).reshape(math.prod(lead), depth), x.scale, x.zero_point,
            np.ascontiguousarray(rows)[None], scales, zeros, _bias(bias, len(rows), wide),
            bias is not None, w.axis is not None, wide_sums=wide,
        )  # fmt: skip
        return layer, (*lead, len(rows))

    def _convolution(self, a: dict[str, Any]) -> tuple[Layer, tuple[int, ...]]:
        dims = int(self.name[4])
        layout = arguments.choice("layout", a["layout"], LAYOUTS)
        weight_layout = a["weight_layout"] or ("OIHW" if layout == "NCHW" else "OHWI")
        weight_layout = arguments.choice("weight_layout", weight_layout, WEIGHT_LAYOUTS)
        x = _one_scale("x", _codes("x", a["x"], dims + 2, ("int8", "uint8", "int16")))
        w = _codes("weight", a["weight"], dims + 2, ("int8", "uint8"))
        groups = arguments.integer("groups", a["groups"], 1)
        stride, dilation = (
            arguments.integers(name, a[name], dims, 1) for name in ("stride", "dilation")
        )
        pads = pads_of(a["padding"], dims)
        # Outputs first, then the window, then the channels of a group.
        output_axis, input_axis = {
            "OIHW": (0, 1), "OHWI": (0, -1), "HWIO": (dims + 1, dims), "1HWO": (dims + 1, 0),
        }[weight_layout]  # fmt: skip
        scales, zeros = _of_outputs("weight", w, output_axis)
        filters = np.moveaxis(w.array, (output_axis, input_axis), (0, -1))
        images = np.moveaxis(x.array, 1, -1) if layout == "NCHW" else x.array
        channels, outputs = images.shape[-1], len(filters)
        if channels % groups or outputs % groups or filters.shape[-1] * groups != channels:
            raise ShapeError(
                argument="weight",
                expected=f"channels that fit {groups} groups of {channels} inputs",
                got=f"shape {w.shape} in layout {weight_layout}",
            )
        missing = 3 - dims
        kernel = (*(1,) * missing, *filters.shape[1:-1])
        geometry = Geometry(
            kernel, (*(1,) * missing, *stride), (0,) * 3, (*(1,) * missing, *dilation)
        )
        all_pads = (*((0, 0),) * missing, *pads)
        images = images.reshape(images.shape[0], *(1,) * missing, *images.shape[1:])
        extents = geometry.extents(
            tuple(n + sum(p) for n, p in zip(images.shape[1:-1], all_pads, strict=True))
        )
        if min((*extents, *kernel)) < 1:
            raise ShapeError(
                argument="weight",
                expected="a window that fits into the image with its border",
                got=f"windows {kernel[missing:]} in an image {x.shape}",
            )
        space = extents[missing:]
        self.channels_first = layout == "NCHW"
        lead = images.shape[0]
        shape = (lead, outputs, *space) if self.channels_first else (lead, *space, outputs)
        bias = a["bias"]
        wide = _has_wide_sums(x, bias)
        layer = Layer(
            images, x.scale, x.zero_point,
            filters.reshape(groups, outputs // groups, math.prod(filters.shape[1:])),
            scales, zeros, _bias(bias, outputs, wide), bias is not None, w.axis is not None,
            geometry, all_pads,
            Convolution(
                stride, dilation, groups, channels // groups, outputs // groups,
                symmetric=not zeros.any(), kernel=kernel[missing:],
                padding=tuple(max(p) for p in pads), separate=weight_layout == "1HWO",
            ),
            wide,
        )  # fmt: skip
        return layer, shape

    def operands(self) -> Operands:
        """Describe the operands for the conditions of a record."""
        unsigned = self.layer.x.dtype == np.uint8
        made = super().operands()
        return made._replace(activations=self.name == "matmul", unsigned=unsigned)

    def answer_for(self, record: Engine, where: Any, sums=None, scales=None, **other) -> np.ndarray:
        """Compute some outputs by the rules of a record, as `Product.answer_for`."""
        if IN_REALS not in record.steps:
            return super().answer_for(record, where, sums, scales, **other)
        bounds = {n: other.pop(n, getattr(self, n)) for n in ("zero_point", "lower", "upper")}
        if sums is not None or scales is not None or other:
            raise EngineError(
                f"oracle: {self.operation}",
                argument="engine",
                expected="one that multiplies integers, whose sums or scales can be replaced",
                got=repr(record.name),
            )
        return self._from_reals(record, **bounds)[where]

    def _from_reals(self, record: Engine, zero_point: int, lower: int, upper: int) -> np.ndarray:
        """Compute all outputs from dequantized operands, flat; the last sums are kept."""
        rule = record.rule(IN_REALS, self.operands())
        with np.errstate(all="ignore"):
            if self._latest is None or self._latest[0] is not rule:
                total = self.real_sums(rule)
                total = total + self.layer.real_biases() if self.layer.has_bias else total
                self._latest = rule, self._flatten(total.reshape(self._places[1]))
            quantize = record.rule("quantize_per_tensor", self.operands())
            codes = in_parts(quantize, self._latest[1], self.scale, zero_point, lower, upper)
        return codes.astype(np.int64)

    def real_sums(self, rule: Any) -> np.ndarray:
        """Multiply dequantized operands, channels last."""
        total = rule(*self.layer.matrices())
        if self.layer.geometry is None:
            return total
        batch, groups, outputs, places = total.shape  # channels come before places
        return np.moveaxis(total.reshape(batch, groups * outputs, places), 1, -1)

    def in_blocks(self, rule: Any, where: Any, *operands: Any) -> np.ndarray:
        """Apply a rule to some outputs; it may treat whole blocks of pixels by another one."""
        parts = parts_by_places(rule)
        if parts is None:
            return super().in_blocks(rule, where, *operands)
        shape = self._places[1]  # channels last
        count = math.prod(shape[1:-1])
        places = np.arange(count).reshape(1, *shape[1:-1], 1)
        units = self._flatten(np.broadcast_to(places, shape))
        return self.in_parts(parts, rule, where, units, count, operands)

    def values(self, record: Engine) -> dict[str, tuple[str, ...]]:
        """List the engine's values on each axis that this operation depends on."""
        if IN_REALS in record.steps:
            return values_of(record, (IN_REALS, "quantize_per_tensor"), self.operands())
        return super().values(record)

    def run(self, engine: str | Engine) -> np.ndarray:
        """Compute the operation by the rules of an engine, as integers in the output's shape."""
        record = chosen(engine)
        answers = self.answer_for(record, np.arange(self.size))
        return answers.reshape(self.shape).astype(self.output.dtype)
