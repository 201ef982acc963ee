"""The dynamic LSTM: literal values, its parts, and what may go wrong."""

import copy
import math

import numpy as np
import pytest

import refquant
from refquant import kernels
from refquant.engines import Split
from refquant.engines.rules import functions
from refquant.errors import (
    ArgumentError,
    DtypeError,
    EngineError,
    OperationError,
    QuantizerError,
    ShapeError,
    StateError,
)
from refquant.nn.quantized.dynamic import LSTM
from refquant.nn.utils import rnn
from refquant.reference import recurrence


def filled(seed=0, **options):
    """A dynamic LSTM of 3 features and a state of 4, with random weights."""
    rng = np.random.default_rng(seed)
    lstm = refquant.nn.LSTM(3, 4, **options)
    for parameter in lstm.parameters():
        parameter.array[...] = rng.normal(size=parameter.shape).astype(np.float32)
    return LSTM.from_float(lstm)


def drawn(*shape, seed=1):
    return refquant.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def same(a, b):
    return np.array_equal(a.array, b.array)


GATE = Split(functions.SIGMOID_IN_FLOAT32, functions.SIGMOID_ROUNDED, block=32)

# -- one step ----------------------------------------------------------------------------------


def test_one_step_by_hand():
    # Gates i, f, g, o of one element: their sums are 0, 0, 20 and 0.
    from_input = np.array([[1, -1, 12, 0.5]], np.float32)
    from_hidden = np.array([[-1, 1, 8, -0.5]], np.float32)
    old = np.array([[0.5]], np.float32)
    hidden, cell = kernels.lstm_cell(from_input, from_hidden, old, 0, GATE)
    assert cell.item() == 0.75  # 0.5 * 0.5 + 0.5 * 1
    assert hidden.item() == np.float32(0.5) * np.float32(math.tanh(0.75))


def test_the_tangent_is_rounded_once():
    x = np.concatenate([np.linspace(-20, 20, 4001), [1e-5, 2.0**-12, -3e-39, 0, -0.0]])
    x = x.astype(np.float32)
    wanted = np.array([math.tanh(v) for v in x.tolist()]).astype(np.float32)
    assert np.array_equal(recurrence.tanh(x), wanted)


def test_each_step_of_the_sigmoid_behind_vectors_is_rounded():
    x = np.linspace(-20, 20, 4001).astype(np.float32)
    one = np.float32(1)
    powers = np.array([math.exp(-v) for v in x.tolist()]).astype(np.float32)
    found = recurrence.sigmoid(x[None], 32, GATE)[0]
    assert np.array_equal(found[32:], (one / (one + powers))[32:])
    assert np.allclose(found[:32], (one / (one + powers))[:32], rtol=3e-7, atol=0)


@pytest.mark.parametrize(("name", "block"), [("fbgemm", 32), ("qnnpack", 32), ("fbgemm-1.4", 16)])
def test_gates_are_computed_in_blocks(name, block):
    split = refquant.engines.get(name).rule("gate")
    assert (split.vector, split.tail) == (GATE.vector, GATE.tail)
    assert split.block == block


def test_ends_and_nan():
    x = np.array([-np.inf, -1e30, 1e30, np.inf, np.nan], np.float32)
    for vectors in (0, 5):
        sigmoid = recurrence.sigmoid(x[None], vectors, GATE)[0]
        assert sigmoid[:4].tolist() == [0, 0, 1, 1]
        assert np.isnan(sigmoid[4])
    assert recurrence.tanh(x)[:4].tolist() == [-1, -1, 1, 1]
    assert np.isnan(recurrence.tanh(x)[4])
    assert np.signbit(recurrence.tanh(np.array([-0.0], np.float32))[0])


# -- sequences ---------------------------------------------------------------------------------


