"""Recurrent layers whose weights are quantized and dequantized."""

from typing import Any, Self

from refquant import arguments, nn
from refquant._documentation import document
from refquant.nn.module import Module
from refquant.nn.quantized.reference.rounding import (
    PARTS,
    check_place,
    keep_several,
    quantized,
    rounded,
)
from refquant.tensors import Tensor

__all__ = ["GRU", "LSTM"]

_SETTINGS = (
    "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional",
)  # fmt: skip


class _Rounded(nn.RNNBase):
    """Base class of both."""

    _IS_REFERENCE = True
    _float: type

    def _names_of_weights(self) -> list[str]:
        return [name for name in self._flat_weights_names if name.startswith("weight")]

    def _parameter(self, name: str) -> Tensor:
        return rounded(self, name) if name.startswith("weight") else getattr(self, name)

    def get_flat_weights(self) -> list[Tensor]:
        """List weights, quantized and dequantized, and biases in the order of the layers."""
        return [self._parameter(name) for name in self._flat_weights_names]

    def get_quantized_weight_bias_dict(self) -> dict[str, Tensor]:
        """Map names to quantized weights and float biases."""
        return {
            name: quantized(self, name) if name.startswith("weight") else getattr(self, name)
            for name in self._flat_weights_names
        }

    def _get_name(self) -> str:
        return f"Quantized{type(self).__name__}(Reference)"

    @classmethod
    def from_float(cls, mod: Module, weight_qparams_dict: Any) -> Self:
        """Make a module from a float one, whose parameters it shares.

        Parameters
        ----------
        mod : Module
            Of the float type.
        weight_qparams_dict : mapping
            As of the constructor.
        """
        given: Any = arguments.instance("mod", mod, cls._float, f"a {cls._float.__name__}")
        settings: dict[str, Any] = {name: getattr(given, name) for name in _SETTINGS}
        make: Any = cls
        made = make(**settings, weight_qparams_dict=weight_qparams_dict)
        for name in given._flat_weights_names:
            setattr(made, name, getattr(given, name))
        return made


class LSTM(_Rounded, nn.LSTM):
    """Layers of long short-term memory with weights that stand for integers, in float.

    %(recurrent_layers)s
    %(reference_weights)s

    Examples
    --------
    >>> import refquant
    >>> layer = refquant.nn.quantized.reference.LSTM(3, 4)
    >>> output, (hidden, cell) = layer(refquant.randn(5, 2, 3))
    >>> output.shape
    refquant.Size([5, 2, 4])
    """

    _float = nn.LSTM

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        device: Any = None,
        dtype: Any = None,
        weight_qparams_dict: Any = None,
    ) -> None:
        check_place(device, dtype)
        nn.LSTM.__init__(
            self, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        )
        keep_several(self, self._names_of_weights(), weight_qparams_dict)


class GRU(_Rounded, nn.GRU):
    """Layers of gated recurrent units with weights that stand for integers, in float.

    %(recurrent_layers)s
    %(reference_weights)s

    Examples
    --------
    >>> import refquant
    >>> layer = refquant.nn.quantized.reference.GRU(3, 4)
    >>> output, hidden = layer(refquant.randn(5, 2, 3))
    >>> output.shape
    refquant.Size([5, 2, 4])
    """

    _float = nn.GRU

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        device: Any = None,
        dtype: Any = None,
        weight_qparams_dict: Any = None,
    ) -> None:
        check_place(device, dtype)
        nn.GRU.__init__(
            self, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        )
        keep_several(self, self._names_of_weights(), weight_qparams_dict)


document(__name__, **PARTS)
