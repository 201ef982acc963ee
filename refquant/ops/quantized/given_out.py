"""Writing a result into a tensor that the caller gives."""

from typing import Any

import numpy as np

from refquant._operation import operation_name
from refquant.errors import DtypeError, ShapeError
from refquant.ops import checks
from refquant.ops.inplace import check_writable
from refquant.tensors import QuantizedTensor

__all__ = ["target", "written"]


def target(out: Any) -> QuantizedTensor:
    """Check that an argument can hold the elements of a result."""
    checked = checks.quantized_per_tensor("out", out)
    check_writable(checked.array, "out")
    return checked


def written(out: QuantizedTensor, result: QuantizedTensor, resizes: bool) -> QuantizedTensor:
    """Write a result into a tensor, which takes over its scale and zero point.

    Where PyTorch lets the walk over the operands allocate (`resizes`), a tensor without elements
    takes the shape of the result; elsewhere it copies, and the result broadcasts.
    """
    if result.dtype is not out.dtype:
        raise DtypeError(
            f"{operation_name()} into a given tensor",
            argument="out",
            expected=str(result.dtype),
            got=out.dtype,
            hint=f"make `out` a {result.dtype} tensor",
        )
    shape = result.array.shape
    if resizes and not out.array.size:
        out.array = np.empty(shape, out.array.dtype)
    fits = shape == out.array.shape if resizes else _broadcasts(shape, out.array.shape)
    if not fits:
        raise ShapeError(
            f"{operation_name()} into a given tensor",
            argument="out",
            expected=f"of shape {shape}",
            got=f"shape {out.array.shape}",
            hint="give a tensor of the shape of the result",
        )
    out.array[...] = result.array
    out.scale, out.zero_point = result.scale, result.zero_point
    return out


def _broadcasts(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, wanted) == wanted
    except ValueError:
        return False
