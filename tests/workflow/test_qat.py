"""Modules for quantization-aware training: forward, gradients, statistics, conversion."""

import numpy as np
import pytest
from workflow.models import floats, normalization, qat, randomize, trained, types, values

import refquant
from refquant import engines, kernels, nn, quantization
from refquant.errors import ArgumentError, ArgumentTypeError, ShapeError

RECIPE = quantization.get_default_qat_qconfig("fbgemm")
NORMALIZED = [
    (nn.intrinsic.qat.ConvBn2d, floats(3, 2, 5, 5)),
    (nn.intrinsic.qat.ConvBnReLU2d, floats(3, 2, 5, 5)),
    (nn.intrinsic.qat.ConvBn3d, floats(3, 2, 4, 4, 4)),
    (nn.intrinsic.qat.ConvBnReLU3d, floats(3, 2, 4, 4, 4)),
]


@pytest.fixture(autouse=True, params=["fbgemm", "fbgemm-1.4"])
def release(request):
    """Every test under the workflow of PyTorch 2.13 and under that of 1.4."""
    with engines.using(request.param):
        yield request.param


def without_rounding(module):
    return module.apply(quantization.disable_fake_quant)


def float_pair(module):
    """The float modules that compute the same without rounding."""
    dims = module.weight.dim() - 2
    conv = (nn.Conv2d if dims == 2 else nn.Conv3d)(2, 4, 3, bias=False)
    norm = normalization(module)
    bn = (nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d)(4, eps=norm.eps)
    conv.weight, bn.weight, bn.bias = module.weight, norm.weight, norm.bias
    bn.running_mean = refquant.tensor(norm.running_mean.tolist())
    bn.running_var = refquant.tensor(norm.running_var.tolist())
    last = nn.ReLU() if "ReLU" in type(module).__name__ else nn.Identity()
    return nn.Sequential(conv, bn, last).train(module.training)


