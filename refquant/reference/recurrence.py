r"""One step of recurrent cells, in float32.

The engine's record says how sigmoids are computed (step ``gate``). The exponential function of the
hyperbolic tangent is computed in float64 with additions and multiplications alone, so that every
processor and every library finds the same bits. The tangent is rounded to float32 once: its error
is less than half a unit in the last place, but for results that lie within a millionth of a unit of
the middle between two float32.

See ``_kernels/recurrence.pyx``; the series is ``series_of`` of ``_kernels/_exponential.pxd``.
"""

import numpy as np

from refquant.engines.rules.exponential import COEFFICIENTS, LOG_2_E, LOG_2_HIGH, LOG_2_LOW
from refquant.reference.operands import split_at

__all__ = ["gru_cell", "lstm_cell", "rnn_cell"]

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
