"""What optimizers share: groups of parameters, what is remembered for each, and state dicts."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from refquant.errors import ArgumentError, ArgumentTypeError, NotSupportedError, StateError
from refquant.tensors import Tensor, autograd

__all__ = ["Optimizer"]


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

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        if isinstance(params, Tensor):
            raise ArgumentTypeError(
                type(self).__name__,
                argument="params",
                expected="an iterable of tensors or dicts",
                got="a tensor",
                mend="put it into a list",
            )
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        groups = list(params)
        if not groups:
            raise ArgumentError(
                type(self).__name__,
                argument="params",
                expected="at least one parameter",
                got="none",
            )
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own.

        Parameters
        ----------
        param_group : dict
            Parameters under ``'params'``; settings that are not there are the defaults.
        """
        params = param_group["params"]
        group = {
            **self.defaults,
            **param_group,
            "params": [params] if isinstance(params, Tensor) else list(params),
        }
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for parameter in group["params"]:
            if not isinstance(parameter, Tensor) or not parameter.is_leaf:
                raise ArgumentTypeError(
                    type(self).__name__,
                    argument="params",
                    expected="tensors that are leaves",
                    got=type(parameter).__name__,
                )
            if id(parameter) in known:
                raise ArgumentError(
                    type(self).__name__,
                    argument="params",
                    expected="every parameter once",
                    got="one of them twice",
                )
            known.add(id(parameter))
        self._check(group)
        self.param_groups.append(group)

    def _check(self, group: dict[str, Any]) -> None:
        """Refuse settings that are not valid."""
        for name in ("lr", "eps", "weight_decay", "momentum"):
            if not group.get(name, 0) >= 0:
                raise ArgumentError(
                    type(self).__name__, argument=name, expected="not negative", got=group[name]
                )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters.

        Parameters
        ----------
        set_to_none : bool
            Whether they become None, or zeros.
        """
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
        """
        loss = None
        if closure is not None:
            with autograd.enable_grad():
                loss = closure()
        with autograd.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        state = self.state[parameter]
                        self._update(parameter, parameter.grad.array, group, state)
        return loss

    def _update(
        self,
        parameter: Tensor,
        gradient: np.ndarray,
        group: dict[str, Any],
        state: dict[str, Any],
    ) -> None:
        raise NotSupportedError(f"{type(self).__name__} has no rule", mend="define _update()")

    def state_dict(self) -> dict[str, Any]:
        """Collect the settings and what is remembered; parameters are counted from 0.

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
        """Take settings and what was remembered from `state_dict` of another optimizer.

        Raises
        ------
        StateError
            If the groups have other sizes; then nothing is changed.
        """
        saved = copy.deepcopy(state_dict)
        want = [len(g["params"]) for g in self.param_groups]
        got = [len(g["params"]) for g in saved["param_groups"]]
        if want != got:
            raise StateError(
                "load_state_dict",
                argument="param_groups",
                expected=f"groups of {want} parameters",
                got=got,
            )
        numbered: dict[int, Tensor] = {}
        for group, new in zip(self.param_groups, saved["param_groups"], strict=True):
            numbered.update(zip(new["params"], group["params"], strict=True))
            group.update({k: v for k, v in new.items() if k != "params"})
        self.state.clear()
        for number, state in saved["state"].items():
            self.state[numbered[int(number)]] = state

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {k}: {group[k]}" for k in sorted(group) if k != "params"]
        return "\n".join([*lines, ")"])
