"""What observers keep and choose, and the cases that had to be decided."""

import copy
import warnings

import numpy as np
import pytest

import refquant
from refquant import quantization as Q

pytestmark = pytest.mark.usefixtures("release_1_4")

PER_TENSOR = [Q.MinMaxObserver, Q.MovingAverageMinMaxObserver, Q.HistogramObserver]
PER_CHANNEL = [Q.PerChannelMinMaxObserver, Q.MovingAveragePerChannelMinMaxObserver]


def observed(make, *batches, **options):
    observer = make(**options)
    for batch in batches:
        x = np.asarray(batch, np.float32)
        observer(refquant.from_numpy(x[None] if make in PER_CHANNEL else x))
    return observer


def qparams(observer):
    scale, zero_point = observer.calculate_qparams()[:2]
    return scale.item(), zero_point.item()


every = pytest.mark.parametrize("make", PER_TENSOR + PER_CHANNEL)


@every
def test_the_input_comes_back_with_its_gradient(make):
    x = refquant.tensor([[1.0, 2.0]], requires_grad=True)
    y = make()(x)
    assert y is x


@every
def test_float32_arrays_are_observed_too(make):
    x = np.array([[-1.0, 1.55]], np.float32)
    observer = make()
    assert observer(x) is x
    assert qparams(observer)[1] in (99, 100)


@every
def test_nothing_observed_gives_one_and_zero_with_a_warning(make):
    with pytest.warns(UserWarning, match="must run observer before calling calculate_qparams"):
        found = make().calculate_qparams()
    assert (found[0].tolist(), found[1].tolist()) == ([1.0], [0])
    assert found[0].dtype is refquant.float32
    assert found[1].dtype is refquant.int64


@every
def test_only_zeros_give_one_and_zero(make):
    assert qparams(observed(make, [0.0, -0.0], [0.0])) == (1.0, 0)


@every
@pytest.mark.parametrize("dtype", [refquant.quint8, refquant.qint8])
def test_one_sided_ranges_contain_zero(make, dtype):
    low = 0 if dtype is refquant.quint8 else -128
    scale, zero_point = qparams(observed(make, [2.0, 5.1], dtype=dtype))
    assert zero_point == low
    assert scale == pytest.approx(0.02, rel=1e-2)
    assert qparams(observed(make, [-2.0, -5.1], dtype=dtype))[1] == low + 255


@every
def test_one_value_spans_a_range_with_zero(make):
    assert qparams(observed(make, [5.1, 5.1])) == (float(np.float32(np.float32(5.1) / 255.0)), 0)


@every
def test_an_empty_batch_changes_nothing(make):
    for first in ([], [[-1.0, 1.5]]):
        observer = observed(make, *first)
        before = copy.deepcopy(observer.state_dict())
        empty = refquant.from_numpy(np.empty((1, 0), np.float32))
        assert observer(empty) is empty
        assert same_states(before, observer.state_dict())


def same_states(a, b):
    return list(a) == list(b) and all(
        a[k] is b[k] is None or np.array_equal(a[k].numpy(), b[k].numpy()) for k in a
    )


STATE_KEYS = {
    Q.MinMaxObserver: ["min_val", "max_val"],
    Q.MovingAverageMinMaxObserver: ["min_val", "max_val"],
    Q.HistogramObserver: ["histogram", "min_val", "max_val"],
    Q.PerChannelMinMaxObserver: ["min_vals", "max_vals"],
    Q.MovingAveragePerChannelMinMaxObserver: ["min_vals", "max_vals"],
}


@every
@pytest.mark.parametrize("batches", [[], [[-1.0, 1.5], [0.5, 4.0]]])
def test_the_state_has_the_documented_keys_and_comes_back(make, batches):
    observer = observed(make, *batches)
    state = observer.state_dict()
    assert list(state) == STATE_KEYS[make]
    other = observed(make, [7.0, 8.0])
    other.load_state_dict(state)
    assert same_states(state, other.state_dict())
    # What was loaded is a copy: observing goes on without changing the other.
    other(refquant.tensor([[-9.0]]))
    assert same_states(state, observer.state_dict())


@pytest.mark.parametrize("batches", [[], [[-1.0, 1.5], [0.5, 4.0]]])
@every
def test_the_state_can_be_written_to_a_file(make, batches, tmp_path):
    observer = observed(make, *batches)
    refquant.save(observer.state_dict(), tmp_path / "state")
    other = make()
    other.load_state_dict(refquant.load(tmp_path / "state"))
    assert same_states(observer.state_dict(), other.state_dict())


@every
def test_a_copy_observes_on_its_own(make):
    observer = observed(make, [-1.0, 1.0])
    before = qparams(observer)
    copy.deepcopy(observer)(refquant.tensor([[-100.0, 100.0]]))
    assert qparams(observer) == before


