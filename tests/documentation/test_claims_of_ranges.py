"""Numbers that lectures, tutorials and explanations state about ranges and clipping, measured."""

import numpy as np
import pytest
from documentation.claims import says

import refquant
from refquant import quantization
from refquant.reference.histograms import _error

f32 = np.float32


def found_range(values, **options):
    observer = quantization.HistogramObserver(dtype=refquant.quint8, **options)
    observer(refquant.from_numpy(values))
    return observer.calculate_qparams()[0].item() * observer.target_range[1], observer


def test_the_search_counts_on_the_integers_of_the_range_but_not_on_those_of_reduce_range():
    assert says("docs/learn/clipping.rst", "It counts on 256 integers although only 128 are left")
    x = np.abs(np.random.default_rng(0).laplace(size=100_000)).astype(f32)
    whole, reduced = found_range(x)[0], found_range(x, reduce_range=True)[0]
    assert whole == pytest.approx(reduced, rel=1e-6)
    limits = [{"quant_min": 0, "quant_max": 2**bits - 1} for bits in (8, 7, 6, 5, 4)]
    assert found_range(x, **limits[-1])[0] == pytest.approx(whole, rel=1e-6)
    with refquant.engines.using("fbgemm-1.4"):
        ends = [found_range(x, **each)[0] for each in limits]
    assert ends == sorted(ends, reverse=True)
    assert len(set(ends)) == 5
    assert ends[-1] == pytest.approx(15 * 0.42825, rel=1e-4)


def test_the_search_need_not_find_the_best_range():
    """The first minimum, and never the full range: so `explain` does not claim the least error."""
    rng = np.random.default_rng(0)
    values = np.maximum(rng.laplace(size=300_000), 0).astype(f32)
    values[0] = 100.0
    found, observer = found_range(values, quant_min=0, quant_max=255)

    def squared_error(last):
        return np.mean((np.clip(np.rint(values * 255 / last), 0, 255) * last / 255 - values) ** 2)

    assert found < 20
    assert squared_error(100.0) < 0.5 * squared_error(found)
    text = str(observer.explain())
    assert "least" not in text
    assert "the search stopped where its next step would raise the squared error" in text
    assert "range seen    0 .. 100" in text


def test_the_search_measures_marks_in_the_middles_of_cells():
    """As step 3 of the lecture does: 16 integers, 16 cells, an error of a cell squared / 12."""
    assert says("docs/learn/clipping.rst", "the marks are the middles of cells")
    counts = np.ones(1024, f32)
    error = _error(counts, 1.0, 0, 1023, 16)
    assert error / 1024 == pytest.approx((1024 / 16) ** 2 / 12, rel=1e-4)


def test_predicted_errors_of_few_bits_are_too_small():
    assert says(
        "docs/learn/clipping.rst",
        "53, 24, 11 and 1 percent larger",
        r"are :math:`3.4\,b`, :math:`4.3\,b`, :math:`5.3\,b` and :math:`9.9\,b`.",
        "arXiv:1810.05723",
    )
    x = np.linspace(-30, 30, 200_001, dtype=f32)
    share = np.exp(-np.abs(x.astype(np.float64)))
    share /= share.sum()
    tensor = refquant.from_numpy(x)

    def squared_error(clip, levels):
        y = refquant.fake_quantize_per_tensor_affine(
            tensor, float(2 * clip / levels), levels // 2, 0, levels - 1
        )
        return float(((y.numpy() - x) ** 2 * share).sum())

    excess, best = [], []
    for bits in (2, 3, 4, 8):
        levels = 2**bits
        clip = np.log(3 * levels**2)
        for _ in range(20):
            clip -= (clip + np.log(clip) - np.log(3 * levels**2)) / (1 + 1 / clip)
        predicted = clip**2 / (3 * levels**2) + 2 * np.exp(-clip)
        excess.append(100 * (squared_error(clip, levels) / predicted - 1))
        tried = clip + np.linspace(-0.1, 0.8, 10)
        best.append(min(tried, key=lambda c, n=levels: squared_error(c, n)))
    assert excess == pytest.approx([53, 24, 11, 1], abs=1)
    assert best == pytest.approx([3.4, 4.3, 5.3, 9.9], abs=0.1)


