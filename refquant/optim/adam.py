"""Adam, and Adam with decoupled weight decay."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError
from refquant.optim.optimizer import Optimizer
from refquant.tensors import Tensor

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    r"""Adaptive moment estimation: gradient descent with a step size for each parameter.

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        p &\leftarrow p - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to learn.
    lr : float
        Step size :math:`\eta`.
    betas : pair of float
        :math:`\beta_1, \beta_2`, how long gradients and their squares are remembered.
    eps : float
        Keeps the divisor away from 0.
    weight_decay : float
        Adds this times the parameter to its gradient.
    amsgrad : bool
        Whether to divide by the largest v so far.

    Notes
    -----
    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015; amsgrad: Reddi et
    al., "On the convergence of Adam and beyond", 2018.

    Examples
    --------
    >>> import refquant
    >>> p = refquant.tensor([1.0], requires_grad=True)
    >>> optimizer = refquant.optim.Adam([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
            },
        )

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        betas = arguments.sequence("betas", group["betas"], "a pair of numbers")
        if len(betas) != 2:
            raise ArgumentError(
                argument="betas",
                expected="a pair of numbers",
                got=arguments.describe(group["betas"]),
            )
        for number, beta in enumerate(betas):
            if not 0 <= arguments.real(f"betas[{number}]", beta) < 1:
                raise ArgumentError(
                    argument=f"betas[{number}]", expected="in 0..1, without 1", got=beta
                )

    def _update(self, parameter: Tensor, gradient: np.ndarray, group: dict, state: dict) -> None:
        p, g = parameter.array, gradient
        beta1, beta2 = group["betas"]
        if not state:
            state["step"] = Tensor(np.zeros((), np.float32))
            names = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else [])]
            state.update({name: Tensor(np.zeros_like(p)) for name in names})
        if group["weight_decay"]:
            g = self._decay(p, g, group)
        state["step"].array[...] += 1
        step = int(state["step"].array)
        m, v = state["exp_avg"].array, state["exp_avg_sq"].array
        m += (g - m) * (1 - beta1)
        v *= beta2
        v += (1 - beta2) * g * g
        if group["amsgrad"]:
            largest = state["max_exp_avg_sq"].array
            np.maximum(largest, v, out=largest)
            v = largest
        spread = np.sqrt(v) / math.sqrt(1 - beta2**step) + group["eps"]
        p -= (group["lr"] / (1 - beta1**step)) * m / spread

    def _decay(self, p: np.ndarray, g: np.ndarray, group: dict[str, Any]) -> np.ndarray:
        """Return the gradient with weight decay in it."""
        return g + group["weight_decay"] * p


class AdamW(Adam):
    r"""Adam with decoupled weight decay: :math:`p \leftarrow (1 - \eta\lambda) p` first.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to learn.
    lr : float
        Step size :math:`\eta`.
    betas : pair of float
        How long gradients and their squares are remembered.
    eps : float
        Keeps the divisor away from 0.
    weight_decay : float
        :math:`\lambda`; the parameters shrink by it, their gradients stay.
    amsgrad : bool
        Whether to divide by the largest mean of squares so far.

    Notes
    -----
    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.

    Examples
    --------
    >>> import refquant
    >>> p = refquant.tensor([1.0], requires_grad=True)
    >>> optimizer = refquant.optim.AdamW([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([0.8990], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-08,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)

    def _decay(self, p: np.ndarray, g: np.ndarray, group: dict[str, Any]) -> np.ndarray:
        p *= 1 - group["lr"] * group["weight_decay"]
        return g
