"""What operations on plain tensors reject, and what they answer at the ends of their domain."""

import copy
import math

import numpy as np
import pytest

import refquant
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    DtypeError,
    IndexRangeError,
    OperationError,
    ShapeError,
)
from refquant.nn import functional as F

ZERO_D = refquant.tensor(1.5)
X = refquant.tensor([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    "make",
    [
        lambda n: refquant.arange(n),
        lambda n: refquant.zeros(n),
        lambda n: refquant.ones((n, n)),
        lambda n: refquant.empty(0, n),
        lambda n: refquant.full((n,), 1.0),
        lambda n: refquant.eye(n),
        lambda n: refquant.linspace(0, 1, n),
        lambda n: refquant.randn(n, 2),
        lambda n: refquant.rand(n, 2),
        lambda n: refquant.randperm(n),
        lambda n: refquant.randint(0, 2, (n,)),
        lambda n: refquant.normal(0.0, 1.0, (n,)),
        lambda n: X.new_zeros(n),
        lambda n: X[0, :1].expand(n, n),
        lambda n: X.repeat(n, n),
        lambda n: refquant.ones(2).resize_(n),
        lambda n: F.interpolate(refquant.ones(1, 1, 2, 2), size=(n, n)),
        lambda n: F.interpolate(refquant.ones(1, 1, 2, 2), scale_factor=float(n)),
        lambda n: F.adaptive_avg_pool2d(refquant.ones(1, 1, 2, 2), n),
        lambda n: F.pad(X, (0, n)),
        lambda n: F.conv2d(refquant.ones(1, 1, 2, 2), refquant.ones(1, 1, 1, 1), padding=n),
    ],
)
@pytest.mark.parametrize("size", [2**63, 2**64, 2**62])
def test_sizes_that_would_wrap_around_are_errors(make, size):
    with pytest.raises(ArgumentError):
        make(size)


@pytest.mark.parametrize("make", [refquant.zeros, refquant.ones, refquant.randn, refquant.randperm])
def test_negative_sizes_are_errors(make):
    with pytest.raises(ArgumentError, match="at least 0, got -1"):
        make(-1)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: ZERO_D.unbind(), IndexRangeError),
        (lambda: ZERO_D.select(0, 0), IndexRangeError),
        (lambda: ZERO_D.split(1), ShapeError),
        (lambda: ZERO_D.chunk(1), ShapeError),
        (lambda: ZERO_D.narrow(0, 0, 1), ShapeError),
        (lambda: ZERO_D.size(0), IndexRangeError),
        (lambda: X.size(5), IndexRangeError),
        (lambda: X.stride(-3), IndexRangeError),
        (lambda: X.size("a"), ArgumentTypeError),
        (lambda: X.cumsum((0, 1)), ArgumentTypeError),
        (lambda: X.softmax((0, 1)), ArgumentTypeError),
        (lambda: X.argmax((0, 1)), ArgumentTypeError),
        (lambda: refquant.cat([X, X], (0, 1)), ArgumentTypeError),
        (lambda: X.sum((0, 0)), OperationError),
        (lambda: X.flip(0, 0), OperationError),
        (lambda: X.sum(0.0), ArgumentTypeError),
        (lambda: X.sum(0, keepdim=None), ArgumentTypeError),
        (lambda: refquant.ones(2) == refquant.ones(3), ShapeError),
        (lambda: refquant.ones(2).lt(refquant.ones(3)), ShapeError),
        (lambda: refquant.logical_and(refquant.ones(2), refquant.ones(3)), ShapeError),
        (lambda: refquant.isclose(refquant.ones(2), refquant.ones(3)), ShapeError),
        (lambda: refquant.where(refquant.ones(2) > 0, X[:, :1], refquant.ones(3)), ShapeError),
        (lambda: X.masked_fill(refquant.ones(3) > 0, 1.0), ShapeError),
        (lambda: X.masked_fill(X > 1, "a"), ArgumentTypeError),
        (lambda: X.masked_select(refquant.ones(3) > 0), ShapeError),
        (lambda: X.masked_select(X), DtypeError),
        (lambda: X.gather(0, X), DtypeError),
        (lambda: X.gather(0, refquant.tensor([0])), ShapeError),
        (lambda: X.index_select(0, X), ArgumentTypeError),
        (lambda: X.topk(1.5), ArgumentTypeError),
        (lambda: X.norm("a"), ArgumentTypeError),
        (lambda: X.norm(1j), ArgumentTypeError),
        (lambda: refquant.zeros(0).norm(math.inf), OperationError),
        (lambda: X.contiguous(memory_format=None), ArgumentError),
        (lambda: X.is_contiguous(memory_format=[]), ArgumentError),
        (lambda: refquant.empty(2, 2, memory_format=refquant.channels_last), ShapeError),
        (lambda: X.view_as(3), DtypeError),
        (lambda: X.outer(X), ShapeError),
        (lambda: refquant.rand(2, generator=0), ArgumentTypeError),
        (lambda: refquant.manual_seed("a"), ArgumentTypeError),
        (lambda: refquant.manual_seed(1.5), ArgumentTypeError),
        (lambda: refquant.arange(math.nan), ArgumentError),
        (lambda: refquant.arange(0, 1, 0), ArgumentError),
        (lambda: refquant.arange(0.0, 1.0, 5e-324), ArgumentError),
        (lambda: X.clone().uniform_(1, 0), ArgumentError),
        (lambda: refquant.tensor([2**64]), DtypeError),
        (lambda: refquant.tensor([1], dtype=int), DtypeError),
        (lambda: refquant.tensor([1], dtype=refquant.qint8), DtypeError),
        (lambda: refquant.Tensor(np.ones(2, np.uint16)), DtypeError),
        (lambda: refquant.zeros(2, requires_grad=refquant.ones(2)), ArgumentTypeError),
        (lambda: X.to(dtype="float32"), DtypeError),
        (lambda: refquant.tensor([1]) + 10**30, ArgumentError),
        (lambda: refquant.ones(2).add(1j), ArgumentTypeError),
        (lambda: X.add(1, alpha="a"), ArgumentTypeError),
        (lambda: X.div(2, rounding_mode="up"), ArgumentError),
        (lambda: refquant.tensor([True]) - refquant.tensor([True]), DtypeError),
        (lambda: -refquant.tensor([True]), DtypeError),
        (lambda: refquant.ones(3).triu(), ShapeError),
        (lambda: F.cross_entropy(X, refquant.tensor([0, 1]), weight=refquant.ones(3)), ShapeError),
        (lambda: F.layer_norm(X, (2,), refquant.ones(2, 2)), ShapeError),
        (lambda: F.avg_pool2d(refquant.ones(1, 1, 2, 2), 2, stride=2**40), ArgumentError),
        (lambda: F.adaptive_avg_pool2d(refquant.ones(1, 1, 0, 2), 1), ShapeError),
        (lambda: F.mse_loss(X, X, reduction=None), ArgumentError),
        (lambda: refquant.set_grad_enabled(None), ArgumentTypeError),
    ],
)
def test_what_does_not_fit_is_an_error_of_refquant(call, error):
    with pytest.raises(error):
        call()


