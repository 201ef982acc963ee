"""Keeping gradients small."""

import numpy as np

from refquant.tensors import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def _with_gradients(parameters):
    several = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p.grad.array for p in several if p.grad is not None]


def clip_grad_norm_(parameters, max_norm: float, norm_type: float = 2.0) -> Tensor:
    """Scale all gradients down together so that their length is at most `max_norm`.

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
    tensor([0.6, 0.8])
    """
    grads = _with_gradients(parameters)
    sizes = [np.linalg.norm(g.reshape(-1), norm_type) for g in grads]
    total = np.asarray(np.linalg.norm(sizes, norm_type) if sizes else 0.0, dtype=np.float32)
    factor = max_norm / (float(total) + 1e-6)
    if factor < 1:
        for grad in grads:
            grad *= factor
    return Tensor(total)


def clip_grad_value_(parameters, clip_value: float) -> None:
    """Cut every gradient off at plus and minus `clip_value`.

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
    for grad in _with_gradients(parameters):
        np.clip(grad, -clip_value, clip_value, out=grad)
