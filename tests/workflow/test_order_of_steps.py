"""Fuse, prepare, calibrate, convert: what happens to steps in another order, or taken twice."""

import warnings

import numpy as np
import pytest
from workflow.models import (
    FUSE,
    calibrated,
    converted,
    floats,
    net,
    prepared,
    qat,
    trained,
    types,
    values,
)

from refquant import nn, quantization
from refquant.errors import ArgumentError, NotSupportedError
from refquant.quantization import default_qat_qconfig, default_qconfig


def observers(model):
    return {path: module for path, module in model.named_modules() if hasattr(module, "min_val")}


def hooks(model):
    return [len(module._forward_hooks) for module in model.modules()]


def unfused(recipe=default_qconfig):
    model = net().eval()
    model.qconfig = recipe
    return quantization.prepare(model)


def unfused_qat():
    model = net().train()
    model.qconfig = default_qat_qconfig
    return quantization.prepare_qat(model)


def unfused_converted():
    model = unfused()
    model(floats(2, 3, 8, 8))
    return quantization.convert(model)


def unfused_dynamic():
    return quantization.quantize_dynamic(net())


# -- fuse after another step -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "state", "named"),
    [
        (unfused, "prepared", "block.conv, block.bn, block.conv2, block.bn2, fc"),
        (unfused_qat, "prepared", "block.conv, block.bn, block.conv2, block.bn2, fc"),
        (unfused_dynamic, "quantized", "fc"),
        (unfused_converted, "quantized", "block.conv, block.bn, block.conv2, block.bn2, fc"),
    ],
)
@pytest.mark.parametrize("inplace", [False, True])
def test_fusing_comes_first(make, state, named, inplace):
    model = make()
    before, hooked = types(model), hooks(model)
    with pytest.raises(NotSupportedError) as caught:
        quantization.fuse_modules(model, FUSE, inplace=inplace)
    verb = "are" if "," in named else "is"
    assert f"got {named}, which {verb} {state} already" in str(caught.value)
    assert "fuse the float model first, then call" in str(caught.value)
    assert types(model) == before
    assert hooks(model) == hooked
    if make is not unfused_converted:
        model(floats(2, 3, 8, 8))


def test_one_group_of_many_is_enough_to_reject_all():
    model = net().eval()
    model.fc.qconfig = default_qconfig
    model = quantization.prepare(model)
    before = types(model)
    with pytest.raises(NotSupportedError, match="got fc, which is prepared already"):
        quantization.fuse_modules(model, FUSE, inplace=True)
    assert types(model) == before


def test_a_part_without_observers_can_be_fused_later():
    model = net().eval()
    model.fc.qconfig = model.relu.qconfig = default_qconfig
    model = quantization.prepare(model)
    x = floats(2, 3, 8, 8)
    fused = quantization.fuse_modules(model, FUSE[:2])
    assert type(fused.block.conv) is nn.intrinsic.ConvReLU2d
    np.testing.assert_allclose(values(fused(x)), values(model(x)), rtol=1e-4, atol=1e-4)


def test_a_fuser_of_the_user_is_not_called():
    def fuser(modules):
        raise AssertionError

    with pytest.raises(NotSupportedError, match="prepared already"):
        quantization.fuse_modules(unfused(), FUSE, fuser_func=fuser)


def test_fusing_known_modules_that_are_prepared():
    model = unfused()
    with pytest.raises(NotSupportedError, match="got 0, which is prepared already"):
        quantization.fuse_known_modules([model.fc, model.relu])
    assert len(model.fc._forward_hooks) == 1


def test_fusing_twice_says_what_is_fused():
    model = quantization.fuse_modules(net().eval(), FUSE)
    with pytest.raises(NotSupportedError, match="fc is fused already: leave it out"):
        quantization.fuse_modules(model, [["fc", "relu"]])


# -- prepare after another step --------------------------------------------------------------------


