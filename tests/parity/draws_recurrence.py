"""Arguments for the twins of the family `recurrence`."""

import numpy as np
from cases.operands import SIZES, SPECIAL
from parity.draws import draws, draws_large

from refquant.engines import Split
from refquant.engines.rules import functions

SIGMOIDS = (
    functions.SIGMOID_IN_FLOAT32,
    functions.SIGMOID_ROUNDED,
    functions.SIGMOID_IN_FLOAT64,
)

# Where a formula ends and another begins, and where results stop changing.
EDGES = np.array(
    [
        2.0**-12,
        2.0**-13,
        1e-30,
        20.0,
        19.999,
        9.02,
        16.64,
        88.0,
        104.0,
        110.0,
        111.0,
        0.5 * np.log(2),
    ],
    np.float32,
)


def numbers(rng, shape, special):
    x = (rng.normal(size=shape) * np.exp(rng.uniform(-9, 5, size=shape))).astype(np.float32)
    edges = rng.choice(np.concatenate([EDGES, -EDGES]), size=shape)
    x = np.where(rng.random(shape) < 0.2, edges, x)
    if special:
        x = np.where(rng.random(shape) < 0.1, rng.choice(SPECIAL, size=shape), x)
    return np.ascontiguousarray(x, np.float32)


def states(rng, batch, size, special=False, gates=4):
    driven = (numbers(rng, (batch, n * size), special) for n in (gates, gates, 1))
    vectors = int(rng.choice([0, size - size % 32, size]))
    vector, tail = rng.integers(len(SIGMOIDS), size=2)
    return *driven, vectors, Split(SIGMOIDS[vector], SIGMOIDS[tail])


def of_all_sizes():
    for size in SIZES:
        for batch in (0, 1, 3):
            yield batch, size


@draws("lstm_cell")
def lstm_cell(rng):
    for batch, size in of_all_sizes():
        yield states(rng, batch, size)
        yield states(rng, batch, size, special=True)


@draws_large("lstm_cell")
def lstm_cell_large(rng):
    yield states(rng, 257, 1021)
    yield states(rng, 3, 50_001, special=True)


@draws("gru_cell")
def gru_cell(rng):
    for batch, size in of_all_sizes():
        yield states(rng, batch, size, gates=3)
        yield states(rng, batch, size, special=True, gates=3)


@draws_large("gru_cell")
def gru_cell_large(rng):
    yield states(rng, 257, 1021, gates=3)
    yield states(rng, 3, 50_001, special=True, gates=3)


@draws("rnn_cell")
def rnn_cell(rng):
    for batch, size in of_all_sizes():
        for relu in (False, True):
            yield *states(rng, batch, size, special=batch == 3, gates=1)[:2], relu


@draws_large("rnn_cell")
def rnn_cell_large(rng):
    for relu in (False, True):
        yield *states(rng, 257, 1021, special=True, gates=1)[:2], relu
