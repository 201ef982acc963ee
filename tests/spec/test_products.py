"""Literal values of linear layers and convolutions, worked out by hand from the formulas."""

import numpy as np
import pytest

import refquant
from refquant.engines import registry
from refquant.engines.rules import requantize as rules

ops = refquant.ops.quantized


def quint8(integers, scale=1.0, zero_point=0):
    return refquant.QuantizedTensor(
        np.array(integers, np.uint8), refquant.quint8, scale, zero_point
    )


def qint8(integers, scale=1.0, zero_point=0):
    return refquant.QuantizedTensor(np.array(integers, np.int8), refquant.qint8, scale, zero_point)


def linear(x, w, bias=None, scale=1.0, zero_point=0):
    bias = None if bias is None else refquant.tensor(bias)
    return ops.linear(x, ops.linear_prepack(w, bias), scale, zero_point).array.tolist()


def test_zero_points_are_subtracted_on_both_sides(engine):
    # (3-1)(2+1) + (0-1)(5+1) = 0, then the output's zero point; scales leave a multiplier of 1/4.
    assert linear(quint8([[3, 0]], 0.5, 1), qint8([[2, 5]], 0.5, -1), scale=1.0, zero_point=9) == [
        [9]
    ]


@pytest.mark.parametrize(
    ("name", "sums", "wanted"),
    [
        # A quarter of the sum, ties to even.
        ("fbgemm", [2, 6, 10, 254], [0, 2, 2, 64]),
        ("qnnpack", [2, 6, 10, 254], [0, 2, 2, 64]),
        ("fbgemm-1.4", [2, 6, 10, 254], [0, 2, 2, 64]),
        # Ties away from zero.
        ("qnnpack-1.4", [2, 6, 10, 254], [1, 2, 3, 64]),
    ],
)
def test_ties(name, sums, wanted):
    with refquant.engines.using(name):
        got = linear(quint8([[s] for s in sums]), qint8([[1]]), scale=4.0)
    assert got == [[v] for v in wanted]


def test_bias_is_rounded_to_an_integer_by_qnnpack_alone():
    # 1 + 0.4 = 1.4 in units of 1; the output has steps of 1/2... 1.4 / 0.5 = 2.8 -> 3, or 2.
    x, w = quint8([[1]]), qint8([[1]])
    with refquant.engines.using("fbgemm"):
        assert linear(x, w, [0.4], 0.5) == [[3]]
    with refquant.engines.using("qnnpack"):
        assert linear(x, w, [0.4], 0.5) == [[2]]


def test_what_int32_cannot_hold_becomes_the_smallest_output():
    # 255 / 1e-12 is beyond int32: the conversion of the processor gives -2**31.
    with refquant.engines.using("fbgemm"):
        assert linear(quint8([[255]]), qint8([[1]]), scale=1e-12, zero_point=3) == [[0]]
        assert linear(quint8([[255]]), qint8([[1]]), scale=1e-6, zero_point=3) == [[255]]


def test_relu_cuts_at_the_zero_point(engine):
    packed = ops.linear_prepack(qint8([[-1], [1]]))
    assert ops.linear_relu(quint8([[40]]), packed, 2.0, 100).array.tolist() == [[100, 120]]


def test_weights_of_one_scale_multiply_the_bias_and_those_of_several_divide():
    """1/3 is rounded before it is multiplied: the two forms of FBGEMM differ in the last bit."""
    acc, bias = np.zeros(1, np.int32), np.float32(5)
    assert rules.BIAS_FUSED(acc, bias, 1.0, 3.0)[0] == np.float32(float.fromhex("0x1.aaaaacp+0"))
    assert rules.BIAS_DIVIDED(acc, bias, 1.0, 3.0)[0] == np.float32(float.fromhex("0x1.aaaaaap+0"))


def test_fixed_point_of_the_smallest_and_largest_multiplier():
    n = np.array([2**31 - 1, -(2**31), 1, -1, 0])
    largest = np.float32(1 - 2.0**-24)
    q = rules.FIXED_POINT(n, largest, 0, -(2**40), 2**40)
    assert q.tolist() == [2147483519, -2147483520, 1, -1, 0]
    smallest = np.float32(2.0**-32)
    assert rules.FIXED_POINT(n, smallest, 0, -9, 9).tolist() == [1, -1, 0, 0, 0]


def test_products_in_float64_are_not_rounded_before_they_become_integers():
    # A sixth in float32 is a little more, so -171 of it are beyond the tie of -28.5.
    sixth = np.float32(1 / 6)
    assert rules.FLOAT_PRODUCT(np.array([-171]), sixth, 100, 0, 255).tolist() == [72]
    assert rules.DOUBLE_PRODUCT(np.array([-171]), sixth, 100, 0, 255).tolist() == [71]
    large = np.array([2**31 - 1, -(2**31)])
    assert rules.DOUBLE_PRODUCT(large, np.float32(4), 100, 7, 255).tolist() == [7, 7]


def test_depthwise_filters_of_27_taps_under_qnnpack():
    x, w = np.full((1, 2, 3, 3, 3), 128), np.zeros((2, 1, 3, 3, 3))
    x[:, :, 1, 1, 1], w[:, 0, 1, 1, 1] = 128 - 57, 3
    with refquant.engines.using("qnnpack"):
        for groups, weight in ((2, w), (1, np.concatenate([w, 0 * w], axis=1))):
            packed = ops.conv3d_prepack(qint8(weight), None, 1, 0, 1, groups)
            y = ops.conv3d(quint8(x, 1.0, 128), packed, 6.0, 100)
            assert y.array.ravel().tolist() == [71 if groups == 2 else 72] * 2


