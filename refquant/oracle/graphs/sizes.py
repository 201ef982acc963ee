"""How large results are, before anything is computed."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from refquant.errors import OperationError, ShapeError

__all__ = ["MOST_ELEMENTS", "check_size"]

MOST_ELEMENTS = 2**26  # of one array
TAPS = 4  # as many times more of them may be covered by windows that overlap


def _pairs(value: Any, dims: int) -> list[tuple[int, int]]:
    each = value if isinstance(value, list | tuple) else [value] * dims
    return [tuple(p) if isinstance(p, list | tuple) else (p, p) for p in each]


def check_size(operation: str, shapes: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Raise if an operation would make an array that is too large.

    Parameters
    ----------
    operation : str
        Of a node.
    shapes : dict
        Shapes of its operands; a list of shapes where there are several.
    settings : dict
        Of the node.

    Raises
    ------
    OperationError
        If a result, or an image with its border, has more than 2**26 elements.
    """
    first = shapes.get("x", shapes.get("a", ()))
    count = math.prod(first) if isinstance(first, tuple) else sum(map(math.prod, first))
    if "b" in shapes and operation in ("add", "sub", "mul"):
        try:
            count = math.prod(np.broadcast_shapes(shapes["a"], shapes["b"]))
        except ValueError:
            raise ShapeError(
                argument="b", expected=f"a shape that fits {first}", got=str(shapes["b"])
            ) from None
    elif operation in ("linear", "matmul", "matmul_integer"):
        other = shapes.get("weight", shapes.get("b", ()))
        count = max(count, math.prod(first[:-1]) * max(other, default=1))
    elif "size" in settings:
        count = math.prod(first[:2]) * math.prod(settings["size"]) * max(first[-1:], default=1)
    elif "pads" in settings:
        pads = settings["pads"]
        count = math.prod(n + sum(map(abs, pair)) for n, pair in zip(first, pads, strict=False))
    elif "layout" in settings and ("weight" in shapes or "kernel" in settings):
        count = max(count, _of_windows(operation, first, shapes.get("weight"), settings))
    if count > MOST_ELEMENTS:
        raise OperationError(
            f"{operation} of {first}",
            argument="shape",
            expected=f"results of at most {MOST_ELEMENTS:,} elements",
            got=f"about {count:,}",
        )


def _of_windows(operation: str, image: Any, weight: Any, settings: Mapping[str, Any]) -> int:
    """Count the elements of what windows cover, of the image with its border, or of the result."""
    last = settings["layout"] == "NHWC"
    sizes, channels = (image[1:-1], image[-1]) if last else (image[2:], image[1])
    layout = settings.get("weight_layout")
    if weight is None:
        kernel, outputs = _each(settings["kernel"], len(sizes)), channels
    elif layout in ("1HWO", "HWIO"):
        kernel, outputs = weight[1:-1] if layout == "1HWO" else weight[:-2], weight[-1]
    elif layout == "OHWI" or (layout is None and last):
        kernel, outputs = weight[1:-1], weight[0]
    else:
        kernel, outputs = weight[2:], max(weight[:2])
    strides = _each(settings.get("stride") or kernel, len(sizes))
    positions, bordered = image[0], image[0] * channels
    for n, pair, step in zip(sizes, _pairs(settings.get("padding", 0), len(sizes)), strides,
                             strict=False):  # fmt: skip
        whole = n + sum(map(abs, pair))
        bordered *= whole
        positions *= whole * step if operation == "conv_transpose2d" else whole // max(step, 1) + 1
    return max(bordered, positions * outputs, positions * channels * math.prod(kernel) // TAPS)


def _each(value: Any, dims: int) -> list[int]:
    return list(value) if isinstance(value, list | tuple) else [value] * dims
