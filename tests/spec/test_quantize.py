"""Literal values of quantizing, for each engine: ties, positions, values out of range.

Written from the formulas and checked on PyTorch 1.4.0 and 2.13.0. `NEW` are the engines as of
PyTorch 2.13, `OLD` those as of 1.4.
"""

import numpy as np
import pytest

import refquant
from refquant import engines

NEW = ("fbgemm", "qnnpack")
OLD = ("fbgemm-1.4", "qnnpack-1.4")
DTYPES = {"quint8": (0, 255), "qint8": (-128, 127), "qint32": (-(2**31), 2**31 - 1)}
NAN, INF = float("nan"), float("inf")

# scale 0.02, zero point 128: numbers one ulp or so beside a half step
NEAR_TIES = [-1.9499999284744263, 1.8900002241134644, 2.5099997520446777, -2.450000047683716]
ADD_THEN_ROUND = [30, 222, 253, 6]
FUSED = [31, 223, 253, 5]
DIVIDE_THEN_ROUND = [30, 223, 254, 5]


def per_tensor(values, scale, zero_point, dtype="quint8"):
    x = refquant.from_numpy(np.array(values, np.float32))
    q = refquant.quantize_per_tensor(x, scale, zero_point, getattr(refquant, dtype))
    return q.int_repr().tolist()


def per_channel(values, scale, zero_point, dtype="quint8"):
    """Quantize a column of values in one channel: no vector is ever full."""
    x = refquant.from_numpy(np.array(values, np.float32).reshape(-1, 1))
    q = refquant.quantize_per_channel(
        x,
        refquant.from_numpy(np.array([scale], np.float64)),
        refquant.from_numpy(np.array([zero_point], np.int64)),
        1,
        getattr(refquant, dtype),
    )
    return q.int_repr().array[:, 0].tolist()


@pytest.mark.parametrize("function", [per_tensor, per_channel])
@pytest.mark.parametrize(
    ("zero_point", "expected"),
    [
        (0, [0, 0, 0, 0, 0, 0, 2, 2, 4, 4]),
        (1, [0, 0, 0, 0, 1, 2, 2, 4, 4, 6]),
        (2, [0, 0, 0, 2, 2, 2, 4, 4, 6, 6]),
    ],
)
@pytest.mark.usefixtures("engine")
def test_ties_go_to_the_even_integer_after_the_zero_point_is_added(function, zero_point, expected):
    """A scale of 0.5 makes every step exact: only the tie decides."""
    halves = [-1.25, -1.0, -0.75, -0.25, 0.0, 0.25, 0.75, 1.25, 1.75, 2.25]
    assert function(halves, 0.5, zero_point) == expected


@pytest.mark.parametrize("function", [per_tensor, per_channel])
@pytest.mark.usefixtures("engine")
def test_half_steps_of_a_tenth(function):
    halves = np.float32(0.1) * np.arange(0.5, 7, dtype=np.float32)
    assert function(halves, 0.1, 3) == [4, 4, 6, 6, 8, 8, 10]


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 17])
def test_new_engines_fuse_at_every_position(name, size):
    with engines.using(name):
        for x, expected in zip(NEAR_TIES, FUSED, strict=True):
            assert per_tensor([x] * size, 0.02, 128) == [expected] * size


@pytest.mark.parametrize("name", OLD)
@pytest.mark.parametrize(("size", "body"), [(1, 0), (7, 0), (8, 8), (9, 8), (16, 16), (23, 16)])
def test_old_engines_divide_in_the_tail(name, size, body):
    with engines.using(name):
        for x, vector, tail in zip(NEAR_TIES, FUSED, DIVIDE_THEN_ROUND, strict=True):
            assert per_tensor([x] * size, 0.02, 128) == [vector] * body + [tail] * (size - body)


@pytest.mark.parametrize("name", OLD)
def test_old_engines_find_the_tail_in_row_major_order(name):
    """Of 3 x 3 elements the last is the tail, also when channels lie next to each other."""
    x = np.full((1, 3, 1, 3), NEAR_TIES[0], np.float32)
    expected = np.full((1, 3, 1, 3), FUSED[0])
    expected[0, 2, 0, 2] = DIVIDE_THEN_ROUND[0]
    channels_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for array in (x, channels_last):
        with engines.using(name):
            q = refquant.quantize_per_tensor(refquant.from_numpy(array), 0.02, 128, refquant.quint8)
        assert q.int_repr().tolist() == expected.tolist()
        assert q.array.flags.c_contiguous


@pytest.mark.parametrize("name", NEW)
def test_new_engines_add_then_round_per_channel(name):
    with engines.using(name):
        assert per_channel(NEAR_TIES * 4, 0.02, 128) == ADD_THEN_ROUND * 4


@pytest.mark.parametrize("name", OLD)
def test_old_engines_divide_per_channel(name):
    with engines.using(name):
        assert per_channel(NEAR_TIES * 4, 0.02, 128) == DIVIDE_THEN_ROUND * 4


