"""The documented methods of tensors, in one table."""

from refquant.ops import indexing, strides, views
from refquant.ops.quantized import affine
from refquant.tensors import Tensor

METHODS = {
    "dequantize": affine.dequantize,
    # The same elements in other shapes, plain or quantized.
    "expand": views.expand,
    "expand_as": views.expand_as,
    "flatten": views.flatten,
    "movedim": views.movedim,
    "permute": views.permute,
    "ravel": views.ravel,
    "reshape": views.reshape,
    "reshape_as": views.reshape_as,
    "squeeze": views.squeeze,
    "t": views.t,
    "transpose": views.transpose,
    "unflatten": views.unflatten,
    "unsqueeze": views.unsqueeze,
    "view": views.view,
    "view_as": views.view_as,
    "as_strided": strides.as_strided,
    "contiguous": strides.contiguous,
    "is_contiguous": strides.is_contiguous,
    "storage_offset": strides.storage_offset,
    # Parts.
    "__getitem__": indexing.getitem,
    "__setitem__": indexing.setitem,
    "chunk": indexing.chunk,
    "narrow": indexing.narrow,
    "select": indexing.select,
    "split": indexing.split,
    "unbind": indexing.unbind,
}


def install() -> None:
    """Make every operation of the table a method of `Tensor`; its first argument is ``self``."""
    for name, operation in METHODS.items():
        setattr(Tensor, name, operation)
