"""What results stand for: legal answers of functions of PyTorch, and of moved and real numbers."""

import numpy as np
import pytest

import refquant
from refquant import oracle
from refquant.errors import ArgumentError, EngineError
from refquant.oracle import Codes, Output
from refquant.oracle.problems.meanings import meaning_of

FUNCTIONS = tuple(
    name for name in oracle.OPERATIONS if meaning_of(oracle.cases_of(name)[0].problem) is not None
)


def quantized(shape, seed=0, scale=0.25, zero_point=3):
    codes = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    return refquant.QuantizedTensor(codes, refquant.quint8, scale, zero_point)


@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack", "onednn"])
@pytest.mark.parametrize("operation", FUNCTIONS)
def test_answers_of_engines_are_legal_and_others_are_not(operation, engine):
    judged = 0
    for case in oracle.cases_of(operation):
        task = case.problem
        try:
            answer = task.result(engine)
        except EngineError:
            continue
        assert oracle.legality(answer, task).legal.all(), case.name
        judged += answer.size
        if answer.dtype.kind == "f":
            wrong = answer * np.float32(1 + 1e-5) + np.float32(1e-6)
            assert not oracle.legality(wrong, task).legal.any()
            continue
        inside = (answer > 3) & (answer < 250)
        off = oracle.legality(np.asarray(answer.astype(np.int64) + 2), task)
        assert not off.legal[inside].any()
    assert judged


X, IMAGE = quantized((2, 3, 9)), quantized((2, 3, 9, 7))
VOLUME = quantized((1, 2, 5, 6, 7))
GRID = refquant.rand(2, 4, 5, 2, generator=refquant.Generator().manual_seed(1)) * 2.4 - 1.2
CALLS = {
    "avg_pool1d": [(X, 3, 2, 1), (X, 4, 3, 2, True), (X, 3, 2, 1, True, False)],
    "avg_pool2d": [
        (IMAGE, 3, 2, 1), (IMAGE, (3, 2), 2, (1, 1), True), (IMAGE, 3, 1, 1, False, False),
        (IMAGE, 3, 2, 1, True, True, 7),
    ],
    "avg_pool3d": [(VOLUME, 3, 2, 1), (VOLUME, 3, 2, 1, True, False)],
    "max_pool1d": [(X, 3, 2, 1), (X, 3, 2, 1, 2, True)],
    "max_pool2d": [(IMAGE, 3, 2, 1), (IMAGE, 3, 1, 1, 2), (IMAGE, 3, 2, 1, 1, True)],
    "max_pool3d": [(VOLUME, 2, 2, 1)],
    "adaptive_avg_pool1d": [(X, 4)],
    "adaptive_avg_pool2d": [(IMAGE, (4, 3)), (IMAGE, (None, 5)), (IMAGE, 1)],
    "adaptive_avg_pool3d": [(VOLUME, (2, 3, 4))],
    "mean": [(IMAGE, (2, 3)), (IMAGE, -1, True), (IMAGE,)],
    "interpolate": [
        (IMAGE, (5, 11)), (IMAGE, None, 1.7), (IMAGE, None, (0.3, 2.6), "bilinear", False),
        (IMAGE, (4, 4), None, "bilinear", True), (IMAGE, (5, 3), None, "area"),
        (IMAGE, 4, None, "nearest-exact"), (VOLUME, (7, 3, 5)),
        (IMAGE, None, 1.7, "nearest", None, True),
    ],
    "upsample": [(IMAGE, None, 2), (IMAGE, None, 2, "bilinear")],
    "upsample_nearest": [(IMAGE, None, 3)],
    "upsample_bilinear": [(IMAGE, (4, 15))],
    "pad": [
        (IMAGE, (1, 2, 0, 3)), (IMAGE, (1, 1), "constant", 2.3), (IMAGE, (2, 1, 1, 2), "reflect"),
    ],
    "threshold": [(X, 10.0, 3.1), (X, 0.25, -1.0)],
    "celu": [(X, 0.3, 7, 1.5), (X, 0.05, 200, -0.5)],
    "elu": [(X, 0.3, 7, 1.5, 2.0, 0.25), (X, 0.3, 100, -1.0)],
    "add_scalar": [(X, 2.6), (X, -100.0)],
    "add_scalar_relu": [(X, -3.3)],
    "mul_scalar": [(X, 1.7), (X, -0.3), (X, 0)],
    "mul_scalar_relu": [(X, -0.3)],
    "cat_relu": [([X, quantized((2, 1, 9), 1, 0.4, 30)], 1, 0.31, 12)],
    "relu": [(X,)],
    "relu6": [(X,)],
    "dequantize": [(IMAGE,)],
    "grid_sample": [
        (IMAGE, GRID, "bilinear", "zeros", False), (IMAGE, GRID, "bilinear", "border", True),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "place"), [(name, k) for name, calls in CALLS.items() for k in range(len(calls))]
)
@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack"])
def test_borders_dilation_and_scales_of_their_own(operation, place, engine):
    task = oracle.problem(operation, *CALLS[operation][place])
    try:
        answer = task.result(engine)
    except EngineError:
        pytest.skip("the engine does not have it")
    assert oracle.legality(answer, task).legal.all()
    if answer.dtype.kind != "f":
        inside = (answer > 3) & (answer < 250)
        assert (
            not oracle.legality(np.asarray(answer.astype(np.int64) + 2), task).legal[inside].any()
        )
    last = tuple(n - 1 for n in answer.shape)
    assert oracle.trace(task, index=last, engine=engine).result == answer[last]


