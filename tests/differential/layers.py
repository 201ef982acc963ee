"""Layers and pooling of the differential test, drawn at random; see `differential.operations`."""

import importlib

import numpy as np
from differential.operations import (
    image_of,
    on_qnnpack,
    operation,
    pair,
    pick,
    tensor,
    zero_point,
)
from golden import programs as p


def weight_of(T, rng, shape, per_channel):
    """Make a qint8 weight; QNNPACK has one zero point for all channels."""
    ints = p.tensor(T, rng.randint(-128, 128, size=shape).astype(np.int8))
    zero = int(pick(rng, 0, 0, 5, -7))
    if not per_channel:
        return T._make_per_tensor_quantized_tensor(ints, float(pick(rng, 2.0**-6, 0.01)), zero)
    scales = np.array([np.ldexp(1 + p.fraction(rng), -7) for _ in range(shape[0])])
    zeros = np.full(shape[0], zero) if on_qnnpack(T) else rng.randint(-9, 10, size=shape[0])
    zeros = zeros.astype(np.int64)
    return T._make_per_channel_quantized_tensor(ints, p.tensor(T, scales), p.tensor(T, zeros), 0)


def bias_of(T, rng, count, scale):
    """Half steps of the output, so that sums lie on ties; or no bias."""
    steps = rng.randint(-100, 101, size=count) / 2.0
    return p.tensor(T, (steps * scale).astype(np.float32)) if rng.randint(4) else None


def linear_of(T, rng):
    m, k, n = (int(v) for v in rng.randint(1, 70, size=3))
    scale = float(pick(rng, 0.02, 2.0**-5))
    # The multiplier of QNNPACK must be less than 1.
    output = float(scale * pick(rng, 1, 2, 3) * np.sqrt(k))
    q = tensor(T, rng, (m, k), "quint8", scale).contiguous()
    weight = weight_of(T, rng, (n, k), bool(rng.randint(2)))
    return q, weight, bias_of(T, rng, n, output), output, zero_point(rng, "quint8")


def enter_linear(name):
    @operation(name)
    def linear(T, rng):
        q, weight, bias, scale, zero = linear_of(T, rng)
        packed = T.ops.quantized.linear_prepack(weight, bias)
        return [getattr(T.ops.quantized, name)(q, packed, scale, zero)]


enter_linear("linear")
enter_linear("linear_relu")


@operation("linear_prepack, linear_unpack")
def packing(T, rng):
    _, weight, bias, _, _ = linear_of(T, rng)
    found, kept = T.ops.quantized.linear_unpack(T.ops.quantized.linear_prepack(weight, bias))
    return [found] if bias is None else [found, kept]


@operation("functional.linear")
def functional_linear(T, rng):
    q, weight, bias, scale, zero = linear_of(T, rng)
    return [T.nn.quantized.functional.linear(q, weight, bias, scale, zero)]


def module_of(T, path, *arguments):
    package, name = path.rsplit(".", 1)
    return getattr(importlib.import_module(f"{T.__name__}.nn.{package}"), name)(*arguments)


@operation("nn.quantized.Linear, LinearReLU")
def linear_modules(T, rng):
    q, weight, bias, scale, zero = linear_of(T, rng)
    results = []
    for path in ("quantized.Linear", "intrinsic.quantized.LinearReLU"):
        module = module_of(T, path, *tuple(weight.shape)[::-1])
        module.set_weight_bias(weight, bias)
        module.scale, module.zero_point = scale, zero
        results += [module(q), module.weight()]
    return results


def enter_dynamic(name, **keywords):
    @operation(name)
    def dynamic(T, rng):
        _, weight, bias, _, _ = linear_of(T, rng)
        if on_qnnpack(T):  # its kernel reads one scale
            weight = weight_of(T, rng, tuple(weight.shape), False)
        x = (rng.randint(-20, 30, size=(3, weight.shape[1])) / 8.0).astype(np.float32)
        seven_bits = bool(rng.randint(2)) and not on_qnnpack(T)
        packed = T.ops.quantized.linear_prepack(weight, bias)
        return [getattr(T.ops.quantized, name)(p.tensor(T, x), packed, seven_bits)]


enter_dynamic("linear_dynamic")
enter_dynamic("linear_relu_dynamic")


