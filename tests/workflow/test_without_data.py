"""Observers without data: convert warns once, and gives scale 1 and zero point 0."""

import warnings

import numpy as np
import pytest
from workflow.models import FUSE, batches, calibrated, floats, net, prepared, qat, types, values

import refquant
from refquant import nn, quantization
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    NoDataWarning,
    NotPreparedError,
    NotSupportedError,
)
from refquant.quantization import QConfig, default_qconfig

RECIPES = {
    "min and max": default_qconfig,
    "per channel": quantization.default_per_channel_qconfig,
    "histograms": quantization.get_default_qconfig("fbgemm"),
    "moving averages": QConfig(
        quantization.MovingAverageMinMaxObserver, quantization.default_weight_observer
    ),
}
QAT_RECIPES = {
    "default": quantization.default_qat_qconfig,
    "fbgemm": quantization.get_default_qat_qconfig("fbgemm"),
    "qnnpack": quantization.get_default_qat_qconfig("qnnpack"),
}
OBSERVED = "quant, block.conv, block.conv2, block.sum, fc, last"


def silently(action, *arguments, **keywords):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDataWarning)
        return action(*arguments, **keywords)


def warned(action, *arguments, **keywords):
    """Run an action that must warn exactly once; returns its result and the warning."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        result = action(*arguments, **keywords)
    assert len(seen) == 1
    return result, seen[0]


def numbers(model):
    """Scale and zero point of everything that has them."""
    return {
        name: (float(module.scale), int(module.zero_point))
        for name, module in model.named_modules()
        if hasattr(module, "scale")
    }


class Scaled(nn.Module):
    """Adds and multiplies by numbers alone, and has a part that it does not use."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.shift, self.unused = nn.quantized.FloatFunctional(), nn.quantized.FloatFunctional()

    def forward(self, x):
        return self.dequant(self.shift.mul_scalar(self.shift.add_scalar(self.quant(x), 1.0), 0.5))


# -- convert ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_one_warning_lists_every_module(name):
    model, warning = warned(quantization.convert, prepared(RECIPES[name]))
    assert warning.category is NoDataWarning
    assert f"no data has passed through {OBSERVED} (" in str(warning.message)
    assert warning.filename == __file__
    assert set(numbers(model).values()) == {(1.0, 0)}
    assert types(model) == types(quantization.convert(calibrated(RECIPES[name])))


@pytest.mark.parametrize("name", RECIPES)
def test_weights_get_their_true_scales(name):
    recipe = RECIPES[name]
    empty = silently(quantization.convert, prepared(recipe))
    full = quantization.convert(calibrated(recipe))
    for path in ("block.conv", "block.conv2", "fc", "last"):
        ours = empty.get_submodule(path).weight()
        theirs = full.get_submodule(path).weight()
        assert np.array_equal(ours.int_repr().numpy(), theirs.int_repr().numpy())
        assert np.array_equal(values(ours.dequantize()), values(theirs.dequantize()))


def test_only_what_saw_nothing_is_listed():
    model = quantization.fuse_modules(net().eval(), FUSE)
    model.spare = nn.quantized.FloatFunctional()
    model.qconfig = default_qconfig
    model = quantization.calibrate(quantization.prepare(model), batches(), progress=False)
    done, warning = warned(quantization.convert, model)
    assert "through spare (" in str(warning.message)
    assert type(done.spare) is nn.quantized.QFunctional
    assert numbers(done)["spare"] == (1.0, 0)
    x = floats(2, 3, 8, 8)
    plain = quantization.convert(calibrated())
    assert np.array_equal(values(done(x)), values(plain(x)))


