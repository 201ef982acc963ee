"""An engine that only definitions know: operations, modules, models.

Scales are powers of two, so that the expected numbers are exact in float64.
"""

import numpy as np
import pytest
from engines import own_engine
from workflow import models

import refquant
from refquant import engines, kernels, nn, quantization
from refquant.errors import EngineError
from refquant.nn.quantized import functional as F

ops = refquant.ops.quantized
rng = np.random.default_rng


@pytest.fixture(autouse=True)
def _truncating():
    engines.register(own_engine.record())
    with engines.using("truncating"):
        yield
    engines.unregister("truncating")


def image(shape=(2, 17, 5, 6), zero_point=7, seed=0, channels_last=False):
    q = rng(seed).integers(0, 256, shape, dtype=np.uint8)
    if channels_last:
        q = np.ascontiguousarray(np.moveaxis(q, 1, -1)).transpose(0, 3, 1, 2)
    return refquant.tensors.QuantizedTensor(q, refquant.quint8, 0.25, zero_point)


def weight(shape, seed=1, per_channel=False):
    q = rng(seed).integers(-128, 128, shape, dtype=np.int8)
    if per_channel:
        scales = np.float64(2.0) ** -rng(seed).integers(3, 6, shape[0])
        zeros = np.zeros(shape[0], np.int64)
        return refquant.tensors.QuantizedTensor(q, refquant.qint8, scales, zeros, axis=0)
    return refquant.tensors.QuantizedTensor(q, refquant.qint8, 0.125, 0)


def real(q):
    """Exact real numbers."""
    scale, zero = q.scale, q.zero_point
    if q.axis is not None:
        shape = (-1,) + (1,) * (q.array.ndim - 1)
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return (q.array.astype(np.float64) - zero) * scale


def truncated(x, scale, zero_point, lower=0, upper=255):
    return np.clip(np.trunc(x / scale) + zero_point, lower, upper)


def same(q, expected):
    got = q.int_repr().array
    assert got.shape == expected.shape
    assert np.array_equal(got.astype(np.float64), expected)


def test_no_rule_that_rounds_is_left():
    made = engines.get("truncating")
    assert not kernels.knows(made)
    for step in own_engine.STEPS:
        assert not set(made.rules_of(step)) & set(engines.get("fbgemm").rules)


def test_definitions_run_while_it_is_chosen_and_kernels_afterwards():
    chosen, x = kernels.current(), refquant.tensor([0.99])
    assert kernels.running() == kernels.REFERENCE
    with engines.using("fbgemm"):
        assert kernels.running() == chosen
    assert kernels.running() == kernels.REFERENCE
    same(refquant.quantize_per_tensor(x, 0.5, 0, refquant.quint8), np.array([1.0]))


@pytest.mark.parametrize("choice", kernels.available())
def test_choosing_kernels_keeps_the_definitions(choice):
    with kernels.using(choice):
        same(refquant.quantize_per_tensor(refquant.tensor([0.99]), 0.5, 0, refquant.quint8),
             np.array([1.0]))  # fmt: skip


@pytest.mark.parametrize("dtype", [refquant.quint8, refquant.qint8, refquant.qint32], ids=str)
def test_quantize_and_dequantize(dtype):
    x = models.floats(5, 13, spread=9.0)
    q = refquant.quantize_per_tensor(x, 0.25, 3, dtype)
    same(q, truncated(x.numpy().astype(np.float64), 0.25, 3, dtype.quant_min, dtype.quant_max))
    assert np.array_equal(q.dequantize().numpy(), real(q))
    scales, zeros = refquant.tensor([0.5, 0.25, 0.125, 1.0, 2.0]), refquant.tensor([0, 1, 2, 3, 4])
    q = refquant.quantize_per_channel(x, scales, zeros, 0, dtype)
    s, z = scales.numpy()[:, None].astype(np.float64), zeros.numpy()[:, None]
    same(q, truncated(x.numpy().astype(np.float64), s, z, dtype.quant_min, dtype.quant_max))
    assert np.array_equal(q.dequantize().numpy(), (q.int_repr().numpy() - z) * s)


def test_copy_of_real_numbers():
    q = image(shape=(3, 5))
    x = models.floats(3, 5, spread=9.0)
    q.copy_(x)
    same(q, truncated(x.numpy().astype(np.float64), 0.25, 7))