def test_padding_holds_the_zero_point(engine):
    x = quint8(np.full((1, 1, 2, 2), 7), 1.0, 7)
    packed = ops.conv2d_prepack(qint8(np.full((1, 1, 3, 3), 5)), None, 1, 1, 1, 1)
    assert (ops.conv2d(x, packed, 8.0, 33).array == 33).all()


def test_taps_of_a_dilated_and_strided_convolution(engine):
    x = quint8(np.arange(7).reshape(1, 1, 1, 7))
    packed = ops.conv2d_prepack(qint8([[[[1, 2]]]]), None, [1, 2], [0, 0], [1, 3], 1)
    # x[0] + 2 x[3], x[2] + 2 x[5]: 6 and 12, halved.
    assert ops.conv2d(x, packed, 2.0, 0).array.tolist() == [[[[3, 6]]]]


def test_outputs_of_a_group_see_its_channels_alone(engine):
    x = quint8(np.array([10, 20, 40, 80]).reshape(1, 4, 1, 1))
    w = qint8(np.array([[1, 0], [0, 1], [1, 0], [0, 1]]).reshape(4, 2, 1, 1))
    packed = ops.conv2d_prepack(w, None, 1, 0, 1, 2)
    assert ops.conv2d(x, packed, 2.0, 0).array.reshape(-1).tolist() == [5, 10, 20, 40]


def test_convolutions_return_channels_last(engine):
    x = quint8(np.zeros((2, 3, 5, 6)))
    packed = ops.conv2d_prepack(qint8(np.zeros((4, 3, 3, 3))), None, 1, 1, 1, 1)
    y = ops.conv2d(x, packed, 2.0, 0)
    assert y.is_contiguous(memory_format=refquant.channels_last)
    assert ops.conv2d(quint8(np.zeros((0, 3, 5, 6))), packed, 2.0, 0).shape == (0, 4, 5, 6)


@pytest.mark.parametrize("name", ["fbgemm", "qnnpack", "fbgemm-1.4"])
def test_dynamic_linear(name):
    # The range 0..255 has scale 1; the integers are the numbers themselves.
    x = refquant.tensor([[255.0, 0.0, 3.0], [0.0, 1.0, 2.0]])
    with refquant.engines.using(name):
        packed = ops.linear_prepack(qint8([[1, 2, 3], [-1, 0, 0]], 0.5), refquant.tensor([0.25, 0]))
        assert ops.linear_dynamic(x, packed).tolist() == [[132.25, -127.5], [4.25, 0.0]]
        assert ops.linear_relu_dynamic(x, packed).tolist() == [[132.25, 0.0], [4.25, 0.0]]


def test_dynamic_linear_of_nothing():
    packed = ops.linear_prepack(qint8([[1, 2], [3, 4]]), refquant.tensor([0.5, -1.0]))
    zeros = ops.linear_dynamic(refquant.tensor([[0.0, 0.0]]), packed)
    assert zeros.tolist() == [[0.5, -1.0]]
    assert ops.linear_dynamic(refquant.tensor(np.zeros((0, 2), np.float32)), packed).shape == (0, 2)


def test_float16_weights_saturate_and_flush():
    packed = ops.linear_prepack_fp16(refquant.tensor([[1e6, -1e6, 1e-8, 1.0]]))
    assert ops.linear_unpack_fp16(packed)[0].tolist() == [[65504.0, -65504.0, 0.0, 1.0]]


def test_sums_of_negative_zeros_in_float16():
    """One block of products begins with the first of them, a later block with 0."""
    ops = refquant.ops.quantized
    for depth, outputs, negative in ((1, 3, 3), (512, 40, 40), (513, 40, 32), (0, 3, 0)):
        packed = ops.linear_prepack_fp16(refquant.zeros(outputs, depth))
        y = ops.linear_dynamic_fp16(-refquant.ones(2, depth), packed).numpy()
        assert np.signbit(y).sum(axis=1).tolist() == [negative] * 2


def test_a_rule_of_ones_own_runs_in_every_product(monkeypatch):
    """Truncation instead of rounding: a rule without a kernel code runs by definition."""

    def truncate(total, multiplier, zero_point, quant_min, quant_max):
        t = np.trunc(np.asarray(total, np.float32) * multiplier).astype(np.int64)
        return np.clip(t + zero_point, quant_min, quant_max)

    rule = refquant.engines.Rule("truncate", "clip(trunc(t * m) + z)", "this test", truncate)
    own = refquant.engines.get("fbgemm").derive(
        "truncating",
        "FBGEMM that truncates",
        steps={"requantize_sum": refquant.engines.first_of(rule)},
    )
    monkeypatch.setattr(registry, "_records", dict(registry._records))
    refquant.engines.register(own)
    with refquant.engines.using("truncating"):
        assert linear(quint8([[7]]), qint8([[1]]), scale=4.0) == [[1]]
        x = quint8(np.full((1, 1, 1, 1), 7))
        for groups in (1, 3):
            image = quint8(np.repeat(x.array, groups, axis=1))
            packed = ops.conv2d_prepack(qint8(np.ones((groups, 1, 1, 1))), None, 1, 0, 1, groups)
            assert (ops.conv2d(image, packed, 4.0, 0).array == 1).all()
    assert linear(quint8([[7]]), qint8([[1]]), scale=4.0) == [[2]]
