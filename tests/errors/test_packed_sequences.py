"""Packed sequences that were built by hand: kernels process them step by step."""

import numpy as np
import pytest

import refquant
from refquant import nn
from refquant.errors import ArgumentError
from refquant.nn.utils import rnn

LAYERS = {
    "float": lambda: nn.LSTM(2, 3),
    "dynamic": lambda: nn.quantized.dynamic.LSTM(2, 3),
}
X = refquant.tensor(np.ones((3, 2), np.float32))


def sizes(*numbers):
    return refquant.tensor(list(numbers))


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (rnn.PackedSequence(X, sizes(2, 2)), "of 4 steps"),
        (rnn.PackedSequence(X, sizes(2)), "of 2 steps"),
        (rnn.PackedSequence(X, sizes(1, 2)), "never rise"),
        (rnn.PackedSequence(X, sizes(4, -1)), "at least 1"),
        (rnn.PackedSequence(X, sizes(3, 0)), "at least 1"),
        (rnn.PackedSequence(X, refquant.tensor([3.0])), "whole numbers"),
        (rnn.PackedSequence(X, refquant.tensor(3)), "whole numbers"),
        (rnn.PackedSequence(X, refquant.zeros(0, dtype=refquant.int64)), "whole numbers"),
        (rnn.PackedSequence(X, None), "whole numbers"),
        (rnn.PackedSequence(X, sizes(2, 1), sizes(0, 2), sizes(0, 1)), "each of 0..1 once"),
        (rnn.PackedSequence(X, sizes(2, 1), sizes(0, 1), sizes(0)), "each of 0..1 once"),
    ],
)
@pytest.mark.parametrize("kind", LAYERS)
def test_parts_that_do_not_fit(kind, packed, said):
    for use in (LAYERS[kind](), rnn.pad_packed_sequence):
        with pytest.raises(ArgumentError, match=said):
            use(packed)


@pytest.mark.parametrize("kind", LAYERS)
def test_what_was_packed_fits(kind):
    sequences = [refquant.zeros(1, 2), refquant.ones(3, 2)]
    packed = rnn.pack_sequence(sequences, enforce_sorted=False)
    output, _ = LAYERS[kind]()(packed)
    assert output.data.shape == (4, 3)
    assert rnn.pad_packed_sequence(packed)[1].tolist() == [1, 3]
