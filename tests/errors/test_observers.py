"""Observers, fake quantization and QConfig: what is rejected, and that nothing is half changed."""

import copy

import numpy as np
import pytest

import refquant
from refquant import quantization as Q
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    DtypeError,
    EngineError,
    IndexRangeError,
    NotSupportedError,
    OperationError,
    QuantizationParameterError,
    ShapeError,
    StateError,
)

pytestmark = pytest.mark.usefixtures("release_1_4")

PER_TENSOR = [Q.MinMaxObserver, Q.MovingAverageMinMaxObserver, Q.HistogramObserver]
PER_CHANNEL = [Q.PerChannelMinMaxObserver, Q.MovingAveragePerChannelMinMaxObserver]
every = pytest.mark.parametrize("make", PER_TENSOR + PER_CHANNEL)


def state_of(module):
    return {k: None if v is None else v.tolist() for k, v in module.state_dict().items()}


@every
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("first", [True, False])
def test_what_is_not_finite_is_named_with_its_place(make, bad, first):
    observer = make()
    observer.path = "features.0"
    if not first:
        observer(refquant.tensor([[1.0, 2.0]]))
    before = state_of(observer)
    with pytest.raises(OperationError, match=r"features\.0.* (NaN|infinity)") as caught:
        observer(refquant.tensor([[0.5, bad]]))
    assert type(observer).__name__ in str(caught.value)
    assert state_of(observer) == before


@every
@pytest.mark.parametrize("x", [np.zeros((2, 2)), np.zeros((2, 2), np.int64), [1.0], None, 3.0])
def test_only_float32_is_observed(make, x):
    with pytest.raises(DtypeError, match="`x` must be"):
        make()(x)


@every
def test_quantized_tensors_are_not_observed(make):
    q = refquant.quantize_per_tensor(refquant.tensor([[1.0]]), 0.1, 0, refquant.quint8)
    with pytest.raises(DtypeError, match="dequantize"):
        make()(q)


@every
@pytest.mark.parametrize("dtype", [refquant.qint32, refquant.float32, "quint8", None])
def test_dtype(make, dtype):
    with pytest.raises(ArgumentError, match=r"quint8 or refquant\.qint8"):
        make(dtype=dtype)


@pytest.mark.parametrize("make", PER_TENSOR)
@pytest.mark.parametrize("scheme", [refquant.per_channel_affine, refquant.per_channel_symmetric])
def test_scheme_per_channel_for_an_observer_per_tensor(make, scheme):
    with pytest.raises(NotImplementedError, match="per_tensor_affine"):
        make(qscheme=scheme)


@pytest.mark.parametrize("make", PER_CHANNEL)
@pytest.mark.parametrize("scheme", [refquant.per_tensor_affine, "per_channel_affine"])
def test_scheme_per_tensor_for_an_observer_per_channel(make, scheme):
    with pytest.raises(NotSupportedError, match="per_channel_affine"):
        make(qscheme=scheme)


@every
def test_symmetric_quint8_cannot_be_reduced(make):
    kind = "channel" if make in PER_CHANNEL else "tensor"
    scheme = getattr(refquant, f"per_{kind}_symmetric")
    with pytest.raises(NotSupportedError, match="use qint8"):
        make(dtype=refquant.quint8, qscheme=scheme, reduce_range=True)


@every
@pytest.mark.parametrize(
    ("low", "high"), [(0, 256), (-1, 255), (3, 10), (5, 5), (0, 0), (0, 1.5), (False, True)]
)
def test_range_of_integers(make, low, high):
    with pytest.raises(ArgumentError, match="quant_min <= 0 <= quant_max"):
        make(quant_min=low, quant_max=high)


@pytest.mark.parametrize(
    "make", [Q.MovingAverageMinMaxObserver, Q.MovingAveragePerChannelMinMaxObserver]
)
@pytest.mark.parametrize("constant", [-0.1, 1.1, np.nan, "0.1", None])
def test_averaging_constant(make, constant):
    with pytest.raises(ArgumentError, match="averaging_constant"):
        make(averaging_constant=constant)


def test_a_histogram_of_more_bins_than_float32_can_tell_apart_is_rejected():
    """Float32 rounds 2**24 + 3 up: the last bin would lie beyond the table."""
    for bins in (2**20 + 1, 2**24 + 3, 2**40, 10**30):
        with pytest.raises(ArgumentError, match=rf"`bins` must be .* 1\.\.1048576, got {bins}"):
            Q.HistogramObserver(bins=bins)
    Q.HistogramObserver(bins=2**20)


def test_the_parts_of_all_bins_together_are_bounded():
    Q.HistogramObserver(bins=4, upsample_rate=2**26)
    for rate in (2**26 + 1, 2**62, 10**30):
        with pytest.raises(ArgumentError, match="`upsample_rate`"):
            Q.HistogramObserver(bins=4, upsample_rate=rate)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *(("bins", value) for value in (0, -1, 2.5, None, "8")),
        *(("upsample_rate", value) for value in (0, -1, 2.5, "8")),
    ],
)
def test_histogram_arguments(argument, value):
    with pytest.raises(ArgumentError, match=argument):
        Q.HistogramObserver(**{argument: value})