def test_negative_powers_of_integers_are_no_matter_of_shapes():
    with pytest.raises(OperationError, match="negative integer powers") as e:
        refquant.tensor([2]) ** refquant.tensor([-1])
    assert not isinstance(e.value, ShapeError)


LARGEST = refquant.full((2, 3), 3.4028234e38)
ENDS = refquant.tensor([[math.inf, -math.inf, math.nan]])


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: x.prod(),
        lambda x: x.var(),
        lambda x: x.std(dim=1),
        lambda x: x.sum(),
        lambda x: x.cumsum(1),
        lambda x: x.norm(),
        lambda x: x.norm(0.0),
        lambda x: x + x,
        lambda x: x - 1e300,
        lambda x: x * 10**400,
        lambda x: x.add(x, alpha=1e300),
        lambda x: x.clamp(-1e300, 1e300),
        lambda x: x.masked_fill(x > 0, 1e300),
        lambda x: x.half(),
        lambda x: x.long(),
        lambda x: x.clone().fill_(1e300),
        lambda x: x.clone().normal_(0.0, 1e300),
        lambda x: x.half() + x,
        lambda x: F.softplus(x),
        lambda x: F.layer_norm(x, (3,)),
        lambda x: F.batch_norm(x, None, None, training=True) if len(x) > 1 else x,
        lambda x: F.linear(x, x, x[:, 0]),
        lambda x: F.dropout(x),
        lambda x: F.mse_loss(x, -x),
        lambda x: F.cross_entropy(x, refquant.zeros(len(x), dtype=refquant.int64)),
        lambda x: refquant.full((2,), 1e300),
        lambda x: refquant.linspace(-1e308, 1e308, 3),
    ],
)
@pytest.mark.parametrize("x", [LARGEST, ENDS], ids=["largest", "ends"])
def test_what_overflows_is_infinite_or_undefined_without_a_warning(operation, x):
    assert isinstance(operation(copy.deepcopy(x)), refquant.Tensor)


def test_assignment_of_what_overflows_is_silent():
    x = refquant.ones(2)
    x[0] = 1e300
    assert x.tolist() == [math.inf, 1.0]


