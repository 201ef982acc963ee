"""A saved integer model loads, bit for bit, into one that was converted without data."""

import io
import warnings

import numpy as np
import pytest
from workflow.models import FUSE, floats, net, randomize, values

import refquant
from refquant import nn, quantization
from refquant.errors import NoDataWarning, StateError
from refquant.quantization import QConfig, default_qconfig

CONSTRUCTED = 9  # seed of the weights that a state replaces


class Kinds(nn.Module):
    """Every kind of module that a static recipe replaces, images over two dimensions."""

    def __init__(self, bias=True):
        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.plain = nn.Conv2d(2, 4, 3, padding=1, bias=bias)
        self.six = nn.ReLU6()
        self.conv, self.bn = nn.Conv2d(4, 4, 3, groups=2, bias=bias), nn.BatchNorm2d(4)
        self.first, self.norm, self.relu = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU()
        self.pair, self.relu2 = nn.Conv2d(4, 4, 1, bias=bias), nn.ReLU()
        self.sum, self.spare = nn.quantized.FloatFunctional(), nn.quantized.FloatFunctional()
        self.shift, self.join = nn.quantized.FloatFunctional(), nn.quantized.FloatFunctional()
        self.fc, self.relu3 = nn.Linear(8 * 16, 6, bias=bias), nn.ReLU()
        self.last, self.relu4 = nn.Linear(6, 3, bias=bias), nn.ReLU()

    def forward(self, x):
        x = self.six(self.plain(self.quant(x)))
        x = self.bn(self.conv(x))
        y = self.relu(self.norm(self.first(x)))
        z = self.relu2(self.pair(y))
        x = self.join.cat([self.sum.add(x, y), self.shift.mul_scalar(z, 0.5)], 1)
        x = self.relu3(self.fc(x.reshape(x.shape[0], -1)))
        return self.dequant(self.relu4(self.last(x)))


