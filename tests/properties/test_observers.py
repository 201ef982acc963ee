"""Laws of observers and fake quantization."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import refquant
from refquant import kernels
from refquant import quantization as Q

numbers = st.floats(-1e6, 1e6, width=32)
batches = hnp.arrays(np.float32, st.integers(1, 40), elements=numbers)
scales = st.floats(2.0**-10, 10, width=32)
matrices = hnp.arrays(np.float32, st.tuples(st.just(3), st.integers(1, 9)), elements=numbers)
ranges = st.tuples(numbers, numbers).map(sorted)
integer_ranges = st.sampled_from([(0, 255), (0, 127), (-128, 127), (-64, 63), (-8, 7), (0, 3)])


def observed(make, *seen, **options):
    observer = make(**options)
    for batch in seen:
        observer(refquant.from_numpy(batch))
    return observer


def bits(observer):
    return [None if v is None else v.numpy().tobytes() for v in observer.state_dict().values()]


@given(batches, batches)
def test_shards_of_min_max_merge_to_the_whole(a, b):
    merged = observed(Q.MinMaxObserver, a).merge(observed(Q.MinMaxObserver, b))
    assert bits(merged) == bits(observed(Q.MinMaxObserver, np.concatenate([a, b])))
    assert bits(merged) == bits(observed(Q.MinMaxObserver, b, a))


@given(matrices, matrices)
def test_shards_per_channel_merge_to_the_whole(a, b):
    make = Q.PerChannelMinMaxObserver
    merged = observed(make, a).merge(observed(make, b))
    assert bits(merged) == bits(observed(make, np.concatenate([a, b], axis=1)))


@given(batches, batches, batches)
def test_merging_min_max_is_associative_and_commutative(a, b, c):
    def one(x):
        return observed(Q.MinMaxObserver, x)

    left = one(a).merge(one(b)).merge(one(c))
    right = one(a).merge(one(b).merge(one(c)))
    assert bits(left) == bits(right) == bits(one(c).merge(one(a)).merge(one(b)))


@pytest.mark.parametrize("make", [Q.MinMaxObserver, Q.HistogramObserver])
def test_merging_with_one_that_saw_nothing_changes_nothing(make):
    x = np.array([-1.0, 0.5, 2.0], np.float32)
    for merged in (observed(make, x).merge(make()), make().merge(observed(make, x))):
        assert bits(merged) == bits(observed(make, x))
    assert bits(make().merge(make())) == bits(make())


@given(batches, batches)
def test_merging_histograms_is_commutative_and_keeps_the_count(a, b):
    def one(x):
        return observed(Q.HistogramObserver, x, bins=16)

    merged = one(a).merge(one(b))
    assert bits(merged) == bits(one(b).merge(one(a)))
    assert merged.histogram.numpy().sum() == pytest.approx(len(a) + len(b), rel=1e-5)


@given(batches, batches)
def test_merging_histograms_moves_nothing_farther_than_an_old_bin(a, b):
    bins = 16
    parts = [observed(Q.HistogramObserver, x, bins=bins) for x in (a, b)]
    widest = max(float(p.max_val.item()) - p.min_val.item() for p in parts) / bins
    merged = parts[0].merge(parts[1])
    low, high = merged.min_val.item(), merged.max_val.item()
    if low == high:
        return
    everything = np.concatenate([a, b]).astype(np.float64)
    edges = np.linspace(low, high, bins + 1)
    below = np.concatenate([[0], np.cumsum(merged.histogram.numpy(), dtype=np.float64)])
    # A single value lies anywhere in its new bin; float32 rounds edges and counts.
    slack = widest + (high - low) / bins + 1e-5 * max(abs(low), abs(high))
    for edge, count in zip(edges[1:-1], below[1:-1], strict=True):
        assert (everything < edge - slack).sum() - 0.01 <= count
        assert count <= (everything <= edge + slack).sum() + 0.01


def test_equal_histograms_merge_exactly():
    x = np.linspace(-1, 1, 50, dtype=np.float32)
    merged = observed(Q.HistogramObserver, x, bins=32).merge(
        observed(Q.HistogramObserver, x, bins=32)
    )
    assert bits(merged) == bits(observed(Q.HistogramObserver, np.concatenate([x, x]), bins=32))


@given(ranges, integer_ranges, st.booleans())
def test_what_is_chosen_represents_zero_and_the_range(ends, limits, symmetric):
    lower, upper = (np.array([v], np.float32) for v in ends)
    scales, zero_points = kernels.observer_qparams(lower, upper, *limits, symmetric)
    scale, zero_point = float(scales[0]), int(zero_points[0])
    low, high = limits
    assert low <= zero_point <= high
    # A symmetric range of an even count of integers lacks half a step at one end.
    reach = scale * (1.01 if symmetric else 0.51) + 1e-6 * max(abs(lower[0]), abs(upper[0]))
    assert (low - zero_point) * scale <= min(lower[0], 0) + reach
    assert (high - zero_point) * scale >= max(upper[0], 0) - reach


@given(batches, scales, st.integers(0, 15))
def test_fake_quantization_is_idempotent_and_monotone(x, scale, zero_point):
    def rounded(v):
        return refquant.fake_quantize_per_tensor_affine(v, scale, zero_point, 0, 15).numpy()

    once = rounded(x)
    np.testing.assert_array_equal(rounded(once), once)
    assert (np.diff(rounded(np.sort(x))) >= 0).all()


@given(batches, scales, st.integers(0, 255))
def test_fake_quantization_errs_by_half_a_step_where_it_does_not_clip(x, scale, zero_point):
    tensor = refquant.from_numpy(x).requires_grad_(True)
    y = refquant.fake_quantize_per_tensor_affine(tensor, scale, zero_point, 0, 255)
    y.sum().backward()
    inside = tensor.grad.numpy() == 1
    error = np.abs(y.detach().numpy().astype(np.float64) - x)[inside]
    assert (error <= scale * 0.5 * (1 + 1e-4)).all()
    low, high = -zero_point * scale, (255 - zero_point) * scale
    assert (inside | (x <= low) | (x >= high)).all()


@given(matrices, scales, st.integers(0, 15), st.integers(0, 1))
def test_equal_parameters_per_channel_are_those_per_tensor(x, scale, zero_point, axis):
    n = x.shape[axis]
    per_channel = refquant.fake_quantize_per_channel_affine(
        x, np.full(n, scale, np.float32), np.full(n, zero_point), axis, 0, 15
    )
    per_tensor = refquant.fake_quantize_per_tensor_affine(x, scale, zero_point, 0, 15)
    np.testing.assert_array_equal(per_channel.numpy(), per_tensor.numpy())


@given(batches)
def test_fake_quantization_agrees_with_quantizing_where_there_are_no_ties(x):
    module = Q.FakeQuantize(observer=Q.MinMaxObserver)
    y = module(refquant.from_numpy(x)).numpy()
    scale, zero_point = module.scale.item(), module.zero_point.item()
    q = refquant.quantize_per_tensor(x, scale, zero_point, refquant.quint8)
    quotient = x.astype(np.float64) / np.float64(np.float32(scale)) + zero_point
    clear = np.abs(quotient - np.floor(quotient) - 0.5) > 1e-3
    np.testing.assert_array_equal(q.dequantize().numpy()[clear], y[clear])
