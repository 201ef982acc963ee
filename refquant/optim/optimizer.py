"""Base class of optimizers: parameter groups, state of each parameter, and state dicts."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError, ArgumentTypeError, NotSupportedError, StateError
from refquant.tensors import Tensor, autograd

__all__ = ["Optimizer"]

# Settings that are numbers of at least 0.
_AT_LEAST_0 = (
    "lr",
    "eps",
    "weight_decay",
    "momentum",
    "alpha",
    "lr_decay",
    "initial_accumulator_value",
)


class Optimizer:
    """Base class of the optimizers.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to learn; a dict has its parameters under ``'params'`` and settings of its own.
    defaults : dict
        Settings for parameters that have no own.

    Attributes
    ----------
    param_groups : list of dict
        Parameters under ``'params'``, and their settings.
    state : dict of Tensor to dict
        What is remembered for each parameter.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)
    >>> isinstance(optimizer, optim.Optimizer)
    True
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise ArgumentTypeError(
                argument="params",
                expected="an iterable of tensors or dicts",
                got="a tensor",
                hint="put it into a list",
            )
        groups = arguments.sequence("params", params, "an iterable of tensors or dicts")
        self.defaults = dict(arguments.mapping("defaults", defaults))
        self.param_groups: list[dict[str, Any]] = []
        self.steps = 0  # schedulers warn if they come first
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        if not groups:
            raise ArgumentError(argument="params", expected="at least one parameter", got="none")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own.

        Parameters
        ----------
        param_group : dict
            Parameters under ``'params'``; settings that are not there are the defaults.
        """
        arguments.mapping("param_group", param_group, "a dict with 'params'")
        if "params" not in param_group:
            raise ArgumentError(
                argument="param_group",
                expected="a dict with 'params'",
                got=f"keys {sorted(map(str, param_group))}",
            )
        params = param_group["params"]
        if not isinstance(params, Tensor):
            params = arguments.sequence("params", params, "an iterable of tensors")
        group = {
            **self.defaults,
            **param_group,
            "params": [params] if isinstance(params, Tensor) else params,
        }
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for parameter in group["params"]:
            arguments.instance("params", parameter, Tensor, "tensors that are leaves")
            if not parameter.is_leaf:
                raise ArgumentError(
                    argument="params",
                    expected="tensors that are leaves",
                    got="the result of a recorded operation",
                    hint="use detach().requires_grad_()",
                )
            if id(parameter) in known:
                raise ArgumentError(
                    argument="params", expected="every parameter once", got="one of them twice"
                )
            known.add(id(parameter))
        self._check(group)
        self.param_groups.append(group)

    def _check(self, group: dict[str, Any]) -> None:
        """Raise if settings are not valid."""
        for name in _AT_LEAST_0:
            if name in group:
                group[name] = arguments.number(name, group[name], 0)
        if "dampening" in group:
            group["dampening"] = arguments.number("dampening", group["dampening"])
        for name in ("nesterov", "amsgrad", "centered"):
            if name in group:
                group[name] = arguments.switch(name, group[name])

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters.

        Parameters
        ----------
        set_to_none : bool
            Whether they become None, or zeros.
        """
        set_to_none = arguments.switch("set_to_none", set_to_none)
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none:
                    parameter.grad = None
                elif parameter.grad is not None:
                    parameter.grad.array[...] = 0

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and its gradients anew, first.

        Returns
        -------
        Tensor or None
            What the closure returned.

        Raises
        ------
        ArgumentTypeError
            If the closure cannot be called without arguments.
        """
        self.steps += 1
        loss = None
        if closure is not None:
            arguments.function("closure", closure, given=0)
            with autograd.enable_grad():
                loss = closure()
        # A step that is too large makes infinity, then NaN.
        with autograd.no_grad(), np.errstate(all="ignore"):
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        state = self.state[parameter]
                        self._update(parameter, parameter.grad.array, group, state)
        return loss

    def _update(self, parameter: Tensor, gradient: np.ndarray, group: dict, state: dict) -> None:
        raise NotSupportedError(f"{type(self).__name__} has no rule", hint="define _update()")

    def state_dict(self) -> dict[str, Any]:
        """Collect settings and state; parameters are counted from 0.

        Returns
        -------
        dict
            ``'state'`` (number to dict) and ``'param_groups'``.
        """
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for parameter in group["params"]:
                numbers.setdefault(id(parameter), len(numbers))
            settings = {name: value for name, value in group.items() if name != "params"}
            groups.append({**settings, "params": [numbers[id(p)] for p in group["params"]]})
        kept = {numbers[id(p)]: state for p, state in self.state.items() if state}
        return {"state": kept, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load settings and state from the `state_dict` of another optimizer.

        Parameters
        ----------
        state_dict : dict
            As `state_dict` makes it.

        Raises
        ------
        StateError
            If the groups have other sizes, or something else does not fit; then nothing is
            changed.

        Examples
        --------
        >>> import refquant
        >>> first = refquant.optim.SGD([refquant.ones(2, requires_grad=True)], lr=0.1)
        >>> second = refquant.optim.SGD([refquant.ones(2, requires_grad=True)], lr=0.5)
        >>> second.load_state_dict(first.state_dict())
        >>> second.param_groups[0]["lr"]
        0.1
        """
        saved = copy.deepcopy(_state(state_dict))
        want = [len(g["params"]) for g in self.param_groups]
        got = [len(g["params"]) for g in saved["param_groups"]]
        if want != got:
            raise StateError(
                argument="param_groups", expected=f"groups of {want} parameters", got=got
            )
        numbered: dict[int, Tensor] = {}
        groups = []
        for group, new in zip(self.param_groups, saved["param_groups"], strict=True):
            numbered.update(zip(new["params"], group["params"], strict=True))
            groups.append({**group, **new, "params": group["params"]})
            self._check(groups[-1])
        kept = {str(number): parameter for number, parameter in numbered.items()}
        for number in saved["state"]:
            if str(number) not in kept:
                raise StateError(
                    argument="state",
                    expected=f"numbers of parameters, in {list(numbered)}",
                    got=arguments.describe(number),
                )
        # Nothing can fail from here on.
        for group, new in zip(self.param_groups, groups, strict=True):
            group.update(new)
        self.state.clear()
        self.state.update({kept[str(number)]: state for number, state in saved["state"].items()})

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {k}: {group[k]}" for k in sorted(group) if k != "params"]
        return "\n".join([*lines, ")"])


def _state(saved: Any) -> Any:
    """Check the form of what `Optimizer.state_dict` makes."""
    arguments.mapping("state_dict", saved, "the state_dict() of an optimizer")
    for name, kind, expected in (("state", dict, "a dict"), ("param_groups", list, "a list")):
        if not isinstance(saved.get(name), kind):
            raise StateError(
                argument=f"state_dict[{name!r}]",
                expected=expected,
                got=arguments.describe(saved.get(name)),
                hint="make it with the state_dict() of an optimizer",
            )
    for number, state in saved["state"].items():
        arguments.mapping(f"state_dict['state'][{number!r}]", state)
    for group in saved["param_groups"]:
        if not isinstance(group, dict) or not isinstance(group.get("params"), list):
            raise StateError(
                argument="state_dict['param_groups']",
                expected="dicts with a list of numbers under 'params'",
                got=arguments.describe(group),
            )
    return saved
