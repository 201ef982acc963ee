"""`FakeQuantizeBase`: the switches, the observer, and the state of all fake quantization."""

import functools
import inspect
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from refquant import arguments, dtypes, engines
from refquant._turns import Turn, in_turn
from refquant.engines.workflow import Workflow
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.nn.module import Module
from refquant.quantization.observers import ranges
from refquant.quantization.observers.affine import STATES_WITH_EPS, UniformQuantizationObserverBase
from refquant.quantization.observers.factory import Factory
from refquant.quantization.observers.states import check_both_or_none, load_statistic
from refquant.tensors import Tensor, quantizer

__all__ = ["FakeQuantizeBase", "made_observer"]


def _no_observer(got: str) -> ArgumentTypeError:
    expected = "a class of observers, or a function that makes one"
    return ArgumentTypeError(argument="observer", expected=expected, got=got)


def _check_factory(observer: Any, keywords: Mapping[str, Any]) -> None:
    """Raise unless calling this with these keywords may make an observer."""
    other = isinstance(observer, type) and not issubclass(observer, Module)
    if not callable(observer) or isinstance(observer, Module) or other:
        raise _no_observer(arguments.describe(observer))
    if isinstance(observer, Factory):
        observer, keywords = observer.cls, observer._given(keywords)
    try:
        inspect.signature(observer).bind(**keywords)
    except TypeError as error:
        raise _no_observer(f"one that cannot be called so: {error}") from None
    except ValueError:  # it has no signature
        pass


def _limits(dtype: Any, quant_min: Any, quant_max: Any) -> tuple[int, int]:
    """Check a range of integers against that of the dtype of an observer."""
    low, high = arguments.integer("quant_min", quant_min), arguments.integer("quant_max", quant_max)
    least, most = ranges.FULL.get(dtype.name, (0, -1))
    if not least <= low < high <= most:
        raise ArgumentError(
            argument="quant_min, quant_max",
            got=f"{low}..{high}",
            expected=f"quant_min < quant_max, both in the range of {dtype}",
        )
    return low, high


def made_observer(observer: Any, quant_min, quant_max, is_dynamic: bool, keywords: dict) -> Any:
    """Make the observer of fake quantization, for the range of integers if one is given.

    Returns
    -------
    observer : Module
    limits : tuple of int
        The range that integers are clipped to.
    """
    _check_factory(observer, keywords)
    instance = observer(**keywords)
    if not isinstance(instance, Module):
        raise _no_observer(f"a function that makes {arguments.describe(instance)}")
    follows = getattr(instance, "workflow", engines.current().workflow)
    takes_range = isinstance(instance, UniformQuantizationObserverBase)
    halves = follows.reduced_range == "halved"
    if quant_min is None and quant_max is None:
        if halves and hasattr(instance, "quant_min"):
            if is_dynamic and takes_range:
                instance = observer(**keywords, is_dynamic=True)
            return instance, (instance.quant_min, instance.quant_max)
        quant_min, quant_max = (0, 255) if not halves else ranges.FULL[instance.dtype.name]
    low, high = _limits(instance.dtype, quant_min, quant_max)
    given = {"quant_min": low, "quant_max": high}
    if takes_range and halves:
        dynamic = {"is_dynamic": True} if is_dynamic else {}
        instance = observer(**keywords, **given, **dynamic)
        return instance, (instance.quant_min, instance.quant_max)
    if takes_range and (low, high) != ranges.FULL[instance.dtype.name]:
        instance = observer(**keywords, **given)
    return instance, (low, high)


