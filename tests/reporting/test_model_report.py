"""The report on any model: what it measures and writes, and what it rejects."""

import os

import numpy as np
import pytest

import refquant
from refquant import nn
from refquant.errors import ArgumentError, ArgumentTypeError, ShapeError
from refquant.quantization import (
    DeQuantStub,
    QuantStub,
    convert,
    fuse_modules,
    get_default_qconfig,
    prepare,
    quantize_dynamic,
)
from refquant.reporting import Layer, advice, compare, sqnr


class Net(nn.Module):
    """Convolution, sum, nesting and a linear layer."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = QuantStub(), DeQuantStub()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.sum = nn.quantized.FloatFunctional()
        self.head = nn.Linear(4 * 36, 3)

    def forward(self, x):
        x = self.first(self.quant(x))
        x = self.sum.add(x, self.second(x))
        return self.dequant(self.head(x.reshape(x.size(0), -1)))


class Sequence(nn.Module):
    """A model whose layer and whose output are tuples."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6)

    def forward(self, x):
        return self.lstm(x)


@pytest.fixture
def images():
    refquant.manual_seed(0)
    return [refquant.randn(4, 1, 6, 6) for _ in range(3)]


@pytest.fixture
def models(images):
    refquant.manual_seed(1)
    model = fuse_modules(Net().eval(), [["first.0", "first.1", "first.2"]])
    with refquant.engines.using("fbgemm"):
        model.qconfig = get_default_qconfig("fbgemm")
        prepared = prepare(model)
        for batch in images:
            prepared(batch)
        yield model, convert(prepared)


def test_one_call_writes_one_page(models, images, tmp_path):
    path = tmp_path / "report.html"
    found = refquant.report(*models, images, path, title="A <small> net")
    names = [layer.name for layer in found.layers]
    assert names == ["quant", "first.0", "second", "sum", "head"]
    text = path.read_text(encoding="utf-8")
    assert "A &lt;small&gt; net" in text
    assert all(name in text for name in names)
    assert text.count("<svg") == 1 + 5 + 3 + 3
    assert "http" not in text.replace("http://www.w3.org", "")
    assert os.listdir(tmp_path) == ["report.html"]


def test_local_errors_are_those_of_one_layer(models, images):
    model, quantized = models
    head = compare(model, quantized, images[:1]).layers[-1]
    seen = []
    handle = quantized.head.register_forward_hook(lambda m, x, y: seen.append((x[0], y)))
    quantized(images[0])
    handle.remove()
    ((given, output),) = seen
    with refquant.no_grad():
        expected = model.head(given.dequantize())
    assert head.local_sqnr == pytest.approx(sqnr(expected, output))
    assert head.local_sqnr > head.sqnr
    assert head.local_rms_error == pytest.approx(
        float(np.sqrt(np.mean((expected.numpy() - output.dequantize().numpy()) ** 2)))
    )


def test_sums_are_layers_too(models, images):
    layer = compare(*models, images).layers[3]
    assert (layer.name, layer.kind) == ("sum", "QFunctional")
    assert layer.local_sqnr > 30


def test_saturated_integers_are_counted(images):
    layer = Layer("x", "Quantize")
    x = refquant.tensor([-1.0, 0.0, 0.5, 9.0])
    q = refquant.quantize_per_tensor(x, 0.01, 0, refquant.quint8)
    layer.add(x.numpy(), q)
    assert (layer.saturated, layer.clipped) == (1, 2)
    assert layer.clipped_noise == pytest.approx(1 + (9 - 2.55) ** 2)


def test_layers_that_return_tuples(tmp_path):
    refquant.manual_seed(0)
    model = Sequence().eval()
    quantized = quantize_dynamic(model)
    found = refquant.report(model, quantized, [refquant.randn(7, 2, 5)], tmp_path / "r.html")
    (layer,) = found.layers
    assert (layer.name, layer.kind) == ("lstm", "LSTM")
    assert layer.sqnr == pytest.approx(found.sqnr)
    assert layer.local_sqnr == pytest.approx(layer.sqnr)


def test_pairs_generators_and_batches_of_another_form(models, images):
    plain = compare(*models, images)
    pairs = compare(*models, ((x, None) for x in images))
    keyed = compare(*models, [{"x": x} for x in images], run=lambda m, b: m(b["x"]))
    assert plain.layers[-1].noise == pairs.layers[-1].noise == keyed.layers[-1].noise


def test_a_module_that_is_called_twice_is_counted_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x):
            return self.linear(self.linear(x))

    model = Twice().eval()
    (layer,) = compare(model, quantize_dynamic(model), [refquant.randn(3, 4)]).layers
    assert layer.elements == 24


