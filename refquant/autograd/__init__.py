"""Gradients: operations with a backward pass of their own, and gradients as values."""

from refquant._paths import no_attribute as _no_attribute
from refquant.ops.gradients import Variable, backward, grad
from refquant.tensors.autograd import (
    enable_grad,
    inference_mode,
    no_grad,
    set_grad_enabled,
)
from refquant.tensors.function import Function, FunctionCtx

__all__ = [
    "Function",
    "FunctionCtx",
    "Variable",
    "backward",
    "enable_grad",
    "grad",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
]


def __getattr__(name: str):
    raise _no_attribute(__name__, name)
