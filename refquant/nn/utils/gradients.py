"""Gradient clipping."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.tensors import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def _with_gradients(parameters: Any) -> list[np.ndarray]:
    expected = "a tensor or an iterable of tensors"
    several = [parameters]
    if not isinstance(parameters, Tensor):
        several = arguments.sequence("parameters", parameters, expected)
    for parameter in several:
        arguments.instance("parameters", parameter, Tensor, expected)
    return [p.grad.array for p in several if p.grad is not None]


def clip_grad_norm_(parameters: Any, max_norm: float, norm_type: float = 2.0) -> Tensor:
    """Scale all gradients together so that their norm is at most `max_norm`.

    Parameters
    ----------
    parameters : iterable of Tensor, or Tensor
        Whose gradients.
    max_norm : float
        The longest length.
    norm_type : float
        Which length; may be inf.

    Returns
    -------
    Tensor
        The length before.

    Examples
    --------
    >>> import refquant
    >>> p = refquant.nn.Parameter(refquant.tensor([3.0, 4.0]))
    >>> (p * p).sum().backward()
    >>> _ = refquant.nn.utils.clip_grad_norm_(p, 1.0)
    >>> p.grad
    tensor([0.6000, 0.8000])
    """
    grads = _with_gradients(parameters)
    max_norm = arguments.real("max_norm", max_norm)
    norm_type = arguments.real("norm_type", norm_type)
    with np.errstate(all="ignore"):
        sizes = [_length(g.reshape(-1), norm_type) for g in grads]
        total = np.asarray(_length(np.array(sizes), norm_type) if sizes else 0.0, np.float32)
        factor = max_norm / (float(total) + 1e-6)
        if factor < 1:
            for grad in grads:
                grad *= factor
    return Tensor(total)


def _length(x: np.ndarray, norm_type: float) -> Any:
    """Norm of a vector; 0 if it has no elements."""
    return np.linalg.norm(x, norm_type) if x.size else 0.0


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Clamp every gradient to plus and minus `clip_value`.

    Parameters
    ----------
    parameters : Parameter, or iterable of them
        Those without a gradient are left alone.
    clip_value : float
        The bound.

    Examples
    --------
    >>> import refquant
    >>> p = refquant.nn.Parameter(refquant.tensor([3.0, 4.0]))
    >>> (p * p).sum().backward()
    >>> refquant.nn.utils.clip_grad_value_(p, 1.0)
    >>> p.grad
    tensor([1., 1.])
    """
    grads = _with_gradients(parameters)
    clip_value = arguments.real("clip_value", clip_value)
    with np.errstate(all="ignore"):  # float64 may be beyond the float32 of a gradient
        for grad in grads:
            bound = grad.dtype.type(clip_value)
            np.clip(grad, -bound, bound, out=grad)