class Volumes(nn.Module):
    """The same over three dimensions."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.plain = nn.Conv3d(2, 3, 2)
        self.conv, self.bn, self.relu = nn.Conv3d(3, 4, 2), nn.BatchNorm3d(4), nn.ReLU()
        self.pair, self.relu2 = nn.Conv3d(4, 4, 1), nn.ReLU()

    def forward(self, x):
        x = self.relu(self.bn(self.conv(self.plain(self.quant(x)))))
        return self.dequant(self.relu2(self.pair(x)))


KIND_GROUPS = [["conv", "bn"], ["first", "norm", "relu"], ["pair", "relu2"], ["fc", "relu3"]]
VOLUME_GROUPS = [["conv", "bn", "relu"], ["pair", "relu2"]]
IMAGES, SPACES = (2, 2, 6, 6), (2, 2, 4, 4, 4)
MODELS = {
    "every kind": (Kinds, KIND_GROUPS, IMAGES),
    "without bias": (lambda: Kinds(bias=False), KIND_GROUPS, IMAGES),
    "not fused": (Kinds, [["conv", "bn"], ["first", "norm"]], IMAGES),
    "volumes": (Volumes, VOLUME_GROUPS, SPACES),
    "network": (net, FUSE, (2, 3, 8, 8)),
}
RECIPES = {
    "default": default_qconfig,
    "per channel": quantization.default_per_channel_qconfig,
    "fbgemm": quantization.get_default_qconfig("fbgemm"),
    "qnnpack": quantization.get_default_qconfig("qnnpack"),
    "four bits": QConfig(
        quantization.MinMaxObserver.with_args(dtype=refquant.quint8),
        quantization.MinMaxObserver.with_args(
            dtype=refquant.qint8, qscheme=refquant.per_tensor_symmetric, quant_min=-8, quant_max=7
        ),
    ),
}


def through_a_file(state):
    file = io.BytesIO()
    refquant.save(state, file)
    file.seek(0)
    return refquant.load(file)


def silently(action, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDataWarning)
        return action(*arguments)


def ready(name, recipe, seed):
    make, groups, _ = MODELS[name]
    model = quantization.fuse_modules(randomize(make(), seed).eval(), groups)
    model.qconfig = recipe
    return quantization.prepare(model)


def ready_to_train(name, recipe, seed):
    make, groups, _ = MODELS[name]
    model = quantization.fuse_modules_qat(randomize(make(), seed).train(), groups)
    model.qconfig = recipe
    return quantization.prepare_qat(model)


def content(state):
    """Every bit of a state: integers, quantizers and numbers."""
    found = {}
    for name, value in state.items():
        if isinstance(value, tuple):
            found |= content({f"{name}.{i}": part for i, part in enumerate(value)})
        elif value is None:
            found[name] = None
        elif value.is_quantized:
            per_channel = value.qscheme() is refquant.per_channel_affine
            quantizer = [value.q_scale(), value.q_zero_point()] if not per_channel else [
                value.q_per_channel_scales().tolist(), value.q_per_channel_zero_points().tolist()
            ]  # fmt: skip
            found[name] = (value.int_repr().numpy().tobytes(), quantizer)
        else:
            found[name] = (str(value.dtype), tuple(value.shape), value.numpy().tobytes())
    return found


def assert_same(model, other, shape):
    assert content(other.state_dict()) == content(model.state_dict())
    for seed in (1, 2):
        x = floats(*shape, seed=seed)
        assert np.array_equal(values(other(x)), values(model(x)))


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", MODELS)
def test_a_state_restores_an_integer_model(name, recipe):
    shape = MODELS[name][2]
    model = ready(name, RECIPES[recipe], 0)
    model(floats(*shape, spread=2.0))
    model = silently(quantization.convert, model)
    other = silently(quantization.convert, ready(name, RECIPES[recipe], CONSTRUCTED))
    assert other.load_state_dict(through_a_file(model.state_dict())) == ([], [])
    assert_same(model, other, shape)


@pytest.mark.parametrize("name", ["every kind", "network"])
def test_under_every_engine(engine, name):
    shape = MODELS[name][2]
    recipe = quantization.get_default_qconfig(engine)
    model = ready(name, recipe, 0)
    model(floats(*shape, spread=2.0))
    model = silently(quantization.convert, model)
    other = silently(quantization.convert, ready(name, recipe, CONSTRUCTED))
    other.load_state_dict(through_a_file(model.state_dict()))
    assert_same(model, other, shape)


@pytest.mark.parametrize("recipe", ["default", "fbgemm"])
@pytest.mark.parametrize("name", MODELS)
def test_a_state_restores_a_model_that_was_trained(name, recipe):
    shape = MODELS[name][2]
    recipe = {
        "default": quantization.default_qat_qconfig,
        "fbgemm": quantization.get_default_qat_qconfig("fbgemm"),
    }[recipe]
    model = ready_to_train(name, recipe, 0)
    for seed in (3, 4):
        model(floats(*shape, seed=seed))
    model = silently(quantization.convert, model.eval())
    other = silently(quantization.convert, ready_to_train(name, recipe, CONSTRUCTED).eval())
    other.load_state_dict(through_a_file(model.state_dict()))
    assert_same(model, other, shape)


@pytest.mark.parametrize("name", MODELS)
def test_a_trained_state_loads_into_a_model_that_was_not_made_for_training(name):
    shape = MODELS[name][2]
    model = ready_to_train(name, quantization.get_default_qat_qconfig("fbgemm"), 0)
    model(floats(*shape, seed=3))
    model = silently(quantization.convert, model.eval())
    other = silently(quantization.convert, ready(name, default_qconfig, CONSTRUCTED))
    other.load_state_dict(through_a_file(model.state_dict()))
    assert_same(model, other, shape)


@pytest.mark.parametrize(
    "settings", [{}, {"num_layers": 2, "bidirectional": True}, {"bias": False}]
)
@pytest.mark.parametrize("dtype", [refquant.qint8, refquant.float16])
def test_a_state_restores_a_dynamic_model(dtype, settings):
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(4, 3, **settings)
            self.fc = nn.Linear(3 * (1 + settings.get("bidirectional", False)), 2)

        def forward(self, x):
            return self.fc(self.lstm(x)[0])

    model, other = (
        quantization.quantize_dynamic(randomize(Reader(), seed), dtype=dtype)
        for seed in (0, CONSTRUCTED)
    )
    other.load_state_dict(through_a_file(model.state_dict()))
    assert_same(model, other, (5, 2, 4))


def test_a_state_restores_modules_of_an_own_mapping():
    mapping = {**quantization.DEFAULT_MODULE_MAPPING, nn.ELU: nn.quantized.ELU}

    def skeleton(seed):
        model = quantization.QuantWrapper(nn.Sequential(nn.Linear(3, 4), nn.ELU(0.5))).eval()
        randomize(model, seed).qconfig = default_qconfig
        return quantization.prepare(model, mapping=mapping)

    model = skeleton(0)
    model(floats(8, 3))
    model = quantization.convert(model, mapping)
    other = silently(quantization.convert, skeleton(CONSTRUCTED), mapping)
    assert type(other.module[1]) is nn.quantized.ELU
    other.load_state_dict(through_a_file(model.state_dict()))
    assert_same(model, other, (8, 3))


def test_a_state_per_channel_loads_into_a_model_per_tensor():
    model = ready("network", RECIPES["per channel"], 0)
    model(floats(2, 3, 8, 8))
    model = quantization.convert(model)
    other = silently(quantization.convert, ready("network", default_qconfig, CONSTRUCTED))
    other.load_state_dict(model.state_dict())
    assert_same(model, other, (2, 3, 8, 8))


def test_a_part_that_stays_in_float_is_loaded_too():
    def skeleton(seed):
        model = quantization.fuse_modules(net(seed=seed).eval(), FUSE)
        model.qconfig, model.fc.qconfig = default_qconfig, None
        model.fc = nn.Sequential(
            quantization.DeQuantStub(), model.fc, quantization.QuantStub(default_qconfig)
        )
        return quantization.prepare(model)

    model = skeleton(0)
    model(floats(2, 3, 8, 8))
    model = quantization.convert(model)
    other = silently(quantization.convert, skeleton(CONSTRUCTED))
    other.load_state_dict(through_a_file(model.state_dict()))
    assert type(other.fc[1]) is nn.intrinsic.LinearReLU
    assert_same(model, other, (2, 3, 8, 8))


def test_a_model_that_was_not_fused_alike_is_rejected_whole():
    model = ready("network", default_qconfig, 0)
    model(floats(2, 3, 8, 8))
    model = quantization.convert(model)
    other = net(seed=CONSTRUCTED).eval()
    other.qconfig = default_qconfig
    other = silently(quantization.convert, quantization.prepare(other))
    before = content(other.state_dict())
    with pytest.raises(StateError, match=r"missing keys: block\.bn\.scale"):
        other.load_state_dict(model.state_dict())
    assert content(other.state_dict()) == before
