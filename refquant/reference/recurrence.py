r"""One step of recurrent cells in float32, and layers of them whose products are quantized.

The engine's record says how sigmoids are computed (step ``gate``). The exponential function of the
hyperbolic tangent is computed in float64 with additions and multiplications alone, so that every
processor and every library finds the same bits. The tangent is rounded to float32 once: its error
is less than half a unit in the last place, but for results that lie within a millionth of a unit of
the middle between two float32.

See ``_kernels/recurrence.pyx``; the series is ``series_of`` of ``_kernels/_exponential.pxd``.
"""

import numpy as np

from refquant.engines.rules.exponential import COEFFICIENTS, LOG_2_E, LOG_2_HIGH, LOG_2_LOW
from refquant.reference.affine import quantize_per_tensor
from refquant.reference.matmul import linear_dynamic
from refquant.reference.observation import dynamic_qparams, min_max
from refquant.reference.operands import split_at

__all__ = ["gru_cell", "gru_layer", "lstm_cell", "lstm_layer", "rnn_cell"]

# Beyond this the result is 1 in float32.
TANH_END = 20.0
# Below this tanh(x) is x in float32: the next term of its series is x**3 / 3.
TANH_START = 2.0**-12


def exponential(x):
    r"""Compute :math:`e^x = 2^k e^r` with :math:`k = round(x / \log 2)`.

    Parameters
    ----------
    x : ndarray of float64
        Numbers in -700..700, or NaN.

    Returns
    -------
    ndarray of float64
    """
    k = np.rint(x * LOG_2_E)
    k = np.where(k == k, k, 0.0)
    r = (x - k * LOG_2_HIGH) - k * LOG_2_LOW
    series = np.full_like(r, COEFFICIENTS[0])
    for coefficient in (*COEFFICIENTS[1:], 1.0):
        series = series * r + coefficient
    return series * np.ldexp(1.0, k.astype(np.int32))


def sigmoid(x, vector_length, gate):
    r"""Compute :math:`1 / (1 + e^{-x})`.

    Parameters
    ----------
    x : ndarray of float32, shape (batch, size)
    vector_length : int
        How many leading elements of each row are computed like vectors.
    gate : Split
        How.

    Returns
    -------
    ndarray of float32, shape (batch, size)
    """
    result = np.empty_like(x)
    for columns, (rule,) in split_at(vector_length, gate):
        result[:, columns] = rule(x[:, columns])
    return result


def tanh(x):
    r"""Compute :math:`\tanh x = \pm (1 - 2 / (e^{2 |x|} + 1))`.

    Parameters
    ----------
    x : ndarray of float32

    Returns
    -------
    ndarray of float32
    """
    size = np.abs(x.astype(np.float64))
    large = 1.0 - 2.0 / (exponential(2.0 * np.minimum(size, TANH_END)) + 1.0)
    return np.where(size < TANH_START, x, np.copysign(large, x)).astype(np.float32)


@np.errstate(all="ignore")
def lstm_cell(from_input, from_hidden, cell, vector_length, gate):
    r"""Make the next state of long short-term memory.

    .. math::
        (i, f, g, o) &= from\_input + from\_hidden \\
        c' &= \sigma(f)\, c + \sigma(i) \tanh(g) \\
        h' &= \sigma(o) \tanh(c')

    Every product and sum is rounded to float32.

    Parameters
    ----------
    from_input, from_hidden : ndarray of float32, shape (batch, 4 * size)
        What the input and the hidden state drive the gates with, in the order i, f, g, o.
    cell : ndarray of float32, shape (batch, size)
        Cell state :math:`c`.
    vector_length : int
        How many leading elements of the state are computed like vectors.
    gate : Split
        How :math:`\sigma` is computed.

    Returns
    -------
    hidden, cell : ndarray of float32, shape (batch, size)
        :math:`h'` and :math:`c'`.
    """
    gates = from_input + from_hidden
    i, f, g, o = np.split(gates, 4, axis=1)
    i, f, o = (sigmoid(part, vector_length, gate) for part in (i, f, o))
    next_cell = f * cell + i * tanh(g)
    return o * tanh(next_cell), next_cell


@np.errstate(all="ignore")
def gru_cell(from_input, from_hidden, hidden, vector_length, gate):
    r"""Make the next state of a gated recurrent unit.

    .. math::
        r &= \sigma(from\_hidden_r + from\_input_r) \\
        z &= \sigma(from\_hidden_z + from\_input_z) \\
        n &= \tanh(from\_input_n + from\_hidden_n\, r) \\
        h' &= (h - n)\, z + n

    Every product and sum is rounded to float32.

    Parameters
    ----------
    from_input, from_hidden : ndarray of float32, shape (batch, 3 * size)
        What the input and the hidden state drive the gates with, in the order r, z, n.
    hidden : ndarray of float32, shape (batch, size)
        Hidden state :math:`h`.
    vector_length, gate
        As of `lstm_cell`.

    Returns
    -------
    ndarray of float32, shape (batch, size)
        :math:`h'`.
    """
    size = hidden.shape[1]
    both = from_hidden[:, : 2 * size] + from_input[:, : 2 * size]
    reset, update = (
        sigmoid(part, vector_length, gate) for part in (both[:, :size], both[:, size:])
    )
    new = tanh(from_input[:, 2 * size :] + from_hidden[:, 2 * size :] * reset)
    return (hidden - new) * update + new


