"""Arguments for the twins of the family `recurrence`."""

import numpy as np
from cases.operands import SIZES, SPECIAL
from parity.draws import draws, draws_large
from parity.draws_affine import QUANTIZING
from parity.draws_matmul import OUTPUT, WRAPPED, operands, packed

from refquant.engines import Split
from refquant.engines.rules import dynamic_qparams, functions
from refquant.reference.operands import DynamicProduct, Weight

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


BATCHES = ([], [1], [3, 3], [4, 2, 2, 1], [0, 0], [5] * 7)
CHOOSING = (dynamic_qparams.RANGE_IN_FLOAT32, dynamic_qparams.RANGE_IN_FLOAT64)


def products(rng, size, gates):
    """Draw a weight of the hidden state."""
    _, w, _, _, scales, zeros = operands(rng, (1, size, gates * size), "per_channel")
    vector, tail = rng.choice(len(QUANTIZING), size=2)
    return DynamicProduct(
        Weight(*packed(rng, w), scales, zeros),
        rng.normal(size=gates * size).astype(np.float32),
        WRAPPED,
        OUTPUT[rng.integers(len(OUTPUT))],
        CHOOSING[rng.integers(2)],
        Split(QUANTIZING[vector], QUANTIZING[tail], block=int(rng.choice([1, 8, 32]))),
        int(rng.choice([127, 255])),
    )


def layers(rng, gates, parts):
    """Draw whole sequences; one in four meets numbers that are not finite."""
    for size in (1, 7, 33, 300):
        for sizes in BATCHES:
            for reverse in (False, True):
                special = rng.random() < 0.25
                driven = numbers(rng, (sum(sizes), gates * size), special)
                state = [
                    np.tanh(numbers(rng, (max(sizes, default=2), size), False))
                    for _ in range(parts)
                ]
                _, _, _, vectors, gate = states(rng, 1, size)
                product = products(rng, size, gates)
                yield driven, sizes, *state, product, reverse, vectors, gate


@draws("lstm_layer")
def lstm_layer(rng):
    yield from layers(rng, 4, 2)


@draws("gru_layer")
def gru_layer(rng):
    yield from layers(rng, 3, 1)
