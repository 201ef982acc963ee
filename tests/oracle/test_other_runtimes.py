"""Engines of other runtimes: numbers from public threads about them, and their laws."""

import numpy as np
import pytest
from oracle.operands import activations, bias, weights

import refquant
from refquant import engines, kernels, oracle
from refquant.engines.arithmetic.compose import in_fixed_point, quantized_multiplier
from refquant.errors import EngineError
from refquant.nn.quantized import functional as F

ops = refquant.ops.quantized


def test_they_are_known_by_name_but_not_listed():
    for name in engines.other_runtimes():
        assert engines.get(name).name == name
        assert name not in engines.names()
        assert not kernels.knows(engines.get(name))
    with pytest.raises(EngineError, match="built in"):
        engines.register(engines.get("fbgemm").derive("tflite", "another"))


def test_single_and_double_rounding_differ_where_they_must():
    # 7984 * 1583594044 / 2**40 = 11.4991: the first rounding takes it to 11.5.
    multiplier = 1583594044 / 2.0**40
    double, single = (oracle.arithmetic_of(name) for name in ("tflite", "tflite-single"))
    assert in_fixed_point(double, np.array([7984]), multiplier).tolist() == [12]
    assert in_fixed_point(single, np.array([7984]), multiplier).tolist() == [11]


def test_multipliers_in_31_bits():
    q, shift = quantized_multiplier([0.5, 0.75, 1.0, 3.0, 1 - 2.0**-40])
    assert q.tolist() == [2**30, 3 * 2**29, 2**30, 3 * 2**29, 2**30]
    assert shift.tolist() == [0, 0, 1, 2, 1]


def test_folded_constant_of_the_sum():
    # A public case: without the constant the sum is -113.
    a = refquant.QuantizedTensor(np.int8([-114]), refquant.qint8, 0.02534690499305725, -106)
    b = refquant.QuantizedTensor(np.int8([-122]), refquant.qint8, 0.035809919238090515, -120)
    with engines.using("onnx"):
        assert ops.add(a, b, 0.0365859717130661, -105).array.tolist() == [-112]
        two = (q.like(np.repeat(q.array, 2)) for q in (a, b))  # whose order is another one
        assert ops.add(*two, 0.0365859717130661, -105).array.tolist() == [-113, -113]
    with engines.using("fbgemm"):
        assert ops.add(a, b, 0.0365859717130661, -105).array.tolist() == [-113]


@pytest.mark.parametrize("name", engines.other_runtimes())
def test_all_stay_within_a_step_of_the_exact_answer(name):
    if name == "x86-sat16":
        pytest.skip("its sums saturate")
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x, w, b = activations(rng, (5, 33)), weights(rng, (7, 33)), bias(rng, 7)
        y, z = activations(rng, (300,), 0.1), activations(rng, (300,), 0.17, 200)
        answers = []
        for engine in ("exact", name):
            with engines.using(engine):
                answers.append(
                    (
                        F.linear(x, w, b, scale=0.9, zero_point=100),
                        ops.add(y, z, 0.2, 90),
                        ops.mul_relu(y, z, 1.1, 90),
                    )
                )
        for one, other in zip(*answers, strict=True):
            assert np.abs(one.array.astype(int) - other.array).max() <= 1


def test_averages_of_codes_round_up_whatever_the_zero_point():
    q = np.uint8([[[[1, 2], [1, 2]]]])  # 6 / 4 = 1.5
    for zero in (0, 7):
        x = refquant.QuantizedTensor(q, refquant.quint8, 1.0, zero)
        with engines.using("tflite"):
            assert F.avg_pool2d(x, 2).array.item() == 2
    signed = refquant.QuantizedTensor(-q.astype(np.int8), refquant.qint8, 1.0, 3)
    with engines.using("tflite-single"):
        assert F.avg_pool2d(signed, 2).array.item() == -2


def test_saturated_pairs():
    x = refquant.QuantizedTensor(np.uint8([[255, 255, 255]]), refquant.quint8, 1.0, 0)
    w = refquant.QuantizedTensor(np.int8([[127, 127, 127]]), refquant.qint8, 1.0, 0)
    with engines.using("x86-sat16"):
        y = F.linear(x, w, scale=512.0, zero_point=0)
    assert y.array.item() == round((32767 + 255 * 127) / 512)


def test_zero_point_of_a_product_is_added_before_rounding():
    # 1 * 1 / 2 = 0.5: half to even is 0, then 0 + 3; but 3.5 rounds to 4.
    one = refquant.QuantizedTensor(np.uint8([1]), refquant.quint8, 1.0, 0)
    with engines.using("onnx"):
        assert ops.mul(one, one, 2.0, 3).array.tolist() == [4]
    with engines.using("fbgemm"):
        assert ops.mul(one, one, 2.0, 3).array.tolist() == [3]


def rescale(value, multiplier, shift, double_round):
    """Scale one integer as the specification of TOSA does (``apply_scale_32``)."""
    half = 1 << (shift - 1)
    if double_round and shift > 31:
        half += 1 << 30 if value >= 0 else -(1 << 30)
    return (value * multiplier + half) >> shift


@pytest.mark.parametrize(("name", "double_round"), [("tosa-double", True), ("tosa-single", False)])
def test_products_of_tosa_are_rescaled_as_its_specification_says(name, double_round):
    rng = np.random.default_rng(0)
    for multiplier in (0.5, 0.25, 0.75, 2.0**-7, 0.3, *rng.uniform(2.0**-12, 1.0, 20)):
        q, shift = quantized_multiplier(multiplier)
        totals = np.append(rng.integers(-(2**20), 2**20, 300), np.arange(-40, 41))
        rule = engines.get(name).rule("requantize_sum")
        answers = rule(totals, np.float64(multiplier), 0, -(2**31), 2**31 - 1)
        expected = [rescale(int(t), int(q), 31 - int(shift), double_round) for t in totals]
        assert answers.tolist() == expected
