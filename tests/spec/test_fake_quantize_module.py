"""The module FakeQuantize: what it keeps, and its switches."""

import copy

import numpy as np
import pytest

import refquant
from refquant import quantization as Q

X = np.array([-1.0, -0.3, 0.0, 0.7, 1.55], np.float32)


def test_it_observes_and_rounds():
    module = Q.FakeQuantize()
    y = module(refquant.from_numpy(X))
    assert module.zero_point.tolist() == [100]
    scale = module.scale.item()
    wanted = refquant.fake_quantize_per_tensor_affine(X, scale, 100, 0, 255)
    np.testing.assert_array_equal(y.numpy(), wanted.numpy())


@pytest.mark.usefixtures("release_1_4")
def test_before_the_first_call_there_is_no_scale_in_1_4():
    module = Q.FakeQuantize()
    assert module.scale is None
    assert module.zero_point is None
    assert module.fake_quant_enabled is True
    assert module.observer_enabled is True


def test_before_the_first_call_the_scale_is_1():
    module = Q.FakeQuantize()
    assert module.scale.tolist() == [1.0]
    assert (module.zero_point.tolist(), module.zero_point.dtype) == ([0], refquant.int32)
    for flag in (module.fake_quant_enabled, module.observer_enabled):
        assert (flag.tolist(), flag.dtype) == ([1], refquant.uint8)


@pytest.mark.parametrize("engine", ["fbgemm", "fbgemm-1.4"])
def test_switches_return_the_module(engine):
    with refquant.engines.using(engine):
        module = Q.FakeQuantize()
    assert module.disable_observer().enable_observer().disable_fake_quant() is module
    assert not module.enable_fake_quant(False).fake_quant_enabled
    assert not module.enable_observer(False).observer_enabled


def test_a_frozen_observer_keeps_scale_and_zero_point():
    module = Q.FakeQuantize()
    module(refquant.from_numpy(X))
    before = module.scale.item()
    module.disable_observer()(refquant.from_numpy(X * 100))
    assert module.scale.item() == before


def test_without_rounding_the_input_comes_back():
    module = Q.FakeQuantize().disable_fake_quant()
    x = refquant.from_numpy(X)
    assert module(x) is x
    assert module.scale is not None


def test_an_empty_tensor_comes_back():
    x = refquant.from_numpy(np.empty((0, 3), np.float32))
    module = Q.FakeQuantize()
    assert module(x) is x
    assert module.scale.tolist() == [1.0]


def test_gradients_pass_through():
    x = refquant.from_numpy(X * 3).requires_grad_(True)
    module = Q.FakeQuantize()
    module(refquant.from_numpy(X))
    module.disable_observer()(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 0, 0]


def test_states_of_2_13_come_back_and_those_of_1_4_are_taken():
    module, other = Q.FakeQuantize(), Q.FakeQuantize()
    keys = ["fake_quant_enabled", "observer_enabled", "scale", "zero_point"]
    inner = [f"activation_post_process.{name}" for name in ("eps", "min_val", "max_val")]
    assert list(module.state_dict()) == [*keys, *inner]
    other.disable_observer()(refquant.from_numpy(X))
    other.enable_observer()(refquant.from_numpy(X))
    other.disable_fake_quant()
    module.load_state_dict(other.state_dict())
    assert module.scale.tolist() == other.scale.tolist()
    assert module.zero_point.dtype is refquant.int32
    assert not module.fake_quant_enabled
    with refquant.engines.using("fbgemm-1.4"):
        older = Q.FakeQuantize()
    older.load_state_dict(module.state_dict())
    assert older.zero_point.tolist() == module.zero_point.tolist()
    assert older.fake_quant_enabled is False
    fresh = Q.FakeQuantize()
    fresh.load_state_dict(older.state_dict())
    assert fresh.scale.tolist() == module.scale.tolist()
    assert fresh.zero_point.dtype is refquant.int32