def test_a_mask_takes_values_with_leading_dimensions_of_one_element():
    x, mask = refquant.zeros(2, 2), refquant.tensor([[True, False], [True, False]])
    for shape in ((2,), (1, 2), (1, 1, 2), (1, 1)):
        x.zero_()
        x[mask] = refquant.ones(shape)
        assert x.tolist() == [[1.0, 0.0], [1.0, 0.0]]
    for shape in ((2, 2), (2, 1, 2), (3,)):
        with pytest.raises(ShapeError):
            x[mask] = refquant.ones(shape)
    with pytest.raises(IndexRangeError):
        x[refquant.ones(3, 2) > 0] = 1.0


def test_nothing_is_assigned_where_an_index_is_wrong():
    x = refquant.zeros(2, 2)
    for index in ((refquant.tensor([0, 5]),), (slice(None), 2**70)):
        with pytest.raises(IndexRangeError):
            x[index] = 1.0
    for index in (([[0], [0, 1]],), "a", 1.0, slice("a", None)):
        with pytest.raises(ArgumentTypeError):
            x[index] = 1.0
    assert x.sum().item() == 0


def test_elements_of_a_read_only_array_stay():
    array = np.zeros(2, np.float32)
    array.flags.writeable = False
    x = refquant.from_numpy(array)
    for change in (lambda: x.add_(1), lambda: x.fill_(1), lambda: x.__setitem__(0, 1.0)):
        with pytest.raises(OperationError, match="read-only"):
            change()
    assert array.tolist() == [0, 0]


def test_norms_of_every_order():
    x = refquant.tensor([3.0, 0.0, -4.0])
    found = [x.norm(p).item() for p in (0, 1, 2, math.inf, -math.inf)]
    assert found == [2.0, 7.0, 5.0, 4.0, 0.0]


def test_triangles_cut_nan_off():
    x = refquant.full((2, 2), math.nan)
    assert refquant.isnan(x.triu()).tolist() == [[True, True], [False, True]]
    assert refquant.isnan(x.tril(-(2**70))).any().item() is False


@pytest.mark.parametrize("value", [7, 7.0, np.int64(7), refquant.tensor(7), np.float64(7)])
def test_seeds_are_whole_numbers_of_any_kind(value):
    refquant.manual_seed(value)
    assert refquant.initial_seed() == 7


def test_masked_arrays_and_scalars_of_numpy_become_plain_elements():
    assert type(refquant.Tensor(np.float32(2)).array) is np.ndarray
    x = refquant.relu(np.ma.array(np.float32([-1, 2]), mask=False))
    assert type(x.array) is np.ndarray
    assert x.tolist() == [0, 2]


def test_views_of_tensors_without_dimensions():
    assert ZERO_D.movedim(0, 0).shape == ()
    assert ZERO_D.flip(0).item() == 1.5
    assert ZERO_D.cumsum(0).shape == ()
    assert ZERO_D.gather(0, refquant.tensor(0)).item() == 1.5
    assert refquant.index_select(ZERO_D, 0, refquant.tensor([0])).item() == 1.5


def test_index_select_takes_one_index():
    assert X.index_select(1, refquant.tensor(1)).tolist() == [[2.0], [4.0]]
    assert X.index_select(1, refquant.tensor([0], dtype=refquant.uint8)).tolist() == [[1], [3]]


def test_sign_of_bools():
    x = refquant.tensor([True, False])
    assert x.sign().tolist() == [True, False]
    assert x.sign().dtype is refquant.bool


@pytest.mark.parametrize("dtype", [refquant.int64, refquant.uint8])
def test_numbers_that_an_integer_tensor_cannot_hold(dtype):
    x = refquant.zeros(2, dtype=dtype)
    for value in (math.nan, math.inf, 1e300, 10**30):
        with pytest.raises(ArgumentError):
            x.fill_(value)
    assert x.tolist() == [0, 0]


@pytest.mark.parametrize("factor", [1e308, (1.0, -1e308)])
def test_factors_that_lead_beyond_every_size_are_errors(factor):
    image = refquant.ones(1, 1, 20, 20)
    for x in (image, refquant.quantize_per_tensor(image, 0.1, 0, refquant.quint8)):
        with pytest.raises(ArgumentError, match=r"`scale_factor` must be finite times the sizes"):
            F.interpolate(x, scale_factor=factor)


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [("mean", ("", refquant.ones(2))), ("std", (refquant.ones(2), ""))],
)
def test_a_number_beside_a_tensor_of_random_numbers_is_checked(argument, arguments):
    refquant.manual_seed(3)
    expected = refquant.rand(1)
    refquant.manual_seed(3)
    with pytest.raises(TypeError, match=f"`{argument}` must be a number"):
        refquant.normal(*arguments)
    assert refquant.rand(1) == expected
