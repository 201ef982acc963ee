"""One step of recurrent layers, as modules."""

import math
from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ShapeError
from refquant.nn import init
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.ops.floating.creation import empty, zeros
from refquant.ops.floating.operands import operand
from refquant.ops.floating.recurrence import CELLS, run_direction
from refquant.tensors import Tensor

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


class CellLayer(Module):
    """Base class of cells: their settings, and how they are shown."""

    input_size: int
    hidden_size: int
    bias: bool
    mode: str

    def _keep(self, input_size: Any, hidden_size: Any, bias: Any) -> None:
        """Check the settings and make them attributes."""
        self.input_size = arguments.integer("input_size", input_size, 1)
        self.hidden_size = arguments.integer("hidden_size", hidden_size, 1)
        for name in ("input_size", "hidden_size"):
            arguments.shape(name, (4 * self.hidden_size, max(self.hidden_size, self.input_size)))
        self.bias = arguments.flag("bias", bias)

    def extra_repr(self) -> str:
        """Describe the sizes; what is usual is left out."""
        text = f"{self.input_size}, {self.hidden_size}"
        text += "" if self.bias else ", bias=False"
        function = getattr(self, "nonlinearity", "tanh")
        return text if function == "tanh" else f"{text}, nonlinearity={function}"

    def _parts(self, hx: Any) -> list[Any]:
        """Take the parts of a state from how it is handed over, or raise."""
        if CELLS[self.mode].states == 1:
            return [hx]
        return list(arguments.pair_of_tensors("hx", hx))

    def _names(self) -> tuple[str, ...]:
        return ("hx",) if CELLS[self.mode].states == 1 else ("hx[0]", "hx[1]")

    def _check(self, input: Tensor, state: list[Tensor]) -> None:
        """Raise unless input and state are rows that fit together."""
        shape = tuple(input.shape)
        if len(shape) != 2 or shape[1] != self.input_size:
            raise ShapeError(
                argument="input",
                expected=f"of shape (batch, {self.input_size})",
                got=f"shape {shape}",
            )
        for name, part in zip(self._names(), state, strict=True):
            if tuple(part.shape) != (shape[0], self.hidden_size):
                raise ShapeError(
                    argument=name,
                    expected=f"of shape {(shape[0], self.hidden_size)}",
                    got=f"shape {tuple(part.shape)}",
                )


class RNNCellBase(CellLayer):
    """Base class of `RNNCell`, `LSTMCell` and `GRUCell`.

    Parameters
    ----------
    input_size, hidden_size : int
        Features of the input, and of the state.
    bias : bool
        Whether there are biases.
    num_chunks : int
        Rows of the weights are so many times the size of the state.

    Examples
    --------
    >>> import refquant
    >>> issubclass(refquant.nn.LSTMCell, refquant.nn.RNNCellBase)
    True
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int) -> None:
        super().__init__()
        self._keep(input_size, hidden_size, bias)
        rows = arguments.integer("num_chunks", num_chunks, 1, 4) * self.hidden_size
        self.weight_ih = Parameter(empty(rows, self.input_size))
        self.weight_hh = Parameter(empty(rows, self.hidden_size))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty(rows)) if self.bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Draw all parameters uniformly from :math:`\pm 1 / \sqrt{\mathrm{hidden\_size}}`."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _weights(self) -> list[Tensor]:
        """Get what is used of the weights."""
        return [self.weight_ih, self.weight_hh]

    def _next(self, input: Any, hx: Any) -> list[Tensor]:
        input = operand("input", input)
        single = input.dim() == 1
        if hx is not None:
            parts = zip(self._names(), self._parts(hx), strict=True)
            state = [operand(name, part) for name, part in parts]
        if single:
            input = input.unsqueeze(0)
            state = [] if hx is None else [part.unsqueeze(0) for part in state]
        if hx is None:
            shape = (input.shape[0] if input.dim() == 2 else 0, self.hidden_size)
            state = [zeros(*shape, dtype=input.dtype) for _ in self._names()]
        self._check(input, state)
        weights = self._weights()
        weights += [self.bias_ih, self.bias_hh] if self.bias else []
        _, state = run_direction(CELLS[self.mode], input.unsqueeze(0), state, weights)
        return [part.squeeze(0) for part in state] if single else state


class LSTMCell(RNNCellBase):
    r"""One step of long short-term memory, see `LSTM`.

    %(recurrent_cell)s

    Examples
    --------
    >>> import refquant
    >>> cell = refquant.nn.LSTMCell(3, 4)
    >>> hidden, memory = cell(refquant.randn(2, 3))
    >>> hidden.shape
    refquant.Size([2, 4])
    """

    mode = "LSTM"

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__(input_size, hidden_size, bias, 4)

    def forward(self, input: Any, hx: Any = None) -> tuple[Tensor, Tensor]:
        """Make the next hidden and cell state, from a pair `hx` of them; zeros if not given."""
        hidden, cell = self._next(input, hx)
        return hidden, cell


class GRUCell(RNNCellBase):
    r"""One step of a gated recurrent unit, see `GRU`.

    %(recurrent_cell)s

    Examples
    --------
    >>> import refquant
    >>> cell = refquant.nn.GRUCell(3, 4)
    >>> cell(refquant.randn(2, 3)).shape
    refquant.Size([2, 4])
    """

    mode = "GRU"

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__(input_size, hidden_size, bias, 3)

    def forward(self, input: Any, hx: Any = None) -> Tensor:
        """Make the next hidden state, from the hidden state `hx`; zeros if not given."""
        return self._next(input, hx)[0]


class RNNCell(RNNCellBase):
    r"""One step of a plain recurrent layer, see `RNN`.

    %(recurrent_cell)s
    nonlinearity : {'tanh', 'relu'}
        The function that gives the next state.

    Examples
    --------
    >>> import refquant
    >>> cell = refquant.nn.RNNCell(3, 4, nonlinearity="relu")
    >>> cell(refquant.randn(2, 3)).shape
    refquant.Size([2, 4])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh"
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1)
        self.nonlinearity = arguments.choice("nonlinearity", nonlinearity, ("tanh", "relu"))
        self.mode = f"RNN_{self.nonlinearity.upper()}"

    def forward(self, input: Any, hx: Any = None) -> Tensor:
        """Make the next hidden state, from the hidden state `hx`; zeros if not given."""
        return self._next(input, hx)[0]


document(__name__)
