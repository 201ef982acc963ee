"""Long short-term memory as a module."""

import math
from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ArgumentTypeError, ShapeError
from refquant.nn import functional as F
from refquant.nn import init
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.nn.utils.rnn import PackedSequence, check_packed, padded
from refquant.ops.floating.concat import cat, stack
from refquant.ops.floating.creation import empty, zeros
from refquant.ops.floating.operands import operand
from refquant.ops.floating.ranges import arange
from refquant.ops.floating.recurrence import lstm_direction
from refquant.tensors import Tensor

__all__ = ["LSTM"]


MOST_LAYERS = 2**16  # each has matrices of its own, so many more would take hours to make


def keep_settings(module: Module, dropout: Any, sizes: dict[str, Any], flags: dict[str, Any]):
    """Check the probability, sizes and flags of an LSTM and make them its attributes."""
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


def check_state(hx: Any) -> None:
    """Raise unless `hx` is a pair, of hidden and cell state."""
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        raise ArgumentTypeError(
            "LSTM", argument="hx", expected="a pair of tensors", got=arguments.describe(hx)
        )


class Layers(Module):
    """Base class of layers of long short-term memory: their settings, and how they are shown."""

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

    def extra_repr(self) -> str:
        """Describe the sizes; what is usual is left out."""
        text = f"{self.input_size}, {self.hidden_size}"
        for name, usual in self._usual:
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return text


class LSTM(Layers):
    r"""Layers of long short-term memory over sequences.

    .. math::
        i, f, g, o &= W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} \\
        c_t &= \sigma(f)\, c_{t-1} + \sigma(i) \tanh(g) \\
        h_t &= \sigma(o) \tanh(c_t)

    %(lstm)s

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

    mode = "LSTM"

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
        super().__init__()
        keep_settings(
            self,
            dropout,
            {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers},
            {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional},
        )
        input_size, hidden_size = self.input_size, self.hidden_size
        for layer in range(self.num_layers):
            width = input_size if layer == 0 else hidden_size * self._directions
            for names in self._names(layer):
                shapes = (
                    (4 * hidden_size, width),
                    (4 * hidden_size, hidden_size),
                    (4 * hidden_size,),
                    (4 * hidden_size,),
                )
                for name, shape in zip(names, shapes, strict=False):
                    self.register_parameter(name, Parameter(empty(*shape)))
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _names(self, layer: int) -> list[list[str]]:
        """List the parameters of a layer, for each direction."""
        kinds = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if self.bias else [])]
        return [
            [f"{kind}_l{layer}{ending}" for kind in kinds]
            for ending in ("", "_reverse")[: self._directions]
        ]

    def reset_parameters(self) -> None:
        r"""Draw all parameters uniformly from :math:`\pm 1 / \sqrt{\mathrm{hidden\_size}}`."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: only other devices need it."""

    def _state(self, state: Any, batch: int, dtype) -> tuple[Tensor, Tensor]:
        shape = (self.num_layers * self._directions, batch, self.hidden_size)
        if state is None:
            return zeros(*shape, dtype=dtype), zeros(*shape, dtype=dtype)
        state = tuple(operand(n, p) for n, p in zip(("h_0", "c_0"), state, strict=True))
        for name, part in zip(("h_0", "c_0"), state, strict=True):
            if tuple(part.shape) != shape:
                raise ShapeError(
                    "LSTM",
                    argument=name,
                    expected=f"of shape {shape}",
                    got=f"shape {tuple(part.shape)}",
                )
        return state

    def _run_direction(self, layer: int, direction: int, input, hidden, cell, lengths):
        weights = [getattr(self, name) for name in self._names(layer)[direction]]
        return lstm_direction(input, hidden, cell, weights, lengths, reverse=direction == 1)

    def _run(self, input: Tensor, state: tuple[Tensor, Tensor], lengths):
        """Run all layers over (time, batch, features)."""
        hiddens, cells = [], []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self._directions):
                place = layer * self._directions + direction
                output, hidden, cell = self._run_direction(
                    layer, direction, input, state[0][place], state[1][place], lengths
                )
                outputs.append(output)
                hiddens.append(hidden)
                cells.append(cell)
            input = outputs[0] if len(outputs) == 1 else cat(outputs, 2)
            if self.dropout and layer < self.num_layers - 1:
                input = F.dropout(input, self.dropout, self.training)
        return input, (stack(hiddens), stack(cells))

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Read sequences.

        Parameters
        ----------
        input : Tensor or PackedSequence
            Shape (time, batch, input_size), or (time, input_size) for one sequence.
        hx : pair of Tensor, optional
            Hidden and cell state to begin with, shape (layers * directions, batch, hidden_size);
            zeros if not given.

        Returns
        -------
        output : Tensor or PackedSequence
            Hidden state of the last layer for every step.
        (hidden, cell) : pair of Tensor
            States after the last step.
        """
        if hx is not None:
            check_state(hx)
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        input = operand("input", input)
        if input.dim() not in (2, 3) or input.shape[-1] != self.input_size:
            raise ShapeError(
                "LSTM",
                argument="input",
                got=f"shape {tuple(input.shape)}",
                expected=f"of 2 or 3 dimensions, the last {self.input_size}",
            )
        if input.dim() == 2:
            if hx is not None:
                hx = tuple(operand("hx", part).unsqueeze(1) for part in hx)
            state = self._state(hx, 1, input.dtype)
            output, last = self._run(input.unsqueeze(1), state, None)
            return output.squeeze(1), tuple(part.squeeze(1) for part in last)
        input = input.transpose(0, 1) if self.batch_first else input
        output, last = self._run(input, self._state(hx, input.shape[1], input.dtype), None)
        return (output.transpose(0, 1) if self.batch_first else output), last

    def _forward_packed(self, packed: PackedSequence, hx):
        check_packed("input", packed)
        lengths = packed.lengths()
        state: Any = self._state(hx, len(lengths), packed.data.dtype)
        if hx is not None and packed.sorted_indices is not None:
            state = tuple(part[:, packed.sorted_indices] for part in state)
        output, last = self._run(padded(packed), state, lengths)
        # Boolean masks pick in row-major order: all first steps, all second steps, ...
        present = packed.batch_sizes.unsqueeze(1) > arange(len(lengths))
        if packed.unsorted_indices is not None:
            last = tuple(part[:, packed.unsorted_indices] for part in last)
        return packed._replace(data=output[present]), last


document(__name__)
