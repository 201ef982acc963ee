"""Cells of recurrent layers whose weights are quantized and dequantized."""

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

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]

WEIGHTS = ["weight_ih", "weight_hh"]


class _Rounded(nn.RNNCellBase):
    """Base class of the three."""

    _IS_REFERENCE = True
    _float: type

    def get_weight_ih(self) -> Tensor:
        """Quantize and dequantize the weight of the input."""
        return rounded(self, "weight_ih")

    def get_weight_hh(self) -> Tensor:
        """Quantize and dequantize the weight of the state."""
        return rounded(self, "weight_hh")

    def get_quantized_weight_ih(self) -> Tensor:
        """Quantize the weight of the input."""
        return quantized(self, "weight_ih")

    def get_quantized_weight_hh(self) -> Tensor:
        """Quantize the weight of the state."""
        return quantized(self, "weight_hh")

    def _weights(self) -> list[Tensor]:
        return [self.get_weight_ih(), self.get_weight_hh()]

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
        settings: dict[str, Any] = {
            name: getattr(given, name)
            for name in ("input_size", "hidden_size", "bias", "nonlinearity")
            if hasattr(given, name)
        }
        make: Any = cls
        made = make(**settings, weight_qparams_dict=weight_qparams_dict)
        for name in (*WEIGHTS, "bias_ih", "bias_hh"):
            setattr(made, name, getattr(given, name))
        return made


class RNNCell(_Rounded, nn.RNNCell):
    """One step of a plain recurrent layer with weights that stand for integers, in float.

    %(recurrent_cell)s
    nonlinearity : {'tanh', 'relu'}
        The function that gives the next state.
    %(reference_weights)s

    Examples
    --------
    >>> import refquant
    >>> cell = refquant.nn.quantized.reference.RNNCell(3, 4)
    >>> cell(refquant.randn(2, 3)).shape
    refquant.Size([2, 4])
    """

    _float = nn.RNNCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
        weight_qparams_dict: Any = None,
    ) -> None:
        check_place(device, dtype)
        nn.RNNCell.__init__(self, input_size, hidden_size, bias, nonlinearity)
        keep_several(self, WEIGHTS, weight_qparams_dict)


class LSTMCell(_Rounded, nn.LSTMCell):
    """One step of long short-term memory with weights that stand for integers, in float.

    %(recurrent_cell)s
    %(reference_weights)s

    Examples
    --------
    >>> import refquant
    >>> cell = refquant.nn.quantized.reference.LSTMCell(3, 4)
    >>> hidden, memory = cell(refquant.randn(2, 3))
    >>> hidden.shape
    refquant.Size([2, 4])
    """

    _float = nn.LSTMCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        weight_qparams_dict: Any = None,
    ) -> None:
        check_place(device, dtype)
        nn.LSTMCell.__init__(self, input_size, hidden_size, bias)
        keep_several(self, WEIGHTS, weight_qparams_dict)


class GRUCell(_Rounded, nn.GRUCell):
    """One step of a gated recurrent unit with weights that stand for integers, in float.

    %(recurrent_cell)s
    %(reference_weights)s

    Examples
    --------
    >>> import refquant
    >>> cell = refquant.nn.quantized.reference.GRUCell(3, 4)
    >>> cell(refquant.randn(2, 3)).shape
    refquant.Size([2, 4])
    """

    _float = nn.GRUCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        weight_qparams_dict: Any = None,
    ) -> None:
        check_place(device, dtype)
        nn.GRUCell.__init__(self, input_size, hidden_size, bias)
        keep_several(self, WEIGHTS, weight_qparams_dict)


document(__name__, **PARTS)