def normalized(kind):
    module = randomize(kind(2, 4, 3, qconfig=RECIPE), seed=5)
    normalization(module).weight.array[...] += 1
    return module


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("kind", "x"), NORMALIZED)
def test_without_rounding_it_is_convolution_and_normalization(kind, x, training):
    module = without_rounding(normalized(kind)).train(training)
    pair = float_pair(module)
    got, want = module(x), pair(x)
    np.testing.assert_allclose(values(got), values(want), rtol=1e-4, atol=1e-5)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        np.testing.assert_allclose(
            getattr(normalization(module), name).numpy(), getattr(pair[1], name).numpy(), rtol=1e-5
        )
    grads = []
    seed = floats(*got.shape, seed=8)
    for output in (got, want):
        for parameter in module.parameters():
            parameter.grad = None
        (output * seed).sum().backward()
        norm = normalization(module)
        grads.append([p.grad.numpy().copy() for p in (module.weight, norm.weight, norm.bias)])
    for ours, theirs in zip(*grads, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize(("kind", "x"), NORMALIZED)
def test_the_folded_weight_is_what_is_rounded(kind, x):
    module = normalized(kind).eval()
    seen = []
    module.weight_fake_quant.register_forward_hook(lambda m, i, o: seen.append(i[0]))
    module(x)
    norm = normalization(module)
    deviation = np.sqrt(norm.running_var.array + np.float32(norm.eps))
    factor = (norm.weight.array / deviation).reshape(-1, *[1] * (module.weight.dim() - 1))
    assert np.array_equal(seen[0].detach().numpy(), module.weight.array * factor)


def test_the_deviation_of_the_folded_weight_is_a_root_of_pytorch():
    module = nn.intrinsic.qat.ConvBn2d(1, 4096, 1, qconfig=RECIPE).eval()
    norm = normalization(module)
    module.weight.array[...], norm.weight.array[...] = 1, 1
    module.get_submodule("bn" if "bn" in module._modules else "").eps = 0.0
    variance = np.random.default_rng(3).uniform(0.25, 4, 4096).astype(np.float32)
    norm.running_var.array[...] = variance
    seen = []
    module.weight_fake_quant.register_forward_hook(lambda m, i, o: seen.append(i[0]))
    module(floats(1, 1, 1, 1))
    root = refquant.sqrt(refquant.from_numpy(variance)).numpy()
    assert (root != np.sqrt(variance)).any()
    assert np.array_equal(seen[0].detach().numpy().ravel(), np.float32(1) / root)


@pytest.mark.parametrize(("kind", "x"), NORMALIZED[:2])
def test_frozen_statistics_stay(kind, x):
    module = normalized(kind)
    assert module.freeze_bn_stats() is module
    before = normalization(module).running_mean.numpy().copy()
    frozen = values(without_rounding(module)(x))
    assert np.array_equal(normalization(module).running_mean.numpy(), before)
    assert np.array_equal(frozen, values(module.eval()(x)))
    module.train().update_bn_stats()(x)
    assert not np.array_equal(normalization(module).running_mean.numpy(), before)


def test_switches_for_apply():
    model = qat()
    model.apply(nn.intrinsic.qat.freeze_bn_stats)
    assert model.block.conv.freeze_bn
    assert "freeze_bn=True" in repr(model.block.conv)
    model.apply(nn.intrinsic.qat.update_bn_stats)
    assert not model.block.conv2.freeze_bn


def test_momentum_none_averages_all_batches():
    module = nn.intrinsic.qat.ConvBn2d(1, 1, 1, momentum=None, qconfig=RECIPE)
    module.weight.array[...], normalization(module).weight.array[...] = 1, 1
    without_rounding(module)
    for mean in (1.0, 3.0, 8.0):
        module(refquant.tensor([[[[mean - 1, mean + 1]]]]))
    assert normalization(module).running_mean.item() == pytest.approx(4.0)
    assert normalization(module).num_batches_tracked.item() == 3


@pytest.mark.parametrize("name", ["fbgemm", "fbgemm-1.4"])
def test_one_value_a_channel_is_rejected_in_training(name):
    with engines.using(name):
        module = nn.intrinsic.qat.ConvBn2d(2, 4, 3, qconfig=RECIPE)
    with pytest.raises(ShapeError, match="freeze_bn_stats"):
        module(floats(1, 2, 3, 3))
    counts = [v for k, v in module.state_dict().items() if k.endswith("num_batches_tracked")]
    assert [count.item() for count in counts] == [0]
    module.eval()(floats(1, 2, 3, 3))


PLAIN = [
    (nn.qat.Linear, (6, 4), nn.Linear(6, 4), floats(5, 6)),
    (nn.intrinsic.qat.LinearReLU, (6, 4), nn.Linear(6, 4), floats(5, 6)),
    (nn.qat.Conv2d, (2, 4, 3), nn.Conv2d(2, 4, 3), floats(2, 2, 5, 5)),
    (nn.intrinsic.qat.ConvReLU2d, (2, 4, 3), nn.Conv2d(2, 4, 3), floats(2, 2, 5, 5)),
]


@pytest.mark.parametrize(("kind", "arguments", "twin", "x"), PLAIN)
def test_plain_modules(kind, arguments, twin, x):
    module = quantization.prepare_qat(nn.Sequential(randomize(kind(*arguments, qconfig=RECIPE))))[0]
    module(x)
    rounded = values(module(x))
    step = module.activation_post_process.scale.item()
    assert np.abs(np.rint(rounded / step) - rounded / step).max() < 1e-3
    twin.weight, twin.bias = module.weight, module.bias
    plain = values(without_rounding(module)(x))
    want = values(twin(x))
    want = np.maximum(want, 0) if "ReLU" in kind.__name__ else want
    assert np.array_equal(plain, want)
    assert abs(rounded - plain).max() < 0.1 * abs(plain).max()
    module(x).sum().backward()
    assert module.weight.grad is not None
    assert module.bias.grad is not None


def test_from_float_shares_parameters():
    linear = nn.Linear(3, 2)
    linear.qconfig = RECIPE
    made = nn.qat.Linear.from_float(linear)
    assert made.weight is linear.weight
    assert made.qconfig is RECIPE
    other = quantization.default_qat_qconfig
    assert nn.qat.Linear.from_float(linear, other).qconfig is other
    pair = nn.intrinsic.ConvBn2d(nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2)).eval()
    made = nn.intrinsic.qat.ConvBn2d.from_float(pair, RECIPE)
    assert normalization(made).weight is pair[1].weight
    assert normalization(made).bias is pair[1].bias
    assert not made.training