@pytest.mark.parametrize("channels_last", [False, True])
def test_element_wise(channels_last):
    a, b = (image(seed=s, zero_point=z, channels_last=channels_last) for s, z in ((0, 90), (1, 99)))
    x, y = real(a), real(b)
    same(ops.add(a, b, 0.5, 100), truncated(x + y, 0.5, 100))
    same(ops.add_relu(a, b, 0.5, 100), truncated(np.maximum(x + y, 0), 0.5, 100))
    same(ops.mul(a, b, 16.0, 100), truncated(x * y, 16.0, 100))
    same(ops.mul_relu(a, b, 16.0, 100), truncated(np.maximum(x * y, 0), 16.0, 100))
    moved = ops.add_scalar(a, 100.0)
    offset = 400 - 90
    expected = truncated((a.array.astype(np.float64) + offset) * 0.25, np.float32(moved.scale), 0)
    assert moved.zero_point == 0
    assert np.abs(moved.array - expected).max() <= 1  # the new scale is no power of two
    same(ops.relu6(a), np.clip(a.array.astype(np.float64), 90, 90 + 24))
    parts = [a, b]
    same(ops.cat(parts, 1, 0.5, 60), truncated(np.concatenate([x, y], 1), 0.5, 60))
    same(ops.cat(parts, 2, 0.5, 60), truncated(np.concatenate([x, y], 2), 0.5, 60))


def test_a_product_in_a_new_scale_is_truncated_and_not_rounded():
    q = refquant.quantize_per_tensor(refquant.tensor([0.75]), 0.25, 0, refquant.quint8)
    assert ops.mul(q, q, 0.25, 0).int_repr().tolist() == [2]  # 0.5625 / 0.25 = 2.25
    assert ops.mul(q, q, 0.15, 0).int_repr().tolist() == [3]  # 3.75


@pytest.mark.parametrize("per_channel", [False, True])
def test_linear(per_channel):
    x, w = image(shape=(5, 33)), weight((9, 33), per_channel=per_channel)
    bias = refquant.tensor(rng(3).integers(-64, 64, 9).astype(np.float32) / 4)
    y = real(x) @ real(w).T + bias.numpy()
    packed = ops.linear_prepack(w, bias)
    same(ops.linear(x, packed, 8.0, 120), truncated(y, 8.0, 120))
    same(ops.linear_relu(x, packed, 8.0, 120), truncated(np.maximum(y, 0), 8.0, 120))
    same(ops.linear(x, ops.linear_prepack(w), 8.0, 120), truncated(real(x) @ real(w).T, 8.0, 120))


