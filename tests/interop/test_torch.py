"""Models and tensors of PyTorch 2.13, brought over and taken back."""

import io

import numpy as np
import pytest
from interop.models import batch, build

import refquant
from refquant import errors

pytestmark = [
    pytest.mark.torch,
    pytest.mark.usefixtures("engine_of_both"),
    pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated"),
    pytest.mark.filterwarnings("ignore:convert. no data:UserWarning"),
    pytest.mark.filterwarnings("ignore:(must run observer|Please use quant_min):UserWarning"),
]
NAMES = ("LeNet", "Residual")


def made(torch, name, stage):
    """Make a network of PyTorch at a stage of the workflow, and a batch."""
    quantization, engine = torch.ao.quantization, torch.backends.quantized.engine
    torch.manual_seed(0)
    cls = build()[name]
    model, x = cls().eval(), torch.from_numpy(batch(cls.SHAPE))
    if stage == "float":
        return model, x
    if stage in ("qint8", "float16"):
        return quantization.quantize_dynamic(model, dtype=getattr(torch, stage)), x
    if stage == "trained":
        model = quantization.fuse_modules_qat(model.train(), [*cls.GROUPS])
        model.qconfig = quantization.get_default_qat_qconfig(engine)
        model = quantization.prepare_qat(model)
    else:
        model = quantization.fuse_modules(model, [*cls.GROUPS])
        model.qconfig = quantization.get_default_qconfig(engine)
        model = quantization.prepare(model)
    for seed in range(3):
        model(torch.from_numpy(batch(cls.SHAPE, seed)))
    return (quantization.convert(model) if stage == "converted" else model.eval()), x


def run(model, x):
    """Run a model of either library on a batch of PyTorch."""
    ours = isinstance(model, refquant.nn.Module)
    return model(refquant.from_numpy(x.numpy()) if ours else x).detach().numpy()


def assert_equal(ours, theirs):
    np.testing.assert_array_equal(ours, theirs, strict=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_converted_model_gives_the_same_bits(torch, name):
    model, x = made(torch, name, "converted")
    ours = refquant.from_torch(model)
    assert type(ours).__name__ == name
    assert isinstance(ours, refquant.nn.Module)
    assert_equal(run(ours, x), run(model, x))
    assert_equal(run(refquant.to_torch(ours), x), run(model, x))


@pytest.mark.parametrize("name", [*NAMES, "Words"])
def test_a_float_model_gives_the_same_numbers(torch, name):
    model, x = made(torch, name, "float")
    ours = refquant.from_torch(model)
    np.testing.assert_allclose(run(ours, x), run(model, x), rtol=1e-5, atol=1e-6)
    assert_equal(run(refquant.to_torch(ours), x), run(model, x))
    assert list(ours.state_dict()) == list(model.state_dict())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stage", ["prepared", "trained"])
def test_a_model_with_observers_goes_on_where_it_was(torch, name, stage):
    """After more data it is converted to the same integers."""
    model, x = made(torch, name, stage)
    ours = refquant.from_torch(model)
    assert type(ours).__name__ == name
    np.testing.assert_allclose(run(ours, x), run(model, x), rtol=1e-5, atol=2e-6)
    quantized = refquant.quantization.convert(refquant.from_torch(model))
    assert_equal(run(quantized, x), run(torch.ao.quantization.convert(model), x))


@pytest.mark.parametrize("stage", ["qint8", "float16"])
def test_a_dynamically_quantized_lstm(torch, stage):
    if stage == "float16" and torch.backends.quantized.engine == "qnnpack":
        pytest.skip("QNNPACK has no float16")
    model, x = made(torch, "Words", stage)
    ours = refquant.from_torch(model)
    assert type(ours.lstm) is refquant.nn.quantized.dynamic.LSTM
    # Sigmoid and tanh of PyTorch err by an ulp.
    np.testing.assert_allclose(run(ours, x), run(model, x), rtol=2e-6, atol=2e-6)
    assert_equal(run(refquant.to_torch(ours), x), run(model, x))


def test_a_dynamically_quantized_linear_layer_gives_the_same_bits(torch):
    model, x = made(torch, "Words", "qint8")
    fc, hidden = model.fc, model.lstm(x)[0]
    assert_equal(run(refquant.from_torch(fc), hidden), run(fc, hidden))


@pytest.mark.parametrize("stage", ["float", "converted"])
def test_a_state_dict_fits_the_same_model(torch, stage):
    model, x = made(torch, "LeNet", stage)
    ours, other = refquant.from_torch(model), refquant.from_torch(model)
    for parameter in other.parameters():
        parameter.data.fill_(0)
    state = refquant.from_torch(model.state_dict())
    assert list(state) == list(model.state_dict())
    other.load_state_dict(state)
    assert_equal(run(other, x), run(ours, x))
    theirs = refquant.to_torch(state)
    assert all(torch.equal(value, theirs[name]) for name, value in model.state_dict().items()
               if isinstance(value, torch.Tensor) and not value.is_quantized)  # fmt: skip


@pytest.mark.parametrize("kind", ["float32", "int64", "bool", "channels_last", "scalar"])
def test_plain_tensors(torch, kind):
    tensor = torch.arange(48.0).reshape(2, 3, 2, 4)
    if kind == "channels_last":
        tensor = tensor.contiguous(memory_format=torch.channels_last)
    elif kind == "scalar":
        tensor = tensor.sum()
    else:
        tensor = tensor.to(getattr(torch, kind))
    ours = refquant.from_torch(tensor)
    assert_equal(ours.numpy(), tensor.numpy())
    assert ours.stride() == tensor.stride()
    assert torch.equal(refquant.to_torch(ours), tensor)
    assert refquant.from_torch(torch.ones(2, requires_grad=True)).requires_grad


@pytest.mark.parametrize("dtype", ["quint8", "qint8", "qint32"])
def test_quantized_tensors(torch, dtype):
    x = torch.from_numpy(batch((3, 4)))
    for theirs in (
        torch.quantize_per_tensor(x, 0.1, 3, getattr(torch, dtype)),
        torch.quantize_per_channel(
            x, torch.tensor([0.1, 0.2, 0.3]), torch.tensor([1, 2, 3]), 0, getattr(torch, dtype)
        ),
    ):
        ours = refquant.from_torch(theirs)
        assert ours.dtype is getattr(refquant, dtype)
        assert_equal(ours.int_repr().numpy(), theirs.int_repr().numpy())
        assert_equal(ours.dequantize().numpy(), theirs.dequantize().numpy())
        assert torch.equal(refquant.to_torch(ours), theirs)


def test_values_inside_containers_and_constants(torch):
    given = {
        "a": [torch.float32, torch.per_tensor_affine, torch.channels_last, torch.device("cpu")],
        "b": (torch.Size([2, 3]), None, 1.5, "text"),
    }
    ours = refquant.from_torch(given)
    assert ours == {
        "a": [refquant.float32, refquant.per_tensor_affine, refquant.channels_last, "cpu"],
        "b": ((2, 3), None, 1.5, "text"),
    }
    assert refquant.to_torch(ours) == given


def test_nothing_is_shared(torch):
    model = torch.nn.Linear(2, 2)
    ours = refquant.from_torch(model)
    ours.weight.data.fill_(0)
    assert model.weight.abs().sum() > 0


def test_shared_modules_hooks_and_recipes_stay_what_they_are(torch):
    seen = []

    def hook(module, inputs, output):
        seen.append(torch.is_tensor(output))

    relu = torch.nn.ReLU()
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), relu, relu)
    relu.register_forward_hook(hook)
    model.qconfig = torch.ao.quantization.default_qconfig
    ours = refquant.from_torch(model.eval())
    ours(refquant.ones(1, 2))
    assert ours[1] is ours[2]
    assert not ours[0].training
    assert seen == [True, True]
    assert ours.qconfig.activation().dtype is refquant.quint8


