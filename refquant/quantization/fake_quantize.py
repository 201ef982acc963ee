"""`FakeQuantize`, the module that simulates quantization in training, and its switches."""

import inspect
from collections.abc import Mapping
from typing import Any

from refquant import arguments, dtypes
from refquant.errors import ArgumentError, ArgumentTypeError, OperationError
from refquant.nn.module import Module
from refquant.ops import checks
from refquant.ops.quantized.fake_quantization import (
    fake_quantize_per_channel_affine,
    fake_quantize_per_tensor_affine,
)
from refquant.quantization.observers.affine import AffineObserver
from refquant.quantization.observers.base import check_both_or_none, load_statistic
from refquant.quantization.observers.factory import Factory
from refquant.quantization.observers.histogram import HistogramObserver
from refquant.quantization.observers.moving_average import (
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
)
from refquant.tensors import Tensor, quantizer

__all__ = [
    "FakeQuantize",
    "default_fake_quant",
    "default_histogram_fake_quant",
    "default_per_channel_weight_fake_quant",
    "default_weight_fake_quant",
    "disable_fake_quant",
    "disable_observer",
    "enable_fake_quant",
    "enable_observer",
]


def _no_observer(got: str) -> ArgumentTypeError:
    expected = "a class of observers, or a function that makes one"
    return ArgumentTypeError(argument="observer", expected=expected, got=got)


def _check_factory(observer: Any, keywords: Mapping[str, Any]) -> None:
    """Raise unless calling this with these keywords may make an observer."""
    other = isinstance(observer, type) and not issubclass(observer, Module)
    if not callable(observer) or isinstance(observer, Module) or other:
        raise _no_observer(arguments.describe(observer))
    try:
        inspect.signature(observer).bind(**keywords)
    except TypeError as error:
        raise _no_observer(f"one that cannot be called so: {error}") from None
    except ValueError:  # it has no signature
        pass


