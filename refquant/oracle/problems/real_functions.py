"""Functions of real numbers that integers stand for, in float64."""

import numpy as np

__all__ = ["elu", "hardswish", "leaky_relu", "sigmoid"]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Compute :math:`1 / (1 + e^{-x})`."""
    return 1 / (1 + np.exp(-x))


def hardswish(x: np.ndarray) -> np.ndarray:
    r"""Compute :math:`x \min(\max(x + 3, 0), 6) / 6`."""
    return x * np.clip(x + 3, 0, 6) / 6


def leaky_relu(x: np.ndarray, slope: float) -> np.ndarray:
    """Multiply negative numbers by the slope."""
    return np.where(x < 0, x * slope, x)


def elu(
    x: np.ndarray, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0
) -> np.ndarray:
    r"""Compute :math:`s \alpha (e^{tx} - 1)` of negative numbers and :math:`s x` of others."""
    return np.where(x < 0, np.expm1(x * input_scale) * alpha * scale, x * scale)
