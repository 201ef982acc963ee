"""Recurrent layers over sequences, whose matrix products are dynamically quantized."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from refquant import arguments, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import ArgumentError, ArgumentTypeError, ShapeError
from refquant.ops import checks
from refquant.ops.floating.sampling import dropout
from refquant.ops.quantized.cell_params import CellParams
from refquant.ops.quantized.cells import gate_of, next_of_gru, next_of_lstm
from refquant.ops.quantized.dynamic import check_range
from refquant.tensors import Tensor

__all__ = ["KINDS", "quantized_gru", "quantized_lstm", "run_layers"]

# From what drives the gates and the state, the next state: its parts, the hidden one first.
Step = Callable[[np.ndarray, np.ndarray, Sequence[np.ndarray]], tuple[np.ndarray, ...]]


def lstm_step(from_input, from_hidden, state):
    """Call `next_of_lstm`."""
    return next_of_lstm(from_input, from_hidden, state[1])


def gru_step(from_input, from_hidden, state):
    """Call `next_of_gru`."""
    return (next_of_gru(from_input, from_hidden, state[0]),)


class Kind(NamedTuple):
    """What tells recurrent layers apart.

    Attributes
    ----------
    step : callable
    gates : int
        Rows of the weights are so many times the size of the state.
    layer : str
        The kernel that makes all steps where it multiplies the state, too.
    """

    step: Step
    gates: int
    layer: str

    def run(self) -> Callable[..., Any]:
        """Return the kernel."""
        return getattr(kernels, self.layer)


KINDS = {"LSTM": Kind(lstm_step, 4, "lstm_layer"), "GRU": Kind(gru_step, 3, "gru_layer")}


def _run_direction(
    kind: Kind,
    data: np.ndarray,
    batch_sizes: Sequence[int],
    state: Sequence[np.ndarray],
    params: CellParams,
    reverse: bool,
) -> tuple[np.ndarray, list[np.ndarray]]:
    r"""Run one layer in one direction over sequences, the longest first.

    Parameters
    ----------
    kind : Kind
    data : ndarray of float32, shape (sum of batch_sizes, features)
        The first steps of all sequences, then the second steps of those that have one, ...
    batch_sizes : sequence of int
        How many sequences have each step; never rising.
    state : sequence of ndarray of float32, shape (batch, size)
        Where the sequences begin: the hidden state, and what else the step keeps.
    params : CellParams
    reverse : bool
        Whether to go from the last step of each sequence to its first.

    Returns
    -------
    output : ndarray of float32, shape (sum of batch_sizes, size)
        Hidden state of every step.
    state : list of ndarray of float32, shape (batch, size)
        State after the last step of each sequence.

    Notes
    -----
    The weight of the input sees all steps at once, that of the state those sequences that have the
    step: that decides what is quantized together. Source: ATen ``quantized_lstm``.
    """
    driven = params.drive(params.from_input, data)
    product = params.product_of_hidden()
    if product is None:
        return _step_by_step(kind.step, driven, batch_sizes, state, params, reverse)
    output, *last, made = kind.run()(
        driven, batch_sizes, *state, product, reverse, *gate_of(state[0].shape[1])
    )
    if made < len(batch_sizes):
        count = batch_sizes[-1 - made if reverse else made]
        check_range("X", last[0][:count])
    return output, last


def _step_by_step(step: Step, driven, batch_sizes, state, params: CellParams, reverse: bool):
    """Do as `_run_direction` where the state is multiplied in another way."""
    output = np.empty((driven.shape[0], state[0].shape[1]), np.float32)
    last = [part.copy() for part in state]
    ends = np.cumsum(batch_sizes).tolist()
    steps = range(len(ends))
    for t in reversed(steps) if reverse else steps:
        # A sequence takes part while it has steps; its entry in the last states waits for it.
        count, place = batch_sizes[t], slice(ends[t] - batch_sizes[t], ends[t])
        from_hidden = params.drive(params.from_hidden, last[0][:count])
        parts = step(driven[place], from_hidden, [part[:count] for part in last])
        for kept, part in zip(last, parts, strict=True):
            kept[:count] = part
        output[place] = parts[0]
    return output, last


def run_layers(
    kind: Kind,
    data: np.ndarray,
    batch_sizes: Sequence[int],
    state: Sequence[np.ndarray],
    params: Sequence[CellParams],
    directions: int,
    probability: float,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Run layers one after another.

    Parameters
    ----------
    kind, data, batch_sizes
        As of `_run_direction`.
    state : sequence of ndarray of float32, shape (layers * directions, batch, size)
    params : sequence of CellParams
        For every layer and direction.
    directions : int
        1 or 2.
    probability : float
        With which what one layer hands to the next is dropped.

    Returns
    -------
    output : ndarray of float32, shape (sum of batch_sizes, directions * size)
    state : list of ndarray of float32, shape (layers * directions, batch, size)
    """
    last: list[list[np.ndarray]] = []
    for start in range(0, len(params), directions):
        outputs = []
        for place in range(start, start + directions):
            begin = [part[place] for part in state]
            output, after = _run_direction(
                kind, data, batch_sizes, begin, params[place], place > start
            )
            outputs.append(output)
            last.append(after)
        data = outputs[0] if directions == 1 else np.concatenate(outputs, axis=1)
        if probability and start + directions < len(params):
            data = dropout(Tensor(data), probability, True).array
    return data, [np.stack(parts) for parts in zip(*last, strict=True)]


