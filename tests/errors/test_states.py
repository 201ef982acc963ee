"""State dicts from somewhere else: what no module can run with is named, and nothing changes."""

import numpy as np
import pytest

import refquant
from refquant import nn, quantization
from refquant.errors import ArgumentTypeError, OperationError, RefquantError, StateError
from refquant.nn import intrinsic, quantized

pytestmark = pytest.mark.usefixtures("release_1_4")

NAN, INF = float("nan"), float("inf")
MODULES = {
    "Linear": lambda: quantized.Linear(2, 3),
    "LinearReLU": lambda: intrinsic.quantized.LinearReLU(2, 3),
    "Conv2d": lambda: quantized.Conv2d(2, 3, 1),
    "ConvReLU2d": lambda: intrinsic.quantized.ConvReLU2d(2, 3, 1),
    "Conv3d": lambda: quantized.Conv3d(2, 3, 1),
    "ELU": lambda: quantized.ELU(0.5, 3),
    "QFunctional": quantized.QFunctional,
    "Quantize quint8": lambda: quantized.Quantize(0.5, 3, refquant.quint8),
    "Quantize qint8": lambda: quantized.Quantize(0.5, 3, refquant.qint8),
}
# Their zero points may lie in the range of qint32, as the dtype is that of their operands.
ANY_DTYPE = ("ELU", "QFunctional")


def observed_fake_quantize(**options):
    module = quantization.FakeQuantize(**options)
    module(refquant.tensor([[0.0, 2.0], [1.0, -3.0]]))
    return module


def texts(module):
    """Everything that a state can change, to be compared."""
    return {key: repr(value) for key, value in module.state_dict().items()}


def rejected(module, state, key):
    """Loading a state raises an error that names the key, and changes nothing."""
    model = nn.Sequential(nn.Linear(1, 1), module)
    before = texts(model)
    changed = {**model.state_dict(), "0.weight": refquant.tensor([[77.0]])}
    changed.update({f"1.{name}": value for name, value in state.items()})
    with pytest.raises(StateError, match=rf"1\.{key}: expected"):
        model.load_state_dict(changed)
    assert texts(model) == before


@pytest.mark.parametrize(
    "scale",
    [NAN, INF, 0.0, -1.0, 1e-39, np.float32(NAN), refquant.tensor(NAN), refquant.tensor([0.0]),
     refquant.tensor([1.0, 2.0]), "0.5", [[1], [2, 3]], None, 1j],
)  # fmt: skip
@pytest.mark.parametrize("name", MODULES)
def test_scales_that_are_not_valid(name, scale):
    rejected(MODULES[name](), {"scale": scale}, "scale")


@pytest.mark.parametrize(
    "zero_point",
    [2**31, -(2**31) - 1, 10**30, 0.5, NAN, INF, refquant.tensor(0.5), refquant.tensor([1, 2]),
     "3", None, np.uint64(2**64 - 1)],
)  # fmt: skip
@pytest.mark.parametrize("name", MODULES)
def test_zero_points_that_are_not_valid(name, zero_point):
    rejected(MODULES[name](), {"zero_point": zero_point}, "zero_point")


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ANY_DTYPE])
def test_zero_points_outside_the_dtype(name):
    for outside in (999, 256, -129):
        rejected(MODULES[name](), {"zero_point": refquant.tensor(outside)}, "zero_point")


@pytest.mark.parametrize("name", MODULES)
def test_valid_numbers_are_loaded(name):
    module = MODULES[name]()
    for scale, zero_point in (
        (refquant.tensor(0.25), refquant.tensor(5)),
        (refquant.tensor([0.25]), refquant.tensor([5])),
        (np.float32(0.25), 5.0),
    ):
        module.load_state_dict(MODULES[name]().state_dict())
        module.load_state_dict({**module.state_dict(), "scale": scale, "zero_point": zero_point})
        assert float(module.scale) == 0.25
        assert int(module.zero_point) == 5


@pytest.mark.parametrize(
    ("state", "key"),
    [
        ({"scale": refquant.tensor([NAN])}, "scale"),
        ({"scale": refquant.tensor([0.0])}, "scale"),
        ({"scale": refquant.tensor([-1.0])}, "scale"),
        ({"scale": refquant.tensor([1.0, 2.0])}, "scale"),
        ({"zero_point": refquant.tensor([256])}, "zero_point"),
        ({"zero_point": refquant.tensor([-1])}, "zero_point"),
        ({"zero_point": refquant.tensor([NAN])}, "zero_point"),
        ({"zero_point": [[1], [2, 3]]}, "zero_point"),
    ],
)
def test_states_of_fake_quantization(state, key):
    rejected(observed_fake_quantize(), state, key)


