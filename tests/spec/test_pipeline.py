"""Literal values of products under oneDNN, worked out by hand, and what `x86` takes from it."""

import numpy as np
import pytest

import refquant
from refquant.engines import Convolution, Operands
from refquant.engines.rules import pipeline
from refquant.reference.operands import PostOps

ops = refquant.ops.quantized


@pytest.fixture(autouse=True)
def onednn():
    with refquant.engines.using("onednn"):
        yield


def quantized(integers, storage=np.uint8, scale=1.0, zero_point=0):
    dtype = refquant.quint8 if storage is np.uint8 else refquant.qint8
    return refquant.QuantizedTensor(np.array(integers, storage), dtype, scale, zero_point)


def packed(weight, bias=None):
    bias = None if bias is None else refquant.tensor(bias)
    return ops.linear_prepack(quantized(weight, np.int8), bias)


def test_the_zero_point_is_added_before_rounding():
    x = quantized([[2], [6], [10]])
    assert ops.linear(x, packed([[1]]), 4.0, 0).array.tolist() == [[0], [2], [2]]
    assert ops.linear(x, packed([[1]]), 4.0, 1).array.tolist() == [[2], [2], [4]]


def test_a_bias_is_real_and_results_saturate():
    assert ops.linear(quantized([[1]]), packed([[1]], [0.4]), 0.5, 0).array.tolist() == [[3]]
    assert ops.linear(quantized([[255]]), packed([[1]]), 1e-12, 3).array.tolist() == [[255]]
    assert ops.linear(quantized([[255]]), packed([[-1]]), 1e-12, 3).array.tolist() == [[0]]


@pytest.mark.parametrize(
    ("engine", "wanted"), [("onednn", 0.0), ("x86", np.nan), ("fbgemm", np.nan)]
)
def test_relu_of_a_dynamic_layer_makes_nan_zero_under_onednn_alone(engine, wanted):
    with refquant.engines.using(engine):
        weight = packed([[1], [1], [-1]], [np.nan, 0.5, 0.0])
        y = ops.linear_relu_dynamic(refquant.tensor([[255.0]]), weight)
        x = ops.linear_dynamic(refquant.tensor([[255.0]]), weight)
    assert np.array_equal(y.array, np.float32([[wanted, 255.5, 0.0]]), equal_nan=True)
    assert np.array_equal(x.array, np.float32([[np.nan, 255.5, -255.0]]), equal_nan=True)


def test_results_of_qint8_are_qint8():
    x = quantized([[-3, 7]], np.int8, 1.0, 2)
    y = ops.linear(x, packed([[2, 1], [-1, 0], [0, 127]]), 1.0, -1)
    assert y.dtype is refquant.qint8
    assert y.array.tolist() == [[-10 + 5 - 1, 5 - 1, 127]]
    y = ops.linear_relu(x, packed([[2, 1], [-1, 0]]), 1.0, -1)
    assert y.array.tolist() == [[-1, 4]]


def test_negative_results_are_multiplied_by_the_slope():
    weight = packed([[-1], [1]])
    y = ops.linear_leaky_relu(quantized([[10]]), weight, 1.0, 20, 0.25)
    assert y.array.tolist() == [[18, 30]]  # 20 - 2.5


def test_tanh_is_rounded_to_the_steps_of_the_output():
    y = ops.linear_tanh(quantized([[50]]), packed([[-1], [0], [1]]), 2.0**-7, 128)
    assert y.array.tolist() == [[0, 128, 255]]


