"""The largest integers of windows; the parameters of the result are those of the input."""

import math
from typing import Any

import numpy as np

from refquant import kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant._operation import operation_name
from refquant.arguments import switch
from refquant.errors import NotSupportedError, ShapeError
from refquant.ops import checks, layout
from refquant.ops.floating.windows import per_dimension, pooled_sizes, strides
from refquant.ops.registered import operation
from refquant.ops.views import squeeze, unsqueeze
from refquant.reference.operands import Geometry
from refquant.tensors import QuantizedTensor

__all__ = ["max_pool1d", "max_pool2d", "max_pool3d"]


def as_image(input: Any) -> QuantizedTensor:
    """Return a sequence, (batch, channels, length) or without batch, as an image of height 1."""
    q = checks.quantized_per_tensor("input", input)
    if q.array.ndim not in (2, 3):
        raise ShapeError(
            argument="input",
            expected="(batch, channels, length), or one without batch",
            got=f"shape {q.array.shape}",
        )
    return unsqueeze(q, -2)  # type: ignore[return-value]


def as_sequence(image: QuantizedTensor) -> QuantizedTensor:
    """Undo `as_image`."""
    return squeeze(image, -2)  # type: ignore[return-value]


def _no_indices(return_indices: bool) -> None:
    if switch("return_indices", return_indices):
        raise NotSupportedError(
            f"{operation_name()} of a quantized tensor",
            argument="return_indices",
            expected="False",
            got=True,
            hint="call .dequantize() first",
        )


def _largest(q: QuantizedTensor, geometry: Geometry, ceil_mode: bool) -> QuantizedTensor:
    """Pool an image or a volume."""
    spatial = len(geometry.kernel)
    image, restore = layout.image(q.array, spatial)
    counts = pooled_sizes(image.shape[1:-1], *geometry, ceil_mode)
    if spatial == 3:
        image, geometry, counts = _over_planes(image, geometry, counts)
    pooled = kernels.max_pool(image, geometry, counts[-2:])
    return q.like(restore(pooled.reshape(-1, *counts, pooled.shape[-1])))


def _over_planes(volume: np.ndarray, geometry: Geometry, counts: tuple[int, ...]):
    """Pool over the depth, where the largest of the largest is sought in images of one line each.

    Returns
    -------
    image : ndarray, shape (outer * depth, height, width, inner)
        The largest elements over the depth.
    geometry : Geometry
        Of the other two dimensions.
    counts : tuple of int
        As before.
    """
    outer, depth, height, width, inner = volume.shape
    lines = volume.reshape(outer, depth, 1, math.prod((height, width, inner)))
    over_depth = Geometry(
        *((part[0], one) for part, one in zip(geometry, (1, 1, 0, 1), strict=True))
    )
    found = kernels.max_pool(lines, over_depth, (counts[0], 1))
    image = found.reshape(outer * counts[0], height, width, inner)
    return image, Geometry(*(part[1:] for part in geometry)), counts


def _windows(spatial: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> Geometry:
    kernel = per_dimension("kernel_size", kernel_size, spatial, 1)
    return Geometry(
        kernel,
        strides(stride, kernel),
        per_dimension("padding", padding, spatial, 0),
        per_dimension("dilation", dilation, spatial, 1),
    )


@operation()
def max_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> QuantizedTensor:
    """Find the largest integer of every window of a sequence; see `max_pool2d`.

    %(sequence_per_tensor)s
    kernel_size : int
        Length of the window.
    stride : int, optional
        Step of the window; its length if left out.
    padding : int
        Width of the border, at most half of the window.
    %(dilated)s

    %(like_input)s

    %(unless_it_fits)s

    Notes
    -----
    Source: ATen ``quantized_max_pool1d``, which pools an image of height 1.

    %(from_functional)s
    >>> x = refquant.tensor([[0.0, 3.0, 1.0, 2.0]])
    >>> F.max_pool1d(refquant.quantize_per_tensor(x, 1.0, 0, refquant.quint8), 2).int_repr()
    tensor([[3, 2]], dtype=refquant.uint8)
    """
    _no_indices(return_indices)
    q = as_image(input)
    along = _windows(1, kernel_size, stride, padding, dilation)
    geometry = Geometry(*((one, *part) for part, one in zip(along, (1, 1, 0, 1), strict=True)))
    return as_sequence(_largest(q, geometry, ceil_mode))


@operation("windows")
def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> QuantizedTensor:
    """Find the largest integer of every window; the padding is never chosen.

    Because the affine map is monotone, that is the largest real number too, exactly.

    %(image_per_tensor)s
    kernel_size : int or pair of int
        Size of the window.
    stride : int or pair of int, optional
        Step of the window; its size if left out.
    padding : int or pair of int
        Width of the border, at most half of the window.
    %(dilated)s

    %(like_input)s

    %(unless_it_fits)s

    Notes
    -----
    Source: ATen ``quantized_max_pool2d``. QNNPACK of PyTorch 2.13 repeats the pixels at the
    border instead of ignoring it, which shows with padding and dilation; that is not reproduced.

    %(pixels_0_to_15)s
    >>> F.max_pool2d(q, 2).int_repr()
    tensor([[[[ 5,  7],
              [13, 15]]]], dtype=refquant.uint8)
    """
    _no_indices(return_indices)
    q = checks.quantized_per_tensor("input", input)
    return _largest(q, _windows(2, kernel_size, stride, padding, dilation), ceil_mode)


@operation()
def max_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> QuantizedTensor:
    """Find the largest integer of every window of a volume; see `max_pool2d`.

    %(volume_per_tensor)s
    kernel_size : int or triple of int
        Size of the window.
    stride : int or triple of int, optional
        Step of the window; its size if left out.
    padding : int or triple of int
        Width of the border, at most half of the window.
    %(dilated)s

    %(like_input)s

    %(unless_it_fits)s

    Notes
    -----
    Source: ATen ``quantized_max_pool3d``; QNNPACK has none.

    %(from_functional)s
    >>> x = refquant.quantize_per_tensor(refquant.ones(1, 1, 4, 4, 4), 0.5, 0, refquant.quint8)
    >>> refquant.nn.functional.max_pool3d(x, 2).shape
    refquant.Size([1, 1, 2, 2, 2])
    """
    _no_indices(return_indices)
    q = checks.quantized_per_tensor("input", input)
    return _largest(q, _windows(3, kernel_size, stride, padding, dilation), ceil_mode)


document(
    __name__,
    dilated="""
dilation : int or tuple of int
    Step inside the window.
ceil_mode : bool
    Whether windows that reach over the end count.
return_indices : bool
    Not supported.""",
    unless_it_fits="""
%(unless_per_tensor)s
NotSupportedError
    If indices are asked for.
ArgumentError, OperationError
    If the window is not valid or does not fit.""",
)
enclose(__name__)
