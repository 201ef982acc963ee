"""convert, quantize, quantize_dynamic: what replaces what, and what is left behind."""

import numpy as np
import pytest
from workflow.models import (
    FUSE,
    batches,
    calibrated,
    converted,
    floats,
    net,
    randomize,
    trained,
    types,
    values,
)

import refquant
from refquant import nn, quantization
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    ModuleNameError,
    OperationError,
    QuantizerError,
    RefquantError,
)
from refquant.quantization import QConfig, QConfigDynamic, default_qconfig

TYPES = (
    "Net Quantize DeQuantize Block ConvReLU2d Identity Identity Conv2d Identity QFunctional "
    "LinearReLU LinearPackedParams Identity Linear LinearPackedParams"
)


@pytest.mark.parametrize(
    "qconfig", [default_qconfig, quantization.default_per_channel_qconfig, None]
)
def test_the_quantized_model_is_close_to_the_float_one(qconfig):
    qconfig = qconfig or quantization.get_default_qconfig("fbgemm")
    model = converted(qconfig)
    assert types(model) == TYPES
    x = batches()[-1][0]
    want = values(net().eval()(x))
    assert abs(values(model(x)) - want).max() < 0.1 * abs(want).max()


def test_every_engine(engine):
    model = converted(quantization.get_default_qconfig(engine))
    assert np.isfinite(values(model(floats(2, 3, 8, 8)))).all()


def test_nothing_of_the_preparation_is_left():
    model = converted()
    for module in model.modules():
        assert "qconfig" not in vars(module)
        assert not module._forward_hooks
        assert "activation_post_process" not in module._modules


def test_inplace_and_copy_agree():
    model = calibrated()
    before = types(model)
    copy = quantization.convert(model)
    assert types(model) == before
    assert quantization.convert(model, inplace=True) is model
    x = floats(2, 3, 8, 8)
    assert np.array_equal(values(model(x)), values(copy(x)))
    again = quantization.convert(model)  # nothing is left to convert
    assert np.array_equal(values(again(x)), values(copy(x)))


def test_a_part_stays_in_float():
    model = net().eval()
    model.qconfig, model.block.qconfig = default_qconfig, None
    model.fc = nn.Sequential(quantization.QuantStub(), model.fc)
    model.quant.qconfig = None
    model = quantization.prepare(model)
    quantization.default_eval_fn(model, batches())
    model = quantization.convert(model)
    assert type(model.block.conv) is nn.Conv2d
    assert type(model.block.sum) is nn.quantized.FloatFunctional
    assert type(model.fc[1]) is nn.quantized.Linear
    model(floats(2, 3, 8, 8))


def test_float_functional_left_in_float_works_again():
    model = net().eval()
    model.qconfig = default_qconfig
    model = quantization.prepare(model)
    quantization.default_eval_fn(model, batches())
    mapping = {nn.Linear: nn.quantized.Linear}
    model = quantization.convert(model, mapping)
    assert type(model.block.sum.activation_post_process) is nn.Identity
    assert not model.block.conv._forward_hooks


def test_a_shared_module_becomes_one_module():
    shared = randomize(nn.Linear(4, 4))
    model = quantization.QuantWrapper(nn.Sequential(shared, nn.ReLU(), shared)).eval()
    model.qconfig = default_qconfig
    model = quantization.quantize(model, lambda m: m(floats(8, 4)), [])
    assert model.module[0] is model.module[2]
    assert type(model.module[0]) is nn.quantized.Linear


def test_conv3d_with_relu():
    model = nn.Sequential(nn.Conv3d(2, 3, 2), nn.ReLU())
    model = quantization.QuantWrapper(randomize(model)).eval()
    model = quantization.fuse_modules(model, ["module.0", "module.1"])
    model.qconfig = default_qconfig
    x = floats(2, 2, 4, 4, 4)
    done = quantization.quantize(model, lambda m: m(x), [])
    assert type(done.module[0]) is nn.intrinsic.quantized.ConvReLU3d
    want = values(model(x))
    assert abs(values(done(x)) - want).max() < 0.05 * abs(want).max()


def test_hooks_of_the_user_stay():
    model = quantization.fuse_modules(net().eval(), FUSE)
    seen = []
    model.last.register_forward_hook(lambda m, i, o: seen.append(type(m).__name__))
    model.last.register_forward_pre_hook(lambda m, i: seen.append("before"))
    model.qconfig = default_qconfig
    model = quantization.quantize(model, quantization.default_eval_fn, [batches(1)])
    seen.clear()
    model(floats(1, 3, 8, 8))
    assert seen == ["before", "Linear"]


def test_hooks_inside_a_pair_warn():
    model = calibrated()
    model.fc[0].register_forward_hook(lambda *_: None)
    with pytest.warns(UserWarning, match=r"hooks of fc\.0 no longer run"):
        quantization.convert(model)


def test_own_mapping():
    class Doubled(nn.Linear):
        pass

    class Seen(nn.Module):
        @classmethod
        def from_float(cls, mod):
            return cls()

    model = nn.Sequential(Doubled(2, 2))
    model.qconfig = default_qconfig
    done = quantization.quantize(model, lambda m: m(floats(1, 2)), [], mapping={Doubled: Seen})
    assert type(done[0]) is Seen
    with pytest.raises(ArgumentTypeError, match="from_float"):
        quantization.convert(model, mapping={Doubled: nn.Linear})


def test_swap_module():
    mapping = quantization.DEFAULT_MODULE_MAPPING
    relu = nn.ReLU()
    assert quantization.swap_module(relu, mapping) is relu
    relu.qconfig = default_qconfig
    assert type(quantization.swap_module(relu, mapping)) is nn.quantized.ReLU


