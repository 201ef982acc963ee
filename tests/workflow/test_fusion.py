"""fuse_modules: what is joined, what it computes, what becomes of hooks and modes."""

import numpy as np
import pytest
from workflow.models import FUSE, floats, net, randomize, types, values

from refquant import engines, nn, quantization
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    ModuleNameError,
    NotSupportedError,
)
from refquant.reference.folding import fold_batch_norm

CONVOLUTIONS = {
    2: (nn.Conv2d, nn.BatchNorm2d, floats(2, 3, 6, 6)),
    3: (nn.Conv3d, nn.BatchNorm3d, floats(2, 3, 4, 4, 4)),
}


def sequence(dims, bias=True, relu=True):
    conv, bn, _ = CONVOLUTIONS[dims]
    made = [conv(3, 4, 2, bias=bias), bn(4)] + ([nn.ReLU()] if relu else [])
    return randomize(nn.Sequential(*made))


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
def test_folding_changes_only_rounding(dims, bias, relu):
    model = sequence(dims, bias, relu).eval()
    fused = quantization.fuse_modules(model, ["0", "1", "2"][: 2 + relu])
    x = CONVOLUTIONS[dims][2]
    np.testing.assert_allclose(values(fused(x)), values(model(x)), rtol=1e-4, atol=1e-5)
    conv = fused[0][0] if relu else fused[0]
    assert type(conv) is CONVOLUTIONS[dims][0]
    old, bn = model[0], model[1]
    weight, shift = fold_batch_norm(
        old.weight.array.reshape(4, -1), old.bias.array if bias else np.zeros(4, np.float32),
        bn.running_mean.array, bn.running_var.array, bn.eps, bn.weight.array, bn.bias.array,
    )  # fmt: skip
    assert np.array_equal(conv.weight.array.reshape(4, -1), weight)
    assert np.array_equal(conv.bias.array, shift)


@pytest.mark.parametrize("dims", [2, 3])
def test_training_keeps_the_modules_and_1_4_drops_the_bias(dims, engine):
    model = sequence(dims).train()
    before = values(model.eval()(CONVOLUTIONS[dims][2]))
    fused = quantization.fuse_modules_qat(model.train(), ["0", "1", "2"])
    assert type(fused[0]).__name__ == f"ConvBnReLU{dims}d"
    assert (fused[0][0].bias is None) == engine.endswith("1.4")
    assert fused[0].training
    assert fused[1].training
    np.testing.assert_allclose(
        values(fused.eval()(CONVOLUTIONS[dims][2])), before, rtol=1e-4, atol=1e-5
    )
    assert model[0].bias is not None  # the model itself is left alone


@pytest.mark.parametrize("first", [nn.Linear(3, 4), nn.Conv2d(3, 4, 1), nn.Conv3d(3, 4, 1)])
@pytest.mark.parametrize("training", [False, True])
def test_pairs_with_relu(first, training):
    model = nn.Sequential(first, nn.ReLU()).train(training)
    fused = quantization.fuse_modules(model, ["0", "1"])
    assert type(fused[0]) in (
        nn.intrinsic.LinearReLU,
        nn.intrinsic.ConvReLU2d,
        nn.intrinsic.ConvReLU3d,
    )
    assert type(fused[1]) is nn.Identity
    assert fused[0].training is fused[1].training is training


def test_nested_groups_and_inplace():
    model = net().eval()
    copy = quantization.fuse_modules(model, FUSE)
    assert type(model.block.conv) is nn.Conv2d
    assert quantization.fuse_modules(model, FUSE, inplace=True) is model
    assert types(model) == types(copy)
    x = floats(2, 3, 8, 8)
    assert np.array_equal(values(model(x)), values(copy(x)))


def test_custom_fuser():
    class Both(nn.Sequential):
        pass

    def fuser(modules):
        return [Both(*modules), nn.Identity()]

    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    assert type(quantization.fuse_modules(model, ["0", "1"], fuser_func=fuser)[0]) is Both


def test_hooks_survive():
    calls = []

    def hook(name):
        return lambda *_: calls.append(name)

    model = sequence(2).eval()
    model[0].register_forward_pre_hook(hook("before"))
    model[1].register_forward_hook(hook("normalized"))
    model[2].register_forward_hook(hook("after"))
    fused = quantization.fuse_modules(model, ["0", "1", "2"])
    fused(CONVOLUTIONS[2][2])
    assert calls == ["before", "normalized", "after"]
    calls.clear()
    model(CONVOLUTIONS[2][2])
    assert calls == ["before", "normalized", "after"]