def test_min_max_is_kept_over_all_batches():
    observer = observed(Q.MinMaxObserver, [-1.0, 0.5], [0.0, 1.55], [0.1])
    assert (observer.min_val.item(), observer.max_val.item()) == (-1.0, np.float32(1.55))
    assert observer.min_val.shape == ()
    assert qparams(observer) == (float(np.float32((np.float64(np.float32(1.55)) + 1) / 255)), 100)


def test_moving_average_starts_with_the_first_batch():
    observer = observed(
        Q.MovingAverageMinMaxObserver, [-1.0, 2.0], [-3.0, 4.0], averaging_constant=0.25
    )
    assert (observer.min_val.item(), observer.max_val.item()) == (-1.5, 2.5)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_per_channel_looks_along_its_axis(axis):
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    observer = Q.PerChannelMinMaxObserver(ch_axis=axis)
    observer(refquant.from_numpy(x))
    rows = np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)
    np.testing.assert_array_equal(observer.min_vals.numpy(), rows.min(axis=1))
    np.testing.assert_array_equal(observer.max_vals.numpy(), rows.max(axis=1))
    assert observer.calculate_qparams()[2] == axis


@pytest.mark.parametrize(
    ("dtype", "reduce_range", "given", "target", "kept"),
    [
        (refquant.quint8, False, {}, (0, 255), (0, 255)),
        (refquant.quint8, True, {}, (0, 127), (0, 255)),
        (refquant.qint8, False, {}, (-128, 127), (-128, 127)),
        (refquant.qint8, True, {}, (-64, 63), (-128, 127)),
        (refquant.qint8, False, {"quant_min": -8, "quant_max": 7}, (-8, 7), (-8, 7)),
        (refquant.qint8, True, {"quant_min": -8, "quant_max": 7}, (-8, 7), (-8, 7)),
        (refquant.qint8, True, {"quant_min": -100, "quant_max": 20}, (-64, 20), (-100, 20)),
        (refquant.quint8, False, {"quant_max": 15}, (0, 15), (0, 15)),
        (refquant.qint8, False, {"quant_min": -1, "quant_max": 0}, (-1, 0), (-1, 0)),
    ],
)
def test_the_range_of_integers(dtype, reduce_range, given, target, kept):
    for make in PER_TENSOR + PER_CHANNEL:
        observer = make(dtype=dtype, reduce_range=reduce_range, **given)
        assert observer.target_range == target
        assert (observer.quant_min, observer.quant_max) == kept


@pytest.mark.parametrize("bits", range(2, 9))
def test_few_bits_use_their_whole_range(bits):
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    observer = observed(
        Q.MinMaxObserver, [-1.0, 2.0], dtype=refquant.qint8, quant_min=low, quant_max=high
    )
    scale, zero_point = qparams(observer)
    assert round(-1 / scale) + zero_point == pytest.approx(low, abs=1)
    assert round(2 / scale) + zero_point == pytest.approx(high, abs=1)


# -- histograms ----------------------------------------------------------------------------------


def test_a_constant_first_batch_is_counted_later():
    observer = observed(Q.HistogramObserver, [0.7] * 10, [0.0, 1.0, 2.0], bins=4)
    assert (observer.min_val.item(), observer.max_val.item()) == (0.0, 2.0)
    assert observer.histogram.tolist() == [1, 10, 1, 1]


def test_a_first_range_too_narrow_to_cut_is_counted_as_one_value():
    narrow = [1.0, float(np.nextafter(np.float32(1), np.float32(2)))]
    observer = observed(Q.HistogramObserver, narrow, [0.0, 1e6], bins=8)
    assert observer.histogram.tolist() == [3, 0, 0, 0, 0, 0, 0, 1]


def test_ends_of_what_float32_holds():
    observer = observed(Q.HistogramObserver, [-1.7e38, 1.6e38], [1.65e38], bins=16)
    assert observer.histogram.numpy().sum() == 3
    assert np.isfinite(qparams(observer)[0])


def test_subnormal_ranges():
    observer = observed(Q.HistogramObserver, [0.0, 1e-44], [2e-44], bins=16)
    assert observer.histogram.numpy().sum() == 3
    assert qparams(observer) == (2.0**-23, 0)


def test_memory_does_not_grow():
    observer = Q.HistogramObserver(bins=64)
    for step in range(20):
        x = np.random.default_rng(step).normal(size=100).astype(np.float32) * (step + 1)
        observer(refquant.from_numpy(x))
    assert observer.histogram.shape == (64,)
    assert observer.histogram.numpy().sum() == pytest.approx(2000, rel=1e-3)


# -- others --------------------------------------------------------------------------------------


def test_recording_keeps_copies():
    x = np.ones(2, np.float32)
    observer = Q.RecordingObserver()
    observer(refquant.from_numpy(x))
    x[:] = 5
    assert [t.tolist() for t in observer.get_tensor_value()] == [[1, 1]]
    assert observer.state_dict() == {}


