"""Recurrent cells over sequences, forward and backward through time."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refquant.tensors import Tensor, differentiable

__all__ = ["CELLS", "Cell", "run_direction"]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


class Cell:
    """One step of a recurrent layer, and its derivative.

    Attributes
    ----------
    gates : int
        Rows of the weights are so many times the size of the state.
    states : int
        Parts of the state; the hidden state is the first.
    """

    gates = 1
    states = 1

    def forward(self, a: np.ndarray, b: np.ndarray, state: Sequence[np.ndarray]):
        """Make the next state, and what `backward` needs.

        `a` and `b`, shape (batch, gates, size), are what input and hidden state drive the gates
        with.
        """
        raise NotImplementedError

    def backward(self, saved: Any, grads: Sequence[np.ndarray]):
        """Return the gradients of `a`, of `b`, and of the parts of the state, but by way of `b`."""
        raise NotImplementedError


class _Tanh(Cell):
    """The plain cell with the hyperbolic tangent."""

    def forward(self, a, b, state):
        new = np.tanh(a + b)[:, 0]
        return (new,), (new, state[0])

    def backward(self, saved, grads):
        new, old = saved
        raw = (grads[0] * (1 - new * new))[:, None]
        return raw, raw, (np.zeros_like(old),)


class _Relu(Cell):
    """The plain cell with negative numbers replaced by zero."""

    def forward(self, a, b, state):
        new = np.maximum(a + b, 0)[:, 0]
        return (new,), (new, state[0])

    def backward(self, saved, grads):
        new, old = saved
        raw = (grads[0] * (new > 0))[:, None]
        return raw, raw, (np.zeros_like(old),)


class _Lstm(Cell):
    """Long short-term memory; the gates in the order i, f, g, o."""

    gates, states = 4, 2

    def forward(self, a, b, state):
        raw = a + b
        both = _sigmoid(raw)
        i, f, o = both[:, 0], both[:, 1], both[:, 3]
        g = np.tanh(raw[:, 2])
        cell = f * state[1] + i * g
        squashed = np.tanh(cell)
        return (o * squashed, cell), (i, f, g, o, squashed, state[1])

    def backward(self, saved, grads):
        i, f, g, o, squashed, before = saved
        of_cell = grads[1] + grads[0] * o * (1 - squashed**2)
        raw = np.stack(
            [
                of_cell * g * i * (1 - i),
                of_cell * before * f * (1 - f),
                of_cell * i * (1 - g * g),
                grads[0] * squashed * o * (1 - o),
            ],
            axis=1,
        )
        return raw, raw, (np.zeros_like(of_cell), of_cell * f)


class _Gru(Cell):
    """The gated recurrent unit; the gates in the order r, z, n."""

    gates = 3

    def forward(self, a, b, state):
        both = _sigmoid(a[:, :2] + b[:, :2])
        r, z = both[:, 0], both[:, 1]
        n = np.tanh(a[:, 2] + b[:, 2] * r)
        return ((state[0] - n) * z + n,), (r, z, n, b[:, 2], state[0])

    def backward(self, saved, grads):
        r, z, n, own, before = saved
        of_n = grads[0] * (1 - z) * (1 - n * n)
        of_r = of_n * own * r * (1 - r)
        of_z = grads[0] * (before - n) * z * (1 - z)
        return (
            np.stack([of_r, of_z, of_n], axis=1),
            np.stack([of_r, of_z, of_n * r], axis=1),
            (grads[0] * z,),
        )


CELLS: dict[str, Cell] = {"LSTM": _Lstm(), "GRU": _Gru(), "RNN_TANH": _Tanh(), "RNN_RELU": _Relu()}


def run_direction(
    cell: Cell,
    input: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Tensor],
    lengths: np.ndarray | None = None,
    reverse: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """Run one layer in one direction over a batch of sequences.

    Parameters
    ----------
    cell : Cell
        One step.
    input : Tensor of floats, shape (time, batch, features)
        Sequences.
    state : sequence of Tensor, shape (batch, size)
        Where the sequences begin.
    weights : sequence of Tensor
        Input weight (gates * size, features), hidden weight (gates * size, size), and if there
        are biases the two of them (gates * size).
    lengths : ndarray of int, shape (batch,), optional
        Steps of every sequence, if they differ; what lies behind is 0 in the output.
    reverse : bool
        Whether to go from the last step to the first.

    Returns
    -------
    output : Tensor, shape (time, batch, size)
        Hidden state of every step.
    state : list of Tensor, shape (batch, size)
        State after the last step of each sequence.

    Notes
    -----
    Sources: Hochreiter and Schmidhuber, "Long short-term memory", 1997, and Cho and others,
    "Learning phrase representations", 2014, in the variants of PyTorch's ``nn.LSTM`` and
    ``nn.GRU``.
    """
    x, now = input.array, [part.array for part in state]
    w_input, w_hidden = weights[0].array, weights[1].array
    bias = [part.array for part in weights[2:]] or [np.zeros((), x.dtype)] * 2
    steps, batch, size = x.shape[0], x.shape[1], now[0].shape[1]
    shape = (batch, cell.gates, size)
    order = range(steps - 1, -1, -1) if reverse else range(steps)
    alive = None
    if lengths is not None:
        alive = (np.arange(steps)[:, None] < lengths)[:, :, None]

    saved: list[Any] = [None] * steps
    hidden_before = np.empty((steps, batch, size), x.dtype)
    # The steps' outputs, then the parts of the last state.
    result = np.zeros((steps + cell.states, batch, size), x.dtype)
    with np.errstate(all="ignore"):
        # All inputs at once; only the hidden state has to wait for the step before.
        driven = (x.reshape(steps * batch, -1) @ w_input.T + bias[0]).reshape(steps, *shape)
        for t in order:
            hidden_before[t] = now[0]
            own = (now[0] @ w_hidden.T + bias[1]).reshape(shape)
            after, saved[t] = cell.forward(driven[t], own, now)
            result[t] = after[0]
            if alive is not None:
                result[t] = np.where(alive[t], after[0], 0)
                after = [np.where(alive[t], a, b) for a, b in zip(after, now, strict=True)]
            now = list(after)
    for place, part in enumerate(now):
        result[steps + place] = part

    def backward(grad):
        of_state = [grad[steps + place] for place in range(cell.states)]
        of_driven = np.zeros((steps, *shape), x.dtype)
        of_own = np.zeros((steps, *shape), x.dtype)
        for t in reversed(order):
            mask = 1 if alive is None else alive[t]
            reached = [part * mask for part in of_state]
            reached[0] = reached[0] + grad[t] * mask
            of_driven[t], of_own[t], before = cell.backward(saved[t], reached)
            passed = [part * (0 if alive is None else 1 - mask) for part in of_state]
            of_state = [a + b for a, b in zip(before, passed, strict=True)]
            of_state[0] = of_state[0] + of_own[t].reshape(batch, -1) @ w_hidden
        flat = of_driven.reshape(steps * batch, -1)
        own_flat = of_own.reshape(steps * batch, -1)
        of_input = (flat @ w_input).reshape(x.shape) if input.requires_grad else None
        parts = (
            flat.T @ x.reshape(steps * batch, -1),
            own_flat.T @ hidden_before.reshape(steps * batch, size),
            flat.sum(axis=0),
            own_flat.sum(axis=0),
        )
        return (of_input, *of_state, *parts[: len(weights)])

    whole = differentiable(result, (input, *state, *weights), backward)
    return whole[:steps], [whole[steps + place] for place in range(cell.states)]
