"""propagate_qconfig_, prepare, add_observer_: which modules get a QConfig and an observer."""

import numpy as np
import pytest
from workflow.models import FUSE, Net, calibrated, floats, net, prepared, types, values

from refquant import engines, nn, quantization
from refquant.errors import ArgumentError, ArgumentTypeError, ModuleNameError, OperationError
from refquant.quantization import (
    HistogramObserver,
    MinMaxObserver,
    QConfig,
    default_dynamic_qconfig,
    default_per_channel_qconfig,
    default_qconfig,
    default_weight_observer,
)

HISTOGRAM = QConfig(HistogramObserver, default_weight_observer)


def observers(model):
    found = {}
    quantization.get_observer_dict(model, found)
    return {name: type(o).__name__ for name, o in found.items() if type(o) is not nn.Identity}


def test_observers_stand_where_the_release_puts_them(engine):
    inside = "block.conv.0 block.conv.1 fc.0 fc.1"
    pairs = inside if engine.endswith("1.4") else "block.conv fc"
    assert set(observers(prepared())) == {
        f"{name}.activation_post_process"
        for name in ("quant", "block.conv2", "block.sum", "last", *pairs.split())
    }


def test_a_model_is_copied_unless_inplace():
    model = net().eval()
    model.qconfig = default_qconfig
    copy = quantization.prepare(model)
    assert not observers(model)
    assert "qconfig" not in vars(model.fc)
    assert quantization.prepare(model, inplace=True) is model
    assert types(model) == types(copy)


def test_recipes_by_name_and_type():
    model = net().eval()
    recipes = {
        "": default_qconfig,
        nn.Linear: default_per_channel_qconfig,
        "last": HISTOGRAM,
        "block": None,
    }
    ready = quantization.prepare(model, recipes)
    assert ready.fc.qconfig is default_per_channel_qconfig
    assert ready.last.qconfig is HISTOGRAM
    assert ready.quant.qconfig is default_qconfig
    assert ready.block.conv.qconfig is None
    assert "block.conv.activation_post_process" not in observers(ready)
    assert observers(ready)["last.activation_post_process"] == "HistogramObserver"


def test_an_attribute_wins_over_the_mapping():
    model = net()
    model.fc.qconfig = None
    model.last.qconfig = HISTOGRAM
    quantization.propagate_qconfig_(model, {"": default_qconfig, "fc": HISTOGRAM})
    assert model.fc.qconfig is None
    assert model.last.qconfig is HISTOGRAM
    assert model.dequant.qconfig is default_qconfig


def test_1_4_stores_recipes_where_they_are_of_use():
    model = net()
    with engines.using("fbgemm-1.4"):
        quantization.propagate_qconfig_(model, {"": default_qconfig})
    assert "qconfig" not in vars(model.dequant)


def test_nothing_to_quantize_warns():
    with pytest.warns(UserWarning, match="None of the submodule got qconfig applied"):
        quantization.prepare(net())


def test_preparing_twice_keeps_what_was_observed():
    model = calibrated()
    again = quantization.prepare(model)
    assert types(again) == types(model)
    assert again.block.sum.activation_post_process.max_val.equal(
        model.block.sum.activation_post_process.max_val
    )


def test_observers_do_not_change_outputs():
    model, x = prepared(), floats(2, 3, 8, 8)
    plain = quantization.fuse_modules(net().eval(), FUSE)
    assert np.array_equal(values(model(x)), values(plain(x)))


def test_hooks_of_the_user_stay_and_see_the_output():
    model = net().eval()
    seen = []
    model.last.register_forward_hook(lambda module, inputs, output: seen.append(type(module)))
    model.qconfig = default_qconfig
    ready = quantization.prepare(model)
    ready(floats(2, 3, 8, 8))
    assert seen == [nn.Linear]


def test_a_shared_module_is_observed_once():
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    ready = quantization.prepare(model, {"": default_qconfig})
    assert ready[0] is ready[2]
    ready(floats(2, 4))
    assert len(ready[0]._forward_hooks) == 1


def test_two_recipes_for_one_module_are_rejected():
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, shared)
    with pytest.raises(ArgumentError, match="'1' is the same module as '0'"):
        quantization.prepare(model, {"0": default_qconfig, "1": HISTOGRAM})


