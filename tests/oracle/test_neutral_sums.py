"""Transposed convolutions, and products whose sums are the result, of neutral operands."""

import numpy as np
import pytest

from refquant import oracle
from refquant.errors import ArgumentError, EngineError, ShapeError
from refquant.oracle import Codes, Output

RNG = np.random.default_rng(0)


def spread_out(x, w, strides, crop, more):
    """Add the filters at the places of the pixels, in integers; w has outputs first."""
    batch, height, width, _ = x.shape
    outputs, lines, columns, _ = w.shape
    down, right = strides
    y = np.zeros(
        (batch, (height - 1) * down + lines + more, (width - 1) * right + columns + more, outputs),
        np.int64,
    )
    for i, j in np.ndindex(height, width):
        part = np.einsum("bc,ohwc->bhwo", x[:, i, j].astype(np.int64), w.astype(np.int64))
        y[:, i * down : i * down + lines, j * right : j * right + columns] += part
    end = [None if not c else -c for c in crop]
    return y[:, crop[0] : end[0], crop[1] : end[1]]


@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize(("kernel", "crop"), [((2, 2), (0, 0)), ((3, 4), (1, 2))])
def test_transposed_convolutions_add_filters_at_the_places_of_pixels(stride, kernel, crop):
    more = 1 if stride == 2 else 0
    x = RNG.integers(-9, 9, (2, 4, 3, 5)).astype(np.int8)
    w = RNG.integers(-3, 4, (6, *kernel, 5)).astype(np.int8)
    strides = (stride, stride) if isinstance(stride, int) else stride
    sums = spread_out(x.astype(np.int64) - 3, w, strides, crop, more)
    task = oracle.problem(
        "conv_transpose2d", Codes(x, 0.5, 3), Codes(w, 0.5), None, Output(0.25, 0, "int32"),
        stride=stride, padding=crop, output_padding=more, layout="NHWC",
    )  # fmt: skip
    assert np.array_equal(task.run("tflite"), sums)
    first = oracle.problem(
        "conv_transpose2d", Codes(np.moveaxis(x, -1, 1), 0.5, 3),
        Codes(np.transpose(w, (3, 0, 1, 2)), 0.5), None, Output(0.25, 0, "int32"),
        stride=stride, padding=crop, output_padding=more,
    )  # fmt: skip
    assert np.array_equal(first.run("tflite"), np.moveaxis(sums, -1, 1))


def test_transposed_convolutions_say_what_does_not_fit():
    x, w = Codes(np.zeros((1, 2, 2, 1), np.int8), 1.0), Codes(np.zeros((1, 2, 2, 1), np.int8), 1.0)
    with pytest.raises(ArgumentError, match="less than the window"):
        oracle.problem("conv_transpose2d", x, w, None, Output(1.0), padding=2, layout="NHWC")
    with pytest.raises(ShapeError, match="4 dimensions"):
        oracle.problem(
            "conv_transpose2d", x, Codes(np.zeros((2, 2), np.int8), 1.0), None, Output(1)
        )
    many = Codes(w.array, [1.0], axis=3)
    with pytest.raises(ArgumentError, match="that of the outputs"):
        oracle.problem("conv_transpose2d", x, many, None, Output(1.0), layout="NHWC")
    one = Codes(np.zeros((1, 1, 1, 1), np.int8), 1.0)
    task = oracle.problem("conv_transpose2d", one, w, None, Output(1.0), layout="NHWC")
    with pytest.raises(EngineError, match="order of float sums of a single pixel"):
        task.run("onnxruntime-qdq-float")


def test_sums_of_integers_are_the_result():
    a, b = RNG.integers(0, 256, (5, 7)).astype(np.uint8), RNG.integers(-128, 128, (7, 4))
    task = oracle.problem("matmul_integer", Codes(a, 0.1, 90), Codes(b.astype(np.int8), 0.2, 5))
    exact = (a.astype(np.int64) - 90) @ (b - 5)
    assert np.array_equal(task.run("onnx"), exact)
    assert task.run("onnx").dtype == np.int32
    assert oracle.legality(task.run("onnx"), task).legal.all()
    assert oracle.trace(task, index=(1, 2), engine="onnx")["clipped"] == exact[1, 2]
    x = Codes(RNG.integers(-9, 9, (2, 3, 6)).astype(np.int8), 0.5, 1)
    w = Codes(np.ones((1, 3, 2), np.int8), 0.5)
    sums = oracle.problem("conv_integer", x, w).run("onnx")
    steps = (x.array.astype(np.int64) - 1).sum(1)
    assert np.array_equal(sums[:, 0], steps[:, 1:] + steps[:, :-1])


def test_a_fault_of_sums_is_named():
    a, b = RNG.integers(0, 256, (5, 70)).astype(np.uint8), RNG.integers(-128, 128, (70, 4))
    task = oracle.problem("matmul_integer", Codes(a, 0.1, 90), Codes(b.astype(np.int8), 0.2))
    exact = (a.astype(np.int64) - 90) @ b
    wrapped = ((exact + 2**15) % 2**16 - 2**15).astype(np.int32)
    found = oracle.diagnose_all([(wrapped, task)], "onnx")
    assert ("accumulator: wrapped -> wrapped_int16",) in found


def test_the_range_of_real_numbers_gives_their_quantizer():
    codes = oracle.problem("dynamic_quantize", np.float32([-1, 0, 0.25, 1.55])).run("onnx")
    assert codes.tolist() == [0, 100, 125, 255]
    assert (
        oracle.problem("dynamic_quantize", np.zeros(3, np.float32)).run("onnx").tolist() == [0] * 3
    )


def test_pixels_are_repeated():
    x = Codes(np.arange(4, dtype=np.int8).reshape(1, 2, 2, 1), 1.0)
    task = oracle.problem("resize_nearest", x, (4, 3), layout="NHWC")
    assert task.run("tflite-micro")[0, :, :, 0].tolist() == [
        [0, 0, 1],
        [0, 0, 1],
        [2, 2, 3],
        [2, 2, 3],
    ]
