"""Kinds of quantization, as numbers."""

import enum

__all__ = ["QuantType"]


class QuantType(enum.IntEnum):
    """How activations and weights are quantized.

    Examples
    --------
    >>> from refquant.quantization import QuantType
    >>> QuantType.STATIC.value
    1
    """

    DYNAMIC = 0
    STATIC = 1
    QAT = 2
    WEIGHT_ONLY = 3
