"""Writing the result of an operation into a tensor that the caller gives."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._operation import operation_name, warn
from refquant.errors import DtypeError, GradientError
from refquant.ops.floating.operands import operand
from refquant.ops.inplace import check_writable, takes
from refquant.tensors import Tensor, autograd

__all__ = ["written"]


def written(out: Any, result: Tensor, converts: bool = True) -> Tensor:
    """Write a result into a tensor, which takes over its shape, and return that tensor.

    Products of matrices need the dtype of the result; element by element PyTorch converts it
    (`converts`) within its kind.
    """
    arguments.instance("out", out, Tensor, "a tensor")
    given = operand("out", out)
    if autograd.is_grad_enabled() and (given.requires_grad or result.requires_grad):
        raise GradientError(
            f"{operation_name()} into a given tensor records no gradient",
            argument="out",
            expected="left out where an operand requires a gradient",
            hint="or do it inside no_grad()",
        )
    array, place = result.array, given.array
    if not (takes(place.dtype, array.dtype) if converts else place.dtype == array.dtype):
        raise DtypeError(
            argument="out",
            expected=f"of a dtype that holds {result.dtype}" if converts else f"{result.dtype}",
            got=given.dtype,
            hint=f"make `out` a {result.dtype} tensor",
        )
    check_writable(place, "out")
    if place.shape != array.shape:
        if place.size:
            warn(f"`out` of shape {place.shape} takes the shape {array.shape} of the result")
        given.array = np.empty(array.shape, place.dtype)
    with np.errstate(all="ignore"):
        np.copyto(given.array, array, casting="unsafe")
    return given
