"""Functions that ask a quantized tensor, as its methods of the same names do."""

from typing import Any

from refquant.ops import checks
from refquant.tensors import Tensor

__all__ = [
    "int_repr",
    "q_per_channel_axis",
    "q_per_channel_scales",
    "q_per_channel_zero_points",
    "q_scale",
    "q_zero_point",
]


def int_repr(input: Any) -> Tensor:
    """Return the stored integers.

    Parameters
    ----------
    input : Tensor
        Quantized.

    Returns
    -------
    Tensor
        Of the storage type.

    Examples
    --------
    >>> import refquant
    >>> q = refquant.quantize_per_tensor(refquant.ones(1), 0.1, 10, refquant.quint8)
    >>> refquant.int_repr(q)
    tensor([20], dtype=refquant.uint8)
    """
    return checks.quantized_tensor("input", input).int_repr()


def q_scale(input: Any) -> float:
    """Return the scale of a tensor quantized per tensor.

    Parameters
    ----------
    input : Tensor
        Quantized.

    Returns
    -------
    float

    Examples
    --------
    >>> import refquant
    >>> q = refquant.quantize_per_tensor(refquant.ones(1), 0.1, 10, refquant.quint8)
    >>> refquant.q_scale(q)
    0.1
    """
    return checks.quantized_tensor("input", input).q_scale()


def q_zero_point(input: Any) -> int:
    """Return the zero point of a tensor quantized per tensor.

    Parameters
    ----------
    input : Tensor
        Quantized.

    Returns
    -------
    int

    Examples
    --------
    >>> import refquant
    >>> q = refquant.quantize_per_tensor(refquant.ones(1), 0.1, 10, refquant.quint8)
    >>> refquant.q_zero_point(q)
    10
    """
    return checks.quantized_tensor("input", input).q_zero_point()


def q_per_channel_scales(input: Any) -> Tensor:
    """Return the scales of a tensor quantized per channel.

    Parameters
    ----------
    input : Tensor
        Quantized.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> scales, zero_points = refquant.tensor([0.1, 0.2]), refquant.tensor([0, 0])
    >>> x = refquant.ones(2, 1)
    >>> q = refquant.quantize_per_channel(x, scales, zero_points, 0, refquant.qint8)
    >>> refquant.q_per_channel_scales(q)
    tensor([0.1000, 0.2000], dtype=refquant.float64)
    """
    return checks.quantized_tensor("input", input).q_per_channel_scales()


def q_per_channel_zero_points(input: Any) -> Tensor:
    """Return the zero points of a tensor quantized per channel.

    Parameters
    ----------
    input : Tensor
        Quantized.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> scales, zero_points = refquant.tensor([0.1, 0.2]), refquant.tensor([0, 0])
    >>> x = refquant.ones(2, 1)
    >>> q = refquant.quantize_per_channel(x, scales, zero_points, 0, refquant.qint8)
    >>> refquant.q_per_channel_zero_points(q)
    tensor([0, 0])
    """
    return checks.quantized_tensor("input", input).q_per_channel_zero_points()


def q_per_channel_axis(input: Any) -> int:
    """Return the axis of a tensor quantized per channel.

    Parameters
    ----------
    input : Tensor
        Quantized.

    Returns
    -------
    int

    Examples
    --------
    >>> import refquant
    >>> scales, zero_points = refquant.tensor([0.1, 0.2]), refquant.tensor([0, 0])
    >>> x = refquant.ones(2, 1)
    >>> q = refquant.quantize_per_channel(x, scales, zero_points, 0, refquant.qint8)
    >>> refquant.q_per_channel_axis(q)
    0
    """
    return checks.quantized_tensor("input", input).q_per_channel_axis()