def test_sums_and_products_with_numbers_convert():
    model = Scaled().eval()
    model.qconfig = default_qconfig
    model = quantization.prepare(model)
    x = floats(3, 7)
    model(x)
    done, warning = warned(quantization.convert, model)
    assert "through shift, unused (" in str(warning.message)
    assert type(done.shift) is type(done.unused) is nn.quantized.QFunctional
    q = done.quant(x)
    want = refquant.ops.quantized.mul_scalar(refquant.ops.quantized.add_scalar(q, 1.0), 0.5)
    assert np.array_equal(values(done(x)), values(want.dequantize()))
    assert abs(values(done(x)) - values(model(x))).max() <= 0.51 * float(done.quant.scale)


def test_a_module_at_two_places_is_listed_once():
    shared = nn.Linear(4, 4)
    model = quantization.QuantWrapper(nn.Sequential(shared, nn.ReLU(), shared)).eval()
    model.qconfig = default_qconfig
    done, warning = warned(quantization.convert, quantization.prepare(model))
    assert "through quant, module.0 (" in str(warning.message)
    assert done.module[0] is done.module[2]


def test_as_an_error_it_changes_nothing():
    model = prepared()
    before, hooks = types(model), len(model.last._forward_hooks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NoDataWarning, match="no data has passed through quant"):
            quantization.convert(model, inplace=True)
    assert types(model) == before
    assert len(model.last._forward_hooks) == hooks
    assert model.fc.qconfig == default_qconfig
    quantization.default_eval_fn(model, batches())
    x = floats(2, 3, 8, 8)
    assert np.array_equal(
        values(quantization.convert(model)(x)), values(quantization.convert(calibrated())(x))
    )


def test_nothing_is_said_when_all_have_seen_data():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quantization.convert(calibrated())


# -- quantization-aware training -------------------------------------------------------------------


@pytest.mark.parametrize("name", QAT_RECIPES)
def test_training_that_has_not_begun(name):
    model, warning = warned(quantization.convert, qat(QAT_RECIPES[name]).eval())
    assert f"through {OBSERVED} (" in str(warning.message)
    assert set(numbers(model).values()) == {(1.0, 0)}
    layer = qat(QAT_RECIPES[name]).last
    # In training the fused kind has another formula for the scale than when it is converted.
    observer = layer.weight_fake_quant.activation_post_process
    observer(layer.weight)
    scale = np.ravel(observer.calculate_qparams()[0].numpy())[:, None]
    weight = np.clip(np.rint(values(layer.weight) / scale), -128, 127)
    assert np.array_equal(values(model.last.weight().int_repr()), weight)


@pytest.mark.parametrize("name", QAT_RECIPES)
def test_weights_that_nothing_may_observe_get_scale_one(name):
    model = qat(QAT_RECIPES[name]).eval()
    model.apply(quantization.disable_observer)
    done, warning = warned(quantization.convert, model)
    assert "fc, fc.weight, last, last.weight (" in str(warning.message)
    weight = done.last.weight()
    per_channel = weight.qscheme() is refquant.per_channel_affine
    scales = weight.q_per_channel_scales().numpy() if per_channel else weight.q_scale()
    assert np.array_equal(scales, np.ones(4) if per_channel else 1.0)
    assert np.array_equal(weight.int_repr().numpy(), np.rint(values(model.last.weight)))


def test_the_model_that_is_not_converted_in_place_stays_without_data():
    model = qat()
    silently(quantization.convert, model)
    assert not model.last.weight_fake_quant.activation_post_process.min_val.numel()


# -- neighbors -------------------------------------------------------------------------------------


def test_quantize_without_data():
    model = quantization.fuse_modules(net().eval(), FUSE)
    model.qconfig = default_qconfig
    done, warning = warned(quantization.quantize, model, lambda _: None, [])
    assert str(warning.message).startswith("quantize: no data has passed through quant, ")
    assert warning.filename == __file__
    assert numbers(done)["last"] == (1.0, 0)


