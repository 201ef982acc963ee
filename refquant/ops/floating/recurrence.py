"""Long short-term memory, forward and backward through time."""

from typing import Any

import numpy as np

from refquant.tensors import Tensor, differentiable

__all__ = ["lstm_direction"]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm_direction(
    input: Tensor,
    hidden: Tensor,
    cell: Tensor,
    weights: Any,
    lengths: np.ndarray | None,
    reverse: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Run one layer in one direction over a batch of sequences.

    .. math::
        i, f, g, o &= W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} \\
        c_t &= \sigma(f)\, c_{t-1} + \sigma(i) \tanh(g) \\
        h_t &= \sigma(o) \tanh(c_t)

    Parameters
    ----------
    input : Tensor of floats, shape (time, batch, features)
        Sequences.
    hidden, cell : Tensor, shape (batch, size)
        Where the sequences begin.
    weights : sequence of Tensor
        Input weight (4 size, features), hidden weight (4 size, size), and if there are biases
        the two of them (4 size). The gates come in the order i, f, g, o.
    lengths : ndarray of int, shape (batch,), optional
        Steps of every sequence, if they differ; what lies behind is 0 in the output.
    reverse : bool
        Whether to go from the last step to the first.

    Returns
    -------
    output : Tensor, shape (time, batch, size)
        Hidden state of every step.
    hidden, cell : Tensor, shape (batch, size)
        State after the last step of each sequence.

    Notes
    -----
    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997, in the variant of
    PyTorch's ``nn.LSTM``.
    """
    x, h, c = input.array, hidden.array, cell.array
    w_input, w_hidden = weights[0].array, weights[1].array
    steps, batch, size = x.shape[0], x.shape[1], h.shape[1]
    order = range(steps - 1, -1, -1) if reverse else range(steps)
    alive = None
    if lengths is not None:
        alive = (np.arange(steps)[:, None] < lengths)[:, :, None]

    # All inputs at once; only the hidden state has to wait for the step before.
    with np.errstate(all="ignore"):
        driven = x.reshape(steps * batch, -1) @ w_input.T
        for bias in weights[2:]:
            driven = driven + bias.array
    driven = driven.reshape(steps, batch, 4 * size)
    gates = np.empty((steps, batch, 4, size), x.dtype)
    before = np.empty((2, steps, batch, size), x.dtype)
    squashed = np.empty((steps, batch, size), x.dtype)
    # The steps' outputs, then the last hidden state and the last cell state.
    result = np.zeros((steps + 2, batch, size), x.dtype)
    with np.errstate(all="ignore"):
        for t in order:
            before[0, t], before[1, t] = h, c
            raw = (driven[t] + h @ w_hidden.T).reshape(batch, 4, size)
            gates[t] = _sigmoid(raw)
            gates[t, :, 2] = np.tanh(raw[:, 2])
            i, f, g, o = (gates[t, :, k] for k in range(4))
            new_c = f * c + i * g
            squashed[t] = np.tanh(new_c)
            new_h = o * squashed[t]
            if alive is None:
                h, c, result[t] = new_h, new_c, new_h
            else:
                h, c = np.where(alive[t], new_h, h), np.where(alive[t], new_c, c)
                result[t] = np.where(alive[t], new_h, 0)
    result[steps], result[steps + 1] = h, c

    def backward(grad):
        dh, dc = grad[steps], grad[steps + 1]
        raw_grads = np.zeros((steps, batch, 4, size), x.dtype)
        for t in reversed(order):
            i, f, g, o = (gates[t, :, k] for k in range(4))
            mask = 1 if alive is None else alive[t]
            step_h = (dh + grad[t]) * mask
            step_c = dc * mask + step_h * o * (1 - squashed[t] ** 2)
            raw_grads[t, :, 0] = step_c * g * i * (1 - i)
            raw_grads[t, :, 1] = step_c * before[1, t] * f * (1 - f)
            raw_grads[t, :, 2] = step_c * i * (1 - g * g)
            raw_grads[t, :, 3] = step_h * squashed[t] * o * (1 - o)
            passed = 0 if alive is None else 1 - mask
            dh = raw_grads[t].reshape(batch, -1) @ w_hidden + dh * passed
            dc = step_c * f + dc * passed
        flat = raw_grads.reshape(steps * batch, 4 * size)
        dx = (flat @ w_input).reshape(x.shape) if input.requires_grad else None
        bias = flat.sum(axis=0)
        parts = (
            flat.T @ x.reshape(steps * batch, -1),
            flat.T @ before[0].reshape(steps * batch, size),
            bias,
            bias,
        )
        return (dx, dh, dc, *parts[: len(weights)])

    whole = differentiable(result, (input, hidden, cell, *weights), backward)
    return whole[:steps], whole[steps], whole[steps + 1]
