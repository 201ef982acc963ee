"""Conversion without data compared with an installed PyTorch 2.13: types, scales, zero points."""

import warnings

import pytest

import refquant
from refquant import nn, quantization
from refquant.errors import NoDataWarning

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def _engine_of_refquant(torch):
    torch.backends.quantized.engine = refquant.backends.quantized.engine


def build(nn, functional, quantization, groups):
    """Build the same network in PyTorch and here."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
            self.conv, self.relu, self.one = nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 1)
            self.sum, self.spare = functional(), functional()
            self.fc, self.relu2, self.last = nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 4)

        def forward(self, x):
            x = self.relu(self.conv(self.quant(x)))
            x = self.sum.add(x, self.one(x))
            x = self.relu2(self.fc(x.reshape(x.shape[0], -1)))
            return self.dequant(self.last(x))

    model = Net().eval()
    return quantization.fuse_modules(model, groups) if groups else model


def told(model):
    """Types, scales and zero points of the parts, and scales of weights; a ReLU is no part."""
    found, weights = {}, {}
    for name, module in model.named_children():
        if type(module).__name__ in ("ReLU", "Identity"):
            continue
        facts = [type(module).__name__]
        if hasattr(module, "scale"):
            facts += [float(module.scale), int(module.zero_point)]
        if callable(getattr(module, "weight", None)):
            weight = module.weight()
            per_channel = "channel" in str(weight.qscheme())
            weights[name] = (
                weight.q_per_channel_scales().tolist() if per_channel else [weight.q_scale()]
            )
        found[name] = facts
    return found, weights


def assert_same(ours, theirs):
    (found, weights), (wanted, scales) = told(ours), told(theirs)
    assert found == wanted
    assert weights.keys() == scales.keys()
    for name, scale in scales.items():
        assert weights[name] == pytest.approx(scale, rel=1e-6)


RECIPES = {
    "default_qconfig": "prepare",
    "default_per_channel_qconfig": "prepare",
    "default_qat_qconfig": "prepare_qat",
}


@pytest.mark.parametrize("groups", [[], [["conv", "relu"], ["fc", "relu2"]]])
@pytest.mark.parametrize("recipe", RECIPES)
def test_what_no_data_has_passed_through(torch, recipe, groups):
    peer = torch.ao.quantization
    theirs = build(torch.nn, torch.ao.nn.quantized.FloatFunctional, peer, groups)
    ours = build(nn, nn.quantized.FloatFunctional, quantization, groups)
    ours.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
    if recipe == "default_qat_qconfig":
        theirs, ours = theirs.train(), ours.train()
    theirs.qconfig, ours.qconfig = getattr(peer, recipe), getattr(quantization, recipe)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = peer.convert(getattr(peer, RECIPES[recipe])(theirs).eval())
    with pytest.warns(NoDataWarning, match="through quant, conv, one, sum, spare, fc, last "):
        ours = quantization.convert(getattr(quantization, RECIPES[recipe])(ours).eval())
    assert_same(ours, theirs)


def test_a_model_that_was_never_prepared(torch):
    peer = torch.ao.quantization
    theirs = build(torch.nn, torch.ao.nn.quantized.FloatFunctional, peer, [])
    ours = build(nn, nn.quantized.FloatFunctional, quantization, [])
    theirs.qconfig, ours.qconfig = peer.default_qconfig, quantization.default_qconfig
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = peer.convert(theirs)
    with pytest.warns(UserWarning, match="not prepared: the model"):
        ours = quantization.convert(ours)
    kinds = [[type(m).__name__ for m in model.modules()] for model in (ours, theirs)]
    assert kinds[0] == kinds[1]


def test_the_dynamic_mapping_of_a_static_recipe(torch):
    peer = torch.ao.quantization
    theirs, ours = torch.nn.Sequential(torch.nn.Linear(3, 2)), nn.Sequential(nn.Linear(3, 2))
    ours.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
    theirs[0].qconfig, ours[0].qconfig = peer.default_qconfig, quantization.default_qconfig
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = peer.convert(theirs, peer.get_default_dynamic_quant_module_mappings())
    ours = quantization.convert(ours, quantization.DEFAULT_DYNAMIC_MODULE_MAPPING)
    assert type(ours[0]) is nn.quantized.dynamic.Linear
    assert type(theirs[0]) is torch.ao.nn.quantized.dynamic.Linear
    assert_same(ours, theirs)