def test_models_are_left_as_they_were(models, images, tmp_path):
    model, quantized = models
    model.train()
    methods = dict(vars(quantized.sum))
    refquant.report(model, quantized, images, tmp_path / "r.html")
    assert model.training
    assert model.head.training
    assert vars(quantized.sum).keys() == methods.keys()
    assert not any(
        module._forward_hooks or module._forward_pre_hooks
        for each in models
        for module in each.modules()
    )


def test_the_comparison_is_a_table_in_a_notebook(models, images):
    found = compare(*models, images)
    assert "total SQNR dB" in repr(found)
    assert found._repr_html_().count("<tr>") == 6


# -- advice -------------------------------------------------------------------------------------


def layer_of(x, scale, zero_point=0, weight=None, quantized_weight=None):
    layer = Layer("fc", "Linear", weight=weight, quantized_weight=quantized_weight)
    tensor = refquant.tensor(x)
    q = refquant.quantize_per_tensor(tensor, scale, zero_point, refquant.quint8)
    layer.add(tensor.numpy(), q, tensor.numpy())
    return layer


def test_the_worst_layer_is_the_one_that_was_made_bad(models, images):
    model, quantized = models
    quantized.second.scale *= 30
    found = compare(model, quantized, images)
    assert found.worst()[0].name == "second"
    assert len(found.worst(2)) == 2


def test_clipping_is_named():
    assert advice(layer_of([0.5, 1.0, 9.0], 0.01)).startswith("Clipping: 1 of 3")


def test_a_range_that_is_too_wide_is_named():
    assert advice(layer_of([0.52, 1.04, 0.9], 1.0)).startswith("Range:")


def test_channels_of_different_width_are_named():
    weight = np.float32([[100.0, -90.0]] + [[0.3, 0.11]] * 5)
    q = refquant.quantize_per_tensor(refquant.tensor(weight), 0.8, 0, refquant.qint8)
    weight[0] = 0  # what remains are the weights that one scale for all destroys
    layer = layer_of([0.11, 0.2, 0.27], 0.3 / 255, weight=weight, quantized_weight=q)
    assert "MinMax" not in advice(layer)
    assert advice(layer).startswith("Weights:")


def test_a_layer_that_rounds_well_needs_nothing():
    x = np.linspace(0, 2.55, 1000, dtype=np.float32)
    assert "nothing to fix" in advice(layer_of(x, 0.01))


def test_errors_from_before_are_told_from_own_ones():
    x = np.append(np.linspace(0, 0.05, 1000), 2.55).astype(np.float32)
    q = refquant.quantize_per_tensor(refquant.tensor(x), 0.01, 0, refquant.quint8)
    layer = Layer("fc", "Linear")
    layer.add(np.where(x < 1, np.float32(0.5) - x, x), q, x)
    assert "layers before" in advice(layer)


# -- errors -------------------------------------------------------------------------------------


def test_a_model_that_cannot_be_fused_alike_is_rejected(models, images):
    model = Net().eval()
    model.first[1] = nn.Sigmoid()
    with pytest.raises(ArgumentError, match="fuse_modules"):
        compare(model, models[1], images)


def test_models_without_common_layers_are_rejected(images):
    with pytest.raises(ArgumentError, match="no such layer"):
        compare(nn.Identity(), nn.ReLU(), [refquant.randn(2)])


def test_what_is_no_model_is_rejected(models, images):
    with pytest.raises(ArgumentTypeError, match="quantized_model"):
        compare(models[0], None, images)


def test_layers_of_other_shapes_are_rejected():
    with pytest.raises(ShapeError, match="'0'"):
        compare(
            nn.Sequential(nn.Linear(4, 3)).eval(),
            quantize_dynamic(nn.Sequential(nn.Linear(4, 5)).eval()),
            [refquant.randn(2, 4)],
        )


@pytest.mark.parametrize("path", ["missing/report.html", "."])
def test_a_path_that_cannot_be_written_is_rejected_before_models_run(models, tmp_path, path):
    def batches():
        raise AssertionError("a model ran")
        yield

    with pytest.raises((OSError, ArgumentError), match="report"):
        refquant.report(*models, batches(), tmp_path / path)
    assert os.listdir(tmp_path) == []


def test_an_error_on_the_way_leaves_the_former_page(models, images, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("former")
    with pytest.raises(Exception, match=r"shape|channels|size"):
        refquant.report(*models, [*images, refquant.randn(4, 2, 6, 6)], path)
    assert path.read_text() == "former"
    assert not any(module._forward_hooks for module in models[1].modules())
