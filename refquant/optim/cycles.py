"""Schedules of the step size that rise and fall, and change the momentum against it."""

import math
from collections.abc import Callable
from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ArgumentError
from refquant.optim.optimizer import Optimizer
from refquant.optim.schedules import LRScheduler, divisor, kept_of

__all__ = ["CyclicLR", "OneCycleLR"]


def _of_groups(argument: str, value: Any, optimizer: Optimizer) -> list[float]:
    """Return a number for each group of parameters; one stands for all."""
    count = len(optimizer.param_groups)
    given = list(value) if isinstance(value, list | tuple) else [value] * count
    if len(given) != count:
        raise ArgumentError(argument=argument, expected=f"{count} numbers", got=f"{len(given)}")
    return [arguments.number(argument, number) for number in given]


class _WithMomentum(LRScheduler):
    """Base class of schedules that set the momentum, too."""

    cycle_momentum: bool
    use_beta1: bool

    def _prepare_momentum(self, cycle: Any, base: Any, most: Any, last_epoch: int) -> None:
        """Check the ends of the momentum, and start at the larger one."""
        self.cycle_momentum = arguments.switch("cycle_momentum", cycle)
        if not self.cycle_momentum:
            return
        optimizer = self.optimizer
        if not {"momentum", "betas"} & set(optimizer.defaults):
            raise ArgumentError(
                argument="cycle_momentum",
                expected="False for an optimizer without momentum or betas",
                got=cycle,
            )
        self.use_beta1 = "betas" in optimizer.defaults
        self.base_momentums = _of_groups("base_momentum", base, optimizer)
        self.max_momentums = _of_groups("max_momentum", most, optimizer)
        if last_epoch != -1:
            return
        ends = zip(optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
        for group, low, high in ends:
            self._set_momentum(group, high)
            group["max_momentum"], group["base_momentum"] = high, low

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_WithMomentum):
    """The step size rises from `base_lr` to `max_lr` and falls again, the momentum against it.

    Parameters
    ----------
    %(scheduled)s
    base_lr : float or list of float
        The smallest step size, of each group of parameters if a list.
    max_lr : float or list of float
        The largest one of the first cycle.
    step_size_up : int, default 2000
        How many steps it rises.
    step_size_down : int, optional
        How many it falls; as many if not given.
    mode : {'triangular', 'triangular2', 'exp_range'}
        Whether the height of cycles stays, is halved each time, or is ``gamma**step``.
    gamma : float, default 1.0
        Of the last mode.
    scale_fn : callable, optional
        Takes the number of the cycle or step, and returns the height; in place of `mode`.
    scale_mode : {'cycle', 'iterations'}
        Which of them it takes.
    cycle_momentum : bool, default True
        Whether the momentum changes, too.
    base_momentum : float or list of float, default 0.8
        The smallest momentum.
    max_momentum : float or list of float, default 0.9
        The largest one, where the step size is smallest.
    last_epoch : int, default -1
        The step to go on after.

    Notes
    -----
    Source: Smith, "Cyclical learning rates for training neural networks", 2017.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.5, momentum=0.9)
    >>> scheduler = lr_scheduler.CyclicLR(optimizer, 0.25, 0.75, step_size_up=2)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    _left_out = ("optimizer", "_scale_fn_custom")

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = arguments.instance("optimizer", optimizer, Optimizer, "an optimizer")
        last_epoch = arguments.integer("last_epoch", last_epoch, -1)
        base_lrs = _of_groups("base_lr", base_lr, optimizer)
        self.max_lrs = _of_groups("max_lr", max_lr, optimizer)
        up = arguments.number("step_size_up", step_size_up, finite=True)
        if not up > 0:
            raise ArgumentError(argument="step_size_up", expected="above 0", got=up)
        down = up
        if step_size_down is not None:
            down = arguments.number("step_size_down", step_size_down, 0, finite=True)
        self.total_size = float(up + down)
        self.step_ratio = up / self.total_size
        if scale_fn is None:
            arguments.choice("mode", mode, ("triangular", "triangular2", "exp_range"))
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        else:
            arguments.function("scale_fn", scale_fn, given=1)
            arguments.choice("scale_mode", scale_mode, ("cycle", "iterations"))
        self.mode, self.scale_mode = mode, scale_mode
        self.gamma = arguments.number("gamma", gamma)
        self._scale_fn_custom = scale_fn
        self._prepare_momentum(cycle_momentum, base_momentum, max_momentum, last_epoch)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                group["lr"] = lr
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """Return the height of a cycle, or at a step."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 2.0 ** (1 - x) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self) -> list[float]:
        """Compute the step sizes of the present step, and set the momentum."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        rises = x <= self.step_ratio
        height = x / self.step_ratio if rises else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            ends = zip(self.base_momentums, self.max_momentums, strict=True)
            for group, (low, high) in zip(self.optimizer.param_groups, ends, strict=True):
                self._set_momentum(group, high - (high - low) * height * scale)
        ends = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * height * scale for low, high in ends]

    def state_dict(self) -> dict[str, Any]:
        """Collect where the schedule is; a function is None, an object its attributes."""
        function = self._scale_fn_custom
        kept = None if function is None else kept_of(function)
        return {**super().state_dict(), "_scale_fn_custom": kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where another schedule was; a function stays."""
        state = dict(arguments.mapping("state_dict", state_dict))
        kept = state.pop("_scale_fn_custom", None)
        if kept is not None:
            vars(self._scale_fn_custom).update(kept)
        super().load_state_dict(state)


