"""Schedules of the step size, as functions of the number of epochs."""

import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ArgumentError, NotSupportedError, StateError
from refquant.optim.optimizer import Optimizer

__all__ = [
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "MultiStepLR",
    "StepLR",
]


class LRScheduler:
    """Base class of schedules that count epochs.

    Parameters
    ----------
    %(scheduled)s
    last_epoch : int, default -1
        The epoch to go on after; -1 starts.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.1)
    >>> isinstance(lr_scheduler.StepLR(optimizer, 2), lr_scheduler.LRScheduler)
    True
    """

    _left_out: tuple[str, ...] = ("optimizer",)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = arguments.instance("optimizer", optimizer, Optimizer, "an optimizer")
        last_epoch = arguments.integer("last_epoch", last_epoch, -1)
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise StateError(
                    argument=f"optimizer.param_groups[{number}]",
                    expected="'initial_lr', as the first schedule sets it",
                    got=f"keys {sorted(group)}",
                    hint="load the state_dict() of the optimizer first, or start at -1",
                )
        self.base_lrs: list[float] = [g["initial_lr"] for g in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._started_at = optimizer.steps
        self._start()

    def _start(self) -> None:
        """Set the step sizes of the first epoch."""
        self._step_count = 0
        self._set(self.last_epoch + 1, first=True)

    def get_lr(self) -> list[float]:
        """Compute the step sizes of the present epoch from those before it."""
        raise NotSupportedError(f"{type(self).__name__} has no rule", hint="define get_lr(self)")

    def get_last_lr(self) -> list[float]:
        """Return the step sizes that were set last."""
        return self._last_lr

    def _at_once(self) -> list[float] | None:
        """Compute the step sizes of the present epoch alone, if there is a formula."""
        return None

    def _set(self, epoch: int, first: bool = False, alone: bool = False) -> None:
        before = self.last_epoch
        self.last_epoch, self._first = epoch, first
        try:
            values = self._at_once() if alone else None
            values = self.get_lr() if values is None else values
        except BaseException:
            self.last_epoch = before
            raise
        self._step_count += 1
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            group["lr"] = value
        self._last_lr: list[float] = [group["lr"] for group in self.optimizer.param_groups]

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch.

        Parameters
        ----------
        epoch : int, optional
            Go to this one instead.
        """
        if self._step_count == 1 and self.optimizer.steps == self._started_at and epoch is None:
            warnings.warn(
                "scheduler.step() comes before optimizer.step(), so that the first step size is "
                "never used: call optimizer.step() first",
                stacklevel=2,
            )
        if epoch is None:
            self._set(self.last_epoch + 1)
        else:
            self._set(arguments.integer("epoch", epoch, 0), alone=True)

    def state_dict(self) -> dict[str, Any]:
        """Collect what the schedule is and where it is; without the optimizer.

        Returns
        -------
        dict
        """
        left_out = (*self._left_out, "_first", "_started_at")
        return {name: value for name, value in vars(self).items() if name not in left_out}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where another schedule was.

        Parameters
        ----------
        state_dict : dict
            From `state_dict`.
        """
        vars(self).update(arguments.mapping("state_dict", state_dict))

    def _present(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]


def divisor(argument: str, value: Any) -> float:
    """Return a number to divide by."""
    number = arguments.number(argument, value)
    if not number:
        raise ArgumentError(argument=argument, expected="other than 0", got=value)
    return number


def kept_of(function: Any) -> dict[str, Any] | None:
    """Return what a state keeps of a callable: the attributes of an object, None of a function."""
    return None if hasattr(function, "__code__") else dict(vars(function))


class LambdaLR(LRScheduler):
    """The first step size times a function of the epoch.

    Parameters
    ----------
    %(scheduled)s
    lr_lambda : callable, or list of callable
        Takes the epoch and returns the factor; one for each group of parameters, if a list.
    last_epoch : int, default -1
        The epoch to go on after.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.8)
    >>> scheduler = lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (epoch + 1))
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.4]
    """

    _left_out = ("optimizer", "lr_lambdas")

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        arguments.instance("optimizer", optimizer, Optimizer, "an optimizer")
        count = len(optimizer.param_groups)
        given = list(lr_lambda) if isinstance(lr_lambda, list | tuple) else [lr_lambda] * count
        if len(given) != count:
            raise ArgumentError(
                argument="lr_lambda", expected=f"{count} functions", got=f"{len(given)}"
            )
        for function in given:
            arguments.function("lr_lambda", function, given=1)
        self.lr_lambdas = given
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Compute the step sizes of the present epoch."""
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base * function(self.last_epoch) for base, function in pairs]

    def state_dict(self) -> dict[str, Any]:
        """Collect where the schedule is; functions are None, objects their attributes."""
        kept = [kept_of(function) for function in self.lr_lambdas]
        return {**super().state_dict(), "lr_lambdas": kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where another schedule was; functions stay."""
        state = dict(arguments.mapping("state_dict", state_dict))
        for function, kept in zip(self.lr_lambdas, state.pop("lr_lambdas", []), strict=False):
            if kept is not None:
                vars(function).update(kept)
        super().load_state_dict(state)


class StepLR(LRScheduler):
    """The step size times `gamma` after every `step_size` epochs.

    Parameters
    ----------
    %(scheduled)s
    step_size : int
        How many epochs a step size lasts.
    gamma : float, default 0.1
        The factor.
    last_epoch : int, default -1
        The epoch to go on after.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(scheduler.get_last_lr())
    [0.5]
    [0.25]
    [0.25]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = arguments.integer("step_size", step_size, 1)
        self.gamma = arguments.number("gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Compute the step sizes of the present epoch from those before it."""
        if self.last_epoch == 0 or self.last_epoch % self.step_size != 0:
            return self._present()
        return [lr * self.gamma for lr in self._present()]

    def _at_once(self) -> list[float]:
        return [lr * self.gamma ** (self.last_epoch // self.step_size) for lr in self.base_lrs]


class MultiStepLR(LRScheduler):
    """The step size times `gamma` at given epochs.

    Parameters
    ----------
    %(scheduled)s
    milestones : iterable of int
        The epochs.
    gamma : float, default 0.1
        The factor.
    last_epoch : int, default -1
        The epoch to go on after.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = lr_scheduler.MultiStepLR(optimizer, [1, 3], gamma=0.5)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        epochs = arguments.sequence("milestones", milestones, "numbers of epochs")
        self.milestones = Counter(arguments.integer("milestones", epoch) for epoch in epochs)
        self.gamma = arguments.number("gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Compute the step sizes of the present epoch from those before it."""
        times = self.milestones[self.last_epoch]
        return [lr * self.gamma**times for lr in self._present()] if times else self._present()

    def _at_once(self) -> list[float]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [lr * self.gamma**passed for lr in self.base_lrs]


class ExponentialLR(LRScheduler):
    """The step size times `gamma` after every epoch.

    Parameters
    ----------
    %(scheduled)s
    gamma : float
        The factor.
    last_epoch : int, default -1
        The epoch to go on after.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = arguments.number("gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Compute the step sizes of the present epoch from those before it."""
        return self._present() if self._first else [lr * self.gamma for lr in self._present()]

    def _at_once(self) -> list[float]:
        return [lr * self.gamma**self.last_epoch for lr in self.base_lrs]


document(__name__)
