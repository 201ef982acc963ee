"""One step of recurrent cells by the linear layers of `fbgemm_linear`."""

from typing import Any, NamedTuple

from refquant import kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import ShapeError
from refquant.ops import checks
from refquant.ops.quantized.cells import check_rows, check_state_pair, next_of_gru, next_of_lstm
from refquant.ops.quantized.fbgemm_linear import fbgemm_linear_int8_weight_fp32_activation
from refquant.tensors import Tensor

__all__ = [
    "quantized_gru_cell",
    "quantized_lstm_cell",
    "quantized_rnn_relu_cell",
    "quantized_rnn_tanh_cell",
]


class _Weights(NamedTuple):
    """The arguments behind the state, in their order."""

    w_ih: Any
    w_hh: Any
    b_ih: Any
    b_hh: Any
    packed_ih: Any
    packed_hh: Any
    col_offsets_ih: Any
    col_offsets_hh: Any
    scale_ih: float
    scale_hh: float
    zero_point_ih: int
    zero_point_hh: int


def _drive(gates: int, input: Any, hx: Any, name: str, given: _Weights):
    """Multiply input and hidden state by their weights; returns the hidden state, too."""
    multiply = fbgemm_linear_int8_weight_fp32_activation
    from_input = multiply(
        input, given.w_ih, given.packed_ih, given.col_offsets_ih, given.scale_ih,
        given.zero_point_ih, given.b_ih,
    ).array  # fmt: skip
    from_hidden = multiply(
        hx, given.w_hh, given.packed_hh, given.col_offsets_hh, given.scale_hh,
        given.zero_point_hh, given.b_hh,
    ).array  # fmt: skip
    size = checks.plain_tensor("w_hh", given.w_hh).array.shape[1]
    if from_input.shape[-1] != gates * size:
        raise ShapeError(
            argument="w_ih",
            expected=f"of {gates * size} rows",
            got=f"{from_input.shape[-1]} of them",
        )
    batch = from_input.shape[0]
    from_input = check_rows("input", Tensor(from_input), (None, gates * size))
    from_hidden = check_rows(name, Tensor(from_hidden), (batch, gates * size))
    return from_input, from_hidden, check_rows(name, hx, (batch, size))


def _given(values: dict[str, Any]) -> _Weights:
    return _Weights(*(values[name] for name in _Weights._fields))


def quantized_lstm_cell(
    input: Any,
    hx: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any,
    b_hh: Any,
    packed_ih: Any,
    packed_hh: Any,
    col_offsets_ih: Any,
    col_offsets_hh: Any,
    scale_ih: float,
    scale_hh: float,
    zero_point_ih: int,
    zero_point_hh: int,
) -> tuple[Tensor, Tensor]:
    """Make the next state of long short-term memory, by weights of int8.

    %(pair_of_fbgemm)s
    %(weights_of_fbgemm)s

    %(of_fbgemm)s
    >>> w, o, s, z = refquant.fbgemm_linear_quantize_weight(refquant.ones(4, 1))
    >>> b = refquant.zeros(4)
    >>> refquant.quantized_lstm_cell(x, (x, x), w, w, b, b, w, w, o, o, s, s, z, z)[0].shape
    refquant.Size([1, 1])
    """
    given = _given(locals())
    h, c = check_state_pair(hx)
    from_input, from_hidden, hidden = _drive(4, input, h, "hx[0]", given)
    cell = check_rows("hx[1]", c, hidden.shape)
    hidden, cell = next_of_lstm(from_input, from_hidden, cell)
    return Tensor(hidden), Tensor(cell)


