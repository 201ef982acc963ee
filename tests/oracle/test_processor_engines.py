"""Engines of runtimes that compute differently on other processors, by single numbers."""

import numpy as np
import pytest

from refquant import oracle
from refquant.engines.rules.amd_reciprocal import approximate_reciprocal_of_amd
from refquant.engines.rules.float32 import approximate_reciprocal
from refquant.oracle import Codes, Output

WITH_VNNI, WITHOUT = "onnx", "onnx-avx2"


def _two_products(dtype, engine, operation="matmul_integer"):
    """Sum two products of the greatest integers."""
    most = np.iinfo(dtype).max
    if operation == "conv_integer":
        x, w = np.full((1, 2, 1, 1), most, dtype), np.full((1, 2, 1, 1), 127, np.int8)
    else:
        x, w = np.full((1, 2), most, dtype), np.full((2, 1), 127, np.int8)
    return oracle.problem(operation, Codes(x, 1.0), Codes(w, 1.0)).run(engine).item()


def test_sums_of_pairs_saturate_without_vnni():
    assert _two_products(np.uint8, WITH_VNNI) == 255 * 127 * 2
    assert _two_products(np.uint8, WITHOUT) == 2**15 - 1


def test_sums_of_int8_and_of_filters_by_pixels_do_not():
    assert _two_products(np.int8, WITHOUT) == 127 * 127 * 2
    assert _two_products(np.uint8, WITHOUT, "conv_integer") == 255 * 127 * 2


def test_three_products_saturate_in_pairs_alone():
    x, w = Codes(np.full((1, 3), 255, np.uint8), 1.0), Codes(np.full((3, 1), -128, np.int8), 1.0)
    total = oracle.problem("matmul_integer", x, w).run(WITHOUT).item()
    assert total == -(2**15) - 255 * 128


@pytest.mark.parametrize("approximate", [approximate_reciprocal, approximate_reciprocal_of_amd])
def test_reciprocals_are_right_to_twelve_bits(approximate):
    x = np.geomspace(1e-20, 1e20, 10_001).astype(np.float32)
    error = np.abs(approximate(x).astype(np.float64) * x - 1)
    assert error.max() < 1.5 * 2.0**-12  # as makers promise
    assert (np.diff(approximate(x)) <= 0).all()


def test_reciprocals_of_two_makers_differ():
    assert approximate_reciprocal(1.0) == np.float32(1 - 2.0**-12)
    assert approximate_reciprocal_of_amd(1.0) == np.float32(1 - 2.0**-12)
    assert approximate_reciprocal(3.0) == np.float32(0.333251953125)
    assert approximate_reciprocal_of_amd(3.0) == np.float32(0.33331298828125)


def test_depthwise_sums_of_other_channels_are_rounded_twice_without_avx512():
    """The product 49 * f32(1 / 49) is 1 - 2**-25.4, which float32 rounds to 1."""
    x = Codes(np.full((1, 1, 1, 1), 49, np.int8), np.float32(1 / 49))
    w = Codes(np.ones((1, 1, 1, 1), np.int8), np.ones(1), axis=3)
    task = oracle.problem(
        "conv2d", x, w, np.float32([-0.5]), Output(1.0), layout="NHWC", weight_layout="1HWO"
    )
    assert task.run("ncnn-amd-avx2").item() == 1
    assert task.run("ncnn").item() == 0