@pytest.mark.usefixtures("release_1_4")
def test_state_has_the_documented_keys_and_comes_back():
    module, other = Q.FakeQuantize(), Q.FakeQuantize()
    keys = [
        "scale",
        "zero_point",
        "activation_post_process.min_val",
        "activation_post_process.max_val",
    ]
    assert list(module.state_dict()) == keys
    assert set(module.state_dict().values()) == {None}
    other(refquant.from_numpy(X))
    module.load_state_dict(other.state_dict())
    assert module.scale.tolist() == other.scale.tolist()
    assert module.zero_point.dtype is refquant.int64
    other.load_state_dict(Q.FakeQuantize().state_dict())
    assert other.scale is None
    assert other.activation_post_process.min_val is None


def test_per_channel():
    module = Q.default_per_channel_weight_fake_quant()
    w = refquant.tensor([[-1.0, 0.5], [12.7, 1.0]], requires_grad=True)
    y = module(w)
    assert module.scale.shape == (2,)
    assert module.ch_axis == 0
    y.sum().backward()
    # The largest is 127.5 steps, which rounds to 128 and is clipped; -127.5 rounds to -128.
    assert w.grad.tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize("bits", range(2, 9))
def test_a_narrow_range_is_handed_to_the_observer(bits):
    module = Q.FakeQuantize(quant_min=0, quant_max=2**bits - 1)
    x = np.linspace(0, 1, 1001, dtype=np.float32)
    assert len(np.unique(module(x).numpy())) == 2**bits
    assert module.activation_post_process.quant_max == 2**bits - 1


def test_a_reduced_range_clips_at_its_end():
    module = Q.default_fake_quant()
    module(refquant.tensor([0.0, 1.27]))
    y = module.disable_observer()(refquant.tensor([2.0, 9.0]))
    assert y.tolist() == pytest.approx([1.27, 1.27])


@pytest.mark.usefixtures("release_1_4")
def test_full_range_with_reduce_range_clips_at_the_full_range_in_1_4():
    module = Q.default_fake_quant()
    module(refquant.tensor([0.0, 1.27]))
    assert module.scale.item() == pytest.approx(0.01)
    y = module.disable_observer()(refquant.tensor([2.0, 9.0]))
    assert y.tolist() == pytest.approx([2.0, 2.55])


def test_functions_switch_whole_models():
    model = refquant.nn.Sequential(Q.FakeQuantize(), refquant.nn.Identity(), Q.FakeQuantize())
    for function, name, value in (
        (Q.disable_observer, "observer_enabled", False),
        (Q.enable_observer, "observer_enabled", True),
        (Q.disable_fake_quant, "fake_quant_enabled", False),
        (Q.enable_fake_quant, "fake_quant_enabled", True),
    ):
        model.apply(function)
        assert [getattr(model[i], name) for i in (0, 2)] == [value, value]


def test_a_copy_is_on_its_own():
    module = Q.FakeQuantize()
    module(refquant.from_numpy(X))
    before = module.scale.item()
    copy.deepcopy(module)(refquant.from_numpy(X * 50))
    assert module.scale.item() == before


def test_its_path_is_that_of_its_observer():
    module = Q.FakeQuantize()
    module.path = "fc"
    assert module.activation_post_process.path == "fc"
    assert "of 'fc'" in str(module.explain())


def test_a_factory_as_observer():
    module = Q.FakeQuantize(
        observer=Q.MinMaxObserver.with_args(dtype=refquant.qint8), quant_min=-4, quant_max=3
    )
    assert module.activation_post_process.target_range == (-4, 3)


@pytest.mark.parametrize("kind", [Q.FakeQuantize, Q.FusedMovingAvgObsFakeQuantize])
def test_a_factory_that_does_not_take_its_arguments_is_rejected(kind):
    observer = Q.FixedQParamsObserver.with_args(scale=1.0, zero_point=0)
    with pytest.raises(TypeError, match=r"`observer`.*cannot be called so.*'reduce_range'"):
        kind(observer=observer, quant_min=0, quant_max=255, reduce_range=False)
