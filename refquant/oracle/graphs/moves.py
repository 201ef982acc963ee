"""Operations that only move integers: no runtime rounds anything in them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from refquant.errors import ShapeError
from refquant.oracle.problems.base import Problem

__all__ = ["MOVES", "Move", "wanted_shape"]


def wanted_shape(shape: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Complete the shape of an array that is reshaped: 0 keeps a size, one -1 is worked out."""
    sizes = [shape[k] if n == 0 and k < len(shape) else n for k, n in enumerate(wanted)]
    count, known = math.prod(shape), math.prod(n for n in sizes if n != -1)
    if sizes.count(-1) == 1 and known > 0 and count % known == 0:
        sizes[sizes.index(-1)] = count // known
    if min(sizes, default=0) < 0 or math.prod(sizes) != count:
        raise ShapeError(
            argument="shape", expected=f"one of {count} elements, as {shape} has", got=str(wanted)
        )
    return tuple(sizes)


def _reshape(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return x.reshape(wanted_shape(x.shape, shape))


def _transpose(x: np.ndarray, perm: tuple[int, ...]) -> np.ndarray:
    if sorted(perm) != list(range(x.ndim)):
        raise ShapeError(argument="perm", expected=f"an order of {x.ndim} axes", got=str(perm))
    return np.ascontiguousarray(x.transpose(perm))


def _pad(x: np.ndarray, pads: tuple[tuple[int, int], ...], fill: int) -> np.ndarray:
    if len(pads) != x.ndim or min(map(min, pads), default=0) < 0:
        raise ShapeError(argument="pads", expected=f"{x.ndim} pairs of sizes", got=str(pads))
    return np.pad(x, pads, constant_values=fill)


def _clip(x: np.ndarray, lower: int, upper: int) -> np.ndarray:
    return np.clip(x, lower, upper).astype(x.dtype)


MOVES: dict[str, Callable[..., np.ndarray]] = {
    "reshape": _reshape,
    "transpose": _transpose,
    "pad": _pad,
    "clip": _clip,
}


class Move(Problem):
    """A problem whose answer is the same under every engine.

    Parameters
    ----------
    operation : str
        One of `MOVES`.
    arguments : dict
        ``x``, an ndarray, and what the function of the operation takes.
    """

    family = "move"

    def __init__(self, operation: str, arguments: dict[str, Any]) -> None:
        super().__init__(operation, MOVES[operation], arguments)

    def run(self, engine: Any = None) -> np.ndarray:
        """Move the integers."""
        return self.function(**self.arguments)
