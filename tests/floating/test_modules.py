"""Modules: names of their parameters, how they print, what they keep."""

import copy

import numpy as np
import pytest

import refquant
from refquant import nn
from refquant.errors import OperationError, RefquantError

MODULES = {
    "Linear": "Linear(3, 4)",
    "Linear without bias": "Linear(3, 4, bias=False)",
    "Conv1d": "Conv1d(2, 4, 3, padding=1)",
    "Conv2d": "Conv2d(2, 4, (3, 2), stride=2, dilation=(1, 2), groups=2, bias=False)",
    "Conv3d": "Conv3d(2, 4, 3)",
    "BatchNorm1d": "BatchNorm1d(3, eps=0.1)",
    "BatchNorm2d": "BatchNorm2d(3, momentum=None)",
    "BatchNorm3d": "BatchNorm3d(3, affine=False)",
    "BatchNorm without statistics": "BatchNorm2d(3, track_running_stats=False)",
    "LayerNorm": "LayerNorm((3, 2))",
    "ReLU": "ReLU()",
    "ReLU in place": "ReLU(inplace=True)",
    "ReLU6": "ReLU6(inplace=True)",
    "Hardtanh": "Hardtanh(-2, 3)",
    "ELU": "ELU(0.5)",
    "LeakyReLU": "LeakyReLU(0.2)",
    "Sigmoid": "Sigmoid()",
    "Tanh": "Tanh()",
    "Hardsigmoid": "Hardsigmoid()",
    "Hardswish": "Hardswish()",
    "SiLU": "SiLU()",
    "Softplus": "Softplus()",
    "Softmax": "Softmax(dim=1)",
    "LogSoftmax": "LogSoftmax(dim=1)",
    "Dropout": "Dropout(0.3)",
    "Dropout2d": "Dropout2d()",
    "Flatten": "Flatten()",
    "Unflatten": "Unflatten(1, (2, 2))",
    "Identity": "Identity(3, a=4)",
    "MaxPool1d": "MaxPool1d(3, 2, 1, ceil_mode=True)",
    "MaxPool2d": "MaxPool2d(3, 2, 1, ceil_mode=True)",
    "MaxPool3d": "MaxPool3d(3, 2, 1, 2)",
    "AvgPool1d": "AvgPool1d(2, padding=1)",
    "AvgPool3d": "AvgPool3d(2, 1, divisor_override=3)",
    "AdaptiveAvgPool1d": "AdaptiveAvgPool1d(3)",
    "AdaptiveAvgPool3d": "AdaptiveAvgPool3d((1, None, 2))",
    "ChannelShuffle": "ChannelShuffle(2)",
    "PixelShuffle": "PixelShuffle(2)",
    "PixelUnshuffle": "PixelUnshuffle(2)",
    "CircularPad1d": "CircularPad1d(1)",
    "CircularPad2d": "CircularPad2d((1, 0, 2, 1))",
    "CircularPad3d": "CircularPad3d(1)",
    "ConstantPad1d": "ConstantPad1d((1, -1), 0.5)",
    "ConstantPad2d": "ConstantPad2d(1, 3)",
    "ConstantPad3d": "ConstantPad3d(1, 0.5)",
    "ReflectionPad1d": "ReflectionPad1d(1)",
    "ReflectionPad2d": "ReflectionPad2d((1, 0, 1, 2))",
    "ReflectionPad3d": "ReflectionPad3d(1)",
    "ReplicationPad1d": "ReplicationPad1d(2)",
    "ReplicationPad2d": "ReplicationPad2d(1)",
    "ReplicationPad3d": "ReplicationPad3d((1, 0, 0, 1, 2, 0))",
    "ZeroPad1d": "ZeroPad1d(1)",
    "ZeroPad2d": "ZeroPad2d((1, -1, 0, 2))",
    "ZeroPad3d": "ZeroPad3d(1)",
    "AvgPool2d": "AvgPool2d((2, 1))",
    "AdaptiveAvgPool2d": "AdaptiveAvgPool2d((None, 2))",
    "Upsample": "Upsample(scale_factor=2, mode='bilinear', align_corners=True)",
    "Upsample to a size": "Upsample((3, 4))",
    "Upsample by middles": "Upsample(scale_factor=2, mode='nearest-exact')",
    "UpsamplingNearest2d": "UpsamplingNearest2d(scale_factor=2)",
    "UpsamplingBilinear2d": "UpsamplingBilinear2d(size=(2, 3))",
    "LSTM": "LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True, dropout=0.1)",
    "LSTM without bias": "LSTM(3, 4, bias=False)",
    "GRU": "GRU(3, 4, num_layers=2, bidirectional=True, dropout=0.1)",
    "RNN": "RNN(3, 4, nonlinearity='relu')",
    "LSTMCell": "LSTMCell(3, 4)",
    "GRUCell": "GRUCell(3, 4, bias=False)",
    "RNNCell": "RNNCell(3, 4, nonlinearity='relu')",
    "MSELoss": "MSELoss()",
    "CrossEntropyLoss": "CrossEntropyLoss()",
    "NLLLoss": "NLLLoss()",
    "nested": "Sequential(Linear(3, 4), Sequential(ReLU(), Conv2d(1, 2, 3)), ModuleList([Tanh()]))",
}


