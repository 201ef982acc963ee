"""What the workflow of PyTorch 2.13 does and that of 1.4 does not, and arguments of both."""

import warnings

import numpy as np
import pytest
from workflow.models import FUSE, floats, net, randomize, types, values

import refquant
from refquant import engines, nn, quantization
from refquant.errors import ArgumentError, NotSupportedError, WorkflowWarning
from refquant.quantization import QConfig, default_qat_qconfig, default_qconfig

SEQUENCES = [
    ((nn.Conv1d(2, 4, 3), nn.ReLU()), "ConvReLU1d", "ConvReLU1d", (2, 2, 7)),
    ((nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4)), "Conv1d", "ConvBn1d", (2, 2, 7)),
    ((nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU()), "ConvReLU1d", "ConvBnReLU1d", (2, 2, 7)),
    ((nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)), "Conv2d", "ConvBn2d", (2, 2, 7, 7)),
    ((nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4)), "Conv3d", "ConvBn3d", (2, 2, 5, 5, 5)),
    ((nn.Linear(3, 4), nn.BatchNorm1d(4)), "Linear", "LinearBn1d", (5, 3)),
    ((nn.Linear(3, 4), nn.ReLU()), "LinearReLU", "LinearReLU", (5, 3)),
    ((nn.BatchNorm2d(3), nn.ReLU()), "BNReLU2d", "BNReLU2d", (2, 3, 4, 4)),
    ((nn.BatchNorm3d(3), nn.ReLU()), "BNReLU3d", "BNReLU3d", (2, 3, 4, 4, 4)),
]


@pytest.mark.parametrize(("modules", "folded", "kept", "shape"), SEQUENCES)
def test_every_sequence_computes_what_it_did(modules, folded, kept, shape):
    model = randomize(nn.Sequential(*modules)).eval()
    names, x = [str(i) for i in range(len(modules))], floats(*shape)
    want = values(model(x))
    fused = quantization.fuse_modules(model, names)
    assert type(fused[0]).__name__ == folded
    np.testing.assert_allclose(values(fused(x)), want, rtol=1e-4, atol=1e-5)
    for_training = quantization.fuse_modules_qat(model.train(), names)
    assert type(for_training[0]).__name__ == kept
    np.testing.assert_allclose(values(for_training.eval()(x)), want, rtol=1e-4, atol=1e-5)
    method = quantization.get_fuser_method(tuple(type(module) for module in modules))
    assert type(method(True, *model)).__name__ == kept


def test_a_linear_layer_multiplies_its_bias_by_the_factor_at_once():
    model = randomize(nn.Sequential(nn.Linear(3, 400), nn.BatchNorm1d(400))).eval()
    linear, bn = model
    folded = quantization.fuse_linear_bn(False, linear, bn)
    factor = bn.weight.array * (1 / np.sqrt(bn.running_var.array + np.float32(bn.eps)))
    assert np.array_equal(folded.weight.array, linear.weight.array * factor[:, None])
    shift = (linear.bias.array - bn.running_mean.array) * factor + bn.bias.array
    assert np.array_equal(folded.bias.array, shift)


def test_fusers_of_both_forms():
    seen = []

    def of_1_4(modules):
        return quantization.fuse_known_modules(modules)

    def of_2_13(mod_list, is_qat, additional_fuser_method_mapping):
        seen.append((is_qat, additional_fuser_method_mapping))
        return [nn.Identity() for _ in mod_list]

    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU()).eval()
    assert types(quantization.fuse_modules(model, ["0", "1"], fuser_func=of_1_4)) == (
        "Sequential LinearReLU Linear ReLU Identity"
    )
    more = {"additional_fuser_method_mapping": {}}
    quantization.fuse_modules_qat(
        model, ["0", "1"], fuser_func=of_2_13, fuse_custom_config_dict=more
    )
    assert seen == [(True, {})]


def test_additional_methods_win():
    pair = (nn.Linear, nn.Tanh)

    def method(is_qat, linear, tanh):
        return nn.intrinsic.LinearTanh(linear, tanh)

    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh()).eval()
    settings = {"additional_fuser_method_mapping": {pair: method}}
    fused = quantization.fuse_modules(model, ["0", "1"], fuse_custom_config_dict=settings)
    assert type(fused[0]) is nn.intrinsic.LinearTanh
    assert quantization.get_fuser_method(pair, {pair: method}) is method
    with pytest.raises(NotSupportedError, match="one of the sequences"):
        quantization.get_fuser_method(pair)


