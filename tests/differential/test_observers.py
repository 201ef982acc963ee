"""Observers of PyTorch 2.13, compared with an installed one to the last bit."""

import warnings

import numpy as np
import pytest

import refquant
from refquant import quantization as q

pytestmark = [
    pytest.mark.torch,
    # PyTorch wants to be given ranges instead.
    pytest.mark.filterwarnings("ignore:Please use quant_min and quant_max:UserWarning"),
]

LIMITS = {
    "quint8": [(0, 255), (0, 127), (0, 15)],
    "qint8": [(-128, 127), (-127, 127), (-8, 7)],
    "qint32": [(-(2**31), 2**31 - 1), (-1000, 1000)],
}
BATCHES = (
    lambda rng, n: rng.normal(size=n),
    lambda rng, n: np.maximum(rng.normal(size=n), 0),
    lambda rng, n: np.abs(rng.standard_t(2, size=n)),
    lambda rng, n: np.full(n, rng.normal()),
    lambda rng, n: rng.integers(-50, 51, size=n) * 0.25,
    lambda rng, n: -np.abs(rng.laplace(size=n)),
    lambda rng, n: np.append(rng.uniform(size=n), 1000),
    lambda rng, n: np.zeros(n),
    lambda rng, n: rng.normal(size=n) + 5,
)


@pytest.fixture(autouse=True)
def engine():
    with refquant.engines.using("fbgemm"):
        yield


@pytest.fixture
def cases(request):
    """How many random cases to compare: a number, times 20 with --thorough."""
    return lambda n: n * (20 if request.config.getoption("--thorough") else 1)


def same(wanted, got):
    """Compare a tensor of PyTorch and one of refquant: shape, dtype and bits."""
    # A copy, because PyTorch does not resize what NumPy looks at.
    a, b = wanted.detach().clone().numpy(), got.detach().numpy()
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    np.testing.assert_array_equal(a, b)


def batch(rng, kind, sizes=(1, 2, 7, 50, 500, 2000, 20000)):
    x = BATCHES[kind](rng, int(rng.choice(sizes))) * 10.0 ** rng.uniform(-2, 2)
    return x.astype(np.float32)


def arguments(rng, name, symmetric, per_channel):
    """Draw what both constructors take, with names of dtype and scheme."""
    kind = "symmetric" if symmetric else "affine"
    keywords = {"dtype": name, "qscheme": f"per_{'channel' if per_channel else 'tensor'}_{kind}"}
    if rng.integers(2):
        low, high = LIMITS[name][rng.integers(len(LIMITS[name]))]
        keywords |= {"quant_min": low, "quant_max": high}
    if rng.integers(2) and not (symmetric and name == "quint8"):
        keywords["reduce_range"] = True
    if rng.integers(4) == 0:
        keywords["eps"] = 2**-12
    return keywords


def both(torch, cls, keywords):
    """Make an observer of PyTorch and one of refquant."""
    names = ("dtype", "qscheme")
    theirs = {k: getattr(torch, v) if k in names else v for k, v in keywords.items()}
    ours = {k: getattr(refquant, v) if k in names else v for k, v in keywords.items()}
    return getattr(torch.ao.quantization, cls)(**theirs), getattr(q, cls)(**ours)


def ends(rng, kind, channels):
    size = 10.0 ** rng.uniform(*((-45, 38) if kind == 0 else (-9, 4)), size=(2, channels))
    low, high = np.sort((rng.normal(size=(2, channels)) * size).astype(np.float32), axis=0)
    if kind == 1:
        low = high = np.zeros(channels, np.float32)
    if kind == 2:
        low, high = np.sort(np.abs([low, high]), axis=0)
    if kind == 3:
        low, high = -np.sort(-np.abs([low, high]), axis=0)[::-1]
    return (low, low) if kind == 4 else (np.minimum(low, high), np.maximum(low, high))


def test_scale_and_zero_point_follow_from_a_range(torch, cases):
    rng = np.random.default_rng(61)
    for case in range(cases(400)):
        per_channel = bool(rng.integers(2))
        name = ("quint8", "qint8", "qint32")[rng.integers(3)]
        keywords = arguments(rng, name, bool(rng.integers(2)), per_channel)
        cls = "PerChannelMinMaxObserver" if per_channel else "MinMaxObserver"
        theirs, ours = both(torch, cls, keywords)
        low, high = ends(rng, case % 6, 4 if per_channel else 1)
        x = np.stack([low, high], axis=1)
        theirs(torch.from_numpy(x))
        ours(refquant.from_numpy(x))
        assert (theirs.quant_min, theirs.quant_max) == (ours.quant_min, ours.quant_max)
        for wanted, got in zip(theirs.calculate_qparams(), ours.calculate_qparams(), strict=True):
            same(wanted, got)


