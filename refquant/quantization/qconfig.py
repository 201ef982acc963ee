"""`QConfig`: which observers a module gets, and the default for each engine."""

from collections import namedtuple
from collections.abc import Callable
from typing import Any, Self

from refquant import arguments, dtypes, engines
from refquant._operation import operation_name
from refquant.errors import ArgumentError, EngineError
from refquant.nn.containers import Identity
from refquant.nn.module import Module
from refquant.quantization.fake_quantization import defaults as fq
from refquant.quantization.fake_quantization.modules import (
    FakeQuantize,
    FusedMovingAvgObsFakeQuantize,
)
from refquant.quantization.observers import defaults as observers
from refquant.quantization.observers.factory import Factory
from refquant.quantization.observers.fixed import PlaceholderObserver, ReuseInputObserver
from refquant.quantization.observers.histogram import HistogramObserver
from refquant.quantization.observers.minmax import MinMaxObserver
from refquant.quantization.observers.moving_average import MovingAverageMinMaxObserver
from refquant.quantization.observers.noop import NoopObserver

__all__ = [
    "QConfig",
    "QConfigDynamic",
    "default_activation_only_qconfig",
    "default_debug_qconfig",
    "default_dynamic_qat_qconfig",
    "default_dynamic_qconfig",
    "default_embedding_qat_qconfig",
    "default_embedding_qat_qconfig_4bit",
    "default_per_channel_qconfig",
    "default_per_channel_symmetric_qnnpack_qat_qconfig",
    "default_per_channel_symmetric_qnnpack_qconfig",
    "default_qat_qconfig",
    "default_qat_qconfig_v2",
    "default_qconfig",
    "default_quint8_weight_qconfig",
    "default_reuse_input_qconfig",
    "default_symmetric_qnnpack_qat_qconfig",
    "default_symmetric_qnnpack_qconfig",
    "default_weight_only_qconfig",
    "float16_dynamic_qconfig",
    "float16_static_qconfig",
    "float_qparams_weight_only_qconfig",
    "float_qparams_weight_only_qconfig_4bit",
    "get_default_qat_qconfig",
    "get_default_qat_qconfig_dict",
    "get_default_qconfig",
    "get_default_qconfig_dict",
    "per_channel_dynamic_qconfig",
    "qconfig_equals",
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
    >>> qconfig = QConfig(activation=MinMaxObserver.with_args(reduce_range=True),
    ...                   weight=default_weight_observer)
    >>> qconfig.weight == refquant.quantization.default_qconfig.weight
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


SYMMETRIC = {"dtype": dtypes.qint8, "eps": 2.0**-12}
IN_HALF = PlaceholderObserver.with_args(dtype=dtypes.float16)

default_qconfig = QConfig(observers.default_observer, observers.default_weight_observer)
default_debug_qconfig = QConfig(observers.default_debug_observer, observers.default_weight_observer)
default_per_channel_qconfig = QConfig(
    observers.default_observer, observers.default_per_channel_weight_observer
)
default_qat_qconfig = QConfig(fq.default_fake_quant, fq.default_weight_fake_quant)
default_qat_qconfig_v2 = QConfig(fq.default_fused_act_fake_quant, fq.default_fused_wt_fake_quant)
default_dynamic_qat_qconfig = QConfig(fq.default_dynamic_fake_quant, fq.default_weight_fake_quant)
default_weight_only_qconfig = QConfig(Identity, fq.default_weight_fake_quant)
default_activation_only_qconfig = QConfig(fq.default_fake_quant, Identity)
default_quint8_weight_qconfig = QConfig(HistogramObserver, MinMaxObserver)
default_reuse_input_qconfig = QConfig(ReuseInputObserver, NoopObserver)
default_dynamic_qconfig = QConfig(
    observers.default_dynamic_quant_observer, observers.default_weight_observer
)
per_channel_dynamic_qconfig = QConfig(
    observers.default_dynamic_quant_observer, observers.default_per_channel_weight_observer
)
float16_dynamic_qconfig = QConfig(IN_HALF.with_args(is_dynamic=True), IN_HALF)
float16_static_qconfig = QConfig(IN_HALF, IN_HALF)
float_qparams_weight_only_qconfig = QConfig(
    observers.default_placeholder_observer, observers.default_float_qparams_observer
)
float_qparams_weight_only_qconfig_4bit = QConfig(
    observers.default_placeholder_observer, observers.default_float_qparams_observer_4bit
)
default_embedding_qat_qconfig = QConfig(
    NoopObserver.with_args(dtype=dtypes.float32), fq.default_embedding_fake_quant
)
default_embedding_qat_qconfig_4bit = default_embedding_qat_qconfig._replace(
    weight=fq.default_embedding_fake_quant_4bit
)
default_symmetric_qnnpack_qconfig = QConfig(
    HistogramObserver.with_args(**SYMMETRIC, reduce_range=False),
    observers.weight_observer_range_neg_127_to_127,
)
default_per_channel_symmetric_qnnpack_qconfig = default_symmetric_qnnpack_qconfig._replace(
    weight=observers.per_channel_weight_observer_range_neg_127_to_127
)
default_symmetric_qnnpack_qat_qconfig = QConfig(
    FusedMovingAvgObsFakeQuantize.with_args(
        observer=MovingAverageMinMaxObserver,
        quant_min=-128,
        quant_max=127,
        **SYMMETRIC,
        reduce_range=False,
    ),
    fq.fused_wt_fake_quant_range_neg_127_to_127,
)
default_per_channel_symmetric_qnnpack_qat_qconfig = default_symmetric_qnnpack_qat_qconfig._replace(
    weight=fq.fused_per_channel_wt_fake_quant_range_neg_127_to_127
)

ACTIVATIONS: dict[str, Any] = {"histogram": HistogramObserver, "min_max": MinMaxObserver}
WEIGHTS = {
    "per_tensor": observers.default_weight_observer,
    "per_channel": observers.default_per_channel_weight_observer,
}
# For each version of the recipes of quantization-aware training.
FAKE_QUANTS: tuple[type[FakeQuantize], ...] = (FakeQuantize, FusedMovingAvgObsFakeQuantize)
WEIGHT_FAKE_QUANTS = (
    {
        "per_tensor": fq.default_weight_fake_quant,
        "per_channel": fq.default_per_channel_weight_fake_quant,
    },
    {
        "per_tensor": fq.default_fused_wt_fake_quant,
        "per_channel": fq.default_fused_per_channel_wt_fake_quant,
    },
)


def _recipe(backend: str) -> tuple:
    """Look up what an engine's recipe names: activation observer, weights, reduce_range."""
    if not isinstance(backend, str) or backend not in engines.names():
        raise ArgumentError(
            argument="backend",
            got=repr(backend),
            expected=f"the name of an engine, one of {', '.join(map(repr, engines.names()))}",
            hint=arguments.did_you_mean(backend, engines.names()),
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


def _version(version: Any, known: int) -> int:
    """Check the version of a recipe, which is less than `known`."""
    number = arguments.integer("version", version)
    if not 0 <= number < known:
        raise ArgumentError(
            argument="version", expected=" or ".join(map(str, range(known))), got=number
        )
    return number


def get_default_qconfig(backend: str = "fbgemm", version: int = 0) -> QConfig:
    """Choose observers for an engine, by the recipe of its record.

    Parameters
    ----------
    backend : str, default 'fbgemm'
        Name of an engine; 'x86' has the same recipe.
    version : int, default 0
        There is one.

    Returns
    -------
    QConfig
        Histograms for activations; per-channel weights where the engine supports them (all but
        qnnpack).

    Raises
    ------
    ArgumentError
        If there is no such engine or version.

    Examples
    --------
    >>> from refquant.quantization import get_default_qconfig
    >>> get_default_qconfig("qnnpack").activation
    HistogramObserver.with_args(reduce_range=False)
    """
    _version(version, 1)
    activation, weight, reduce_range = _recipe(backend)
    return QConfig(ACTIVATIONS[activation].with_args(reduce_range=reduce_range), WEIGHTS[weight])


def get_default_qat_qconfig(backend: str = "fbgemm", version: int | None = None) -> QConfig:
    """Choose fake quantization for an engine, by the recipe of its record.

    Parameters
    ----------
    backend : str, default 'fbgemm'
        Name of an engine; 'x86' has the same recipe.
    version : int, optional
        0 for `FakeQuantize`, 1 for `FusedMovingAvgObsFakeQuantize`. If not given 1, or 0 if
        `backend` or the engine that is chosen is of PyTorch 1.4.

    Returns
    -------
    QConfig
        Moving averages for activations; per-channel weights where the engine supports them
        (all but qnnpack).

    Raises
    ------
    ArgumentError
        If there is no such engine or version.

    Examples
    --------
    >>> import refquant
    >>> from refquant import quantization
    >>> type(quantization.get_default_qat_qconfig('qnnpack').activation()).__name__
    'FusedMovingAvgObsFakeQuantize'
    """
    _, weight, reduce_range = _recipe(backend)
    if version is None:
        # The fused modules follow PyTorch 2.13, so both records must know them.
        records = engines.get(backend), engines.current()
        version = min(record.workflow.qat_version for record in records)
    version = _version(version, len(FAKE_QUANTS))
    activation = FAKE_QUANTS[version].with_args(
        observer=MovingAverageMinMaxObserver,
        quant_min=0,
        quant_max=255,
        reduce_range=reduce_range,
    )
    return QConfig(activation, WEIGHT_FAKE_QUANTS[version][weight])


def get_default_qconfig_dict(backend: str = "x86", version: int = 0) -> dict[str, QConfig]:
    """Give the default recipe to a whole model, in the form that `prepare` takes.

    Parameters
    ----------
    backend, version
        As of `get_default_qconfig`.

    Returns
    -------
    dict of str to QConfig

    Examples
    --------
    >>> from refquant.quantization import get_default_qconfig, get_default_qconfig_dict
    >>> get_default_qconfig_dict("qnnpack") == {"": get_default_qconfig("qnnpack")}
    True
    """
    return {"": get_default_qconfig(backend, version)}


def get_default_qat_qconfig_dict(
    backend: str = "x86", version: int | None = None
) -> dict[str, QConfig]:
    """Give the default recipe of training to a whole model, in the form that `prepare_qat` takes.

    Parameters
    ----------
    backend, version
        As of `get_default_qat_qconfig`.

    Returns
    -------
    dict of str to QConfig

    Examples
    --------
    >>> from refquant import quantization
    >>> list(quantization.get_default_qat_qconfig_dict())
    ['']
    """
    return {"": get_default_qat_qconfig(backend, version)}


def is_for_dynamic(qconfig: Any) -> bool:
    """Whether a recipe leaves activations to operations that quantize them at each call."""
    made = getattr(qconfig, "activation", None)
    chosen = made.keywords if isinstance(made, Factory) else {}
    placeholder = isinstance(made, Factory) and made.cls is PlaceholderObserver
    return placeholder and bool(chosen.get("is_dynamic"))


def qconfig_equals(q1: Any, q2: Any) -> bool:
    """Compare two recipes: equal if both make the same observers of the same arguments.

    Parameters
    ----------
    q1, q2 : QConfig or None
        The recipes.

    Returns
    -------
    bool

    Raises
    ------
    ArgumentTypeError
        If one is neither.

    Examples
    --------
    >>> from refquant.quantization import get_default_qconfig, qconfig_equals
    >>> qconfig_equals(get_default_qconfig("fbgemm"), get_default_qconfig("x86"))
    True
    """
    for name, given in (("q1", q1), ("q2", q2)):
        arguments.instance(name, given, QConfig | QConfigDynamic | None, "a QConfig or None")
    return type(q1) is type(q2) and q1 == q2