def test_a_histogram_wider_than_float32():
    with pytest.raises(OperationError, match="use MinMaxObserver"):
        Q.HistogramObserver()(refquant.tensor([-3e38, 3e38]))
    observer = Q.HistogramObserver()
    observer(refquant.tensor([-3e38, 0.0]))
    before = state_of(observer)
    with pytest.raises(OperationError, match="use MinMaxObserver"):
        observer(refquant.tensor([3e38]))
    assert state_of(observer) == before


@pytest.mark.parametrize("make", PER_CHANNEL)
def test_channels(make):
    with pytest.raises(ShapeError, match="at least one dimension"):
        make()(refquant.tensor(1.0))
    with pytest.raises(IndexRangeError, match="ch_axis"):
        make(ch_axis=2)(refquant.tensor([[1.0]]))
    observer = make()
    observer(refquant.tensor([[1.0], [2.0]]))
    with pytest.raises(ShapeError, match="2 channels along axis 0"):
        observer(refquant.tensor([[1.0], [2.0], [3.0]]))


@pytest.mark.parametrize("make", [Q.RecordingObserver, Q.NoopObserver])
def test_observers_that_choose_nothing(make):
    with pytest.raises(NotSupportedError, match="chooses no scale"):
        make().calculate_qparams()


# -- merging -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [Q.MovingAverageMinMaxObserver, Q.MovingAveragePerChannelMinMaxObserver]
)
def test_moving_averages_do_not_merge(make):
    with pytest.raises(NotSupportedError, match="depends on the order of the batches"):
        make().merge(make())


def test_different_observers_do_not_merge():
    with pytest.raises(ArgumentTypeError, match="a MinMaxObserver"):
        Q.MinMaxObserver().merge(Q.HistogramObserver())
    with pytest.raises(ArgumentError, match="same settings"):
        Q.MinMaxObserver().merge(Q.MinMaxObserver(reduce_range=True))
    with pytest.raises(ArgumentError, match="same settings"):
        Q.HistogramObserver(bins=8).merge(Q.HistogramObserver(bins=9))
    with pytest.raises(ArgumentError, match="same settings"):
        Q.PerChannelMinMaxObserver().merge(Q.PerChannelMinMaxObserver(ch_axis=1))
    a, b = Q.PerChannelMinMaxObserver(), Q.PerChannelMinMaxObserver()
    a(refquant.tensor([[1.0]]))
    b(refquant.tensor([[1.0], [2.0]]))
    with pytest.raises(ShapeError, match="1 channels"):
        a.merge(b)


# -- state ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"min_val": refquant.tensor([1.0, 2.0])}, "min_val: expected None or float32 of shape"),
        ({"min_val": refquant.tensor(np.nan)}, "NaN or infinity"),
        ({"min_val": "1"}, "got str"),
        ({"min_val": None}, "min_val and max_val: expected both None or neither"),
        ({"more": refquant.tensor(1.0)}, "unexpected keys: more"),
    ],
)
def test_states_that_do_not_fit_change_nothing(changes, words):
    observer = Q.MinMaxObserver()
    observer(refquant.tensor([-1.0, 2.0]))
    before = state_of(observer)
    state = {"min_val": refquant.tensor(-5.0), "max_val": refquant.tensor(5.0), **changes}
    with pytest.raises(StateError, match=words):
        observer.load_state_dict(state)
    assert state_of(observer) == before


def test_a_state_with_missing_keys():
    with pytest.raises(StateError, match="missing keys: max_val"):
        Q.MinMaxObserver().load_state_dict({"min_val": refquant.tensor(-5.0)})
    with pytest.raises(StateError, match="missing keys: scale, zero_point"):
        Q.FakeQuantize().load_state_dict(
            {"activation_post_process.min_val": None, "activation_post_process.max_val": None}
        )


def test_a_histogram_of_other_bins():
    observer = Q.HistogramObserver(bins=8)
    observer(refquant.tensor([1.0, 2.0]))
    with pytest.raises(StateError, match=r"float32 of shape \(9,\)"):
        Q.HistogramObserver(bins=9).load_state_dict(observer.state_dict())