# -- arguments ---------------------------------------------------------------------------------


def _checked_params(params: Any, count: int, gates: int, width: int, directions: int):
    found = arguments.sequence("params", params, "a sequence of cell parameters")
    if len(found) != count:
        raise ArgumentError(
            argument="params",
            expected=f"{count} of them, one for each layer and direction",
            got=f"{len(found)} of them",
        )
    hint = "make it with refquant.ops.quantized.make_quantized_cell_params_dynamic()"
    for place, part in enumerate(found):
        name = f"params[{place}]"
        arguments.instance(name, part, CellParams, "cell parameters", hint)
        size = found[0].shape[2]
        features = width if place < directions else directions * size
        if part.shape != (gates * size, features, size):
            raise ShapeError(
                argument=name,
                expected=f"weights of shapes {(gates * size, features)} and {(gates * size, size)}",
                got=f"{part.shape[:2]} and {part.shape[::2]}",
            )
    return found


def _checked_state(names: Sequence[str], hx: Sequence[Any], shape: tuple[int, ...]):
    parts = []
    for name, part in zip(names, hx, strict=True):
        array = checks.float32_tensor(name, part).array
        if array.shape != shape:
            raise ShapeError(argument=name, expected=f"of shape {shape}", got=array.shape)
        parts.append(array)
    return parts


def _checked_sizes(batch_sizes: Any, steps: int) -> list[int]:
    sizes = checks.plain_numbers("batch_sizes", batch_sizes)
    fits = sizes.ndim == 1 and sizes.size > 0 and sizes.dtype.kind in "iu"
    if not fits or sizes[-1] < 1 or (sizes[1:] > sizes[:-1]).any() or sizes.sum() != steps:
        raise ArgumentError(
            argument="batch_sizes",
            expected=f"whole numbers of at least 1 that never rise and add up to {steps}",
            got=sizes.tolist(),
        )
    return sizes.tolist()


class _Settings(NamedTuple):
    """Arguments of both forms of the operations, as they come."""

    params: Any
    has_biases: Any
    num_layers: Any
    dropout: Any
    train: Any
    bidirectional: Any
    batch_first: Any = False


def _run(kind: Kind, input: Any, sizes: Any, names: Sequence[str], hx: Sequence[Any], rest: tuple):
    expected = len(_Settings._fields) - (sizes is not None)
    if not len(_Settings._fields) - 1 <= len(rest) <= expected:
        raise ArgumentTypeError(
            argument="the arguments",
            expected=", ".join(_Settings._fields[:expected]) + " behind `hx`",
            got=f"{len(rest)} of them",
        )
    settings = _Settings(*rest)
    arguments.flag("has_biases", settings.has_biases)
    layers = arguments.integer("num_layers", settings.num_layers, 1)
    directions = 2 if arguments.flag("bidirectional", settings.bidirectional) else 1
    probability = arguments.real("dropout", settings.dropout, 0, 1)
    probability = probability if arguments.flag("train", settings.train) else 0.0
    first = arguments.flag("batch_first", settings.batch_first)
    x = checks.float32_tensor("input", input).array
    if x.ndim != (3 if sizes is None else 2):
        raise ShapeError(
            argument="input",
            expected="of 3 dimensions" if sizes is None else "of 2 dimensions, packed",
            got=f"shape {x.shape}",
        )
    count = layers * directions
    params = _checked_params(settings.params, count, kind.gates, x.shape[-1], directions)
    if first:
        x = np.swapaxes(x, 0, 1)
    if sizes is None:
        steps, batch = x.shape[:2]
        batch_sizes = [batch] * steps
    else:
        batch_sizes = _checked_sizes(sizes, x.shape[0])
        batch = batch_sizes[0]
    state = _checked_state(names, hx, (count, batch, params[0].shape[2]))
    data = np.ascontiguousarray(x).reshape(sum(batch_sizes), x.shape[-1])
    data, last = run_layers(kind, data, batch_sizes, state, params, directions, probability)
    output: np.ndarray = data
    if sizes is None:
        output = data.reshape(steps, batch, data.shape[1])
    return Tensor(np.swapaxes(output, 0, 1) if first else output), *map(Tensor, last)