def test_fake_quantization_needs_as_many_scales_as_zero_points():
    module = observed_fake_quantize(
        observer=quantization.MovingAveragePerChannelMinMaxObserver, quant_min=-128, quant_max=127,
        dtype=refquant.qint8, qscheme=refquant.per_channel_symmetric,
    )  # fmt: skip
    rejected(module, {"scale": refquant.tensor([1.0] * 3)}, "scale and 1.zero_point")


@pytest.mark.parametrize(
    ("make", "state", "key"),
    [
        (quantization.MinMaxObserver, {"min_val": 5.0}, "min_val and 1.max_val"),
        (quantization.MinMaxObserver, {"max_val": NAN}, "max_val"),
        (quantization.MinMaxObserver, {"max_val": None}, "min_val and 1.max_val"),
        (quantization.PerChannelMinMaxObserver, {"min_vals": [0.0] * 5}, "min_vals and 1.max_vals"),
        (
            quantization.PerChannelMinMaxObserver,
            {"max_vals": [-9.0] * 2},
            "min_vals and 1.max_vals",
        ),
        (quantization.HistogramObserver, {"histogram": refquant.zeros(3)}, "histogram"),
        (quantization.HistogramObserver, {"histogram": None}, "histogram"),
        (quantization.HistogramObserver, {"min_val": 5.0}, "min_val and 1.max_val"),
    ],
)
def test_statistics_that_no_observer_could_have_collected(make, state, key):
    observer = make()
    observer(refquant.tensor([[0.0, 2.0], [1.0, -3.0]]))
    rejected(observer, state, key)


@pytest.mark.parametrize(
    ("name", "state", "key"),
    [
        ("Conv2d", {"bias": refquant.zeros(5)}, "weight"),
        ("Conv2d", {"weight": None}, "weight"),
        ("Conv2d", {"weight": refquant.zeros(3, 2, 1, 1)}, "weight"),
        ("Linear", {"_packed_params.bias": refquant.zeros(5)}, "_packed_params.weight"),
        ("Linear", {"_packed_params.weight": None}, "_packed_params.weight"),
        ("Linear", {"_packed_params._packed_params": 3}, "_packed_params._packed_params"),
    ],
)
def test_weights_that_cannot_be_packed(name, state, key):
    rejected(MODULES[name](), state, key)


def test_weights_of_another_dtype_cannot_be_packed():
    w = refquant.QuantizedTensor(np.zeros((3, 2, 1, 1), np.uint8), refquant.quint8, 0.5, 0)
    rejected(MODULES["Conv2d"](), {"weight": w}, "weight")
    w = refquant.QuantizedTensor(np.zeros((3, 2), np.int8), refquant.qint8, [1, 2], [0, 0], 1)
    rejected(MODULES["Linear"](), {"_packed_params.weight": w}, "_packed_params.weight")


def test_buffers_of_whole_numbers_take_nothing_else():
    for value in (NAN, 0.5, 2.0**70, INF):
        rejected(nn.BatchNorm2d(3), {"num_batches_tracked": value}, "num_batches_tracked")
    norm = nn.BatchNorm2d(3)
    norm.load_state_dict({**norm.state_dict(), "num_batches_tracked": refquant.tensor(7.0)})
    assert norm.num_batches_tracked.item() == 7


def test_keys_are_strings():
    with pytest.raises(ArgumentTypeError, match="keys are strings, got the key 3"):
        nn.Linear(1, 1).load_state_dict({3: refquant.zeros(1)})


@pytest.mark.parametrize("name", [name for name in MODULES if "Quantize" not in name])
@pytest.mark.parametrize(
    ("attribute", "value"), [("scale", NAN), ("scale", 0), ("zero_point", 999)]
)
def test_attributes_that_were_assigned_are_checked_when_they_are_used(name, attribute, value):
    module = MODULES[name]()
    setattr(module, attribute, value)
    shape = (1, 2, 1, 1, 1) if "3d" in name else (1, 2, 1, 1) if "2d" in name else (1, 2)
    x = refquant.QuantizedTensor(np.ones(shape, np.uint8), refquant.quint8, 0.5, 3)
    with pytest.raises(RefquantError, match=attribute):
        module.add(x, x) if name == "QFunctional" else module(x)


def test_buffers_that_were_assigned_are_checked_when_they_are_used():
    x = refquant.tensor([0.5, 1.0])
    quantize = MODULES["Quantize quint8"]()
    quantize.scale = refquant.tensor([NAN])
    fake = observed_fake_quantize()
    fake.disable_observer().scale = refquant.tensor([0.0])
    for module in (quantize, fake):
        with pytest.raises(RefquantError, match=r"`scale(\[0\])?` must be"):
            module(x)
    observer = quantization.HistogramObserver(bins=64)
    observer(x)
    observer.bins = 4
    for call in (lambda: observer(x * 3), observer.calculate_qparams):
        with pytest.raises(OperationError, match="`histogram` must be"):
            call()
