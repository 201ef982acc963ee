"""Quantization error of every pixel of an image."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant._documentation import documented
from refquant.errors import ArgumentError, ShapeError
from refquant.plotting.style import axes, real_values
from refquant.tensors import QuantizedTensor

__all__ = ["error_map"]


@documented()
def error_map(before: Any, after: Any, *, in_steps: bool = False, ax: Any = None) -> Any:
    r"""Draw the error :math:`\hat x - x` of every pixel of an image.

    Colors are symmetric about no error: orange too small, purple too large. Where the image
    varies by more than a step from pixel to pixel, rounding looks like noise; where it is smooth,
    rounding draws bands of one color as well. Only the size of the error distinguishes
    clipping: a rounding error is at most half a step.

    Parameters
    ----------
    before : Tensor or ndarray, shape (..., H, W)
        One image; dimensions before the last two have size 1.
    after : Tensor, QuantizedTensor or ndarray
        The same image with quantization, of the same shape; a quantized tensor is dequantized.
    in_steps : bool, default False
        Whether errors are in steps, the scale of `after`, rather than in real units. `after` is
        then quantized per tensor.
    %(ax)s

    Raises
    ------
    ShapeError
        If the shapes differ or are not those of one image.
    ArgumentError
        If `in_steps` is true and `after` is not quantized per tensor.

    Examples
    --------
    >>> import refquant
    >>> image = refquant.rand(1, 1, 8, 8)
    >>> q = refquant.quantize_per_tensor(image, 0.1, 0, refquant.quint8)
    >>> ax = refquant.plotting.error_map(image, q, in_steps=True)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('column (pixels)', 'row (pixels)')
    """
    x = real_values(before, "before").astype(np.float64)
    y = real_values(after, "after").astype(np.float64)
    if x.shape != y.shape:
        raise ShapeError(
            argument="after", expected=f"of shape {x.shape}, that of `before`", got=y.shape
        )
    if x.ndim < 2 or x[..., :1, :1].size != 1:
        raise ShapeError(
            argument="before",
            expected="one image of shape (H, W), or with dimensions of size 1 before",
            got=x.shape,
            hint="choose one image and one channel, such as images[0, 0]",
        )
    with np.errstate(all="ignore"):  # infinities and NaN have no color
        error = y - x
    error, unit = error.reshape(x.shape[-2:]), "real units"
    if arguments.flag("in_steps", in_steps):
        error, unit = error / _step(after), "steps"
    largest = float(np.abs(error[np.isfinite(error)]).max(initial=0.0)) or 1.0
    ax = axes(ax)
    image = ax.imshow(error, cmap="PuOr", vmin=-largest, vmax=largest, interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label=f"error ({unit})")
    ax.set_xlabel("column (pixels)")
    ax.set_ylabel("row (pixels)")
    return ax


def _step(after: Any) -> float:
    if not isinstance(after, QuantizedTensor) or after.axis is not None:
        raise ArgumentError(
            argument="in_steps",
            expected="False, or an image quantized per tensor",
            got=f"True for a {type(after).__name__}",
        )
    return after.scale
