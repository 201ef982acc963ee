"""A dynamically quantized linear layer with ReLU."""

from refquant import dtypes
from refquant.nn.quantized import dynamic

__all__ = ["LinearReLU"]


class LinearReLU(dynamic.Linear):
    r"""Quantize the input by the range of each batch, :math:`y = \max(x w^T + b, 0)`.

    Parameters
    ----------
    in_features, out_features : int
        Length of the last dimension of input and output.
    bias : bool, default True
        Whether there is a bias.
    dtype : dtype, default qint8
        What the weight is stored in: qint8, or float16, which leaves the input as it is.

    Notes
    -----
    All else is as in `refquant.nn.quantized.dynamic.Linear`. Source: the documentation of
    ``torch.ao.nn.intrinsic.quantized.dynamic.LinearReLU``, PyTorch 2.13.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.intrinsic.quantized.dynamic.LinearReLU(20, 30)
    >>> m(refquant.randn(128, 20)).size()
    refquant.Size([128, 30])
    """

    _relu = True

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        dtype: dtypes.dtype = dtypes.qint8,
    ) -> None:
        super().__init__(in_features, out_features, bias, dtype)

    def _get_name(self) -> str:
        return "DynamicQuantizedLinearReLU"
