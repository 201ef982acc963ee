"""Every operation accepts every layout under every engine, and kernels equal definitions."""

import numpy as np
import pytest

import refquant
from refquant import dtypes, kernels
from refquant.ops import layout as memory

ops, F = refquant.ops.quantized, refquant.nn.quantized.functional
CHANNELS = 8


def _weight(*shape):
    integers = np.random.default_rng(1).integers(-100, 100, shape).astype(np.int8)
    return refquant.QuantizedTensor(integers, refquant.qint8, 0.01, 0)


def _convolved(x, relu):
    packed = ops.conv2d_prepack(_weight(3, CHANNELS, 1, 1), None, [1, 1], [0, 0], [1, 1], 1)
    return (ops.conv2d_relu if relu else ops.conv2d)(x, packed, 1.0, 3)


def _multiplied(x, relu):
    flat = x.contiguous().reshape(-1, CHANNELS)
    packed = ops.linear_prepack(_weight(5, CHANNELS), None)
    return (ops.linear_relu if relu else ops.linear)(flat, packed, 1.0, 3)


SAME = {  # the memory format of the result is that of the image
    "relu": refquant.relu,
    "relu6": ops.relu6,
    "clamp": lambda x: x.clamp(-3.0, 2.25),
    "add": lambda x: ops.add(x, x, 0.7, 3),
    "add_relu": lambda x: ops.add_relu(x, x, 0.7, 3),
    "mul": lambda x: ops.mul(x, x, 3.0, 3),
    "mul_relu": lambda x: ops.mul_relu(x, x, 3.0, 3),
    "add_scalar": lambda x: ops.add_scalar(x, -50.25),
    "add_scalar_relu": lambda x: ops.add_scalar_relu(x, 50.25),
    "mul_scalar": lambda x: ops.mul_scalar(x, -1.5),
    "mul_scalar_relu": lambda x: ops.mul_scalar_relu(x, 1.5),
    "cat": lambda x: ops.cat([x, x], 1, 0.5, 3),
    "cat_relu": lambda x: ops.cat_relu([x, x], 1, 0.5, 3),
    "dequantize": lambda x: x.dequantize(),
}
OWN = {
    "elu": lambda x: ops.elu(x, 0.3, 3),
    "conv2d": lambda x: _convolved(x, False),
    "conv2d_relu": lambda x: _convolved(x, True),
    "linear": lambda x: _multiplied(x, False),
    "linear_relu": lambda x: _multiplied(x, True),
    "max_pool2d": lambda x: ops.max_pool2d(x, (1, 1), (1, 1), (0, 0), (1, 1), False),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 1),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, (1, 1)),
    "interpolate": lambda x: F.interpolate(x, (3, 5), mode="bilinear", align_corners=False),
    "upsample_nearest": lambda x: F.upsample_nearest(x, (3, 5)),
    "mean": lambda x: x.mean((2, 3)),
}
OPERATIONS = SAME | OWN
LAYOUTS = ("contiguous", "channels_last", "transposed", "strided", "empty_batch", "one_pixel")


def image(layout):
    """Make an image of 2 x 8 x 5 x 9 in a layout, or a smaller one."""
    shape = {"empty_batch": (0, 8, 5, 9), "one_pixel": (1, 8, 1, 1)}.get(layout, (2, 8, 5, 9))
    if layout == "transposed":
        shape = (2, 8, 9, 5)
    elif layout == "strided":
        shape = (2, 8, 5, 18)
    integers = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    q = refquant.QuantizedTensor(integers, refquant.quint8, 0.5, 100)
    if layout == "channels_last":
        return q.contiguous(memory_format=refquant.channels_last)
    if layout == "transposed":
        return q.transpose(2, 3)
    return q[..., ::2] if layout == "strided" else q


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_layout(engine, name, layout):
    x = image(layout)
    with refquant.engines.using(engine):
        got = OPERATIONS[name](x)
        with kernels.using("reference"):
            wanted = OPERATIONS[name](x)
        dense = OPERATIONS[name](x.contiguous())
    assert np.array_equal(got.array, wanted.array)
    assert got.stride() == wanted.stride()
    assert got.shape == dense.shape
    if got.array.size:  # vectors and the rest may round apart, by a step
        step = 1 if got.is_quantized else 1e-4
        assert np.abs(got.array.astype(float) - dense.array.astype(float)).max() <= step
    if name in SAME and layout == "channels_last":
        assert memory.is_contiguous(got.array, dtypes.channels_last)
    if name in SAME and layout == "contiguous":
        assert memory.is_contiguous(got.array)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1, 1), (0,)])
@pytest.mark.parametrize("name", sorted(SAME.keys() - {"cat", "cat_relu"} | {"elu"}))
def test_one_element_and_none(engine, name, shape):
    x = refquant.QuantizedTensor(np.full(shape, 103, np.uint8), refquant.quint8, 0.5, 100)
    with refquant.engines.using(engine):
        got = OPERATIONS[name](x)
        with kernels.using("reference"):
            wanted = OPERATIONS[name](x)
    assert got.shape == shape
    assert np.array_equal(got.array, wanted.array)