def test_positional_flags_of_2_13_are_understood():
    model = nn.Sequential(quantization.QuantStub(), nn.Linear(2, 2)).eval()
    model.qconfig = default_qconfig
    assert quantization.prepare(model, True) is model
    listed = quantization.prepare(nn.Sequential(model), False, set(), [nn.Sequential])
    assert hasattr(listed[0], "activation_post_process")


def test_lists_decide_what_is_observed():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.second(self.first(x))

    model = nn.Sequential(Pair(), nn.ReLU6()).eval()
    model.qconfig = default_qconfig
    ready = quantization.prepare(model, allow_list={nn.ReLU6})
    found = {}
    quantization.get_observer_dict(ready, found)
    assert list(found) == ["1.activation_post_process"]
    ready = quantization.prepare(model, observer_non_leaf_module_list=[Pair])
    quantization.get_observer_dict(ready, found := {})
    assert list(found) == ["0.activation_post_process", "1.activation_post_process"]


def test_modules_of_the_user_are_replaced_as_wholes():
    class Own(nn.Module):
        def forward(self, x):
            return x

    class Observed(Own):
        @classmethod
        def from_float(cls, mod):
            made = cls()
            made.qconfig = mod.qconfig
            return made

    class Quantized(Own):
        @classmethod
        def from_observed(cls, mod):
            made = cls()
            made.scale = float(mod.activation_post_process.calculate_qparams()[0])
            return made

    model = nn.Sequential(Own()).eval()
    model.qconfig = default_qconfig
    ready = quantization.prepare(
        model,
        prepare_custom_config_dict={"float_to_observed_custom_module_class": {Own: Observed}},
    )
    ready(refquant.tensor([0.0, 127.0]))
    settings = {"observed_to_quantized_custom_module_class": {Observed: Quantized}}
    done = quantization.convert(ready, convert_custom_config_dict=settings)
    assert type(done[0]) is Quantized
    assert done[0].scale == 1.0


def test_an_observer_without_memory_watches_the_input():
    recipe = QConfig(
        quantization.default_fake_quant.with_args(averaging_constant=1),
        quantization.default_weight_fake_quant,
    )
    model = nn.Sequential(nn.Linear(2, 2))
    model.qconfig = recipe
    model = quantization.prepare_qat(model)
    assert len(model[0]._forward_pre_hooks) == 1
    assert not model[0]._forward_hooks
    model(refquant.tensor([[1.0, -3.0]]))
    assert float(model[0].activation_post_process.activation_post_process.min_val) == -3.0
    done = quantization.convert(model.eval())
    assert not done[0]._forward_pre_hooks


def test_the_observer_runs_before_hooks_of_the_user():
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].register_forward_hook(lambda module, inputs, output: output * 0)
    model.qconfig = default_qconfig
    ready = quantization.prepare(model.eval())
    assert not values(ready(floats(3, 2))).any()
    assert float(ready[0].activation_post_process.max_val) != 0


def test_what_stays_float_is_told_once_with_the_fix_for_each():
    class Own(nn.Linear):
        pass

    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.GRUCell(2, 2), Own(2, 2)).eval()
    model.qconfig = default_qconfig
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        quantization.prepare(model)
    assert [w.category for w in seen] == [WorkflowWarning]
    lines = str(seen[0].message).split("\n")
    assert lines[0] == "prepare: these modules will stay float:"
    assert "1 (BatchNorm1d): fuse it" in lines[1]
    assert "2 (GRUCell): quantize its weights with quantize_dynamic()" in lines[2]
    assert "3 (Own): a subclass of Linear is not replaced" in lines[3]
    assert seen[0].filename == __file__
    model[1].qconfig = model[2].qconfig = model[3].qconfig = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quantization.prepare(model)


def test_dynamic_quantization_tells_when_nothing_matched():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    with pytest.warns(WorkflowWarning, match="nothing below the model matches LSTM.*it has Linear"):
        quantization.quantize_dynamic(model, {nn.LSTM})
    with pytest.warns(WorkflowWarning, match="there is no module of a type"):
        quantization.quantize_dynamic(nn.Sequential(nn.ReLU()))


