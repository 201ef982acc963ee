"""The documented methods of tensors, in one table."""

from refquant.ops.quantized import affine
from refquant.tensors import Tensor

METHODS = {
    "dequantize": affine.dequantize,
}


def install() -> None:
    """Make every operation of the table a method of `Tensor`; its first argument is ``self``."""
    for name, operation in METHODS.items():
        setattr(Tensor, name, operation)
