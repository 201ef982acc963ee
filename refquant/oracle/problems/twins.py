"""Neutral problems that stand for the same numbers as functions of PyTorch do.

Functions of single codes, averages, pooling and concatenation of PyTorch have no exact values of
their own here; a neutral problem with the same codes and the quantizer of the result has them.
"""

from collections.abc import Callable
from typing import Any

from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.problems.neutral_codes import NeutralCodes
from refquant.oracle.problems.table import problem
from refquant.tensors import QuantizedTensor

__all__ = ["twin_of"]


def _codes(q: QuantizedTensor) -> Codes:
    return Codes(q.array, q.scale, q.zero_point)


def _elu(a: dict[str, Any]) -> tuple[Any, ...] | None:
    plain = all(a[name] in (1, None) for name in ("alpha", "scale", "input_scale"))
    return () if plain else None


def _window(a: dict[str, Any]) -> tuple[Any, ...] | None:
    """Take a window that lies inside the image, without what neutral windows do not have."""
    whole = a["padding"] in (0, (0, 0), [0, 0]) and not a["ceil_mode"]
    odd = (
        a.get("divisor_override")
        or a.get("return_indices")
        or a.get("dilation", 1) not in (1, (1, 1))
    )
    return (a["kernel_size"], a["stride"], 0) if whole and not odd else None


def _mean(a: dict[str, Any]) -> tuple[Any, ...] | None:
    return None if a["dim"] is None or a["dtype"] is not None else (a["dim"],)


def _global(a: dict[str, Any]) -> tuple[Any, ...] | None:
    return () if a["output_size"] in (1, (1, 1), [1, 1]) else None


# The neutral operation, and what it takes between the operand and the output; None without one.
_TWINS: dict[str, tuple[str, Callable[[dict[str, Any]], tuple[Any, ...] | None]]] = {
    "sigmoid": ("sigmoid", lambda a: ()),
    "hardswish": ("hardswish", lambda a: ()),
    "elu": ("elu", _elu),
    "leaky_relu": ("leaky_relu", lambda a: (a["negative_slope"],)),
    "cat": ("cat", lambda a: (a["dim"],)),
    "avg_pool2d": ("avg_pool2d", _window),
    "max_pool2d": ("max_pool2d", _window),
    "mean": ("mean", _mean),
    "adaptive_avg_pool2d": ("global_avg_pool2d", _global),
}


def twin_of(task: Problem) -> NeutralCodes | None:
    """Return the neutral problem whose result stands for the same numbers; None without one."""
    if task.output is not None or task.operation not in _TWINS:
        return None
    name, more = _TWINS[task.operation]
    a = task.arguments
    between = more(a)
    if between is None:
        return None
    given = next(iter(a.values()))
    result = task.run("fbgemm")
    operand: Any = list(map(_codes, given)) if isinstance(given, list | tuple) else _codes(given)
    output = Output(result.scale, result.zero_point, result.array.dtype.name)
    more_of_mean = {"keepdims": bool(a["keepdim"])} if name == "mean" else {}
    made = problem(name, operand, *between, output=output, **more_of_mean)
    return made if isinstance(made, NeutralCodes) else None
