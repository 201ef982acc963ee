"""Long short-term memory whose matrix products are dynamically quantized."""

from collections.abc import Callable, Sequence

import numpy as np

from refquant import kernels
from refquant.tensors import Tensor

__all__ = ["lstm_direction"]


def lstm_direction(
    data: np.ndarray,
    batch_sizes: Sequence[int],
    hidden: np.ndarray,
    cell: np.ndarray,
    input_layer: Callable[[Tensor], Tensor],
    hidden_layer: Callable[[Tensor], Tensor],
    reverse: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Run one layer in one direction over sequences, the longest first.

    .. math::
        (i, f, g, o)_t &= input\_layer(x_t) + hidden\_layer(h_{t-1}) \\
        c_t &= \sigma(f)\, c_{t-1} + \sigma(i) \tanh(g) \\
        h_t &= \sigma(o) \tanh(c_t)

    Parameters
    ----------
    data : ndarray of float32, shape (sum of batch_sizes, features)
        The first steps of all sequences, then the second steps of those that have one, ...
    batch_sizes : sequence of int
        How many sequences have each step; never rising.
    hidden, cell : ndarray of float32, shape (batch, size)
        Where the sequences begin.
    input_layer, hidden_layer : callable
        Drive the gates, in the order i, f, g, o: float32 of shape (n, 4 * size) for n rows.
    reverse : bool
        Whether to go from the last step of each sequence to its first.

    Returns
    -------
    output : ndarray of float32, shape (sum of batch_sizes, size)
        Hidden state of every step.
    hidden, cell : ndarray of float32, shape (batch, size)
        State after the last step of each sequence.

    Notes
    -----
    `input_layer` sees all steps at once, `hidden_layer` those sequences that have the step: that
    decides what they quantize together. Source: ATen ``quantized_lstm``, and Hochreiter and
    Schmidhuber, "Long short-term memory", 1997.
    """
    driven = input_layer(Tensor(data)).array
    output = np.empty((data.shape[0], hidden.shape[1]), np.float32)
    last_hidden, last_cell = hidden.copy(), cell.copy()
    ends = np.cumsum(batch_sizes).tolist()
    steps = range(len(ends))
    for t in reversed(steps) if reverse else steps:
        # A sequence takes part while it has steps; its entry in the last states waits for it.
        count, place = batch_sizes[t], slice(ends[t] - batch_sizes[t], ends[t])
        h, c = last_hidden[:count], last_cell[:count]
        h, c = kernels.lstm_cell(driven[place], hidden_layer(Tensor(h)).array, c)
        output[place] = last_hidden[:count] = h
        last_cell[:count] = c
    return output, last_hidden, last_cell
