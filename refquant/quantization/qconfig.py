"""`QConfig`: which observers a module gets, and the default for each engine."""

from collections import namedtuple
from collections.abc import Callable
from typing import Any, Self

from refquant import dtypes, engines
from refquant._operation import operation_name
from refquant.errors import ArgumentError, EngineError
from refquant.nn.containers import Identity
from refquant.nn.module import Module
from refquant.quantization.fake_quantize import (
    FakeQuantize,
    default_fake_quant,
    default_per_channel_weight_fake_quant,
    default_weight_fake_quant,
)
from refquant.quantization.observers.defaults import (
    default_debug_observer,
    default_observer,
    default_per_channel_weight_observer,
    default_weight_observer,
)
from refquant.quantization.observers.histogram import HistogramObserver
from refquant.quantization.observers.minmax import MinMaxObserver
from refquant.quantization.observers.moving_average import MovingAverageMinMaxObserver
from refquant.quantization.observers.noop import NoopObserver

__all__ = [
    "QConfig",
    "QConfigDynamic",
    "default_activation_only_qconfig",
    "default_debug_qconfig",
    "default_dynamic_qconfig",
    "default_per_channel_qconfig",
    "default_qat_qconfig",
    "default_qconfig",
    "default_weight_only_qconfig",
    "float16_dynamic_qconfig",
    "get_default_qat_qconfig",
    "get_default_qconfig",
    "per_channel_dynamic_qconfig",
]


def _check_factory(argument: str, value) -> None:
    """Raise if a recipe holds an observer instead of a class or factory of observers."""
    if isinstance(value, Module):
        name = type(value).__name__
        raise ArgumentError(
            argument=argument,
            expected="an observer class or factory",
            got=f"an instance of {name}",
            hint=f"pass {name}, or {name}.with_args(...) to choose arguments: every module needs "
            "an observer of its own",
        )
    if not callable(value):
        raise ArgumentError(
            argument=argument,
            expected="an observer class or factory",
            got=repr(value),
            hint="pass for example MinMaxObserver.with_args(dtype=refquant.qint8)",
        )


class QConfig(namedtuple("QConfig", ["activation", "weight"])):
    """How to quantize a module: factories of observers for its output and its weight.

    Parameters
    ----------
    activation, weight : type or Factory
        Called without arguments, each returns an observer or a `FakeQuantize`.

    Raises
    ------
    ArgumentError
        If an observer is given instead of a factory.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import MinMaxObserver, QConfig, default_weight_observer
    >>> QConfig(activation=MinMaxObserver.with_args(reduce_range=True),
    ...         weight=default_weight_observer) == refquant.quantization.default_qconfig
    True
    """

    __slots__ = ()

    def __new__(cls, activation: Callable[..., Any], weight: Callable[..., Any]) -> Self:
        """Check both and keep them."""
        _check_factory("activation", activation)
        _check_factory("weight", weight)
        return super().__new__(cls, activation, weight)


class QConfigDynamic(namedtuple("QConfigDynamic", ["weight"])):
    """How to quantize a module dynamically: the factory of an observer for its weight.

    Parameters
    ----------
    weight : type or Factory
        Called without arguments, it returns an observer.

    Raises
    ------
    ArgumentError
        If an observer is given instead of a factory.

    Examples
    --------
    >>> import refquant
    >>> from refquant import quantization
    >>> qconfig = quantization.QConfigDynamic(weight=quantization.default_weight_observer)
    >>> type(qconfig.weight()).__name__
    'MinMaxObserver'
    """

    __slots__ = ()

    def __new__(cls, weight: Callable[..., Any]) -> Self:
        """Check it and keep it."""
        _check_factory("weight", weight)
        return super().__new__(cls, weight)


default_qconfig = QConfig(default_observer, default_weight_observer)
default_debug_qconfig = QConfig(default_debug_observer, default_weight_observer)
default_per_channel_qconfig = QConfig(default_observer, default_per_channel_weight_observer)
default_qat_qconfig = QConfig(default_fake_quant, default_weight_fake_quant)
default_weight_only_qconfig = QConfig(Identity, default_weight_fake_quant)
default_activation_only_qconfig = QConfig(default_fake_quant, Identity)
default_dynamic_qconfig = QConfigDynamic(default_weight_observer)
per_channel_dynamic_qconfig = QConfigDynamic(default_per_channel_weight_observer)
float16_dynamic_qconfig = QConfigDynamic(NoopObserver.with_args(dtype=dtypes.float16))

ACTIVATIONS: dict[str, Any] = {"histogram": HistogramObserver, "min_max": MinMaxObserver}
WEIGHTS = {
    "per_tensor": default_weight_observer,
    "per_channel": default_per_channel_weight_observer,
}
WEIGHT_FAKE_QUANTS = {
    "per_tensor": default_weight_fake_quant,
    "per_channel": default_per_channel_weight_fake_quant,
}


def _recipe(backend: str) -> tuple:
    """Look up what an engine's recipe names: activation observer, weights, reduce_range."""
    if not isinstance(backend, str) or backend not in engines.names():
        raise ArgumentError(
            argument="backend",
            got=repr(backend),
            expected=f"the name of an engine, one of {', '.join(map(repr, engines.names()))}",
        )
    recipe = engines.get(backend).recipe
    for key, known in (("activation", ACTIVATIONS), ("weight", WEIGHTS)):
        if recipe.get(key) not in known:
            raise EngineError(
                f"{operation_name()}: recipe of engine {backend!r}",
                argument=key,
                got=repr(recipe.get(key)),
                expected=f"one of {', '.join(map(repr, known))}",
                hint="derive() the record with a recipe that names one",
            )
    return recipe["activation"], recipe["weight"], bool(recipe.get("reduce_range"))


def get_default_qconfig(backend: str = "fbgemm") -> QConfig:
    """Choose observers for an engine, by the recipe of its record.

    Parameters
    ----------
    backend : str, default 'fbgemm'
        Name of an engine.

    Returns
    -------
    QConfig
        Histograms for activations; per-channel weights where the engine supports them (fbgemm).

    Raises
    ------
    ArgumentError
        If there is no such engine.

    Examples
    --------
    >>> from refquant.quantization import get_default_qconfig
    >>> get_default_qconfig("qnnpack").activation
    HistogramObserver.with_args(reduce_range=False)
    """
    activation, weight, reduce_range = _recipe(backend)
    return QConfig(ACTIVATIONS[activation].with_args(reduce_range=reduce_range), WEIGHTS[weight])


def get_default_qat_qconfig(backend: str = "fbgemm") -> QConfig:
    """Choose fake quantization for an engine, by the recipe of its record.

    Parameters
    ----------
    backend : str, default 'fbgemm'
        Name of an engine.

    Returns
    -------
    QConfig
        Moving averages for activations; per-channel weights where the engine supports them
        (fbgemm).

    Raises
    ------
    ArgumentError
        If there is no such engine.

    Examples
    --------
    >>> import refquant
    >>> from refquant import quantization
    >>> type(quantization.get_default_qat_qconfig('qnnpack').activation()).__name__
    'FakeQuantize'
    """
    _, weight, reduce_range = _recipe(backend)
    activation = FakeQuantize.with_args(
        observer=MovingAverageMinMaxObserver,
        quant_min=0,
        quant_max=255,
        reduce_range=reduce_range,
    )
    return QConfig(activation, WEIGHT_FAKE_QUANTS[weight])
