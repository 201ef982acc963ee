"""The range of least squared error, beside all ranges tried one by one."""

import numpy as np
import pytest

import refquant
from refquant import errors, kernels
from refquant.quantization import HistogramObserver, MSEObserver

PARTS = 1000  # of a bin


def spread(counts, lower, upper):
    """Place the observations of every bin evenly in it: values and how often they occur."""
    width = (upper - lower) / len(counts)
    within = (np.arange(PARTS) + 0.5) / PARTS
    return (
        (lower + width * (np.arange(len(counts))[:, None] + within)).ravel(),
        np.repeat(counts / PARTS, PARTS),
    )


def squared_error(x, weights, low, high, levels, middle=-1):
    step = (high - low) / (levels - 1)
    zero = np.rint(-low / step) if middle < 0 else middle
    y = step * (np.clip(np.rint(x / step) + zero, 0, levels - 1) - zero)
    return float((weights * (x - y) ** 2).sum())


@pytest.mark.parametrize("levels", [256, 128, 16, 4, 2])
@pytest.mark.parametrize("shift", [0.0, 0.7, 3.0, -9.0])
def test_no_range_has_a_smaller_error(levels, shift):
    rng = np.random.default_rng(levels)
    x = rng.laplace(size=2000) + shift
    counts, edges = np.histogram(x, 32)
    ends = float(np.float32(edges[0])), float(np.float32(edges[-1]))
    found = kernels.best_range(counts.astype(np.float32), *ends, levels, -1).tolist()
    edges = np.linspace(*ends, 33)
    values = spread(counts, *ends)
    least = min(
        squared_error(*values, low, high, levels)
        for low in (*edges[edges < 0], 0.0)
        for high in (*edges[edges > 0], 0.0)
        if low < high
    )
    assert squared_error(*values, *found, levels) == pytest.approx(least, rel=1e-3)
    assert found[0] <= 0 <= found[1]


@pytest.mark.parametrize(("levels", "middle"), [(256, 128), (255, 127), (16, 8)])
def test_no_symmetric_range_has_a_smaller_error(levels, middle):
    x = np.random.default_rng(levels).laplace(size=2000) + 0.3
    counts, edges = np.histogram(x, 32)
    ends = float(np.float32(edges[0])), float(np.float32(edges[-1]))
    found = kernels.best_range(counts.astype(np.float32), *ends, levels, middle).tolist()
    assert found[0] == pytest.approx(-found[1], rel=1e-6)
    values = spread(counts, *ends)
    tried = [abs(edge) for edge in np.linspace(*ends, 33)]
    least = min(squared_error(*values, -c, c, levels, middle) for c in tried if c > 0)
    assert squared_error(*values, *found, levels, middle) == pytest.approx(least, rel=1e-3)


def measured(observer, x, bits):
    observer(refquant.from_numpy(x))
    scale, zero_point = (v.item() for v in observer.calculate_qparams())
    y = refquant.fake_quantize_per_tensor_affine(
        refquant.from_numpy(x), scale, zero_point, 0, 2**bits - 1
    )
    return float(np.mean((y.numpy() - x) ** 2))


@pytest.mark.parametrize("bits", [8, 6, 4, 3])
@pytest.mark.parametrize("name", ["laplace", "normal", "exponential"])
def test_it_is_no_worse_than_the_greedy_search(name, bits, engine):
    x = getattr(np.random.default_rng(0), name)(size=20_000).astype(np.float32)
    options = {"bins": 512, "quant_min": 0, "quant_max": 2**bits - 1}
    with refquant.engines.using(engine):
        greedy = measured(HistogramObserver(**options), x, bits)
        best = measured(MSEObserver(**options), x, bits)
    assert best <= greedy * 1.005


def test_one_far_value_is_kept_where_that_costs_less():
    x = np.append(np.random.default_rng(0).laplace(size=200_000), 100.0).astype(np.float32)
    assert measured(MSEObserver(), x, 8) < 0.9 * measured(HistogramObserver(), x, 8)


@pytest.mark.parametrize("symmetric", [True, False])
def test_it_knows_which_integers_are_left(symmetric):
    scheme = refquant.per_tensor_symmetric if symmetric else refquant.per_tensor_affine
    x = refquant.from_numpy(np.random.default_rng(0).laplace(size=20_000).astype(np.float32))
    widths = []
    for last in (127, 63, 7, 1):
        observer = MSEObserver(512, refquant.qint8, scheme, quant_min=-last - 1, quant_max=last)
        observer(x)
        low, high = observer._range()
        widths.append(float(high[0] - low[0]))
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 4


def test_few_or_equal_values_and_none():
    assert MSEObserver()._range() is None
    for values in ([3.0, 3.0], [0.0, 0.0], [-1.0, 2.0]):
        observer = MSEObserver()
        observer(refquant.tensor(values))
        scale, zero_point = (v.item() for v in observer.calculate_qparams())
        y = refquant.fake_quantize_per_tensor_affine(
            refquant.tensor(values), scale, zero_point, 0, 255
        )
        assert y.tolist() == pytest.approx(values, abs=0.01)


def test_parts_merge_like_the_whole():
    x = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    x[[0, 2000]], x[[1, 2001]] = x.min(), x.max()
    parts, whole = [MSEObserver(256) for _ in range(2)], MSEObserver(256)
    for part, values in zip(parts, (x[:2000], x[2000:]), strict=True):
        part(refquant.from_numpy(values))
    whole(refquant.from_numpy(x))
    assert parts[0].merge(parts[1])._range() == whole._range()


def test_it_explains_that_no_other_range_is_better():
    observer = MSEObserver(256)
    observer(refquant.randn(1000))
    assert "no other range has a smaller squared error" in str(observer.explain())


def test_dtypes_of_too_many_integers():
    with pytest.raises(errors.ArgumentError, match="dtype"):
        MSEObserver(dtype=refquant.qint32)
