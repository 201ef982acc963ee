"""Long short-term memory made of parts that can be observed, and converted one by one."""

from typing import Any

from refquant import arguments, nn
from refquant._documentation import document
from refquant._operation import warn
from refquant.errors import NotSupportedError, ShapeError
from refquant.nn.module import Module
from refquant.nn.quantizable.cell import LSTMCell, State, check_source
from refquant.nn.quantizable.workflow import step
from refquant.nn.recurrent import keep_settings
from refquant.ops.floating.concat import cat
from refquant.ops.floating.creation import zeros
from refquant.ops.floating.generator import default_generator
from refquant.ops.quantized.affine import quantize_per_tensor
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["LSTM"]


def stacked(parts: list[Tensor]) -> Tensor:
    """Put tensors, plain or quantized, behind one another; the quantizer is that of the first."""
    return cat([part.unsqueeze(0) for part in parts], 0)


class _LSTMSingleLayer(Module):
    """A layer in one direction: its cell, step after step."""

    def __init__(self, cell: LSTMCell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor, hidden: State, reverse: bool = False) -> tuple[Tensor, State]:
        """Read sequences, from the end if `reverse`."""
        steps = list(x.unbind(0))
        result = []
        for part in reversed(steps) if reverse else steps:
            hidden = self.cell(part, hidden)
            result.append(hidden[0])
        return stacked(result[::-1] if reverse else result), hidden


class _LSTMLayer(Module):
    """A layer in one direction or both."""

    def __init__(self, cells: list[LSTMCell]) -> None:
        super().__init__()
        self.bidirectional = len(cells) == 2
        self.layer_fw = _LSTMSingleLayer(cells[0])
        if self.bidirectional:
            self.layer_bw = _LSTMSingleLayer(cells[1])

    def forward(self, x: Tensor, hidden: list[State]) -> tuple[Tensor, list[State]]:
        """Read sequences; a state for each direction."""
        result, last = self.layer_fw(x, hidden[0])
        if not self.bidirectional:
            return result, [last]
        backward, last_backward = self.layer_bw(x, hidden[1], True)
        return cat([result, backward], 2), [last, last_backward]


