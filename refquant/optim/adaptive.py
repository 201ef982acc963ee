"""Gradient descent with a step size for each parameter: Adagrad, Adadelta, RMSprop."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from refquant import arguments
from refquant.optim.optimizer import Optimizer
from refquant.tensors import Tensor

__all__ = ["Adadelta", "Adagrad", "RMSprop"]


def _started(state: dict[str, Any], p: np.ndarray, *names: str) -> list[np.ndarray]:
    """Begin the state of a parameter with zeros, count a step, and return the arrays."""
    if "step" not in state:
        state["step"] = Tensor(np.zeros((), np.float32))
        state.update({name: Tensor(np.zeros_like(p)) for name in names})
    state["step"].array[...] += 1
    return [state[name].array for name in names]


def _decayed(p: np.ndarray, g: np.ndarray, group: dict[str, Any]) -> np.ndarray:
    return g + group["weight_decay"] * p if group["weight_decay"] else g


class Adagrad(Optimizer):
    r"""Gradients divided by the root of the sum of all their squares.

    .. math::
        s &\leftarrow s + g^2 \\
        p &\leftarrow p - \frac{\eta}{1 + (t - 1) \delta} \frac{g}{\sqrt{s} + \epsilon}

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to learn.
    lr : float
        Step size :math:`\eta`.
    lr_decay : float
        :math:`\delta`, how fast the steps become smaller.
    weight_decay : float
        Adds this times the parameter to its gradient.
    initial_accumulator_value : float
        Where s starts.
    eps : float
        Keeps the divisor away from 0.

    Notes
    -----
    Source: Duchi et al., "Adaptive subgradient methods", 2011.

    Examples
    --------
    >>> import refquant
    >>> p = refquant.tensor([1.0], requires_grad=True)
    >>> optimizer = refquant.optim.Adagrad([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.01,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "eps": eps,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
            },
        )
        for group in self.param_groups:
            start = group["initial_accumulator_value"]
            for parameter in group["params"]:
                state = self.state[parameter]
                state["step"] = Tensor(np.zeros((), np.float32))
                with np.errstate(over="ignore"):
                    state["sum"] = Tensor(np.full_like(parameter.array, start))

    def _update(self, parameter: Tensor, gradient: np.ndarray, group: dict, state: dict) -> None:
        p = parameter.array
        (total,) = _started(state, p, "sum")
        g = _decayed(p, gradient, group)
        total += g * g
        rate = group["lr"] / (1 + (float(state["step"].array) - 1) * group["lr_decay"])
        p -= rate * (g / (np.sqrt(total) + group["eps"]))


class Adadelta(Optimizer):
    r"""Steps as large as earlier ones, in the ratio of gradients to earlier gradients.

    .. math::
        v &\leftarrow \rho v + (1 - \rho) g^2 \\
        d &= g \sqrt{u + \epsilon} / \sqrt{v + \epsilon} \\
        u &\leftarrow \rho u + (1 - \rho) d^2 \\
        p &\leftarrow p - \eta d

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to learn.
    lr : float
        Factor :math:`\eta` of the steps.
    rho : float
        :math:`\rho`, how long squares are remembered; in 0..1.
    eps : float
        Where the first steps come from.
    weight_decay : float
        Adds this times the parameter to its gradient.

    Notes
    -----
    Source: Zeiler, "ADADELTA: an adaptive learning rate method", 2012.

    Examples
    --------
    >>> import refquant
    >>> p = refquant.tensor([1.0], requires_grad=True)
    >>> optimizer = refquant.optim.Adadelta([p])
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([0.9968], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-06,
        weight_decay: float = 0,
    ) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay})

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        group["rho"] = arguments.number("rho", group["rho"], 0, 1)

    def _update(self, parameter: Tensor, gradient: np.ndarray, group: dict, state: dict) -> None:
        p, rho, eps = parameter.array, group["rho"], group["eps"]
        v, u = _started(state, p, "square_avg", "acc_delta")
        g = _decayed(p, gradient, group)
        v *= rho
        v += (1 - rho) * g * g
        step = np.sqrt(u + eps) / np.sqrt(v + eps) * g
        u *= rho
        u += (1 - rho) * step * step
        p -= group["lr"] * step


class RMSprop(Optimizer):
    r"""Gradients divided by the root of the mean of their squares.

    .. math::
        v &\leftarrow \alpha v + (1 - \alpha) g^2 \\
        b &\leftarrow \mu b + g / (\sqrt{v} + \epsilon) \\
        p &\leftarrow p - \eta b

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to learn.
    lr : float
        Step size :math:`\eta`.
    alpha : float
        :math:`\alpha`, how long squares are remembered.
    eps : float
        Keeps the divisor away from 0.
    weight_decay : float
        Adds this times the parameter to its gradient.
    momentum : float
        :math:`\mu`.
    centered : bool
        Whether to divide by the deviation of the gradients instead.

    Notes
    -----
    Source: Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012.

    Examples
    --------
    >>> import refquant
    >>> p = refquant.tensor([1.0], requires_grad=True)
    >>> optimizer = refquant.optim.RMSprop([p], lr=0.01)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-08,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "alpha": alpha,
                "eps": eps,
                "centered": centered,
                "weight_decay": weight_decay,
            },
        )

    def _update(self, parameter: Tensor, gradient: np.ndarray, group: dict, state: dict) -> None:
        p, alpha = parameter.array, group["alpha"]
        names = ["square_avg"]
        names += ["momentum_buffer"] if group["momentum"] > 0 else []
        names += ["grad_avg"] if group["centered"] else []
        v, *_ = _started(state, p, *names)
        g = _decayed(p, gradient, group)
        v *= alpha
        v += (1 - alpha) * g * g
        spread = np.sqrt(v)
        if group["centered"]:
            mean = state["grad_avg"].array
            mean += (g - mean) * (1 - alpha)
            spread = np.sqrt(v - mean * mean)
        step = g / (spread + group["eps"])
        if group["momentum"] > 0:
            kept = state["momentum_buffer"].array
            kept *= group["momentum"]
            kept += step
            step = kept
        p -= group["lr"] * step