@pytest.mark.torch
@pytest.mark.parametrize("name", MODULES)
def test_state_and_repr_are_those_of_torch(torch, name):
    mine = eval(MODULES[name], vars(nn).copy())
    theirs = eval(MODULES[name], vars(torch.nn).copy())
    assert repr(mine) == repr(theirs)
    state = {k: (tuple(v.shape), v.dtype.name) for k, v in mine.state_dict().items()}
    other = theirs.state_dict()
    assert list(state) == list(other)
    assert state == {
        k: (tuple(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in other.items()
    }
    names = [n for n, _ in mine.named_parameters()]
    assert names == [n for n, _ in theirs.named_parameters()]
    for key in (
        "in_features",
        "in_channels",
        "kernel_size",
        "stride",
        "padding",
        "eps",
        "momentum",
        "num_features",
        "hidden_size",
        "inplace",
        "p",
        "dim",
        "mode",
        "size",
        "scale_factor",
        "output_size",
        "negative_slope",
        "reduction",
    ):
        if hasattr(theirs, key):
            assert getattr(mine, key) == getattr(theirs, key), key


@pytest.mark.torch
@pytest.mark.parametrize("momentum", [0.3, None])
def test_batch_norm_over_several_batches(torch, momentum):
    rng = np.random.default_rng(0)
    mine, theirs = (T.nn.BatchNorm2d(3, momentum=momentum) for T in (refquant, torch))
    for _ in range(4):
        x = (rng.normal(size=(2, 3, 4, 5)) * 3 + 1).astype(np.float32)
        a, b = mine(refquant.tensor(x)), theirs(torch.tensor(x))
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-5, 1e-5)
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(mine.state_dict()[key].numpy(), value.numpy(), 1e-6)
    a, b = mine.eval()(refquant.tensor(x)), theirs.eval()(torch.tensor(x))
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-5, 1e-5)


def test_batch_norm_state_without_count_loads():
    norm = nn.BatchNorm2d(2)
    state = norm.state_dict()
    del state["num_batches_tracked"]
    norm.num_batches_tracked.fill_(7)
    norm.load_state_dict(state)
    assert int(norm.num_batches_tracked) == 7
    del state["running_mean"]
    with pytest.raises(RuntimeError, match="running_mean"):
        norm.load_state_dict(state)


def test_batch_norm_by_hand():
    x = refquant.tensor([[1.0], [3.0]])
    norm = nn.BatchNorm1d(1, eps=0.0, momentum=0.5)
    assert norm(x).tolist() == [[-1.0], [1.0]]
    assert norm.running_mean.tolist() == [1.0]  # (0 + 2) / 2
    assert norm.running_var.tolist() == [1.5]  # (1 + 2) / 2, the variance over n - 1
    assert norm.eval()(refquant.tensor([[1.0]])).tolist() == [[0.0]]


def test_default_initialization_stays_in_its_bounds():
    refquant.manual_seed(0)
    for module, fan in ((nn.Linear(50, 40), 50), (nn.Conv2d(8, 40, 3, groups=2), 36)):
        for parameter in module.parameters():
            bound = 1 / np.sqrt(fan)
            values = parameter.detach().numpy()
            assert abs(values).max() <= bound
            assert abs(values).max() > 0.8 * bound
    for parameter in nn.LSTM(3, 16).parameters():
        assert abs(parameter.detach().numpy()).max() <= 0.25


def test_dropout():
    refquant.manual_seed(0)
    x = refquant.ones(1000, requires_grad=True)
    y = nn.Dropout(0.25)(x)
    y.sum().backward()
    assert set(y.tolist()) == {0.0, float(np.float32(1 / 0.75))}
    assert 200 < (y.detach().numpy() == 0).sum() < 300
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())
    assert nn.Dropout(0.25).eval()(x) is x
    assert nn.Dropout(1.0)(x).tolist() == [0.0] * 1000
    channels = nn.Dropout2d(0.5)(refquant.ones(4, 16, 3, 3)).numpy()
    assert (channels == channels[:, :, :1, :1]).all()


