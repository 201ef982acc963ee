"""Fake quantization, under the path ``refquant.quantization.fake_quantize``, and its switches."""

from typing import Any

from refquant.quantization.fake_quantization.base import FakeQuantizeBase
from refquant.quantization.fake_quantization.defaults import *  # noqa: F403
from refquant.quantization.fake_quantization.defaults import __all__ as DEFAULTS
from refquant.quantization.fake_quantization.learnable import _LearnableFakeQuantize
from refquant.quantization.fake_quantization.modules import (
    FakeQuantize,
    FixedQParamsFakeQuantize,
    FusedMovingAvgObsFakeQuantize,
)

__all__ = [
    *DEFAULTS,
    "FakeQuantize",
    "FakeQuantizeBase",
    "FixedQParamsFakeQuantize",
    "FusedMovingAvgObsFakeQuantize",
    "_LearnableFakeQuantize",
    "disable_fake_quant",
    "disable_observer",
    "enable_fake_quant",
    "enable_observer",
]


def enable_fake_quant(mod: Any) -> None:
    """Switch rounding on if `mod` is fake quantization; for ``model.apply(enable_fake_quant)``.

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
    if isinstance(mod, FakeQuantizeBase):
        mod.enable_fake_quant()


def disable_fake_quant(mod: Any) -> None:
    """Switch rounding off if `mod` is fake quantization; for ``model.apply``.

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
    if isinstance(mod, FakeQuantizeBase):
        mod.disable_fake_quant()


def enable_observer(mod: Any) -> None:
    """Switch observing on if `mod` is fake quantization; for ``model.apply``.

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
    if isinstance(mod, FakeQuantizeBase):
        mod.enable_observer()


def disable_observer(mod: Any) -> None:
    """Switch observing off if `mod` is fake quantization; for ``model.apply``.

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
    if isinstance(mod, FakeQuantizeBase):
        mod.disable_observer()
