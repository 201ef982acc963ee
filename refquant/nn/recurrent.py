"""Recurrent layers as modules."""

import math
from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ShapeError
from refquant.nn import functional as F
from refquant.nn import init
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.nn.utils.rnn import PackedSequence, check_packed, padded
from refquant.ops.floating.concat import cat, stack
from refquant.ops.floating.creation import empty, zeros
from refquant.ops.floating.operands import operand
from refquant.ops.floating.ranges import arange
from refquant.ops.floating.recurrence import CELLS, run_direction
from refquant.tensors import Tensor

__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]


MOST_LAYERS = 2**16  # each has matrices of its own, so many more would take hours to make


def keep_settings(module: Module, dropout: Any, sizes: dict[str, Any], flags: dict[str, Any]):
    """Check the probability, sizes and flags of recurrent layers and make them attributes."""
    for name, value in sizes.items():
        most = MOST_LAYERS if name == "num_layers" else None
        sizes[name] = arguments.integer(name, value, 1, most)
    hidden = sizes["hidden_size"]
    for name in ("input_size", "hidden_size"):
        arguments.shape(name, (4 * hidden, max(2 * hidden, sizes[name])))
    for name, value in flags.items():
        flags[name] = arguments.flag(name, value)
    probability = arguments.real("dropout", dropout, 0, 1)
    for name, value in {**sizes, **flags, "dropout": probability}.items():
        setattr(module, name, value)


class Layers(Module):
    """Base class of recurrent layers: their settings, and how they are shown.

    Attributes
    ----------
    mode : str
        Which cell it is; a key of `refquant.ops.floating.recurrence.CELLS`.
    """

    mode: str
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    bidirectional: bool
    dropout: float
    _usual: tuple[tuple[str, Any], ...] = (
        ("num_layers", 1),
        ("bias", True),
        ("batch_first", False),
        ("dropout", 0.0),
        ("bidirectional", False),
    )

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _states(self) -> tuple[str, ...]:
        """Name the parts of the state."""
        return ("h_0", "c_0") if CELLS[self.mode].states == 2 else ("hx",)

    def _parts(self, hx: Any) -> tuple[Any, ...]:
        """Take the parts of a state from how it is handed over, or raise."""
        if len(self._states) == 1:
            return (hx,)
        return arguments.pair_of_tensors("hx", hx)

    def _whole(self, parts: Any) -> Any:
        """Hand over a state: a pair, or the hidden state alone."""
        return parts[0] if len(parts) == 1 else tuple(parts)

    def extra_repr(self) -> str:
        """Describe the sizes; what is usual is left out."""
        text = f"{self.input_size}, {self.hidden_size}"
        for name, usual in self._usual:
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return text


