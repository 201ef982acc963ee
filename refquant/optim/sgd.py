"""Stochastic gradient descent."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from refquant.errors import ArgumentError
from refquant.optim.optimizer import Optimizer
from refquant.tensors import Tensor

__all__ = ["SGD"]


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum if given.

    .. math::
        g &\leftarrow g + \lambda p \\
        b &\leftarrow \mu b + (1 - \tau) g \quad\text{(the first time } b = g\text{)} \\
        p &\leftarrow p - \eta b

    Without momentum g takes the place of b; with Nesterov's momentum :math:`g + \mu b` does.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to learn.
    lr : float
        Step size :math:`\eta`.
    momentum : float
        :math:`\mu`.
    dampening : float
        :math:`\tau`.
    weight_decay : float
        :math:`\lambda`.
    nesterov : bool
        Whether to look ahead; needs a momentum and no dampening.

    Notes
    -----
    Source: Sutskever et al., "On the importance of initialization and momentum in deep
    learning", 2013, with the step size outside of b.

    Examples
    --------
    >>> import refquant
    >>> p = refquant.tensor([1.0], requires_grad=True)
    >>> optimizer = refquant.optim.SGD([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([0.8000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.001,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
            },
        )

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ArgumentError(
                "SGD",
                argument="nesterov",
                expected="False without momentum, or with dampening",
                got=True,
            )

    def _update(self, parameter: Tensor, gradient: np.ndarray, group: dict, state: dict) -> None:
        p, g = parameter.array, gradient
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        if group["momentum"]:
            if state.get("momentum_buffer") is None:
                state["momentum_buffer"] = Tensor(g.copy())
                b = state["momentum_buffer"].array
            else:
                b = state["momentum_buffer"].array
                b *= group["momentum"]
                b += (1 - group["dampening"]) * g
            g = g + group["momentum"] * b if group["nesterov"] else b
        p -= group["lr"] * g
