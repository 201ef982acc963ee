"""One step of recurrent cells whose matrix products are dynamically quantized."""

from typing import Any

import numpy as np

from refquant import arguments, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import ArgumentTypeError, ShapeError
from refquant.ops import checks, layout
from refquant.ops.quantized.cell_params import check_pair, multiply, reduces_range
from refquant.tensors import Tensor

__all__ = [
    "quantized_gru_cell_dynamic",
    "quantized_lstm_cell_dynamic",
    "quantized_rnn_relu_cell_dynamic",
    "quantized_rnn_tanh_cell_dynamic",
]


def check_rows(argument: str, value: Any, shape: tuple[Any, int]) -> np.ndarray:
    """Return rows of float32, contiguous; None in `shape` stands for any count."""
    array = checks.float32_tensor(argument, value).array
    count, width = shape
    if array.ndim != 2 or array.shape[1] != width or count not in (None, array.shape[0]):
        raise ShapeError(
            argument=argument,
            expected=f"of shape ({'batch' if count is None else count}, {width})",
            got=f"shape {array.shape}",
        )
    return np.ascontiguousarray(array)


def check_state_pair(hx: Any) -> tuple[Any, Any]:
    """Return hidden and cell state, or raise."""
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        raise ArgumentTypeError(
            argument="hx", expected="a pair of tensors", got=arguments.describe(hx)
        )
    return hx[0], hx[1]


def gate_of(size: int) -> tuple[int, Any]:
    """How many of the elements of a state have gates like vectors, and how those are computed."""
    split = engines.current().rule("gate")
    return layout.vector_length(size, split.block), split


def next_of_lstm(
    from_input: np.ndarray, from_hidden: np.ndarray, cell: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Make the next hidden and cell state by the rules of the engine."""
    return kernels.lstm_cell(from_input, from_hidden, cell, *gate_of(cell.shape[1]))


def next_of_gru(from_input: np.ndarray, from_hidden: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Make the next hidden state by the rules of the engine."""
    return kernels.gru_cell(from_input, from_hidden, hidden, *gate_of(hidden.shape[1]))


def _drive(gates: int, input: Any, hx: Any, w_ih: Any, w_hh: Any, name: str = "hx"):
    """Multiply input and hidden state by their weights; returns the hidden state, too."""
    from_input, from_hidden = check_pair(w_ih, w_hh, gates)
    x = check_rows("input", input, (None, from_input.kept_weight.shape[1]))
    hidden = check_rows(name, hx, (x.shape[0], from_hidden.kept_weight.shape[1]))
    seven_bits = reduces_range()
    driven = multiply(from_input, x, seven_bits), multiply(from_hidden, hidden, seven_bits)
    return *driven, hidden


def quantized_lstm_cell_dynamic(
    input: Any, hx: Any, w_ih: Any, w_hh: Any, bias_ih: Any, bias_hh: Any
) -> tuple[Tensor, Tensor]:
    r"""Make the next state of long short-term memory.

    .. math::
        (i, f, g, o) &= W_{ih} x + b_{ih} + W_{hh} h + b_{hh} \\
        c' &= \sigma(f)\, c + \sigma(i) \tanh(g) \\
        h' &= \sigma(o) \tanh(c')

    Parameters
    ----------
    input : Tensor, shape (batch, features)
        float32.
    hx : pair of Tensor, shape (batch, size)
        Hidden and cell state, float32.
    w_ih, w_hh : PackedLinear or PackedHalf
        Weights of ``4 * size`` rows, with their biases.
    bias_ih, bias_hh : Tensor or None
        Not used, as in PyTorch: the packed weights hold the biases.

    Returns
    -------
    hidden, cell : Tensor, shape (batch, size)
        The next states, row-major.

    %(raises)s
    >>> w = quantized.linear_prepack_fp16(refquant.zeros(4, 1))
    >>> quantized.quantized_lstm_cell_dynamic(x, (x, x), w, w, None, None)[1]
    tensor([[0.5000]])
    """
    h, c = check_state_pair(hx)
    from_input, from_hidden, hidden = _drive(4, input, h, w_ih, w_hh, "hx[0]")
    cell = check_rows("hx[1]", c, hidden.shape)
    hidden, cell = next_of_lstm(from_input, from_hidden, cell)
    return Tensor(hidden), Tensor(cell)


def quantized_gru_cell_dynamic(
    input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any
) -> Tensor:
    r"""Make the next state of a gated recurrent unit.

    .. math::
        r, z &= \sigma(W_{ih} x + b_{ih} + W_{hh} h + b_{hh}) \\
        n &= \tanh(W_{in} x + b_{in} + r (W_{hn} h + b_{hn})) \\
        h' &= (h - n)\, z + n

    %(one_state)s

    %(raises)s
    >>> w = quantized.linear_prepack_fp16(refquant.zeros(3, 1))
    >>> quantized.quantized_gru_cell_dynamic(x, x, w, w, None, None)
    tensor([[0.5000]])
    """
    return Tensor(next_of_gru(*_drive(3, input, hx, w_ih, w_hh)))


def quantized_rnn_relu_cell_dynamic(
    input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any
) -> Tensor:
    r"""Make the next state :math:`\max(W_{ih} x + b_{ih} + W_{hh} h + b_{hh}, 0)`.

    %(one_state)s

    %(raises)s
    >>> w = quantized.linear_prepack_fp16(refquant.ones(1, 1))
    >>> quantized.quantized_rnn_relu_cell_dynamic(x, x, w, w, None, None)
    tensor([[2.]])
    """
    from_input, from_hidden, _ = _drive(1, input, hx, w_ih, w_hh)
    return Tensor(kernels.rnn_cell(from_input, from_hidden, True))


def quantized_rnn_tanh_cell_dynamic(
    input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any
) -> Tensor:
    r"""Make the next state :math:`\tanh(W_{ih} x + b_{ih} + W_{hh} h + b_{hh})`.

    %(one_state)s

    %(raises)s
    >>> w = quantized.linear_prepack_fp16(refquant.zeros(1, 1))
    >>> quantized.quantized_rnn_tanh_cell_dynamic(x, x, w, w, None, None)
    tensor([[0.]])
    """
    from_input, from_hidden, _ = _drive(1, input, hx, w_ih, w_hh)
    return Tensor(kernels.rnn_cell(from_input, from_hidden, False))


document(
    __name__,
    one_state="""
Parameters
----------
input : Tensor, shape (batch, features)
    float32.
hx : Tensor, shape (batch, size)
    Hidden state, float32.
w_ih, w_hh : PackedLinear or PackedHalf
    Weights of as many rows as there are gates times `size`, with their biases.
b_ih, b_hh : Tensor or None
    Not used, as in PyTorch: the packed weights hold the biases.

Returns
-------
Tensor, shape (batch, size)
    The next state, row-major.""",
    raises="""
Raises
------
ArgumentTypeError, ShapeError, DtypeError
    If the arguments do not fit together.

%(from_ops)s
>>> x = refquant.ones(1, 1)""",
)
enclose(__name__)