# -- fake quantization ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((0.1, 300, 0, 255), QuantizationParameterError, "between quant_min and quant_max"),
        ((0.1, -1, 0, 255), QuantizationParameterError, "zero_point"),
        ((0.0, 0, 0, 255), QuantizationParameterError, "scale"),
        ((-1.0, 0, 0, 255), QuantizationParameterError, "scale"),
        ((np.nan, 0, 0, 255), QuantizationParameterError, "scale"),
        ((np.inf, 0, 0, 255), QuantizationParameterError, "scale"),
        ((1e-45, 0, 0, 255), QuantizationParameterError, "scale"),
        ((0.1, 0, 255, 0), OperationError, "quant_min <= quant_max"),
        ((0.1, 0, 0, 2**31), OperationError, "int32"),
        ((0.1, 0, 0.5, 255), ArgumentTypeError, "whole numbers"),
        ((0.1, 0.5, 0, 255), ArgumentTypeError, "whole number"),
        (("a", 0, 0, 255), ArgumentTypeError, "scale"),
    ],
)
def test_fake_quantize_per_tensor(arguments, error, words):
    with pytest.raises(error, match=words):
        refquant.fake_quantize_per_tensor_affine(refquant.tensor([1.0]), *arguments)


def test_fake_quantize_takes_float32_only():
    for x in (np.zeros(2), refquant.tensor([1, 2]), [1.0]):
        with pytest.raises(DtypeError, match="input"):
            refquant.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 255)
        with pytest.raises(DtypeError, match="`X`"):
            Q.FakeQuantize()(x)


@pytest.mark.parametrize(
    ("scale", "zero_point", "axis", "error", "words"),
    [
        ([0.1, 0.2], [0, 0], 0, QuantizationParameterError, r"of shape \(3,\)"),
        ([0.1, 0.2, 0.3], [0, 0], 0, QuantizationParameterError, "zero_point"),
        ([0.1, 0.0, 0.3], [0, 0, 0], 0, QuantizationParameterError, r"scale\[1\]"),
        ([0.1, 0.2, 0.3], [0, 0, 16], 0, QuantizationParameterError, r"zero_point\[2\]"),
        ([0.1, 0.2, 0.3], [0.0, 0.0, 0.0], 0, DtypeError, "integer"),
        ([0.1, 0.2, 0.3], [0, 0, 0], 2, IndexRangeError, "axis"),
    ],
)
def test_fake_quantize_per_channel(scale, zero_point, axis, error, words):
    x, s, z = refquant.tensor([[1.0, 2.0]] * 3), refquant.tensor(scale), refquant.tensor(zero_point)
    with pytest.raises(error, match=words):
        refquant.fake_quantize_per_channel_affine(x, s, z, axis, 0, 15)


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": refquant.qint8},
        {"quant_min": 5, "quant_max": 5},
        {"quant_min": 0, "quant_max": 256},
        {"quant_min": -1, "quant_max": 127},
        {"observer": Q.NoopObserver},
    ],
)
def test_range_of_the_module(options):
    with pytest.raises(ArgumentError, match="quant_min < quant_max"):
        Q.FakeQuantize(**options)


def test_rounding_before_anything_was_observed():
    module = Q.FakeQuantize().disable_observer()
    module.path = "fc"
    with pytest.raises(OperationError, match=r"of 'fc'.*enable_observer"):
        module(refquant.tensor([1.0]))


def test_an_error_while_observing_keeps_scale_and_zero_point():
    module = Q.FakeQuantize()
    module(refquant.tensor([1.0]))
    before = copy.deepcopy(state_of(module))
    with pytest.raises(OperationError, match="NaN"):
        module(refquant.tensor([np.nan]))
    assert state_of(module) == before


# -- QConfig -------------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", ["activation", "weight"])
def test_an_observer_instance_is_rejected_with_the_hint(argument):
    given = {"activation": Q.default_observer, "weight": Q.default_weight_observer}
    with pytest.raises(ValueError, match=r"MinMaxObserver\.with_args"):
        Q.QConfig(**{**given, argument: Q.MinMaxObserver()})
    with pytest.raises(ArgumentError, match="factory"):
        Q.QConfig(**{**given, argument: None})
    with pytest.raises(ValueError, match="every module needs an observer of its own"):
        Q.QConfigDynamic(Q.NoopObserver())


@pytest.mark.parametrize("function", [Q.get_default_qconfig, Q.get_default_qat_qconfig])
@pytest.mark.parametrize("backend", ["mkldnn", "", None, 3, []])
def test_an_unknown_engine_is_a_value_error_that_lists_them(function, backend):
    with pytest.raises(ValueError, match="'qnnpack', 'onednn', 'x86', 'fbgemm'"):
        function(backend)


def test_a_recipe_that_names_no_observer():
    record = refquant.engines.get("fbgemm").derive("odd", "Odd", recipe={"weight": "per_block"})
    refquant.engines.register(record)
    try:
        with pytest.raises(EngineError, match="'per_block'"):
            Q.get_default_qconfig("odd")
    finally:
        refquant.engines.unregister("odd")


@pytest.mark.parametrize("given", [np.ones((2, 3)), "fbgemm", Q.MinMaxObserver])
def test_only_recipes_are_compared(given):
    qconfig = Q.get_default_qconfig("fbgemm")
    for pair in ((given, given), (qconfig, given), (None, given)):
        with pytest.raises(ArgumentTypeError):
            Q.qconfig_equals(*pair)
    assert Q.qconfig_equals(None, None)
    assert not Q.qconfig_equals(qconfig, None)