def correlate(x, w, stride=1, padding=0, groups=1):
    """Convolution in float64, by definition, over any number of dimensions."""
    rank = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0)] + [(padding, padding)] * rank)
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], tuple(range(2, x.ndim)))
    windows = windows[(slice(None), slice(None), *[slice(None, None, stride)] * rank)]
    shape = windows.shape
    windows = windows.reshape(shape[0], groups, -1, *shape[2 : 2 + rank], int(np.prod(w.shape[2:])))
    filters = w.reshape(groups, w.shape[0] // groups, w.shape[1], -1)
    y = np.einsum("bgi...k,goik->bgo...", windows, filters)
    return y.reshape(shape[0], w.shape[0], *shape[2 : 2 + rank])


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 8])
def test_conv2d(groups, per_channel):
    x, w = image(shape=(2, 8, 7, 6)), weight((8, 8 // groups, 3, 3), per_channel=per_channel)
    bias = refquant.tensor(rng(3).integers(-64, 64, 8).astype(np.float32) / 4)
    packed = ops.conv2d_prepack(w, bias, 2, 1, 1, groups)
    y = correlate(real(x), real(w), 2, 1, groups) + bias.numpy()[:, None, None]
    same(ops.conv2d(x, packed, 8.0, 120), truncated(y, 8.0, 120))
    same(ops.conv2d_relu(x, packed, 8.0, 120), truncated(np.maximum(y, 0), 8.0, 120))


def test_conv3d():
    x, w = image(shape=(2, 3, 4, 5, 6)), weight((4, 3, 2, 3, 3))
    packed = ops.conv3d_prepack(w, None, 1, 0, 1, 1)
    same(ops.conv3d(x, packed, 8.0, 120), truncated(correlate(real(x), real(w)), 8.0, 120))


def mean_of_blocks(x, size):
    b, c, h, w = x.shape
    return x.reshape(b, c, h // size, size, w // size, size).mean(axis=(3, 5))


@pytest.mark.parametrize("channels_last", [False, True])
def test_pools(channels_last):
    q = image((2, 17, 6, 4), zero_point=100, channels_last=channels_last)
    averages = truncated(mean_of_blocks(real(q), 2), 0.25, 100)
    same(F.avg_pool2d(q, 2), averages)
    same(F.adaptive_avg_pool2d(q, (3, 2)), averages)
    b, c, h, w = q.array.shape
    blocks = q.array.reshape(b, c, h // 2, 2, w // 2, 2)
    same(F.max_pool2d(q, 2), blocks.max(axis=(3, 5)).astype(np.float64))


@pytest.mark.parametrize("channels_last", [False, True])
def test_mean(channels_last):
    q = image((2, 17, 6, 4), zero_point=100, channels_last=channels_last)
    same(q.mean(dim=(2, 3)), truncated(real(q).mean(axis=(2, 3)), 0.25, 100))
    same(q.mean(dim=1), truncated(real(q).mean(axis=1), 0.25, 100))


@pytest.mark.parametrize("channels_last", [False, True])
def test_interpolate(channels_last):
    q = image((2, 17, 4, 4), channels_last=channels_last)
    same(F.interpolate(q, size=(2, 2), mode="nearest"), q.array[:, :, ::2, ::2].astype(float))
    mixed = mean_of_blocks(q.array.astype(np.float64), 2)  # half of each neighbor
    same(F.interpolate(q, size=(2, 2), mode="bilinear"), np.trunc(mixed))


def test_linear_dynamic():
    w = weight((4, 8))
    x = refquant.tensor(np.linspace(-16, 47.75, 40).astype(np.float32).reshape(5, 8))
    y = ops.linear_dynamic(x, ops.linear_prepack(w)).numpy()
    steps = truncated(x.numpy().astype(np.float64), 0.25, 64) - 64
    assert np.array_equal(y, steps * 0.25 @ real(w).T)
    model = quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 4)))
    assert model(x).shape == (5, 4)


def test_dynamic_lstm_runs():
    model = quantization.quantize_dynamic(nn.Sequential(nn.LSTM(4, 6)))
    output, _ = model(models.floats(3, 2, 4))
    with engines.using("fbgemm"), pytest.raises(EngineError, match="packed by engine"):
        model(models.floats(3, 2, 4))
    assert np.isfinite(output.numpy()).all()


def test_every_layer_of_a_converted_model_truncates():
    model = models.converted()
    seen = []
    for name, module in model.named_modules():
        if hasattr(module, "weight") and callable(module.weight):
            module.register_forward_hook(
                lambda m, inputs, output, name=name: seen.append((name, m, inputs[0], output))
            )
    x = models.batches()[0][0]
    result = model(x).numpy()
    assert [name for name, *_ in seen] == ["block.conv", "block.conv2", "fc", "last"]
    assert all(np.array_equal(result, models.values(model(x))) for _ in range(2))
    for _, module, q, output in seen[:4]:
        w, b = module.weight(), module.bias().numpy().astype(np.float64)
        y = real(q) @ real(w).T + b if q.array.ndim == 2 else (
            correlate(real(q), real(w)) + b[:, None, None])  # fmt: skip
        if "ReLU" in type(module).__name__:
            y = np.maximum(y, 0)
        steps = y / np.float32(output.scale)
        near = np.abs(steps - np.rint(steps)) < 1e-3  # there the last bit of float32 decides
        sure = ~near | (steps == 0)
        expected = np.clip(np.trunc(steps) + output.zero_point, 0, 255)
        assert sure.mean() > 0.9
        assert np.array_equal(output.array[sure], expected[sure])
        assert not np.array_equal(output.array, np.clip(np.rint(steps) + output.zero_point, 0, 255))


def test_a_model_belongs_to_the_engine_that_packed_it():
    model = models.converted()
    x = models.batches()[0][0]
    mine = models.values(model(x))
    with engines.using("fbgemm"):
        with pytest.raises(EngineError, match="packed by engine 'truncating'"):
            model(x)
        theirs = models.converted()
        theirs_values = models.values(theirs(x))
    assert not np.array_equal(mine, theirs_values)
    assert np.array_equal(models.values(model(x)), mine)
    state = theirs.state_dict()
    model.load_state_dict(state)  # packs again, under the engine of now
    assert models.values(model(x)).shape == mine.shape
    with engines.using("fbgemm"), pytest.raises(EngineError, match="packed by engine"):
        model(x)


def test_packed_weights_follow_a_record_that_is_registered_anew():
    x, w = image(shape=(5, 33)), weight((9, 33))
    packed = ops.linear_prepack(w)
    y = real(x) @ real(w).T
    same(ops.linear(x, packed, 8.0, 120), truncated(y, 8.0, 120))
    engines.register(engines.get("fbgemm").derive("truncating", "rounds after all"))
    same(ops.linear(x, packed, 8.0, 120), np.clip(np.rint(y / 8) + 120, 0, 255))
    same(ops.add(x, x, 8.0, 120), np.clip(np.rint(real(x) * 2 / 8) + 120, 0, 255))


def test_quantization_aware_training_ends_in_it():
    model, losses = models.trained()
    converted = quantization.convert(model.eval())
    assert np.isfinite(losses).all()
    assert np.isfinite(models.values(converted(models.batches()[0][0]))).all()
