"""Faults planted one by one and in pairs into a backend, and how the oracle explains them."""

from itertools import combinations

import numpy as np
import pytest
from oracle import faulty_backend

import refquant
from refquant import oracle
from refquant.errors import ArgumentError, DtypeError, OperationError, ShapeError


def layer(seed, outputs=6):
    """Make a layer on which faults show: ties, clipped results, borders, saturating pairs.

    Even seeds have powers of two as scales, so that every second sum is a tie; odd ones have
    decimal fractions whose quotients are ties but for the last bit.
    """
    rng = np.random.default_rng(seed)
    w = rng.integers(-128, 128, (outputs, 5, 3, 3), dtype=np.int8)
    w //= np.array([32, 1, 16, 8, 32, 1], np.int8)[:outputs, None, None, None]
    if seed == 3:  # f32(aw / s_y) and f32(aw * f32(1 / s_y)) are on both sides of 1/8
        x_scale, scale, scales = 0.1, 0.44, np.array([0.55, 0.055, 0.11, 0.22, 0.55, 0.0055])
    elif seed % 2:
        x_scale, scale, scales = 0.1, 0.7, np.array([0.7, 0.035, 0.07, 0.35, 0.175, 0.007])
    else:
        x_scale, scale, scales = 0.0625, 0.5, 2.0 ** -np.array([2, 7, 5, 4, 1, 9.0])
    steps = np.array([0, 4, 3.5, 1000.5, -2.5, 77])
    return faulty_backend.Layer(
        x=rng.integers(0, 256, (2, 5, 9, 11), dtype=np.uint8),
        x_scale=x_scale,
        x_zero=118,
        w=w,
        w_scales=scales,
        w_zero=1,
        bias=(steps * x_scale * scales).astype(np.float32),
        scale=scale,
        zero=101,
    )


def operands(plain):
    x = refquant.QuantizedTensor(plain.x, refquant.quint8, plain.x_scale, plain.x_zero)
    zeros = np.full(len(plain.w_scales), plain.w_zero)
    w = refquant.QuantizedTensor(plain.w, refquant.qint8, plain.w_scales, zeros, axis=0)
    return (x, w, refquant.tensor(plain.bias)), {
        "padding": plain.padding,
        "scale": plain.scale,
        "zero_point": plain.zero,
    }


def diagnosed(faults, seed=0):
    plain = layer(seed)
    args, kwargs = operands(plain)
    theirs = faulty_backend.convolve(plain, faults)
    return oracle.diagnose(theirs, "conv2d", *args, engine="fbgemm", **kwargs)


def test_without_a_fault_the_backend_is_the_engine():
    for seed in range(3):
        found = diagnosed((), seed)
        assert found.verdict == "engine 'fbgemm' itself"
        assert not found.mismatch.count


def test_there_are_twenty_faults():
    assert len(faulty_backend.FAULTS) >= 20


@pytest.mark.parametrize("fault", faulty_backend.FAULTS)
def test_one_fault(fault):
    verdicts = []
    for seed in range(4):
        found = diagnosed((fault,), seed)
        if found.mismatch.count:  # this data shows it
            verdicts.append({" and ".join(e) for e in found.explanations})
    assert verdicts
    # Together the data leave hardly another explanation.
    left = {e for e in set.intersection(*verdicts) if not e.startswith("engine")}
    assert fault in left
    assert left <= {fault} | INDISTINGUISHABLE.get(fault, set())


# A product with the reciprocal, and a quotient: the bias in steps differs by less than a tie.
# The last bit of a multiplier moves a single draw of these, as the loss of its lower bits does.
INDISTINGUISHABLE = {
    "bias: divided -> int32_division": {"bias: divided -> int32_product"},
    "formed_by: division -> product": {
        "width: full -> bits_21",
        "width: full -> bits_15",
        "multiplier: same -> float64",
    },
}

PAIRS = [
    pair
    for index, pair in enumerate(combinations(faulty_backend.FAULTS, 2))
    if index % 9 == 0 and pair[0].split(":")[0] != pair[1].split(":")[0]
]


@pytest.mark.parametrize("pair", PAIRS, ids=" + ".join)
def test_two_faults(pair):
    apart = [faulty_backend.convolve(layer(1), faults) for faults in ((), pair[:1], pair[1:], pair)]
    found = diagnosed(pair, 1)
    assert not found.unexplained
    if all(not np.array_equal(apart[3], other) for other in apart[:3]):
        explanations = [set(e) for e in found.explanations]
        assert set(pair) in explanations or any(len(e) == 1 for e in explanations)


def test_random_corruption_is_unexplained():
    plain = layer(0)
    args, kwargs = operands(plain)
    theirs = faulty_backend.convolve(plain)
    rng = np.random.default_rng(5)
    hit = rng.random(theirs.shape) < 0.01
    theirs[hit] = rng.integers(0, 256, hit.sum())
    found = oracle.diagnose(theirs, "conv2d", *args, engine="fbgemm", **kwargs)
    assert found.unexplained
    assert found.remaining == found.mismatch.count
    assert "unexplained" in str(found)
    assert found.mismatch.counts["unexplained"] > 0