STORAGE = (np.float32, np.float32, np.float64, np.float16, np.int32)


def test_ranges_are_those_of_pytorch_after_each_batch(torch, cases):
    rng = np.random.default_rng(62)
    kinds = ("MinMax", "MovingAverageMinMax", "PerChannelMinMax", "MovingAveragePerChannelMinMax")
    for case in range(cases(300)):
        kind = kinds[case % 4]
        dims = int(rng.integers(2, 5))
        axis, channels = int(rng.integers(-dims, dims)), int(rng.integers(1, 5))
        keywords = {"ch_axis": axis} if "Channel" in kind else {}
        if "Average" in kind:
            keywords["averaging_constant"] = (0.01, 0.1, 1, 0.5)[rng.integers(4)]
        theirs, ours = both(torch, f"{kind}Observer", keywords)
        for _ in range(rng.integers(1, 6)):
            shape = rng.integers(0 if rng.integers(8) == 0 else 1, 5, size=dims)
            shape[axis] = channels
            x = rng.normal(size=shape) * 10.0 ** rng.uniform(-2, 2)
            x = np.asarray(x, STORAGE[rng.integers(len(STORAGE))])
            tensor = refquant.tensor(x.tolist(), dtype=getattr(refquant, x.dtype.name))
            tensor = tensor.reshape(*x.shape)
            assert ours(tensor) is tensor
            theirs(torch.from_numpy(x))
            same(theirs.min_val, ours.min_val)
            same(theirs.max_val, ours.max_val)


def test_histograms_and_what_is_searched_in_them_are_those_of_pytorch(torch, cases):
    rng = np.random.default_rng(63)
    for _ in range(cases(25)):
        name = ("quint8", "qint8")[rng.integers(2)]
        keywords = arguments(rng, name, rng.integers(3) == 0, False)
        keywords["bins"] = int(rng.choice([2048, 2048, 256, 100, 77]))
        theirs, ours = both(torch, "HistogramObserver", keywords)
        mixed, kind = rng.integers(3) == 0, int(rng.integers(len(BATCHES)))
        for number in range(rng.integers(1, 9)):
            x = batch(rng, int(rng.integers(len(BATCHES))) if mixed or number == 0 else kind)
            if rng.integers(30) == 0:
                x[rng.integers(x.size)] = np.inf
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # infinities are left out with a warning
                theirs(torch.from_numpy(x))
                ours(refquant.from_numpy(x))
            for key in ("histogram", "min_val", "max_val"):
                same(getattr(theirs, key), getattr(ours, key))
        if ours._seen() is None:
            continue
        for wanted, got in zip(theirs.calculate_qparams(), ours.calculate_qparams(), strict=True):
            same(wanted, got)


def test_zero_points_that_are_no_integers(torch, cases):
    rng = np.random.default_rng(66)
    for case in range(cases(60)):
        keywords = {"dtype": "quint8", "qscheme": "per_channel_affine_float_qparams"}
        if case % 2:
            keywords |= {"quant_min": 0, "quant_max": 15}
        theirs, ours = both(torch, "PerChannelMinMaxObserver", keywords)
        x = np.stack(ends(rng, case % 6, 5), axis=1)
        theirs(torch.from_numpy(x))
        ours(refquant.from_numpy(x))
        for wanted, got in zip(theirs.calculate_qparams(), ours.calculate_qparams(), strict=True):
            same(wanted, got)


def test_many_growing_batches_keep_the_order_of_sums(torch, cases):
    rng = np.random.default_rng(64)
    for _ in range(cases(1)):
        theirs, ours = both(torch, "HistogramObserver", {})
        for number in range(25):
            x = (rng.normal(size=300) * (1 + number)).astype(np.float32)
            theirs(torch.from_numpy(x))
            ours(refquant.from_numpy(x))
            same(theirs.histogram, ours.histogram)
        same(theirs.calculate_qparams()[0], ours.calculate_qparams()[0])


def test_a_qint32_histogram_searches_among_all_its_levels(torch):
    x = np.random.default_rng(65).normal(size=200).astype(np.float32)
    theirs, ours = both(torch, "HistogramObserver", {"bins": 64, "dtype": "qint32"})
    theirs(torch.from_numpy(x))
    ours(refquant.from_numpy(x))
    for wanted, got in zip(theirs.calculate_qparams(), ours.calculate_qparams(), strict=True):
        same(wanted, got)
