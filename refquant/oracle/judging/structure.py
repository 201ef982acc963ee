"""Faults of whole layers that no change of rules explains: borders, layouts, scales of biases.

Each is the problem of the layer with other operands; what an engine answers to it is compared with
the backend's answer.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from refquant.engines import Engine
from refquant.errors import RefquantError
from refquant.oracle.graphs.moves import Move
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.problems.neutral import pads_of
from refquant.oracle.problems.table import problem

__all__ = ["faults_of_moves", "structural_faults"]

Arguments = dict[str, Any]


def _as(codes: Codes, array: np.ndarray) -> Codes:
    return codes.like(np.ascontiguousarray(array))


def _other_layout(a: Arguments) -> Arguments | None:
    """Read an image in the other layout."""
    x = a["x"].array
    if x.ndim != 4:
        return None
    n, *sizes = x.shape
    if a["layout"] == "NHWC":
        turned = x.reshape(n, sizes[2], *sizes[:2]).transpose(0, 2, 3, 1)
    else:
        turned = x.reshape(n, *sizes[1:], sizes[0]).transpose(0, 3, 1, 2)
    return {**a, "x": _as(a["x"], turned)}


def _border(fill: Callable[[Arguments], int]) -> Callable[[Arguments], Arguments | None]:
    """Fill the border with another integer than the zero point."""

    def change(a: Arguments) -> Arguments | None:
        x = a["x"]
        dims = x.array.ndim - 2
        pads = pads_of(a["padding"], dims)
        value = fill(a)
        if dims < 1 or not any(map(any, pads)) or value == x.zero_point:
            return None
        last = a["layout"] == "NHWC"
        whole = ((0, 0), *pads, (0, 0)) if last else ((0, 0), (0, 0), *pads)
        padded = np.pad(x.array, whole, constant_values=value)
        return {**a, "x": x.like(padded), "padding": 0}

    return change


def _other_side(a: Arguments) -> Arguments | None:
    """Exchange the sides of the border."""
    pads = pads_of(a["padding"], a["x"].array.ndim - 2)
    turned = tuple((behind, before) for before, behind in pads)
    return {**a, "padding": turned} if turned != pads else None


def _turned(a: Arguments) -> Arguments | None:
    """Turn filters by half a turn."""
    w, layout = a["weight"], a["weight_layout"]
    if w.array.ndim != 4:
        return None
    where = {"OHWI": (1, 2), "1HWO": (1, 2), "HWIO": (0, 1)}
    first = a["layout"] == "NCHW"
    axes = where.get(layout or ("OIHW" if first else "OHWI"), (2, 3))
    return {**a, "weight": _as(w, np.flip(w.array, axes))}


def _order(a: Arguments, order: tuple[int, ...]) -> Arguments | None:
    """Read a weight that lies in another order of its axes."""
    w = a["weight"]
    if w.array.ndim != len(order):
        return None
    shape = tuple(w.array.shape[k] for k in order)
    read = w.array.reshape(shape).transpose(np.argsort(order))
    return {**a, "weight": _as(w, read)}


def _ordered(*order: int) -> Callable[[Arguments], Arguments | None]:
    return lambda a: _order(a, order)


def _bias(scale: Callable[[Arguments], Any]) -> Callable[[Arguments], Arguments | None]:
    """Take the bias as steps of another scale than that of the sums."""

    def change(a: Arguments) -> Arguments | None:
        b = a.get("bias")
        if b is None or b.dtype.kind != "i":
            return None
        with np.errstate(all="ignore"):
            steps = np.rint(b * np.asarray(scale(a), np.float64))
        info = np.iinfo(np.int32)
        return {**a, "bias": np.clip(steps, info.min, info.max).astype(b.dtype)}

    return change


def _unit(a: Arguments) -> Any:
    return np.float64(a["x"].scale) * np.asarray(a["weight"].scale, np.float64)


def _first_unit(a: Arguments) -> Any:
    scale = np.asarray(a["weight"].scale, np.float64)
    return scale.reshape(-1)[0] / scale


def _to(**changes: Callable[[Arguments], Any]) -> Callable[[Arguments], Arguments | None]:
    """Give the result another quantizer."""

    def change(a: Arguments) -> Arguments | None:
        old = a["output"]
        if not isinstance(old, Output):
            return None
        kept = {n: getattr(old, n) for n in ("scale", "zero_point", "dtype", "activation")}
        new = {**kept, **{name: make(a) for name, make in changes.items()}}
        return {**a, "output": Output(**new)} if new != kept else None

    return change


def _first(a: Arguments) -> Any:
    x = a.get("x", a.get("a"))
    return x[0] if isinstance(x, list) else x


def _exchanged(a: Arguments) -> Arguments | None:
    return {**a, "a": a["b"], "b": a["a"]}


_IMAGES: tuple[tuple[str, Callable[[Arguments], Arguments | None]], ...] = (
    (
        "border: filled with the least integer, not with the zero point",
        _border(lambda a: int(np.iinfo(a["x"].array.dtype).min)),
    ),
    ("border: its sides exchanged", _other_side),
    ("layout: the image read in the other order, channels first or last", _other_layout),
)
_WEIGHTS: tuple[tuple[str, Callable[[Arguments], Arguments | None]], ...] = (
    ("weight: filters turned by half a turn", _turned),
    ("weight: read with its last axis second", _ordered(0, 3, 1, 2)),
    ("weight: read with its second axis last", _ordered(0, 2, 3, 1)),
    ("weight: read with its first axis last", _ordered(1, 2, 3, 0)),
    ("weight: height and width exchanged", _ordered(0, 2, 1, 3)),
    ("weight: read as its transposed matrix", _ordered(1, 0)),
    ("bias: taken as steps of the output", _bias(lambda a: a["output"].scale / _unit(a))),
    ("bias: taken as steps of the input", _bias(lambda a: a["x"].scale / _unit(a))),
    ("bias: in steps of the first channel for all channels", _bias(_first_unit)),
)
_RESULTS: tuple[tuple[str, Callable[[Arguments], Arguments | None]], ...] = (
    ("output: scale of the input used", _to(scale=lambda a: _first(a).scale)),
    ("output: zero point of the input used", _to(zero_point=lambda a: _first(a).zero_point)),
    (
        "output: quantizer of the input used",
        _to(scale=lambda a: _first(a).scale, zero_point=lambda a: _first(a).zero_point),
    ),
    ("output: twice the scale used", _to(scale=lambda a: 2 * a["output"].scale)),
    ("output: half the scale used", _to(scale=lambda a: a["output"].scale / 2)),
)


def _changes(task: Problem) -> Iterator[tuple[str, Callable[[Arguments], Arguments | None]]]:
    given = task.arguments
    if "layout" in given and "padding" in given:
        yield from _IMAGES
    if "weight" in given:
        yield from _WEIGHTS
    if "output" in given:
        yield from _RESULTS
    if task.operation == "sub":
        yield "operands exchanged", _exchanged


def structural_faults(task: Problem, actual: np.ndarray, record: Engine) -> list[str]:
    """Name the faults of whole layers that reproduce every element of an answer."""
    found = []
    for name, change in _changes(task):
        try:
            other = change(dict(task.arguments))
            if other is None:
                continue
            answer = problem(task.operation, **other).run(record)
        except (RefquantError, ValueError):  # the other operands do not fit together
            continue
        if answer.shape == actual.shape and np.array_equal(answer, actual):
            found.append(name)
    return found


def _moved_otherwise(task: Move) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Name faults of a move, each with what it answers."""
    a = task.arguments
    x = a["x"]
    whole = task.run()
    if task.operation == "reshape" and x.ndim == 4:
        yield "layout: channels moved first", lambda: x.transpose(0, 3, 1, 2).reshape(whole.shape)
        yield "layout: channels moved last", lambda: x.transpose(0, 2, 3, 1).reshape(whole.shape)
    if task.operation == "transpose":
        yield "layout: axes reshaped, not moved", lambda: x.reshape(whole.shape)
        back = np.argsort(a["perm"])
        yield "layout: axes moved the other way", lambda: x.transpose(back).reshape(whole.shape)
    if task.operation == "pad":
        turned = tuple((behind, before) for before, behind in a["pads"])
        for name, change in (
            ("filled with zero", {"fill": 0}),
            ("filled with the least integer", {"fill": int(np.iinfo(x.dtype).min)}),
            ("its sides exchanged", {"pads": turned}),
        ):
            yield f"border: {name}", Move("pad", {**a, **change}).run
    if task.operation == "clip":
        yield "bounds ignored", lambda: x


def faults_of_moves(task: Move, actual: np.ndarray) -> list[str]:
    """Name the faults of a move that reproduce every element of an answer."""
    return [name for name, answer in _moved_otherwise(task) if np.array_equal(answer(), actual)]
