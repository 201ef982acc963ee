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
from refquant.ops.floating.logical import bitwise, invert, shifted_left, shifted_right
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
    **{
        f"__{side}{name}__": bitwise(name, formula, side == "r", kinds)
        for name, formula, kinds in (
            ("and", np.bitwise_and, "bool or integer tensors"),
            ("or", np.bitwise_or, "bool or integer tensors"),
            ("xor", np.bitwise_xor, "bool or integer tensors"),
            ("lshift", shifted_left, "integer tensors"),
            ("rshift", shifted_right, "integer tensors"),
        )
        for side in ("", "r")
    },
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
