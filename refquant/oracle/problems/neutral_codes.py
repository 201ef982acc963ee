"""Functions, requantization, pooling and resizing of any int8 runtime, integers to integers.

Each of these problems is one step of an engine, which computes all elements at once; an engine
without a rule for the step does not support the operation.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import arguments
from refquant.engines import Engine, Operands
from refquant.engines.arithmetic.change import values_of
from refquant.engines.registry import chosen
from refquant.engines.rules.ratios import Ratios
from refquant.errors import ArgumentError, DtypeError, ShapeError
from refquant.oracle.problems.base import Problem, in_parts
from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.problems.neutral import pads_of
from refquant.oracle.problems.neutral_pairs import rule_of

__all__ = ["CODE_FUNCTIONS", "NeutralCodes"]


def _unary(x, output=None):
    """Take integers and where results go; by default to the quantizer of the integers."""


def _leaky_relu(x, negative_slope=0.01, output=None):
    """Take integers, the slope of negative numbers, and where results go."""


def _dequantize(x):
    """Take integers."""


def _concatenate(x, axis, output=None):
    """Take a sequence of pieces, the axis along which they are joined, and where results go."""


def _pool(x, kernel, stride=None, padding=0, output=None, layout="NCHW"):
    """Take images and windows."""


def _mean(x, axes, output=None, keepdims=True):
    """Take integers and the axes over which they are averaged."""


def _global_pool(x, output=None, layout="NCHW"):
    """Take images."""


def _resize(
    x, size, align_corners=False, half_pixel_centers=False, layout="NCHW", output=None,
):  # fmt: skip
    """Take images, their new height and width, and where results go."""


def _dynamic(x):
    """Take real numbers."""


_STEPS = {
    "requantize": "requantize_codes",
    "sigmoid": "sigmoid_of_codes",
    "tanh": "tanh_of_codes",
    "elu": "elu_of_codes",
    "hardswish": "hardswish_of_codes",
    "softmax": "softmax_of_codes",
    "leaky_relu": "leaky_relu_of_codes",
    "quantize": "quantize_per_tensor",
    "dequantize": "dequantize_per_tensor",
    "cat": "concatenate_codes",
    "avg_pool2d": "average_of_codes",
    "max_pool2d": "",
    "global_avg_pool2d": "global_average_of_codes",
    "mean": "mean_of_codes",
    "resize_bilinear": "resize_of_codes",
    "resize_nearest": "nearest_of_codes",
    "dynamic_quantize": "dynamic_quantize_of_reals",
}
_OF_IMAGES = "global_average_of_codes"  # also of a window that is the whole image
_STEPS_OF_REALS = {
    "avg_pool2d": "average_of_reals",
    "global_avg_pool2d": "global_average_of_reals",
    "mean": "mean_of_reals",
    "resize_bilinear": "resize_of_reals",
}
CODE_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(
        ("requantize", "sigmoid", "tanh", "elu", "hardswish", "softmax", "quantize"), _unary
    ),
    "leaky_relu": _leaky_relu,
    "dequantize": _dequantize,
    "cat": _concatenate,
    "avg_pool2d": _pool,
    "max_pool2d": _pool,
    "global_avg_pool2d": _global_pool,
    "mean": _mean,
    "resize_bilinear": _resize,
    "resize_nearest": _resize,
    "dynamic_quantize": _dynamic,
}


def _codes(name: str, value: Any, dims: int = 0) -> Codes:
    codes = arguments.instance(name, value, Codes, "an oracle.Codes")
    if codes.axis is not None:
        raise ArgumentError(argument=name, expected="one scale and one zero point", got=repr(codes))
    if dims and codes.array.ndim != dims:
        raise ShapeError(
            argument=name, expected=f"of {dims} dimensions", got=f"shape {codes.array.shape}"
        )
    return codes


def _like(codes: Codes) -> Output:
    return Output(codes.scale, codes.zero_point, codes.array.dtype.name)


def _taps(images, kernel, strides, pads, extents) -> tuple[np.ndarray, np.ndarray]:
    """Collect what windows cover, tap by tap, and which taps lie inside the image."""
    padded = np.pad(images, ((0, 0), *pads, (0, 0)))
    there = np.pad(np.ones((1, *images.shape[1:3], 1), bool), ((0, 0), *pads, (0, 0)))
    corners = [(i, j) for i in range(kernel[0]) for j in range(kernel[1])]
    spans = [
        tuple(
            slice(start, start + s * (n - 1) + 1, s)
            for start, s, n in zip(corner, strides, extents, strict=True)
        )
        for corner in corners
    ]
    taps, inside = (np.array([a[:, r, c] for r, c in spans]) for a in (padded, there))
    return taps, inside


class NeutralCodes(Problem):
    """An operation on integers that is one step of an engine."""

    def __init__(self, operation, function, operands):
        super().__init__(operation, function, operands)
        self.step = _STEPS[operation]
        bind: Any = {
            "quantize": self._quantize, "dequantize": self._dequantize, "cat": self._concatenate,
            "avg_pool2d": self._pool, "max_pool2d": self._pool, "mean": self._mean,
            "global_avg_pool2d": self._global_pool, "resize_bilinear": self._resize,
            "leaky_relu": self._leaky_relu, "resize_nearest": self._nearest,
            "dynamic_quantize": self._dynamic,
        }.get(operation, self._unary)  # fmt: skip
        self._operands = Operands()
        self.output: Output | None = None
        # What computes all elements by a record, in the shape of the result.
        self.formula: Callable[[Engine], np.ndarray] = bind(**operands)

    def run(self, engine: str | Engine) -> np.ndarray:
        """Compute the operation by the rules of an engine, in the output's shape."""
        record = chosen(engine)
        with np.errstate(all="ignore"):
            answers = self.formula(record)
        return answers.astype(np.float32 if self.output is None else self.output.dtype)

    @property
    def lower(self) -> int:
        """The least result."""
        return 0 if self.output is None else int(self.output.lower or 0)

    @property
    def upper(self) -> int:
        """The greatest result."""
        return 0 if self.output is None else int(self.output.upper or 0)

    def values(self, record: Engine) -> dict[str, tuple[str, ...]]:
        """List the engine's values on each axis that this operation depends on."""
        step = self.step_of(record)
        return values_of(record, (step,) if step in record.steps else (), self._operands)

    def operands(self) -> Operands:
        """Describe the operands for the conditions of a record."""
        return self._operands

    def _to(self, output: Any, default: Codes) -> tuple[Any, ...]:
        """Keep where results go, and return its scale, zero point and bounds."""
        if output is None:
            output = _like(default)
        made = self.output = arguments.instance("output", output, Output, "an oracle.Output")
        self._operands = self._operands._replace(dtype=made.engine_dtype)
        return made.scale, made.zero_point, made.lower, made.upper

    def _rule(self, record: Engine) -> Any:
        return rule_of(record, self.step_of(record), self._operands, self.operation)

    def step_of(self, record: Engine) -> str:
        """Return the step of an engine; some average whole images as means over two axes."""
        means = self.operation == "global_avg_pool2d" and "mean_of_codes" in record.steps
        return "mean_of_codes" if means and self.step not in record.steps else self.step

    def _rule_of_reals(self, record: Engine) -> Any:
        """Look up the rule of a runtime that dequantizes first; None if it has none."""
        step = _STEPS_OF_REALS[self.operation]
        return record.rule(step, self._operands) if step in record.steps else None

    # -- one by one --------------------------------------------------------------------------

    def _unary(self, x, output=None):
        x = _codes("x", x)
        if self.operation == "softmax" and not x.array.ndim:
            raise ShapeError(argument="x", expected="of a dimension or more", got="shape ()")
        to = self._to(output, x)
        shape = x.array.shape
        flat = x.array if self.operation == "softmax" else x.array.reshape(-1)
        return lambda record: in_parts(
            self._rule(record), flat, x.scale, x.zero_point, *to
        ).reshape(shape)

    def _leaky_relu(self, x, negative_slope=0.01, output=None):
        x, to = _codes("x", x), self._to(output, x)
        slope = np.float32(arguments.number("negative_slope", negative_slope))
        return lambda record: self._rule(record)(x.array, x.scale, x.zero_point, slope, *to)

    def _quantize(self, x, output=None):
        real = np.asarray(arguments.numbers("x", x))
        if real.dtype.kind not in "fiu":
            raise DtypeError(argument="x", expected="of real numbers", got=str(real.dtype))
        real = real.astype(np.float32)
        to = self._to(arguments.instance("output", output, Output, "an oracle.Output"), x)
        flat = real.reshape(-1)
        return lambda record: in_parts(self._rule(record), flat, *to).reshape(real.shape)

    def _dequantize(self, x):
        x = _codes("x", x)

        def formula(record):
            real = self._rule(record)(x.array, x.scale, x.zero_point)
            return real.floats() if isinstance(real, Ratios) else real

        return formula

    def _concatenate(self, x, axis, output=None):
        if not isinstance(x, list | tuple) or not x:
            raise ArgumentError(
                argument="x", expected="a sequence of oracle.Codes", got=arguments.describe(x)
            )
        pieces = [_codes(f"x[{k}]", piece, x[0].array.ndim) for k, piece in enumerate(x)]
        to = self._to(output, pieces[0])
        own = to[:2]
        axis = arguments.integer("axis", axis)
        try:
            np.concatenate([piece.array for piece in pieces], axis)
        except ValueError as error:
            raise ShapeError(
                argument="x", expected="pieces that differ along one axis alone", got=str(error)
            ) from None

        def formula(record: Engine) -> np.ndarray:
            moved = [
                piece.array
                if (piece.scale, piece.zero_point) == own
                else self._rule(record)(piece.array, piece.scale, piece.zero_point, *to)
                for piece in pieces
            ]
            return np.concatenate(moved, axis)

        return formula

    def _moved(self, record: Engine, codes: Codes, q: np.ndarray, to: tuple) -> np.ndarray:
        """Requantize what has the quantizer of its operand, if the result has another one."""
        if to[:2] == (codes.scale, codes.zero_point):
            return np.clip(q, to[2], to[3])
        rule = rule_of(record, "requantize_codes", self._operands, self.operation)
        moved = in_parts(rule, q.reshape(-1), codes.scale, codes.zero_point, *to)
        return moved.reshape(q.shape)

    # -- windows -----------------------------------------------------------------------------

    def _images(self, x: Any, layout: str) -> tuple[Codes, np.ndarray]:
        """Return images with channels last."""
        arguments.choice("layout", layout, ("NCHW", "NHWC"))
        codes = _codes("x", x, 4)
        return codes, np.moveaxis(codes.array, 1, -1) if layout == "NCHW" else codes.array

    def _back(self, images: np.ndarray, layout: str) -> np.ndarray:
        return np.moveaxis(images, -1, 1) if layout == "NCHW" else images

    def _pool(self, x, kernel, stride=None, padding=0, output=None, layout="NCHW"):
        codes, images = self._images(x, layout)
        to = self._to(output, codes)
        kernel = arguments.integers("kernel", kernel, 2, 1)
        strides = kernel if stride is None else arguments.integers("stride", stride, 2, 1)
        pads = pads_of(padding, 2)
        sizes = images.shape[1:3]
        if any(max(sides) >= k for sides, k in zip(pads, kernel, strict=True)):
            raise ArgumentError(
                argument="padding", expected="less than the window", got=repr(padding)
            )
        extents = [
            (n + sum(p) - k) // s + 1
            for n, p, k, s in zip(sizes, pads, kernel, strides, strict=True)
        ]
        if min(extents) < 1:
            raise ShapeError(
                argument="kernel", expected="windows that fit into the image", got=f"{kernel}"
            )
        taps, inside = _taps(images.astype(np.int64), kernel, strides, pads, extents)
        if self.operation == "max_pool2d":
            most = np.where(inside, taps, np.iinfo(np.int64).min).max(0)
            return lambda record: self._back(self._moved(record, codes, most, to), layout)
        where = codes.scale, codes.zero_point, *to
        by_columns = np.arange(len(taps)).reshape(kernel).T.reshape(-1)
        whole = tuple(kernel) == tuple(sizes) and not any(map(any, pads))

        def formula(record: Engine) -> np.ndarray:
            if whole and _OF_IMAGES in record.steps:
                totals = images.sum((1, 2), dtype=np.int64, keepdims=True)
                average = rule_of(record, _OF_IMAGES, self._operands, self.operation)
                return self._back(average(totals, np.int64(len(taps)), *where), layout)
            real = self._rule_of_reals(record)
            if real is None:
                return self._back(self._rule(record)(taps, inside, *where), layout)
            return self._back(real(taps[by_columns], inside[by_columns], *where), layout)

        return formula

    def _global_pool(self, x, output=None, layout="NCHW"):
        codes, images = self._images(x, layout)
        where = codes.scale, codes.zero_point, *self._to(output, codes)
        self._operands = self._operands._replace(spatial=True)
        totals = images.sum((1, 2), dtype=np.int64, keepdims=True)
        count = np.int64(images.shape[1] * images.shape[2])

        def formula(record: Engine) -> np.ndarray:
            real = self._rule_of_reals(record)
            average = self._rule(record) if real is None else real
            given = (totals, count) if real is None else (images,)
            return self._back(average(*given, *where), layout)

        return formula

    def _mean(self, x, axes, output=None, keepdims=True):
        codes = _codes("x", x)
        to, dims = self._to(output, codes), codes.array.ndim
        given = axes if isinstance(axes, list | tuple) else [axes]
        places = sorted(arguments.integer("axes", axis) % max(dims, 1) for axis in given)
        keep = arguments.flag("keepdims", keepdims)
        if not places or len(set(places)) < len(places) or max(places) >= dims:
            raise ArgumentError(
                argument="axes", expected=f"different ones of {dims} dimensions", got=repr(axes)
            )
        self._operands = self._operands._replace(spatial=keep and dims == 4 and places == [1, 2])
        totals = codes.array.sum(tuple(places), dtype=np.int64, keepdims=keep)
        count = np.int64(math.prod(codes.array.shape[axis] for axis in places))
        where = codes.scale, codes.zero_point, *to

        def formula(record: Engine) -> np.ndarray:
            real = self._rule_of_reals(record)
            if real is not None:
                return real(codes.array, tuple(places), keep, *where)
            return self._rule(record)(totals, count, *where)

        return formula

    def _resize(
        self, x, size, align_corners=False, half_pixel_centers=False, layout="NCHW", output=None
    ):
        codes, images = self._images(x, layout)
        to = self._to(output, codes)
        height, width = arguments.integers("size", size, 2, 1)
        corners = arguments.flag("align_corners", align_corners)
        half = arguments.flag("half_pixel_centers", half_pixel_centers)

        def formula(record: Engine) -> np.ndarray:
            real = self._rule_of_reals(record)
            size = height, width, corners, half
            if real is not None:
                own = real(images, *size, codes.scale, codes.zero_point, *to)
                return self._back(own, layout)
            resized = self._rule(record)(images, *size)
            return self._back(self._moved(record, codes, resized, to), layout)

        return formula

    def _nearest(
        self, x, size, align_corners=False, half_pixel_centers=False, layout="NCHW", output=None
    ):
        codes, images = self._images(x, layout)
        to = self._to(output, codes)
        sizes = arguments.integers("size", size, 2, 1)
        corners = arguments.flag("align_corners", align_corners)
        half = arguments.flag("half_pixel_centers", half_pixel_centers)

        def formula(record: Engine) -> np.ndarray:
            rule = self._rule(record)
            lines, columns = (
                rule(count, places, corners, half)
                for count, places in zip(images.shape[1:3], sizes, strict=True)
            )
            chosen = images[:, lines][:, :, columns]
            return self._back(self._moved(record, codes, chosen, to), layout)

        return formula

    def _dynamic(self, x):
        real = np.asarray(arguments.numbers("x", x))
        if real.dtype.kind not in "fiu":
            raise DtypeError(argument="x", expected="of real numbers", got=str(real.dtype))
        self.output = Output(1.0, 0, "uint8")  # its scale follows from the numbers
        return lambda record: self._rule(record)(real.astype(np.float32))