def test_same_seed_same_numbers():
    refquant.manual_seed(3)
    first = [
        refquant.randn(2, 2),
        refquant.rand(3),
        refquant.randint(5, (4,)),
        refquant.randperm(6),
    ]
    refquant.manual_seed(3)
    again = [
        refquant.randn(2, 2),
        refquant.rand(3),
        refquant.randint(5, (4,)),
        refquant.randperm(6),
    ]
    assert all(map(refquant.equal, first, again))
    assert refquant.initial_seed() == 3
    assert (first[1].numpy() < 1).all()


def test_quantized_tensors_go_through_views_and_not_through_float_layers():
    q = refquant.quantize_per_tensor(refquant.ones(2, 3, 4, 4), 0.5, 3, refquant.quint8)
    assert nn.Flatten()(q).is_quantized
    with pytest.raises(RuntimeError, match="dequantize"):
        nn.Conv2d(3, 2, 1)(q)
    with pytest.raises(RuntimeError, match="dequantize"):
        nn.BatchNorm2d(3)(q)
    with pytest.raises(RuntimeError, match="QFunctional"):
        q + q


def test_copies_of_a_model_learn_apart():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    other = copy.deepcopy(model)
    other(refquant.randn(4, 2)).sum().backward()
    assert all(p.grad is None for p in model.parameters())
    assert int(model[1].num_batches_tracked) == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Conv2d(3, 4, 3, groups=2),
        lambda: nn.Conv2d(3, 4, 0),
        lambda: nn.Conv2d(3, 4, (1, 2, 3)),
        lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"),
        lambda: nn.Dropout(1.5),
        lambda: nn.LSTM(3, 0),
        lambda: nn.GRU(3, 4)(refquant.ones(5, 2, 4)),
        lambda: nn.RNN(3, 4, nonlinearity="elu"),
        lambda: nn.LSTMCell(3, 4)(refquant.ones(2, 3), (refquant.ones(2, 4), refquant.ones(1, 4))),
        lambda: nn.GRUCell(3, 4)(refquant.ones(2, 4)),
        lambda: nn.LSTM(3, 4)(refquant.ones(5, 2, 4)),
        lambda: nn.LSTM(3, 4)(
            refquant.ones(5, 2, 3), (refquant.ones(1, 1, 4), refquant.ones(1, 2, 4))
        ),
        lambda: nn.Linear(3, 4)(refquant.ones(2, 4)),
        lambda: nn.Linear(3, 4)(refquant.ones(2, 3).double()),
        lambda: nn.Conv2d(3, 4, 3)(refquant.ones(1, 2, 5, 5)),
        lambda: nn.Conv2d(3, 4, 3)(refquant.ones(1, 3, 2, 2)),
        lambda: nn.BatchNorm2d(3)(refquant.ones(1, 3, 1, 1)),
        lambda: nn.BatchNorm2d(3)(refquant.ones(2, 4, 1, 1)),
        lambda: nn.BatchNorm2d(3)(refquant.ones(2, 3)),
        lambda: nn.MaxPool2d(2, padding=2)(refquant.ones(1, 1, 4, 4)),
        lambda: nn.AvgPool2d(5)(refquant.ones(1, 1, 4, 4)),
        lambda: nn.AvgPool2d(2, divisor_override=0)(refquant.ones(1, 1, 4, 4)),
        lambda: nn.Upsample()(refquant.ones(1, 1, 4, 4)),
        lambda: nn.Upsample(size=3, mode="bicubic")(refquant.ones(1, 1, 4, 4)),
        lambda: nn.Upsample(size=3, align_corners=True)(refquant.ones(1, 1, 4, 4)),
        lambda: nn.CrossEntropyLoss()(refquant.ones(2, 3), refquant.tensor([0, 3])),
        lambda: nn.CrossEntropyLoss()(refquant.ones(2, 3), refquant.tensor([0, 1, 2])),
        lambda: nn.MSELoss("median")(refquant.ones(2), refquant.ones(2)),
        lambda: nn.Softmax()(refquant.ones(2)),
        lambda: nn.utils.rnn.pack_padded_sequence(refquant.ones(3, 2), [1, 3]),
        lambda: nn.utils.rnn.pack_padded_sequence(refquant.ones(3, 2), [4, 3]),
    ],
)
def test_errors_are_the_projects_own(make):
    with pytest.raises(RefquantError):
        make()


def test_a_batch_that_normalization_rejects_is_not_counted():
    for momentum in (0.1, None):
        norm = nn.BatchNorm2d(4, momentum=momentum)
        with pytest.raises(OperationError, match="more than one value"):
            norm(refquant.ones(1, 4, 1, 1))
        assert int(norm.num_batches_tracked) == 0
        norm(refquant.tensor([[[[1.0, 3.0]]] * 4]).reshape(1, 4, 1, 2))
        assert int(norm.num_batches_tracked) == 1
        assert norm.running_mean.tolist() == pytest.approx([2.0 * (momentum or 1)] * 4)
