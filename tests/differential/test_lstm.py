"""The dynamic LSTM compared with an installed PyTorch: equal weights, states within a few ulp."""

import numpy as np
import pytest

import refquant
from refquant.nn.utils import rnn

pytestmark = [
    pytest.mark.torch,
    pytest.mark.usefixtures("engine_of_both"),
    pytest.mark.filterwarnings("ignore:.*are deprecated and will be removed:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*qnnpack incorrectly ignores reduce_range"),
]

# Sigmoid and tanh of PyTorch err by an ulp; errors of h grow a little from step to step.
TOLERANCE = {"rtol": 2e-6, "atol": 2e-6}

CASES = [
    {},
    {"num_layers": 2},
    {"bidirectional": True},
    {"num_layers": 3, "bidirectional": True, "batch_first": True},
    {"batch_first": True},
    {"num_layers": 2, "dropout": 0.5},
]


def modules(torch, rng, dtype="qint8", **options):
    """The same dynamic LSTM on either side."""
    theirs = torch.nn.Sequential(torch.nn.LSTM(7, 9, **options))
    ours = refquant.nn.Sequential(refquant.nn.LSTM(7, 9, **options))
    for (_, a), (_, b) in zip(theirs.named_parameters(), ours.named_parameters(), strict=True):
        values = (rng.normal(size=tuple(a.shape)) * 0.4).astype(np.float32)
        a.data.copy_(torch.from_numpy(values))
        b.array[...] = values
    quantized = torch.ao.quantization.quantize_dynamic(
        theirs, {torch.nn.LSTM}, dtype=getattr(torch, dtype)
    )
    made = refquant.quantization.quantize_dynamic(
        ours, {refquant.nn.LSTM}, dtype=getattr(refquant, dtype)
    )
    return quantized[0], made[0]


def close(theirs, ours):
    np.testing.assert_allclose(ours.array, theirs.detach().numpy(), **TOLERANCE)


def states(torch, rng, ours, batch):
    shape = (ours.num_layers * (2 if ours.bidirectional else 1), batch, 9)
    parts = [rng.normal(size=shape).astype(np.float32) for _ in range(2)]
    return (
        tuple(torch.from_numpy(part) for part in parts),
        tuple(refquant.from_numpy(part) for part in parts),
    )


@pytest.mark.parametrize("options", CASES)
def test_weights_are_those_of_pytorch(torch, options):
    theirs, ours = modules(torch, np.random.default_rng(1), **options)
    wanted, got = theirs.get_weight(), ours.get_weight()
    assert list(got) == list(wanted)
    for name, weight in wanted.items():
        assert np.array_equal(got[name].int_repr().numpy(), weight.int_repr().numpy()), name
        assert got[name].q_scale() == weight.q_scale()
        assert got[name].q_zero_point() == weight.q_zero_point()


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("options", CASES)
def test_sequences(torch, options, with_state):
    rng = np.random.default_rng(2)
    theirs, ours = modules(torch, rng, **options)
    for steps, batch in ((1, 1), (6, 3), (3, 17)):
        shape = (batch, steps, 7) if ours.batch_first else (steps, batch, 7)
        x = rng.normal(size=shape).astype(np.float32)
        their_state, our_state = states(torch, rng, ours, batch) if with_state else (None, None)
        y, (h, c) = theirs(torch.from_numpy(x), their_state)
        got, (our_h, our_c) = ours(refquant.from_numpy(x), our_state)
        for pair in ((y, got), (h, our_h), (c, our_c)):
            close(*pair)


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("options", CASES)
def test_packed_sequences(torch, options, in_order):
    rng = np.random.default_rng(3)
    theirs, ours = modules(torch, rng, **options)
    lengths = [6, 4, 4, 1] if in_order else [4, 1, 6, 4]
    shape = (4, 6, 7) if ours.batch_first else (6, 4, 7)
    x = rng.normal(size=shape).astype(np.float32)
    their_state, our_state = states(torch, rng, ours, 4)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.from_numpy(x), lengths, ours.batch_first, in_order
    )
    mine = rnn.pack_padded_sequence(refquant.from_numpy(x), lengths, ours.batch_first, in_order)
    y, (h, c) = theirs(packed, their_state)
    got, (our_h, our_c) = ours(mine, our_state)
    for pair in ((y.data, got.data), (h, our_h), (c, our_c)):
        close(*pair)


@pytest.mark.parametrize("options", CASES)
def test_weights_in_float16(torch, options):
    if torch.backends.quantized.engine == "qnnpack":
        with pytest.raises(refquant.errors.EngineError):
            refquant.nn.quantized.dynamic.LSTM(7, 9, dtype=refquant.float16)
        return
    rng = np.random.default_rng(4)
    theirs, ours = modules(torch, rng, "float16", **options)
    x = rng.normal(size=(5, 4, 7)).astype(np.float32)
    y, (h, c) = theirs(torch.from_numpy(x))
    got, (our_h, our_c) = ours(refquant.from_numpy(x))
    for pair in ((y, got), (h, our_h), (c, our_c)):
        close(*pair)
