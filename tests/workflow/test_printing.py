"""What modules look like when they are printed: the text of PyTorch 2.13, with our names."""

import warnings

import pytest

import refquant
from refquant import nn
from refquant import quantization as Q


def qat(library, nn, Q):
    layers = [nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2), nn.Linear(2, 2), nn.BatchNorm1d(2)]
    model = nn.Sequential(*layers, nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.ReLU()).train()
    fused = Q.fuse_modules_qat(model, [["0", "1"], ["2", "3"], ["4", "5", "6"]])
    fused.qconfig = Q.get_default_qat_qconfig("fbgemm")
    return Q.prepare_qat(fused)


def quantized(library, nn, Q):
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2), nn.ReLU(), nn.Conv2d(1, 1, 1)).eval()
    model = Q.fuse_modules(model, ["1", "2"])
    model.qconfig = Q.get_default_qconfig("fbgemm")
    prepared = Q.prepare(model)
    for module in prepared.modules():
        if hasattr(module, "min_val"):
            module(library.tensor([0.0, 1.0]))
    return Q.convert(prepared)


def dynamic(library, nn, Q):
    model = nn.Sequential(nn.Linear(2, 3), nn.LSTM(3, 2, 2, bidirectional=True), nn.GRU(2, 2))
    return Q.quantize_dynamic(model.eval(), {nn.Linear, nn.LSTM})


def halves(library, nn, Q):
    return Q.quantize_dynamic(nn.Sequential(nn.Linear(2, 3)).eval(), dtype=library.float16)


def floats(library, nn, Q):
    return nn.Sequential(
        nn.BatchNorm2d(2), nn.BatchNorm1d(2, affine=False), nn.InstanceNorm1d(2),
        nn.GroupNorm(1, 2), nn.LayerNorm((2, 3), bias=False),
        nn.LayerNorm(2, elementwise_affine=False),
        nn.ModuleList([nn.Linear(1, 1) for _ in range(3)]), nn.ModuleList(),
        nn.ModuleList([nn.ReLU(), nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU())]),
    )  # fmt: skip


def rounding(library, nn, Q):
    return nn.ModuleList(
        [
            Q.fake_quantize.default_fake_quant(),
            Q.fake_quantize.default_per_channel_weight_fake_quant(),
            Q.fake_quantize.default_fused_act_fake_quant(),
            Q.fake_quantize.default_fused_per_channel_wt_fake_quant(),
        ]
    )


MODELS = [qat, quantized, dynamic, halves, floats, rounding]


@pytest.mark.torch
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_an_installed_pytorch_prints_the_same(torch, model):
    with refquant.engines.using("fbgemm"):
        ours = repr(model(refquant, nn, Q))
    torch.backends.quantized.engine = "fbgemm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces the end of its eager mode
        theirs = repr(model(torch, torch.nn, torch.ao.quantization))
    ours = ours.replace("refquant.", "torch.").replace(", release=2.13", "")
    assert ours == theirs


def test_quantized_linear_layers_show_their_scheme_and_no_packed_parameters():
    with refquant.engines.using("fbgemm"):
        model = quantized(refquant, nn, Q)
    assert repr(model[0]) == (
        "QuantizedLinear(in_features=2, out_features=3, scale=0.007870171219110489, "
        "zero_point=0, qscheme=refquant.per_channel_affine)"
    )


def test_equal_members_of_a_list_share_a_line():
    assert repr(nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Identity()])) == (
        "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Identity()\n)"
    )
    assert repr(nn.ModuleList()) == "ModuleList()"


def test_normalization_comes_before_the_rounding_of_weights_in_a_state():
    with refquant.engines.using("fbgemm"):
        keys = list(qat(refquant, nn, Q).state_dict())
    layer = [key for key in keys if key.startswith("4.")]
    parts = [key.split(".")[1] for key in layer]
    assert parts.index("bn") < parts.index("weight_fake_quant")


def test_layer_normalization_without_a_shift():
    layer = nn.LayerNorm(3, bias=False)
    assert layer.bias is None
    assert list(layer.state_dict()) == ["weight"]
    x = refquant.tensor([[1.0, 2.0, 6.0]])
    assert refquant.equal(layer(x), nn.LayerNorm(3)(x))
    layer(x).square().sum().backward()
    assert layer.weight.grad is not None


def test_loading_a_state_says_what_matched():
    layer = nn.Linear(1, 1)
    found = layer.load_state_dict(layer.state_dict())
    assert repr(found) == "<All keys matched successfully>"
    assert found == ([], [])
    found = layer.load_state_dict({"weight": refquant.ones(1, 1), "other": 1}, strict=False)
    assert (found.missing_keys, found.unexpected_keys) == (["bias"], ["other"])
    assert repr(found) == "_IncompatibleKeys(missing_keys=['bias'], unexpected_keys=['other'])"
