"""Layers that are taken apart to be observed: LSTM and attention, observed and quantized."""

import numpy as np
import pytest

import refquant
from refquant import errors, nn, quantization
from refquant.quantization import get_default_qat_qconfig, get_default_qconfig


@pytest.fixture(autouse=True)
def seed():
    refquant.manual_seed(0)


def drawn(*shape, seed=1):
    return refquant.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def quint8(*shape, seed=1):
    return refquant.quantize_per_tensor(drawn(*shape, seed=seed), 0.03, 100, refquant.quint8)


def calibrated(layer, *inputs):
    model = nn.Sequential(layer).eval()
    model.qconfig = get_default_qconfig("fbgemm")
    ready = quantization.prepare(model)
    ready[0](*inputs)
    return ready


def close(a, b, tolerance=1e-5):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), tolerance, tolerance)


@pytest.mark.parametrize(
    "options",
    [{}, {"num_layers": 2, "bidirectional": True}, {"batch_first": True}, {"bias": False}],
)
@pytest.mark.parametrize("split_gates", [False, True])
def test_an_observed_lstm_computes_what_the_float_one_does(options, split_gates):
    lstm, x = nn.LSTM(3, 4, **options).eval(), drawn(5, 2, 3)
    lstm.qconfig = get_default_qconfig("fbgemm")
    made = nn.quantizable.LSTM.from_float(lstm, split_gates=split_gates)
    wanted, got = lstm(x), made(x)
    close(wanted[0], got[0])
    for a, b in zip(wanted[1], got[1], strict=True):
        close(a, b)
    batch = 5 if options.get("batch_first") else 2
    count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    state = drawn(count, batch, 4, seed=2), drawn(count, batch, 4, seed=3)
    close(lstm(x, state)[0], made(x, state)[0])


def test_an_lstm_becomes_quantized():
    lstm, x = nn.LSTM(3, 4, num_layers=2, bidirectional=True), drawn(5, 2, 3)
    ready = calibrated(lstm, x)
    assert type(ready[0]) is nn.quantizable.LSTM
    done = quantization.convert(ready)
    assert type(done[0]) is nn.quantized.LSTM
    cell = done[0].layers[1].layer_bw.cell
    assert type(cell.igates) is nn.quantized.Linear
    assert type(cell.gates) is nn.quantized.QFunctional
    output, (hidden, memory) = done(quint8(5, 2, 3))
    assert output.shape == (5, 2, 8)
    assert hidden.shape == memory.shape == (4, 2, 4)
    error = output.dequantize().array - lstm(quint8(5, 2, 3).dequantize())[0].detach().numpy()
    assert abs(error).mean() < 0.02
    other = quantization.convert(calibrated(nn.LSTM(3, 4, 2, bidirectional=True), x))
    other.load_state_dict(done.state_dict())
    assert np.array_equal(other(quint8(5, 2, 3))[0].array, output.array)


def test_an_lstm_is_trained_with_rounding():
    model = nn.Sequential(nn.LSTM(3, 4))
    model.qconfig = get_default_qat_qconfig("fbgemm")
    ready = quantization.prepare_qat(model)
    ready(drawn(5, 2, 3))[0].sum().backward()
    cell = ready[0].layers[0].layer_fw.cell
    assert type(cell.igates) is nn.qat.Linear
    assert cell.igates.weight.grad is not None
    assert type(quantization.convert(ready.eval())[0]) is nn.quantized.LSTM


def test_a_cell_by_a_mapping_of_the_user():
    source = nn.LSTMCell(3, 4)
    source.qconfig = get_default_qconfig("fbgemm")
    cell = nn.quantizable.LSTMCell.from_float(source)
    x, state = drawn(2, 3), (drawn(2, 4), drawn(2, 4, seed=2))
    for a, b in zip(source(x, state), cell(x, state), strict=True):
        close(a, b)
    assert cell.igates.qconfig is source.qconfig


