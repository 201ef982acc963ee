"""Products of int16 activations: sums of 64 bits beside Python integers, and who sees them."""

import numpy as np
import pytest

from refquant import engines, oracle
from refquant.errors import ArgumentError
from refquant.oracle import Codes, Output

FAR = 2**33 + 12345


def layer(bias, kind=np.int16):
    x = np.array([[1000, -32768, 7], [3, 32767, -9]]).clip(np.iinfo(kind).min, np.iinfo(kind).max)
    w = np.int8([[3, -128, 127], [1, 2, -3]])
    return oracle.problem(
        "linear", Codes(x.astype(kind), 0.5), Codes(w, 0.3), bias, Output(700.0, 0, "int16")
    )


def short(total, multiplier):
    """Scale by 15 bits and round half up, in Python integers."""
    fraction, exponent = np.frexp(multiplier)
    q = int(np.floor(fraction * 2.0**31 + 0.5))
    h = min((q + 2**15) >> 16, 2**15 - 1)
    right = 15 - int(exponent)
    return (total * h + 2 ** (right - 1)) >> right


def test_sums_with_a_bias_of_64_bits_do_not_wrap_and_are_scaled_by_15_bits():
    bias = np.int64([FAR, -FAR])
    task = layer(bias)
    sums = task.sums("exact").reshape(2, 2)
    multiplier = np.float64(np.float32(0.5) * np.float32(0.3)) / 700.0
    wanted = [
        [short(int(v) + int(b), multiplier) for v, b in zip(row, bias, strict=True)] for row in sums
    ]
    wanted = np.clip(wanted, -32768, 32767)
    assert np.array_equal(task.run("tflite-2.14-reference"), wanted)


def test_a_multiplier_just_below_a_power_of_two_stays_below_it():
    x, w = np.int16([[30000]]), np.int8([[1]])
    out = Output(1 / (1 - 2.0**-17), 0, "int16")
    task = oracle.problem("linear", Codes(x, 1.0), Codes(w, 1.0), np.int64([2700]), out)
    assert task.run("tflite-micro").tolist() == [[(32700 * 0x7FFF + 2**14) >> 15]]


@pytest.mark.parametrize(("engine", "exponent", "answer"), [
    ("tflite-micro", -32, 8192),
    ("tflite-micro", -33, 0),  # multipliers below 2**-32 are taken for 0
    ("litert-2.3-reference", -33, 4096),
])  # fmt: skip
def test_tiny_multipliers_have_the_answers_of_the_runtime(engine, exponent, answer):
    x, w = Codes(np.int16([[0]]), 2.0**exponent), Codes(np.int8([[1]]), 1.0)
    task = oracle.problem("linear", x, w, np.int64([2**45]), Output(1.0, 0, "int16"))
    assert task.run(engine).tolist() == [[answer]]


@pytest.mark.parametrize(("kind", "bias", "seen"), [
    (np.int16, np.int64([1, 2]), (True, True)),
    (np.int16, np.int32([1, 2]), (True, False)),
    (np.int16, None, (True, False)),
    (np.int8, np.int64([1, 2]), (False, False)),
])  # fmt: skip
def test_conditions_see_the_bits_of_activations_and_of_sums(kind, bias, seen):
    operands = layer(bias, kind).operands()
    assert (operands.int16, operands.wide_sums) == seen


def test_records_choose_rules_by_the_bits_of_sums():
    wide, narrow = layer(np.int64([1, 2])).operands(), layer(np.int32([1, 2])).operands()
    micro, newest = engines.get("tflite-micro"), engines.get("litert-2.3-optimized-x86")
    assert micro.rule("requantize_sum", wide).name == "requantize_wide"
    assert micro.rule("accumulator", wide).name == "exact"
    assert micro.rule("accumulator", narrow).name == "wrapped"
    # LiteRT 2.3 multiplies wide sums of linear layers in float64.
    assert newest.rule("requantize_sum", wide).name == "requantize_of_axes"


@pytest.mark.parametrize(("kind", "bias"), [
    (np.int16, np.int64([2**46, 0])),
    (np.int16, np.int64([0, -(2**46) - 1])),
    (np.int8, np.int64([FAR, 0])),
])  # fmt: skip
def test_a_bias_beyond_its_sums_is_an_error(kind, bias):
    with pytest.raises(ArgumentError, match="integers of"):
        layer(bias, kind)


def test_a_diagnosis_names_the_release_by_its_wide_sums():
    rng = np.random.default_rng(1)
    x = rng.integers(-32768, 32768, (50, 20)).astype(np.int16)
    w = rng.integers(-127, 128, (9, 20)).astype(np.int8)
    bias, out = rng.integers(-(2**20), 2**20, 9), Output(0.02, 0, "int16")
    task = oracle.problem("linear", Codes(x, 0.003), Codes(w, 0.0007), bias, out)
    older, newer = (task.run(f"{name}-reference") for name in ("tflite-2.14", "litert-2.3"))
    assert oracle.diagnose_all([(older, task)], "tflite-micro") == ((),)
    named = oracle.diagnose_all([(newer, task)], "tflite-micro")
    assert ("engine 'litert-2.3-reference'",) in named
