"""Sensitivity of layers, bits within a budget, and which layers to keep in float."""

import copy
import itertools

import numpy as np
import pytest

import refquant
from refquant import nn, quantization, reporting
from refquant.errors import ArgumentError


@pytest.fixture(scope="module")
def case():
    refquant.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 32),
        nn.ReLU(), nn.Linear(32, 5),
    )  # fmt: skip
    for _ in range(5):
        model(refquant.randn(32, 1, 6, 6))
    return model.eval(), [refquant.randn(32, 1, 6, 6) for _ in range(2)]


@pytest.fixture(scope="module")
def found(case):
    return reporting.sensitivity(*case, bits=(2, 8, 4))


def test_a_row_for_each_layer_and_a_column_for_each_number_of_bits(found):
    assert found.layers == ("0", "4", "6")
    assert found.bits == (8, 4, 2)
    assert found.weights == (72, 8 * 16 * 32, 160)
    ratios = found.decibels
    assert ((ratios[:, 0] - ratios[:, 1]) > 18).all()
    assert ((ratios[:, 1] - ratios[:, 2]) > 5).all()
    assert "2 bits" in repr(found)
    assert "<table" in found._repr_html_()


def test_the_error_is_that_of_the_model_with_one_weight_rounded(case, found):
    model, batches = case
    weight = model[6].weight.detach()
    scales = weight.abs().max(1)[0] / 7.5
    changed = copy.deepcopy(model)
    changed[6].weight = nn.Parameter(
        refquant.fake_quantize_per_channel_affine(
            weight, scales, refquant.zeros(5, dtype=refquant.int32), 0, -8, 7
        )
    )
    error = sum(((changed(x) - model(x)).detach().numpy() ** 2).sum() for x in batches)
    assert found.noise[2, 1] == pytest.approx(error, rel=1e-3)


def test_models_stay_and_activations_cost_more(case, found):
    model, batches = case
    before = copy.deepcopy(model.state_dict())
    both = reporting.sensitivity(model, batches, (8, 4, 2), activations=True)
    assert (both.noise[:, 1] > found.noise[:, 1]).all()
    for key, value in model.state_dict().items():
        assert np.array_equal(value.numpy(), before[key].numpy())
    assert not model[0]._forward_hooks


def test_bits_within_a_budget(found):
    most = found.bytes_of(dict.fromkeys(found.layers, 8))
    least = found.bytes_of(dict.fromkeys(found.layers, 2))
    choices = [
        dict(zip(found.layers, c, strict=True)) for c in itertools.product((8, 4, 2), repeat=3)
    ]
    ratios = []
    for budget in np.linspace(least, most, 9).astype(int).tolist():
        choice = found.within(budget)
        assert found.bytes_of(choice) <= budget
        best = max(found.predicted(c) for c in choices if found.bytes_of(c) <= budget)
        ratios.append(found.predicted(choice))
        assert ratios[-1] > best - 1.0
    assert ratios == sorted(ratios)
    assert found.within(most) == dict.fromkeys(found.layers, 8)
    with pytest.raises(ArgumentError, match="budget"):
        found.within(least - 1)
    with pytest.raises(ArgumentError, match="choice"):
        found.predicted({"0": 8})


def test_energies_of_errors_add_up(case, found):
    """What `within` and `predicted` count on."""
    model, batches = case
    changed = copy.deepcopy(model)
    for place in (0, 4, 6):
        weight = model[place].weight.detach()
        observer = quantization.PerChannelMinMaxObserver(
            0, refquant.qint8, refquant.per_channel_symmetric, quant_min=-8, quant_max=7
        )
        observer(weight)
        changed[place].weight = nn.Parameter(
            refquant.fake_quantize_per_channel_affine(
                weight, *observer.calculate_qparams(), 0, -8, 7
            )
        )
    error = sum(((changed(x) - model(x)).detach().numpy() ** 2).sum() for x in batches)
    measured = 10 * np.log10(found.signal / error)
    assert found.predicted(dict.fromkeys(found.layers, 4)) == pytest.approx(measured, abs=1.5)


@pytest.mark.parametrize(("model", "batches", "bits"), [
    (nn.ReLU(), [refquant.zeros(2)], (8,)),
    (nn.Linear(2, 2), [], (8,)),
    (nn.Linear(2, 2), [refquant.zeros(1, 2)], ()),
    (nn.Linear(2, 2), [refquant.zeros(1, 2)], (9,)),
])  # fmt: skip
def test_what_cannot_be_measured(model, batches, bits):
    with pytest.raises(ArgumentError):
        reporting.sensitivity(model, batches, bits)


@pytest.fixture(scope="module")
def pair(case):
    model = quantization.QuantWrapper(copy.deepcopy(case[0])).eval()
    # One channel a thousand times as wide as the others: a scale for all loses them.
    model.module[4].weight.array[0] *= 1000
    model.module[4].bias.array[0] *= 1000
    model.module[6].weight.array[:, 0] /= 1000
    names = [["module.0", "module.1", "module.2"], ["module.4", "module.5"]]
    fused = quantization.fuse_modules(model, names)
    fused.qconfig = quantization.default_qconfig
    prepared = quantization.prepare(fused)
    for x in case[1]:
        prepared(x)
    return model, fused, quantization.convert(prepared)


def test_layers_to_keep_in_float(case, pair):
    model, fused, quantized = pair
    gains = reporting.gains_in_float(fused, quantized, case[1])
    assert sorted(gains) == ["module.0", "module.4", "module.6"]
    assert list(gains.values()) == sorted(gains.values(), reverse=True)
    assert next(iter(gains)) == "module.4"
    assert reporting.gains_in_float(model, quantized, case[1]) == pytest.approx(gains, abs=0.01)


def test_a_model_that_was_not_fused_is_compared_as_the_fused_one(case, pair, tmp_path):
    model, fused, quantized = pair
    one, other = (reporting.compare(m, quantized, case[1]) for m in (fused, model))
    assert [layer.name for layer in one.layers] == [layer.name for layer in other.layers]
    assert other.sqnr == pytest.approx(one.sqnr, abs=0.01)
    refquant.report(model, quantized, iter(case[1]), tmp_path / "r.html", progress=False)
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Keep these in float" in text
    assert "module.4" in text.split("Keep these in float")[1].split("+ ")[0]
    assert isinstance(model.module[1], nn.BatchNorm2d)