class FakeQuantize(Module):
    r"""Observe, then quantize and dequantize: round to what the chosen quantizer can represent.

    .. math:: y = s \, (\mathrm{clip}(\mathrm{round}(x / s + z), q_{min}, q_{max}) - z)

    The gradient passes where nothing was clipped.

    Parameters
    ----------
    observer : type or Factory, default MovingAverageMinMaxObserver
        What chooses scale and zero point.
    quant_min, quant_max : int, default 0 and 255
        The range that integers are clipped to, inside that of the dtype. A narrower one is passed
        on to the observer, so that all of it is used (2 to 8 bits).
    **observer_kwargs
        Arguments of `observer`.

    Attributes
    ----------
    activation_post_process : ObserverBase
        The observer.
    scale : Tensor of float32, shape (1,) or (channels,), or None
        Real units of one quantized step; None before the first call.
    zero_point : Tensor of int64, of the same shape, or None
        The integers that stand for real zero.
    fake_quant_enabled, observer_enabled : bool
        Whether to round, and whether to observe.

    Raises
    ------
    ArgumentError
        If the range is empty or not inside that of the dtype.

    Notes
    -----
    With ``reduce_range=True`` and the full range 0..255, scale and zero point are chosen for
    0..127 and numbers beyond the observed range are clipped at 255 only, as in PyTorch 1.4.
    An empty tensor is returned as it is. Source: the documentation of
    ``torch.quantization.FakeQuantize``, PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import FakeQuantize
    >>> module = FakeQuantize(quant_min=0, quant_max=3)
    >>> module(refquant.tensor([0.0, 0.4, 1.1, 3.0]))
    tensor([0., 0., 1., 3.])
    >>> module.scale, module.zero_point
    (tensor([1.]), tensor([0]))
    """

    _statistics = ("scale", "zero_point")

    def __init__(
        self,
        observer: Any = MovingAverageMinMaxObserver,
        quant_min: int = 0,
        quant_max: int = 255,
        **observer_kwargs: Any,
    ) -> None:
        super().__init__()
        _check_factory(observer, observer_kwargs)
        quant_min = arguments.integer("quant_min", quant_min)
        quant_max = arguments.integer("quant_max", quant_max)
        instance = observer(**observer_kwargs)
        if not isinstance(instance, Module):
            raise _no_observer(f"a function that makes {arguments.describe(instance)}")
        limits = instance.dtype
        if not limits.is_quantized or not (
            limits.quant_min <= quant_min < quant_max <= limits.quant_max
        ):
            raise ArgumentError(
                argument="quant_min, quant_max",
                got=f"{quant_min}..{quant_max}",
                expected=f"quant_min < quant_max, both in the range of {limits}",
            )
        narrower = (quant_min, quant_max) != (limits.quant_min, limits.quant_max)
        if narrower and isinstance(instance, AffineObserver):
            instance = observer(**observer_kwargs, quant_min=quant_min, quant_max=quant_max)
        self.quant_min, self.quant_max = int(quant_min), int(quant_max)
        self.fake_quant_enabled = self.observer_enabled = True
        self.register_buffer("scale", None)
        self.register_buffer("zero_point", None)
        self.activation_post_process = instance
        self.dtype, self.qscheme = instance.dtype, instance.qscheme
        self.ch_axis: Any = getattr(instance, "ch_axis", None)

    @classmethod
    def with_args(cls, **keywords: Any) -> Factory:
        """Choose arguments of the constructor; the result makes modules when called."""
        return Factory(cls, keywords)

    @property
    def path(self) -> str:
        """The path of the module in its model; the observer names it in errors."""
        return self.activation_post_process.path

    @path.setter
    def path(self, path: str) -> None:
        self.activation_post_process.path = path

    def _place(self) -> str:
        return f"FakeQuantize of {self.path!r}" if self.path else "FakeQuantize"

    def enable_fake_quant(self, enabled: bool = True) -> "FakeQuantize":
        """Switch rounding on; returns the module."""
        self.fake_quant_enabled = arguments.switch("enabled", enabled)
        return self

    def disable_fake_quant(self) -> "FakeQuantize":
        """Switch rounding off; returns the module."""
        return self.enable_fake_quant(False)

    def enable_observer(self, enabled: bool = True) -> "FakeQuantize":
        """Switch observing on; returns the module."""
        self.observer_enabled = arguments.switch("enabled", enabled)
        return self

    def disable_observer(self) -> "FakeQuantize":
        """Switch observing off, which keeps scale and zero point; returns the module."""
        return self.enable_observer(False)

    def calculate_qparams(self, **keywords: Any) -> Any:
        """Choose scale and zero point for what the observer has seen."""
        return self.activation_post_process.calculate_qparams(**keywords)

    def explain(self) -> Any:
        """Explain how scale and zero point follow from what the observer has seen."""
        return self.activation_post_process.explain()

    def _repr_html_(self) -> str:
        return self.activation_post_process._repr_html_()

    def forward(self, X: Tensor) -> Tensor:
        """Observe `X` and round it, each if it is switched on."""
        tensor = checks.float32_tensor("X", X)
        if tensor.array.size == 0:
            return X
        if self.observer_enabled:
            self.activation_post_process(tensor.detach())
            self.scale, self.zero_point = self.calculate_qparams()[:2]
        if not self.fake_quant_enabled:
            return X
        scale, zero_point = self.scale, self.zero_point
        if scale is None:
            raise OperationError(
                argument="observer_enabled",
                expected="True until something was observed",
                got="False",
                hint="call enable_observer() and run some batches first",
            )
        if self.qscheme.is_per_channel:
            return fake_quantize_per_channel_affine(
                X, scale, zero_point, self.ch_axis, self.quant_min, self.quant_max
            )
        return fake_quantize_per_tensor_affine(X, scale, zero_point, self.quant_min, self.quant_max)

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        for name in self._statistics:
            value = getattr(self, name)
            kept = value is None or keep_vars
            destination[prefix + name] = value if kept else value.detach()

    def _load_from_state_dict(self, report, prefix: str) -> None:
        check_both_or_none(report, prefix, self._statistics)
        shape = (-1,) if self.qscheme.is_per_channel else (1,)
        keys = prefix + "scale", prefix + "zero_point"
        scale = load_statistic(report, self, "scale", keys[0], shape)
        zero_point = load_statistic(report, self, "zero_point", keys[1], shape, "int64")
        if scale is not None:
            report.attempt(keys[0], quantizer.scale_values, "scale", scale)
        if zero_point is None:
            return
        if ((zero_point < self.quant_min) | (zero_point > self.quant_max)).any():
            report.error(keys[1], f"in {self.quant_min}..{self.quant_max}", zero_point.tolist())
        if scale is not None and scale.shape != zero_point.shape:
            report.error(
                " and ".join(keys),
                "as many of one as of the other",
                f"{scale.size} and {zero_point.size}",
            )

    def extra_repr(self) -> str:
        """Show switches and parameters."""
        return (
            f"fake_quant_enabled={self.fake_quant_enabled}, "
            f"observer_enabled={self.observer_enabled}, "
            f"scale={self.scale}, zero_point={self.zero_point}"
        )


