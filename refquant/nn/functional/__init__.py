"""Functions of neural networks, under their documented names.

Those that quantized tensors have take them, too: relu, relu6, hardtanh, the poolings and
interpolate.
"""

from refquant.nn.functional.activation import (
    elu,
    hardsigmoid,
    hardtanh,
    leaky_relu,
    log_softmax,
    relu,
    relu6,
    sigmoid,
    softmax,
    tanh,
)
from refquant.nn.functional.training import batch_norm, dropout
from refquant.ops.floating.activation import hardswish, silu, softplus
from refquant.ops.floating.concat import pad
from refquant.ops.floating.convolution import conv1d, conv2d, conv3d
from refquant.ops.floating.loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from refquant.ops.floating.matmul import linear
from refquant.ops.floating.normalization import layer_norm
from refquant.ops.floating.pooling import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from refquant.ops.floating.resizing import (
    interpolate,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "conv3d",
    "cross_entropy",
    "dropout",
    "elu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "pad",
    "relu",
    "relu6",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]
