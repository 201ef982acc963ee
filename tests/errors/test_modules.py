"""Modules reject invalid arguments before anything is created or changed."""

import math
import pickle

import numpy as np
import pytest

import refquant
from refquant import nn
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    DtypeError,
    ModuleNameError,
    NotSupportedError,
    QuantizerError,
    RefquantError,
    ShapeError,
)

rnn = nn.utils.rnn
FEW = 2**62
REFUSED = {
    "features that are not whole": (lambda: nn.Linear(1.5, 2), ArgumentTypeError, "an integer"),
    "negative features": (lambda: nn.Linear(-1, 2), ArgumentError, "at least 0"),
    "matrix beyond memory": (lambda: nn.Linear(FEW, 4), ArgumentError, "2**63 bytes"),
    "bias": (lambda: nn.Linear(1, 2, bias="no"), ArgumentTypeError, "True or False"),
    "no groups": (lambda: nn.Conv2d(4, 4, 3, groups=0), ArgumentError, "at least 1"),
    "groups": (lambda: nn.Conv2d(4, 6, 3, groups=4), ArgumentError, "a divisor of"),
    "channels": (lambda: nn.Conv2d(None, 6, 3), ArgumentTypeError, "`in_channels`"),
    "filters beyond memory": (lambda: nn.Conv3d(FEW, 2, 3), ArgumentError, "of the weight"),
    "padding mode": (lambda: nn.Conv1d(1, 1, 1, padding_mode=0), NotSupportedError, "'zeros'"),
    "quantized channels": (lambda: nn.quantized.Conv2d(0, 2, 3), ArgumentError, "at least 1"),
    "quantized features": (lambda: nn.quantized.Linear("a", 2), ArgumentTypeError, "integer"),
    "dtype": (lambda: nn.quantized.dynamic.Linear(1, 2, dtype="qint8"), DtypeError, "qint8 or"),
    "dtype of LSTM": (lambda: nn.quantized.dynamic.LSTM(1, 2, dtype=int), DtypeError, "class int"),
    "probability": (lambda: nn.Dropout(1.5), ArgumentError, "in 0..1"),
    "probability NaN": (lambda: nn.Dropout(math.nan), ArgumentError, "in 0..1"),
    "features to normalize": (lambda: nn.BatchNorm2d(-1), ArgumentError, "at least 0"),
    "momentum": (lambda: nn.BatchNorm2d(1, momentum="x"), ArgumentTypeError, "a number"),
    "shape to normalize": (lambda: nn.LayerNorm((2, -1)), ArgumentError, "at least 0"),
    "slope": (lambda: nn.LeakyReLU([1]), ArgumentTypeError, "a number"),
    "dimension": (lambda: nn.Softmax(0.5), ArgumentTypeError, "an integer"),
    "window": (lambda: nn.MaxPool2d(0), ArgumentError, "at least 1"),
    "steps of windows": (lambda: nn.AvgPool2d(2, stride=(1, 2, 3)), ArgumentError, "2 numbers"),
    "factor": (lambda: nn.Upsample(scale_factor="2x"), ArgumentTypeError, "a number"),
    "reduction": (lambda: nn.MSELoss("average"), ArgumentError, "'mean', 'sum', 'none'"),
    "layers": (lambda: nn.LSTM(1, 2, num_layers=2**31), ArgumentError, "in 1..65536"),
    "dropout of LSTM": (lambda: nn.LSTM(1, 2, dropout=-0.5), ArgumentError, "in 0..1"),
    "states": (lambda: nn.LSTM(1, 2)(refquant.ones(1, 1, 1), 3), ArgumentTypeError, "a pair"),
    "parameter": (lambda: nn.Parameter([1.0]), ArgumentTypeError, "a tensor"),
    "modules": (lambda: nn.ModuleList(3), ArgumentTypeError, "iterable of modules"),
    "named modules": (lambda: nn.ModuleDict([nn.ReLU()]), ArgumentTypeError, "a dict"),
    "part": (lambda: nn.Sequential(nn.ReLU(), len), ArgumentTypeError, "a Module or None"),
    "QConfig": (lambda: nn.qat.Linear(1, 2, qconfig=3), ArgumentTypeError, "with activation"),
    "filled": (lambda: nn.init.zeros_(np.ones(2)), ArgumentTypeError, "a tensor"),
    "mode": (lambda: nn.init.kaiming_normal_(refquant.ones(1, 1), mode=1), ArgumentError, "fan_in"),
    "padding": (lambda: rnn.pad_sequence([refquant.ones(2)], False, "a"), ArgumentTypeError, "num"),
    "padding of integers": (
        lambda: rnn.pad_sequence([refquant.tensor([1])], padding_value=math.inf),
        ArgumentError,
        "padding_value",
    ),
    "no sequence": (lambda: rnn.pad_sequence([]), ShapeError, "at least one tensor"),
    "steps": (
        lambda: rnn.pad_sequence([refquant.ones(2, 3), refquant.ones(2, 4)]),
        ShapeError,
        "steps of shape (3,)",
    ),
    "lengths": (
        lambda: rnn.pack_padded_sequence(refquant.ones(2, 1), [1.5]),
        ArgumentTypeError,
        "integers",
    ),
    "norm": (
        lambda: nn.utils.clip_grad_norm_([refquant.ones(1)], "1"),
        ArgumentTypeError,
        "max_norm",
    ),
    "clipped": (lambda: nn.utils.clip_grad_value_([1.0], 1), ArgumentTypeError, "iterable"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_rejected_with_a_reason(name):
    call, kind, words = REFUSED[name]
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, RefquantError)
    assert words in str(caught.value)


def test_parameters_are_plain_tensors():
    quantized = refquant.quantize_per_tensor(refquant.ones(2), 1.0, 0, refquant.qint8)
    with pytest.raises(QuantizerError, match="dequantize"):
        nn.Parameter(quantized)


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 0), (0, 4), (0, 0)])
def test_layers_without_inputs_or_outputs_work(inputs, outputs):
    layer = nn.Linear(inputs, outputs)
    assert layer.weight.shape == (outputs, inputs)
    assert layer(refquant.ones(3, inputs)).shape == (3, outputs)