def test_quantize_qat_without_data():
    model = net().train()
    model.qconfig = quantization.default_qat_qconfig
    done, warning = warned(quantization.quantize_qat, model, lambda _: None, [])
    assert str(warning.message).startswith("quantize_qat: no data has passed through quant, ")
    assert warning.filename == __file__
    assert numbers(done)["last"] == (1.0, 0)


def test_dynamic_quantization_needs_no_data():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quantization.quantize_dynamic(net())


def test_swap_module_without_data_warns_of_the_observer():
    model = prepared()
    mapping = quantization.DEFAULT_MODULE_MAPPING
    made, warning = warned(quantization.swap_module, model.last, mapping)
    assert warning.category is NoDataWarning
    assert "MinMaxObserver of 'last'" in str(warning.message)
    assert (made.scale, made.zero_point) == (1.0, 0)


OBSERVERS = [
    quantization.MinMaxObserver,
    quantization.MovingAverageMinMaxObserver,
    quantization.PerChannelMinMaxObserver,
    quantization.MovingAveragePerChannelMinMaxObserver,
    quantization.HistogramObserver,
    quantization.FakeQuantize,
    quantization.default_fake_quant,
    quantization.default_weight_fake_quant,
    quantization.default_per_channel_weight_fake_quant,
    quantization.default_histogram_fake_quant,
    quantization.default_per_channel_weight_observer,
]


@pytest.mark.parametrize("make", OBSERVERS, ids=repr)
def test_every_observer_without_data_warns_and_gives_one_and_zero(make):
    (scale, zero_point, *axis), warning = warned(make().calculate_qparams)
    assert warning.category is NoDataWarning
    assert "must run observer before calling calculate_qparams" in str(warning.message)
    assert scale.dtype is refquant.float32
    assert zero_point.dtype is refquant.int64
    assert scale.tolist() == [1.0]
    assert zero_point.tolist() == [0]
    assert axis in ([], [0])


@pytest.mark.parametrize("make", [quantization.RecordingObserver, quantization.NoopObserver])
def test_observers_that_choose_nothing_reject(make):
    with pytest.raises(NotSupportedError, match="chooses no scale and zero point"):
        make().calculate_qparams()


def test_the_summary_says_which_saw_nothing():
    model = prepared()
    assert quantization.summary(model)["last"].observer == "MinMaxObserver (no data)"
    done = quantization.summary(silently(quantization.convert, model))["last"]
    assert (done.scale, done.zero_point, done.observer) == (1.0, 0, "")


# -- never prepared --------------------------------------------------------------------------------


def test_a_model_without_recipes_passes_through():
    model = net().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = quantization.convert(model)
    assert types(done) == types(model)
    x = floats(2, 3, 8, 8)
    assert np.array_equal(values(done(x)), values(model(x)))


def recipe_on_top(model):
    model.qconfig = default_qconfig


def recipe_everywhere(model):
    quantization.propagate_qconfig_(model, {"": default_qconfig})


def recipe_of_a_layer(model):
    model.fc.qconfig = default_qconfig


def recipe_of_a_block(model):
    model.block.qconfig = default_qconfig


def recipe_of_an_activation(model):
    model.relu.qconfig = default_qconfig


@pytest.mark.parametrize("mapping", [None, "DEFAULT_MODULE_MAPPING"])
@pytest.mark.parametrize(
    ("give", "listed"),
    [
        (recipe_on_top, "the model"),
        (
            recipe_everywhere,
            "quant, block.conv, block.bn, block.conv2, block.bn2, block.sum, fc, last",
        ),
        (recipe_of_a_layer, "fc"),
        (recipe_of_a_block, "block"),
        (recipe_of_an_activation, "relu"),
    ],
)
def test_a_model_that_was_never_prepared_passes_through(give, listed, mapping):
    model = net().eval()
    before = types(model)
    give(model)
    if mapping:  # that of release 1.4, which leaves batch normalizations in float
        listed = listed.replace("block.bn, ", "").replace("block.bn2, ", "")
    done, warning = warned(
        quantization.convert, model, mapping and getattr(quantization, mapping), inplace=True
    )
    assert done is model
    assert f"convert: not prepared: {listed}. " in str(warning.message)
    assert warning.filename == __file__
    assert types(done) == before
    x = floats(2, 3, 8, 8)
    assert np.array_equal(values(done(x)), values(net().eval()(x)))


