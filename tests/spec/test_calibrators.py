"""Observers beside the calibrators of ONNX Runtime, and beside the optima of known densities."""

import numpy as np
import pytest

import refquant
from refquant import quantization

f32 = np.float32


def data():
    return np.random.default_rng(0).laplace(size=20_000).astype(f32)


def observed(observer, x):
    observer(refquant.from_numpy(x))
    return observer


def ends(observer):
    return [float(end[0]) for end in observer._range()]


def collector(method, bins, symmetric, percentile=99.9):
    calibrate = pytest.importorskip("onnxruntime.quantization.calibrate")
    return calibrate.HistogramCollector(method, symmetric, bins, 128, percentile, "same")


def test_minimum_and_maximum_are_those_of_the_values():
    """So are those of its MinMaxCalibrater: ReduceMin and ReduceMax of each batch, united."""
    x = data()
    observer = quantization.MinMaxObserver()
    for part in np.split(x, 4):
        observed(observer, part)
    assert ends(observer) == [float(x.min()), float(x.max())]


@pytest.mark.parametrize("percentile", [99.0, 99.9, 99.999])
def test_percentiles_cut_as_many_values(percentile):
    """It takes the lower edge of the bin where the share is reached, PercentileObserver the edge
    that cuts no more than allowed: they differ by the values of a bin or two, of which the
    outer ones may be far apart.
    """
    x = data()
    judge = collector("percentile", 2048, False, percentile)
    judge.collect({"x": [x]})
    wanted = [float(end) for end in judge.compute_collection_result()["x"][:2]]
    found = ends(observed(quantization.PercentileObserver(percentile, 2048), x))
    for got, end in zip(found, wanted, strict=True):
        low, high = sorted([got, end])
        assert ((x > low) & (x < high)).sum() <= 5


def test_entropy_agrees_for_one_batch():
    """Up to the bin that a value next to an edge is counted in, and its cut to the extremes."""
    x = data()
    judge = collector("entropy", 512, False)
    judge.num_quantized_bins = 128
    judge.collect({"x": [x]})
    wanted = [float(end) for end in judge.compute_collection_result()["x"][:2]]
    observer = observed(quantization.EntropyObserver(512, quant_min=0, quant_max=127), x)
    width = 2 * float(np.abs(x).max()) / 512
    assert ends(observer) == pytest.approx(wanted, abs=2 * width)


# Best clipping points for steps of 2 c / 2**bits: R. Banner, Y. Nahshon, D. Soudry, "Post Training
# 4-Bit Quantization of Convolutional Networks for Rapid-Deployment", 2019, arXiv:1810.05723,
# section 3, as its code has them: cut or rounded to two decimals.
PUBLISHED = {
    "laplace": {2: 2.83, 3: 3.89, 4: 5.03, 5: 6.2, 6: 7.41, 7: 8.64, 8: 9.89},
    "normal": {2: 1.71, 3: 2.15, 4: 2.55, 5: 2.93, 6: 3.28, 7: 3.61, 8: 3.92},
}
DENSITIES = {
    "laplace": lambda x: np.exp(-x) / 2,
    "normal": lambda x: np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi),
}


def expected_error(density, clip, bits):
    """Mean of what clipping costs, by quadrature, plus that of rounding, a step squared / 12."""
    x = np.linspace(clip, clip + 40, 40_001)
    clipped = 2 * np.trapezoid((x - clip) ** 2 * DENSITIES[density](x), x)
    return clipped + (2 * clip / 2**bits) ** 2 / 12


def optimum(density, bits):
    """Clipping point of the least expected error, on a grid that is refined."""
    clip, width = 7.0, 6.5
    while width > 1e-4:
        tried = clip + width * np.linspace(-1, 1, 21)
        clip = min(tried, key=lambda c: expected_error(density, c, bits))
        width /= 10
    return clip


CASES = [(density, bits) for density in PUBLISHED for bits in range(2, 9)]


@pytest.mark.parametrize(("density", "bits"), CASES)
def test_published_optima_are_those_of_the_expected_error(density, bits):
    clip = optimum(density, bits)
    assert clip == pytest.approx(PUBLISHED[density][bits], abs=0.01)
    # The derivative: a wider range clips less, by the mean excess, and has wider steps.
    x = np.linspace(clip, clip + 40, 40_001)
    excess = 2 * np.trapezoid((x - clip) * DENSITIES[density](x), x)
    assert 2 * excess == pytest.approx(2 * clip / (3 * 4**bits), rel=1e-3)


@pytest.mark.parametrize(("density", "bits"), CASES)
def test_least_error_lies_near_the_optimum_of_the_density(density, bits):
    """The optimum counts on marks in the middles of cells and on rounding errors that are uniform;
    the observer on the quantizer itself. What it finds costs no more, and lies within 30 percent.
    """
    x = getattr(np.random.default_rng(0), density)(size=100_000).astype(f32)
    half = 2 ** (bits - 1)
    observer = quantization.MSEObserver(
        512, refquant.qint8, refquant.per_tensor_symmetric, quant_min=-half, quant_max=half - 1
    )
    scale = observed(observer, x).calculate_qparams()[0].item()
    clip = optimum(density, bits)

    def squared_error(step):
        y = refquant.fake_quantize_per_tensor_affine(
            refquant.from_numpy(x), float(step), 0, -half, half - 1
        )
        return float(np.mean((y.numpy() - x) ** 2))

    assert squared_error(scale) <= 1.01 * squared_error(clip / half)
    assert scale * half == pytest.approx(clip, rel=0.3)
