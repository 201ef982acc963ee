"""The quantized digits network, with its trained weights, gives the integers that PyTorch gives."""

import numpy as np
import pytest

import refquant
from refquant.demo import experiment

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def result():
    with refquant.engines.using("fbgemm"):
        return experiment.run(epochs=2, seed=0)


def rebuilt(torch, made, module):
    """Give a module of PyTorch the weights and output parameters of one of ours."""
    weight = module.weight()
    integers = torch.tensor(weight.array.copy())
    if weight.axis is None:
        packed = torch._make_per_tensor_quantized_tensor(integers, weight.scale, weight.zero_point)
    else:
        packed = torch._make_per_channel_quantized_tensor(
            integers, torch.tensor(weight.scale), torch.tensor(weight.zero_point), weight.axis
        )
    made.set_weight_bias(packed, torch.tensor(module.bias().detach().numpy().copy()))
    made.scale, made.zero_point = float(module.scale), int(module.zero_point)
    return made


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("form", ["per_tensor", "per_channel"])
def test_every_integer_of_every_layer_is_equal(torch, result, form):
    from torch.ao.nn import quantized
    from torch.ao.nn.intrinsic import quantized as fused

    model, compared = getattr(result, form), getattr(result, f"compared_{form}")
    torch.backends.quantized.engine = "fbgemm"
    pool = torch.nn.MaxPool2d(2)
    steps = {
        "conv1": rebuilt(torch, fused.ConvReLU2d(1, 16, 3, padding=1), model.conv1),
        "pool1": pool,
        "conv2": rebuilt(torch, fused.ConvReLU2d(16, 32, 3, padding=1), model.conv2),
        "pool2": pool,
        "fc1": rebuilt(torch, fused.LinearReLU(128, 64), model.fc1),
        "fc2": rebuilt(torch, quantized.Linear(64, 10), model.fc2),
    }
    pixels = torch.tensor(result.digits.test.pixels.numpy())
    x = torch.quantize_per_tensor(
        pixels, float(model.quant.scale), int(model.quant.zero_point), torch.quint8
    )
    expected = {"quant": x}
    for name, step in steps.items():
        x = expected[name] = step(x.reshape(len(x), -1) if name == "fc1" else x)
    assert [layer.name for layer in compared.layers] == list(expected)
    for layer, output in compared.quantized:
        np.testing.assert_array_equal(output.array, expected[layer.name].int_repr().numpy())
