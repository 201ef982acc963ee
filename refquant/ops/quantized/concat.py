"""Concatenation of quantized tensors."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from refquant import dtypes, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.engines import Operands
from refquant.errors import ArgumentTypeError, DtypeError, ShapeError
from refquant.ops import checks, layout
from refquant.ops.quantized.affine import dequantize, quantize_array, rule_for
from refquant.ops.registered import operation
from refquant.tensors import QuantizedTensor

__all__ = ["cat", "cat_relu"]


@operation("pieces", "quantize_per_tensor", "cat_quantize")
def cat(
    qx: Sequence[Any], dim: int, scale: float | None = None, zero_point: int | None = None
) -> QuantizedTensor:
    r"""Join quantized tensors along a dimension and give all of them one scale and zero point.

    .. math:: q = quantize(s_i (q_i - z_i);\; s, z)

    %(pieces)s

    Notes
    -----
    The joined tensor is rounded as by ``quantize_per_tensor``. Channels-last images joined along
    the channels with ``dim=1`` go another way in the real engines, with rules of their own (steps
    ``cat_dequantize`` and ``cat_quantize``), and pieces that have the parameters of the result
    are copied. Source: ATen ``qcat`` and ``qcat_nhwc_kernel``.

    %(one_to_two)s
    >>> refquant.ops.quantized.cat([x, x], 0, 0.25, 0).int_repr()
    tensor([4, 8, 4, 8], dtype=refquant.uint8)
    """
    return _cat(qx, dim, scale, zero_point, False)


@operation("pieces", "quantize_per_tensor", "cat_quantize")
def cat_relu(
    qx: Sequence[Any], dim: int, scale: float | None = None, zero_point: int | None = None
) -> QuantizedTensor:
    """Join quantized tensors along a dimension; negative numbers become 0.

    %(pieces)s

    %(one_and_less)s
    >>> refquant.ops.quantized.cat_relu([x, x], 0).dequantize()
    tensor([1., 0., 1., 0.])
    """
    return _cat(qx, dim, scale, zero_point, True)


def _pieces(qx: Any, dim: Any) -> tuple[list[QuantizedTensor], int]:
    if not isinstance(qx, list | tuple) or not qx:
        raise ArgumentTypeError(
            argument="qx",
            expected="a list of at least one quantized tensor",
            got=f"{type(qx).__name__} of none"
            if isinstance(qx, list | tuple)
            else type(qx).__name__,
        )
    pieces = [checks.quantized_per_tensor(f"qx[{i}]", q) for i, q in enumerate(qx)]
    first = pieces[0]
    if first.array.ndim == 0:
        raise ShapeError(
            argument="qx[0]",
            expected="of at least one dimension",
            got="a 0-dimensional tensor",
            hint="reshape it to (1,)",
        )
    dim = checks.dimension("dim", dim, first.array.ndim)
    kept = first.array.shape[:dim] + first.array.shape[dim + 1 :]
    for index, piece in enumerate(pieces):
        shape = piece.array.shape
        if piece.dtype is not first.dtype:
            raise DtypeError(
                argument=f"qx[{index}]",
                expected=f"{first.dtype}, as the first",
                got=piece.dtype,
                hint="quantize all of them to one dtype",
            )
        if len(shape) != first.array.ndim or shape[:dim] + shape[dim + 1 :] != kept:
            raise ShapeError(
                argument=f"qx[{index}]",
                expected=f"of the shape {first.array.shape} of the first except along dimension "
                f"{dim}",
                got=f"shape {shape}",
            )
    return pieces, dim


def _cat(qx: Any, dim: Any, scale, zero_point, relu: bool) -> QuantizedTensor:
    pieces, counted = _pieces(qx, dim)
    first = pieces[0]
    dtype = first.dtype
    scale = first.scale if scale is None else checks.scale_value("scale", scale)
    zero_point = (
        first.zero_point
        if zero_point is None
        else checks.zero_point_value("zero_point", zero_point, dtype)
    )
    # The real engines compare the dimension as it is given: -3 goes the general way.
    if dim == 1 and all(
        p.array.ndim == 4 and layout.is_contiguous(p.array, dtypes.channels_last) for p in pieces
    ):
        joined = _channels_last(pieces, scale, zero_point, relu)
    else:
        joined = _general(pieces, counted, scale, zero_point, relu)
    return QuantizedTensor._unchecked(joined, dtype, scale, zero_point)


def _channels_last(pieces, scale, zero_point, relu) -> np.ndarray:
    """Join along the channels, which are the runs."""
    dtype = pieces[0].dtype
    record, operands = engines.current(), Operands(dtype, channels_last=True)
    dequantizing = record.rule("cat_dequantize", operands)
    quantizing = record.rule("cat_quantize", operands)
    output = scale, zero_point, dtype.quant_min, dtype.quant_max
    batch, _, *size = pieces[0].array.shape
    order, count = layout.order_of(dtypes.channels_last), batch * math.prod(size)
    channels = [piece.array.shape[1] for piece in pieces]
    joined = kernels.join(
        tuple(
            piece.array.transpose(order).reshape(count, n)
            for piece, n in zip(pieces, channels, strict=True)
        ),
        tuple((piece.scale, piece.zero_point) for piece in pieces),
        output,
        relu,
        True,
        tuple(layout.vector_length(n, dequantizing.block) for n in channels),
        dequantizing,
        quantizing,
    )
    return layout.with_channels_second(joined.reshape(batch, *size, joined.shape[1]))


def _general(pieces, dim, scale, zero_point, relu) -> np.ndarray:
    """Join along any dimension; positions count in the joined tensor."""
    dtype = pieces[0].dtype
    formats = {layout.format_of(p.array) for p in pieces}
    memory_format = formats.pop() if len(formats) == 1 else dtypes.contiguous_format
    quantizing = rule_for("quantize_per_tensor", dtype)
    dequantizing = engines.Split.uniform(rule_for("dequantize_per_tensor", dtype))
    if quantizing.vector is not quantizing.tail:
        real = np.concatenate([dequantize(p).array for p in pieces], axis=dim)
        if relu:
            real = np.maximum(real, np.float32(0))
        return quantize_array(layout.to_format(real, memory_format), scale, zero_point, dtype)
    output = scale, zero_point, dtype.quant_min, dtype.quant_max
    if memory_format is dtypes.contiguous_format and all(
        p.array.flags.c_contiguous for p in pieces
    ):
        return _row_major(pieces, dim, output, relu, dequantizing, quantizing)
    parts = []
    for piece in pieces:
        flat, own_format = layout.flatten(piece.array)
        q = kernels.requantize(
            flat, (piece.scale, piece.zero_point), output, relu,
            (flat.size, flat.size), dequantizing, quantizing,
        )  # fmt: skip
        parts.append(layout.restore(q, piece.array.shape, own_format))
    return layout.to_format(np.concatenate(parts, axis=dim), memory_format)


def _row_major(pieces, dim, output, relu, dequantizing, quantizing) -> np.ndarray:
    """Join where every element follows one rule: what lies behind the dimension is a row."""
    shape = pieces[0].array.shape
    count = math.prod(shape[:dim])
    widths = [math.prod(piece.array.shape[dim:]) for piece in pieces]
    joined = kernels.join(
        tuple(piece.array.reshape(count, n) for piece, n in zip(pieces, widths, strict=True)),
        tuple((piece.scale, piece.zero_point) for piece in pieces),
        output, relu, False, tuple(widths), dequantizing, quantizing,
    )  # fmt: skip
    extent = sum(piece.array.shape[dim] for piece in pieces)
    return joined.reshape(*shape[:dim], extent, *shape[dim + 1 :])


document(
    __name__,
    pieces="""
Parameters
----------
qx : sequence of QuantizedTensor
    At least one, quantized per tensor, of one dtype; shapes differ along `dim` at most.
dim : int
    The dimension; negative ones count from the end.
scale : float, optional
    Real units of one quantized step of the result; that of the first tensor if left out.
zero_point : int, optional
    The integer that stands for real zero in the result; that of the first if left out.

Returns
-------
QuantizedTensor
    In the memory format that all tensors share, else row-major.

Raises
------
QuantizerError
    If a tensor is not quantized per tensor.
DtypeError
    If the dtypes differ.
ShapeError
    If the shapes do not fit.
QuantizationParameterError
    If `scale` or `zero_point` is not valid.""",
)
enclose(__name__)
