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


# Best clipping points for a step of 2 c / 2**bits: Banner et al. (2019), table of section 3.
OPTIMA = {
    "laplace": {2: 2.83, 3: 3.89, 4: 5.03},
    "normal": {2: 1.71, 3: 2.15, 4: 2.55},
}


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("density", sorted(OPTIMA))
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
    clip = OPTIMA[density][bits]

    def squared_error(step):
        y = refquant.fake_quantize_per_tensor_affine(
            refquant.from_numpy(x), float(step), 0, -half, half - 1
        )
        return float(np.mean((y.numpy() - x) ** 2))

    assert squared_error(scale) <= 1.01 * squared_error(clip / half)
    assert scale * half == pytest.approx(clip, rel=0.3)
