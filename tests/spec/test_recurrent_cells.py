"""Dynamic GRU and cells, and operations below them: literal values and what may go wrong."""

import copy
import math

import numpy as np
import pytest

import refquant
from refquant import errors, kernels
from refquant.nn.quantized import dynamic
from refquant.nn.utils import rnn

ops = refquant.ops.quantized
CELLS = ("LSTMCell", "GRUCell", "RNNCell")


def drawn(*shape, seed=1):
    return refquant.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def filled(name, *sizes, qconfig=None, **options):
    """The float module with random weights, and the dynamic one made of it."""
    rng = np.random.default_rng(0)
    source = getattr(refquant.nn, name)(*sizes, **options)
    for parameter in source.parameters():
        parameter.array[...] = rng.normal(size=parameter.shape).astype(np.float32)
    if qconfig is not None:
        source.qconfig = qconfig
    return source, getattr(dynamic, name).from_float(source)


def same(a, b):
    a, b = (part if isinstance(part, tuple) else (part,) for part in (a, b))
    return all(np.array_equal(x.array, y.array) for x, y in zip(a, b, strict=True))


# -- one step --------------------------------------------------------------------------------------


def test_one_step_of_a_gated_unit_by_hand():
    # r = z = 1/2; the new state is tanh(0.25 + 0.5 * 1).
    from_input = np.array([[1, -1, 0.25]], np.float32)
    from_hidden = np.array([[-1, 1, 1]], np.float32)
    new = np.float32(math.tanh(0.75))
    wanted = (np.float32(2) - new) * np.float32(0.5) + new
    gate = refquant.engines.get("fbgemm").rule("gate")
    two = np.array([[2]], np.float32)
    assert kernels.gru_cell(from_input, from_hidden, two, 0, gate).item() == wanted


def test_one_step_of_a_plain_cell_by_hand():
    a, b = np.array([[1, -2, 3]], np.float32), np.array([[0.5, 1, -3]], np.float32)
    assert kernels.rnn_cell(a, b, True).tolist() == [[1.5, 0, 0]]
    wanted = [np.float32(math.tanh(x)) for x in (1.5, -1.0, 0.0)]
    assert kernels.rnn_cell(a, b, False).tolist() == [wanted]


def test_a_rectified_nan_stays():
    nan = np.full((1, 1), np.nan, np.float32)
    assert np.isnan(kernels.rnn_cell(nan, nan, True)).all()


# -- layers and cells ------------------------------------------------------------------------------


def test_a_gated_layer_is_its_cells_but_for_the_range_of_the_input():
    _, gru = filled("GRU", 3, 4)
    params = gru._all_weight_values[0].param
    x, hidden = drawn(1, 2, 3), drawn(1, 2, 4, seed=2)
    output, last = gru(x, hidden)
    cell = ops.quantized_gru_cell_dynamic(
        x[0], hidden[0], params.from_input, params.from_hidden, None, None
    )
    assert same(output[0], cell)
    assert same(last[0], cell)


@pytest.mark.parametrize("packed", [False, True])
def test_the_operation_behind_a_module(packed):
    _, gru = filled("GRU", 3, 4, num_layers=2, bidirectional=True)
    x, hidden = drawn(5, 2, 3), drawn(4, 2, 4, seed=2)
    params = [value.param for value in gru._all_weight_values]
    settings = (params, True, 2, 0.0, False, True)
    if packed:
        sequence = rnn.pack_padded_sequence(x, [5, 3])
        output, last = gru(sequence, hidden)
        found = refquant.quantized_gru(sequence.data, sequence.batch_sizes, hidden, *settings)
        assert same((output.data, last), found)
    else:
        assert same(gru(x, hidden), refquant.quantized_gru(x, hidden, *settings, False))


@pytest.mark.parametrize("dtype", [refquant.qint8, refquant.float16])
@pytest.mark.parametrize("name", [*CELLS, "GRU"])
def test_state_round_trip(name, dtype):
    half = dtype is refquant.float16
    recipe = refquant.quantization.float16_dynamic_qconfig if half else None
    source, module = filled(name, 3, 4, qconfig=recipe)
    other = getattr(dynamic, name)(3, 4, dtype=dtype)
    state = module.state_dict()
    assert list(state) == list(source.state_dict())
    other.load_state_dict(state)
    x = drawn(2, 3) if name in CELLS else drawn(5, 2, 3)
    assert same(module(x), other(x))
    assert same(module(x), copy.deepcopy(module)(x))


@pytest.mark.parametrize("name", CELLS)
def test_a_state_that_does_not_fit_changes_nothing(name):
    _, cell = filled(name, 3, 4)
    before, state = cell(drawn(2, 3)), cell.state_dict()
    state["weight_hh"] = state["weight_ih"]
    with pytest.raises(errors.StateError, match="weight_hh"):
        cell.load_state_dict(state)
    assert same(before, cell(drawn(2, 3)))


def test_without_state_it_is_zero():
    for name in CELLS:
        _, cell = filled(name, 3, 4)
        zeros = refquant.zeros(2, 4)
        state = (zeros, zeros) if name == "LSTMCell" else zeros
        assert same(cell(drawn(2, 3)), cell(drawn(2, 3), state))