def test_noop_only_names_a_dtype():
    observer = Q.NoopObserver()
    x = refquant.tensor([1.0])
    assert observer(x) is x
    assert observer.dtype is refquant.float16


def test_printing():
    assert repr(Q.MinMaxObserver()) == "MinMaxObserver(min_val=None, max_val=None, release=1.4)"
    shown = repr(observed(Q.MinMaxObserver, [-1.0, 2.0]))
    assert shown == "MinMaxObserver(min_val=-1.0, max_val=2.0, release=1.4)"


# -- factories -----------------------------------------------------------------------------------


def test_with_args_can_be_chained_and_makes_new_instances():
    make = Q.MinMaxObserver.with_args(dtype=refquant.qint8).with_args(reduce_range=True)
    first, second = make(), make(reduce_range=False)
    assert first is not second
    assert (first.dtype, first.reduce_range) == (refquant.qint8, True)
    assert (second.dtype, second.reduce_range) == (refquant.qint8, False)


def test_factories_are_equal_if_they_make_the_same():
    make = Q.MinMaxObserver.with_args(reduce_range=True)
    assert make == Q.default_observer
    assert hash(make) == hash(Q.default_observer)
    assert make != Q.default_weight_observer
    assert copy.deepcopy(make) == make


# -- explaining ----------------------------------------------------------------------------------


def test_explanations_name_numbers():
    observer = observed(Q.MinMaxObserver, [-1.0, 1.55])
    observer.path = "conv1"
    text = str(observer.explain())
    for words in ("conv1", "-1 .. 1.55", "0..255", "per_tensor_affine", "100: 0 - (-1) / scale"):
        assert words in text
    assert "<table>" in observer.explain()._repr_html_()


@pytest.mark.parametrize(
    ("batches", "options", "words"),
    [
        ([[2.0, 5.0]], {}, "with zero"),
        ([[0.0]], {}, "only zeros"),
        ([[-1.0, 3.0]], {"qscheme": refquant.per_tensor_symmetric}, "max(1, 3) / 127.5"),
        ([[-1.0, 3.0]], {"reduce_range": True}, "one bit left unused"),
        ([[-1e-9, 1e-9]], {}, "raised to 2**-23"),
        ([], {}, "nothing was observed yet"),
    ],
)
def test_explanations_name_what_is_special(batches, options, words):
    assert words in str(observed(Q.MinMaxObserver, *batches, **options).explain())


def test_explanation_of_a_histogram_tells_what_is_clipped():
    x = np.random.default_rng(0).normal(size=5000)
    x[0] = 90
    text = str(observed(Q.HistogramObserver, x, bins=512).explain())
    assert "outside the range mapped" in text
    assert "least" not in text


def facts(observer):
    return dict(observer.explain().facts)


def test_explanation_of_a_histogram_tells_the_range_that_was_really_seen():
    """Outputs of a ReLU are never below zero, although the stretched histogram begins there."""
    rng = np.random.default_rng(0)
    batches = [np.maximum(rng.normal(size=1000), 0) * (i + 1) for i in range(3)]
    observer = observed(Q.HistogramObserver, *batches)
    assert observer.min_val.item() < -0.01
    largest = max(batch.max() for batch in batches)
    assert facts(observer)["range seen"] == f"0 .. {largest:.6g}"
    assert facts(observer)["histogram"].startswith("2048 bins over -0.01")


def test_explanation_of_a_histogram_after_merging_tells_the_range_of_both():
    one, two = (observed(Q.HistogramObserver, x) for x in ([-1.0, 2.0], [0.5, 7.0]))
    assert facts(one.merge(two))["range seen"] == "-1 .. 7"
    fresh = Q.HistogramObserver().merge(two)
    assert facts(fresh)["range seen"] == "0.5 .. 7"


def test_explanation_of_a_histogram_from_a_state_does_not_claim_a_range():
    saved = observed(Q.HistogramObserver, [0.0, 1.0], [0.0, 3.0])
    loaded = Q.HistogramObserver()
    loaded.load_state_dict(saved.state_dict())
    loaded(refquant.tensor([0.5]))
    assert "range seen" not in facts(loaded)
    assert facts(loaded)["histogram"] == facts(saved)["histogram"]
    assert "range seen" not in facts(observed(Q.HistogramObserver, [0.0, 1.0]).merge(loaded))


def test_explanation_per_channel_compares_channels():
    observer = Q.PerChannelMinMaxObserver()
    observer(refquant.tensor([[0.0, 2.55], [0.0, 25.5]]))
    assert "10 times as coarse" in str(observer.explain())


def test_observers_that_choose_nothing_say_so():
    for make in (Q.RecordingObserver, Q.NoopObserver):
        assert "chooses none" in str(make().explain())


@every
def test_observing_needs_no_warning(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        qparams(observed(make, [-3e38, 1e-45] if make is not Q.HistogramObserver else [1.0]))
