"""Literal values of dequantizing: one product in float32, or one in float64 per channel."""

import numpy as np
import pytest

import refquant

MIN, MAX = -(2**31), 2**31 - 1


def made(integers, scale, zero_point, dtype):
    return refquant.QuantizedTensor(np.array(integers, dtype.numpy), dtype, scale, zero_point)


@pytest.mark.usefixtures("engine")
def test_the_product_is_rounded_in_float32():
    """0.1 is 0.100000001490116 in float32, so nine steps are not 0.9."""
    x = made([9, 13, 18, 21], 0.1, 0, refquant.quint8).dequantize()
    assert x.tolist() == [
        0.9000000357627869,
        1.3000000715255737,
        1.8000000715255737,
        2.1000001430511475,
    ]


@pytest.mark.usefixtures("engine")
def test_per_channel_the_scale_stays_a_double():
    x = refquant.QuantizedTensor(
        np.array([[9, 13, 18, 21]], np.uint8),
        refquant.quint8,
        np.array([0.1]),
        np.array([0]),
        axis=0,
    ).dequantize()
    assert x.dtype is refquant.float32
    assert x.tolist() == [
        [0.8999999761581421, 1.2999999523162842, 1.7999999523162842, 2.0999999046325684]
    ]


@pytest.mark.parametrize(
    ("integer", "zero_point", "expected"),
    [
        (MIN, MAX, 1.0),
        (MAX, MIN, -1.0),
        (0, MIN, -(2.0**31)),
        (MIN, 1, 2.0**31),  # 2**31 - 1, rounded to float32
        (16777217, 0, 16777216.0),
        (16777219, 0, 16777220.0),
        (7, 2**24 + 1, -16777210.0),
    ],
)
@pytest.mark.usefixtures("engine")
def test_qint32_wraps(integer, zero_point, expected):
    assert made([integer], 1.0, zero_point, refquant.qint32).dequantize().tolist() == [expected]


@pytest.mark.usefixtures("engine")
def test_per_channel_subtracts_in_float32():
    x = refquant.QuantizedTensor(
        np.array([[MIN, MAX, 16777219]], np.int32),
        refquant.qint32,
        np.array([1.0]),
        np.array([MAX]),
        axis=0,
    ).dequantize()
    assert x.tolist() == [[-(2.0**32), 0.0, -2130706432.0]]  # of -2130706428, which needs 31 bits


@pytest.mark.parametrize("dtype", ["quint8", "qint8"])
@pytest.mark.usefixtures("engine")
def test_every_integer(dtype):
    """With a power of two as scale every result is exact."""
    dtype = getattr(refquant, dtype)
    integers = np.arange(dtype.quant_min, dtype.quant_max + 1)
    for zero_point in (dtype.quant_min, 3, dtype.quant_max):
        x = made(integers, 0.25, zero_point, dtype).dequantize()
        assert x.tolist() == [(q - zero_point) * 0.25 for q in integers.tolist()]


@pytest.mark.usefixtures("engine")
def test_real_zero_has_no_sign():
    x = made([3, 3], 0.1, 3, refquant.quint8).dequantize()
    assert not np.signbit(x.array).any()


@pytest.mark.usefixtures("engine")
def test_a_float_tensor_is_returned_as_it_is():
    x = refquant.tensor([1.5])
    assert refquant.dequantize(x) is x