def test_training_with_a_recipe_for_calibration_is_told():
    model = nn.Sequential(nn.Linear(2, 2))
    model.qconfig = default_qconfig
    with pytest.warns(WorkflowWarning, match="observes but does not round"):
        quantization.prepare_qat(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", WorkflowWarning)  # one filter is enough
        quantization.prepare_qat(model)


@pytest.mark.parametrize("kind", ["ConvBn2d", "ConvBnReLU2d"])
def test_arguments_of_both_orders(kind):
    make = getattr(nn.intrinsic.qat, kind)
    recipe = default_qat_qconfig
    old = make(2, 4, 3, 1, 0, 1, 1, "zeros", 0.5, 0.25, True, recipe)
    new = make(2, 4, 3, 1, 0, 1, 1, False, "zeros", 0.5, 0.25, True, recipe)
    for module in (old, new):
        assert module.bias is None
        assert (module.bn.eps, module.bn.momentum, module.freeze_bn) == (0.5, 0.25, True)
    assert make(2, 4, 3, 1, 0, 1, 1, None, qconfig=recipe).bias is None
    assert make(2, 4, 3, bias=True, qconfig=recipe).bias.shape == (4,)


def trained_pair(engine):
    with engines.using(engine):
        model = randomize(nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4)))
        model = quantization.fuse_modules_qat(model.train(), ["0", "1"])
        model.qconfig = default_qat_qconfig
        return quantization.prepare_qat(model)


@pytest.mark.parametrize(("saved", "loaded"), [("fbgemm", "fbgemm-1.4"), ("fbgemm-1.4", "fbgemm")])
def test_parameters_of_normalization_load_from_either_layout(saved, loaded):
    first, second = trained_pair(saved), trained_pair(loaded)
    state = {
        k: v for k, v in first.state_dict().items() if "fake_quant" not in k and "post" not in k
    }
    assert ("0.bn.weight" in state) == (saved == "fbgemm")
    assert ("0.gamma" in state) == (saved == "fbgemm-1.4")
    for parameter in second.parameters():
        parameter.array[...] = 7
    missing, unexpected = second.load_state_dict(state, strict=False)
    assert not unexpected
    assert all("fake_quant" in key or "post_process" in key for key in missing)
    kept = [part if isinstance(part, float) else part.tolist() for part in first[0].normalization()]
    got = [part if isinstance(part, float) else part.tolist() for part in second[0].normalization()]
    assert kept == got


def observed_pair(engine):
    with engines.using(engine):
        model = quantization.fuse_modules(net(seed=1).eval(), FUSE)
        model.qconfig = default_qconfig
        return quantization.prepare(model)


@pytest.mark.parametrize(("saved", "loaded"), [("fbgemm", "fbgemm-1.4"), ("fbgemm-1.4", "fbgemm")])
def test_observers_of_pairs_load_from_either_place(saved, loaded):
    first, second = observed_pair(saved), observed_pair(loaded)
    with engines.using(saved):
        first(floats(2, 3, 8, 8))
    second.load_state_dict(first.state_dict())
    pair = second.block.conv
    ours = (pair if loaded == "fbgemm" else pair[1]).activation_post_process
    pair = first.block.conv
    theirs = (pair if saved == "fbgemm" else pair[1]).activation_post_process
    assert float(ours.max_val) == float(theirs.max_val) > 0


def test_a_trained_weight_is_observed_once_more():
    linear = nn.Linear(2, 1, bias=False)
    model = nn.Sequential(quantization.QuantStub(), linear)
    model.qconfig = default_qat_qconfig
    model = quantization.prepare_qat(model)
    model[1].weight.array[...] = [[1.0, -1.0]]
    model(floats(3, 2))
    model[1].weight.array[...] = [[3.0, -3.0]]
    model.eval()
    moved = np.float32(1) + np.float32(0.01) * np.float32(2)
    for precomputed, top in ((False, moved), (True, np.float32(1))):
        done = quantization.convert(model, use_precomputed_fake_quant=precomputed)
        assert done[1].weight().q_scale() == pytest.approx(top / 127.5, rel=1e-6)
    state = model[1].weight_fake_quant.activation_post_process
    assert float(state.max_val) == 1.0  # the model itself is left alone


def test_convert_keeps_recipes_if_it_is_told_to():
    model = nn.Sequential(quantization.QuantStub(), nn.ReLU()).eval()
    model.qconfig = default_qconfig
    model = quantization.prepare(model)
    model(floats(3))
    assert quantization.convert(model, remove_qconfig=False)[1].qconfig == default_qconfig
    assert not hasattr(quantization.convert(model)[1], "qconfig")


