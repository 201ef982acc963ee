"""Which of equal elements are chosen, and the bits of ranges: as in PyTorch 2.13."""

import numpy as np
import pytest

import refquant

# What torch.topk answered: row, k, largest, indices.
ANSWERS = [
    ([0, 1, 1, 0, 1, 1], 2, True, [1, 5]),
    ([2, 2, 0, 2, 1, 0, 2, 1], 3, True, [0, 6, 3]),
    ([2, 2, 0, 2, 1, 0, 2, 1], 3, False, [2, 5, 4]),
    ([0, 1] * 70, 2, True, [3, 1]),
    (
        [k % 3 for k in range(40)],
        20,
        True,
        [20, 5, 32, 2, 38, 35, 8, 11, 26, 14, 23, 17, 29, 37, 31, 22, 1, 28, 25, 34],
    ),
]

# Bits of what torch.linspace(-1, 1, 7) and torch.arange(-1, 1, 0.1) answered.
LINSPACE = [
    -1082130432,
    -1087722838,
    -1096111446,
    -1291845632,
    1051372202,
    1059760810,
    1065353216,
]
ARANGE = [
    -1082130432,
    -1083808154,
    -1085485875,
    -1087163597,
    -1088841318,
    -1090519040,
    -1093874483,
    -1097229926,
    -1102263091,
    -1110651699,
    -1320366899,
    1036831948,
    1045220557,
    1050253722,
    1053609165,
    1056964608,
    1058642330,
    1060320051,
    1061997773,
    1063675494,
]


@pytest.mark.parametrize(("row", "k", "largest", "wanted"), ANSWERS)
def test_of_equals_those_come_first_that_pytorch_finds(row, k, largest, wanted):
    x = refquant.tensor(row, dtype=refquant.float32)
    assert refquant.topk(x, k, largest=largest).indices.tolist() == wanted
    q = refquant.quantize_per_tensor(x, 0.5, 3, refquant.quint8)
    assert q.topk(k, largest=largest).indices.tolist() == wanted


def test_ties_are_chosen_along_any_dimension():
    x = refquant.tensor(ANSWERS[0][0]).reshape(1, 6, 1).expand(2, 6, 3)
    found = refquant.topk(x, 2, dim=1).indices.numpy()
    assert (found == np.reshape(ANSWERS[0][3], (2, 1))).all()


@pytest.mark.torch
def test_ties_are_chosen_as_by_an_installed_pytorch(torch):
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 4, 7, 16, 17, 40, 64, 65, 129, 400):
        for spread in (1, 2, n // 3 + 1):
            v = rng.integers(0, spread + 1, (2, 9, n)).astype(np.float32)
            v[rng.random(v.shape) < 0.1 * (spread == 2)] = np.nan
            for k in {0, 1, min(2, n), min(5, n), n // 2, n}:
                for largest in (True, False):
                    theirs = torch.topk(torch.from_numpy(v), k, -1, largest)
                    ours = refquant.topk(refquant.from_numpy(v), k, -1, largest)
                    assert np.array_equal(ours[1].numpy(), theirs[1].numpy()), (n, k, largest)


def test_ranges_have_the_bits_of_pytorch():
    x = refquant.linspace(-1, 1, 7).numpy()
    assert x.view(np.int32).tolist() == LINSPACE
    x = refquant.arange(-1, 1, 0.1).numpy()
    assert x.view(np.int32).tolist() == ARANGE


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "uint8"])
def test_ranges_have_the_bits_of_an_installed_pytorch(torch, dtype):
    theirs, ours = getattr(torch, dtype), getattr(refquant, dtype)
    for n in (0, 1, 2, 3, 7, 16, 17, 33, 100, 257, 1001):
        for a, b in ((0, 3.1416), (-1, 1), (-3.3, 7.7), (5, -2), (0, 255), (1, 1)):
            if dtype == "uint8" and min(a, b) < 0:
                continue
            wanted = torch.linspace(a, b, n, dtype=theirs).numpy()
            found = refquant.linspace(a, b, n, dtype=ours).numpy()
            assert np.array_equal(found, wanted), (n, a, b)
        for start, step in ((0.0, 0.3), (-1.0, 0.01), (10, -0.7), (0, 1 / 3)):
            if dtype not in ("float32", "float64") or n == 0:
                continue
            end = start + step * (n - 0.5)
            wanted = torch.arange(start, end, step, dtype=theirs).numpy()
            assert np.array_equal(refquant.arange(start, end, step, dtype=ours).numpy(), wanted)


def test_a_number_is_formatted_as_a_number():
    x = refquant.tensor(2.5)
    assert f"{x} {x:.2f} {refquant.tensor(3)}/4" == "2.5 2.50 3/4"
    assert f"{refquant.tensor([2.5])}" == "tensor([2.5000])"


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("FloatTensor", "float32"), ("LongTensor", "int64"), ("HalfTensor", "float16"),
     ("DoubleTensor", "float64"), ("IntTensor", "int32"), ("ByteTensor", "uint8"),
     ("BoolTensor", "bool")],
)  # fmt: skip
def test_functions_are_named_after_types(name, dtype):
    make = getattr(refquant, name)
    assert make([1, 0]).dtype is getattr(refquant, dtype)
    assert make([1, 0]).type() == f"torch.{name}"
    assert (make(2, 3).shape, make().shape) == ((2, 3), (0,))
    with pytest.raises(refquant.errors.ArgumentTypeError):
        make("text")


def test_variables_share_elements():
    data = refquant.ones(2)
    x = refquant.autograd.Variable(data, requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    assert x.array is data.array
    assert not data.requires_grad