def test_a_sum_is_rounded_once():
    weight = ops.conv2d_prepack(quantized([[[[1]]]], np.int8), None, 1, 0, 1, 1)
    x, addend = quantized([[[[3]]]]), quantized([[[[5], [1]]]], zero_point=2)
    with pytest.raises(refquant.errors.ShapeError, match=r"\(1, 1, 1, 1\)"):
        ops.conv2d_add(x, addend, weight, 1.0, 0)
    addend = quantized([[[[5]]]], scale=0.25, zero_point=2)
    assert ops.conv2d_add(x, addend, weight, 0.5, 1).array.tolist() == [[[[8]]]]  # 1 + 3.75 / 0.5
    addend = quantized([[[[0]]]], scale=2.0, zero_point=2)
    assert ops.conv2d_add(x, addend, weight, 1.0, 9).array.tolist() == [[[[8]]]]
    assert ops.conv2d_add_relu(x, addend, weight, 1.0, 9).array.tolist() == [[[[9]]]]
    # 3 * f32(1 / 3) is 1 + 2**-25, which float32 does not hold: 1 is taken before it is rounded.
    post = PostOps("", 0.0, np.uint8([[3]]), 1 / 3, 0)
    operands = np.array([[-1]]), np.float32([0.0]), 1.0, np.ones(1), post
    assert pipeline.CONVOLUTION(*operands, 2.0**-25, 0, -100, 100).tolist() == [[1]]


def test_nan_becomes_the_upper_end_or_zero_where_it_is_divided():
    nan = [float("nan")]
    assert ops.linear(quantized([[1]]), packed([[1]], nan), 1.0, 7).array.tolist() == [[255]]
    assert ops.linear_relu(quantized([[1]]), packed([[1]], nan), 1.0, 7).array.tolist() == [[7]]
    x = quantized([[1]], np.int8)
    assert ops.linear(x, packed([[1]], nan), 1.0, 7).array.tolist() == [[0]]
    assert ops.linear_relu(x, packed([[1]], nan), 1.0, 7).array.tolist() == [[0]]


def test_scales_of_dynamic_layers_are_not_rounded_to_float32():
    with refquant.engines.using("onednn"):
        rule = refquant.engines.current().rule("dynamic_qparams")
        scale, zero_point = rule(-1.0, 2.0, 0, 255)
    assert (scale, zero_point) == (3.0 / 255, 85)
    assert scale != float(np.float32(scale))


def product(name, **facts):
    return refquant.engines.get(name).rule("product", Operands(refquant.quint8, **facts)).name


def convolution(dims=2, **facts):
    usual = {
        "stride": (1,) * dims, "dilation": (1,) * dims, "groups": 1, "inputs": 3, "outputs": 3,
    }  # fmt: skip
    return Convolution(**{**usual, **facts})


ALONE = {"groups": 8, "inputs": 1, "outputs": 1}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (convolution(), "in_turn_direct"),
        (convolution(groups=100, inputs=1, outputs=1), "in_turn_direct"),
        (convolution(groups=101, inputs=1, outputs=1), "in_steps"),
        (convolution(symmetric=False), "in_steps"),
        (convolution(transposed=True, output_padding=True), "in_steps"),
        (convolution(3, dilation=(1, 1, 2), **ALONE), "product_of_scales_first"),
        (convolution(2, dilation=(1, 2), **ALONE), "in_turn_direct"),
        (convolution(3, **ALONE), "in_turn_direct"),
        (convolution(transposed=True), "in_turn_direct"),
        (convolution(3, transposed=True, **ALONE), "in_turn_direct_divided"),
        (convolution(transposed=True, stride=(2, 1), dilation=(2, 1)), "in_turn_direct_divided"),
        (convolution(transposed=True, stride=(2, 1), dilation=(1, 2)), "in_turn_direct"),
        (convolution(transposed=True, stride=(2, 1), groups=2), "in_turn_direct_divided"),
        (convolution(transposed=True, stride=(2, 1), groups=2, divisible=True), "in_turn_direct"),
        (
            convolution(transposed=True, stride=(2, 1), groups=2, inputs=4, outputs=8),
            "in_turn_direct",
        ),
        (None, "in_steps"),
    ],
)
def test_what_x86_takes_from_onednn(given, wanted):
    assert product("x86", convolution=given) == wanted
    if wanted != "in_steps":
        assert product("onednn", convolution=given) == wanted


def test_linear_layers_of_onednn_by_granularity_and_dtype():
    assert product("onednn") == "in_turn"
    assert product("onednn", per_channel=True) == "in_turn_by_channel"
    record = refquant.engines.get("onednn")
    for per_channel, wanted in ((False, "in_turn_divided"), (True, "in_turn_by_channel_divided")):
        operands = Operands(refquant.qint8, per_channel=per_channel)
        assert record.rule("product", operands).name == wanted
