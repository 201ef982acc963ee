"""Long short-term memory by integers: what ``convert`` makes of a `quantizable` one."""

from typing import Any

from refquant import arguments
from refquant.errors import ArgumentError, NotSupportedError
from refquant.nn.module import Module
from refquant.nn.quantizable import recurrent
from refquant.nn.quantizable.workflow import step

__all__ = ["LSTM"]


class LSTM(recurrent.LSTM):
    """Layers of long short-term memory whose input, state and weights are quantized.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, split_gates
        As of `refquant.nn.quantizable.LSTM`, from which ``convert`` makes it.

    Notes
    -----
    Gates are `refquant.nn.quantized.Linear` and `refquant.nn.quantized.QFunctional`, sigmoid and
    hyperbolic tangent those of quantized tensors. Source: the documentation of
    ``torch.ao.nn.quantized.LSTM``, PyTorch 2.13.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> model = nn.Sequential(quantization.QuantStub(), nn.LSTM(3, 4)).eval()
    >>> model.qconfig = quantization.get_default_qconfig("fbgemm")
    >>> model = quantization.prepare(model)
    >>> _ = model(refquant.randn(5, 2, 3))
    >>> model = quantization.convert(model)
    >>> type(model[1])
    <class 'refquant.nn.quantized.recurrent.LSTM'>
    >>> model(refquant.randn(5, 2, 3))[0].dtype
    refquant.quint8
    """

    _FLOAT_MODULE: type[Module] = recurrent.LSTM

    def _get_name(self) -> str:
        return "QuantizedLSTM"

    @classmethod
    def from_float(cls, other: Any, qconfig: Any = None, split_gates: bool = False) -> "LSTM":
        """Raise an error: a float module is observed first.

        Raises
        ------
        NotSupportedError
            Always.
        """
        raise NotSupportedError(
            argument="other",
            expected="a module with observers, for from_observed",
            got=arguments.describe(other),
            hint="call prepare(), run some batches, then convert()",
        )

    @classmethod
    def from_observed(cls, other: Any) -> "LSTM":
        """Convert the parts of a module with observers.

        Parameters
        ----------
        other : Module
            A `refquant.nn.quantizable.LSTM` that has seen data.

        Raises
        ------
        ArgumentError
            If it is of another type.
        """
        if not isinstance(other, cls._FLOAT_MODULE):
            raise ArgumentError(
                argument="other",
                expected="a refquant.nn.quantizable.LSTM",
                got=arguments.describe(other),
            )
        converted: Any = step("convert")(other, convert_custom_config_dict={})
        converted.__class__ = cls
        return converted