class OneCycleLR(_WithMomentum):
    """The step size rises to `max_lr` and falls far below where it began, the momentum against it.

    Parameters
    ----------
    %(scheduled)s
    max_lr : float or list of float
        The largest step size, of each group of parameters if a list.
    total_steps : int, optional
        How many steps there are; `epochs` times `steps_per_epoch` if not given.
    epochs, steps_per_epoch : int, optional
        In place of `total_steps`.
    pct_start : float, default 0.3
        The share of the steps in which it rises.
    anneal_strategy : {'cos', 'linear'}
        The form of the way.
    cycle_momentum : bool, default True
        Whether the momentum changes, too.
    base_momentum : float or list of float, default 0.85
        The smallest momentum, where the step size is largest.
    max_momentum : float or list of float, default 0.95
        The largest one.
    div_factor : float, default 25.0
        How many times larger `max_lr` is than the first step size.
    final_div_factor : float, default 10000.0
        How many times larger the first step size is than the last.
    three_phase : bool, default False
        Whether the fall to the first step size takes as long as the rise.
    last_epoch : int, default -1
        The step to go on after.

    Notes
    -----
    Source: Smith and Topin, "Super-convergence: very fast training of neural networks using large
    learning rates", 2018.

    Examples
    --------
    >>> import refquant
    >>> from refquant.optim import SGD, lr_scheduler
    >>> optimizer = SGD([refquant.ones(1, requires_grad=True)], lr=0.5, momentum=0.9)
    >>> scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10, div_factor=4)
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = arguments.instance("optimizer", optimizer, Optimizer, "an optimizer")
        last_epoch = arguments.integer("last_epoch", last_epoch, -1)
        if total_steps is not None:
            self.total_steps = arguments.integer("total_steps", total_steps, 1)
        elif epochs is None or steps_per_epoch is None:
            raise ArgumentError(
                argument="total_steps", expected="a number, or epochs and steps_per_epoch", got=None
            )
        else:
            rounds = arguments.integer("epochs", epochs, 1)
            self.total_steps = rounds * arguments.integer("steps_per_epoch", steps_per_epoch, 1)
        share = arguments.number("pct_start", pct_start, 0)
        if share > 1:
            raise ArgumentError(argument="pct_start", expected="from 0 up to 1", got=pct_start)
        self._schedule_phases = self._phases(share, arguments.switch("three_phase", three_phase))
        self._anneal_func_type = arguments.choice(
            "anneal_strategy", anneal_strategy, ("cos", "linear")
        )
        max_lrs = _of_groups("max_lr", max_lr, optimizer)
        first = divisor("div_factor", div_factor)
        last = divisor("final_div_factor", final_div_factor)
        self._prepare_momentum(cycle_momentum, base_momentum, max_momentum, last_epoch)
        if last_epoch == -1:
            for group, high in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"], group["max_lr"] = high / first, high
                group["min_lr"] = group["initial_lr"] / last
        super().__init__(optimizer, last_epoch)

    def _phases(self, share: float, three: bool) -> list[dict[str, Any]]:
        """List the phases: their last step, and settings of a group at both ends."""
        end, rise = self.total_steps - 1, float(share * self.total_steps) - 1
        fall = float(2 * share * self.total_steps) - 2
        ways = [(rise, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
        if three:
            ways += [
                (fall, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                (end, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
            ]
        else:
            ways += [(end, "max_lr", "min_lr", "base_momentum", "max_momentum")]
        keys = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
        return [dict(zip(keys, way, strict=True)) for way in ways]

    def _between(self, start: float, end: float, part: float) -> float:
        if self._anneal_func_type == "linear":
            return (end - start) * part + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)

    def get_lr(self) -> list[float]:
        """Compute the step sizes of the present step, and set the momentum."""
        step, start = self.last_epoch, 0.0
        if step > self.total_steps:
            raise ArgumentError(
                argument="total_steps", expected=f"at least {step}", got=self.total_steps,
                hint="steps are over; make another schedule",
            )  # fmt: skip
        *before_last, phase = self._schedule_phases
        for earlier in before_last:
            if step <= earlier["end_step"]:
                phase = earlier
                break
            start = earlier["end_step"]
        length = phase["end_step"] - start
        part = (step - start) / length if length else 1.0  # a phase of one step is at its end
        steps = []
        for group in self.optimizer.param_groups:
            steps.append(self._between(group[phase["start_lr"]], group[phase["end_lr"]], part))
            if self.cycle_momentum:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, self._between(*ends, part))
        return steps


document(__name__)
