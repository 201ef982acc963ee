"""Measures of how much a quantized model differs from the float one, and what it saves."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ShapeError
from refquant.plotting.style import real_values
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "agreement",
    "decibel_text",
    "decibels",
    "difference",
    "energy",
    "parameter_bytes",
    "real_values",
    "seconds",
    "sqnr",
]


def decibels(signal: float, noise: float) -> float:
    """Return the ratio of two energies in decibels: infinite without noise, NaN without both."""
    if noise == 0:
        return math.inf if signal > 0 else math.nan
    ratio = signal / noise
    if math.isnan(ratio):
        return math.nan
    return 10 * math.log10(ratio) if ratio > 0 else -math.inf


def energy(values: np.ndarray) -> float:
    """Return the sum of squares; infinite if it overflows, NaN if a value is NaN."""
    with np.errstate(all="ignore"):
        return float(np.sum(values * values))


def difference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Subtract two arrays; NaN where both are infinite."""
    with np.errstate(all="ignore"):
        return x - y


def decibel_text(value: float | None) -> str:
    """Format a ratio in dB with one decimal; a dash if there is none."""
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
    >>> refquant.reporting.sqnr(refquant.tensor([3.0, 4.0]), refquant.tensor([3.0, 3.5]))
    20.0
    """
    x = real_values(reference, "reference").astype(np.float64)
    y = real_values(values, "values").astype(np.float64)
    if x.shape != y.shape:
        raise ShapeError(argument="values", expected=f"of shape {x.shape}", got=y.shape)
    return decibels(energy(x), energy(difference(x, y)))


def agreement(reference: Any, values: Any) -> float:
    """Share of rows whose largest element is at the same position.

    Parameters
    ----------
    reference, values : Tensor, QuantizedTensor or ndarray, shape (rows, classes)
        Scores of a classifier.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ShapeError
        If they are not two-dimensional, or differ in shape.

    Examples
    --------
    >>> import refquant
    >>> one = refquant.tensor([[1.0, 2.0], [4.0, 3.0]])
    >>> refquant.reporting.agreement(one, refquant.tensor([[0.0, 9.0], [5.0, 6.0]]))
    0.5
    """
    x = real_values(reference, "reference")
    y = real_values(values, "values")
    if x.ndim != 2 or x.size == 0:
        raise ShapeError(
            argument="reference",
            expected="of shape (rows, classes), neither of them 0",
            got=x.shape,
        )
    if x.shape != y.shape:
        raise ShapeError(argument="values", expected=f"of shape {x.shape}", got=y.shape)
    return float(np.mean(np.argmax(x, axis=1) == np.argmax(y, axis=1)))


def parameter_bytes(state: Any) -> int:
    """Count the bytes of the numbers in a state dict: integers, scales, zero points, floats.

    Parameters
    ----------
    state : mapping, tuple or value
        What ``module.state_dict()`` returns. A scale counts as float64 and a zero point as
        int64, as tensors keep them; other values count as 0.

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
    """Measure the median time of a call, after one warm-up call.

    Parameters
    ----------
    function : callable
        Called without arguments.
    repeats : int, default 15
        Number of measured calls, at most a million.

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
    arguments.function("function", function, 0)
    repeats = arguments.integer("repeats", repeats, 1, 1_000_000)
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