class FakeQuantizeBase(Module):
    """A module that observes tensors and rounds them to what a quantizer can represent.

    Subclasses define `forward` and have an observer as ``activation_post_process``.

    Attributes
    ----------
    fake_quant_enabled, observer_enabled : Tensor of one number, or bool
        Whether to round, and whether to observe; bool under 1.4.

    Examples
    --------
    >>> from refquant.quantization import FakeQuantize, FakeQuantizeBase
    >>> issubclass(FakeQuantize, FakeQuantizeBase)
    True
    """

    scale: Any
    zero_point: Any
    _computing = ("forward", "calculate_qparams")
    _flags: tuple[str, ...] = ("fake_quant_enabled", "observer_enabled")
    _flag_type: type[np.generic] = np.uint8
    _shown: tuple[str, ...] = (
        "fake_quant_enabled", "observer_enabled", "quant_min", "quant_max", "dtype", "qscheme",
        "ch_axis", "scale", "zero_point",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        # Threads observe one after the other, each with a scale and zero point of one pair.
        self._turn = Turn()

    @classmethod
    def with_args(cls, **keywords: Any) -> Factory:
        """Choose arguments of the constructor; the result makes modules when called."""
        return Factory(cls, keywords)

    @property
    def workflow(self) -> Workflow:
        """The workflow that the observer follows."""
        found = getattr(self.activation_post_process, "workflow", None)
        return engines.current().workflow if found is None else found

    @property
    def path(self) -> str:
        """The path of the module in its model; the observer names it in errors."""
        return self.activation_post_process.path

    @path.setter
    def path(self, path: str) -> None:
        self.activation_post_process.path = path

    def _place(self) -> str:
        name = type(self).__name__
        return f"{name} of {self.path!r}" if self.path else name

    def _has_tensors(self) -> bool:
        """Whether switches and parameters are tensors from the start."""
        return self.workflow.states >= STATES_WITH_EPS

    def _start_flags(self) -> None:
        for name in self._flags:
            if self._has_tensors():
                self.register_buffer(name, Tensor(np.ones(1, self._flag_type)))
            else:
                setattr(self, name, True)

    def _switch(self, name: str, enabled: bool) -> None:
        enabled = arguments.switch("enabled", enabled)
        flag = getattr(self, name)
        if isinstance(flag, Tensor):
            flag.array[...] = enabled
        else:
            setattr(self, name, enabled)

    def enable_fake_quant(self, enabled: bool = True) -> Self:
        """Switch rounding on; returns the module."""
        self._switch("fake_quant_enabled", enabled)
        return self

    def disable_fake_quant(self) -> Self:
        """Switch rounding off; returns the module."""
        return self.enable_fake_quant(False)

    def enable_observer(self, enabled: bool = True) -> Self:
        """Switch observing on; returns the module."""
        self._switch("observer_enabled", enabled)
        return self

    def disable_observer(self) -> Self:
        """Switch observing off, which keeps scale and zero point; returns the module."""
        return self.enable_observer(False)

    def calculate_qparams(self, **keywords: Any) -> tuple[Any, ...]:
        """Choose scale and zero point for what the observer has seen."""
        return self.activation_post_process.calculate_qparams(**keywords)

    def explain(self) -> Any:
        """Explain how scale and zero point follow from what the observer has seen."""
        return self.activation_post_process.explain()

    def _repr_html_(self) -> str:
        return self.activation_post_process._repr_html_()

    # -- state ---------------------------------------------------------------------------------

    @in_turn
    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        names = [*(self._flags if self._has_tensors() else ()), "scale", "zero_point"]
        for name in names:
            value = getattr(self, name)
            kept = value is None or keep_vars
            destination[prefix + name] = value if kept else value.detach()

    def _load_flag(self, report, key: str, name: str) -> None:
        value = report.take(key, optional=True)
        if value is None:
            return
        number = np.asarray(value.array if isinstance(value, Tensor) else value)
        if number.size != 1 or number.reshape(-1)[0] not in (0, 1):
            report.error(key, "0 or 1", arguments.describe(value))
            return
        report.change(functools.partial(self._switch, name, bool(number.reshape(-1)[0])))

    def _load_from_state_dict(self, report, prefix: str) -> None:
        for name in self._flags:
            self._load_flag(report, prefix + name, name)
        check_both_or_none(report, prefix, ("scale", "zero_point"))
        keys = prefix + "scale", prefix + "zero_point"
        # Before anything was seen 1.4 has None; 2.13 keeps what it starts with.
        if self._has_tensors() and all(report.state.get(key, self) is None for key in keys):
            report.used.update(keys)
            return
        self._load_parameters(report, *keys)

    def _load_parameters(self, report, scale_key: str, point_key: str) -> None:
        storage = "float32" if self.qscheme is dtypes.per_channel_affine_float_qparams else "int64"
        shape = (-1,) if self.qscheme.is_per_channel else (1,)
        scale = load_statistic(report, self, "scale", scale_key, shape)
        point = load_statistic(report, self, "zero_point", point_key, shape, storage)
        if scale is not None:
            report.attempt(scale_key, quantizer.scale_values, "scale", scale)
        if point is None:
            return
        if self._has_tensors() and storage == "int64":
            kept = Tensor(point.astype(np.int32))
            report.change(functools.partial(setattr, self, "zero_point", kept))
        if storage == "int64" and ((point < self.quant_min) | (point > self.quant_max)).any():
            report.error(point_key, f"in {self.quant_min}..{self.quant_max}", point.tolist())
        if scale is not None and scale.shape != point.shape:
            report.error(
                f"{scale_key} and {point_key}",
                "as many of one as of the other",
                f"{scale.size} and {point.size}",
            )

    def extra_repr(self) -> str:
        """Show switches, range, parameters, and the release whose arithmetic is followed."""
        return f"{super().extra_repr()}, release={self.workflow.release}"
