"""One step of recurrent layers, with quantized weights and float input and output."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from refquant import arguments, dtypes, nn
from refquant._documentation import document
from refquant.errors import ArgumentError
from refquant.nn.module import Module
from refquant.nn.quantized.dynamic.packed import (
    FromReference,
    drawn,
    drawn_weight,
    pack,
    quantized_parameters,
    unpacked_half,
)
from refquant.nn.quantized.linear import stored_dtype
from refquant.nn.recurrent_cells import CellLayer
from refquant.ops import checks
from refquant.ops.floating.recurrence import CELLS
from refquant.ops.quantized import cells
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


class RNNCellBase(CellLayer, FromReference):
    """Base class of `RNNCell`, `LSTMCell` and `GRUCell`.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of the input, and of the state.
    bias : bool, default True
        Whether there are biases.
    num_chunks : int, default 4
        Rows of the weights are so many times the size of the state.
    dtype : dtype, default qint8
        What the weights are stored in.

    Examples
    --------
    >>> from refquant.nn.quantized import dynamic
    >>> issubclass(dynamic.LSTMCell, dynamic.RNNCellBase)
    True
    """

    _FLOAT_MODULE: type[Module] = nn.RNNCellBase

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        num_chunks: int = 4,
        dtype: dtypes.dtype = dtypes.qint8,
    ) -> None:
        super().__init__()
        self._keep(input_size, hidden_size, bias)
        self._rows = arguments.integer("num_chunks", num_chunks, 1, 4) * self.hidden_size
        self.weight_dtype = stored_dtype(dtype)
        biases: dict[str, Any] = {}
        for end in ("ih", "hh"):
            biases[f"bias_{end}"] = drawn(self._rows) if self.bias else None
        weights = {
            f"weight_{end}": drawn_weight(self.weight_dtype, shape, 1.0)
            for end, shape in self._shapes()
        }
        self.set_weight_bias({"weight": weights, "bias": biases})

    def _shapes(self) -> list[tuple[str, tuple[int, int]]]:
        return [("ih", (self._rows, self.input_size)), ("hh", (self._rows, self.hidden_size))]

    @property
    def bias_ih(self) -> Tensor | None:
        """The bias of the input, or None."""
        return self._packed_weight_ih.bias()

    @property
    def bias_hh(self) -> Tensor | None:
        """The bias of the hidden state, or None."""
        return self._packed_weight_hh.bias()

    def get_weight(self) -> dict[str, Tensor]:
        """Copy the weights, ``weight_ih`` and ``weight_hh``, each with its quantizer."""
        packed = {"ih": self._packed_weight_ih, "hh": self._packed_weight_hh}
        return {f"weight_{end}": value.unpack()[0] for end, value in packed.items()}

    def get_bias(self) -> dict[str, Tensor | None]:
        """Copy the biases, ``bias_ih`` and ``bias_hh``, float32; None where there is none."""
        return {"bias_ih": self.bias_ih, "bias_hh": self.bias_hh}

    def set_weight_bias(self, weight_bias_dict: Mapping[str, Mapping[str, Any]]) -> None:
        """Replace both weights and biases, packed for the engine that is chosen now.

        Parameters
        ----------
        weight_bias_dict : mapping
            Under ``"weight"`` and ``"bias"`` what `get_weight` and `get_bias` return.

        Raises
        ------
        ArgumentError
            If a name is missing.
        ShapeError, DtypeError, QuantizerError
            If a weight or bias does not fit.
        """
        given = arguments.mapping("weight_bias_dict", weight_bias_dict, "a dict of two dicts")
        packed = []
        for end, shape in self._shapes():
            values = []
            for kind in ("weight", "bias"):
                names = given.get(kind)
                if not isinstance(names, Mapping) or f"{kind}_{end}" not in names:
                    raise ArgumentError(
                        argument="weight_bias_dict",
                        expected=f"with the key '{kind}_{end}' below {kind!r}",
                        got=arguments.describe(names),
                    )
                values.append(names[f"{kind}_{end}"])
            packed.append(pack(self.weight_dtype, f"weight_{end}", shape, *values))
        self._packed_weight_ih, self._packed_weight_hh = packed

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        # As in a state of nn.LSTMCell.
        values = {**self.get_weight(), **(self.get_bias() if self.bias else {})}
        destination.update({prefix + name: value for name, value in values.items()})

    def _load_from_state_dict(self, report, prefix: str) -> None:
        kind = QuantizedTensor if self.weight_dtype is dtypes.qint8 else Tensor
        for end, shape in self._shapes():
            name = f"{prefix}weight_{end}"
            weight = report.take(name)
            bias = report.take(f"{prefix}bias_{end}") if self.bias else None
            if weight is None or (bias is None and self.bias):
                continue
            if type(weight) is not kind or tuple(weight.shape) != shape:
                report.error(
                    name,
                    f"a {self.weight_dtype} weight of shape {shape}",
                    arguments.describe(weight),
                )
                continue
            packed = report.attempt(name, pack, self.weight_dtype, name, shape, weight, bias)
            report.change(functools.partial(setattr, self, f"_packed_weight_{end}", packed))

    _REFERENCE = ("get_quantized_weight_ih", "get_quantized_weight_hh")

    def _take_reference(self, layer: Any) -> None:
        ends = ("ih", "hh")
        weights = {
            f"weight_{end}": unpacked_half(getattr(layer, f"get_quantized_weight_{end}")())
            for end in ends
        }
        biases = {f"bias_{end}": getattr(layer, f"bias_{end}") for end in ends}
        biases = {name: None if b is None else b.detach() for name, b in biases.items()}
        self.set_weight_bias({"weight": weights, "bias": biases})

    @classmethod
    def from_float(cls, mod: Module, use_precomputed_fake_quant: bool = False) -> "RNNCellBase":
        """Make a module from a float one; no data is needed.

        Parameters
        ----------
        mod : Module
            Exactly of the float type of the same name; see `LSTM.from_float`.
        use_precomputed_fake_quant : bool, default False
            Has no effect here.

        Raises
        ------
        ArgumentError
            If it is of another type, or the observer's dtype is another.
        """
        dtype, values = quantized_parameters(mod, cls._FLOAT_MODULE)
        options = {"nonlinearity": mod.nonlinearity} if hasattr(mod, "nonlinearity") else {}
        make: Any = cls
        converted = make(mod.input_size, mod.hidden_size, mod.bias, **options, dtype=dtype)
        parts: dict[str, dict[str, Any]] = {
            kind: {f"{kind}_{end}": values.get(f"{kind}_{end}") for end in ("ih", "hh")}
            for kind in ("weight", "bias")
        }
        converted.set_weight_bias(parts)
        converted.training = mod.training
        return converted

    def _arguments(self, input: Any, hx: Any) -> tuple[Tensor, Any, Any, Any, None, None]:
        """Check input and state, and put the arguments of the operation together."""
        x = checks.float32_tensor("input", input)
        if hx is None:
            rows = x.array.shape[0] if x.array.ndim else 0
            zeros = Tensor(np.zeros((rows, self.hidden_size), np.float32))
            state = [zeros] * CELLS[self.mode].states
        else:
            parts = zip(self._names(), self._parts(hx), strict=True)
            state = [checks.float32_tensor(name, part) for name, part in parts]
        self._check(x, state)
        hx = state[0] if len(state) == 1 else state
        return x, hx, self._packed_weight_ih, self._packed_weight_hh, None, None

    def _get_name(self) -> str:
        return f"DynamicQuantized{type(self).__name__}"


class LSTMCell(RNNCellBase):
    r"""One step of long short-term memory that quantizes input and state by their range.

    %(recurrent_cell)s
    dtype : dtype, default qint8
        What the weights are stored in: qint8, or float16, which leaves input and state as they are.

    Notes
    -----
    See `refquant.ops.quantized.quantized_lstm_cell_dynamic`. Fresh weights are zeros with scale
    1.0, fresh biases zeros. A state dict has the names of `refquant.nn.LSTMCell`.

    Examples
    --------
    >>> import refquant
    >>> cell = refquant.nn.quantized.dynamic.LSTMCell(3, 4)
    >>> hidden, memory = cell(refquant.randn(2, 3))
    >>> hidden.shape
    refquant.Size([2, 4])
    """

    _FLOAT_MODULE = nn.LSTMCell
    mode = "LSTM"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: dtypes.dtype = dtypes.qint8,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=4, dtype=dtype)

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, Tensor]:
        """Make the next hidden and cell state, from a pair `hx` of them; zeros if not given."""
        return cells.quantized_lstm_cell_dynamic(*self._arguments(input, hx))


class GRUCell(RNNCellBase):
    r"""One step of a gated recurrent unit that quantizes input and state by their range.

    %(recurrent_cell)s
    dtype : dtype, default qint8
        As of `LSTMCell`.

    Notes
    -----
    See `refquant.ops.quantized.quantized_gru_cell_dynamic`, and `LSTMCell` for states.

    Examples
    --------
    >>> import refquant
    >>> cell = refquant.nn.quantized.dynamic.GRUCell(3, 4)
    >>> cell(refquant.randn(2, 3)).shape
    refquant.Size([2, 4])
    """

    _FLOAT_MODULE = nn.GRUCell
    mode = "GRU"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: dtypes.dtype = dtypes.qint8,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=3, dtype=dtype)

    def forward(self, input: Any, hx: Any = None) -> Tensor:
        """Make the next hidden state, from the hidden state `hx`; zeros if not given."""
        return cells.quantized_gru_cell_dynamic(*self._arguments(input, hx))


class RNNCell(RNNCellBase):
    r"""One step of a plain recurrent layer that quantizes input and state by their range.

    %(recurrent_cell)s
    nonlinearity : {'tanh', 'relu'}
        The function that gives the next state.
    dtype : dtype, default qint8
        As of `LSTMCell`.

    Notes
    -----
    See `refquant.ops.quantized.quantized_rnn_tanh_cell_dynamic`, and `LSTMCell` for states.

    Examples
    --------
    >>> import refquant
    >>> cell = refquant.nn.quantized.dynamic.RNNCell(3, 4, nonlinearity="relu")
    >>> cell(refquant.randn(2, 3)).shape
    refquant.Size([2, 4])
    """

    _FLOAT_MODULE = nn.RNNCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: dtypes.dtype = dtypes.qint8,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=1, dtype=dtype)
        self.nonlinearity = arguments.choice("nonlinearity", nonlinearity, ("tanh", "relu"))
        self.mode = f"RNN_{self.nonlinearity.upper()}"

    def forward(self, input: Any, hx: Any = None) -> Tensor:
        """Make the next hidden state, from the hidden state `hx`; zeros if not given."""
        of_tanh = self.nonlinearity == "tanh"
        run = (
            cells.quantized_rnn_tanh_cell_dynamic
            if of_tanh
            else (cells.quantized_rnn_relu_cell_dynamic)
        )
        return run(*self._arguments(input, hx))


document(__name__)