# It only multiplies by a number, so nothing passes through its observer, as in PyTorch.
@pytest.mark.filterwarnings("ignore:.*no data has passed through q_scaling_product")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"add_bias_kv": True, "add_zero_attn": True},
        {"kdim": 5, "vdim": 3},
        {"bias": False, "batch_first": True},
    ],
)
def test_attention_observed_and_quantized(options):
    attention = nn.MultiheadAttention(8, 2, **options).eval()
    for name in ("bias_k", "bias_v"):
        if getattr(attention, name) is not None:
            getattr(attention, name).array[...] = np.linspace(-1, 1, 8, dtype=np.float32)
    widths = 8, options.get("kdim", 8), options.get("vdim", 8)
    inputs = [drawn(4, 3, width, seed=k) for k, width in enumerate(widths)]
    ready = calibrated(attention, *inputs)
    assert type(ready[0]) is nn.quantizable.MultiheadAttention
    for a, b in zip(attention(*inputs), ready[0](*inputs), strict=True):
        close(a, b)
    done = quantization.convert(ready)[0]
    assert type(done) is nn.quantized.MultiheadAttention
    integers = [quint8(4, 3, width, seed=k) for k, width in enumerate(widths)]
    output, weights = done(*integers)
    wanted = attention(*(part.dequantize() for part in integers))
    assert abs(output.dequantize().array - wanted[0].detach().numpy()).max() < 0.1
    assert abs(weights.dequantize().array - wanted[1].detach().numpy()).max() < 0.05
    real = done.dequantize()
    assert abs(real(*inputs)[0].array - attention(*inputs)[0].array).max() < 0.05
    assert "in_proj_weight" not in dict(done.named_parameters())


def test_masks_leave_keys_out():
    attention, x = nn.MultiheadAttention(4, 2).eval(), drawn(3, 1, 4)
    mask = refquant.tensor([[False, True, True]] * 3)
    weights = attention(x, x, x, attn_mask=mask)[1]
    assert weights[0].tolist() == [[1, 0, 0]] * 3
    padding = refquant.tensor([[False, False, True]])
    weights = attention(x, x, x, key_padding_mask=padding)[1]
    assert weights[0, :, 2].tolist() == [0, 0, 0]
    added = refquant.tensor([[0.0, float("-inf"), float("-inf")]] * 3)
    assert attention(x, x, x, attn_mask=added)[1][0].tolist() == [[1, 0, 0]] * 3
    assert attention(x, x, x, need_weights=False)[1] is None
    assert attention(x, x, x, average_attn_weights=False)[1].shape == (1, 2, 3, 3)


def test_what_does_not_fit():
    lstm, attention = nn.quantizable.LSTM(3, 4), nn.MultiheadAttention(4, 2)
    with pytest.raises(errors.ShapeError, match="x"):
        lstm(drawn(5, 3))
    with pytest.raises(errors.ShapeError, match=r"hidden\[1\]"):
        lstm(drawn(5, 2, 3), (drawn(1, 2, 4), drawn(1, 1, 4)))
    with pytest.raises(errors.ShapeError, match="key"):
        attention(drawn(3, 1, 4), drawn(3, 1, 5), drawn(3, 1, 4))
    with pytest.raises(errors.ShapeError, match="attn_mask"):
        attention(*[drawn(3, 1, 4)] * 3, attn_mask=drawn(2, 2))
    with pytest.raises(errors.ArgumentError, match="num_heads"):
        nn.MultiheadAttention(4, 3)
    with pytest.raises(errors.ArgumentError, match="qconfig"):
        nn.quantizable.LSTM.from_float(nn.LSTM(3, 4))
    for kind, source in ((nn.quantizable.LSTM, lstm), (nn.quantizable.MultiheadAttention, lstm)):
        with pytest.raises(errors.NotSupportedError, match="convert"):
            kind.from_observed(source)
    with pytest.raises(errors.NotSupportedError, match="prepare"):
        nn.quantized.LSTM.from_float(nn.LSTM(3, 4))
