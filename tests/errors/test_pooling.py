"""What pooling and resizing of quantized images reject, and what they say."""

import numpy as np
import pytest

import refquant
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    NotSupportedError,
    OperationError,
    ShapeError,
)
from refquant.nn.quantized import functional as F


def image(*shape):
    return refquant.QuantizedTensor(np.zeros(shape, np.uint8), refquant.quint8, 0.5, 3)


X = image(2, 3, 6, 6)
ON_IMAGES = {
    "avg_pool2d": lambda q: F.avg_pool2d(q, 2),
    "adaptive_avg_pool2d": lambda q: F.adaptive_avg_pool2d(q, 2),
}


def test_max_pool2d_takes_plain_tensors_as_in_pytorch():
    x = refquant.arange(4.0).reshape(1, 1, 2, 2)
    assert F.max_pool2d(x, 2).item() == 3


@pytest.mark.parametrize("name", ON_IMAGES)
@pytest.mark.parametrize("shape", [(6, 6), (1, 2, 3, 6, 6)])
def test_ranks(name, shape):
    with pytest.raises(ShapeError, match="batch, channels, height, width"):
        ON_IMAGES[name](image(*shape))


@pytest.mark.parametrize("shape", [(6, 6), (2, 3, 6), (1, 1, 2, 3, 6, 6)])
def test_ranks_that_cannot_be_resized(shape):
    with pytest.raises(ShapeError, match="of 4 or 5 dimensions"):
        F.interpolate(image(*shape), size=3)


WINDOWS = {
    "kernel_size": (ArgumentError, {"kernel_size": 0}),
    "stride": (ArgumentError, {"stride": 0}),
    "padding": (ArgumentError, {"padding": -1}),
}


@pytest.mark.parametrize("pool", [F.max_pool2d, F.avg_pool2d])
@pytest.mark.parametrize(("argument", "case"), WINDOWS.items())
def test_windows(pool, argument, case):
    error, changed = case
    with pytest.raises(error, match=f"`{argument}`"):
        pool(X, **{"kernel_size": 2, **changed})


@pytest.mark.parametrize("pool", [F.max_pool2d, F.avg_pool2d])
@pytest.mark.parametrize("kernel", [(1, 2, 3), ()])
def test_wrong_number_of_sizes(pool, kernel):
    with pytest.raises(ArgumentError, match="a number or 2 numbers"):
        pool(X, kernel)


@pytest.mark.parametrize("pool", [F.max_pool2d, F.avg_pool2d])
@pytest.mark.parametrize("kernel", [1.5, "a", (2, 2.0)])
def test_sizes_that_are_not_whole(pool, kernel):
    with pytest.raises(ArgumentTypeError, match="`kernel_size` must be a whole number"):
        pool(X, kernel)


@pytest.mark.parametrize("pool", [F.max_pool2d, F.avg_pool2d])
def test_padding_of_more_than_half_a_window(pool):
    with pytest.raises(OperationError, match="at most half of the window"):
        pool(X, 2, 1, 2)


@pytest.mark.parametrize("pool", [F.max_pool2d, F.avg_pool2d])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_windows_larger_than_the_image(pool, ceil_mode):
    with pytest.raises(OperationError, match="at least as large as the window"):
        pool(X, 9, 1, ceil_mode=ceil_mode)


def test_dilation():
    with pytest.raises(ArgumentError, match="`dilation`"):
        F.max_pool2d(X, 2, dilation=0)


def test_indices():
    with pytest.raises(NotSupportedError, match="`return_indices`") as e:
        F.max_pool2d(X, 2, return_indices=True)
    assert isinstance(e.value, NotImplementedError)


@pytest.mark.parametrize(("divisor", "error"), [(0, ArgumentError), (1.5, ArgumentTypeError)])
def test_divisors(divisor, error):
    with pytest.raises(error, match="`divisor_override`"):
        F.avg_pool2d(X, 2, divisor_override=divisor)


@pytest.mark.parametrize(
    ("size", "error"),
    [(-1, ArgumentError), ((1, 2, 3), ArgumentError), ((1,) * 0, ArgumentError),
     (1.5, ArgumentTypeError), ("a", ArgumentTypeError)],
)  # fmt: skip
def test_output_sizes(size, error):
    with pytest.raises(error, match="`output_size`"):
        F.adaptive_avg_pool2d(X, size)


def test_images_without_pixels():
    for pool in (lambda q: F.max_pool2d(q, 2), lambda q: F.avg_pool2d(q, 2)):
        with pytest.raises(OperationError, match="`input`"):
            pool(image(2, 3, 0, 6))
    with pytest.raises(ShapeError, match="with pixels to average"):
        F.adaptive_avg_pool2d(image(2, 3, 0, 6), 2)
    with pytest.raises(ShapeError, match="sizes greater than 0"):
        F.interpolate(image(2, 3, 0, 6), size=2)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({}, ArgumentError, "`size` must be given, or `scale_factor`"),
        ({"size": 3, "scale_factor": 2}, ArgumentError, "but not both"),
        ({"size": 0}, ShapeError, "greater than 0"),
        ({"size": -1}, ShapeError, "greater than 0"),
        ({"size": (1, 2, 3)}, ArgumentError, "a number or 2 numbers"),
        ({"size": 4.5}, ArgumentTypeError, "`size` must be a whole number"),
        ({"size": "a"}, ArgumentTypeError, "`size` must be a whole number"),
        ({"scale_factor": 0.1}, ShapeError, "greater than 0"),
        ({"scale_factor": float("nan")}, ArgumentError, "`scale_factor` must be finite"),
        ({"scale_factor": float("inf")}, ArgumentError, "`scale_factor` must be finite"),
        ({"scale_factor": "a"}, ArgumentTypeError, "`scale_factor` must be a number"),
        ({"size": 3, "mode": "bicubic"}, NotSupportedError, "'nearest', 'nearest-exact', 'bil"),
        ({"size": 3, "mode": "other"}, NotSupportedError, "'nearest', 'nearest-exact', 'bil"),
        ({"size": 3, "align_corners": True}, ArgumentError, "`align_corners`"),
    ],
)
def test_resizing(arguments, error, match):
    with pytest.raises(error, match=match):
        F.interpolate(X, **arguments)