def test_a_clipped_negative_activation_before_a_relu_costs_nothing():
    assert says("docs/learn/clipping.rst", "a clipped negative activation before a ReLU nothing")
    x = refquant.tensor([-9.0, -0.3, 0.5, 9.0])
    q = refquant.quantize_per_tensor(x, 0.1, 0, refquant.quint8).dequantize().numpy()
    assert q[:3] == pytest.approx([0, 0, 0.5])
    assert np.maximum(x.numpy()[:3], 0) == pytest.approx(q[:3])


@pytest.mark.parametrize("bits", [8, 4])
def test_rounding_of_a_smooth_image_draws_bands_and_of_noise_does_not(bits):
    """So a map of errors shows clipping not by its regions, but by the size of the error."""
    from refquant.plotting import error_map

    assert "draws bands of one color as well" in " ".join(error_map.__doc__.split())
    rows, columns = np.mgrid[0:256, 0:256] / 256
    smooth = (0.45 * rows + 0.05 * columns**2).astype(f32)
    noise = np.random.default_rng(0).uniform(0, 0.5, smooth.shape).astype(f32)
    scale = 0.5 / (2**bits - 1)
    near = []
    for image in (smooth, noise):
        q = refquant.quantize_per_tensor(refquant.from_numpy(image), scale, 0, refquant.quint8)
        error = q.dequantize().numpy() - image
        assert np.abs(error).max() <= scale * 0.501
        near.append(np.corrcoef(error[:, 1:].ravel(), error[:, :-1].ravel())[0, 1])
    assert near[0] > 0.4
    assert abs(near[1]) < 0.02


def test_bins_of_any_other_width_draw_spikes_of_weights():
    """What `weight_histogram` did with 61 bins: twice as many at zero as beside it."""
    from matplotlib.figure import Figure

    from refquant.plotting import weight_histogram

    w = np.random.default_rng(0).normal(size=20_000).astype(f32)
    scale = float(np.abs(w).max() / 31.5)
    q = refquant.quantize_per_tensor(refquant.from_numpy(w), scale, 0, refquant.qint8)
    codes = np.bincount(q.int_repr().numpy() + 40, minlength=80)[38:43]
    assert codes.max() / codes.min() < 1.1
    ax = Figure().add_subplot()
    weight_histogram(refquant.from_numpy(w), q, ax=ax)
    counts, edges, _ = ax.patches[1].get_data()
    zero = int(np.searchsorted(edges, 0.0)) - 1
    middle = counts[zero - 1 : zero + 2]
    assert middle.max() / middle.min() < 1.1
    assert counts.sum() == 20_000


def losses(bits):
    """Return the SQNR of each way to choose a range, for the data of the lecture."""
    x = np.random.default_rng(0).laplace(size=20_000).astype(f32)
    found = {}
    for kind in (
        quantization.MinMaxObserver,
        quantization.MSEObserver,
        quantization.HistogramObserver,
        quantization.EntropyObserver,
        quantization.PowerOfTwoObserver,
    ):
        observer = kind(quant_min=0, quant_max=2**bits - 1)
        observer(refquant.from_numpy(x))
        scale, zero_point = (v.item() for v in observer.calculate_qparams())
        y = refquant.fake_quantize_per_tensor_affine(
            refquant.from_numpy(x), scale, zero_point, 0, 2**bits - 1
        )
        error = y.numpy() - x
        found[kind.__name__] = 10 * np.log10((x**2).sum() / (error**2).sum()), scale
    return found


def test_what_the_ways_to_choose_a_range_lose():
    assert says(
        "docs/learn/ranges.rst",
        "and is 4.7 dB worse",
        "The best steps of step 3 were 0.078 and 0.65",
        "It costs 3.1 dB with 8 bits and 1.4 dB with 4.",
        "it loses 4.6 dB",
    )
    eight, four = losses(8), losses(4)
    best = {8: eight["MSEObserver"], 4: four["MSEObserver"]}
    assert best[4][0] - four["HistogramObserver"][0] == pytest.approx(4.7, abs=0.05)
    assert (best[8][1], best[4][1]) == pytest.approx((0.078, 0.65), rel=0.01)
    assert best[8][0] - eight["PowerOfTwoObserver"][0] == pytest.approx(3.1, abs=0.05)
    assert best[4][0] - four["PowerOfTwoObserver"][0] == pytest.approx(1.4, abs=0.05)
    assert best[8][0] - eight["EntropyObserver"][0] == pytest.approx(4.6, abs=0.05)
    assert all(best[bits][0] >= max(r for r, _ in found.values()) for bits, found in
               ((8, eight), (4, four)))  # fmt: skip
