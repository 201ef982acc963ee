"""Reductions and orders of quantized tensors: on integers, the parameters stay."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import arguments, dtypes, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant._operation import operation_name
from refquant.dtypes import quint8
from refquant.engines import Operands
from refquant.engines.rules import float_sums
from refquant.engines.rules.average import AVERAGE_IN_FIXED_POINT
from refquant.engines.rules.mean import MEAN_IN_CASCADES, MEAN_IN_ORDER
from refquant.errors import EngineError, NotSupportedError, OperationError
from refquant.ops import checks, layout
from refquant.ops.floating.extremes import ValuesAndIndices
from refquant.ops.floating.selecting import chosen
from refquant.ops.quantized.affine import dequantize, quantize_array
from refquant.ops.registered import operation
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["max", "mean", "min", "sort", "topk"]

_SUMS = {
    MEAN_IN_ORDER: float_sums.sum_in_order,
    MEAN_IN_CASCADES: float_sums.sum_in_cascades,
}


def check_average(q: QuantizedTensor, counts: int | np.ndarray, rule: Any) -> None:
    """Raise if fixed point does not hold the multiplier of an average of so many elements."""
    if rule is not AVERAGE_IN_FIXED_POINT:
        return
    count = int(np.abs(counts).max(initial=1))
    with np.errstate(over="ignore"):
        total = np.float32(q.scale) * np.float32(count)
    if not np.isfinite(total):
        raise EngineError(
            f"{operation_name()}: engine {engines.current().name!r} averages in fixed point",
            argument="input",
            expected=f"of a scale that float32 holds {count}-fold",
            got=q.scale,
            hint="choose a smaller scale",
        )


def _not_empty(count: int, shape) -> None:
    if count == 0:
        raise OperationError(
            argument="input", expected="a tensor with elements", got=f"shape {shape}"
        )


def _taken(q: QuantizedTensor, where: np.ndarray, dim: int, keepdim: bool) -> ValuesAndIndices:
    values = np.take_along_axis(q.array, where, dim)
    if not keepdim:
        values, where = values.squeeze(dim), where.squeeze(dim)
    return ValuesAndIndices(q.like(values), Tensor(where.astype(np.int64, copy=False)))


def _extreme(input: Any, dim: Any, keepdim: bool, over_all: Callable, along: Callable):
    q = checks.quantized_per_tensor("input", input)
    keepdim = arguments.flag("keepdim", keepdim)
    if dim is None:
        _not_empty(q.array.size, q.array.shape)
        return q.like(np.asarray(over_all(q.array)))
    if isinstance(dim, Tensor | np.ndarray):
        raise NotSupportedError(
            f"{operation_name()} of two quantized tensors", hint="call .dequantize() on both first"
        )
    dim = checks.dimension("dim", dim, q.array.ndim)
    if q.array.ndim == 0:
        return ValuesAndIndices(q.like(q.array.copy()), Tensor(np.zeros((), np.int64)))
    _not_empty(q.array.shape[dim], q.array.shape)
    return _taken(q, np.expand_dims(along(q.array, axis=dim), dim), dim, keepdim)


def max(input: Any, dim: Any = None, keepdim: bool = False):
    """Find the largest element, of all or along a dimension.

    %(per_tensor)s
    dim : int, optional
        A dimension; all elements if left out.
    keepdim : bool
        Whether the dimension stays, with extent 1.

    Returns
    -------
    QuantizedTensor, or ValuesAndIndices if a dimension is given
        With the parameters of `input`. Of equals the first along the dimension is found.

    %(unless_per_tensor)s
    OperationError
        If there are no elements.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[1.0, 2.0]]), 0.5, 8, refquant.quint8)
    >>> x.max().dequantize(), x.max(dim=1).indices
    (tensor(2.), tensor([1]))
    """
    return _extreme(input, dim, keepdim, np.max, np.argmax)


def min(input: Any, dim: Any = None, keepdim: bool = False):
    """Find the smallest element, of all or along a dimension; see `max`."""
    return _extreme(input, dim, keepdim, np.min, np.argmin)


def _order(q: QuantizedTensor, dim: int, descending: bool) -> np.ndarray:
    """Return indices in sorted order; of equals the first comes first."""
    # Turning over all bits turns the order around; negating would overflow.
    keys = np.bitwise_not(q.array) if descending else q.array
    return np.argsort(keys, axis=dim, kind="stable")


def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False):
    """Sort along a dimension; equals keep their order.

    %(per_tensor)s
    dim : int
        Along which to sort.
    descending : bool
        From the largest down.
    stable : bool
        Accepted; the order is always stable.

    Returns
    -------
    ValuesAndIndices
        The sorted elements with the parameters of `input`, and where each was (int64).

    %(unless_per_tensor)s

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([2.0, 1.0]), 0.5, 8, refquant.quint8)
    >>> values, indices = x.sort()
    >>> values.dequantize(), indices
    (tensor([1., 2.]), tensor([1, 0]))
    """
    q = checks.quantized_per_tensor("input", input)
    dim = checks.dimension("dim", dim, q.array.ndim)
    descending = arguments.flag("descending", descending)
    if q.array.ndim == 0:
        return ValuesAndIndices(q.like(q.array.copy()), Tensor(np.zeros((), np.int64)))
    return _taken(q, _order(q, dim, descending), dim, keepdim=True)


def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True):
    """Find the `k` largest elements along a dimension, or the smallest, of equals as PyTorch does.

    %(per_tensor)s
    k : int
        How many.
    dim : int
        Along which to look.
    largest : bool
        Whether the largest or the smallest are wanted.
    sorted : bool
        Accepted; the result is always sorted.

    Returns
    -------
    ValuesAndIndices
        The elements with the parameters of `input`, and where each was (int64).

    %(unless_per_tensor)s
    OperationError
        If there are fewer than `k`.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([2.0, 1.0, 3.0]), 0.5, 8, refquant.quint8)
    >>> x.topk(2).values.dequantize()
    tensor([3., 2.])
    """
    q = checks.quantized_per_tensor("input", input)
    dim = checks.dimension("dim", dim, q.array.ndim)
    count, largest = arguments.integer("k", k), arguments.flag("largest", largest)
    extent = q.array.shape[dim] if q.array.ndim else 1
    if not 0 <= count <= extent:
        raise OperationError(argument="k", expected=f"in 0..{extent}", got=k)
    if q.array.ndim == 0:
        return ValuesAndIndices(q.like(q.array.copy()), Tensor(np.zeros((), np.int64)))
    return _taken(q, chosen(q.array, count, dim, largest), dim, keepdim=True)


@operation("dimensions", "mean", "quantize_per_tensor")
def mean(
    input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, out: Any = None
) -> QuantizedTensor:
    r"""Average over all dimensions or some.

    PyTorch 2.13 averages integers over trailing dimensions of a row-major tensor,
    :math:`q = clip(round(\sum q_i / n))`, and real numbers otherwise; QNNPACK has a formula of
    its own for height and width of an image. The engine's record names the rule (step ``mean``).

    %(per_tensor)s
    dim : int or sequence of int, optional
        Dimensions to average over; all if left out.
    keepdim : bool
        Whether they stay, with extent 1.
    dtype : dtype, optional
        That of `input`, if given.
    out : QuantizedTensor, optional
        Takes over integers, shape and parameters of the result.

    Returns
    -------
    QuantizedTensor
        With the parameters of `input`, row-major.

    %(unless_per_tensor)s
    OperationError
        If there are no elements to average.
    EngineError
        If the engine cannot average over these dimensions.
    NotSupportedError
        If another dtype is asked for.

    Notes
    -----
    Where real numbers are averaged, float32 are added in the order of one thread of the release
    on an x86 processor. Source: ATen ``mean_quantized_cpu``, QNNPACK ``global_average_pooling``;
    see `refquant.engines.rules.average`, `refquant.engines.rules.mean` and
    `refquant.engines.rules.float_sums`.

    %(one_to_two)s
    >>> x.mean().dequantize()
    tensor(1.5000)
    """
    q = checks.quantized_per_tensor("input", input)
    keepdim = arguments.flag("keepdim", keepdim)
    if dtype is not None and dtype is not q.dtype:
        raise NotSupportedError(
            "mean of a quantized tensor",
            argument="dtype",
            expected=str(q.dtype),
            got=dtype if isinstance(dtype, dtypes.dtype) else arguments.describe(dtype),
            hint="call .dequantize() first",
        )
    x, axes = q.array, _axes(dim, q.array.ndim)
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    _not_empty(count, x.shape)
    trailing = x.flags.c_contiguous and axes == tuple(range(x.ndim - len(axes), x.ndim))
    given = _as_given(dim, axes)
    spatial = x.ndim == 4 and given == (2, 3)  # of (-2, -1) PyTorch does not see the same
    if not spatial and q.dtype is quint8:
        engines.require("mean_dimensions", f"over dimensions {given}")
    rule = engines.current().rule("mean", Operands(q.dtype, trailing=trailing, spatial=spatial))
    check_average(q, count, rule)
    shape = [1 if d in axes else n for d, n in enumerate(x.shape) if keepdim or d not in axes]
    output = q.scale, q.zero_point, q.dtype.quant_min, q.dtype.quant_max
    block = _block(x, axes) if rule is MEAN_IN_CASCADES else None
    if block is not None:
        averages = _of_columns(block, output, q.dtype)
    elif rule in _SUMS:
        with np.errstate(all="ignore"):
            real = _SUMS[rule](dequantize(q).array, axes) / np.float32(count)
        averages = quantize_array(np.asarray(real), q.scale, q.zero_point, q.dtype)
    else:
        rows = x if trailing else np.moveaxis(x, axes, range(-len(axes), 0))
        rows = np.ascontiguousarray(rows).reshape(x.size // count, count)
        averages = kernels.mean(rows, output, rule)
    result = q.like(np.ascontiguousarray(averages).reshape(shape))
    if out is None:
        return result
    target = checks.quantized_per_tensor("out", out)
    target.array, target.scale, target.zero_point = result.array, q.scale, q.zero_point
    return target


def _of_columns(block: np.ndarray, output, dtype) -> np.ndarray:
    """Average real numbers along the middle axis."""
    record, operands = engines.current(), Operands(dtype)
    quantizing = record.rule("quantize_per_tensor", operands)
    vectors = layout.vector_length(block.shape[0] * block.shape[2], quantizing.block)
    dequantizing = record.rule("dequantize_per_tensor", operands)
    return kernels.mean_of_reals(block, output, vectors, dequantizing, quantizing)


def _block(array: np.ndarray, axes: tuple[int, ...]) -> np.ndarray | None:
    """View the elements around axes that are neighbors in memory as (outer, n, inner).

    None unless there are no gaps and a run of at least two elements follows the axes.
    """
    if not array.flags.c_contiguous and layout.is_channels_last(array):
        # Other dimensions than these would not be kept in the order of memory.
        if axes[-array.ndim + 2 :] != tuple(range(2, array.ndim)) or 1 in axes:
            return None
        array, _ = layout.image(array, array.ndim - 2)
        axes = tuple([d - (d > 0) for d in axes])
    if not axes or not array.flags.c_contiguous or axes[-1] - axes[0] >= len(axes):
        return None
    first, after = axes[0], axes[-1] + 1
    parts = array.shape[:first], array.shape[first:after], array.shape[after:]
    outer, n, inner = map(math.prod, parts)
    return array.reshape(outer, n, inner) if inner > 1 else None


def _axes(dim: Any, ndim: int) -> tuple[int, ...]:
    """Return the dimensions to reduce in ascending order, or raise; None stands for all."""
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return tuple(range(ndim))
    axes = checks.dimensions("dim", dim, ndim)
    return tuple(sorted(axes)) if ndim else ()


def _as_given(dim: Any, axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return several dimensions as they were written, and otherwise the axes that are meant."""
    return tuple(map(int, dim)) if isinstance(dim, tuple | list) and dim else axes


document(__name__)
enclose(__name__)
