"""Quantized linear layers and convolutions as modules: weights, state, copies, conversion."""

import copy

import numpy as np
import pytest

import refquant
from refquant import nn
from refquant import quantization as Q

MAKE = {
    "linear": lambda: nn.quantized.Linear(6, 4),
    "linear without bias": lambda: nn.quantized.Linear(6, 4, bias_=False),
    "linear with relu": lambda: nn.intrinsic.quantized.LinearReLU(6, 4),
    "conv2d": lambda: nn.quantized.Conv2d(6, 4, 3, padding=1),
    "conv2d with relu": lambda: nn.intrinsic.quantized.ConvReLU2d(
        6, 4, (1, 2), groups=2, bias=False
    ),
    "conv3d": lambda: nn.quantized.Conv3d(6, 4, 1),
    "conv3d with relu": lambda: nn.intrinsic.quantized.ConvReLU3d(6, 4, 1),
    "conv1d": lambda: nn.quantized.Conv1d(6, 4, 2, dilation=2),
    "transposed 1d": lambda: nn.quantized.ConvTranspose1d(6, 4, 3, 2, groups=2),
    "transposed 2d": lambda: nn.quantized.ConvTranspose2d(6, 4, (3, 1), bias=False),
    "transposed 3d": lambda: nn.quantized.ConvTranspose3d(6, 4, 2, padding=1),
    "dynamic": lambda: nn.quantized.dynamic.Linear(6, 4),
    "float16": lambda: nn.quantized.dynamic.Linear(6, 4, dtype=refquant.float16),
}
each = pytest.mark.parametrize("name", MAKE)


def filled(name, seed=0):
    """Make a module with a random weight and bias."""
    module, rng = MAKE[name](), np.random.default_rng(seed)
    shape = tuple(module.weight().shape)
    if module.weight().is_quantized:
        integers = rng.integers(-128, 128, shape, dtype=np.int8)
        weight = refquant.QuantizedTensor(integers, refquant.qint8, 0.25, 0)
    else:
        weight = refquant.from_numpy(rng.normal(size=shape).astype(np.float32))
    bias = module.bias()
    if bias is not None:
        bias = refquant.from_numpy(rng.normal(size=bias.shape).astype(np.float32))
    module.set_weight_bias(weight, bias)
    module.scale, module.zero_point = 2.5, 100
    return module


def sample(module):
    rng = np.random.default_rng(1)
    shape = (3, 6, *(4,) * (module.weight().dim() - 2))
    if isinstance(module, nn.quantized.dynamic.Linear):
        return refquant.from_numpy(rng.normal(size=shape).astype(np.float32))
    return refquant.QuantizedTensor(
        rng.integers(0, 256, shape, dtype=np.uint8), refquant.quint8, 0.1, 128
    )


def values(tensor):
    return tensor.array.tolist()


@each
def test_a_fresh_module_has_a_weight_of_zeros(name):
    module = MAKE[name]()
    assert not module.weight().array.any()
    assert (module.scale, module.zero_point) == (1.0, 0)
    assert module.bias() is None or not module.bias().array.any()
    y = module(sample(module))
    assert y.shape[1] == 4
    assert not y.array.any()


@each
def test_a_state_loads_into_a_fresh_module(name):
    module, fresh = filled(name), MAKE[name]()
    assert fresh.load_state_dict(module.state_dict()) == ([], [])
    x = sample(module)
    assert values(fresh(x)) == values(module(x))
    assert (fresh.scale, fresh.zero_point) == (2.5, 100)


@each
def test_copies_share_nothing_that_can_change(name):
    module = filled(name)
    x = sample(module)
    before = values(module(x))
    twin = copy.deepcopy(module)
    twin.set_weight_bias(filled(name, seed=7).weight(), module.bias())
    module.weight().array[...] = 1  # a copy, too
    assert values(module(x)) == before
    assert values(twin(x)) != before


def test_keys_of_states():
    assert list(filled("conv2d").state_dict()) == ["weight", "scale", "zero_point", "bias"]
    keys = ["scale", "zero_point", "_packed_params.weight", "_packed_params.bias"]
    assert list(filled("linear").state_dict()) == keys
    assert list(filled("dynamic").state_dict()) == keys


def test_states_of_other_layouts_load():
    """Of PyTorch 2.13, and of the first version of 1.4's Linear."""
    module = filled("linear")
    weight, bias = module.weight(), module.bias()
    scale, zero_point = refquant.tensor(0.5), refquant.tensor(7)
    new = {
        "scale": scale, "zero_point": zero_point, "_packed_params.dtype": refquant.qint8,
        "_packed_params._packed_params": (weight, bias),
    }  # fmt: skip
    old = {"scale": scale, "zero_point": zero_point, "weight": weight, "bias": bias}
    for state in (new, old):
        fresh = nn.quantized.Linear(6, 4)
        fresh.load_state_dict(state)
        assert values(fresh.weight()) == values(weight)
        assert (fresh.scale, fresh.zero_point) == (0.5, 7)


