"""Scales that are powers of two, beside all of them tried one by one."""

import math

import numpy as np
import pytest
from spec.test_least_error import spread

import refquant
from refquant import errors, kernels
from refquant.quantization import MSEObserver, PowerOfTwoObserver

f32 = np.float32


def observed(x, *arguments, **keywords):
    observer = PowerOfTwoObserver(*arguments, **keywords)
    observer(refquant.from_numpy(np.asarray(x, f32)))
    return observer


def chosen(observer):
    return tuple(v.item() for v in observer.calculate_qparams())


@pytest.mark.parametrize(("levels", "middle"), [(256, -1), (16, -1), (2, -1), (256, 128), (15, 7)])
@pytest.mark.parametrize("shift", [0.0, 0.7, -9.0])
def test_no_power_of_two_has_a_smaller_error(levels, middle, shift):
    x = np.random.default_rng(levels).laplace(size=2000) + shift
    counts, edges = np.histogram(x, 32)
    ends = float(f32(edges[0])), float(f32(edges[-1]))
    low, high = kernels.best_power_of_two(counts.astype(f32), *ends, levels, middle, -23).tolist()
    values, weights = spread(counts, *ends)

    def squared_error(scale, zero):
        codes = np.clip(np.rint(values / scale) + zero, 0, levels - 1)
        return (weights * (values - scale * (codes - zero)) ** 2).sum()

    scale = (high - low) / (levels - 1)
    assert math.frexp(scale)[0] == 0.5
    places = range(levels) if middle < 0 else [middle]
    step = max(1, len(places) // 16)
    zero = -low / scale if middle < 0 else middle
    tried = [
        squared_error(2.0**k, place) for k in range(-8, 6) for place in {*places[::step], zero}
    ]
    assert squared_error(scale, zero) <= min(tried) * (1 + 1e-3)


@pytest.mark.parametrize("scheme", [refquant.per_tensor_affine, refquant.per_tensor_symmetric])
@pytest.mark.parametrize("limits", [(-128, 127), (-8, 7), (-127, 127), (-3, 12)])
def test_scales_are_powers_of_two(scheme, limits, engine):
    rng = np.random.default_rng(0)
    with refquant.engines.using(engine):
        for size in (1e-30, 1e-5, 0.3, 1.0, 77.0, 1e30):
            x = (rng.laplace(size=300) * size).astype(f32)
            observer = observed(
                x, 128, refquant.qint8, scheme, quant_min=limits[0], quant_max=limits[1]
            )
            scale, zero_point = chosen(observer)
            assert math.frexp(scale)[0] == 0.5
            assert limits[0] <= zero_point <= limits[1]
            if scale > 2**-23:
                y = refquant.fake_quantize_per_tensor_affine(
                    refquant.from_numpy(x), scale, zero_point, *limits
                )
                error = y.numpy().astype(np.float64) - x
                assert np.mean(error**2) < np.mean(x.astype(np.float64) ** 2)


def test_reduced_ranges(engine):
    with refquant.engines.using(engine):
        observer = observed([-1.0, 0.9], reduce_range=True)
    assert observer.target_range == (0, 127)
    assert chosen(observer) == (2**-6, 64)


def test_at_eight_bits_it_loses_at_most_six_decibels_to_any_scale():
    """A step is at most twice as wide as it need be."""
    for seed in range(5):
        x = (np.random.default_rng(seed).normal(size=5000) * (1 + seed / 3)).astype(f32)
        losses = []
        for kind in (MSEObserver, PowerOfTwoObserver):
            observer = kind(512)
            observer(refquant.from_numpy(x))
            y = refquant.fake_quantize_per_tensor_affine(
                refquant.from_numpy(x), *chosen(observer), 0, 255
            )
            losses.append(10 * np.log10(np.mean((y.numpy() - x) ** 2)))
        assert losses[0] - 0.1 <= losses[1] <= losses[0] + 6.1


def test_few_or_equal_values_and_none():
    assert PowerOfTwoObserver()._range() is None
    zeros = chosen(observed([0.0, 0.0]))
    assert math.frexp(zeros[0])[0] == 0.5
    for values in ([3.0, 3.0], [-0.75, -0.75], [-1.0, 2.0]):
        y = refquant.fake_quantize_per_tensor_affine(
            refquant.tensor(values), *chosen(observed(values)), 0, 255
        )
        assert y.tolist() == pytest.approx(values, abs=0.01)


def test_the_largest_numbers_are_clipped_rather_than_overflow():
    scale, _ = chosen(observed([3.4e38, 0.0]))
    assert scale == 2.0**119
    assert chosen(observed([1e-44, 0.0]))[0] == 2**-23


def test_parts_merge_like_the_whole():
    x = np.random.default_rng(0).normal(size=4000).astype(f32)
    x[[0, 2000]], x[[1, 2001]] = x.min(), x.max()
    parts, whole = [observed(part, 256) for part in (x[:2000], x[2000:])], observed(x, 256)
    assert chosen(parts[0].merge(parts[1])) == chosen(whole)


def test_it_names_the_power():
    facts = str(observed([-1.0, 0.9]).explain())
    assert "power of two  2**-7" in facts
    assert "no other power of two has a smaller squared error" in facts


def test_dtypes_of_too_many_integers():
    with pytest.raises(errors.ArgumentError, match="dtype"):
        PowerOfTwoObserver(dtype=refquant.qint32)
