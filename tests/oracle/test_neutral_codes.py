"""Neutral functions, requantization, pooling and resizing: values from formulas, and errors."""

import numpy as np
import pytest

from refquant import engines, oracle
from refquant.engines.arithmetic.change import changed
from refquant.errors import ArgumentError, ArgumentTypeError, DtypeError, EngineError, ShapeError
from refquant.oracle import Codes, Output

LITERT, OPTIMIZED, MICRO = "litert-2.3-reference", "litert-2.3-optimized-x86", "tflite-micro"


def run(engine, operation, *operands, **keywords):
    return oracle.problem(operation, *operands, **keywords).run(engine)


def test_ties_of_quantize():
    x = np.float32([-0.75, -0.25, 0.25, 0.75])
    out = Output(0.5, 10)
    assert run(LITERT, "quantize", x, out).tolist() == [8, 9, 11, 12]
    assert run("xnnpack", "quantize", x, out).tolist() == [8, 10, 10, 12]


def test_xnnpack_below_executorch_requantizes_in_float32():
    half = Codes(np.int8([-3, -1, 1, 3]), 0.5)
    assert run("executorch", "requantize", half, Output(1.0)).tolist() == [-2, 0, 0, 2]
    assert run("xnnpack", "requantize", half, Output(1.0)).tolist() == [-1, 0, 1, 2]
    assert run("executorch", "leaky_relu", half, 0.5, Output(1.0)).tolist() == [-1, 0, 0, 2]


def test_averages_of_xnnpack_in_float32_go_down_columns_in_pairs():
    codes = np.arange(9, dtype=np.int8).reshape(1, 3, 3, 1)
    x = Codes(codes, np.float32(0.1))
    three = run("executorch", "avg_pool2d", x, 3, output=Output(0.1), layout="NHWC")
    assert three.item() == 4
    wide = Codes(np.zeros((1, 4, 4, 1), np.int8), 0.1)
    with pytest.raises(EngineError, match="at most 9 pixels, whose order of sums is known"):
        run("executorch", "avg_pool2d", wide, 4, layout="NHWC")


def test_xnnpack_in_float32_resizes_lines_first():
    x = Codes(np.int8([[0, 1], [2, 5]]).reshape(1, 2, 2, 1), 1.0)
    y = run("executorch", "resize_bilinear", x, (3, 3), True, layout="NHWC")
    # Exactly 0, 0.5, 1; 1, 2, 3; 2, 3.5, 5: ties go to even numbers.
    assert y.reshape(3, 3).tolist() == [[0, 0, 1], [1, 2, 3], [2, 4, 5]]


def test_what_is_left_behind_whole_blocks_is_quantized_by_another_rule():
    y = run(OPTIMIZED, "quantize", np.full(19, 0.25, np.float32), Output(0.5))
    assert y.tolist() == [0] * 16 + [1] * 3


def test_requantization_by_multipliers_of_31_and_of_8_bits():
    x = Codes(np.int8([-10, -3, 3, 100]), 0.1)
    # Exactly -3.33, -1, 1 and 33.33; the first of two roundings gives twice -3.5 and 33.5.
    assert run(MICRO, "requantize", x, Output(0.3)).tolist() == [-4, -1, 1, 34]
    assert run("xnnpack", "requantize", x, Output(0.3)).tolist() == [-3, -1, 1, 33]
    half = Codes(np.int8([-1, 1]), 0.5)
    assert run(MICRO, "requantize", half, Output(1.0)).tolist() == [0, 1]  # the first, ties up
    assert run("xnnpack", "requantize", half, Output(1.0)).tolist() == [0, 1]
    assert run("onnx", "requantize", half, Output(1.0)).tolist() == [0, 0]


def test_averages_of_codes_are_rounded_without_their_zero_point():
    x = Codes(np.int8([-3, -2, -3, -2]).reshape(1, 1, 2, 2), 1.0, 100)
    assert run(MICRO, "avg_pool2d", x, 2).item() == -3  # -2.5 steps, away from zero
    assert run("onnx", "avg_pool2d", x, 2).item() == -2  # -102.5 + 100, to even


