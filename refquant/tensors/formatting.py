"""Printing of tensors: elements as NumPy prints them, then dtype, gradient and quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from refquant.tensors.plain import Tensor
    from refquant.tensors.quantized import QuantizedTensor

__all__ = ["plain", "quantized"]


def _elements(array: np.ndarray) -> str:
    return np.array2string(
        array, separator=", ", prefix="tensor(", precision=4, threshold=1000, edgeitems=3
    )


def plain(tensor: Tensor) -> str:
    """Format a plain tensor: elements, dtype unless it is a usual one, gradient.

    Parameters
    ----------
    tensor : Tensor

    Returns
    -------
    str
    """
    array = tensor.array
    text = f"tensor({_elements(array)}"
    if array.dtype not in (np.float32, np.int64, np.bool_) or array.size == 0:
        text += f", dtype={tensor.dtype}"
    if tensor.requires_grad:
        text += ", requires_grad=True" if tensor.node is None else ", grad_fn=<recorded>"
    return text + ")"


def quantized(tensor: QuantizedTensor) -> str:
    """Format a quantized tensor: real values, then size, dtype and quantization parameters.

    Parameters
    ----------
    tensor : QuantizedTensor

    Returns
    -------
    str
    """
    text = (
        f"tensor({_elements(tensor.dequantize().array)}, size={tensor.array.shape}, "
        f"dtype={tensor.dtype},\n       quantization_scheme={tensor.qscheme()}, "
    )
    if tensor.axis is None:
        return text + f"scale={tensor.scale}, zero_point={tensor.zero_point})"
    return text + (
        f"scale={tensor.q_per_channel_scales()!r},\n       "
        f"zero_point={tensor.q_per_channel_zero_points()!r}, axis={tensor.axis})"
    )