@pytest.mark.parametrize("make", [calibrated, lambda: trained()[0]])
def test_preparing_twice_changes_nothing(make):
    model = make()
    again = quantization.prepare(model)
    assert types(again) == types(model)
    assert hooks(again) == hooks(model)
    found, kept = observers(model), observers(again)
    assert found.keys() == kept.keys()
    for path, observer in found.items():
        assert np.array_equal(observer.min_val.numpy(), kept[path].min_val.numpy())


def test_preparing_for_training_twice_changes_nothing():
    model = trained()[0]
    again = quantization.prepare_qat(model)
    assert types(again) == types(model)
    assert hooks(again) == hooks(model)
    model.eval().apply(quantization.disable_observer)
    again.eval().apply(quantization.disable_observer)
    x = floats(2, 3, 8, 8)
    assert np.array_equal(values(again(x)), values(model(x)))


@pytest.mark.parametrize("prepare", [quantization.prepare, quantization.prepare_qat])
def test_preparing_a_dynamic_model_warns(prepare):
    model = quantization.quantize_dynamic(nn.Sequential(nn.Linear(2, 2))).train()
    model.qconfig = default_qat_qconfig
    with pytest.warns(UserWarning, match=r"Converted already: 0\. Prepare the float model"):
        prepare(model)


@pytest.mark.parametrize("prepare", [quantization.prepare, quantization.prepare_qat])
def test_preparing_a_converted_model_warns(prepare):
    model = nn.Sequential(converted()).train()
    model.qconfig = default_qat_qconfig
    before = types(model)
    with pytest.warns(UserWarning, match=r"Converted already: 0\.quant, .*Prepare the float model"):
        done = prepare(model)
    assert types(done) == before
    assert not any(hooks(done))


def test_the_rest_of_a_converted_model_can_be_prepared():
    model = nn.Sequential(converted(), quantization.QuantWrapper(nn.Linear(4, 2))).eval()
    model.qconfig = default_qconfig
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = quantization.prepare(model)
        model(floats(2, 3, 8, 8))
        done = quantization.convert(model)
    assert type(done[1].module) is nn.quantized.Linear
    done(floats(2, 3, 8, 8))


def test_preparing_a_prepared_model_for_training():
    model = quantization.prepare_qat(unfused(default_qat_qconfig).train())
    assert types(model) == types(unfused_qat())
    assert hooks(model) == hooks(unfused_qat())


# -- convert and calibrate after another step ------------------------------------------------------


@pytest.mark.parametrize("make", [converted, lambda: quantization.convert(trained()[0].eval())])
def test_converting_twice_changes_nothing(make):
    model = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = quantization.convert(model)
    assert types(again) == types(model)
    x = floats(2, 3, 8, 8)
    assert np.array_equal(values(again(x)), values(model(x)))


def test_converting_a_converted_model_with_a_recipe_changes_nothing():
    model = converted()
    model.qconfig = default_qconfig
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert types(quantization.convert(model)) == types(converted())
        assert types(quantization.quantize_dynamic(model)) == types(converted())


def test_a_stub_that_a_first_conversion_left_follows():
    first = quantization.convert(calibrated(), {quantization.QuantStub: nn.quantized.Quantize})
    assert type(first.dequant) is quantization.DeQuantStub
    assert type(quantization.convert(first).dequant) is nn.quantized.DeQuantize


def test_calibrating_a_converted_model_is_an_error():
    with pytest.raises(ArgumentError, match="observers"):
        quantization.calibrate(converted(), [floats(2, 3, 8, 8)])


def test_a_prepared_model_is_as_good_as_a_float_one_for_quantize():
    x = floats(2, 3, 8, 8)
    done = quantization.quantize(prepared(), lambda model: model(x), [])
    fused = quantization.fuse_modules(net().eval(), FUSE)
    fused.qconfig = default_qconfig
    want = quantization.quantize(fused, lambda model: model(x), [])
    assert np.array_equal(values(done(x)), values(want(x)))


def test_models_for_training_are_converted_after_it():
    assert types(quantization.convert(qat_with_data())) == types(converted())


def qat_with_data():
    model = qat()
    model(floats(4, 3, 8, 8))
    return model.eval()
