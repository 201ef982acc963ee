"""Schedules of the step size that follow a curve, or what was reached."""

import math
from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ArgumentError
from refquant.optim.optimizer import Optimizer
from refquant.optim.schedules import LRScheduler

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts", "ReduceLROnPlateau"]


class CosineAnnealingLR(LRScheduler):
    r"""Half a cosine from the first step size to `eta_min`.

    .. math::
        \eta_t = \eta_{min} + (\eta_0 - \eta_{min}) \frac{1 + \cos(\pi t / T)}{2},

    computed from the step size before it, so that schedules can be chained.

    Parameters
    ----------
    %(scheduled)s
    T_max : int
        Epochs until `eta_min` is reached.
    eta_min : float, default 0.0
        The last step size.
    last_epoch : int, default -1
        The epoch to go on after.

    Notes
    -----
    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = arguments.number("T_max", T_max, 1)
        self.eta_min = arguments.number("eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Compute the step sizes of the present epoch from those before it."""
        if self._first:
            return self._present()
        t, last, low = self.last_epoch, self.T_max, self.eta_min
        if (t - 1 - last) % (2 * last) == 0:
            rise = (1 - math.cos(math.pi / last)) / 2
            pairs = zip(self._present(), self.base_lrs, strict=True)
            return [lr + (base - low) * rise for lr, base in pairs]
        ratio = (1 + math.cos(math.pi * t / last)) / (1 + math.cos(math.pi * (t - 1) / last))
        return [ratio * (lr - low) + low for lr in self._present()]

    def _at_once(self) -> list[float]:
        height = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (lr - self.eta_min) * height / 2 for lr in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine from the first step size to `eta_min`, again and again.

    Parameters
    ----------
    %(scheduled)s
    T_0 : int
        Epochs of the first run.
    T_mult : int, default 1
        How many times longer each run is than the one before.
    eta_min : float, default 0.0
        The smallest step size.
    last_epoch : int, default -1
        The epoch to go on after.

    Notes
    -----
    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> for _ in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr())
    [0.25]
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.T_0 = self.T_i = arguments.integer("T_0", T_0, 1)
        self.T_mult = arguments.integer("T_mult", T_mult, 1)
        self.eta_min = arguments.number("eta_min", eta_min)
        self.T_cur: float = arguments.integer("last_epoch", last_epoch, -1)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Compute the step sizes of the present place in a run."""
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (lr - self.eta_min) * height / 2 for lr in self.base_lrs]

    def _start(self) -> None:
        self._step_count = 0
        self._go(0 if self.last_epoch < 0 else None)

    def step(self, epoch: float | None = None) -> None:
        """Go to the next epoch.

        Parameters
        ----------
        epoch : float, optional
            Go to this one instead; fractions lie within an epoch.
        """
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        self._go(None if epoch is None else arguments.number("epoch", epoch, 0, finite=True))

    def _go(self, epoch: float | None) -> None:
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
        elif epoch < self.T_0:
            self.T_cur, self.T_i = epoch, self.T_0
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            growth = self.T_mult - 1
            runs = int(math.log(epoch / self.T_0 * growth + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**runs - 1) / growth
            self.T_i = self.T_0 * self.T_mult**runs
        self._set(math.floor(epoch))


class ReduceLROnPlateau(LRScheduler):
    """The step size times `factor` when a measure has not improved for some epochs.

    Parameters
    ----------
    %(scheduled)s
    mode : {'min', 'max'}
        Whether a smaller or a larger measure is better.
    factor : float, default 0.1
        Below 1.
    patience : int, default 10
        Epochs without improvement that are tolerated.
    threshold : float, default 0.0001
        How much better counts as an improvement.
    threshold_mode : {'rel', 'abs'}
        Whether that is a ratio or a difference.
    cooldown : int, default 0
        Epochs after a reduction that do not count.
    min_lr : float or list of float, default 0
        The smallest step size, of each group of parameters if a list.
    eps : float, default 1e-08
        A smaller reduction is left out.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 3.0, 3.0):
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        self.optimizer = arguments.instance("optimizer", optimizer, Optimizer, "an optimizer")
        self.factor = arguments.number("factor", factor, 0)
        if not self.factor < 1:
            raise ArgumentError(argument="factor", expected="below 1", got=factor)
        self.mode = arguments.choice("mode", mode, ("min", "max"))
        self.threshold_mode = arguments.choice("threshold_mode", threshold_mode, ("rel", "abs"))
        self.threshold = arguments.number("threshold", threshold)
        self.patience = arguments.integer("patience", patience, 0)
        self.cooldown = arguments.integer("cooldown", cooldown, 0)
        self.eps = arguments.number("eps", eps, 0)
        count = len(optimizer.param_groups)
        listed = isinstance(min_lr, list | tuple)
        smallest = arguments.sequence("min_lr", min_lr) if listed else [min_lr] * count
        self.min_lrs = [arguments.number("min_lr", value, 0) for value in smallest]
        if len(self.min_lrs) != count:
            raise ArgumentError(
                argument="min_lr", expected=f"{count} numbers", got=f"{len(self.min_lrs)}"
            )
        self.default_min_lr = None if listed else self.min_lrs[0] if count else 0
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.best = self.mode_worse
        self.last_epoch = self.cooldown_counter = self.num_bad_epochs = 0
        self._last_lr = self._present()

    @property
    def in_cooldown(self) -> bool:
        """Whether epochs do not count now."""
        return self.cooldown_counter > 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Go to the next epoch.

        Parameters
        ----------
        metrics : float or Tensor
            The measure that was reached.
        epoch : int, optional
            The number of the epoch.
        """
        reached = arguments.real("metrics", metrics)
        self.last_epoch = (
            self.last_epoch + 1 if epoch is None else arguments.integer("epoch", epoch)
        )
        if self._is_better(reached):
            self.best, self.num_bad_epochs = reached, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._present()

    def _is_better(self, reached: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        if self.threshold_mode == "abs":
            return sign * reached < sign * self.best - self.threshold
        return sign * reached < sign * (self.best * (1 - sign * self.threshold))

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=False):
            new = max(group["lr"] * self.factor, least)
            if group["lr"] - new > self.eps:
                group["lr"] = new


document(__name__)
