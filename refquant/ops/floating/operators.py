"""Python's operators for plain tensors."""

from collections.abc import Callable

import numpy as np

from refquant.ops.floating.arithmetic import (
    add,
    add_,
    div,
    div_,
    floor_divide,
    mul,
    mul_,
    neg,
    pow,
    remainder,
    sub,
    sub_,
)
from refquant.ops.floating.comparison import eq, ge, gt, le, lt, ne
from refquant.ops.floating.logical import bitwise, invert
from refquant.tensors import Tensor

__all__ = ["OPERATORS"]


_OPERANDS = (Tensor, np.ndarray, int, float, np.number, np.bool_)


def _operator(function: Callable, reflected: bool = False) -> Callable:
    def method(self, other):
        if not isinstance(other, _OPERANDS):
            return NotImplemented
        return function(other, self) if reflected else function(self, other)

    method.__doc__ = function.__doc__
    return method


OPERATORS = {
    "__neg__": neg,
    "__and__": bitwise("and", np.bitwise_and),
    "__or__": bitwise("or", np.bitwise_or),
    "__xor__": bitwise("xor", np.bitwise_xor),
    "__invert__": invert,
    **{f"__{f.__name__}__": _operator(f) for f in (eq, ne, lt, le, gt, ge)},
    **{
        f"__{name}__": _operator(function)
        for name, function in (
            ("add", add),
            ("sub", sub),
            ("mul", mul),
            ("truediv", div),
            ("pow", pow),
            ("floordiv", floor_divide),
            ("mod", remainder),
            ("iadd", add_),
            ("isub", sub_),
            ("imul", mul_),
            ("itruediv", div_),
        )
    },
    **{
        f"__r{name}__": _operator(function, reflected=True)
        for name, function in (
            ("add", add),
            ("sub", sub),
            ("mul", mul),
            ("truediv", div),
            ("pow", pow),
            ("floordiv", floor_divide),
            ("mod", remainder),
        )
    },
}