def test_repr():
    assert repr(dynamic.GRU(3, 4, 2)) == "DynamicQuantizedGRU(3, 4, num_layers=2)"
    assert repr(dynamic.LSTMCell(3, 4)) == "DynamicQuantizedLSTMCell(3, 4)"
    assert "nonlinearity=relu" in repr(dynamic.RNNCell(3, 4, nonlinearity="relu"))


@pytest.mark.parametrize("name", [*CELLS, "GRU"])
def test_quantize_dynamic_replaces_it(name):
    source, _ = filled(name, 3, 4)
    model = refquant.quantization.quantize_dynamic(refquant.nn.Sequential(source))
    assert type(model[0]) is getattr(dynamic, name)


def test_weights_and_biases_by_name():
    _, cell = filled("GRUCell", 3, 4)
    assert list(cell.get_weight()) == ["weight_ih", "weight_hh"]
    assert list(cell.get_bias()) == ["bias_ih", "bias_hh"]
    other = dynamic.GRUCell(3, 4)
    other.set_weight_bias({"weight": cell.get_weight(), "bias": cell.get_bias()})
    assert same(cell(drawn(2, 3)), other(drawn(2, 3)))
    with pytest.raises(errors.ArgumentError, match="bias_ih"):
        other.set_weight_bias({"weight": {"weight_ih": 1}, "bias": {}})


# -- linear layers of FBGEMM -----------------------------------------------------------------------


def test_a_weight_of_int8_by_hand():
    # The range -1..1.55 in 255 steps of 0.01; real zero is the integer -28.
    weight = refquant.tensor([[-1.0, 1.55], [0.0, 0.5]])
    integers, offsets, scale, zero_point = refquant.fbgemm_linear_quantize_weight(weight)
    assert integers.tolist() == [[-128, 127], [-28, 22]]
    assert (scale, zero_point) == (np.float32(0.01), -28)
    assert offsets.tolist() == [-1 + 56, -6 + 56]


def test_fbgemm_computes_under_every_engine():
    weight, bias, x = drawn(4, 3), drawn(4), drawn(2, 3, seed=3)
    made = refquant.fbgemm_linear_quantize_weight(weight)
    packed = refquant.fbgemm_pack_quantized_matrix(made[0])
    arguments = (x, made[0], packed, *made[1:], bias)
    wanted = refquant.fbgemm_linear_int8_weight(*arguments)
    for engine in ("fbgemm", "qnnpack", "fbgemm-1.4"):
        with refquant.engines.using(engine):
            assert same(wanted, refquant.fbgemm_linear_int8_weight(*arguments))
            assert refquant.engines.current().name == engine


# -- what may go wrong -----------------------------------------------------------------------------


def test_weights_that_do_not_fit_together():
    small, large = ops.linear_prepack_fp16(drawn(3, 1)), ops.linear_prepack_fp16(drawn(6, 2))
    with pytest.raises(errors.ShapeError, match="w_ih"):
        ops.make_quantized_cell_params_fp16(small, large)
    with pytest.raises(errors.ShapeError, match="w_hh"):
        ops.quantized_lstm_cell_dynamic(drawn(1, 2), (drawn(1, 2),) * 2, large, large, None, None)
    with pytest.raises(errors.ArgumentTypeError, match="w_ih"):
        ops.make_quantized_cell_params_dynamic(drawn(3, 1), small, None, None)


def test_states_and_inputs_that_do_not_fit():
    w = ops.linear_prepack_fp16(drawn(6, 2))
    for x, h, name in ((drawn(1, 3), drawn(1, 2), "input"), (drawn(2, 2), drawn(1, 2), "hx")):
        with pytest.raises(errors.ShapeError, match=name):
            ops.quantized_gru_cell_dynamic(x, h, w, w, None, None)
    with pytest.raises(errors.ArgumentTypeError, match="a pair"):
        dynamic.LSTMCell(3, 4)(drawn(2, 3), drawn(2, 4))
    with pytest.raises(errors.ShapeError, match="hx"):
        dynamic.GRUCell(3, 4)(drawn(2, 3), drawn(1, 4))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({0: drawn(2, 3)}, "input"),
        ({1: drawn(1, 2, 5)}, "hx"),
        ({2: []}, "params"),
        ({2: [1]}, "params"),
        ({4: 2}, "params"),
        ({5: 1.5}, "dropout"),
    ],
)
def test_arguments_of_layers(change, match):
    _, gru = filled("GRU", 3, 4)
    params = [value.param for value in gru._all_weight_values]
    arguments = [drawn(5, 2, 3), drawn(1, 2, 4), params, True, 1, 0.0, False, False, False]
    refquant.quantized_gru(*arguments)
    for place, value in change.items():
        arguments[place] = value
    with pytest.raises(errors.RefquantError, match=match):
        refquant.quantized_gru(*arguments)


def test_sizes_of_batches_add_up():
    _, gru = filled("GRU", 3, 4)
    params = [value.param for value in gru._all_weight_values]
    sizes = refquant.tensor([2, 2])
    with pytest.raises(errors.ArgumentError, match="batch_sizes"):
        refquant.quantized_gru(
            drawn(3, 3), sizes, drawn(1, 2, 4), params, True, 1, 0.0, False, False
        )
