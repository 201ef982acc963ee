"""The range of least relative entropy, beside ONNX Runtime's search and by hand."""

import numpy as np
import pytest

import refquant
from refquant import errors, kernels
from refquant.quantization import EntropyObserver


def observed(x, *arguments, **keywords):
    observer = EntropyObserver(*arguments, **keywords)
    observer(refquant.from_numpy(np.asarray(x, np.float32)))
    return observer


def ends(observer):
    return tuple(float(end[0]) for end in observer._range())


def test_by_hand():
    """Four bins, two integers: the parts are bins 1..3 and all.

    The smaller one: P = 3, 1, 1 and Q = 2, 1, 0, as the third bin is left over. The larger one: P
    = Q = 1, 1, 1, 1 with an average of 1 in each half, hence nothing is lost.
    """
    counts = np.array([1, 1, 1, 1], np.float32)
    assert kernels.least_divergence(counts, -2.0, 2.0, 2).tolist() == [-2, 2]
    # Here the whole would average 90 with 10; three groups of one bin each are exact.
    counts = np.array([0, 90, 0, 10, 1], np.float32)
    assert kernels.least_divergence(counts, -2.5, 2.5, 3).tolist() == [-1.5, 1.5]


@pytest.mark.parametrize("values", ["laplace", "normal", "exponential"])
@pytest.mark.parametrize("bins", [128, 301, 512])
@pytest.mark.parametrize("levels", [128, 64, 16])
def test_onnx_runtime_finds_the_same_part(values, bins, levels, monkeypatch):
    """Its last step cuts to the extremes, which lie in the bins that we cut to.

    It rounds divergences to float32, hence may take the second one where they differ by less.
    """
    calibrate = pytest.importorskip("onnxruntime.quantization.calibrate")
    divergences, formula = [], calibrate.entropy
    monkeypatch.setattr(
        calibrate, "entropy", lambda p, q: divergences.append(formula(p, q)) or divergences[-1]
    )
    x = getattr(np.random.default_rng(bins), values)(size=20_000).astype(np.float32)
    reach = float(np.abs(x).max())
    counts, edges = np.histogram(x, bins, range=(-reach, reach))
    collector = calibrate.HistogramCollector("entropy", False, bins, levels, 99.9, "same")
    wanted = collector.get_entropy_threshold(
        (counts, edges.astype(np.float32), x.min(), x.max(), reach), levels
    )
    found = kernels.least_divergence(counts.astype(np.float32), -reach, reach, levels).tolist()
    width = 2 * reach / bins
    near = [
        abs(got - end) < (1.01 * width if end == extreme else 1e-5 * reach)
        for got, end, extreme in zip(found, wanted, (x.min(), x.max()), strict=True)
    ]
    first, second = sorted(divergences)[:2] if len(divergences) > 1 else (0, 1)
    assert all(near) or second < first * (1 + 1e-4)


def test_the_default_of_onnx_runtime_maps_everything():
    """As many bins as integers: there is one part to try."""
    x = np.random.default_rng(0).laplace(size=20_000)
    observer = observed(x, 128, quant_min=0, quant_max=127)
    low, high = ends(observer)
    assert low <= x.min()
    assert high >= x.max()


def test_a_distant_value_does_not_widen_the_range_by_much():
    x = np.random.default_rng(0).laplace(size=20_000)
    with_it = np.append(x, 30.0)
    assert ends(observed(with_it, 512, quant_min=0, quant_max=15))[1] < 0.5 * 30


@pytest.mark.parametrize("engine", ["fbgemm", "fbgemm-1.4"])
def test_parts_merge_like_the_whole(engine):
    x = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    x[[0, 2000]] = np.abs(x).max()
    limits = {"quant_min": 0, "quant_max": 15}
    with refquant.engines.using(engine):
        parts = [observed(part, 256, **limits) for part in (x[:2000], x[2000:])]
        batches = observed(x[:2000], 256, **limits)
        batches(refquant.from_numpy(x[2000:]))
        whole = observed(x, 256, **limits)
    assert ends(parts[0].merge(parts[1])) == ends(whole) == ends(batches)


def test_a_wider_batch_leaves_the_histogram_symmetric(engine):
    with refquant.engines.using(engine):
        observer = observed([-1.0, 0.5], 64)
        observer(refquant.tensor([3.0]))
    assert (observer.min_val.item(), observer.max_val.item()) == (-3, 3)
    assert observer.histogram.numpy().sum() == pytest.approx(3)


def test_values_of_one_sign_leave_nothing_of_the_other():
    low, high = ends(observed(np.random.default_rng(0).exponential(size=5000), 512))
    assert low == 0
    assert high > 4


def test_few_or_equal_values_and_none():
    assert EntropyObserver()._range() is None
    assert ends(observed([0.0, 0.0], 64)) == (0.0, 0.0)
    for values in ([3.0, 3.0], [-1.0, 2.0]):
        observer = observed(values, 64)
        scale, zero_point = (v.item() for v in observer.calculate_qparams())
        y = refquant.fake_quantize_per_tensor_affine(
            refquant.tensor(values), scale, zero_point, 0, 255
        )
        assert y.tolist() == pytest.approx(values, abs=0.02)


def test_it_explains_what_was_compared():
    facts = str(observed(np.linspace(-1, 1, 100), 64).explain())
    assert "no other middle part has a smaller relative entropy" in facts
    assert "range seen    -1 .. 1" in facts


def test_a_range_too_wide_for_float32_and_dtypes_of_too_many_integers():
    with pytest.raises(errors.OperationError, match="width"):
        observed([3e38])
    with pytest.raises(errors.ArgumentError, match="dtype"):
        EntropyObserver(dtype=refquant.qint32)