def enter_float16(name):
    @operation(name, engines=("fbgemm",), tolerance=1e-5)
    def float16(T, rng):
        m, k, n = (int(v) for v in rng.randint(1, 70, size=3))
        x, weight, bias = (
            (rng.randint(-4000, 4000, size=shape) / 1024.0).astype(np.float32)
            for shape in ((m, k), (n, k), (n,))
        )
        packed = T.ops.quantized.linear_prepack_fp16(p.tensor(T, weight), p.tensor(T, bias))
        kept = T.ops.quantized.linear_unpack_fp16(packed)[0]
        return [getattr(T.ops.quantized, name)(p.tensor(T, x), packed), kept]


enter_float16("linear_dynamic_fp16")
enter_float16("linear_relu_dynamic_fp16")


def convolution_of(T, rng, dims):
    """(image, weight, bias), geometry, groups, (scale, zero point)."""
    groups, cg, og = int(pick(rng, 1, 1, 2, 4)), int(rng.randint(1, 7)), int(rng.randint(1, 9))
    if rng.randint(4) == 0:  # depthwise
        groups, cg, og = int(rng.randint(2, 20)), 1, 1
    kernel, stride, padding, dilation = (
        list(pair(rng, low, high, dims)) for low, high in ((1, 4), (1, 3), (0, 3), (1, 3))
    )
    shape = (int(rng.randint(1, 3)), groups * cg, *pair(rng, 5, 9, dims))
    scale = float(pick(rng, 0.02, 2.0**-5))
    # FBGEMM's depthwise kernels saturate beyond seven bits.
    q = tensor(T, rng, shape, "quint8", scale, 127 if cg == 1 else 255)
    weight = weight_of(T, rng, (groups * og, cg, *kernel), bool(rng.randint(2)))
    output = float(scale * pick(rng, 1, 2, 3) * np.sqrt(cg * np.prod(kernel)))
    bias = bias_of(T, rng, groups * og, output)
    return (q, weight, bias), (stride, padding, dilation), groups, (output, 31)


def enter_convolution(name, dims):
    @operation(name)
    def convolution(T, rng):
        (q, weight, bias), geometry, groups, output = convolution_of(T, rng, dims)
        prepack = getattr(T.ops.quantized, f"conv{dims}d_prepack")
        return [
            getattr(T.ops.quantized, name)(q, prepack(weight, bias, *geometry, groups), *output)
        ]


def enter_convolutions(dims):
    enter_convolution(f"conv{dims}d", dims)
    enter_convolution(f"conv{dims}d_relu", dims)

    # QNNPACK of PyTorch does not unpack three dimensions.
    both = ("fbgemm", "qnnpack")[: 4 - dims]

    @operation(f"conv{dims}d_prepack, conv{dims}d_unpack", engines=both)
    def packing(T, rng):
        (_, weight, bias), geometry, groups, _ = convolution_of(T, rng, dims)
        packed = getattr(T.ops.quantized, f"conv{dims}d_prepack")(weight, bias, *geometry, groups)
        found, kept = getattr(T.ops.quantized, f"conv{dims}d_unpack")(packed)
        return [found.contiguous()] if bias is None else [found.contiguous(), kept]

    @operation(f"functional.conv{dims}d")
    def functional(T, rng):
        (q, weight, bias), geometry, groups, (scale, zero) = convolution_of(T, rng, dims)
        convolve = getattr(T.nn.quantized.functional, f"conv{dims}d")
        return [convolve(q, weight, bias, *geometry, groups, scale=scale, zero_point=zero)]

    @operation(f"nn.quantized.Conv{dims}d, ConvReLU{dims}d")
    def modules(T, rng):
        (q, weight, bias), (stride, padding, dilation), groups, output = convolution_of(
            T, rng, dims
        )
        results = []
        for path in (f"quantized.Conv{dims}d", f"intrinsic.quantized.ConvReLU{dims}d"):
            shape = (q.shape[1], weight.shape[0], tuple(weight.shape[2:]))
            geometry = tuple(stride), tuple(padding), tuple(dilation), groups, bias is not None
            module = module_of(T, path, *shape, *geometry)
            module.set_weight_bias(weight, bias)
            module.scale, module.zero_point = output
            results.append(module(q))
        return results


enter_convolutions(2)
enter_convolutions(3)


