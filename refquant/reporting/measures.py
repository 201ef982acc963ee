"""Numbers that say how much a quantized model differs from the float one, and what it saves."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from refquant.errors import ArgumentError, ShapeError
from refquant.plotting.style import real_values
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "agreement",
    "decibel_text",
    "decibels",
    "parameter_bytes",
    "real_values",
    "seconds",
    "sqnr",
]


def decibels(signal: float, noise: float) -> float:
    """Ratio of two energies in decibels: infinite without noise, NaN without both."""
    if noise == 0:
        return math.inf if signal > 0 else math.nan
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def decibel_text(value: float | None) -> str:
    """Write a ratio in dB with one decimal, or a dash where there is none."""
    return f"{value:.1f}" if value is not None and math.isfinite(value) else "-"


def sqnr(reference: Any, values: Any) -> float:
    r"""Signal-to-quantization-noise ratio.

    .. math:: 10 \log_{10} \frac{\sum x^2}{\sum (x - y)^2}

    Parameters
    ----------
    reference : Tensor or ndarray
        The values :math:`x` without quantization.
    values : Tensor, QuantizedTensor or ndarray
        The values :math:`y` with it, of the same shape.

    Returns
    -------
    float
        In decibels; 6 dB are one bit. Infinite if both are equal.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import refquant
    >>> from refquant.reporting import sqnr
    >>> sqnr(refquant.tensor([3.0, 4.0]), refquant.tensor([3.0, 3.5]))
    20.0
    """
    x, y = (real_values(v).astype(np.float64) for v in (reference, values))
    if x.shape != y.shape:
        raise ShapeError("sqnr", argument="values", expected=f"of shape {x.shape}", got=y.shape)
    return decibels(float(np.sum(x * x)), float(np.sum((x - y) ** 2)))


def agreement(reference: Any, values: Any) -> float:
    """Share of rows whose largest element stands in the same place.

    Parameters
    ----------
    reference, values : Tensor, QuantizedTensor or ndarray, shape (rows, classes)
        Scores of a classifier.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> import refquant
    >>> from refquant.reporting import agreement
    >>> one = refquant.tensor([[1.0, 2.0], [4.0, 3.0]])
    >>> agreement(one, refquant.tensor([[0.0, 9.0], [5.0, 6.0]]))
    0.5
    """
    x, y = real_values(reference), real_values(values)
    return float(np.mean(np.argmax(x, axis=1) == np.argmax(y, axis=1)))


def parameter_bytes(state: Any) -> int:
    """Bytes of the numbers in a state dict: integers, scales, zero points, floats.

    Parameters
    ----------
    state : mapping, tuple or value
        What ``module.state_dict()`` returns. A scale counts as float64 and a zero point as
        int64, as tensors keep them; what is no number counts nothing.

    Returns
    -------
    int

    Examples
    --------
    >>> import refquant
    >>> from refquant.reporting import parameter_bytes
    >>> x = refquant.tensor([0.5, 1.0, 1.5])
    >>> parameter_bytes({"float": x})
    12
    >>> parameter_bytes({"int8": refquant.quantize_per_tensor(x, 0.1, 0, refquant.qint8)})
    19
    """
    if isinstance(state, QuantizedTensor):
        return state.array.nbytes + np.asarray(state.scale).nbytes + 8 * np.size(state.zero_point)
    if isinstance(state, Tensor):
        return state.array.nbytes
    if isinstance(state, Mapping):
        return sum(map(parameter_bytes, state.values()))
    if isinstance(state, tuple | list):
        return sum(map(parameter_bytes, state))
    return 8 if isinstance(state, float | int) and not isinstance(state, bool) else 0


def seconds(function: Callable[[], Any], repeats: int = 15) -> float:
    """Median time of a call, after one call that is not counted.

    Parameters
    ----------
    function : callable
        Called without arguments.
    repeats : int, default 15
        How often.

    Returns
    -------
    float
        Seconds.

    Examples
    --------
    >>> from refquant.reporting import seconds
    >>> seconds(lambda: None, repeats=3) < 1
    True
    """
    if repeats < 1:
        raise ArgumentError("seconds", argument="repeats", expected="at least 1", got=repeats)
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