def test_add_observer_alone():
    model = nn.Sequential(nn.Linear(2, 2), nn.quantized.FloatFunctional())
    for module in model:
        module.qconfig = default_qconfig
    quantization.add_observer_(model)
    assert set(observers(model).values()) == {"MinMaxObserver"}


def test_a_gated_layer_is_left_to_dynamic_quantization():
    model = nn.Sequential(nn.Linear(3, 3), nn.GRU(3, 2)).eval()
    with pytest.raises(ArgumentError, match=r"can only be quantized dynamically.*qconfig = None"):
        quantization.prepare(model, {"": default_qconfig})
    ready = quantization.prepare(model, {"": default_qconfig, "1": None})
    assert set(observers(ready)) == {"0.activation_post_process"}
    ready(floats(2, 3, 3))


def test_an_lstm_is_taken_apart():
    model = nn.Sequential(nn.Linear(3, 3), nn.LSTM(3, 2)).eval()
    ready = quantization.prepare(model, {"": default_qconfig})
    assert type(ready[1]) is nn.quantizable.LSTM
    cell = "1.layers.0.layer_fw.cell."
    assert {name for name in observers(ready) if name.startswith("1.")} == {
        f"{cell}{part}.activation_post_process"
        for part in (
            "igates", "hgates", "gates", "fgate_cx", "igate_cgate", "fgate_cx_igate_cgate",
            "ogate_cy",
        )
    }  # fmt: skip
    ready(floats(2, 3, 3))
    with engines.using("fbgemm-1.4"):
        old = quantization.prepare(model, {"": default_qconfig})
    assert type(old[1]) is nn.LSTM


def test_observers_name_the_module_in_errors():
    model = prepared()
    x = floats(1, 3, 8, 8)
    x.array[0, 0, 0, 0] = np.nan
    with pytest.raises(OperationError, match="'quant' was given NaN"):
        model(x)


ERRORS = [
    ({"block.convv": default_qconfig}, ModuleNameError, "conv, bn, relu"),
    ({"": "fbgemm"}, ArgumentTypeError, r"get_default_qconfig\('fbgemm'\)"),
    ({3: default_qconfig}, ArgumentTypeError, "a name or a type"),
    (default_qconfig, ArgumentTypeError, "model.qconfig"),
    ({"": default_dynamic_qconfig}, ArgumentError, "quantize_dynamic"),
]


@pytest.mark.parametrize(("recipes", "kind", "words"), ERRORS)
def test_errors_change_nothing(recipes, kind, words):
    model = net()
    before = types(model)
    with pytest.raises(kind, match=words):
        quantization.prepare(model, recipes, inplace=True)
    assert types(model) == before
    assert not any("qconfig" in vars(module) for module in model.modules())


def test_a_string_as_qconfig_is_rejected():
    model = net()
    model.qconfig = "qnnpack"
    with pytest.raises(ArgumentTypeError, match=r"get_default_qconfig\('qnnpack'\)"):
        quantization.prepare(model)


def test_a_class_instead_of_a_model_is_rejected():
    with pytest.raises(ArgumentTypeError, match="an instance"):
        quantization.prepare(Net)


def test_wrappers():
    module = nn.Sequential(nn.Linear(2, 2)).eval()
    module[0].qconfig = default_qconfig
    wrapped = quantization.QuantWrapper(module[0])
    assert [name for name, _ in wrapped.named_children()] == ["quant", "dequant", "module"]
    assert wrapped.quant.qconfig is default_qconfig
    assert not wrapped.training
    leaf = quantization.add_quant_dequant(module[0])
    assert type(leaf) is quantization.QuantWrapper
    assert quantization.add_quant_dequant(leaf) is leaf
    model = quantization.add_quant_dequant(nn.Sequential(module, module))
    assert type(model[0][0]) is quantization.QuantWrapper
    assert model[0] is model[1]


def test_factories_that_fail_change_nothing():
    def fails():
        raise KeyError("no observer")

    model = net()
    model.qconfig = QConfig(fails, MinMaxObserver)
    before = types(model)
    with pytest.raises(KeyError):
        quantization.prepare(model, inplace=True)
    assert types(model) == before
    assert "qconfig" not in vars(model.fc)


def test_an_empty_sequence_is_not_observed():
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential())
    model.qconfig = default_qconfig
    model = quantization.prepare(model)
    assert hasattr(model[0], "activation_post_process")
    assert not model[1]._modules
    assert not model[1]._forward_hooks