def test_every_rejected_candidate_has_an_element_against_it():
    found = diagnosed(("rounding: half_even -> floor",))
    assert len(found.rejected) > 10
    for contradiction in found.rejected.values():
        assert contradiction.expected != contradiction.got
        assert len(contradiction.index) == 4
    assert "not rounding" in str(found)


def test_sums_and_quantization():
    rng = np.random.default_rng(0)
    a, b = (
        refquant.QuantizedTensor(rng.integers(0, 256, 999, dtype=np.uint8), refquant.quint8, s, z)
        for s, z in ((0.25, 10), (0.5, 200))
    )
    real = 0.25 * (a.array.astype(int) - 10) + 0.5 * (b.array.astype(int) - 200)
    theirs = np.clip(np.floor(real / 1.0 + 0.5) + 90, 0, 255).astype(int)
    found = oracle.diagnose(theirs, "add", a, b, 1.0, 90, engine="fbgemm")
    assert found.verdict == "rounding: half_even -> half_up"
    theirs = np.clip(np.rint(real + 0.25 * 10) + 90, 0, 255).astype(int)
    found = oracle.diagnose(theirs, "add", a, b, 1.0, 90, engine="fbgemm")
    assert found.verdict == "zero point of the first operand ignored"
    x = refquant.tensor((rng.integers(-400, 400, 500) / 4).astype(np.float32))
    theirs = np.clip(np.trunc(x.numpy() / 0.5) + 7, 0, 255).astype(int)
    given = ("quantize_per_tensor", x, 0.5, 7, refquant.quint8)
    assert oracle.diagnose(theirs, *given, engine="fbgemm").verdict.startswith(
        "rounding: half_even"
    )


def test_another_engine_is_recognized():
    plain = layer(3)
    args, kwargs = operands(plain)
    for engine in ("qnnpack", "tflite", "exact"):
        theirs = oracle.problem("conv2d", *args, **kwargs).run(engine)
        found = oracle.diagnose(theirs, "conv2d", *args, engine="fbgemm", **kwargs)
        assert not found.unexplained
        named = (f"engine '{engine}'",) in found.explanations
        assert named or len(found.changes) == 1 or not found.mismatch.count


@pytest.mark.parametrize(
    ("fault", "average"),
    [
        ("rounding: half_even -> truncate", lambda t, z: np.trunc(t) + z),
        ("rounding: half_even -> floor", lambda t, z: np.floor(t) + z),
        ("rounding: half_even -> half_up", lambda t, z: np.floor(t + 0.5) + z),
        ("zero_point: after -> before", lambda t, z: np.rint(t + z)),
    ],
)
def test_rules_of_averages(fault, average):
    q = np.random.default_rng(1).integers(140, 256, (2, 3, 8, 8), dtype=np.uint8)
    x = refquant.QuantizedTensor(q, refquant.quint8, 0.1, 201)
    steps = (q.astype(int) - 201).reshape(2, 3, 4, 2, 4, 2).sum((3, 5)) / 4
    theirs = np.clip(average(steps, 201), 0, 255).astype(int)
    found = oracle.diagnose(theirs, "avg_pool2d", x, 2, engine="qnnpack")
    assert (fault,) in found.explanations


def test_other_operations_are_compared_with_engines():
    q = np.random.default_rng(1).integers(0, 256, (1, 3, 8, 8), dtype=np.uint8)
    x = refquant.QuantizedTensor(q, refquant.quint8, 0.1, 7)
    theirs = oracle.problem("avg_pool2d", x, 3).run("qnnpack-1.4")
    found = oracle.diagnose(theirs, "avg_pool2d", x, 3, engine="fbgemm")
    assert found.verdict in ("engine 'fbgemm' itself", "engine 'qnnpack-1.4'", "engine 'qnnpack'")
    theirs = theirs.array.copy()
    theirs[0, 0, 0, 0] += 9
    assert oracle.diagnose(theirs, "avg_pool2d", x, 3, engine="fbgemm").unexplained


def test_bad_input():
    plain = layer(0)
    args, kwargs = operands(plain)
    with pytest.raises(ShapeError, match=r"`actual` must be of shape \(2, 6, 9, 11\)"):
        oracle.diagnose(np.zeros((2, 6, 9), int), "conv2d", *args, **kwargs)
    with pytest.raises(DtypeError, match="give the integers"):
        oracle.diagnose(np.zeros((2, 6, 9, 11)), "conv2d", *args, **kwargs)
    with pytest.raises(ArgumentError, match="linear, linear_relu, conv2d"):
        oracle.diagnose(np.zeros(1, int), "conv4d", *args, **kwargs)
    with pytest.raises(ArgumentError, match="missing a required argument: 'weight'"):
        oracle.diagnose(np.zeros(1, int), "conv2d", args[0])
    x, w = (
        refquant.randn(2, 3),
        refquant.quantize_per_tensor(refquant.randn(4, 3), 0.1, 0, refquant.qint8),
    )
    wrong = oracle.problem("linear_dynamic", x, w).run("fbgemm").numpy() + 1
    with pytest.raises(OperationError, match="returns integers"):
        oracle.diagnose(wrong, "linear_dynamic", x, w)