def test_a_handle_still_removes_a_hook_that_moved():
    model = sequence(2).eval()
    calls = []
    handle = model[2].register_forward_hook(lambda *_: calls.append(1))
    quantization.fuse_modules(model, ["0", "1", "2"], inplace=True)
    model(CONVOLUTIONS[2][2])
    handle.remove()
    model(CONVOLUTIONS[2][2])
    assert calls == [1]


def test_hooks_between_folded_modules_warn():
    model = sequence(2).eval()
    model[0].register_forward_hook(lambda *_: None)
    with pytest.warns(UserWarning, match="no longer run"):
        quantization.fuse_modules(model, ["0", "1"])


def test_fused_containers_check_their_members():
    with pytest.raises(ArgumentError, match="Conv2d then ReLU"):
        nn.intrinsic.ConvReLU2d(nn.ReLU(), nn.Conv2d(1, 1, 1))


ERRORS = [
    ("0", ArgumentTypeError, "list of names"),
    ([["0"], "1"], ArgumentTypeError, "list of names"),
    ([[0, 1]], ArgumentTypeError, "list of names"),
    (["0", "bn"], ModuleNameError, "one of 0, 1, 2"),
    (["1", "0"], NotSupportedError, r"list them as they run: \['0', '1'\]"),
    (["0", "2", "1"], NotSupportedError, r"\['0', '1', '2'\]"),
    (["0"], NotSupportedError, "one of the sequences"),
    ([["0", "1"], ["2", "1"]], ArgumentError, "every name once"),
]


@pytest.mark.parametrize(("groups", "kind", "words"), ERRORS)
def test_errors_change_nothing(groups, kind, words):
    model = sequence(2).eval()
    before = types(model)
    with pytest.raises(kind, match=words):
        quantization.fuse_modules(model, groups, inplace=True)
    assert types(model) == before


def test_mixed_modes_are_rejected():
    model = sequence(2).eval()
    model[1].train()
    with pytest.raises(ArgumentError, match="evaluation mode as 0, got training mode"):
        quantization.fuse_modules(model, ["0", "1"])


@pytest.mark.parametrize("setting", ["affine", "track_running_stats"])
def test_normalization_without_numbers_is_rejected(setting):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, **{setting: False})).eval()
    with pytest.raises(ArgumentError, match=f"{setting}=True"):
        quantization.fuse_modules(model, ["0", "1"])


def test_other_numbers_of_channels_are_rejected():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(5)).eval()
    with pytest.raises(ArgumentError, match="4 features"):
        quantization.fuse_modules(model, ["0", "1"])


def test_relu_in_place_is_rejected_in_training_by_1_4_alone():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
    assert len(quantization.fuse_modules_qat(model, ["0", "1", "2"])[0]) == 3
    with engines.using("fbgemm-1.4"), pytest.raises(ArgumentError, match="inplace = False"):
        quantization.fuse_modules(model, ["0", "1", "2"])


def test_models_in_training_mode_are_fused_for_training_by_1_4_alone():
    model = sequence(2).train()
    with pytest.raises(ArgumentError, match=r"Fusion only for eval!.*fuse_modules_qat\(\)"):
        quantization.fuse_modules(model, ["0", "1", "2"])
    with engines.using("qnnpack-1.4"):
        fused = quantization.fuse_modules(model, ["0", "1", "2"])
    assert type(fused[0]) is nn.intrinsic.ConvBnReLU2d


def test_an_error_in_a_later_group_changes_nothing():
    model = net().train()
    before = types(model)

    def fuser(modules):
        if len(modules) == 2:
            raise KeyError("no")
        return quantization.fuse_known_modules(modules, True)

    with pytest.raises(KeyError):
        quantization.fuse_modules_qat(model, FUSE, inplace=True, fuser_func=fuser)
    assert types(model) == before
    assert model.block.conv.bias is not None


def test_wrong_results_of_a_fuser_are_rejected():
    with pytest.raises(ArgumentTypeError, match="a list of 2 modules"):
        quantization.fuse_modules(
            net().eval(), ["fc", "relu"], fuser_func=lambda modules: modules[0]
        )


@pytest.mark.parametrize("groups", [np.array("0"), np.array(1.0), 3, "0"])
def test_what_holds_no_names_is_rejected(groups):
    with pytest.raises(ArgumentTypeError, match="a list of names or of lists of names"):
        quantization.fuse_modules(nn.Sequential(nn.Linear(2, 2), nn.ReLU()).eval(), groups)
    with pytest.raises(ArgumentTypeError, match="a set of types and names, or a mapping"):
        quantization.quantize_dynamic(nn.Sequential(nn.Linear(2, 2)), groups)