def test_definition_by_dynamic_linear_layers(engine):
    lstm, x = filled(), drawn(5, 2, 3)
    if engine == "qnnpack-1.4":
        with pytest.raises(EngineError, match=r"^quantized\.dynamic\.LSTM: "):
            lstm(x)
        return
    weight, bias = lstm.get_weight(), lstm.get_bias()
    layers = [
        refquant.ops.quantized.linear_prepack(weight[f"weight_{k}_l0"], bias[f"bias_{k}_l0"])
        for k in ("ih", "hh")
    ]
    seven_bits = engine == "fbgemm"
    multiply = refquant.ops.quantized.linear_dynamic
    hidden = cell = np.zeros((2, 4), np.float32)
    driven = multiply(x.reshape(10, 3), layers[0], seven_bits).array.reshape(5, 2, 16)
    output, (last_hidden, last_cell) = lstm(x)
    for t in range(5):
        own = multiply(refquant.from_numpy(hidden), layers[1], seven_bits).array
        gate = refquant.engines.current().rule("gate")
        hidden, cell = kernels.lstm_cell(np.ascontiguousarray(driven[t]), own, cell, 0, gate)
        assert np.array_equal(output.array[t], hidden)
    assert np.array_equal(last_hidden.array[0], hidden)
    assert np.array_equal(last_cell.array[0], cell)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}])
def test_equal_lengths_packed_or_not(options):
    lstm, x = filled(**options), drawn(5, 2, 3)
    output, last = lstm(x)
    packed, packed_last = lstm(rnn.pack_padded_sequence(x, [5, 5]))
    assert np.array_equal(packed.data.array.reshape(output.shape), output.array)
    assert all(same(a, b) for a, b in zip(last, packed_last, strict=True))


def test_batch_first_exchanges_two_dimensions():
    lstm, first = filled(), filled(batch_first=True)
    x = drawn(5, 2, 3)
    assert same(lstm(x)[0], first(x.transpose(0, 1))[0].transpose(0, 1))


def test_second_direction_reads_from_the_end():
    both = filled(bidirectional=True)
    single = LSTM(3, 4)
    values = {**both.get_weight(), **both.get_bias()}
    single.set_weight_bias(
        {name.removesuffix("_reverse"): v for name, v in values.items() if "reverse" in name}
    )
    x = drawn(5, 2, 3)
    reversed_x = refquant.from_numpy(np.ascontiguousarray(x.array[::-1]))
    assert np.array_equal(both(x)[0].array[:, :, 4:], single(reversed_x)[0].array[::-1])


def test_without_bias():
    lstm = filled(bias=False)
    assert lstm.get_bias() == {}
    assert list(lstm.state_dict()) == ["weight_ih_l0", "weight_hh_l0"]
    assert lstm(drawn(5, 2, 3))[0].shape == (5, 2, 4)


def test_dropout_between_layers_while_training():
    lstm, x = filled(num_layers=2, dropout=1.0), drawn(5, 2, 3)
    evaluated = lstm.eval()(x)[0]
    dropped = lstm.train()(x)[0]
    assert not same(evaluated, dropped)
    assert same(evaluated, lstm.eval()(x)[0])


def test_state_of_no_sequence():
    output, (hidden, cell) = filled()(drawn(5, 0, 3))
    assert output.shape == (5, 0, 4)
    assert hidden.shape == cell.shape == (1, 0, 4)


# -- weights and state -------------------------------------------------------------------------


def test_each_weight_has_an_observer_of_its_own():
    lstm = refquant.nn.LSTM(3, 4)
    lstm.weight_ih_l0.array[...] = 10.0
    lstm.weight_hh_l0.array[...] = 0.1
    weights = LSTM.from_float(lstm).get_weight()
    assert weights["weight_ih_l0"].q_scale() > 50 * weights["weight_hh_l0"].q_scale()


@pytest.mark.parametrize("dtype", [refquant.qint8, refquant.float16])
def test_state_round_trip(dtype):
    rng = np.random.default_rng(3)
    source = refquant.nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    for parameter in source.parameters():
        parameter.array[...] = rng.normal(size=parameter.shape).astype(np.float32)
    if dtype is refquant.float16:
        source.qconfig = refquant.quantization.float16_dynamic_qconfig
    lstm = LSTM.from_float(source)
    other = LSTM(3, 4, num_layers=2, bidirectional=True, dtype=dtype)
    state = lstm.state_dict()
    assert list(state) == list(source.state_dict())
    other.load_state_dict(state)
    x = drawn(5, 2, 3)
    assert same(lstm(x)[0], other(x)[0])
    assert same(lstm(x)[0], copy.deepcopy(lstm)(x)[0])