class LSTM(Module):
    r"""Layers of long short-term memory, made of parts that can be observed.

    ``prepare`` puts one in place of every `refquant.nn.LSTM`; ``convert`` makes a
    `refquant.nn.quantized.LSTM` of it.

    %(recurrent_layers)s
    split_gates : bool, default False
        Whether each gate has linear layers of its own.

    Attributes
    ----------
    layers : ModuleList
        Each with ``layer_fw.cell`` and, if bidirectional, ``layer_bw.cell``, `LSTMCell` both.

    Notes
    -----
    Nothing is dropped between layers. States of several layers or directions are handed over with
    the quantizer of the first.

    Examples
    --------
    >>> import refquant
    >>> lstm = refquant.nn.quantizable.LSTM(10, 20, 2)
    >>> output, (hidden, cell) = lstm(refquant.randn(5, 3, 10))
    >>> output.shape, hidden.shape
    (refquant.Size([5, 3, 20]), refquant.Size([2, 3, 20]))
    """

    _FLOAT_MODULE: type[Module] = nn.LSTM
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    bidirectional: bool
    dropout: float

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
        split_gates: bool = False,
    ) -> None:
        super().__init__()
        keep_settings(
            self,
            dropout,
            {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers},
            {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional},
        )
        split_gates = arguments.flag("split_gates", split_gates)
        self.training = False
        if self.dropout:
            warn(
                "dropout option for quantizable LSTM is ignored. Train a refquant.nn.LSTM, then "
                "prepare it."
            )
        count, size = 2 if self.bidirectional else 1, self.hidden_size
        widths = [self.input_size, *[count * size] * (self.num_layers - 1)]
        self.layers: Any = nn.ModuleList(
            _LSTMLayer(
                [LSTMCell(width, size, self.bias, split_gates=split_gates) for _ in range(count)]
            )
            for width in widths
        )

    def _begin(self, x: Tensor, hidden: Any) -> list[list[State]]:
        """Take a state apart, by layer and direction; zeros if there is none."""
        count, batch = 2 if self.bidirectional else 1, x.shape[1]
        if hidden is None:
            made = zeros(batch, self.hidden_size)
            if isinstance(x, QuantizedTensor):
                made = quantize_per_tensor(made, 1.0, 0, x.dtype)
            return [[(made, made)] * count for _ in range(self.num_layers)]
        hidden = arguments.pair_of_tensors("hidden", hidden)
        shape = (self.num_layers * count, batch, self.hidden_size)
        for name, part in zip(("hidden[0]", "hidden[1]"), hidden, strict=True):
            arguments.instance(name, part, Tensor, "a tensor")
            if tuple(part.shape) != shape:
                raise ShapeError(
                    argument=name, expected=f"of shape {shape}", got=f"shape {tuple(part.shape)}"
                )
        pairs = list(zip(hidden[0].unbind(0), hidden[1].unbind(0), strict=True))
        return [pairs[k : k + count] for k in range(0, len(pairs), count)]

    def forward(self, x: Any, hidden: Any = None) -> tuple[Tensor, State]:
        """Read sequences.

        Parameters
        ----------
        x : Tensor, shape (time, batch, input_size)
            Plain, or quantized after ``convert``; with `batch_first` (batch, time, input_size).
        hidden : pair of Tensor, optional
            Hidden and cell state, shape (layers * directions, batch, hidden_size); zeros if not
            given.

        Returns
        -------
        output : Tensor
            Hidden state of the last layer for every step.
        (hidden, cell) : pair of Tensor
            States after the last step.

        Raises
        ------
        ShapeError
            If the shapes do not fit.
        """
        arguments.instance("x", x, Tensor, "a tensor")
        if x.dim() != 3 or x.shape[2] != self.input_size:
            raise ShapeError(
                argument="x",
                expected=f"of 3 dimensions, the last {self.input_size}",
                got=f"shape {tuple(x.shape)}",
            )
        x = x.transpose(0, 1) if self.batch_first else x
        last: list[State] = []
        for layer, begin in zip(self.layers, self._begin(x, hidden), strict=True):
            x, after = layer(x, begin)
            last += after
        state = stacked([h for h, _ in last]), stacked([c for _, c in last])
        return (x.transpose(0, 1) if self.batch_first else x), state

    def _get_name(self) -> str:
        return "QuantizableLSTM"

    @classmethod
    def from_float(cls, other: Any, qconfig: Any = None, split_gates: bool = False) -> "LSTM":
        """Make a module from a float one, and prepare it.

        Parameters
        ----------
        other : Module
            A `refquant.nn.LSTM`.
        qconfig : QConfig, optional
            What to use if `other` has none.
        split_gates : bool, default False
            As of the constructor.

        Raises
        ------
        ArgumentError
            If it is of another type, or there is no QConfig.
        """
        check_source(other, cls._FLOAT_MODULE, False, qconfig)
        count, size = 2 if other.bidirectional else 1, other.hidden_size
        begin = default_generator.get_state()
        made = cls(
            other.input_size, other.hidden_size, other.num_layers, other.bias, other.batch_first,
            0.0, other.bidirectional, split_gates=split_gates,
        )  # fmt: skip
        made.dropout = other.dropout
        default_generator.set_state(begin)

        def spend(width: int, cells: int) -> None:
            """Draw what PyTorch draws for cells whose weights are replaced."""
            for _ in range(cells):
                LSTMCell(width, size, other.bias)

        spend(other.input_size, count)
        spend(size, count * (other.num_layers - 1))
        for place, layer in enumerate(made.layers):
            spend(other.input_size, count)
            for direction, ending in enumerate(("", "_reverse")[:count]):
                taken: list[Any] = [
                    getattr(other, f"{kind}_l{place}{ending}", None)
                    for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                ]
                wi, wh, bi, bh = taken
                single = layer.layer_bw if direction else layer.layer_fw
                single.cell = LSTMCell.from_params(wi, wh, bi, bh, split_gates)
                spend(wi.shape[1], 1)
        made.qconfig = getattr(other, "qconfig", qconfig)
        made.train(other.training)
        return step("prepare_qat" if other.training else "prepare")(made, inplace=True)

    @classmethod
    def from_observed(cls, other: Any) -> "LSTM":
        """Raise an error: a module with observers becomes `refquant.nn.quantized.LSTM`.

        Raises
        ------
        NotSupportedError
            Always.
        """
        raise NotSupportedError(
            argument="other",
            expected="refquant.nn.quantized.LSTM.from_observed for modules with observers",
            got=f"{cls.__name__} of {arguments.describe(other)}",
            hint="call convert() of the model",
        )


document(__name__)
