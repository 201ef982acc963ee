"""Layer by layer: what is compared with what."""

import math

import numpy as np
import pytest

import refquant
from refquant import nn
from refquant.errors import ArgumentError
from refquant.quantization import (
    DeQuantStub,
    QuantStub,
    convert,
    default_qconfig,
    fuse_modules,
    prepare,
    quantize_dynamic,
)
from refquant.reporting import compare, sqnr


def both(*layers, batch):
    """Build a float model and its static form."""
    model = nn.Sequential(QuantStub(), *layers, DeQuantStub())
    model.eval()
    model.qconfig = default_qconfig
    prepared = prepare(model)
    prepared(batch)
    return model, convert(prepared)


@pytest.fixture
def batch():
    refquant.manual_seed(0)
    with refquant.engines.using("fbgemm"):
        yield refquant.randn(16, 8)


def test_layers_come_in_the_order_of_their_run(batch):
    model, quantized = both(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2), batch=batch)
    found = compare(model, quantized, [batch]).layers
    assert [layer.name for layer in found] == ["0", "1", "2", "3"]
    assert [layer.kind for layer in found] == ["Quantize", "Linear", "ReLU", "Linear"]
    assert [layer.quantized_weight is None for layer in found] == [True, False, True, False]


def test_numbers_are_those_of_the_outputs(batch):
    model, quantized = both(nn.Linear(8, 4), batch=batch)
    compared = compare(model, quantized, [batch])
    layer = compared.layers[-1]
    with refquant.no_grad():
        expected, found = model(batch), quantized(batch)
    assert layer.sqnr == pytest.approx(sqnr(expected, found))
    assert compared.sqnr == pytest.approx(layer.sqnr)
    assert layer.output.dequantize().tolist() == found.tolist()
    assert layer.elements == 64
    assert np.array_equal(layer.sample, expected.numpy().ravel())
    assert layer.weight_sqnr == pytest.approx(sqnr(model[1].weight, quantized[1].weight()))


def test_batches_add_up(batch):
    model, quantized = both(nn.Linear(8, 4), batch=batch)
    whole = compare(model, quantized, [batch]).layers[-1]
    halves = compare(model, quantized, iter([batch[:8], batch[8:]])).layers[-1]
    assert (halves.elements, halves.clipped) == (whole.elements, whole.clipped)
    assert halves.sqnr == pytest.approx(whole.sqnr)
    assert np.array_equal(halves.sample, whole.sample)


def test_clipped_values_are_counted(batch):
    model, quantized = both(nn.Linear(8, 4), batch=batch)
    stub = compare(model, quantized, [batch * 3]).layers[0]
    assert stub.name == "0"
    low = (0 - stub.output.zero_point - 0.5) * stub.output.scale
    high = (255 - stub.output.zero_point + 0.5) * stub.output.scale
    values = (batch * 3).numpy()
    assert stub.clipped == np.count_nonzero((values < low) | (values > high)) > 0


def test_a_fused_pair_is_one_layer(batch):
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU())
    model.eval()
    model = fuse_modules(model, ["0", "1"])
    model, quantized = both(model, batch=batch)
    found = compare(model, quantized, [batch]).layers
    assert [(layer.name, layer.kind) for layer in found] == [
        ("0", "Quantize"),
        ("1.0", "LinearReLU"),
    ]
    assert found[1].weight.shape == (4, 8)


def test_modules_that_work_in_place_do_not_change_what_was_seen(batch):
    model, quantized = both(nn.Linear(8, 4), nn.ReLU(inplace=True), batch=batch)
    linear = compare(model, quantized, [batch]).layers[1]
    assert linear.sample.min() < 0
    assert linear.sqnr > 20


def test_dynamic_layers_have_a_weight_and_no_scale(batch):
    model = nn.Sequential(nn.Linear(8, 4))
    model.eval()
    (layer,) = compare(model, quantize_dynamic(model), [batch]).layers
    assert layer.output is None
    assert layer.weight_sqnr > 30
    assert math.isfinite(layer.sqnr)


def test_the_models_keep_no_hooks(batch):
    model, quantized = both(nn.Linear(8, 4), batch=batch)
    compare(model, quantized, [batch])
    assert not any(module._forward_hooks for module in [*model.modules(), *quantized.modules()])


def test_nothing_to_run_is_an_error():
    with pytest.raises(ArgumentError, match="batches"):
        compare(nn.Identity(), nn.Identity(), [])
