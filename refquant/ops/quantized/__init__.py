"""Operations on quantized tensors, under their documented names.

Each checks its arguments, asks the record of the chosen engine for rules, and calls a kernel or
its definition.

Examples
--------
>>> import refquant
>>> x = refquant.quantize_per_tensor(refquant.tensor([1.0, 2.0]), 0.5, 0, refquant.quint8)
>>> refquant.ops.quantized.mul(x, x, 0.5, 0).dequantize()
tensor([1., 4.])
"""

from refquant.ops.quantized.arithmetic import add, add_relu, mul, mul_relu
from refquant.ops.quantized.concat import cat, cat_relu
from refquant.ops.quantized.convolution import conv2d, conv2d_relu, conv3d, conv3d_relu
from refquant.ops.quantized.convolution_prepack import (
    conv2d_prepack,
    conv2d_unpack,
    conv3d_prepack,
    conv3d_unpack,
    conv_prepack,
    conv_unpack,
)
from refquant.ops.quantized.dynamic import (
    linear_dynamic,
    linear_dynamic_fp16,
    linear_prepack_fp16,
    linear_relu_dynamic,
    linear_relu_dynamic_fp16,
    linear_unpack_fp16,
)
from refquant.ops.quantized.elementwise import relu6
from refquant.ops.quantized.exponential import elu
from refquant.ops.quantized.matmul import linear, linear_prepack, linear_relu, linear_unpack
from refquant.ops.quantized.out_variants import (
    add_out,
    add_relu_out,
    add_scalar_out,
    add_scalar_relu_out,
    cat_out,
    cat_relu_out,
    mul_out,
    mul_relu_out,
    mul_scalar_out,
    mul_scalar_relu_out,
)
from refquant.ops.quantized.pooling import max_pool2d
from refquant.ops.quantized.with_scalar import (
    add_scalar,
    add_scalar_relu,
    mul_scalar,
    mul_scalar_relu,
)

__all__ = [
    "add",
    "add_out",
    "add_relu",
    "add_relu_out",
    "add_scalar",
    "add_scalar_out",
    "add_scalar_relu",
    "add_scalar_relu_out",
    "cat",
    "cat_out",
    "cat_relu",
    "cat_relu_out",
    "conv2d",
    "conv2d_prepack",
    "conv2d_relu",
    "conv2d_unpack",
    "conv3d",
    "conv3d_prepack",
    "conv3d_relu",
    "conv3d_unpack",
    "conv_prepack",
    "conv_unpack",
    "elu",
    "linear",
    "linear_dynamic",
    "linear_dynamic_fp16",
    "linear_prepack",
    "linear_prepack_fp16",
    "linear_relu",
    "linear_relu_dynamic",
    "linear_relu_dynamic_fp16",
    "linear_unpack",
    "linear_unpack_fp16",
    "max_pool2d",
    "mul",
    "mul_out",
    "mul_relu",
    "mul_relu_out",
    "mul_scalar",
    "mul_scalar_out",
    "mul_scalar_relu",
    "mul_scalar_relu_out",
    "relu6",
]