def quantized_gru_cell(
    input: Any,
    hx: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any,
    b_hh: Any,
    packed_ih: Any,
    packed_hh: Any,
    col_offsets_ih: Any,
    col_offsets_hh: Any,
    scale_ih: float,
    scale_hh: float,
    zero_point_ih: int,
    zero_point_hh: int,
) -> Tensor:
    """Make the next state of a gated recurrent unit, by weights of int8.

    %(one_of_fbgemm)s
    %(weights_of_fbgemm)s

    %(of_fbgemm)s
    >>> w, o, s, z = refquant.fbgemm_linear_quantize_weight(refquant.ones(3, 1))
    >>> b = refquant.zeros(3)
    >>> refquant.quantized_gru_cell(x, x, w, w, b, b, w, w, o, o, s, s, z, z).shape
    refquant.Size([1, 1])
    """
    return Tensor(next_of_gru(*_drive(3, input, hx, "hx", _given(locals()))))


def quantized_rnn_relu_cell(
    input: Any,
    hx: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any,
    b_hh: Any,
    packed_ih: Any,
    packed_hh: Any,
    col_offsets_ih: Any,
    col_offsets_hh: Any,
    scale_ih: float,
    scale_hh: float,
    zero_point_ih: int,
    zero_point_hh: int,
) -> Tensor:
    """Make the next state of a plain cell, by weights of int8; negative ones become zero.

    %(one_of_fbgemm)s
    %(weights_of_fbgemm)s

    %(of_fbgemm)s
    >>> w, o, s, z = refquant.fbgemm_linear_quantize_weight(refquant.ones(1, 1))
    >>> b = refquant.zeros(1)
    >>> refquant.quantized_rnn_relu_cell(x, x, w, w, b, b, w, w, o, o, s, s, z, z)
    tensor([[2.0000]])
    """
    from_input, from_hidden, _ = _drive(1, input, hx, "hx", _given(locals()))
    return Tensor(kernels.rnn_cell(from_input, from_hidden, True))


def quantized_rnn_tanh_cell(
    input: Any,
    hx: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any,
    b_hh: Any,
    packed_ih: Any,
    packed_hh: Any,
    col_offsets_ih: Any,
    col_offsets_hh: Any,
    scale_ih: float,
    scale_hh: float,
    zero_point_ih: int,
    zero_point_hh: int,
) -> Tensor:
    """Make the next state of a plain cell, by weights of int8 and the hyperbolic tangent.

    %(one_of_fbgemm)s
    %(weights_of_fbgemm)s

    %(of_fbgemm)s
    >>> w, o, s, z = refquant.fbgemm_linear_quantize_weight(refquant.ones(1, 1))
    >>> b = refquant.zeros(1)
    >>> refquant.quantized_rnn_tanh_cell(x, x, w, w, b, b, w, w, o, o, s, s, z, z).shape
    refquant.Size([1, 1])
    """
    from_input, from_hidden, _ = _drive(1, input, hx, "hx", _given(locals()))
    return Tensor(kernels.rnn_cell(from_input, from_hidden, False))


document(
    __name__,
    pair_of_fbgemm="""
Parameters
----------
input : Tensor, shape (batch, features)
    float32.
hx : pair of Tensor, shape (batch, size)
    Hidden and cell state, float32.""",
    one_of_fbgemm="""
Parameters
----------
input : Tensor, shape (batch, features)
    float32.
hx : Tensor, shape (batch, size)
    Hidden state, float32.""",
    weights_of_fbgemm="""
w_ih, w_hh : Tensor of int8
    Weights, as `refquant.fbgemm_linear_quantize_weight` returns them.
b_ih, b_hh : Tensor
    Biases, float32.
packed_ih, packed_hh, col_offsets_ih, col_offsets_hh : Tensor
    What FBGEMM makes of the weights; the result does not depend on it.
scale_ih, scale_hh, zero_point_ih, zero_point_hh : float, int
    Quantizers of the weights.""",
    of_fbgemm="""
Returns
-------
Tensor, shape (batch, size)
    The next state, of long short-term memory the cell state, too.

Raises
------
ArgumentTypeError, ShapeError, DtypeError
    If the arguments do not fit together.

Notes
-----
Input and state are quantized for all eight bits, and FBGEMM multiplies under every engine.

%(example)s
>>> x = refquant.ones(1, 1)""",
)
enclose(__name__)
