"""summary and get_observer_dict: what they report on a model at each stage."""

import pytest
from workflow.models import calibrated, converted, floats, net, prepared, trained

import refquant
from refquant import nn, quantization
from refquant.errors import ArgumentTypeError


def test_float_model():
    table = quantization.summary(net())
    assert table["last"].bits == 32
    assert table["last"].scheme == "float32"
    assert table["last"].bytes == 4 * (10 * 4 + 4)
    assert table["quant"].bits is None
    assert table.bytes == sum(t.array.nbytes for t in (*net().parameters(), *net().buffers()))


def test_calibrated_model():
    empty = quantization.summary(prepared())
    assert empty["last"].observer == "MinMaxObserver (no data)"
    assert empty["last"].scale is None
    model = calibrated()
    row = quantization.summary(model)["last"]
    scale, zero_point = model.last.activation_post_process.calculate_qparams()
    assert row.scale == scale.item()
    assert row.zero_point == zero_point.item()
    assert row.observer.startswith("MinMaxObserver -")
    assert len(quantization.summary(model)) < len(list(model.modules()))


def test_model_in_training():
    row = quantization.summary(trained()[0])["block.conv2"]
    assert (row.bits, row.scheme) == (8, "per_channel_symmetric")
    assert row.observer.startswith("FusedMovingAvgObsFakeQuantize ")
    four = quantization.default_weight_fake_quant.with_args(quant_min=-8, quant_max=7)
    recipe = quantization.QConfig(quantization.default_fake_quant, four)
    assert quantization.summary(trained(recipe)[0])["last"].bits == 4


def test_converted_model():
    model = converted(quantization.default_per_channel_qconfig)
    table = quantization.summary(model)
    row = table["fc"]
    assert (row.type, row.bits, row.scheme) == ("LinearReLU", 8, "per_channel_affine")
    assert (row.scale, row.zero_point) == (model.fc.scale, model.fc.zero_point)
    # integers, float32 bias, a scale and zero point of 8 bytes a channel, those of the output
    assert row.bytes == 2160 + 40 + 160 + 12
    assert table["quant"].scale == model.quant.scale.item()
    assert table["block.sum"].bits == 8
    assert table.bytes < 0.4 * quantization.summary(net()).bytes
    with pytest.raises(KeyError):
        table["fc._packed_params"]


def test_dynamic_model():
    table = quantization.summary(quantization.quantize_dynamic(net()))
    assert (table["fc"].bits, table["fc"].scheme) == (8, "per_tensor_affine")


def test_text_and_html():
    table = quantization.summary(converted())
    lines = repr(table).splitlines()
    assert lines[0].split() == [
        "module", "type", "bits", "scheme", "scale", "zero", "point", "observer", "bytes",
    ]  # fmt: skip
    assert len(lines) == len(table) + 4
    assert max(map(len, lines)) == len(lines[1])
    assert lines[-1].split() == ["total", f"{table.bytes:,}"]
    html = table._repr_html_()
    assert html.count("<tr>") == len(table) + 2
    assert "<td>block.sum</td>" in html
    assert next(row.module for row in table) == "(model)"


def test_observers_by_name():
    model = quantization.prepare(nn.Sequential(nn.ReLU6()), {"": quantization.default_qconfig})
    model(floats(3))
    found = {}
    quantization.get_observer_dict(model, found, "net")
    assert list(found) == ["net.0.activation_post_process"]
    assert found["net.0.activation_post_process"].max_val is not None
    alone = {}
    quantization.get_observer_dict(model[0], alone)
    assert list(alone) == ["activation_post_process"]


def test_only_modules():
    with pytest.raises(ArgumentTypeError, match=r"refquant\.nn\.Module"):
        quantization.summary([1])


def test_dynamic_layers_have_bits_but_no_scale_of_their_output():
    model = quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 3)))
    lstm = quantization.quantize_dynamic(nn.Sequential(nn.LSTM(3, 2)), dtype=refquant.float16)
    row, other = quantization.summary(model)["0"], quantization.summary(lstm)["0"]
    assert (row.bits, row.scheme, row.scale, row.zero_point) == (8, "per_tensor_affine", None, None)
    assert (other.bits, other.scheme, other.scale) == (16, "float16", None)