default_fake_quant = FakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver,
    quant_min=0,
    quant_max=255,
    dtype=dtypes.quint8,
    qscheme=dtypes.per_tensor_affine,
    reduce_range=True,
)
default_weight_fake_quant = FakeQuantize.with_args(
    observer=MovingAverageMinMaxObserver,
    quant_min=-128,
    quant_max=127,
    dtype=dtypes.qint8,
    qscheme=dtypes.per_tensor_symmetric,
    reduce_range=False,
)
default_per_channel_weight_fake_quant = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver,
    quant_min=-128,
    quant_max=127,
    dtype=dtypes.qint8,
    qscheme=dtypes.per_channel_symmetric,
    reduce_range=False,
    ch_axis=0,
)
default_histogram_fake_quant = FakeQuantize.with_args(
    observer=HistogramObserver,
    quant_min=0,
    quant_max=255,
    dtype=dtypes.quint8,
    qscheme=dtypes.per_tensor_affine,
    reduce_range=True,
)


def enable_fake_quant(mod: Any) -> None:
    """Switch rounding on if `mod` is a `FakeQuantize`; for ``model.apply(enable_fake_quant)``.

    Parameters
    ----------
    mod : Module
        Any module; others are left alone.

    Examples
    --------
    >>> import refquant
    >>> from refquant import quantization
    >>> rounding = quantization.default_fake_quant()
    >>> _ = rounding.apply(quantization.enable_fake_quant)
    >>> bool(rounding.fake_quant_enabled)
    True
    """
    if isinstance(mod, FakeQuantize):
        mod.enable_fake_quant()


def disable_fake_quant(mod: Any) -> None:
    """Switch rounding off if `mod` is a `FakeQuantize`; for ``model.apply``.

    Parameters
    ----------
    mod : Module
        Any module; others are left alone.

    Examples
    --------
    >>> import refquant
    >>> from refquant import quantization
    >>> rounding = quantization.default_fake_quant()
    >>> _ = rounding.apply(quantization.disable_fake_quant)
    >>> bool(rounding.fake_quant_enabled)
    False
    """
    if isinstance(mod, FakeQuantize):
        mod.disable_fake_quant()


def enable_observer(mod: Any) -> None:
    """Switch observing on if `mod` is a `FakeQuantize`; for ``model.apply``.

    Parameters
    ----------
    mod : Module
        Any module; others are left alone.

    Examples
    --------
    >>> import refquant
    >>> from refquant import quantization
    >>> rounding = quantization.default_fake_quant()
    >>> _ = rounding.apply(quantization.enable_observer)
    >>> bool(rounding.observer_enabled)
    True
    """
    if isinstance(mod, FakeQuantize):
        mod.enable_observer()


def disable_observer(mod: Any) -> None:
    """Switch observing off if `mod` is a `FakeQuantize`; for ``model.apply``.

    Parameters
    ----------
    mod : Module
        Any module; others are left alone.

    Examples
    --------
    >>> import refquant
    >>> from refquant import quantization
    >>> rounding = quantization.default_fake_quant()
    >>> _ = rounding.apply(quantization.disable_observer)
    >>> bool(rounding.observer_enabled)
    False
    """
    if isinstance(mod, FakeQuantize):
        mod.disable_observer()
