"""State dicts of observers: the layouts of PyTorch 1.4 and 2.13, both of which can be loaded."""

import functools
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import StateError
from refquant.nn import state
from refquant.nn.module import Module
from refquant.tensors import Tensor

__all__ = [
    "check_both_or_none",
    "get_observer_state_dict",
    "load_observer_state_dict",
    "load_range",
    "load_statistic",
    "save_statistics",
]


def save_statistics(
    module: Any, names: dict[str, str], destination: dict, prefix: str, keep_vars: bool
) -> None:
    """Write attributes under the names that the state has for them."""
    for attribute, name in names.items():
        value = getattr(module, attribute)
        kept = value is None or keep_vars
        destination[prefix + name] = value if kept else value.detach()


def check_both_or_none(report, prefix: str, names: tuple[str, ...]) -> None:
    """Report an error if only one of two statistics that belong together is None."""
    values = [report.state[prefix + name] for name in names if prefix + name in report.state]
    if len({value is None for value in values}) > 1:
        keys = " and ".join(prefix + name for name in names)
        report.error(keys, "both None or neither", "None for one of them")


def load_statistic(
    report, module: Module, name: str, key: str, shape: tuple, storage: str = "float32"
) -> np.ndarray | None:
    """Schedule a statistic for loading: None, or finite numbers of a shape, which are returned."""
    value = report.take(key)
    if value is None:
        if key in report.state:
            report.change(functools.partial(setattr, module, name, None))
        return None
    array = state.numbers(report, key, value, storage)
    if array is None:
        return None
    if shape == () and array.shape == (1,):
        array = array.reshape(())
    fits = array.ndim == len(shape) and all(
        n in (-1, m) for n, m in zip(shape, array.shape, strict=True)
    )
    if not fits or not np.isfinite(array).all():
        wanted = f"None or {storage} of shape {shape}".replace("-1", "n")
        report.error(key, wanted, f"shape {array.shape}" if not fits else "NaN or infinity")
        return None
    report.change(functools.partial(setattr, module, name, Tensor(array)))
    return array


def _is_nothing(values: list[Any]) -> bool:
    """Whether both ends say that nothing was seen: None, no elements, or inf and -inf."""
    if values[0] is None and values[1] is None:
        return True
    try:
        low, high = (np.asarray(v.array if isinstance(v, Tensor) else v, float) for v in values)
    except (TypeError, ValueError):
        return False
    empty = low.size == 0 and high.size == 0
    return empty or bool((low == np.inf).all() and (high == -np.inf).all())


def load_range(report, module: Any, prefix: str, shape: tuple) -> None:
    """Schedule the ends of a range for loading, under the names of either layout."""
    plural = prefix + "min_vals" in report.state or prefix + "max_vals" in report.state
    keys = [prefix + name + ("s" if plural else "") for name in ("min_val", "max_val")]
    if not plural and not any(key in report.state for key in keys):
        keys = [prefix + name for name in module._state_names()[-2:]]
    if all(key in report.state for key in keys) and _is_nothing([report.state[k] for k in keys]):
        report.used.update(keys)
        report.change(module.reset_range)
        return
    check_both_or_none(report, "", tuple(keys))
    low, high = (
        load_statistic(report, module, name, key, shape)
        for name, key in zip(("min_val", "max_val"), keys, strict=True)
    )
    if low is None or high is None:
        return
    # Moving averages of one number and itself may cross by a rounding error.
    slack = 1e-6 * np.abs(low)
    if low.shape != high.shape or (low > high + slack).any():
        wanted, got = (
            "ends of ranges, the smaller ones first",
            f"{low.tolist()} and {high.tolist()}",
        )
        report.error(" and ".join(keys), wanted, got)


def get_observer_state_dict(mod: Module) -> OrderedDict:
    """Collect what the observers of a prepared model have seen, without its weights.

    Parameters
    ----------
    mod : Module
        A prepared model.

    Returns
    -------
    OrderedDict of str to Tensor

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> model = nn.Sequential(quantization.QuantStub())
    >>> model.qconfig = quantization.default_qconfig
    >>> prepared = quantization.prepare(model.eval())
    >>> list(quantization.get_observer_state_dict(prepared))[-1]
    '0.activation_post_process.max_val'
    """
    found = arguments.instance("mod", mod, Module, "a module").state_dict()
    return OrderedDict(
        (key, value) for key, value in found.items() if "activation_post_process" in key
    )


def load_observer_state_dict(mod: Module, obs_dict: Mapping[str, Any]) -> None:
    """Give the observers of a prepared model what others have seen.

    Parameters
    ----------
    mod : Module
        A prepared model.
    obs_dict : mapping of str to Tensor
        As `get_observer_state_dict` makes it.

    Raises
    ------
    StateError
        If observers are missing or there are keys of others; nothing is changed.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> model = nn.Sequential(quantization.QuantStub())
    >>> model.qconfig = quantization.default_qconfig
    >>> prepared = quantization.prepare(model.eval())
    >>> seen = quantization.get_observer_state_dict(prepared)
    >>> quantization.load_observer_state_dict(prepared, seen)
    """
    own = set(get_observer_state_dict(mod))
    arguments.mapping("obs_dict", obs_dict)
    unexpected = [key for key in obs_dict if key not in own]
    missing = [key for key in own if key not in obs_dict]
    if missing or unexpected:
        raise StateError(
            argument="obs_dict",
            expected="the keys of all observers of the model",
            got=f"missing {sorted(missing)}, unexpected {unexpected}",
            hint="prepare the model as the one whose observers were saved",
        )
    mod.load_state_dict(obs_dict, strict=False)
