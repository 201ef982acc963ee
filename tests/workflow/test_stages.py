"""Every stage of a model saves, loads into a fresh model of that stage, and computes the same."""

import io

import numpy as np
import pytest
from workflow.models import calibrated, converted, floats, net, prepared, qat, trained, values

import refquant
from refquant import quantization
from refquant.errors import StateError

HISTOGRAM = quantization.get_default_qconfig("fbgemm")
PER_CHANNEL = quantization.default_per_channel_qconfig


def trained_model(seed):
    return trained(seed=seed)[0]


def converted_after_training(seed):
    return quantization.convert(trained_model(seed).eval())


STAGES = {
    "float": (lambda s: net(seed=s), lambda: net(seed=9)),
    "prepared": (lambda s: prepared(seed=s), lambda: prepared(seed=9)),
    "calibrated": (lambda s: calibrated(seed=s), lambda: prepared(seed=9)),
    "histograms": (lambda s: calibrated(HISTOGRAM, s), lambda: prepared(HISTOGRAM, 9)),
    "qat": (trained_model, lambda: qat(seed=9)),
    "converted": (lambda s: converted(seed=s), lambda: converted(seed=9)),
    "per channel": (lambda s: converted(PER_CHANNEL, s), lambda: converted(PER_CHANNEL, 9)),
    "converted qat": (converted_after_training, lambda: converted_after_training(9)),
    "dynamic": (
        lambda s: quantization.quantize_dynamic(net(seed=s)),
        lambda: quantization.quantize_dynamic(net(seed=9)),
    ),
    "dynamic float16": (
        lambda s: quantization.quantize_dynamic(net(seed=s), dtype=refquant.float16),
        lambda: quantization.quantize_dynamic(net(seed=9), dtype=refquant.float16),
    ),
}


def through_a_file(state):
    file = io.BytesIO()
    refquant.save(state, file)
    file.seek(0)
    return refquant.load(file)


@pytest.mark.parametrize("stage", STAGES)
def test_state_goes_through_a_file(stage):
    make, fresh = STAGES[stage]
    model, other = make(0).eval(), fresh().eval()
    state = through_a_file(model.state_dict())
    assert list(state) == list(model.state_dict())
    other.load_state_dict(state)
    x = floats(2, 3, 8, 8, seed=77)
    if "qat" in stage or stage in ("prepared", "calibrated", "histograms"):
        model.apply(quantization.disable_observer)
        other.apply(quantization.disable_observer)
    assert np.array_equal(values(model(x)), values(other(x)))


@pytest.mark.parametrize("stage", ["calibrated", "histograms"])
def test_a_loaded_calibration_converts_to_the_same(stage):
    make, fresh = STAGES[stage]
    model, other = make(0), fresh()
    other.load_state_dict(through_a_file(model.state_dict()))
    x = floats(2, 3, 8, 8, seed=77)
    ours, theirs = quantization.convert(model), quantization.convert(other)
    assert np.array_equal(values(ours(x)), values(theirs(x)))


def test_a_loaded_training_converts_to_the_same():
    model, other = trained_model(0).eval(), qat(seed=9).eval()
    other.load_state_dict(through_a_file(model.state_dict()))
    x = floats(2, 3, 8, 8, seed=77)
    ours, theirs = quantization.convert(model), quantization.convert(other)
    assert np.array_equal(values(ours(x)), values(theirs(x)))


def test_another_stage_is_rejected_whole():
    state = converted().state_dict()
    model = net(seed=3)
    before = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    with pytest.raises(StateError, match="prepare, fuse or convert"):
        model.load_state_dict(state)
    for key, value in model.state_dict().items():
        assert np.array_equal(value.numpy(), before[key])


def test_observers_of_dequant_stubs_in_old_states_are_dropped():
    model = calibrated()
    state = model.state_dict()
    state["dequant.activation_post_process.min_val"] = refquant.tensor(-1.0)
    state["dequant.activation_post_process.max_val"] = refquant.tensor(1.0)
    assert prepared(seed=4).load_state_dict(state) == ([], [])


def test_copies_are_independent():
    import copy

    model = converted()
    other = copy.deepcopy(model)
    x = floats(2, 3, 8, 8)
    assert np.array_equal(values(model(x)), values(other(x)))