def test_what_lies_outside_is_no_part_of_an_average_or_a_maximum():
    x = Codes(np.int8([[-7, -5], [-3, -1]]).reshape(1, 1, 2, 2), 1.0, 50)
    pooled = run(MICRO, "avg_pool2d", x, 2, 1, ((1, 0), (1, 0)))
    assert pooled.reshape(-1).tolist() == [-7, -6, -5, -4]
    most = run(MICRO, "max_pool2d", x, 2, 1, ((1, 0), (1, 0)))
    assert most.reshape(-1).tolist() == [-7, -5, -3, -1]


def test_a_mean_whose_zero_point_is_taken_off_after_rounding():
    x = Codes(np.full((1, 1, 2, 1), 2, np.int8), 0.5, 1)
    # One step of 0.5 is half a step of 1: away from zero it is one, but 1 - 1 if rounded apart.
    assert run(MICRO, "mean", x, (1, 2), Output(1.0)).item() == 1
    assert run("tflite-2.14-optimized-x86", "mean", x, (1, 2), Output(1.0)).item() == 0


def test_a_zero_point_that_is_added_before_the_mean_is_rounded():
    x = Codes(np.full((1, 1, 2, 1), 1, np.int8), 0.5)
    assert run("xnnpack", "mean", x, (1, 2), Output(1.0, 0)).item() == 0
    assert run("xnnpack", "mean", x, (1, 2), Output(1.0, 1)).item() == 2


def test_multipliers_of_products_are_formed_in_float32_or_float64():
    a, b = Codes(np.int8([-48]), 0.0123, 127), Codes(np.int8([-124]), 0.5, -128)
    assert run(LITERT, "mul", a, b, Output(0.02, 127)).item() == -89
    assert run(MICRO, "mul", a, b, Output(0.02, 127)).item() == -88


def test_the_reference_of_linear_layers_changed_between_releases():
    x, w = Codes(np.int8([[1], [8], [11], [18]]), 0.3), Codes(np.int8([[1]]), 1.0)
    found = {e: run(e, "linear", x, w, None, Output(1.0)).reshape(-1).tolist()
             for e in (LITERT, "tflite-2.14-reference")}  # fmt: skip
    assert found == {LITERT: [0, 2, 3, 5], "tflite-2.14-reference": [1, 3, 4, 6]}


def test_functions_at_zero_and_far_away():
    x = Codes(np.int8([-128, 0, 127]), 1.0)
    out = Output(1 / 256, -128)
    assert run(MICRO, "sigmoid", x, out).tolist() == [-128, 0, 127]
    assert run(MICRO, "tanh", x, Output(1 / 128)).tolist() == [-128, 0, 127]
    assert run(MICRO, "elu", x, Output(1.0)).tolist() == [-1, 0, 127]
    assert run(MICRO, "hardswish", x, Output(1.0)).tolist() == [0, 0, 127]
    assert run(MICRO, "leaky_relu", x, 0.25, Output(1.0)).tolist() == [-32, 0, 127]
    assert run(MICRO, "softmax", Codes(np.int8([[5, 5], [5, -90]]), 1.0), out).tolist() == [
        [0, 0], [127, -128],
    ]  # fmt: skip


def test_resizing_keeps_what_is_there():
    x = Codes(np.arange(-6, 6, dtype=np.int8).reshape(1, 1, 3, 4), 0.5)
    for engine in (MICRO, "xnnpack"):
        same = run(engine, "resize_bilinear", x, (3, 4))
        assert np.array_equal(same, x.array)
        corners = run(engine, "resize_bilinear", x, (5, 7), True)[0, 0]
        assert np.array_equal(corners[::2, ::2], x.array[0, 0])


def test_pieces_of_the_quantizer_of_the_result_are_copied():
    a, b = Codes(np.int8([1, 2]), 0.5), Codes(np.int8([3, 4]), 0.5)
    assert run(MICRO, "cat", [a, b], 0).tolist() == [1, 2, 3, 4]
    other = Codes(np.int8([2, 6]), 0.25)
    assert run("onnx", "cat", [a, other], 0).tolist() == [1, 2, 1, 3]
    with pytest.raises(EngineError, match="has the operation: onnx"):
        run(MICRO, "cat", [a, other], 0)


