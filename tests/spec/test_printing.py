"""What tensors look like when they are printed: the text of PyTorch 2.13."""

import numpy as np
import pytest

import refquant

INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (0.06, "tensor(0.0600)"),
        ([0.06, 1], "tensor([0.0600, 1.0000])"),
        ([1.0, -2.0], "tensor([ 1., -2.])"),
        ([0.0, -0.0], "tensor([0., -0.])"),
        ([0.5, NAN, -INF], "tensor([0.5000,    nan,   -inf])"),
        ([1.0, NAN, INF], "tensor([1., nan, inf])"),
        ([NAN, NAN], "tensor([nan, nan])"),
        ([1.5e-7, 3.0], "tensor([1.5000e-07, 3.0000e+00])"),
        ([1.0, 1001.0], "tensor([1.0000e+00, 1.0010e+03])"),
        ([1.0, 1000.0], "tensor([   1., 1000.])"),
        ([2e8], "tensor([2.0000e+08])"),
        ([[1, 200], [-3, 4]], "tensor([[  1, 200],\n        [ -3,   4]])"),
        ([True, False], "tensor([ True, False])"),
        ([], "tensor([])"),
        ([[[0.5]], [[2.0]]], "tensor([[[0.5000]],\n\n        [[2.0000]]])"),
    ],
)
def test_elements(values, expected):
    assert repr(refquant.tensor(values)) == expected


def test_tensors_without_elements_have_a_size_or_a_dtype():
    assert repr(refquant.zeros(2, 0)) == "tensor([], size=(2, 0))"
    assert repr(refquant.arange(0)) == "tensor([], dtype=refquant.int64)"


def test_many_elements_are_summarized():
    assert repr(refquant.arange(1001)) == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    lines = repr(refquant.zeros(1001, 1)).split("\n")
    assert lines == [
        "tensor([[0.],",
        "        [0.],",
        "        [0.],",
        "        ...,",
        "        [0.],",
        "        [0.],",
        "        [0.]])",
    ]


def test_long_rows_are_continued():
    first, second = repr(refquant.arange(24)).split("\n")
    assert first.endswith("15, 16, 17,")
    assert second == "        18, 19, 20, 21, 22, 23])"


def test_suffixes_begin_a_new_line_where_they_do_not_fit():
    x = refquant.full((8,), 0.25, requires_grad=True)
    assert repr(x).split("\n") == [
        "tensor([0.2500, 0.2500, 0.2500, 0.2500, 0.2500, 0.2500, 0.2500, 0.2500],",
        "       requires_grad=True)",
    ]


def test_scales_of_channels():
    q = refquant.quantize_per_channel(
        refquant.tensor([[0.06, 1], [2, 3.5]]),
        refquant.tensor([0.1, 0.2], dtype=refquant.float64),
        refquant.tensor([0, 1]),
        0,
        refquant.qint8,
    )
    assert repr(q).split("\n") == [
        "tensor([[0.1000, 1.0000],",
        "        [2.0000, 3.4000]], size=(2, 2), dtype=refquant.qint8,",
        "       quantization_scheme=refquant.per_channel_affine,",
        "       scale=tensor([0.1000, 0.2000], dtype=refquant.float64),",
        "       zero_point=tensor([0, 1]), axis=0)",
    ]


def drawn(rng, shape):
    """Yield arrays whose numbers are written in each of the ways."""
    normal = rng.standard_normal(shape, np.float32)
    yield from (normal, normal.astype(np.float64), normal.astype(np.float16), normal > 0)
    yield from (normal * np.float32(1e-6), normal * np.float32(1e5), np.round(normal * 9))
    yield from (rng.integers(-50, 50, shape), rng.integers(0, 2**40, shape))
    yield from (rng.integers(0, 2000, shape).astype(np.float32) / 1000,)
    yield np.where(normal > 0, normal, np.float32(INF)).astype(np.float32)
    yield np.where(normal > 0, np.float32(NAN), np.float32(3)).astype(np.float32)


def words(tensor):
    """Split what is printed; our names of dtypes are longer and may begin a new line."""
    return repr(tensor).replace("refquant.", "torch.").split()


SHAPES = [(), (1,), (3,), (17,), (1001,), (2, 3), (3, 40), (40, 40), (2, 3, 4), (9, 2, 9, 9), (0,)]


@pytest.mark.torch
@pytest.mark.parametrize("shape", SHAPES)
def test_an_installed_pytorch_prints_the_same(torch, shape):
    rng = np.random.default_rng(len(shape))
    for array in drawn(rng, shape):
        array = np.asarray(array)
        assert words(refquant.tensor(array)) == words(torch.from_numpy(array))


@pytest.fixture
def options():
    yield
    refquant.set_printoptions(profile="default")


OPTIONS = [
    {"precision": 2},
    {"precision": 0},
    {"sci_mode": True},
    {"sci_mode": False},
    {"threshold": 5, "edgeitems": 1},
    {"threshold": 5, "edgeitems": 2},
    {"linewidth": 40},
    {"profile": "short"},
    {"profile": "full"},
]


@pytest.mark.torch
@pytest.mark.parametrize("setting", OPTIONS, ids=repr)
def test_an_installed_pytorch_prints_the_same_with_options(torch, options, setting):
    rng = np.random.default_rng(1)
    refquant.set_printoptions(**setting)
    torch.set_printoptions(**setting)
    try:
        for shape in [(3,), (40, 40), (2, 3, 40)]:
            for array in drawn(rng, shape):
                assert words(refquant.tensor(array)) == words(torch.from_numpy(array))
    finally:
        torch.set_printoptions(profile="default")


def test_options_stay_until_they_are_set_again(options):
    refquant.set_printoptions(precision=1)
    refquant.set_printoptions(linewidth=30)
    assert repr(refquant.tensor([0.25] * 6)).split("\n") == [
        "tensor([0.2, 0.2, 0.2, 0.2,",
        "        0.2, 0.2])",
    ]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"precision": -1}, "`precision` must be"),
        ({"edgeitems": 1.5}, "`edgeitems` must be"),
        ({"threshold": "many"}, "`threshold` must be a number"),
        ({"profile": "wide"}, "`profile` must be"),
        ({"linewidth": 50, "sci_mode": "no"}, "`sci_mode` must be"),
    ],
)
def test_options_that_are_rejected_change_nothing(options, setting, message):
    x = refquant.rand(2, 50)
    before = repr(x)
    with pytest.raises(refquant.errors.RefquantError, match=message):
        refquant.set_printoptions(**setting)
    assert repr(x) == before
