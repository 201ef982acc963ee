"""Kinds of quantization, as numbers."""

import enum

__all__ = ["QuantType"]


class QuantType(enum.IntEnum):
    """How activations and weights are quantized.

    Attributes
    ----------
    DYNAMIC, STATIC, QAT, WEIGHT_ONLY : int
        Batch by batch; once, after calibration; in training; weights alone.

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