def test_what_cannot_come_over_is_listed_at_once(torch):
    nn = torch.nn
    inner = nn.Sequential(nn.CELU(), nn.LSTM(2, 4, proj_size=3))
    model = nn.Sequential(nn.Mish(), inner, nn.LSTM(2, 4, proj_size=2))
    with pytest.raises(errors.NotSupportedError) as caught:
        refquant.from_torch(model)
    for part in ("0: torch.nn.modules.activation.Mish", "1.1: LSTM: ", "got 3",
                 "2: LSTM: from_torch: `proj_size` must be 0, got 2"):  # fmt: skip
        assert part in str(caught.value)
    with pytest.raises(errors.NotSupportedError, match=r"a: a tensor of torch\.bfloat16"):
        refquant.from_torch({"a": torch.ones(1, dtype=torch.bfloat16)})


def test_a_named_padding_comes_over(torch):
    theirs = torch.nn.Conv2d(1, 1, (3, 4), padding="same", dilation=(1, 2))
    ours = refquant.from_torch(theirs)
    x = torch.rand(2, 1, 5, 6)
    assert ours.padding == "same"
    result = ours(refquant.from_torch(x)).detach().numpy()
    np.testing.assert_allclose(result, theirs(x).detach().numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_of_pytorch_says_how_to_bring_it_over(torch, legacy):
    file = io.BytesIO()
    model = torch.nn.Linear(2, 2)
    torch.save(model.state_dict(), file, _use_new_zipfile_serialization=not legacy)
    file.seek(0)
    with pytest.raises(errors.FileFormatError, match="from_torch") as caught:
        refquant.load(file)
    assert "torch.load(file, weights_only=True)" in str(caught.value)
    file.seek(0)
    content, new_file = torch.load(file, weights_only=True), io.BytesIO()
    refquant.save(refquant.from_torch(content), new_file)
    new_file.seek(0)
    assert list(refquant.load(new_file)) == ["weight", "bias"]