def test_an_average_at_the_border_by_hand():
    x = refquant.quantize_per_tensor(refquant.ones(1, 1, 4, 4), 0.5, 3, refquant.quint8)
    found = oracle.legality(np.full((1, 1, 4, 4), 4), "avg_pool2d", x, 3, 1, 1)
    assert found.real[0, 0, 0].tolist() == [
        3 + 2 * 4 / 9,
        3 + 2 * 6 / 9,
        3 + 2 * 6 / 9,
        3 + 2 * 4 / 9,
    ]
    assert found.legal[0, 0].tolist() == [
        [True, True, True, True], [True, False, False, True],
        [True, False, False, True], [True, True, True, True],
    ]  # fmt: skip


def test_a_place_beside_two_pixels_belongs_to_both():
    to = {"output": Output(0.5)}
    x = Codes(np.arange(10, dtype=np.int8).reshape(1, 1, 1, 10) * 10, 0.5)
    task = oracle.problem("resize_nearest", x, (1, 3), **to)
    found = [
        oracle.legality(np.int8([[[[0, q, 60]]]]), task).legal[0, 0, 0, 1] for q in range(0, 60, 10)
    ]
    assert found == [False, False, False, True, False, False]
    five = Codes(np.arange(5, dtype=np.int8).reshape(1, 1, 1, 5) * 10, 0.5)
    half = oracle.problem(
        "resize_nearest", five, (1, 2), half_pixel_centers=True, output=Output(0.5)
    )
    # The middles of the outputs lie at 1.25 and 3.75.
    assert oracle.legality(np.int8([[[[10, 30]]]]), half).legal.all()
    ends = oracle.problem("resize_nearest", five, (1, 3), align_corners=True, **to)
    assert oracle.legality(np.int8([[[[0, 20, 40]]]]), ends).legal.all()
    between = oracle.problem("resize_nearest", five, (1, 9), align_corners=True, **to)
    for q in (0, 10):  # half a pixel from either
        answer = np.int8([[[[0, q, 10, 20, 20, 30, 30, 40, 40]]]])
        assert oracle.legality(answer, between).legal[..., 1]


def test_codes_that_are_moved_and_then_requantized():
    x = Codes(np.int8([[[[1, 7], [3, -2]]]]), 0.5, 2)
    largest = oracle.problem("max_pool2d", x, 2, output=Output(1.0, 1))
    found = [oracle.legality(np.int8([[[[q]]]]), largest).legal.item() for q in (2, 3, 4, 5)]
    assert found == [False, True, True, False]  # (7 - 2) / 2 + 1 = 3.5
    resized = oracle.problem(
        "resize_bilinear", x, (1, 1), half_pixel_centers=True, output=Output(0.25)
    )
    found = oracle.legality(np.int8([[[[0]]]]), resized)
    assert found.real.item() == (9 / 4 - 2) * 2
    assert found.bound.item() > 1  # half a unit of the operand is two of the result


def test_real_numbers_are_not_rounded():
    x = Codes(np.uint8([7, 200]), 0.1, 3)
    real = np.float64(np.float32(0.1)) * np.array([4, 197])
    task = oracle.problem("dequantize", x)
    assert oracle.legality(real.astype(np.float32), task).legal.all()
    assert not oracle.legality((real * (1 + 1e-5)).astype(np.float32), task).legal.any()
    apart = np.float32(0.1) * np.float32(7) - np.float32(0.1) * np.float32(3)
    assert oracle.legality(np.float32([apart, real[1]]), task).legal.all()


def test_a_range_that_the_numbers_have():
    x = np.float32([-1.0, 0.0, 1.55, 0.4])
    task = oracle.problem("dynamic_quantize", x)
    found = oracle.legality(np.uint8([0, 100, 255, 140]), task)
    assert found.legal.tolist() == [True, True, True, True]
    x = np.float32([-0.5, 0.0, 254.5])  # the zero point is a tie
    task = oracle.problem("dynamic_quantize", x)
    for zero in (0, 1):
        assert oracle.legality(np.uint8([zero, zero, 255]), task).legal[1]


def test_operations_without_exact_values():
    x = refquant.tensor(np.float32([[0.5, 1.0]]))
    w = refquant.quantize_per_tensor(refquant.ones(1, 2), 0.5, 0, refquant.qint8)
    with pytest.raises(ArgumentError, match="linear_dynamic"):
        oracle.legality(np.float32([[1.0]]), "linear_dynamic", x, w)
