"""Schedules of the step size that warm up, fade out, or follow one another."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ArgumentError
from refquant.optim.annealing import ReduceLROnPlateau
from refquant.optim.optimizer import Optimizer
from refquant.optim.schedules import LRScheduler, divisor

__all__ = ["ConstantLR", "LinearLR", "PolynomialLR", "SequentialLR"]


def _share(argument: str, value: Any, zero: bool = True) -> float:
    """Check a factor between 0 and 1."""
    number = arguments.number(argument, value)
    if not 0 <= number <= 1 or (number == 0 and not zero):
        least = "from 0" if zero else "above 0 and"
        raise ArgumentError(argument=argument, expected=f"{least} up to 1", got=value)
    return number


class ConstantLR(LRScheduler):
    """The first step size times `factor`, for some epochs.

    Parameters
    ----------
    %(scheduled)s
    factor : float, default 1/3
        From 0 to 1.
    total_iters : int, default 5
        How many epochs.
    last_epoch : int, default -1
        The epoch to go on after.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=1)
    >>> scheduler.get_last_lr()
    [0.25]
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.factor = _share("factor", factor)
        self.total_iters = arguments.integer("total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Compute the step sizes of the present epoch from those before it."""
        if self.last_epoch == 0:
            return [lr * self.factor for lr in self._present()]
        if self.last_epoch != self.total_iters:
            return self._present()
        if not self.factor:
            raise ArgumentError(
                argument="factor", expected="above 0, as step sizes are divided by it", got=0.0
            )
        return [lr * (1.0 / self.factor) for lr in self._present()]

    def _at_once(self) -> list[float]:
        factor = self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)
        return [lr * factor for lr in self.base_lrs]


class LinearLR(LRScheduler):
    """The first step size times a factor that changes evenly.

    Parameters
    ----------
    %(scheduled)s
    start_factor : float, default 1/3
        The first factor, above 0 and up to 1.
    end_factor : float, default 1.0
        The last one, from 0 to 1.
    total_iters : int, default 5
        After how many epochs the last one is reached.
    last_epoch : int, default -1
        The epoch to go on after.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.375]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = _share("start_factor", start_factor, zero=False)
        self.end_factor = _share("end_factor", end_factor)
        self.total_iters = arguments.integer("total_iters", total_iters, 0)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Compute the step sizes of the present epoch from those before it."""
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in self._present()]
        if self._first or self.last_epoch > self.total_iters:
            return self._present()
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * rise
        return [lr * (1.0 + rise / before) for lr in self._present()]

    def _at_once(self) -> list[float]:
        rise, total = self.end_factor - self.start_factor, divisor("total_iters", self.total_iters)
        passed = min(total, self.last_epoch)
        return [lr * (self.start_factor + rise * passed / total) for lr in self.base_lrs]


class PolynomialLR(LRScheduler):
    r"""The first step size times :math:`(1 - t / T)^p`, 0 from epoch T on.

    Parameters
    ----------
    %(scheduled)s
    total_iters : int, default 5
        The epoch T.
    power : float, default 1.0
        The exponent p.
    last_epoch : int, default -1
        The epoch to go on after.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = lr_scheduler.PolynomialLR(optimizer, total_iters=2)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_iters = arguments.integer("total_iters", total_iters, 0)
        self.power = arguments.number("power", power, 0)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Compute the step sizes of the present epoch from those before it."""
        if self._first or self.last_epoch > self.total_iters:
            return self._present()
        left = 1.0 - self.last_epoch / self.total_iters
        before = 1.0 - (self.last_epoch - 1) / self.total_iters
        return [lr * (left / before) ** self.power for lr in self._present()]

    def _at_once(self) -> list[float]:
        total = divisor("total_iters", self.total_iters)
        left = 1.0 - min(total, self.last_epoch) / total
        return [lr * left**self.power for lr in self.base_lrs]


class SequentialLR(LRScheduler):
    """Schedules that follow one another.

    Parameters
    ----------
    %(scheduled)s
    schedulers : sequence of LRScheduler
        Of this optimizer; each starts anew at its milestone.
    milestones : sequence of int
        The epochs at which the second and each later one starts.
    last_epoch : int, default -1
        The epoch to go on after.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.5)
    >>> first = lr_scheduler.ConstantLR(optimizer, factor=0.5)
    >>> second = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = lr_scheduler.SequentialLR(optimizer, [first, second], milestones=[1])
    >>> scheduler.get_last_lr()
    [0.25]
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    _left_out = ("optimizer", "_schedulers")

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = arguments.instance("optimizer", optimizer, Optimizer, "an optimizer")
        self._schedulers = arguments.sequence("schedulers", schedulers, "schedules")
        if not self._schedulers:
            raise ArgumentError(argument="schedulers", expected="at least one schedule", got="none")
        for number, scheduler in enumerate(self._schedulers):
            name = f"schedulers[{number}]"
            arguments.instance(name, scheduler, LRScheduler, "a schedule")
            if isinstance(scheduler, ReduceLROnPlateau) or scheduler.optimizer is not optimizer:
                raise ArgumentError(
                    argument=name,
                    expected="a schedule of the same optimizer that needs no measure",
                    got=arguments.describe(scheduler),
                )
        given = arguments.sequence("milestones", milestones, "numbers of epochs")
        self._milestones = [arguments.integer("milestones", epoch) for epoch in given]
        if len(self._milestones) != len(self._schedulers) - 1:
            raise ArgumentError(
                argument="milestones",
                expected=f"one fewer than the {len(self._schedulers)} schedules",
                got=f"{len(self._milestones)}",
            )
        self.last_epoch = arguments.integer("last_epoch", last_epoch, -1) + 1
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self._undo()
        scheduler = self._schedulers[bisect_right(self._milestones, 0)]
        scheduler._start()
        self._last_lr = scheduler.get_last_lr()

    def _undo(self) -> None:
        """Take back the first step that the schedules took when they were made."""
        for scheduler in self._schedulers:
            if isinstance(scheduler, SequentialLR):
                scheduler._undo()
            else:
                scheduler.last_epoch -= 1

    def _start(self) -> None:
        self.step()

    def step(self) -> None:  # type: ignore[override]
        """Go to the next epoch."""
        self.last_epoch += 1
        number = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[number]
        if number and self._milestones[number - 1] == self.last_epoch:
            scheduler._set(0, alone=True)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """Collect where this schedule is, and each of those that follow one another."""
        states = [scheduler.state_dict() for scheduler in self._schedulers]
        return {**super().state_dict(), "_schedulers": states}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where another schedule was."""
        state = dict(arguments.mapping("state_dict", state_dict))
        states = arguments.sequence("state_dict", state.pop("_schedulers", []), "states")
        super().load_state_dict(state)
        for scheduler, its in zip(self._schedulers, states, strict=False):
            scheduler.load_state_dict(its)


document(__name__)