def window_of(T, rng, sizes, dtype):
    """Draw kernel, stride, padding and ceil_mode; QNNPACK counts windows in its own way."""
    kernel = tuple(min(k, n) for k, n in zip(pair(rng, 2, 4), sizes, strict=True))
    stride, padding = pair(rng, 1, 3), tuple(int(rng.randint(0, k // 2 + 1)) for k in kernel)
    ceil = bool(rng.randint(2)) and not (on_qnnpack(T) and dtype == "quint8")
    return kernel, stride, padding, ceil


@operation()
def max_pool2d(T, rng):
    dtype, shape = pick(rng, "quint8", "qint8", "qint32"), image_of(rng)
    q = tensor(T, rng, shape, dtype)
    kernel, stride, padding, ceil = window_of(T, rng, shape[2:], dtype)
    return [
        T.ops.quantized.max_pool2d(q, kernel, stride, padding, (1, 1), ceil),
        T.nn.quantized.functional.max_pool2d(q, kernel, stride, padding, 1, ceil),
        T.nn.functional.max_pool2d(q, kernel, stride, (0, 0), 2 if min(shape[2:]) > 6 else 1),
    ]


@operation()
def avg_pool2d(T, rng):
    dtype, shape = pick(rng, "quint8", "qint8", "qint32"), image_of(rng)
    q = tensor(T, rng, shape, dtype)
    window = window_of(T, rng, shape[2:], dtype)
    include, divisor = bool(rng.randint(2)), pick(rng, None, 3, 7)
    if on_qnnpack(T) and dtype == "quint8":  # which ignores both
        include, divisor = True, None
    functions = T.nn.quantized.functional.avg_pool2d, T.nn.functional.avg_pool2d
    return [function(q, *window, include, divisor) for function in functions]


@operation()
def adaptive_avg_pool2d(T, rng):
    q = tensor(T, rng, image_of(rng), pick(rng, "quint8", "qint8", "qint32"))
    size = pick(rng, (1, 1), pair(rng, 1, 8))
    functions = T.nn.quantized.functional.adaptive_avg_pool2d, T.nn.functional.adaptive_avg_pool2d
    return [function(q, size) for function in functions]


@operation("interpolate, upsample")
def interpolate(T, rng):
    q = tensor(T, rng, image_of(rng), pick(rng, "quint8", "qint8", "qint32"))
    mode = pick(rng, "nearest", "bilinear")
    corners = bool(rng.randint(2)) if mode == "bilinear" else None
    size, factor = pick(rng, (pair(rng, 1, 11), None), (None, pick(rng, 1.5, 2.0, 1.3, 0.75)))
    F = T.nn.quantized.functional
    functions = F.interpolate, F.upsample, T.nn.functional.interpolate
    return [function(q, size, factor, mode, corners) for function in functions]


@operation("upsample_nearest, upsample_bilinear")
def upsample(T, rng):
    q = tensor(T, rng, image_of(rng), pick(rng, "quint8", "qint8", "qint32"))
    size, F = pair(rng, 1, 11), T.nn.quantized.functional
    return [F.upsample_nearest(q, size), F.upsample_bilinear(q, size)]


def enter_lstm(dtype, engines):
    @operation(f"nn.quantized.dynamic.LSTM, {dtype}", engines=engines, tolerance=2e-6)
    def lstm(T, rng):
        layers, both, first = int(rng.randint(1, 3)), bool(rng.randint(2)), bool(rng.randint(2))
        made = T.nn.LSTM(7, 9, layers, batch_first=first, bidirectional=both)
        for _, parameter in made.named_parameters():
            values = rng.randint(-1000, 1000, size=tuple(parameter.shape)) / 2000.0
            parameter.data.copy_(p.tensor(T, values.astype(np.float32)))
        package = "quantization" if T.__name__ == "refquant" else "ao.quantization"
        quantize = importlib.import_module(f"{T.__name__}.{package}").quantize_dynamic
        model = quantize(T.nn.Sequential(made), {T.nn.LSTM}, dtype=getattr(T, dtype))
        x = rng.randint(-3000, 3000, size=(4, 3, 7)) / 1024.0
        y, (h, c) = model(p.tensor(T, x.astype(np.float32)))
        return [y, h, c]


enter_lstm("qint8", ("fbgemm", "qnnpack"))
enter_lstm("float16", ("fbgemm",))
