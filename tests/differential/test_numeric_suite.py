"""The numeric suite, equalization and bias correction compared with an installed PyTorch 2.13."""

import importlib

import numpy as np
import pytest
from interop.models import batch, build

import refquant

pytestmark = [
    pytest.mark.torch,
    pytest.mark.usefixtures("engine_of_both"),
    pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated"),
    pytest.mark.filterwarnings("ignore:convert. no data:UserWarning"),
    pytest.mark.filterwarnings("ignore:(must run observer|Please use quant_min):UserWarning"),
]


def suite(library):
    """Import the three modules by PyTorch's paths."""
    name = library.__name__
    paths = "ns._numeric_suite", "quantization._equalize", "quantization._correct_bias"
    return [importlib.import_module(f"{name}.ao.{path}") for path in paths]


def models(torch, name):
    """Make a float and a quantized model of PyTorch, and the same two here."""
    quantization = torch.ao.quantization
    torch.manual_seed(0)
    cls = build()[name]
    model = cls().eval()
    if name == "Words":
        quantized = quantization.quantize_dynamic(model)
    else:
        model = quantization.fuse_modules(model, [*cls.GROUPS])
        recipe = quantization.get_default_qconfig(torch.backends.quantized.engine)
        prepared = quantization.prepare(with_recipe(model, recipe))
        prepared(torch.from_numpy(batch(cls.SHAPE)))
        quantized = quantization.convert(prepared)
    theirs = without_recipe(model), quantized
    return theirs, refquant.from_torch(theirs), batch(cls.SHAPE, 1)


def with_recipe(model, recipe):
    model.qconfig = recipe
    return model


def without_recipe(model):
    for module in model.modules():
        vars(module).pop("qconfig", None)
    return model


def numbers(value):
    """Return integers of quantized tensors and numbers of others, of the items of a list."""
    if isinstance(value, list | tuple):
        return [part for item in value for part in numbers(item)]
    return [(value.int_repr() if value.is_quantized else value.detach()).numpy()]


def assert_close(ours, theirs):
    """Compare dictionaries of pairs; float sums have no defined last bit."""
    assert list(ours) == list(theirs)
    for key, pair in theirs.items():
        assert sorted(ours[key]) == sorted(pair)
        for kind, value in pair.items():
            for a, b in zip(numbers(ours[key][kind]), numbers(value), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6, err_msg=f"{key} {kind}")


@pytest.mark.parametrize("name", ["LeNet", "Residual", "Words"])
def test_weights_are_compared(torch, name):
    theirs, ours, _ = models(torch, name)
    wanted = suite(torch)[0].compare_weights(*(model.state_dict() for model in theirs))
    found = suite(refquant)[0].compare_weights(*(model.state_dict() for model in ours))
    assert len(found) >= 3
    paths = [key.partition("._packed")[0].removesuffix(".weight") for key in found]
    known = [key.partition("._packed")[0].removesuffix(".weight") for key in wanted]
    for key, path in zip(found, paths, strict=True):
        for kind in ("float", "quantized") if path in known else ():
            a, b = found[key][kind], [*wanted.values()][known.index(path)][kind]
            np.testing.assert_array_equal(numbers(a), numbers(b))
    assert set(known) <= set(paths) or name == "Words"


@pytest.mark.parametrize("name", ["LeNet", "Residual", "Words"])
def test_modules_are_compared_on_the_same_input(torch, name):
    theirs, ours, x = models(torch, name)
    answers = []
    for library, pair, data in ((torch, theirs, torch.from_numpy(x)),
                                (refquant, ours, refquant.from_numpy(x))):  # fmt: skip
        nn = library.ao.nn
        kinds = {library.nn.Linear, library.nn.Conv2d, library.nn.LSTM,
                 nn.intrinsic.LinearReLU, nn.intrinsic.ConvReLU2d,
                 nn.quantized.FloatFunctional}  # fmt: skip
        answers.append(suite(library)[0].compare_model_stub(*pair, kinds, data))
    assert len(answers[1]) >= 2
    assert_close(answers[1], answers[0])


@pytest.mark.parametrize("name", ["LeNet", "Residual", "Words"])
def test_models_are_compared_module_by_module(torch, name):
    theirs, ours, x = models(torch, name)
    wanted = suite(torch)[0].compare_model_outputs(*theirs, torch.from_numpy(x))
    found = suite(refquant)[0].compare_model_outputs(*ours, refquant.from_numpy(x))
    more = set(found) - set(wanted)
    # A fused linear layer, which PyTorch leaves out.
    assert more == ({"fc1.stats"} if name == "LeNet" else set())
    assert_close({key: found[key] for key in wanted}, wanted)


@pytest.mark.usefixtures("library_of_records")
@pytest.mark.parametrize("groups", [[["conv1", "conv2"]], [["fc1", "fc2"]]])
def test_layers_are_equalized(torch, groups):
    cls = build()["LeNet"]
    torch.manual_seed(1)
    theirs = torch.ao.quantization.fuse_modules(cls().eval(), [*cls.GROUPS])
    ours = refquant.from_torch(theirs)
    suite(torch)[1].equalize(theirs, groups)
    suite(refquant)[1].equalize(ours, groups)
    state = ours.state_dict()
    for name, value in theirs.state_dict().items():
        np.testing.assert_array_equal(state[name].numpy(), value.numpy(), err_msg=name)


def test_biases_are_corrected(torch):
    if torch.backends.quantized.engine == "qnnpack":
        pytest.skip("PyTorch's QNNPACK keeps using the bias that it packed")
    answers = []
    theirs, ours, _ = models(torch, "Residual")
    data = [batch((2, 3, 8, 8), seed) for seed in range(3)]
    for library, pair in ((torch, theirs), (refquant, ours)):
        batches = [(library.from_numpy(x),) for x in data]
        with torch.no_grad():
            suite(library)[2].bias_correction(*pair, batches, neval_batches=2)
        quantized = pair[1]
        answers.append([quantized.stem.orig_module.bias(), quantized.fc.orig_module.bias()])
    for a, b in zip(answers[1], answers[0], strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-6)