def test_images_with_channels_last_have_the_same_results():
    rng = np.random.default_rng(0)
    first = Codes(rng.integers(-128, 128, (2, 3, 6, 7)).astype(np.int8), 0.5, 3)
    last = first.like(np.moveaxis(first.array, 1, -1))
    for operation, operands in (
        ("avg_pool2d", (3, 2)), ("max_pool2d", (2,)), ("resize_bilinear", ((4, 9),)),
    ):  # fmt: skip
        y = run(MICRO, operation, first, *operands)
        z = run(MICRO, operation, last, *operands, layout="NHWC")
        assert np.array_equal(np.moveaxis(y, 1, -1), z)


@pytest.mark.parametrize("operation", ["requantize", "sub"])
def test_a_change_of_rounding_is_named(operation):
    rng = np.random.default_rng(1)
    x = Codes(rng.integers(-128, 128, 400).astype(np.int8), 0.25, 3)
    operands = (x, Output(0.5, -7)) if operation == "requantize" else (x, x, Output(0.5, 1))
    task = oracle.problem(operation, *operands)
    answer = task.run(changed(engines.get(MICRO), {"rounding": "half_even"}))
    found = oracle.diagnose(answer, task, engine=MICRO)
    if found.mismatch.count:
        assert ("rounding: half_away -> half_even",) in found.explanations


X = Codes(np.zeros((1, 2, 4, 4), np.int8), 1.0)
CHANNELS = Codes(np.zeros((1, 2, 4, 4), np.int8), [1.0, 2.0], axis=1)


@pytest.mark.parametrize(
    ("operation", "operands", "error", "match"),
    [
        ("sigmoid", (CHANNELS,), ArgumentError, "one scale"),
        ("tanh", (X, 3), ArgumentTypeError, "Output"),
        ("quantize", (np.array(["a"]), Output(1.0)), ArgumentTypeError, "x"),
        ("quantize", (np.array([True]), Output(1.0)), DtypeError, "real numbers"),
        ("avg_pool2d", (X, 5), ShapeError, "fit into the image"),
        ("avg_pool2d", (X, 2, 2, 2), ArgumentError, "less than the window"),
        ("max_pool2d", (X, 2, None, 0, None, "CHWN"), ArgumentError, "layout"),
        ("mean", (X, (1, 1)), ArgumentError, "different ones of 4"),
        ("mean", (X, ()), ArgumentError, "different ones of 4"),
        ("cat", ([X, X.like(np.zeros((1, 2, 3, 3), np.int8))], 1), ShapeError, "along one axis"),
        ("cat", (X, 0), ArgumentError, "sequence of oracle.Codes"),
        ("resize_bilinear", (X, (0, 3)), ArgumentError, "size"),
        ("leaky_relu", (X, "steep"), ArgumentTypeError, "negative_slope"),
        ("softmax", (Codes(np.zeros((), np.int8), 1.0),), ShapeError, "a dimension or more"),
    ],
)  # fmt: skip
def test_operands_without_meaning_are_errors(operation, operands, error, match):
    with pytest.raises(error, match=match):
        oracle.problem(operation, *operands)


@pytest.mark.parametrize(
    "engine", ["litert-2.3-reference", "tflite-micro", "onnxruntime-qdq-float"]
)
@pytest.mark.parametrize(("operation", "place"), [
    ("max_pool2d", {"kernel": 2}),
    ("resize_nearest", {"size": (7, 5)}),
    ("resize_bilinear", {"size": (7, 5)}),
])  # fmt: skip
def test_results_that_keep_the_quantizer_of_their_operand_may_have_another(
    operation, place, engine
):
    codes = np.random.default_rng(0).integers(-128, 128, (2, 3, 4, 6)).astype(np.int8)
    x, out = oracle.Codes(codes, 0.07, 5), oracle.Output(0.11, -9, lower=-20)
    own = oracle.problem(operation, x, **place)
    other = oracle.problem(operation, x, **place, output=out)
    assert other.run(engine).min() == -20
    if (operation, engine) == ("resize_bilinear", "onnxruntime-qdq-float"):
        return  # which quantizes once: compared with the runtime in test_model_files
    behind = oracle.problem("requantize", x.like(own.run(engine)), out)
    assert np.array_equal(other.run(engine), behind.run(engine))
    keeps = oracle.Output(x.scale, x.zero_point)
    same = oracle.problem(operation, x, **place, output=keeps)
    assert np.array_equal(same.run(engine), own.run(engine))