def test_reprs_are_the_documented_ones():
    assert repr(nn.quantized.Conv2d(4, 6, 3, padding=1, dilation=2, groups=2, bias=False)) == (
        "QuantizedConv2d(4, 6, kernel_size=(3, 3), stride=(1, 1), scale=1.0, zero_point=0, "
        "padding=(1, 1), dilation=(2, 2), groups=2, bias=False)"
    )
    assert repr(nn.intrinsic.quantized.LinearReLU(3, 4)) == (
        "QuantizedLinearReLU(in_features=3, out_features=4, scale=1.0, zero_point=0, "
        "qscheme=refquant.per_tensor_affine)"
    )
    assert repr(nn.quantized.dynamic.Linear(3, 4)) == (
        "DynamicQuantizedLinear(in_features=3, out_features=4, dtype=refquant.qint8, "
        "qscheme=refquant.per_tensor_affine)"
    )


def calibrated(module, x):
    module.eval()
    module.qconfig = Q.get_default_qconfig("fbgemm")
    prepared = Q.prepare(nn.Sequential(module), inplace=False)
    prepared(x)
    return prepared[0]


@pytest.mark.parametrize("bias", [True, False])
def test_from_float_quantizes_what_the_observers_chose(bias):
    x = refquant.randn(8, 6)
    module = calibrated(nn.Linear(6, 4, bias=bias), x)
    made = nn.quantized.Linear.from_float(module)
    scale, zero_point = module.activation_post_process.calculate_qparams()
    assert (made.scale, made.zero_point) == (float(scale), int(zero_point))
    assert made.weight().axis == 0
    worst = np.abs(made.weight().dequantize().array - module.weight.array)
    steps = made.weight().q_per_channel_scales().array
    assert (worst <= steps[:, None] * 0.501).all()
    assert (made.bias() is None) is (not bias)


def test_weights_are_clamped_to_the_range_of_their_observer():
    """Four bits: integers of -8..7 although the dtype holds more."""
    refquant.manual_seed(0)
    module = nn.Linear(6, 4)
    weight = Q.MinMaxObserver.with_args(
        dtype=refquant.qint8, qscheme=refquant.per_tensor_symmetric, quant_min=-8, quant_max=7
    )
    module.qconfig = Q.QConfig(activation=Q.default_observer, weight=weight)
    prepared = Q.prepare(nn.Sequential(module))
    prepared(refquant.randn(3, 6))
    integers = nn.quantized.Linear.from_float(prepared[0]).weight().array
    assert integers.min() >= -8
    # The largest weight is half a step beyond 7, or with the last bit of the scale just below it.
    assert integers.max() == 7 or integers.min() <= -7


def test_normalization_is_folded_when_a_trained_module_is_converted():
    fused = nn.intrinsic.ConvBn2d(nn.Conv2d(2, 3, 1, bias=False), nn.BatchNorm2d(3)).train()
    fused.qconfig = Q.get_default_qat_qconfig("fbgemm")
    trained = nn.intrinsic.qat.ConvBn2d.from_float(fused)
    trained.bn.running_mean.array[:] = [1, 2, 3]
    trained.bn.running_var.array[:] = [4, 1, 9]
    trained.activation_post_process = fused.qconfig.activation()
    trained.activation_post_process(trained.eval()(refquant.randn(2, 2, 5, 5)))
    made = nn.quantized.Conv2d.from_float(trained)
    gain = trained.bn.weight.array / np.sqrt(
        trained.bn.running_var.array + np.float32(trained.bn.eps)
    )
    wanted = trained.weight.array * gain[:, None, None, None]
    assert np.abs(made.weight().dequantize().array - wanted).max() < 0.01
    bias = trained.bn.bias.array - trained.bn.running_mean.array * gain
    np.testing.assert_allclose(made.bias().array, bias, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [refquant.qint8, refquant.float16])
def test_dynamic_layers_are_made_without_data(dtype):
    module = nn.Linear(6, 4)
    module.qconfig = Q.float16_dynamic_qconfig if dtype is refquant.float16 else None
    made = nn.quantized.dynamic.Linear.from_float(module)
    x = refquant.randn(5, 6)
    assert np.abs(made(x).array - module(x).array).max() < 0.1


def test_dynamic_layers_run_under_qnnpack_without_a_warning():
    with refquant.engines.using("qnnpack"):
        module = nn.quantized.dynamic.Linear(6, 4)
        assert module(refquant.randn(2, 6)).shape == (2, 4)
