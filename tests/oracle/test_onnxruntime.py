"""Engine onnx compared with an installed ONNX Runtime, on many ties."""

import numpy as np
import pytest
from oracle.operands import activations

import refquant
from refquant import engines
from refquant.nn.quantized import functional as F

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.onnxruntime

ops = refquant.ops.quantized
CONTRIBUTED = "com.microsoft"


def run(operator, *inputs, domain="", **attributes):
    """Compute one operator; only its first input varies, so that nothing is folded."""
    names = [f"input{k}" for k in range(len(inputs))]
    first = np.asarray(inputs[0])
    element = onnx.helper.np_dtype_to_tensor_dtype(first.dtype)
    node = onnx.helper.make_node(operator, names, ["y"], domain=domain, **attributes)
    graph = onnx.helper.make_graph(
        [node],
        "one operator",
        [onnx.helper.make_tensor_value_info(names[0], element, first.shape)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.UINT8, None)],
        [
            onnx.numpy_helper.from_array(np.asarray(value), name)
            for name, value in zip(names[1:], inputs[1:], strict=True)
        ],
    )
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid(CONTRIBUTED, 1)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {names[0]: first})[0]


def quantizer(rng, low, high):
    """Draw a scale, a power of two half of the time, and a zero point, often at an end."""
    exponent = rng.integers(low, high) if rng.random() < 0.5 else rng.uniform(low, high)
    return float(np.float32(2.0**exponent)), int(rng.choice([0, 255, rng.integers(0, 256)]))


def operand(tensor):
    return tensor.array, np.float32(tensor.scale), np.uint8(tensor.zero_point)


def result(scale, zero_point):
    return np.float32(scale), np.uint8(zero_point)


@pytest.fixture(params=range(8))
def rng(request):
    with engines.using("onnx"):
        yield np.random.default_rng(request.param)


# Six bits and a sign keep pairs of products in int16, as processors without VNNI need it.
def small_weights(rng, shape):
    return rng.integers(-64, 65, shape, dtype=np.int8)


def test_matrix_products(rng):
    x = activations(rng, (5, 33), *quantizer(rng, -5, 0))
    w = refquant.QuantizedTensor(small_weights(rng, (9, 33)), refquant.qint8, 2.0**-6, 0)
    scale, zero = quantizer(rng, -2, 2)
    weight = np.ascontiguousarray(w.array.T), np.float32(w.scale), np.int8(0)
    answer = run("QLinearMatMul", *operand(x), *weight, *result(scale, zero))
    np.testing.assert_array_equal(answer, F.linear(x, w, scale=scale, zero_point=zero).array)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("groups", [1, 4])
def test_convolutions(rng, groups, per_channel):
    x = activations(rng, (2, 4, 6, 7), *quantizer(rng, -5, 0))
    q = small_weights(rng, (8, 4 // groups, 3, 3))
    scale, zero = quantizer(rng, -2, 2)
    if per_channel:
        scales = np.float64([quantizer(rng, -8, -4)[0] for _ in range(8)])
        zeros = np.zeros(8, np.int8)
        w = refquant.QuantizedTensor(q, refquant.qint8, scales, zeros.astype(np.int64), 0)
    else:
        scales, zeros = quantizer(rng, -8, -4)[0], np.int8(0)
        w = refquant.QuantizedTensor(q, refquant.qint8, scales, 0)
    # The bias of ONNX is an int32 in steps of s_x * s_w; ours is the real number it stands for.
    steps = rng.integers(-2000, 2000, 8, dtype=np.int32)
    bias = steps * (np.float32(x.scale) * np.asarray(scales, np.float32))
    answer = run(
        "QLinearConv",
        *operand(x),
        q,
        np.asarray(scales, np.float32),
        zeros,
        *result(scale, zero),
        steps,
        pads=[1, 1, 1, 1],
        group=groups,
    )
    ours = F.conv2d(
        x,
        w,
        refquant.from_numpy(bias.astype(np.float32)),
        padding=1,
        groups=groups,
        scale=scale,
        zero_point=zero,
    )
    np.testing.assert_array_equal(answer, ours.array)


@pytest.mark.parametrize(("operator", "name"), [("QLinearAdd", "add"), ("QLinearMul", "mul")])
def test_two_operands(rng, operator, name):
    a = activations(rng, (4099,), *quantizer(rng, -5, 0))
    b = activations(rng, (4099,), *quantizer(rng, -5, 0))
    scale, zero = quantizer(rng, -4, 1)
    answer = run(operator, *operand(a), *operand(b), *result(scale, zero), domain=CONTRIBUTED)
    np.testing.assert_array_equal(answer, getattr(ops, name)(a, b, scale, zero).array)


def test_quantize(rng):
    scale, zero = quantizer(rng, -3, 2)
    halves = rng.integers(-600, 600, 301) * 0.5 * scale
    x = np.concatenate([halves, rng.normal(0, 100, 99)]).astype(np.float32)
    answer = run("QuantizeLinear", x, *result(scale, zero))
    ours = refquant.quantize_per_tensor(refquant.from_numpy(x), scale, zero, refquant.quint8)
    np.testing.assert_array_equal(answer, ours.array)


def test_global_average(rng):
    x = activations(rng, (2, 3, 7, 9), *quantizer(rng, -5, 0))
    answer = run(
        "QLinearGlobalAveragePool",
        *operand(x),
        *result(x.scale, x.zero_point),
        domain=CONTRIBUTED,
        channels_last=0,
    )
    np.testing.assert_array_equal(answer, F.adaptive_avg_pool2d(x, 1).array)


def test_averages_of_windows_differ_by_a_step_at_most(rng):
    # ONNX Runtime adds reals in float32; the record adds integers and divides once.
    x = activations(rng, (2, 3, 7, 9), *quantizer(rng, -5, 0))
    answer = run(
        "QLinearAveragePool",
        *operand(x),
        *result(x.scale, x.zero_point),
        domain=CONTRIBUTED,
        kernel_shape=[2, 3],
        strides=[1, 2],
    )
    ours = F.avg_pool2d(x, (2, 3), (1, 2)).array
    assert np.abs(answer.astype(int) - ours).max() <= 1
