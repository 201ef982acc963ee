"""Batch normalization of quantized tensors with ReLU."""

from refquant.nn import quantized
from refquant.ops import quantized as ops

__all__ = ["BNReLU2d", "BNReLU3d"]


class BNReLU2d(quantized.BatchNorm2d):
    """Normalize the channels of quantized images; results below 0 become 0.

    Parameters
    ----------
    num_features, eps, momentum
        As of `refquant.nn.quantized.BatchNorm2d`, whose attributes and methods it has too.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.intrinsic.quantized.BNReLU2d(1)
    >>> x = refquant.tensor([-1.0, 1.0]).reshape(1, 1, 1, 2)
    >>> m(refquant.quantize_per_tensor(x, 0.5, 8, refquant.quint8)).dequantize().flatten()
    tensor([0., 1.])
    """

    _operation = staticmethod(ops.batch_norm2d_relu)


class BNReLU3d(quantized.BatchNorm3d):
    """Normalize the channels of quantized volumes; results below 0 become 0.

    Parameters
    ----------
    num_features, eps, momentum
        As of `refquant.nn.quantized.BatchNorm3d`, whose attributes and methods it has too.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.intrinsic.quantized.BNReLU3d(1)
    >>> x = refquant.tensor([-1.0, 1.0]).reshape(1, 1, 1, 1, 2)
    >>> m(refquant.quantize_per_tensor(x, 0.5, 8, refquant.quint8)).dequantize().flatten()
    tensor([0., 1.])
    """

    _operation = staticmethod(ops.batch_norm3d_relu)