def test_from_float_takes_a_bias_into_the_mean():
    conv, bn = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)
    pair = randomize(nn.intrinsic.ConvBn2d(conv, bn)).eval()
    made = without_rounding(nn.intrinsic.qat.ConvBn2d.from_float(pair, RECIPE))
    x = floats(2, 2, 5, 5)
    np.testing.assert_allclose(values(made(x)), values(pair(x)), rtol=1e-4, atol=1e-5)


def test_errors():
    for kind, arguments, _, _ in PLAIN:
        with pytest.raises(ArgumentError, match="get_default_qat_qconfig"):
            kind(*arguments)
    with pytest.raises(ArgumentError, match=r"exactly a refquant\.nn\.Linear"):
        nn.qat.Linear.from_float(nn.Conv2d(1, 1, 1), RECIPE)
    with pytest.raises(ArgumentError, match="qconfig"):
        nn.qat.Linear.from_float(nn.Linear(1, 1))
    with pytest.raises(ArgumentTypeError, match="activation and weight"):
        nn.qat.Linear(1, 1, qconfig=quantization.QConfigDynamic(RECIPE.weight))
    with pytest.raises(AttributeError, match=r"write refquant\.nn\.intrinsic\.qat\.LinearReLU"):
        _ = nn.qat.LinearReLU


def test_types_after_prepare_qat(release):
    model = qat()
    assert types(model.block.conv).split()[0] == "ConvBnReLU2d"
    assert type(model.block.conv) is nn.intrinsic.qat.ConvBnReLU2d
    assert type(model.block.conv2) is nn.intrinsic.qat.ConvBn2d
    assert type(model.fc) is nn.intrinsic.qat.LinearReLU
    assert type(model.last) is nn.qat.Linear
    hooks = [m._forward_hooks for m in model.modules() if hasattr(m, "weight_fake_quant")]
    assert [len(h) for h in hooks] == [release == "fbgemm"] * 4
    assert model.fc.weight_fake_quant.path == "fc.weight"
    assert model.fc.activation_post_process.path == "fc"
    assert model.block.sum.activation_post_process.path == "block.sum"


def test_training_lets_the_loss_fall():
    model, losses = trained(steps=30)
    assert losses[-1] < 0.8 * losses[0]
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("bits", [8, 4])
def test_the_converted_layer_has_the_weights_of_training(bits):
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    weight = quantization.default_per_channel_weight_fake_quant.with_args(
        quant_min=low, quant_max=high
    )
    model, _ = trained(quantization.QConfig(RECIPE.activation, weight))
    model.eval()
    model(floats(4, 3, 8, 8))
    done = quantization.convert(model)
    for before, after in ((model.last, done.last), (model.block.conv2, done.block.conv2)):
        folded = before.weight.array
        if hasattr(before, "freeze_bn"):
            bias = np.zeros(6, np.float32) if before.bias is None else before.bias.array
            mean, variance, *rest = before.normalization()
            folded, shift = kernels.fold_batch_norm(
                folded.reshape(6, -1), bias, mean, variance, *rest
            )
            assert np.array_equal(after.bias().array, shift)
        q = after.weight()
        assert q.array.min() >= low
        assert q.array.max() <= high
        rounding = before.weight_fake_quant
        if before.workflow.observes_trained_weights:
            rounding.activation_post_process(refquant.tensor(folded.reshape(before.weight.shape)))
        scales = rounding.calculate_qparams()[0].array.astype(np.float64)
        assert np.array_equal(q.scale, scales)
        steps = folded.reshape(len(scales), -1) / scales[:, None]
        exact = np.clip(np.rint(steps), low, high)
        assert (q.array.reshape(exact.shape) == exact).mean() > 0.99


def test_quantize_qat():
    model = quantization.QuantWrapper(nn.Sequential(nn.Linear(4, 3), nn.ReLU()))
    model.qconfig = RECIPE
    run = []
    done = quantization.quantize_qat(model.eval(), lambda m: run.append(m(floats(5, 4))), [])
    assert type(done.module[0]) is nn.quantized.Linear
    assert len(run) == 1
    assert type(model.module[0]) is nn.Linear
    assert quantization.quantize_qat(model, lambda m: m(floats(5, 4)), [], inplace=True) is model
    assert type(model.module[0]) is nn.quantized.Linear
