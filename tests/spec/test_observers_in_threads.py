"""One observer that many threads feed counts every tensor once, whatever their order."""

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import refquant
from refquant import quantization


@pytest.fixture(autouse=True)
def switching_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def batches():
    rng = np.random.default_rng(5)
    return [refquant.from_numpy(rng.normal(size=(8, 300)).astype(np.float32)) for _ in range(100)]


def fed(observer, threads):
    with ThreadPoolExecutor(threads) as pool:
        for x, result in zip(made := batches(), pool.map(observer, made), strict=True):
            assert result is x
    return observer


@pytest.mark.parametrize("kind", ["MinMaxObserver", "PerChannelMinMaxObserver"])
def test_the_range_is_that_of_all(kind):
    make = getattr(quantization, kind)
    one, many = fed(make(), 1), fed(make(), 8)
    assert np.array_equal(one.min_val.numpy(), many.min_val.numpy())
    assert np.array_equal(one.max_val.numpy(), many.max_val.numpy())


HISTOGRAMS = [
    *("HistogramObserver", "PercentileObserver", "MSEObserver", "EntropyObserver"),
    "PowerOfTwoObserver",
]


@pytest.mark.parametrize("kind", HISTOGRAMS)
def test_no_count_is_lost(kind):
    observer = fed(getattr(quantization, kind)(), 8)
    # Merging histograms splits counts, whose sum is rounded; a lost batch would be 1 %.
    assert observer.histogram.numpy().sum() == pytest.approx(100 * 8 * 300, rel=1e-6)
    least = min(x.numpy().min() for x in batches())
    assert observer.min_val.item() <= least


def test_merges_in_threads_lose_nothing():
    total = quantization.HistogramObserver()
    parts = [quantization.HistogramObserver() for _ in range(40)]
    for part in parts:
        part(batches()[0])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(total.merge, parts))
    assert total.histogram.numpy().sum() == 40 * 8 * 300


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_waits_for_no_one(copied):
    observer = quantization.MinMaxObserver()
    other = copied(observer)
    with observer._turn, ThreadPoolExecutor(1) as pool:
        pool.submit(other, refquant.ones(3)).result(timeout=60)
    assert other.max_val.item() == 1.0
