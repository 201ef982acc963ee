"""Bias correction: means before the ReLU, beside those of the float layers."""

import numpy as np
import pytest

import refquant
from refquant import errors, nn, quantization
from refquant.ptq import bias_correction, equalize
from refquant.quantization import correct_bias

COARSE = quantization.MinMaxObserver.with_args(dtype=refquant.qint8, quant_min=-4, quant_max=3)


def of(net, names, x):
    """Return a float model with fused layers, and what is made of it with weights of 3 bits."""
    model = quantization.QuantWrapper(net).eval()
    if names:
        model = quantization.fuse_modules(model, names)
    model.qconfig = quantization.QConfig(quantization.default_observer, COARSE)
    return model, quantization.quantize(model, lambda model, data: model(data), [x])


def network():
    refquant.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 4, (3, 2), groups=2, bias=False),
        nn.ReLU(),
        nn.Conv2d(4, 4, 1),
        nn.Flatten(),
        nn.Linear(48, 5),
    )
    x = refquant.rand(64, 2, 9, 9)
    return of(net, [["module.0", "module.1"], ["module.2", "module.3"]], x), x


def before_relu(float_model, quantized, index, x):
    """Return outputs of a float layer, and of one with the quantized weight, on their inputs."""
    outputs = []
    for model in (float_model, quantized):
        layer = float_model.module[index]
        layer = next(layer.children(), layer)
        y = model.quant(x)
        for part in range(index):
            y = model.module[part](y)
        if model is quantized:
            module, y = quantized.module[index], y.dequantize()
            weight, bias = module.weight().dequantize(), module.bias()
        else:
            weight, bias = layer.weight, layer.bias
        if isinstance(layer, nn.Linear):
            made = nn.functional.linear(y, weight, bias)
        else:
            made = nn.functional.conv2d(
                y, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups
            )
        outputs.append(np.moveaxis(made.detach().numpy(), 1, -1))
    return outputs


@pytest.mark.parametrize("index", [0, 2, 4, 6])
def test_means_before_the_relu_become_those_of_the_float_layers(index):
    (model, quantized), x = network()
    bias_before = quantized.module[6].bias().detach().numpy().copy()
    corrected = bias_correction(model, quantized, [x[:32], x[32:]])
    errors_of = []
    for made in (quantized, corrected):
        wanted, got = before_relu(model, made, index, x)
        axes = tuple(range(got.ndim - 1))
        errors_of.append(np.abs(got.mean(axis=axes) - wanted.mean(axis=axes)).max())
    assert errors_of[1] < 1e-5 < 1e-3 < errors_of[0]
    assert np.array_equal(quantized.module[6].bias().detach().numpy(), bias_before)


def test_the_shift_is_the_rounding_of_the_weight_times_the_mean_input():
    refquant.manual_seed(1)
    x = refquant.rand(50, 6)
    model, quantized = of(nn.Sequential(nn.Linear(6, 3)), [], x)
    inputs = quantized.quant(x).dequantize().numpy()
    weight = model.module[0].weight.detach().numpy()
    rounded = quantized.module[0].weight().dequantize().numpy()
    shift = rounded @ inputs.mean(axis=0) - weight @ x.numpy().mean(axis=0)
    corrected = bias_correction(model, quantized, [x])
    found = quantized.module[0].bias() - corrected.module[0].bias()
    np.testing.assert_allclose(found.detach().numpy(), shift, atol=1e-6)


def test_layers_without_a_relu_are_corrected_nearly_as_by_comparing_outputs():
    """These are rounded as well: up to half a step."""
    refquant.manual_seed(2)
    x = refquant.rand(200, 6)
    model, quantized = of(nn.Sequential(nn.Linear(6, 3)), [], x)
    corrected = bias_correction(model, quantized, [x])
    step = quantized.module[0].scale
    correct_bias.bias_correction(model, quantized, [(x,)])
    other = quantized.module[0].orig_module.bias()
    difference = (corrected.module[0].bias() - other).abs().max().item()
    assert difference < step / 4


def test_outputs_come_closer_than_without():
    (model, quantized), x = network()
    exact = model(x).detach().numpy()
    squares = [
        np.mean((made(x).detach().numpy() - exact) ** 2)
        for made in (quantized, bias_correction(model, quantized, [(x, None)]))
    ]
    assert squares[1] < 0.8 * squares[0]


def test_equalize_is_that_of_the_quantization_package():
    assert equalize is quantization.equalize.equalize


def test_weights_that_never_settle():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    assert equalize(model, []) is model
    for threshold in (0, -1, float("nan")):
        with pytest.raises(errors.ArgumentError, match="threshold"):
            equalize(model, [["0", "2"]], threshold)
    model[2].weight.array[0, 0] = np.nan
    with pytest.raises(errors.OperationError, match="settle"):
        equalize(model, [["0", "2"]])


def test_models_without_such_layers():
    model = nn.Sequential(nn.ReLU()).eval()
    with pytest.raises(errors.ArgumentError, match="quantized_model"):
        bias_correction(model, model, [refquant.zeros(1)])
    with pytest.raises(errors.ArgumentTypeError, match="float_model"):
        bias_correction(3, model, [])