def test_numbers_of_numpy_and_tensors_of_one_element_are_settings():
    layer = nn.Linear(refquant.tensor(3), np.int64(2), bias=np.bool_(True))
    assert repr(layer) == "Linear(in_features=3, out_features=2, bias=True)"
    assert repr(nn.Conv2d(np.int8(4), 4, [3, 3], groups=True)) == repr(nn.Conv2d(4, 4, 3))
    assert repr(nn.Dropout(np.float64(0.5))) == "Dropout(p=0.5, inplace=False)"
    assert nn.ELU(refquant.tensor(0.5)).alpha == 0.5


def test_settings_are_shown_as_they_were_given():
    assert repr(nn.Dropout(1)) == "Dropout(p=1, inplace=False)"
    assert repr(nn.MaxPool2d([2, 2])).startswith("MaxPool2d(kernel_size=[2, 2], stride=[2, 2]")


def test_lists_change_as_a_whole_or_not_at_all():
    modules = nn.ModuleList([nn.ReLU()])
    with pytest.raises(ArgumentTypeError):
        modules.extend([nn.Tanh(), "module"])
    with pytest.raises(ArgumentTypeError):
        modules.insert(0, "module")
    with pytest.raises(ArgumentTypeError):
        modules.insert("first", nn.Tanh())
    assert [type(m) for m in modules] == [nn.ReLU]


def test_what_is_registered_stays_if_another_is_rejected():
    layer = nn.Linear(1, 1)
    weight = layer.weight
    for register in (layer.register_parameter, layer.register_buffer, layer.add_module):
        with pytest.raises(ArgumentTypeError):
            register("weight", 1.0)
    assert layer.weight is weight


@pytest.mark.parametrize("name", ["training", "forward", "_parameters", "_modules"])
def test_parts_do_not_take_the_names_of_other_attributes(name):
    module = nn.Module()
    with pytest.raises(ArgumentError, match="no other attribute"):
        module.add_module(name, nn.ReLU())
    assert module.training
    assert not list(module.children())


def test_modes_are_checked_before_any_module_changes():
    model = nn.Sequential(nn.ReLU(), nn.ReLU())
    with pytest.raises(ArgumentTypeError):
        model.train("yes")
    assert all(m.training for m in model.modules())
    assert not model.train(0)[1].training


def test_a_name_that_is_not_there_is_an_error_of_mappings_and_of_attributes():
    modules = nn.ModuleDict({"first": nn.ReLU()})
    for name in ("second", 3, [1]):
        with pytest.raises(ModuleNameError) as caught:
            modules[name]
        assert isinstance(caught.value, KeyError)
        assert "must be one of first, got" in str(caught.value)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
        assert name not in modules


class Doubled(nn.Module):
    def forward(self, x, times=2):
        return x * times if times else len(x, x)


def test_other_arguments_than_those_of_forward_are_explained():
    model = nn.Sequential(nn.Sequential(Doubled()))
    with pytest.raises(ArgumentTypeError) as caught:
        model[0][0](1, 2, 3)
    assert "forward(x, times=2), got (1, 2, 3)" in str(caught.value)
    with pytest.raises(ArgumentTypeError, match=r"times=2\), got \(1, often=3\)"):
        model[0][0](1, often=3)

    class Pair(nn.Module):
        def forward(self, x, y):
            return x + y

    model[0].add_module("1", Pair())
    with pytest.raises(ArgumentTypeError) as caught:
        model(1)
    assert caught.value.module_path == "0.1"


def test_errors_of_what_forward_does_are_left_alone():
    with pytest.raises(TypeError, match="len") as caught:
        Doubled()(1, 0)
    assert not isinstance(caught.value, RefquantError)