def test_a_model_that_would_be_replaced_itself_warns():
    model = randomize(nn.Linear(2, 2))
    model.qconfig = default_qconfig
    model = quantization.prepare(model)
    model(floats(1, 2))
    with pytest.warns(UserWarning, match="itself a Linear"):
        assert type(quantization.convert(model)) is nn.Linear


def test_an_unfit_weight_observer_changes_nothing():
    model = calibrated()
    model.last.qconfig = QConfig(default_qconfig.activation, quantization.default_observer)
    before = types(model)
    with pytest.raises(ArgumentError, match=r"qint8.*in module 'last'"):
        quantization.convert(model, inplace=True)
    assert types(model) == before
    assert quantization.prepare(model).fc.qconfig is not None


def test_float_input_names_the_module():
    model = converted()
    with pytest.raises(QuantizerError, match=r"QuantStub .*in module 'conv'"):
        model.block(floats(1, 3, 8, 8))


def test_quantized_input_names_the_module():
    x = refquant.quantize_per_tensor(floats(1, 3, 8, 8), 0.1, 0, refquant.quint8)
    with pytest.raises(RefquantError, match=r"dequantize.*in module 'block.conv'"):
        net()(x)


# -- in one call -----------------------------------------------------------------------------------


def test_quantize_passes_every_argument():
    model = net().train()
    model.qconfig = default_qconfig
    seen = []

    def run(m, data, times):
        seen.append((m.training, times, refquant.is_grad_enabled()))
        quantization.default_eval_fn(m, data)

    done = quantization.quantize(model, run, (batches(), 3))
    assert seen == [(False, 3, False)]
    assert model.training
    assert not done.training


def test_quantize_in_place_or_not_at_all():
    model = net().train()
    model.qconfig = default_qconfig

    def fails(m):
        m(floats(1, 3, 8, 8))
        raise KeyError("no")

    before = types(model)
    with pytest.raises(KeyError):
        quantization.quantize(model, fails, [], inplace=True)
    assert types(model) == before
    assert model.training
    assert not model.last._forward_hooks
    last = model.last
    run = quantization.default_eval_fn
    assert quantization.quantize(model, run, [batches()], inplace=True) is model
    assert type(model.last) is nn.quantized.Linear
    assert not last._forward_hooks or model.last is not last


def test_quantize_checks_its_arguments():
    with pytest.raises(ArgumentTypeError, match=r"write \[data\]"):
        quantization.quantize(net(), quantization.default_eval_fn, floats(1))
    with pytest.raises(ArgumentTypeError, match="default_eval_fn"):
        quantization.quantize(net(), None, [])


def sequence():
    return randomize(nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4)))


@pytest.mark.parametrize("dtype", [refquant.qint8, refquant.float16])
@pytest.mark.parametrize("spec", [None, {nn.Linear}, {"0"}, ["2", "0"]])
def test_dynamic(spec, dtype):
    model = sequence()
    done = quantization.quantize_dynamic(model, spec, dtype=dtype)
    dynamic = nn.quantized.dynamic.Linear
    assert type(done[0]) is dynamic
    assert (type(done[2]) is dynamic) == (spec != {"0"})
    assert not done.training
    assert model.training
    x = floats(3, 6)
    assert abs(values(done(x)) - values(model(x))).max() < 0.05
    assert done[0].weight().dtype is (
        refquant.qint8 if dtype is refquant.qint8 else refquant.float32
    )


@pytest.mark.parametrize("dtype", [refquant.qint8, refquant.float16])
def test_dynamic_lstm(dtype):
    model = nn.Sequential(nn.LSTM(4, 3, num_layers=2))
    done = quantization.quantize_dynamic(model, dtype=dtype)
    assert type(done[0]) is nn.quantized.dynamic.LSTM
    x = floats(5, 2, 4)
    assert abs(values(done(x)[0]) - values(model(x)[0])).max() < 0.05


def test_dynamic_by_mapping():
    per_channel = QConfigDynamic(quantization.default_per_channel_weight_observer)
    done = quantization.quantize_dynamic(sequence(), {nn.Linear: per_channel, "2": None})
    assert done[0].weight().qscheme() is refquant.per_channel_affine
    assert type(done[2]) is nn.Linear


def test_dynamic_errors():
    with pytest.raises(ArgumentError, match="Don't know how to quantize"):
        quantization.quantize_dynamic(sequence(), dtype=refquant.qint32)
    with pytest.raises(OperationError, match="Unknown dtype"):
        quantization.quantize_dynamic(sequence(), {nn.Linear}, dtype=refquant.qint32)
    with pytest.raises(ModuleNameError, match="one of 0, 1, 2"):
        quantization.quantize_dynamic(sequence(), {"first"})
    with pytest.raises(ArgumentTypeError, match="put it into a set"):
        quantization.quantize_dynamic(sequence(), nn.Linear)
    with pytest.warns(UserWarning, match="itself a Linear"):
        quantization.quantize_dynamic(nn.Linear(2, 2))


def test_different_recipes_for_parts():
    model = quantization.fuse_modules(net().eval(), FUSE)
    model.qconfig = default_qconfig
    model.last.qconfig = quantization.default_per_channel_qconfig
    model = quantization.quantize(model, quantization.default_eval_fn, [batches()])
    assert model.last.weight().qscheme() is refquant.per_channel_affine
    assert model.fc.weight().qscheme() is refquant.per_tensor_affine


def test_training_with_rounding_converts():
    model, _ = trained()
    assert types(quantization.convert(model)) == TYPES