def test_a_state_that_does_not_fit_changes_nothing():
    lstm, x = filled(num_layers=2), drawn(5, 2, 3)
    before = lstm(x)[0]
    state = filled(seed=9, num_layers=2).state_dict()
    state["weight_hh_l1"] = state["weight_ih_l0"]
    with pytest.raises(StateError, match="weight_hh_l1"):
        lstm.load_state_dict(state)
    del state["weight_hh_l1"]
    with pytest.raises(StateError, match="missing keys: weight_hh_l1"):
        lstm.load_state_dict(state)
    assert same(before, lstm(x)[0])


def test_repr():
    assert (
        repr(LSTM(3, 4, 2, dropout=0.5)) == "DynamicQuantizedLSTM(3, 4, num_layers=2, dropout=0.5)"
    )


# -- what may go wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"hidden_size": 0}, "hidden_size"),
        ({"num_layers": 0}, "num_layers"),
        ({"dropout": 1.5}, "dropout"),
    ],
)
def test_sizes_that_are_not_valid(options, argument):
    with pytest.raises(ArgumentError, match=argument):
        LSTM(**{"input_size": 3, "hidden_size": 4, **options})


def test_dtypes_that_are_not_valid():
    with pytest.raises(DtypeError, match="qint8 or float16"):
        LSTM(3, 4, dtype=refquant.quint8)
    with pytest.raises(DtypeError, match="float32"):
        filled()(refquant.zeros(5, 2, 3, dtype=refquant.float64))


@pytest.mark.parametrize("shape", [(5, 3), (5, 2, 4), (1, 5, 2, 3)])
def test_inputs_of_another_shape(shape):
    with pytest.raises(ShapeError, match="of 3 dimensions, the last 3"):
        filled()(refquant.zeros(*shape))


@pytest.mark.parametrize(("place", "name"), [(0, "h_0"), (1, "c_0")])
def test_states_of_another_shape(place, name):
    state = [refquant.zeros(1, 2, 4), refquant.zeros(1, 2, 4)]
    state[place] = refquant.zeros(1, 3, 4)
    with pytest.raises(ShapeError, match=name):
        filled()(drawn(5, 2, 3), tuple(state))


def test_quantized_input():
    x = refquant.quantize_per_tensor(drawn(5, 2, 3), 0.1, 0, refquant.quint8)
    with pytest.raises((DtypeError, QuantizerError)):
        filled()(x)


def test_other_modules():
    with pytest.raises(ArgumentError, match="exactly a LSTM"):
        LSTM.from_float(refquant.nn.Linear(3, 4))


def test_weights_that_do_not_fit_change_nothing():
    lstm, x = filled(), drawn(5, 2, 3)
    before, values = lstm(x)[0], {**lstm.get_weight(), **lstm.get_bias()}
    with pytest.raises(ArgumentError, match="weight_hh_l0"):
        lstm.set_weight_bias({k: v for k, v in values.items() if k != "weight_hh_l0"})
    with pytest.raises(ShapeError, match="weight_hh_l0"):
        lstm.set_weight_bias({**values, "weight_hh_l0": values["weight_ih_l0"]})
    assert same(before, lstm(x)[0])


@pytest.mark.parametrize("part", [0, 1])
def test_a_state_that_is_not_finite_has_no_range(part):
    lstm, x = filled(), drawn(3, 2, 3)
    state = [refquant.zeros(1, 2, 4), refquant.zeros(1, 2, 4)]
    state[part].array[0, 1, 2] = math.nan
    with pytest.raises(OperationError, match="`X` must be finite numbers"):
        lstm(x, tuple(state))