@np.errstate(all="ignore")
def rnn_cell(from_input, from_hidden, relu):
    r"""Make the next state of a plain cell, :math:`h' = f(from\_input + from\_hidden)`.

    Parameters
    ----------
    from_input, from_hidden : ndarray of float32, shape (batch, size)
        What the input and the hidden state drive the next state with.
    relu : bool
        Whether :math:`f` replaces negative numbers by zero; otherwise it is the hyperbolic tangent.

    Returns
    -------
    ndarray of float32, shape (batch, size)
        :math:`h'`.
    """
    driven = from_input + from_hidden
    if relu:
        return np.where(driven <= 0, np.float32(0), driven)
    return tanh(driven)


def multiply_by_own_range(x, product):
    """Quantize rows by their own range, and multiply them by a packed weight.

    Parameters
    ----------
    x : ndarray of float32, shape (rows, depth)
    product : DynamicProduct

    Returns
    -------
    ndarray of float32, shape (rows, outputs), or None
        None if a number is not finite.
    """
    weight, biases, accumulate, output, choose, quantize, quant_max = product
    lower, upper = min_max(x.reshape(-1)) if x.size else (0.0, 0.0)
    if not (np.isfinite(lower) and np.isfinite(upper)):
        return None
    quantizer = scale, zero_point = dynamic_qparams(lower, upper, 0, quant_max, choose)
    vectors = x.size - x.size % quantize.block
    q = quantize_per_tensor(x, (scale, zero_point, 0, 255), np.dtype(np.uint8), vectors, quantize)
    return linear_dynamic(q, quantizer, weight, biases, None, accumulate, output)


def run_layer(step, driven, batch_sizes, state, product, reverse):
    """Call `step` for each step of sequences; see `lstm_layer`."""
    output = np.zeros((driven.shape[0], state[0].shape[1]), np.float32)
    last = [part.copy() for part in state]
    ends = np.cumsum(batch_sizes).tolist()
    steps = [(n, slice(end - n, end)) for n, end in zip(batch_sizes, ends, strict=True)]
    for made, (count, place) in enumerate(reversed(steps) if reverse else steps):
        from_hidden = multiply_by_own_range(last[0][:count], product)
        if from_hidden is None:
            return output, *last, made
        parts = step(driven[place], from_hidden, *(part[:count] for part in last))
        for kept, part in zip(last, parts, strict=True):
            kept[:count] = part
        output[place] = parts[0]
    return output, *last, len(steps)


def lstm_layer(driven, batch_sizes, hidden, cell, product, reverse, vector_length, gate):
    r"""Run long short-term memory over sequences, the longest first.

    Each step quantizes the hidden states of the sequences that have it by their own range,
    multiplies them by the weight, and makes the next states as `lstm_cell` does.

    Parameters
    ----------
    driven : ndarray of float32, shape (sum of batch_sizes, 4 * size)
        What the input drives the gates with: in the first steps of all sequences, then in the
        second steps of those that have one, ...
    batch_sizes : list of int
        How many sequences have each step; at least one, and never rising.
    hidden, cell : ndarray of float32, shape (batch, size)
        Where the sequences begin.
    product : DynamicProduct
        The weight of the hidden state.
    reverse : bool
        Whether to go from the last step of each sequence to its first.
    vector_length, gate
        As of `lstm_cell`.

    Returns
    -------
    output : ndarray of float32, shape (sum of batch_sizes, size)
        Hidden state of every step; zeros where there is none.
    hidden, cell : ndarray of float32, shape (batch, size)
        States after the last step of each sequence.
    made : int
        How many steps there were before a hidden state was not finite, else all.
    """

    def step(from_input, from_hidden, _, cell):
        return lstm_cell(from_input, from_hidden, cell, vector_length, gate)

    return run_layer(step, driven, batch_sizes, (hidden, cell), product, reverse)


def gru_layer(driven, batch_sizes, hidden, product, reverse, vector_length, gate):
    r"""Run a gated recurrent unit over sequences, the longest first.

    As `lstm_layer`, with the next states of `gru_cell`.

    Parameters
    ----------
    driven : ndarray of float32, shape (sum of batch_sizes, 3 * size)
        What the input drives the gates with.
    batch_sizes, product, reverse
        As of `lstm_layer`.
    hidden : ndarray of float32, shape (batch, size)
        Where the sequences begin.
    vector_length, gate
        As of `gru_cell`.

    Returns
    -------
    output : ndarray of float32, shape (sum of batch_sizes, size)
        Hidden state of every step; zeros where there is none.
    hidden : ndarray of float32, shape (batch, size)
        States after the last step of each sequence.
    made : int
        How many steps there were before a hidden state was not finite, else all.
    """

    def step(from_input, from_hidden, hidden):
        return (gru_cell(from_input, from_hidden, hidden, vector_length, gate),)

    return run_layer(step, driven, batch_sizes, (hidden,), product, reverse)
