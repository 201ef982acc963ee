"""The range of a given percentage, beside the values themselves."""

import numpy as np
import pytest

import refquant
from refquant import errors
from refquant.quantization import PercentileObserver


def observed(x, *arguments, **keywords):
    observer = PercentileObserver(*arguments, **keywords)
    observer(refquant.from_numpy(np.asarray(x, np.float32)))
    return observer


def ends(observer):
    return tuple(float(end[0]) for end in observer._range())


def test_a_share_of_each_side_is_cut():
    x = np.arange(1000) / 1000  # one value in each bin
    assert ends(observed(x, 98.0, bins=1000)) == pytest.approx((0.00999, 0.98901), abs=1e-5)
    assert ends(observed(x, 100.0, bins=1000)) == pytest.approx((0.0, 0.999), abs=1e-6)


def test_no_more_is_cut_than_the_percentage_allows(engine):
    with refquant.engines.using(engine):
        for seed in range(20):
            rng = np.random.default_rng(seed)
            x = rng.laplace(size=5001).astype(np.float32)
            low, high = ends(observed(x, 99.0, bins=512))
            assert (x < low).mean() <= 0.005 + 1e-9
            assert (x > high).mean() <= 0.005 + 1e-9
            width = (x.max() - x.min()) / 512
            assert (x < low + width).mean() > 0.005
            assert (x > high - width).mean() > 0.005


def test_the_whole_range_of_few_or_equal_values():
    assert ends(observed([3.0, 3.0])) == (3.0, 3.0)
    assert ends(observed([-1.0, 2.0], 50.0)) == (-1.0, 2.0)
    assert PercentileObserver()._range() is None


def test_parts_merge_like_the_whole():
    x = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    x[[0, 2000]], x[[1, 2001]] = x.min(), x.max()
    parts = observed(x[:2000], 99.0).merge(observed(x[2000:], 99.0))
    assert ends(parts) == ends(observed(x, 99.0))
    with pytest.raises(errors.ArgumentError):
        parts.merge(observed(x, 98.0))


def test_it_explains_what_it_keeps():
    facts = str(observed(np.linspace(-1, 1, 100), 90.0).explain())
    assert "90 % were to be kept" in facts


@pytest.mark.parametrize("percentile", [0, -1, 100.5, float("nan"), float("inf")])
def test_a_percentage_that_is_none(percentile):
    with pytest.raises(errors.ArgumentError, match="percentile"):
        PercentileObserver(percentile)