def _is_packed(first: Any) -> bool:
    """Return whether what follows the input are sizes of batches."""
    return isinstance(first, Tensor) and first.array.ndim == 1


def quantized_lstm(
    input: Any, *args: Any, dtype: Any = None, use_dynamic: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Run layers of long short-term memory whose products are quantized at each call.

    It takes ``(input, hx, params, has_biases, num_layers, dropout, train, bidirectional,
    batch_first)``, or for packed sequences ``(input, batch_sizes, hx, params, has_biases,
    num_layers, dropout, train, bidirectional)``.

    %(sequences)s
    hx : pair of Tensor, shape (layers * directions, batch, size)
        Hidden and cell state to begin with.
    %(settings)s
    dtype, use_dynamic
        Not used: `params` say it.

    Returns
    -------
    output : Tensor
        Hidden state of the last layer for every step.
    hidden, cell : Tensor, shape (layers * directions, batch, size)
        States after the last step.

    %(layers)s
    >>> w = refquant.quantize_per_tensor(refquant.ones(4, 1), 0.5, 0, refquant.qint8)
    >>> packed = ops.linear_prepack(w)
    >>> params = [ops.make_quantized_cell_params_dynamic(packed, packed, None, None)]
    >>> y, h, c = refquant.quantized_lstm(x, (x, x), params, True, 1, 0.0, False, False, False)
    >>> y.shape
    refquant.Size([1, 1, 1])
    """
    packed = bool(args) and _is_packed(args[0])
    sizes, (hx, *rest) = (args[0], args[1:]) if packed else (None, args or (None,))
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        raise ArgumentTypeError(
            argument="hx", expected="a pair of tensors", got=arguments.describe(hx)
        )
    return _run(KINDS["LSTM"], input, sizes, ("hx[0]", "hx[1]"), hx, tuple(rest))


def quantized_gru(input: Any, *args: Any) -> tuple[Tensor, Tensor]:
    """Run layers of gated recurrent units whose products are quantized at each call.

    It takes ``(input, hx, params, has_biases, num_layers, dropout, train, bidirectional,
    batch_first)``, or for packed sequences ``(input, batch_sizes, hx, params, has_biases,
    num_layers, dropout, train, bidirectional)``.

    %(sequences)s
    hx : Tensor, shape (layers * directions, batch, size)
        Hidden state to begin with.
    %(settings)s

    Returns
    -------
    output : Tensor
        Hidden state of the last layer for every step.
    hidden : Tensor, shape (layers * directions, batch, size)
        State after the last step.

    %(layers)s
    >>> w = refquant.quantize_per_tensor(refquant.ones(3, 1), 0.5, 0, refquant.qint8)
    >>> packed = ops.linear_prepack(w)
    >>> params = [ops.make_quantized_cell_params_dynamic(packed, packed, None, None)]
    >>> y, h = refquant.quantized_gru(x, x, params, True, 1, 0.0, False, False, False)
    >>> y.shape
    refquant.Size([1, 1, 1])
    """
    packed = bool(args) and _is_packed(args[0])
    sizes, (hx, *rest) = (args[0], args[1:]) if packed else (None, args or (None,))
    return _run(KINDS["GRU"], input, sizes, ("hx",), (hx,), tuple(rest))


document(
    __name__,
    sequences="""
Parameters
----------
input : Tensor, shape (time, batch, features)
    float32; with `batch_first` (batch, time, features), with `batch_sizes` (steps, features).
batch_sizes : Tensor of int64
    How many sequences have each step, as of `refquant.nn.utils.rnn.PackedSequence`.""",
    settings="""
params : sequence of CellParams
    For every layer and direction.
has_biases : bool
    Not used: `params` say it.
num_layers : int
    Layers; each reads the states of the one before.
dropout : float
    Probability with which training drops what one layer hands to the next.
train : bool
    Whether to drop.
bidirectional : bool
    Whether each layer also reads from the end.
batch_first : bool
    Whether sequences come as (batch, time, features).""",
    layers="""
Raises
------
ArgumentError, ArgumentTypeError, ShapeError, DtypeError
    If the arguments do not fit together.

%(example)s
>>> ops, x = refquant.ops.quantized, refquant.ones(1, 1, 1)""",
)
enclose(__name__)