def test_functions_that_cannot_be_called_are_rejected_before_the_first_call():
    model, called = nn.Sequential(nn.ReLU()), []
    with pytest.raises(ArgumentTypeError, match="1 arguments"):
        model.apply(lambda: called.append(1))
    with pytest.raises(ArgumentTypeError):
        model.register_forward_hook(lambda module: called.append(1))
    with pytest.raises(ArgumentTypeError):
        model.register_forward_pre_hook(3)
    model(refquant.ones(1))
    assert not called


ONE = refquant.ones(3), refquant.tensor([2, 1])
MADE_BY_HAND = {
    "growing": (ONE[0], refquant.tensor([1, 2])),
    "too few": (ONE[0], refquant.tensor([1, 1])),
    "none": (ONE[0], refquant.zeros(0, dtype=refquant.int64)),
    "not whole": (ONE[0], refquant.tensor([2.0, 1.0])),
    "lists": (ONE[0], [2, 1]),
    "order": (*ONE, refquant.tensor([0, 2]), refquant.tensor([0, 1])),
    "order back": (*ONE, refquant.tensor([0, 1]), refquant.tensor([0, 0])),
}


@pytest.mark.parametrize("name", MADE_BY_HAND)
def test_packed_sequences_whose_parts_do_not_fit_are_rejected(name):
    packed = rnn.PackedSequence(*MADE_BY_HAND[name])
    with pytest.raises(RefquantError):
        rnn.pad_packed_sequence(packed)
    column = packed._replace(data=packed.data.reshape(3, 1))
    for lstm in (nn.LSTM(1, 2), nn.quantized.dynamic.LSTM(1, 2)):
        with pytest.raises(RefquantError):
            lstm(column)


def image(*shape):
    return refquant.quantize_per_tensor(refquant.zeros(*shape), 1.0, 0, refquant.quint8)


@pytest.mark.parametrize(
    "geometry", [{"padding": 2**31}, {"stride": 2**63}, {"padding": 2**31 - 1}, {"dilation": 2**40}]
)
def test_sizes_beyond_memory_are_rejected_before_a_convolution(geometry):
    weight = refquant.quantize_per_tensor(refquant.ones(1, 1, 1, 1), 1.0, 0, refquant.qint8)
    with pytest.raises(ArgumentError):
        nn.quantized.functional.conv2d(image(1, 1, 4, 4), weight, None, **geometry)


def test_filters_without_channels_are_rejected():
    weight = refquant.QuantizedTensor(np.zeros((2, 0, 1, 1), np.int8), refquant.qint8, 1.0, 0)
    with pytest.raises(ShapeError, match="at least one output and one channel"):
        nn.quantized.functional.conv2d(image(1, 1, 4, 4), weight, None)


@pytest.mark.parametrize("size", [(2**63,) * 2, (2**29, 2**29)])
def test_sizes_beyond_memory_are_rejected_before_resizing(size):
    with pytest.raises(ArgumentError, match="2\\*\\*63 bytes"):
        nn.quantized.functional.interpolate(image(1, 64, 4, 4), size=size)


def test_gains_of_any_size_leave_no_warning():
    weight = refquant.empty(2, 3)
    assert nn.init.kaiming_uniform_(weight, a=1e300) is weight
    assert not weight.any()
    assert nn.init.xavier_uniform_(refquant.empty(0, 0)).shape == (0, 0)
    assert nn.init.orthogonal_(refquant.empty(0, 3)).shape == (0, 3)


def test_none_means_no_where_python_decides():
    assert nn.Linear(3, 4, bias=None).bias is None
    assert nn.Conv2d(3, 4, 2, bias=None).bias is None
    assert nn.quantized.Linear(3, 4, None).bias() is None
    norm = nn.BatchNorm2d(3, affine=None, track_running_stats=None)
    assert norm.weight is None
    assert norm.running_mean is None
    x = refquant.tensor([-1.0, 1.0])
    assert nn.ReLU(None)(x).tolist() == nn.functional.relu(x, inplace=None).tolist() == [0.0, 1.0]
    assert x.tolist() == [-1.0, 1.0]
    assert nn.MaxPool2d(2, return_indices=None)(refquant.ones(1, 1, 2, 2)).shape == (1, 1, 1, 1)
    image = refquant.ones(1, 1, 2, 2)
    for y in (image, refquant.quantize_per_tensor(image, 0.1, 0, refquant.quint8)):
        assert nn.functional.max_pool2d(y, 2, return_indices=None).shape == (1, 1, 1, 1)
    assert refquant.quantization.MinMaxObserver(reduce_range=None).reduce_range is False
    model = nn.Sequential(nn.Linear(3, 4))
    assert model.load_state_dict(model.state_dict(), strict=None)[0] == []
    assert list(model.parameters(recurse=None)) == []