def test_mappings_are_of_the_release_of_the_engine():
    static = quantization.get_default_static_quant_module_mappings()
    assert nn.ReLU not in static
    assert static[nn.intrinsic.qat.LinearBn1d] is nn.quantized.Linear
    assert static[nn.Conv1d] is nn.quantized.Conv1d
    with engines.using("fbgemm-1.4"):
        assert nn.ReLU in quantization.get_default_static_quant_module_mappings()
        assert nn.Conv3d not in quantization.get_default_qat_module_mappings()
    assert quantization.get_default_qat_module_mappings()[nn.Conv3d] is nn.qat.Conv3d
    assert quantization.get_default_static_quant_module_mappings() is not static
    with pytest.raises(ArgumentError, match="a type that has a quantized counterpart"):
        quantization.get_static_quant_module_class(nn.ReLU)
    added = {nn.ReLU: nn.quantized.ReLU}
    assert quantization.get_static_quant_module_class(nn.ReLU, added) is nn.quantized.ReLU
    reference = quantization.get_static_quant_module_class(nn.Linear, is_reference=True)
    assert reference is nn.quantized.reference.Linear


def test_training_of_a_model_in_evaluation_mode_is_rejected():
    model = nn.Sequential(nn.Linear(2, 2)).eval()
    model.qconfig = default_qat_qconfig
    with pytest.raises(ArgumentError, match="only works on models in training mode"):
        quantization.prepare_qat(model)
    with engines.using("fbgemm-1.4"):
        quantization.prepare_qat(model)


@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack"])
def test_sequences_are_convolved_as_images_of_height_one(engine):
    rng = np.random.default_rng(0)
    w = refquant.from_numpy(rng.normal(size=(4, 2, 3)).astype(np.float32))
    with engines.using(engine):
        module = nn.quantized.Conv1d(2, 4, 3, stride=2, padding=1)
        module.set_weight_bias(refquant.quantize_per_tensor(w, 0.02, 0, refquant.qint8), None)
        module.scale, module.zero_point = 0.1, 100
        x = refquant.quantize_per_tensor(floats(3, 2, 9), 0.05, 120, refquant.quint8)
        y = module(x)
        image = nn.quantized.Conv2d(2, 4, (1, 3), stride=(1, 2), padding=(0, 1))
        image.set_weight_bias(module.weight().unsqueeze(2), None)
        image.scale, image.zero_point = 0.1, 100
        want = image(x.unsqueeze(2)).squeeze(2)
        other = nn.quantized.Conv1d(2, 4, 3, stride=2, padding=1, bias=False)
        other.load_state_dict(module.state_dict())
        again = other(x)
    assert y.shape == (3, 4, 5)
    assert np.array_equal(y.int_repr().numpy(), want.int_repr().numpy())
    assert np.array_equal(again.int_repr().numpy(), y.int_repr().numpy())


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_two_passes_compute_the_same_also_without_gamma(training, bias):
    make = nn.intrinsic.qat.ConvBn2d
    fast = randomize(make(2, 4, 3, bias=bias, qconfig=default_qat_qconfig)).train(training)
    slow = make(2, 4, 3, bias=bias, qconfig=default_qat_qconfig).train(training)
    state = {k: v for k, v in fast.state_dict().items() if "fake_quant" not in k}
    slow.load_state_dict(state, strict=False)
    slow._enable_slow_path_for_better_numerical_stability = True
    for module in (fast, slow):
        module.apply(quantization.disable_fake_quant)
    x = floats(3, 2, 5, 5)
    np.testing.assert_allclose(values(slow(x)), values(fast(x)), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(slow.bn.running_var.numpy(), fast.bn.running_var.numpy(), rtol=1e-5)
    slow.bn.weight.array[...] = 0
    assert np.isfinite(values(slow(x))).all()


@pytest.mark.parametrize(
    ("kind", "scale", "zero_point"),
    [(nn.Sigmoid, 1 / 256, 0), (nn.Hardsigmoid, 1 / 256, 0), (nn.Tanh, 2 / 256, 128)],
)
def test_outputs_of_a_known_range_are_rounded_to_it_in_training(kind, scale, zero_point):
    model = nn.Sequential(nn.Linear(2, 2), kind())
    model.qconfig = default_qat_qconfig
    trained = quantization.prepare_qat(model)
    rounding = trained[1].activation_post_process
    trained(floats(5, 2))
    assert (float(rounding.scale), int(rounding.zero_point)) == (scale, zero_point)
    model.qconfig = default_qconfig
    assert not hasattr(quantization.prepare(model.eval())[1], "activation_post_process")


def test_the_recipe_of_training_is_of_the_release_of_the_engine_too():
    fused = quantization.get_default_qat_qconfig("fbgemm").activation()
    assert type(fused) is quantization.FusedMovingAvgObsFakeQuantize
    with engines.using("qnnpack-1.4"):
        plain = quantization.get_default_qat_qconfig("fbgemm").activation()
    assert type(plain) is quantization.FakeQuantize