def test_no_two_formulas_agree():
    """One more number that distinguishes fused from the others, with a scale of a tenth."""
    x, expected = 0.7500000596046448, {"fbgemm": 11, "fbgemm-1.4": 10}
    for name, integer in expected.items():
        with engines.using(name):
            assert per_tensor([x], 0.1, 3) == [integer]
            assert per_channel([x], 0.1, 3) == [10]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NEW)
def test_new_engines_saturate_infinities(name, dtype):
    low, high = DTYPES[dtype]
    with engines.using(name):
        for function in (per_tensor, per_channel):
            assert function([INF, -INF] * 9, 0.1, 7, dtype) == [high, low] * 9
            assert function([3.4e38, -3.4e38], 0.1, 7, dtype) == [high, low]


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize(
    ("dtype", "tensor", "channel"),
    [("quint8", 255, 0), ("qint8", 127, 0), ("qint32", -(2**31), -(2**31))],
)
def test_nan_in_new_engines(name, dtype, tensor, channel):
    with engines.using(name):
        assert per_tensor([NAN] * 9, 0.1, 7, dtype) == [tensor] * 9
        assert per_channel([NAN] * 9, 0.1, 7, dtype) == [channel] * 9


@pytest.mark.parametrize("name", OLD)
@pytest.mark.parametrize("dtype", ["quint8", "qint8"])
def test_nan_and_infinities_in_old_engines(name, dtype):
    """NaN is the lowest integer in a vector and 0 in a tail; infinities saturate in both."""
    low, high = DTYPES[dtype]
    with engines.using(name):
        assert per_tensor([NAN] * 11, 0.1, 7, dtype) == [low] * 8 + [0] * 3
        assert per_tensor([INF] * 11, 0.1, 7, dtype) == [high] * 11
        assert per_tensor([-INF] * 11, 0.1, 7, dtype) == [low] * 11


@pytest.mark.parametrize("name", OLD)
def test_what_int64_cannot_hold_in_old_engines(name):
    """Per channel and for qint32 even +infinity becomes the lowest integer; 3e9 saturates."""
    unheld = [INF, -INF, NAN, 1e30, 9.3e18]
    with engines.using(name):
        for function, dtype in (
            (per_tensor, "qint32"),
            (per_channel, "qint32"),
            (per_channel, "qint8"),
            (per_channel, "quint8"),
        ):
            low, high = DTYPES[dtype]
            assert function(unheld, 1.0, 0, dtype) == [low] * 5
            assert function([3e9, -3e9, 9.2e18], 1.0, 0, dtype) == [high, low, high]


@pytest.mark.usefixtures("engine")
def test_qint32_holds_large_integers():
    assert per_tensor([100000.0, -7.5, 2.0**30, 2147483520.0], 1.0, 0, "qint32") == [
        100000,
        -8,
        2**30,
        2147483520,
    ]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.usefixtures("engine")
def test_zero_is_the_zero_point(dtype):
    for zero_point in (*DTYPES[dtype], 0, 1):
        if dtype == "qint32" and abs(zero_point) > 2**24:
            continue  # float32 does not hold it
        assert per_tensor([0.0, -0.0] * 5, 0.1, zero_point, dtype) == [zero_point] * 10
        assert per_channel([0.0, -0.0] * 5, 0.1, zero_point, dtype) == [zero_point] * 10


@pytest.mark.usefixtures("engine")
def test_each_channel_has_its_own_quantizer():
    x = refquant.tensor([[[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]])
    scales, zero_points = refquant.tensor([1.0, 0.5, 0.25]), refquant.tensor([0, 1, 2])
    q = refquant.quantize_per_channel(x, scales, zero_points, 1, refquant.qint8)
    assert q.int_repr().tolist() == [[[1, 2], [3, 5], [6, 10]]]
    assert q.q_per_channel_axis() == 1
    assert q.q_per_channel_scales().dtype is refquant.float64
    assert q.q_per_channel_zero_points().dtype is refquant.int64
    assert q.qscheme() is refquant.per_channel_affine


@pytest.mark.usefixtures("engine")
def test_parameters_are_kept_as_given():
    q = refquant.quantize_per_tensor(refquant.tensor([1.0]), 0.1, 10, refquant.quint8)
    assert q.q_scale() == 0.1  # not float32(0.1)
    assert q.q_zero_point() == 10
    assert q.qscheme() is refquant.per_tensor_affine
    assert q.dtype is refquant.quint8


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3)])
@pytest.mark.usefixtures("engine")
def test_shapes_without_dimensions_or_elements(shape):
    x = refquant.from_numpy(np.full(shape, 0.25, np.float32))
    q = refquant.quantize_per_tensor(x, 0.1, 3, refquant.quint8)
    assert q.shape == shape
    assert q.dequantize().shape == shape
    if shape and shape[0]:
        scales, zero_points = refquant.from_numpy(np.ones(2)), refquant.tensor([0, 1])
        q = refquant.quantize_per_channel(x, scales, zero_points, 0, refquant.qint8)
        assert q.dequantize().shape == shape
