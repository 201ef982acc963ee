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
    """Cut every gradient off at plus and minus `clip_value`."""
    for grad in _with_gradients(parameters):
        np.clip(grad, -clip_value, clip_value, out=grad)
