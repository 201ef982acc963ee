"""What is measured, each case written once for a namespace T: refquant, or PyTorch.

A case is a function ``make(T)`` that prepares operands and returns what is to be timed. Random
numbers are drawn by NumPy with a fixed seed, so that both namespaces compute the same. A case that
is made under an engine packs its weights for it.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from cases import registry
from cases.operands import Draw

CASES: dict[str, Callable[[Any], Callable[[], Any]]] = {}


def case(name, **variants):
    """Register a maker under a name, or under ``name-variant`` with the arguments of each."""

    def registered(make):
        for variant, arguments in variants.items() or [(None, ())]:
            full = name if variant is None else f"{name}-{variant}"
            if full in CASES:
                raise ValueError(f"there are two cases {full!r}")
            CASES[full] = lambda T, arguments=arguments: make(T, *arguments)
        return make

    return registered


# -- operands ----------------------------------------------------------------------------------


def floats(T, *shape, seed=0):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return T.from_numpy(values)


def activation(T, *shape, seed=0):
    return T.quantize_per_tensor(floats(T, *shape, seed=seed), 0.05, 64, T.quint8)


def image(T, memory_format, *shape, seed=0):
    x = floats(T, *shape, seed=seed).contiguous(memory_format=getattr(T, memory_format))
    return T.quantize_per_tensor(x, 0.05, 64, T.quint8)


FORMATS = {"row-major": ("contiguous_format",), "channels-last": ("channels_last",)}
PHOTO = (8, 64, 56, 56)


def prepare(T, module, *x):
    """Quantize one layer by its default recipe, per channel; its input is the same every time."""
    model = T.nn.Sequential(T.quantization.QuantStub(), module)
    model.qconfig = T.quantization.get_default_qconfig("fbgemm")
    model = T.quantization.prepare(model.eval())
    model(*x)
    model = T.quantization.convert(model)
    return partial(model[1], model[0](*x))


# -- between real numbers and integers ---------------------------------------------------------

SIZES = {name: (size,) for name, size in registry.SIZES.items()}


@case("quantize-tensor", **SIZES)
def quantize_per_tensor(T, size):
    return partial(T.quantize_per_tensor, floats(T, size), 0.05, 64, T.quint8)


@case("quantize-channel", first=(0,), last=(3,))
def quantize_per_channel(T, axis):
    x = floats(T, 64, 32, 24, 16)
    count = x.shape[axis]
    scales = T.from_numpy(np.linspace(0.01, 0.1, count))
    zeros = T.from_numpy(np.zeros(count, np.int64))
    return partial(T.quantize_per_channel, x, scales, zeros, axis, T.qint8)


@case("dequantize-tensor", **SIZES)
def dequantize(T, size):
    return activation(T, size).dequantize


@case("dequantize-channel", first=(0,), last=(3,))
def dequantize_per_channel(T, axis):
    return quantize_per_channel(T, axis)().dequantize


# -- element-wise: entries of the registry that say what to measure -------------------------------


def from_registry(operation, size):
    """Take the first call that an entry of the registry draws on an operand of a size."""
    side = round(size ** (1 / 3))
    shape = (1, side, side, side) if operation.takes == "image" else (size,)

    def make(T):
        d = Draw(T, 0, "fbgemm")
        call = operation.calls(d, activation(T, *shape))[0]
        return partial(call.function, *call.arguments, **call.keywords)

    return make


for _operation in registry.load().values():
    for _suffix, _size in _operation.benchmark.items():
        _name = f"{_operation.name.replace('_', '-')}-{_suffix}"
        CASES[_name] = from_registry(_operation, _size)


@case("cat", **FORMATS)
def cat(T, memory_format):
    parts = [image(T, memory_format, *PHOTO, seed=s) for s in (0, 1)]
    return partial(T.ops.quantized.cat, parts, 1, 0.1, 60)


# -- pooling and resizing ----------------------------------------------------------------------


@case("max-pool", **FORMATS)
def max_pool(T, memory_format):
    x = image(T, memory_format, *PHOTO)
    return partial(T.nn.functional.max_pool2d, x, 3, 2, 1)


@case("avg-pool", **FORMATS)
def avg_pool(T, memory_format):
    x = image(T, memory_format, *PHOTO)
    return partial(T.nn.functional.avg_pool2d, x, 2)


@case("adaptive-avg-pool", **FORMATS)
def adaptive_avg_pool(T, memory_format):
    x = image(T, memory_format, *PHOTO)
    return partial(T.nn.functional.adaptive_avg_pool2d, x, 1)


@case("mean", **FORMATS)
def mean(T, memory_format):
    x = image(T, memory_format, *PHOTO)
    return partial(x.mean, (2, 3))


@case("nearest", **FORMATS)
def nearest(T, memory_format):
    x = image(T, memory_format, *PHOTO)
    return partial(T.nn.functional.interpolate, x, size=(112, 112), mode="nearest")


@case("bilinear", **FORMATS)
def bilinear(T, memory_format):
    x = image(T, memory_format, *PHOTO)
    size, mode = (112, 112), "bilinear"
    return partial(T.nn.functional.interpolate, x, size=size, mode=mode, align_corners=False)


LINE, VOLUME = (64, 64, 256), (2, 32, 16, 28, 28)


def volume(T, *shape):
    x = T.quantize_per_tensor(floats(T, *shape), 0.05, 64, T.quint8)
    return x.contiguous(memory_format=T.channels_last_3d)


@case("max-pool-1d")
def max_pool_1d(T):
    return partial(T.nn.functional.max_pool1d, activation(T, *LINE), 3, 2, 1)


@case("avg-pool-1d")
def avg_pool_1d(T):
    return partial(T.nn.functional.avg_pool1d, activation(T, *LINE), 2)


@case("adaptive-avg-pool-1d")
def adaptive_avg_pool_1d(T):
    return partial(T.nn.functional.adaptive_avg_pool1d, activation(T, *LINE), 16)


@case("max-pool-3d")
def max_pool_3d(T):
    return partial(T.nn.functional.max_pool3d, activation(T, *VOLUME), 2)


@case("avg-pool-3d")
def avg_pool_3d(T):
    return partial(T.nn.functional.avg_pool3d, volume(T, *VOLUME), 2)


@case("adaptive-avg-pool-3d")
def adaptive_avg_pool_3d(T):
    return partial(T.nn.functional.adaptive_avg_pool3d, volume(T, *VOLUME), 4)


@case("grid-sample")
def grid_sample(T):
    x, grid = activation(T, *PHOTO), floats(T, 8, 56, 56, 2, seed=1)
    return partial(T.nn.functional.grid_sample, x, grid, align_corners=False)


# -- normalization and sums --------------------------------------------------------------------


def of_channels(T, count, *names):
    """Draw one number for each channel and name; variances are positive."""
    return [abs(floats(T, count, seed=seed)) + 0.1 for seed, _ in enumerate(names)]


@case("batch-norm-image", **FORMATS)
def batch_norm_image(T, memory_format):
    parameters = of_channels(T, PHOTO[1], "weight", "bias", "mean", "variance")
    x = image(T, memory_format, *PHOTO)
    return partial(T.ops.quantized.batch_norm2d, x, *parameters, 1e-5, 0.05, 64)


@case("group-norm-image", **FORMATS)
def group_norm_image(T, memory_format):
    parameters = of_channels(T, PHOTO[1], "weight", "bias")
    x = image(T, memory_format, *PHOTO)
    return partial(T.ops.quantized.group_norm, x, 8, *parameters, 1e-5, 0.05, 64)


@case("instance-norm-image", **FORMATS)
def instance_norm_image(T, memory_format):
    parameters = of_channels(T, PHOTO[1], "weight", "bias")
    x = image(T, memory_format, *PHOTO)
    return partial(T.ops.quantized.instance_norm, x, *parameters, 1e-5, 0.05, 64)


@case("layer-norm-rows", narrow=(64,), wide=(1024,))
def layer_norm_rows(T, width):
    parameters = of_channels(T, width, "weight", "bias")
    x = activation(T, 2**19 // width, width)
    return partial(T.ops.quantized.layer_norm, x, [width], *parameters, 1e-5, 0.05, 64)


@case("std-rows")
def std_rows(T):
    return partial(T.std, activation(T, 512, 1024), 1)


# -- embedding ---------------------------------------------------------------------------------


TABLES = {"byte": ("byte",), "4bit": ("4bit",), "2bit": ("2bit",)}
ROWS, WIDTH = 20000, 64


def lookups(T, bags):
    """Draw the rows that are looked up, ten for each bag, and where bags begin."""
    rows = np.random.default_rng(0).integers(0, ROWS, size=10 * bags)
    return T.from_numpy(rows), T.from_numpy(np.arange(bags, dtype=np.int64) * 10)


@case("embedding-prepack", **TABLES)
def embedding_prepack(T, name):
    pack = getattr(T.ops.quantized, f"embedding_bag_{name}_prepack")
    return partial(pack, floats(T, ROWS, WIDTH))


@case("embedding-unpack", **TABLES)
def embedding_unpack(T, name):
    packed = embedding_prepack(T, name)()
    return partial(getattr(T.ops.quantized, f"embedding_bag_{name}_unpack"), packed)


@case("embedding-bag", **TABLES)
def embedding_bag(T, name):
    packed, (rows, offsets) = embedding_prepack(T, name)(), lookups(T, 1000)
    bags = getattr(T.ops.quantized, f"embedding_bag_{name}_rowwise_offsets")
    return partial(bags, packed, rows, offsets, include_last_offset=False)


@case("embedding-bag-one")
def embedding_bag_one(T):
    packed, (rows, offsets) = embedding_prepack(T, "byte")(), lookups(T, 1)
    bags = T.ops.quantized.embedding_bag_byte_rowwise_offsets
    return partial(bags, packed, rows, offsets, include_last_offset=False)


# -- layers ------------------------------------------------------------------------------------


@case(
    "linear",
    tiny=(1, 16, 16),
    small=(1, 256, 256),
    wide=(1, 2048, 1000),
    batch=(64, 512, 512),
    large=(256, 1024, 1024),
)
def linear(T, batch, inputs, outputs):
    return prepare(T, T.nn.Linear(inputs, outputs), floats(T, batch, inputs))


@case(
    "conv2d",
    pointwise=(64, 128, 28, 1, 1, 1),
    expanding=(24, 144, 28, 1, 1, 1),
    dense=(64, 64, 28, 3, 1, 1),
    strided=(64, 128, 28, 3, 2, 1),
    grouped=(64, 64, 28, 3, 1, 4),
    depthwise=(128, 128, 28, 3, 1, 128),
    wide_depthwise=(96, 96, 28, 5, 1, 96),
    stem=(3, 64, 112, 7, 2, 1),
)
def conv2d(T, inputs, outputs, size, kernel, stride, groups):
    layer = T.nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups)
    return prepare(T, layer, floats(T, 4, inputs, size, size))


@case("linear-dynamic", one=(1,), batch=(64,))
def linear_dynamic(T, batch):
    model = T.quantization.quantize_dynamic(T.nn.Sequential(T.nn.Linear(512, 512)))
    return partial(model, floats(T, batch, 512))


@case("lstm-dynamic", one=(1,), batch=(16,))
def lstm_dynamic(T, batch):
    model = T.quantization.quantize_dynamic(T.nn.Sequential(T.nn.LSTM(128, 128)))
    return partial(model, floats(T, 20, batch, 128))


@case("gru-dynamic", one=(1,), batch=(16,))
def gru_dynamic(T, batch):
    model = T.quantization.quantize_dynamic(T.nn.Sequential(T.nn.GRU(128, 128)))
    return partial(model, floats(T, 20, batch, 128))


@case("matmul")
def matmul(T):
    x, y = activation(T, 64, 512), activation(T, 512, 512, seed=1)
    functional = T.nn.quantized.QFunctional()
    functional.scale, functional.zero_point = 1.0, 64
    return partial(functional.matmul, x, y)


# -- observers and fake quantization -----------------------------------------------------------


@case(
    "observe",
    minmax=("MinMaxObserver",),
    average=("MovingAverageMinMaxObserver",),
    channel=("PerChannelMinMaxObserver",),
    histogram=("HistogramObserver",),
)
def observe(T, name):
    observer = getattr(T.quantization, name)()
    return partial(observer, floats(T, 64, 4096))


@case("observe-parameters", histogram=("HistogramObserver",))
def parameters(T, name):
    observer = getattr(T.quantization, name)()
    observer(floats(T, 64, 4096))
    return observer.calculate_qparams


@case("fake-quantize", forward=(False,), backward=(True,))
def fake_quantize(T, backward):
    module = T.quantization.default_fake_quant()
    x = floats(T, 64, 4096)
    if not backward:
        return partial(module, x)
    x.requires_grad = True

    def both():
        x.grad = None
        module(x).sum().backward()

    return both