class RNNBase(Layers):
    """Base class of `RNN`, `LSTM` and `GRU`.

    Parameters
    ----------
    mode : str
        ``"LSTM"``, ``"GRU"``, ``"RNN_TANH"`` or ``"RNN_RELU"``.
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        As of `LSTM`.

    Examples
    --------
    >>> import refquant
    >>> issubclass(refquant.nn.LSTM, refquant.nn.RNNBase)
    True
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        self.mode = arguments.choice("mode", mode, CELLS)
        keep_settings(
            self,
            dropout,
            {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers},
            {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional},
        )
        rows = CELLS[mode].gates * self.hidden_size
        for layer in range(self.num_layers):
            width = self.hidden_size * self._directions if layer else self.input_size
            for names in self._names(layer):
                shapes = ((rows, width), (rows, self.hidden_size), (rows,), (rows,))
                for name, shape in zip(names, shapes, strict=False):
                    self.register_parameter(name, Parameter(empty(*shape)))
        self.reset_parameters()

    def _names(self, layer: int) -> list[list[str]]:
        """List the parameters of a layer, for each direction."""
        kinds = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if self.bias else [])]
        return [
            [f"{kind}_l{layer}{ending}" for kind in kinds]
            for ending in ("", "_reverse")[: self._directions]
        ]

    def _parameter(self, name: str) -> Tensor:
        """Get what is used of a parameter."""
        return getattr(self, name)

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """List the parameters of every layer and direction."""
        names = [part for layer in range(self.num_layers) for part in self._names(layer)]
        return [[getattr(self, name) for name in part] for part in names]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [n for layer in range(self.num_layers) for part in self._names(layer) for n in part]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [getattr(self, name) for name in self._flat_weights_names]

    def reset_parameters(self) -> None:
        r"""Draw all parameters uniformly from :math:`\pm 1 / \sqrt{\mathrm{hidden\_size}}`."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: only other devices need it."""

    def _state(self, state: Any, batch: int, dtype) -> tuple[Tensor, ...]:
        shape = (self.num_layers * self._directions, batch, self.hidden_size)
        if state is None:
            return tuple(zeros(*shape, dtype=dtype) for _ in self._states)
        state = tuple(operand(n, p) for n, p in zip(self._states, state, strict=True))
        for name, part in zip(self._states, state, strict=True):
            if tuple(part.shape) != shape:
                raise ShapeError(
                    argument=name,
                    expected=f"of shape {shape}",
                    got=f"shape {tuple(part.shape)}",
                )
        return state

    def _run(self, input: Tensor, state: tuple[Tensor, ...], lengths):
        """Run all layers over (time, batch, features)."""
        cell, last = CELLS[self.mode], []
        for layer in range(self.num_layers):
            outputs = []
            for direction, names in enumerate(self._names(layer)):
                place = layer * self._directions + direction
                weights = [self._parameter(name) for name in names]
                begin = [part[place] for part in state]
                output, after = run_direction(cell, input, begin, weights, lengths, direction == 1)
                outputs.append(output)
                last.append(after)
            input = outputs[0] if len(outputs) == 1 else cat(outputs, 2)
            if self.dropout and layer < self.num_layers - 1:
                input = F.dropout(input, self.dropout, self.training)
        return input, tuple(stack(parts) for parts in zip(*last, strict=True))

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Read sequences.

        Parameters
        ----------
        input : Tensor or PackedSequence
            Shape (time, batch, input_size), or (time, input_size) for one sequence.
        hx : Tensor or pair of Tensor, optional
            State to begin with, shape (layers * directions, batch, hidden_size); zeros if not
            given. That of an `LSTM` is a pair, of hidden and cell state.

        Returns
        -------
        output : Tensor or PackedSequence
            Hidden state of the last layer for every step.
        state : Tensor or pair of Tensor
            State after the last step.
        """
        parts = None if hx is None else self._parts(hx)
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, parts)
        input = operand("input", input)
        if input.dim() not in (2, 3) or input.shape[-1] != self.input_size:
            raise ShapeError(
                argument="input",
                got=f"shape {tuple(input.shape)}",
                expected=f"of 2 or 3 dimensions, the last {self.input_size}",
            )
        if input.dim() == 2:
            if parts is not None:
                parts = tuple(operand("hx", part).unsqueeze(1) for part in parts)
            state = self._state(parts, 1, input.dtype)
            output, last = self._run(input.unsqueeze(1), state, None)
            return output.squeeze(1), self._whole([part.squeeze(1) for part in last])
        input = input.transpose(0, 1) if self.batch_first else input
        output, last = self._run(input, self._state(parts, input.shape[1], input.dtype), None)
        return (output.transpose(0, 1) if self.batch_first else output), self._whole(last)

    def _forward_packed(self, packed: PackedSequence, parts: Any):
        check_packed("input", packed)
        lengths = packed.lengths()
        state: Any = self._state(parts, len(lengths), packed.data.dtype)
        if parts is not None and packed.sorted_indices is not None:
            state = tuple(part[:, packed.sorted_indices] for part in state)
        output, last = self._run(padded(packed), state, lengths)
        # Boolean masks pick in row-major order: all first steps, all second steps, ...
        present = packed.batch_sizes.unsqueeze(1) > arange(len(lengths))
        if packed.unsorted_indices is not None:
            last = tuple(part[:, packed.unsorted_indices] for part in last)
        return packed._replace(data=output[present]), self._whole(last)


class LSTM(RNNBase):
    r"""Layers of long short-term memory over sequences.

    .. math::
        i, f, g, o &= W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} \\
        c_t &= \sigma(f)\, c_{t-1} + \sigma(i) \tanh(g) \\
        h_t &= \sigma(o) \tanh(c_t)

    %(recurrent_layers)s

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ... : Parameter
        For each layer, and with the ending ``_reverse`` for the other direction; the gates in the
        order i, f, g, o.

    Examples
    --------
    >>> import refquant
    >>> lstm = refquant.nn.LSTM(3, 4, num_layers=2)
    >>> output, (hidden, cell) = lstm(refquant.randn(5, 2, 3))
    >>> output.shape, hidden.shape
    (refquant.Size([5, 2, 4]), refquant.Size([2, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        )


class GRU(RNNBase):
    r"""Layers of gated recurrent units over sequences.

    .. math::
        r, z &= \sigma(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}) \\
        n &= \tanh(W_{in} x_t + b_{in} + r (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (h_{t-1} - n)\, z + n

    %(recurrent_layers)s

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ... : Parameter
        As of `LSTM`; the gates in the order r, z, n.

    Examples
    --------
    >>> import refquant
    >>> gru = refquant.nn.GRU(3, 4)
    >>> output, hidden = gru(refquant.randn(5, 2, 3))
    >>> output.shape, hidden.shape
    (refquant.Size([5, 2, 4]), refquant.Size([1, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
        )


class RNN(RNNBase):
    r"""Plain recurrent layers, :math:`h_t = f(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})`.

    Parameters
    ----------
    input_size, hidden_size, num_layers
        As of `LSTM`.
    nonlinearity : {'tanh', 'relu'}
        The function :math:`f`.
    bias, batch_first, dropout, bidirectional
        As of `LSTM`.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ... : Parameter
        As of `LSTM`.

    Examples
    --------
    >>> import refquant
    >>> rnn = refquant.nn.RNN(3, 4, nonlinearity="relu")
    >>> output, hidden = rnn(refquant.randn(5, 2, 3))
    >>> output.shape, hidden.shape
    (refquant.Size([5, 2, 4]), refquant.Size([1, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
    ) -> None:
        self.nonlinearity = arguments.choice("nonlinearity", nonlinearity, ("tanh", "relu"))
        super().__init__(
            f"RNN_{self.nonlinearity.upper()}",
            *(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional),
        )


document(__name__)
