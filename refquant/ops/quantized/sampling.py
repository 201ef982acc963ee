"""Sampling of quantized images; the parameters of the result are those of the input."""

from typing import Any

import numpy as np

from refquant import kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant._operation import operation_name
from refquant.dtypes import quint8
from refquant.errors import DtypeError, NotSupportedError
from refquant.ops import checks
from refquant.ops.floating.grid_sampling import check_grid, coordinates, grid_options
from refquant.ops.registered import operation
from refquant.tensors import QuantizedTensor

__all__ = ["grid_sample"]


@operation()
def grid_sample(
    input: Any,
    grid: Any,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> QuantizedTensor:
    """Sample a quantized image at given places: mix the integers of the four pixels beside each.

    Parameters
    ----------
    input : QuantizedTensor, shape (batch, channels, height, width)
        quint8, quantized per tensor.
    grid : Tensor of float32, shape (batch, rows, columns, 2)
        Where to sample: columns and rows, -1 to 1 from end to end.
    mode : {'bilinear'}
        The only one.
    padding_mode : {'zeros', 'border', 'reflection'}
        What lies outside: real zero, the last pixel, or the image reflected.
    align_corners : bool, optional
        Whether -1 and 1 are the middles of the corner pixels, or their corners (the default).

    Returns
    -------
    QuantizedTensor
        Of shape (batch, channels, rows, columns), with the parameters of `input`, row-major.

    %(unless_per_tensor)s
    DtypeError
        If `input` is not quint8, or `grid` not float32.
    NotSupportedError
        If the mode is another.
    ShapeError
        If the shapes do not fit.

    Notes
    -----
    Source: ATen ``_grid_sampler_2d_cpu_quantized``; see
    `refquant.reference.resizing.sample_bilinear`.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[[[0.0, 1.0]]]]), 0.5, 0, refquant.quint8)
    >>> F = refquant.nn.functional
    >>> F.grid_sample(x, refquant.zeros(1, 1, 1, 2), align_corners=False).dequantize().item()
    0.5
    """
    q = checks.quantized_per_tensor("input", input)
    if q.dtype is not quint8:
        raise DtypeError(
            argument="input",
            expected="a quint8 tensor",
            got=f"a {q.dtype} tensor",
            hint="call .dequantize() first",
        )
    mode, padding_mode, align_corners = grid_options(mode, padding_mode, align_corners)
    if mode != "bilinear":
        raise NotSupportedError(
            f"{operation_name()} of a quantized tensor",
            argument="mode",
            expected="'bilinear'",
            got=mode,
            hint="call .dequantize() first",
        )
    checks.float32_tensor("grid", grid)
    places = check_grid(q.array, grid).array
    batch, rows, columns = places.shape[:3]
    height, width = q.array.shape[2:]
    with np.errstate(all="ignore"):
        x, y = (
            coordinates(places[..., axis], size, padding_mode, align_corners)[0]
            for axis, size in ((0, width), (1, height))
        )
    flat = [
        np.ascontiguousarray(along, np.float32).reshape(batch, rows * columns) for along in (x, y)
    ]
    image = np.ascontiguousarray(q.array)
    sampled = kernels.sample_bilinear(image, flat[0], flat[1], q.zero_point)
    return q.like(sampled.reshape(batch, q.array.shape[1], rows, columns))


document(__name__)
enclose(__name__)
