"""Plain and quantized tensors, both built on NumPy arrays.

`Tensor` holds numbers, `QuantizedTensor` integers that stand for numbers. Operations live in
`refquant.ops`, which installs the documented methods (see the table in `refquant.ops.methods`).
"""

from refquant.tensors.plain import Tensor, differentiable
from refquant.tensors.quantized import QuantizedTensor
from refquant.tensors.shape import Size

__all__ = ["QuantizedTensor", "Size", "Tensor", "differentiable"]
