"""What results of PyTorch's functions of quantized tensors stand for.

A function of integers stands for the same function of real numbers. Those that add and choose
numbers (averages, pooling, resizing, borders) are computed of :math:`q - z` in float64, so that
whole numbers stay exact; functions of single numbers of :math:`s (q - z)`.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from refquant import dtypes, engines
from refquant.nn.functional import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    grid_sample,
    interpolate,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    pad,
    upsample_bilinear,
)
from refquant.ops.floating.reductions import mean
from refquant.ops.floating.resizing import target_sizes
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.code_meanings import copied, near_places
from refquant.oracle.problems.codes import Output
from refquant.oracle.problems.meaning import Meaning, gamma
from refquant.oracle.problems.real_functions import elu, hardswish, leaky_relu, sigmoid
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Linear", "linear_of", "meaning_of_function", "steps_of_operand"]

_Arguments = dict[str, Any]


class Linear(NamedTuple):
    """A function that adds, or chooses, numbers of an operand.

    Attributes
    ----------
    function : callable
        Takes a tensor of float64 and the arguments by name.
    terms : callable
        Counts how many numbers are added at most, of operand and arguments; 0 if it only chooses.
    jumps : bool
        Whether shares depend on places that are rounded.
    """

    function: Callable[..., Any]
    terms: Callable[[np.ndarray, _Arguments], int] = lambda x, a: 0
    jumps: bool = False

    def of(self, numbers: np.ndarray, given: _Arguments) -> np.ndarray:
        """Compute the function of numbers in place of the operand, which is the first argument."""
        _, *more = given.items()
        named = {name: value for name, value in more if name != "dtype"}
        return self.function(Tensor(numbers), **named).array


def _window(spatial: int) -> Callable[[np.ndarray, _Arguments], int]:
    return lambda x, a: int(np.prod(np.broadcast_to(a["kernel_size"], spatial)))


def _part(spatial: int) -> Callable[[np.ndarray, _Arguments], int]:
    """Bound the parts of an adaptive average, which overlap by at most one pixel."""

    def count(x: np.ndarray, a: _Arguments) -> int:
        given = np.broadcast_to(np.array(a["output_size"], object), spatial)
        sizes = zip(x.shape[-spatial:], given, strict=True)
        return math.prod(1 if c is None else n // max(c, 1) + 2 for n, c in sizes)

    return count


def _averaged(x: np.ndarray, a: _Arguments) -> int:
    given = range(x.ndim) if a["dim"] is None or a["dim"] == () else a["dim"]
    axes = given if isinstance(given, list | tuple | range) else [given]
    return math.prod(x.shape[axis] for axis in axes)


_LINEAR = {
    **{
        function.__name__: Linear(function, _window(spatial))
        for spatial, function in enumerate((avg_pool1d, avg_pool2d, avg_pool3d), 1)
    },
    **{
        function.__name__: Linear(function, _part(spatial))
        for spatial, function in enumerate(
            (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d), 1
        )
    },
    **{f.__name__: Linear(f) for f in (max_pool1d, max_pool2d, max_pool3d)},
    "mean": Linear(mean, _averaged),
    "upsample_bilinear": Linear(upsample_bilinear, lambda x, a: 4, True),
}
_BILINEAR = Linear(interpolate, lambda x, a: 4, True)


def _sample(x: Tensor, grid: Tensor, **more: Any) -> Tensor:
    return grid_sample(x, grid.to(dtypes.float64), **more)


_SAMPLED = Linear(_sample, lambda x, a: 4, True)


def linear_of(task: Problem) -> Linear | None:
    """Return the function of real numbers that a problem has, if it adds or chooses numbers."""
    a = task.arguments
    if task.operation in ("interpolate", "upsample") and a["mode"] == "area":
        spatial = a["input"].array.ndim - 2
        counts, _ = target_sizes(a["input"].array.shape[2:], a["size"], a["scale_factor"])
        part = _part(spatial)
        return Linear(interpolate, lambda x, _: part(x, {"output_size": counts}))
    if task.operation in ("interpolate", "upsample") and a["mode"] == "bilinear":
        return _BILINEAR
    if task.operation == "grid_sample":
        return _SAMPLED
    if task.operation == "mean" and a["dtype"] is not None:
        return None
    return _LINEAR.get(task.operation)


def steps_of_operand(q: QuantizedTensor) -> np.ndarray:
    """Return integers without the zero point, float64."""
    return q.array.astype(np.float64) - q.zero_point


def _of_linear(task: Problem, linear: Linear, to: Output) -> Meaning:
    a = dict(task.arguments)
    q = a[next(iter(a))]
    steps = steps_of_operand(q)
    real, size = (linear.of(x, a) for x in (steps, np.abs(steps)))
    factor = q.scale / to.scale
    terms = linear.terms(steps, a)
    if not terms and factor == 1.0:
        return Meaning(real + to.zero_point, size, to, exact=True)
    spread = 2 * np.abs(steps).max(initial=0.0) * (sum(steps.shape[2:]) + sum(real.shape[2:]))
    return Meaning(
        real * factor + to.zero_point, size * factor, to, max(terms, 1),
        multiplier=2 * factor / max(terms, 1), place=spread * factor if linear.jumps else 0.0,
    )  # fmt: skip


# -- pixels that are copied --------------------------------------------------------------------


def _of_pixels(task: Problem, to: Output) -> Meaning:
    a, q = task.arguments, task.arguments["input"]
    exact_middles = a.get("mode") == "nearest-exact"
    sizes = q.array.shape[2:]
    counts, factors = target_sizes(sizes, a["size"], a["scale_factor"])
    if a.get("recompute_scale_factor"):
        factors = (None,) * len(sizes)
    places = []
    for size, count, factor in zip(sizes, counts, factors, strict=True):
        step = size / count if factor is None or count == size else 1 / factor
        index = np.arange(count) + (0.5 if exact_middles else 0.0)
        places.append(near_places(index, step, 0.0, size))
    codes, *others = copied(q.array.astype(np.float64), places, 2)
    return Meaning(codes, np.abs(codes), to, exact=True, others=tuple(others))


def _of_border(task: Problem, to: Output) -> Meaning:
    a, q = task.arguments, task.arguments["input"]
    value = 0.0 if a["value"] is None else a["value"] / q.scale
    given = {"mode": a["mode"], **({"value": value} if a["mode"] == "constant" else {})}
    steps = pad(Tensor(steps_of_operand(q)), a["pad"], **given).array
    return Meaning(steps + to.zero_point, np.abs(steps), to)


def _of_pieces(task: Problem, to: Output) -> Meaning:
    pieces = task.arguments["qx"]
    steps = [steps_of_operand(q) * (q.scale / to.scale) for q in pieces]
    whole = np.concatenate(steps, task.arguments["dim"])
    if task.operation == "cat_relu":
        whole = np.maximum(whole, 0.0)
    factor = max(q.scale for q in pieces) / to.scale
    return Meaning(whole + to.zero_point, np.abs(whole), to, multiplier=factor)


# -- functions of single numbers ----------------------------------------------------------------


def _elu(x: np.ndarray, a: _Arguments) -> np.ndarray:
    return elu(x, a["alpha"], a.get("scale", 1.0), a.get("input_scale", 1.0))


def _slope_of_elu(x: np.ndarray, a: _Arguments) -> np.ndarray:
    alpha, scale, slope = a["alpha"], a.get("scale", 1.0), a.get("input_scale", 1.0)
    below = np.where(x < 0, np.exp(np.minimum(x, 0.0) * slope), 1.0) * abs(alpha * slope)
    return abs(scale) * np.maximum(below, 1.0)


def _as_elu(a: _Arguments) -> _Arguments:
    return {"alpha": a["alpha"], "input_scale": 1 / a["alpha"]}


def _leaky_relu(x: np.ndarray, a: _Arguments) -> np.ndarray:
    return leaky_relu(x, a["negative_slope"])


def _threshold(x: np.ndarray, a: _Arguments) -> np.ndarray:
    return np.where(x > a["threshold"], x, a["value"])


def _scaled(x: np.ndarray, a: _Arguments) -> np.ndarray:
    return x * a["number"]


def _shifted(x: np.ndarray, a: _Arguments) -> np.ndarray:
    return x + a["number"]


def _relu_of(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda x, a: np.maximum(function(x, a), 0.0)


def _steep(slope: float) -> Callable[..., float]:
    return lambda x, a: slope


def _slope_of_factor(name: str, least: float) -> Callable[..., float]:
    return lambda x, a: max(least, abs(a[name]))


# The function of real numbers, and its greatest slope.
_SINGLE: dict[str, tuple[Callable[..., np.ndarray], Callable[..., Any]]] = {
    "relu": (lambda x, a: np.maximum(x, 0.0), _steep(1.0)),
    "relu6": (lambda x, a: np.clip(x, 0.0, 6.0), _steep(1.0)),
    "sigmoid": (lambda x, a: sigmoid(x), _steep(0.25)),
    "hardswish": (lambda x, a: hardswish(x), _steep(1.5)),
    "elu": (_elu, _slope_of_elu),
    "celu": (lambda x, a: _elu(x, _as_elu(a)), lambda x, a: _slope_of_elu(x, _as_elu(a))),
    "leaky_relu": (_leaky_relu, _slope_of_factor("negative_slope", 1.0)),
    "threshold": (_threshold, _steep(1.0)),
    "mul_scalar": (_scaled, _slope_of_factor("number", 0.0)),
    "mul_scalar_relu": (_relu_of(_scaled), _slope_of_factor("number", 0.0)),
    "add_scalar": (_shifted, _steep(1.0)),
    "add_scalar_relu": (_relu_of(_shifted), _steep(1.0)),
}


def _of_single(task: Problem, to: Output) -> Meaning:
    function, slope = _SINGLE[task.operation]
    a = task.arguments
    q = a[next(iter(a))]
    x = steps_of_operand(q) * q.scale
    y = function(x, a)
    others: tuple[np.ndarray, ...] = ()
    if task.operation == "threshold":  # numbers beside it may be on either side
        off = gamma(4) * np.abs(x)
        beside = np.abs(x - a["threshold"]) <= off
        others = tuple(np.where(beside, v, y) / to.scale + to.zero_point for v in (x, a["value"]))
    # The number is rounded to steps of the operand before it is added.
    rounded = q.scale / to.scale / 2 if task.operation.startswith("add") else 0.0
    return Meaning(
        y / to.scale + to.zero_point, np.abs(y) / to.scale, to, 1, slope(x, a), x / to.scale,
        more=rounded, others=others,
    )  # fmt: skip


def _dequantized(task: Problem) -> Meaning | None:
    q = task.arguments["input"]
    if not isinstance(q, QuantizedTensor):
        return None
    shape = [-1 if k == q.axis else 1 for k in range(q.array.ndim)]
    scales, zeros = q.scale, q.zero_point
    if q.axis is not None:
        scales, zeros = (np.asarray(v, np.float64).reshape(shape) for v in (scales, zeros))
    codes = q.array.astype(np.float64)
    apart = scales * (np.abs(codes) + np.abs(zeros))
    return Meaning(scales * (codes - zeros), apart, None)


def _makes(task: Problem) -> Callable[[Problem, Output], Meaning] | None:
    """Choose what finds the meaning of an operation."""
    name = task.operation
    if name in _SINGLE:
        return _of_single
    if name in ("cat", "cat_relu"):
        return _of_pieces
    if name == "pad":
        return _of_border
    pixels = name in ("interpolate", "upsample") and task.arguments["mode"].startswith("nearest")
    if pixels or name == "upsample_nearest":
        return _of_pixels
    linear = linear_of(task)
    return None if linear is None else lambda task, to: _of_linear(task, linear, to)


def meaning_of_function(task: Problem) -> Meaning | None:
    """Return what the elements of a result stand for; None if that is not known."""
    if task.operation == "dequantize":
        return _dequantized(task)
    make = _makes(task)
    if make is None:
        return None
    with engines.using("fbgemm"):  # which decides nothing about the quantizer of the result
        result = task.function(**task.arguments)
    if not isinstance(result, QuantizedTensor):
        return None
    with np.errstate(all="ignore"):
        return make(task, Output(result.scale, result.zero_point, result.array.dtype.name))
