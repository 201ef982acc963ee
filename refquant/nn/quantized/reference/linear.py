"""A linear layer whose weight is quantized and dequantized."""

from typing import Any, Self

from refquant import arguments, nn
from refquant._documentation import document
from refquant.nn import functional as F
from refquant.nn.module import Module
from refquant.nn.quantized.reference.rounding import PARTS, OneWeight, check_place
from refquant.tensors import Tensor

__all__ = ["Linear"]


class Linear(OneWeight, nn.Linear):
    r"""A float linear layer with a weight that stands for integers, :math:`y = x \, Q(W)^T + b`.

    :math:`Q` quantizes and dequantizes. Input and output are float: between a ``DeQuantStub`` and a
    ``QuantStub`` the layer says what `refquant.nn.quantized.Linear` is to compute, up to the order
    of sums and the rounding of engines.

    Parameters
    ----------
    in_features, out_features : int
        Length of the last dimension of input and output.
    bias_ : bool, default True
        Whether there is a bias.
    %(reference_settings)s

    Attributes
    ----------
    weight : Parameter, shape (out_features, in_features)
        Not rounded.
    bias : Parameter, shape (out_features,), or None
    %(reference_attributes)s

    Notes
    -----
    Source: ``torch.ao.nn.quantized.reference.Linear``, PyTorch 2.13.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> layer = nn.Linear(2, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 0.3)
    >>> steps = {
    ...     "qscheme": refquant.per_tensor_affine, "dtype": refquant.qint8,
    ...     "scale": 0.25, "zero_point": 0,
    ... }
    >>> nn.quantized.reference.Linear.from_float(layer, steps)(refquant.ones(1, 2))
    tensor([[0.5000]])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias_: bool = True,
        device: Any = None,
        dtype: Any = None,
        weight_qparams: Any = None,
    ) -> None:
        check_place(device, dtype)
        super().__init__(in_features, out_features, arguments.switch("bias_", bias_))
        self._keep(weight_qparams)

    def forward(self, x: Tensor) -> Tensor:
        """Round the weight and map the rows of `x`, which is float."""
        return F.linear(x, self.get_weight(), self.bias)

    @classmethod
    def from_float(cls, float_linear: Module, weight_qparams: Any) -> Self:
        """Make a module from a float one, whose parameters it shares.

        Parameters
        ----------
        float_linear : Linear
        weight_qparams : mapping
            As of the constructor.
        """
        given: Any = arguments.instance("float_linear", float_linear, nn.Linear, "a Linear")
        settings: Any = (given.in_features, given.out_features, given.bias is not None)
        make: Any = cls
        return make(*settings, weight_qparams=weight_qparams)._share(given)


document(__name__, **PARTS)