def test_a_layer_without_observer_stays_in_a_prepared_model():
    model = calibrated()
    model.extra = nn.Linear(2, 2)
    model.extra.qconfig = default_qconfig
    done, warning = warned(quantization.convert, model)
    assert "not prepared: extra. " in str(warning.message)
    assert type(done.extra) is nn.Linear
    assert type(done.last) is nn.quantized.Linear
    assert type(done.dequant) is nn.quantized.DeQuantize


@pytest.mark.parametrize(
    "module", [nn.Linear(2, 2), nn.Conv2d(1, 1, 1), nn.quantized.FloatFunctional()]
)
def test_swap_module_without_observer_is_an_error(module):
    module.qconfig = default_qconfig
    with pytest.raises(NotPreparedError, match=r"an observer, got none; call .*prepare\(\)"):
        quantization.swap_module(module, quantization.DEFAULT_MODULE_MAPPING)


def test_something_else_in_place_of_an_observer_is_an_error():
    model = qat(quantization.default_weight_only_qconfig)
    with pytest.raises(ArgumentTypeError, match=r"an observer, got Identity.*in module 'quant'"):
        quantization.convert(model)


def test_a_recipe_without_weight_observer_is_an_error():
    model = qat(quantization.default_activation_only_qconfig)
    with pytest.raises(ArgumentError, match=r"qint8, got Identity.*in module 'block\.conv'"):
        quantization.convert(model)


# -- mappings --------------------------------------------------------------------------------------


class Sequences(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.fc = nn.LSTM(4, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(self.lstm(x)[0])


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("prepare", [False, True])
def test_the_dynamic_mapping_converts_a_static_recipe(prepare, name):
    model = Sequences().eval()
    model.fc.qconfig = RECIPES[name]
    if prepare:
        model = quantization.prepare(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = quantization.convert(model, quantization.DEFAULT_DYNAMIC_MODULE_MAPPING)
    assert type(done.fc) is nn.quantized.dynamic.Linear
    assert type(done.lstm) is nn.LSTM
    assert not done.fc._forward_hooks
    x = floats(5, 2, 4)
    assert abs(values(done(x)) - values(model(x))).max() < 0.05


def test_the_dynamic_mapping_leaves_stubs_and_the_rest():
    model = quantization.convert(calibrated(), quantization.DEFAULT_DYNAMIC_MODULE_MAPPING)
    assert type(model.quant) is quantization.QuantStub
    assert type(model.dequant) is quantization.DeQuantStub
    assert type(model.block.conv) is nn.intrinsic.ConvReLU2d
    assert type(model.last) is nn.quantized.dynamic.Linear
    assert np.isfinite(values(model(floats(2, 3, 8, 8)))).all()


def test_an_own_mapping_that_reads_no_observer_is_followed():
    class Marked(nn.Module):
        @classmethod
        def from_float(cls, mod):
            return cls()

    model = nn.Sequential(nn.Linear(2, 2))
    model[0].qconfig = default_qconfig
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert type(quantization.convert(model, {nn.Linear: Marked})[0]) is Marked


def test_an_own_mapping_that_asks_the_observer_joins_the_warning():
    class Marked(nn.Module):
        @classmethod
        def from_float(cls, mod):
            made = cls()
            made.found = mod.activation_post_process.calculate_qparams()
            return made

    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model.qconfig = default_qconfig
    done, warning = warned(quantization.convert, quantization.prepare(model), {nn.Linear: Marked})
    assert "through 0, 1 (" in str(warning.message)
    assert done[0].found[0].tolist() == [1.0]
