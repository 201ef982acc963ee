"""The documented methods of tensors, in one table."""

from typing import Any

from refquant._operation import named
from refquant.ops import broadcasting, indexing, permutation, slicing, strides, views
from refquant.ops.dispatch import QUANTIZED_FORMS
from refquant.ops.floating import (  # noqa: F401 -- their rows
    activation,
    arithmetic,
    average_pooling,
    casting,
    comparison,
    concat,
    convolution,
    creation,
    determinism,
    elementwise,
    embedding,
    extremes,
    generator,
    grid_sampling,
    group_normalization,
    index_put,
    logical,
    loss,
    matmul,
    matrices,
    normalization,
    operators,
    padding,
    pooling,
    random,
    ranges,
    reductions,
    repetition,
    resizing,
    rounding,
    sampling,
    selection,
    shuffling,
    softmax,
    sorting,
    transposed_convolution,
    turning,
    units,
)
from refquant.ops.quantized import activation as quantized_activation
from refquant.ops.quantized import affine, deviation, learned_slopes
from refquant.ops.quantized import average_pooling as quantized_averages
from refquant.ops.quantized import casting as quantized_casting
from refquant.ops.quantized import comparison as quantized_comparison
from refquant.ops.quantized import concat as quantized_concat
from refquant.ops.quantized import elementwise as quantized_elementwise
from refquant.ops.quantized import functions as quantized_functions
from refquant.ops.quantized import masking as quantized_masking
from refquant.ops.quantized import padding as quantized_padding
from refquant.ops.quantized import pooling as quantized_pooling
from refquant.ops.quantized import reductions as quantized_reductions
from refquant.ops.quantized import resizing as quantized_resizing
from refquant.ops.quantized import sampling as quantized_sampling
from refquant.ops.rows import exported, method
from refquant.tensors import Tensor


def _named(module, names: str) -> dict:
    """Look up functions that have the names of their methods."""
    return {name: getattr(module, name) for name in names.split()}


# What `refquant.ops.dispatch` sends quantized tensors to.
QUANTIZED_FORMS.update(
    **quantized_activation.FORMS,
    **quantized_functions.FORMS,
    **learned_slopes.FORMS,
    **_named(quantized_casting, "clone copy_ empty_like fill_ resize_ zero_"),
    **_named(quantized_comparison, "eq equal ge gt le lt ne"),
    **_named(quantized_concat, "cat"),
    **_named(quantized_elementwise, "clamp clamp_ hardtanh hardtanh_ relu relu6 relu6_ relu_"),
    **_named(quantized_masking, "index_put_ masked_fill masked_fill_"),
    **_named(quantized_padding, "pad"),
    **_named(quantized_pooling, "max_pool1d max_pool2d max_pool3d"),
    **_named(
        quantized_averages,
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d avg_pool1d avg_pool2d "
        "avg_pool3d",
    ),
    **_named(quantized_reductions, "max mean min sort topk"),
    **_named(deviation, "std"),
    **_named(quantized_resizing, "interpolate"),
    **_named(quantized_sampling, "grid_sample"),
)


@named("where")
def _where(self: Tensor, condition: Any, other: Any) -> Tensor:
    """Take the elements where a condition is true, others from another tensor or number.

    Parameters
    ----------
    condition : Tensor of bool
        Shapes broadcast.
    other : Tensor or number
        Plain, as the tensor has to be.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([1.0, -2.0])
    >>> x.where(x > 0, 0.0)
    tensor([1., 0.])
    """
    return selection.where(condition, self, other)


METHODS = {
    "dequantize": affine.dequantize,
    # The same elements in other shapes, plain or quantized.
    "expand": broadcasting.expand,
    "expand_as": broadcasting.expand_as,
    "flatten": views.flatten,
    "moveaxis": permutation.moveaxis,
    "movedim": permutation.movedim,
    "permute": permutation.permute,
    "ravel": views.ravel,
    "reshape": views.reshape,
    "reshape_as": views.reshape_as,
    "squeeze": views.squeeze,
    "swapaxes": permutation.swapaxes,
    "swapdims": permutation.swapdims,
    "t": permutation.t,
    "transpose": permutation.transpose,
    "unflatten": views.unflatten,
    "unsqueeze": views.unsqueeze,
    "view": views.view,
    "view_as": views.view_as,
    "as_strided": strides.as_strided,
    "contiguous": strides.contiguous,
    "is_contiguous": strides.is_contiguous,
    "nelement": strides.nelement,
    "storage_offset": strides.storage_offset,
    "unfold": strides.unfold,
    # Parts.
    "__getitem__": indexing.getitem,
    "__setitem__": indexing.setitem,
    "chunk": slicing.chunk,
    "narrow": slicing.narrow,
    "select": slicing.select,
    "split": slicing.split,
    "unbind": slicing.unbind,
    # Operations on plain tensors.
    **exported("Tensor"),
    **operators.OPERATORS,
    "__abs__": rounding.abs,
    "__matmul__": method(matmul.matmul),
    "where": _where,
}


def install() -> None:
    """Make every operation of the table a method of `Tensor`; its first argument is ``self``."""
    for name, operation in METHODS.items():
        setattr(Tensor, name, operation)
