"""Functions that compute something else in training than in evaluation."""

from typing import Any

from refquant import arguments
from refquant.ops.floating import normalization, random
from refquant.tensors import Tensor

__all__ = ["batch_norm", "dropout"]


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    r"""Set elements to 0 with probability p, and multiply the others by :math:`1 / (1 - p)`.

    Parameters
    ----------
    input : Tensor
        Plain floats.
    p : float
        Probability, in 0..1.
    training : bool
        Whether to do so at all.
    inplace : bool
        Whether to overwrite `input`.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
    >>> F.dropout(refquant.ones(3), training=False)
    tensor([1., 1., 1.])
    """
    inplace = arguments.switch("inplace", inplace)
    result = random.dropout(input, p, training)
    return input.copy_(result) if inplace and result is not input else result


def batch_norm(
    input: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    r"""Normalize channels, :math:`y = \gamma (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta`.

    Parameters
    ----------
    input : Tensor
        The operand, of any shape.
    running_mean, running_var : Tensor, shape (channels,), optional
        Changed in training.
    weight : Tensor, shape (channels,), optional
        Factors.
    bias : Tensor, shape (channels,), optional
        Shifts.
    training : bool, default False
        Whether to take statistics of the batch.
    momentum : float, default 0.1
        Weight of the batch in the running statistics.
    eps : float, default 1e-05
        Added to the variance.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> from refquant.nn import functional as F
    >>> F.batch_norm(refquant.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.],
            [ 1.]])
    """
    return normalization.batch_norm(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )
