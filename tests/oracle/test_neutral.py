"""Neutral problems: operands as other runtimes have them, beside loops over single products."""

import numpy as np
import pytest

import refquant
from refquant import oracle
from refquant.errors import ArgumentError, DtypeError, RefquantError, ShapeError
from refquant.oracle import Codes, Output


def exact(total, x_scale, w_scales, out):
    """Round half to even after one multiplication in float64, whose scales are powers of two."""
    steps = np.rint(total * (x_scale * w_scales) / out.scale).astype(np.int64)
    return np.clip(steps + out.zero_point, out.lower, out.upper)


def convolve(x, w, bias, stride, pads, dilation, groups):
    """Sum products one by one, channels and outputs before height and width."""
    (before_h, behind_h), (before_w, behind_w) = pads
    image = np.pad(x, ((0, 0), (0, 0), (before_h, behind_h), (before_w, behind_w)))
    outputs, depth, lines, columns = w.shape
    height = (image.shape[2] - dilation * (lines - 1) - 1) // stride + 1
    width = (image.shape[3] - dilation * (columns - 1) - 1) // stride + 1
    y = np.zeros((len(x), outputs, height, width), np.int64)
    for n, o, i, j in np.ndindex(*y.shape):
        first = o // (outputs // groups) * depth
        for c, a, b in np.ndindex(depth, lines, columns):
            y[n, o, i, j] += (
                image[n, first + c, i * stride + a * dilation, j * stride + b * dilation]
                * w[o, c, a, b]
            )
        y[n, o, i, j] += bias[o]
    return y


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16"])
@pytest.mark.parametrize("weight_kind", ["int8", "uint8"])
@pytest.mark.parametrize(("layout", "weight_layout"), [
    ("NCHW", None), ("NHWC", None), ("NHWC", "HWIO"), ("NCHW", "OHWI"),
])  # fmt: skip
def test_convolutions_in_every_layout_are_sums_of_products(
    kind, weight_kind, layout, weight_layout
):
    rng, info, w_info = np.random.default_rng(0), np.iinfo(kind), np.iinfo(weight_kind)
    x = rng.integers(info.min, info.max + 1, (2, 4, 5, 6)).astype(kind)
    w = rng.integers(w_info.min, w_info.max + 1, (6, 2, 3, 2)).astype(weight_kind)
    bias = rng.integers(-999, 999, 6).astype(np.int32)
    x_zero, w_zeros = info.min + 3, w_info.min + np.arange(6)
    scales, out = 2.0 ** -np.arange(6, 12), Output(64.0 if kind == "int16" else 1.0, 5, "int8")
    pads = ((0, 1), (2, 1))
    total = convolve(
        x.astype(np.int64) - x_zero, w.astype(np.int64) - w_zeros[:, None, None, None], bias, 2,
        pads, 1, 2,
    )  # fmt: skip
    expected = exact(total, 0.5, scales[:, None, None], out)
    if layout == "NHWC":
        x, expected = np.moveaxis(x, 1, -1), np.moveaxis(expected, 1, -1)
    order = weight_layout or {"NCHW": "OIHW", "NHWC": "OHWI"}[layout]
    w = {"OIHW": w, "OHWI": np.moveaxis(w, 1, -1), "HWIO": w.transpose(2, 3, 1, 0)}[order]
    weight = Codes(w, scales, w_zeros, axis=order.index("O"))
    task = oracle.problem(
        "conv2d", Codes(x, 0.5, x_zero), weight, bias, out, stride=2, padding=pads, groups=2,
        layout=layout, weight_layout=weight_layout,
    )  # fmt: skip
    assert task.run("exact").dtype == np.int8
    assert np.array_equal(task.run("exact"), expected)
    assert oracle.legality(expected, task).legal.all()
    assert oracle.compare(expected, task, engine="exact").count == 0


def test_a_depthwise_weight_has_its_outputs_last():
    rng = np.random.default_rng(1)
    x, w = rng.integers(-9, 9, (1, 4, 4, 3)), rng.integers(-9, 9, (1, 2, 2, 6))
    out = Output(1.0)
    plain = convolve(
        np.moveaxis(x, -1, 1), w.transpose(3, 0, 1, 2), np.zeros(6), 1, ((0, 0), (0, 0)), 1, 3
    )
    task = oracle.problem(
        "conv2d", Codes(x.astype(np.int8), 1.0), Codes(w.astype(np.int8), np.ones(6), axis=3), None,
        out, groups=3, layout="NHWC", weight_layout="1HWO",
    )  # fmt: skip
    assert np.array_equal(task.run("exact"), np.clip(np.moveaxis(plain, 1, -1), -128, 127))


def test_an_integer_bias_keeps_ties_where_a_real_one_moves_them():
    # 5 steps of the sum are 2.5 of the output; as a real number they are 2.49999996.
    s = float(np.float32(0.1))
    x, w, out = Codes(np.int8([[0]]), s), Codes(np.int8([[1]]), 1.0), Output(2 * s)
    task = oracle.problem("linear", x, w, np.int32([5]), out)
    assert task.exact(np.array([0]))[0] == 2.5
    assert task.run("tflite").item() == 3
    assert task.run("exact").item() == 2


def test_matrices_and_lines_have_other_shapes():
    a, b = np.int8([[[1, 2], [3, 4]]]), np.uint8([[5, 6, 7], [8, 9, 10]])
    out = Output(1.0, dtype="int32")
    product = oracle.problem("matmul", Codes(a, 1.0, 1), Codes(b, 1.0, 2), out)
    expected = (a.astype(int) - 1) @ (b.astype(int) - 2)
    assert np.array_equal(product.run("exact"), expected)
    line = oracle.problem(
        "conv1d", Codes(a, 1.0), Codes(np.int8([[[1, 1], [1, -1]]]), 1.0), None, out
    )
    assert line.run("exact").tolist() == [[[1 + 2 + 3 - 4]]]
    volume = Codes(np.ones((1, 1, 2, 3, 4), np.int8), 1.0)
    cube = oracle.problem(
        "conv3d", volume, Codes(np.ones((1, 1, 2, 2, 2), np.int8), 1.0), None, out
    )
    assert cube.run("exact").shape == (1, 1, 1, 2, 3)
    assert (cube.run("exact") == 8).all()


@pytest.mark.parametrize(
    ("activation", "bounds"),
    [
        ("none", (-128, 127)),
        ("relu", (-20, 127)),
        ("relu6", (-20, 100)),
        ("relu_n1_to_1", (-40, 0)),
    ],
)
def test_activations_bound_the_integers(activation, bounds):
    out = Output(0.05, -20, activation=activation)
    assert (out.lower, out.upper) == bounds


def test_bounds_of_a_tiny_scale_are_those_of_the_dtype():
    out = Output(1e-38, 3, activation="relu_n1_to_1")  # 1 / 1e-38 is more than float32 holds
    assert (out.lower, out.upper) == (-128, 127)


def test_a_given_bound_narrows_that_of_the_activation():
    out = Output(1.0, 0, "uint8", "relu6", lower=2, upper=200)
    assert (out.lower, out.upper) == (2, 6)


def test_a_quantized_module_is_a_problem():
    x = refquant.quantize_per_tensor(refquant.tensor([[[[3.0, 1.0]]]]), 0.5, 2, refquant.quint8)
    layer = refquant.nn.quantized.Conv2d(1, 2, 1, padding=1)
    layer.scale, layer.zero_point = 0.25, 7
    task = oracle.problem(layer, x)
    assert oracle.compare(layer(x), task, engine="fbgemm").count == 0
    linear = refquant.nn.intrinsic.quantized.LinearReLU(2, 3)
    assert oracle.problem(linear, x).operation == "linear_relu"
    assert oracle.problem(task) is task
    with pytest.raises(ArgumentError):
        oracle.problem(task, x)
    with pytest.raises(ArgumentError):
        oracle.problem(layer)
    with pytest.raises(RefquantError, match="quantized linear layer or convolution"):
        oracle.problem(refquant.nn.ReLU(), x)


def test_a_diagnosis_of_a_neutral_problem_names_the_rule():
    rng = np.random.default_rng(0)
    x = Codes(rng.integers(-128, 128, (9, 24)).astype(np.int8), 0.25, -7)
    w = Codes(rng.integers(-4, 5, (8, 24)).astype(np.int8), 2.0 ** -np.arange(8), axis=0)
    task = oracle.problem("linear", x, w, rng.integers(-9, 9, 8), Output(1.0, 3))
    total = (x.array.astype(int) + 7) @ w.array.T.astype(int) + task.layer.biases
    theirs = np.clip(np.floor(total * 0.25 * w.scale + 0.5) + 3, -128, 127).astype(np.int8)
    assert (
        oracle.diagnose(theirs, task, engine="fbgemm").verdict == "rounding: half_even -> half_up"
    )
    found = oracle.trace(task, index=(0, 1), engine="tflite")
    assert found.result == task.run("tflite")[0, 1]


X, W, OUT = (
    Codes(np.zeros((1, 2, 4, 4), np.int8), 1.0),
    Codes(np.zeros((3, 2, 3, 3), np.int8), 1.0),
    Output(1.0),
)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"x": Codes(np.zeros((1, 2, 4), np.int8), 1.0)}, ShapeError),
        ({"x": Codes(np.zeros((1, 2, 4, 4), np.int8), [1.0, 2.0], axis=1)}, ArgumentError),
        ({"x": Codes(np.zeros((1, 2, 4, 4), np.int32), 1.0)}, DtypeError),
        ({"weight": Codes(np.zeros((3, 2, 3, 3), np.int8), [1.0, 2.0], axis=1)}, ArgumentError),
        ({"weight": Codes(np.zeros((3, 2, 5, 3), np.int8), 1.0)}, ShapeError),
        ({"bias": np.zeros(2, np.int32)}, ShapeError),
        ({"bias": np.array([1, 2, 2**31])}, ArgumentError),
        ({"bias": np.array([True, False, True])}, DtypeError),
        ({"output": None}, RefquantError),
        ({"groups": 3}, ShapeError),
        ({"stride": 0}, RefquantError),
        ({"padding": ((0, 1),)}, ArgumentError),
        ({"padding": ((0, -1), (0, 0))}, RefquantError),
        ({"layout": "CHWN"}, ArgumentError),
        ({"weight_layout": "IOHW"}, ArgumentError),
    ],
)
def test_operands_without_a_meaning_are_errors(change, error):
    operands = {"x": X, "weight": W, "output": OUT, **change}
    with pytest.raises(error):
        oracle.problem("conv2d", **operands)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((np.zeros(2), 1.0), DtypeError),
        (([1, 2], 1.0), RefquantError),
        ((np.int8([1, 2]), 0.0), ArgumentError),
        ((np.int8([1, 2]), 1e-60), ArgumentError),
        ((np.int8([1, 2]), np.nan), ArgumentError),
        ((np.int8([1, 2]), "1"), RefquantError),
        ((np.int8([1, 2]), 1.0, 128), ArgumentError),
        ((np.int8([1, 2]), 1.0, 0.5), ArgumentError),
        ((np.int8([1, 2]), [1.0, 2.0]), ArgumentError),
        ((np.int8([1, 2]), [1.0, 2.0, 3.0], 0, 0), ArgumentError),
        ((np.int8([1, 2]), 1.0, 0, 1), ArgumentError),
    ],
)
def test_codes_without_a_meaning_are_errors(arguments, error):
    with pytest.raises(error):
        Codes(*arguments)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((0.0,), ArgumentError),
        ((1.0, 300, "uint8"), ArgumentError),
        ((1.0, 0, "float32"), DtypeError),
        (([1.0, 2.0],), ArgumentError),
        ((1.0, 0, "int8", "gelu"), ArgumentError),
        ((1.0, 0, "int8", "none", 300), ArgumentError),
        ((1.0, 0, "int8", "none", 5, 4), ArgumentError),
    ],
)
def test_outputs_without_a_meaning_are_errors(arguments, error):
    with pytest.raises(error):
        Output(*arguments)


def test_an_unknown_operation_of_neutral_operands_lists_those_that_there_are():
    with pytest.raises(ArgumentError, match="conv2d"):
        oracle.problem("upsample", X, OUT)
