"""No valid operand, however extreme, makes NumPy warn under any engine: results are defined."""

import contextlib

import numpy as np
import pytest
import strategies

import refquant
from refquant import errors, quantization
from refquant.nn import functional as float_functional
from refquant.nn.quantized import functional
from refquant.ops import quantized as ops
from refquant.tensors.quantizer import LARGEST_SCALE, SMALLEST_SCALE

# The suite turns warnings into errors, also those of NumPy about overflow and invalid numbers.
ENGINES = (*refquant.engines.names(), *refquant.engines.other_runtimes())
SCALES = (SMALLEST_SCALE, 1e-30, 2.0**-20, 0.1, 1.0, 1 / 3, 300.0, 1e20, LARGEST_SCALE * 0.999)
DTYPES = (refquant.quint8, refquant.qint8, refquant.qint32)
BYTES = DTYPES[:2]
ROUNDS = 12


def pick(rng, values):
    return values[rng.integers(len(values))]


def quantizer(rng, dtype):
    ends = (dtype.quant_min, dtype.quant_max, 0, 1, (dtype.quant_min + dtype.quant_max + 1) // 2)
    return pick(rng, SCALES), int(pick(rng, ends))


def codes(rng, shape, dtype):
    made = rng.integers(dtype.quant_min, dtype.quant_max, shape, endpoint=True)
    ends = rng.choice([dtype.quant_min, dtype.quant_max], shape)
    return np.where(rng.random(shape) < 0.4, ends, made).astype(dtype.numpy)


def quantized(rng, shape, dtype):
    return refquant.QuantizedTensor(codes(rng, shape, dtype), dtype, *quantizer(rng, dtype))


def per_channel(rng, shape, dtype, axis=0):
    drawn = [quantizer(rng, dtype) for _ in range(shape[axis])]
    scales, points = (np.array(part) for part in zip(*drawn, strict=True))
    return refquant.QuantizedTensor(codes(rng, shape, dtype), dtype, scales, points, axis)


def reals(rng, shape):
    return refquant.tensor(rng.choice(strategies.SPECIAL, shape).astype(np.float32))


def finite(rng, shape):
    kept = strategies.SPECIAL[np.isfinite(strategies.SPECIAL)]
    return refquant.tensor(rng.choice(kept, shape).astype(np.float32))


def weight(rng, shape):
    made = per_channel if rng.random() < 0.5 else quantized
    return made(rng, shape, refquant.qint8)


def bias(rng, size):
    return pick(rng, (None, reals(rng, size), finite(rng, size), refquant.ones(size)))


def quantize(rng):
    x, dtype = reals(rng, (3, 37)), pick(rng, DTYPES)
    q = refquant.quantize_per_tensor(x, *quantizer(rng, dtype), dtype)
    return q.dequantize()


def quantize_channels(rng):
    x, dtype = reals(rng, (3, 37)), pick(rng, DTYPES)
    drawn = [quantizer(rng, dtype) for _ in range(3)]
    scales, points = (refquant.tensor(list(part)) for part in zip(*drawn, strict=True))
    return refquant.quantize_per_channel(x, scales, points, 0, dtype).dequantize()


def fake_quantize(rng):
    scale, zero_point = quantizer(rng, refquant.quint8)
    return refquant.fake_quantize_per_tensor_affine(reals(rng, (3, 37)), scale, zero_point, 0, 255)


def binary(name):
    def run(rng):
        dtype = pick(rng, DTYPES)
        a, b = quantized(rng, (2, 37), dtype), quantized(rng, (2, 37), dtype)
        return getattr(ops, name)(a, b, *quantizer(rng, dtype))

    return run


def scalar(name):
    def run(rng):
        numbers = (0.0, -0.0, 1.5, -3.0, 1e300, -1e300, 1e-300, 3e38, np.inf, -np.inf, np.nan)
        return getattr(ops, name)(
            quantized(rng, (2, 37), pick(rng, DTYPES)), float(pick(rng, numbers))
        )

    return run


def join(name):
    def run(rng):
        dtype = pick(rng, DTYPES)
        parts = [quantized(rng, (2, 19), dtype) for _ in range(3)]
        return getattr(ops, name)(parts, 1, *quantizer(rng, dtype))

    return run


def product(name):
    def run(rng):
        x, w = quantized(rng, (3, 19), refquant.quint8), weight(rng, (5, 19))
        packed = ops.linear_prepack(w, bias(rng, 5))
        return getattr(ops, name)(x, packed, *quantizer(rng, refquant.quint8))

    return run


def dynamic(name):
    def run(rng):
        packed = ops.linear_prepack(weight(rng, (5, 19)), bias(rng, 5))
        return getattr(ops, name)(finite(rng, (3, 19)), packed)

    return run


def half_precision(rng):
    packed = ops.linear_prepack_fp16(finite(rng, (5, 19)), bias(rng, 5))
    return ops.linear_dynamic_fp16(reals(rng, (3, 19)), packed)


def convolution(name):
    def run(rng):
        size = (4, 4, 4)[: 3 if "3" in name else 2]
        x = quantized(rng, (1, 4, *size), refquant.quint8)
        packed = getattr(ops, f"{name[:6]}_prepack")(
            weight(rng, (8, 4, *(2 for _ in size))), bias(rng, 8), 1, 1, 1, 1
        )
        return getattr(ops, name)(x, packed, *quantizer(rng, refquant.quint8))

    return run


def pool(function, *arguments):
    return lambda rng: function(quantized(rng, (1, 9, 5, 5), pick(rng, BYTES)), *arguments)


def resize(mode):
    def run(rng):
        q = quantized(rng, (1, 9, 5, 5), pick(rng, BYTES))
        return functional.interpolate(q, size=(7, 3), mode=mode)

    return run


def elu(rng):
    dtype = pick(rng, BYTES)
    alpha = float(pick(rng, (1.0, 0.3, 1e30)))
    return functional.elu(quantized(rng, (2, 37), dtype), *quantizer(rng, dtype), alpha)


def average(rng):
    return quantized(rng, (1, 9, 5, 5), pick(rng, BYTES)).mean((2, 3))


def clamp(rng):
    low, high = sorted(rng.choice([-np.inf, -1e300, -1.0, 0.0, 2.5, 1e300, np.inf], 2))
    return refquant.clamp(quantized(rng, (2, 37), pick(rng, DTYPES)), float(low), float(high))


def comparison(rng):
    dtype = pick(rng, DTYPES)
    a, b = quantized(rng, (2, 37), dtype), quantized(rng, (2, 37), dtype)
    return [refquant.lt(a, b), refquant.eq(a, b), a.max(), a.min(), a.sort(), a.dequantize()]


PROGRAMS = {
    "quantize_per_tensor": quantize,
    "quantize_per_channel": quantize_channels,
    "fake_quantize_per_tensor_affine": fake_quantize,
    **{name: binary(name) for name in ("add", "add_relu", "mul", "mul_relu")},
    **{
        name: scalar(name)
        for name in ("add_scalar", "add_scalar_relu", "mul_scalar", "mul_scalar_relu")
    },
    **{name: join(name) for name in ("cat", "cat_relu")},
    **{name: product(name) for name in ("linear", "linear_relu")},
    **{name: dynamic(name) for name in ("linear_dynamic", "linear_relu_dynamic")},
    "linear_dynamic_fp16": half_precision,
    **{name: convolution(name) for name in ("conv2d", "conv2d_relu", "conv3d", "conv3d_relu")},
    "relu6": lambda rng: ops.relu6(quantized(rng, (2, 37), pick(rng, DTYPES))),
    "elu": elu,
    "max_pool2d": pool(ops.max_pool2d, 2),
    "avg_pool2d": pool(float_functional.avg_pool2d, 2),
    "adaptive_avg_pool2d": pool(float_functional.adaptive_avg_pool2d, 2),
    "interpolate nearest": resize("nearest"),
    "interpolate bilinear": resize("bilinear"),
    "mean": average,
    "clamp": clamp,
    "comparison": comparison,
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_extreme_operands_give_results_without_warnings(name, engine):
    rng = np.random.default_rng(list(name.encode()))
    with refquant.engines.using(engine):
        for _ in range(ROUNDS):
            # Refused are scales too far apart, and what the engine does not support.
            with contextlib.suppress(errors.RefquantError):
                PROGRAMS[name](rng)


def observers():
    for scheme in (refquant.per_tensor_affine, refquant.per_tensor_symmetric):
        keywords = {"qscheme": scheme, "dtype": refquant.qint8}
        yield quantization.MinMaxObserver(**keywords)
        yield quantization.MovingAverageMinMaxObserver(**keywords)
        yield quantization.HistogramObserver(**keywords)
        yield quantization.FakeQuantize(quant_min=-128, quant_max=127, **keywords)
    for scheme in (refquant.per_channel_affine, refquant.per_channel_symmetric):
        keywords = {"qscheme": scheme, "dtype": refquant.qint8}
        yield quantization.PerChannelMinMaxObserver(**keywords)
        yield quantization.MovingAveragePerChannelMinMaxObserver(**keywords)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "values", [(np.inf, -np.inf), (np.inf, 1.0), (-np.inf, 1.0), (np.nan, 1.0)]
)
def test_observers_refuse_what_is_not_finite_without_warnings(values, engine):
    with refquant.engines.using(engine):
        for observer in observers():
            x = refquant.tensor([list(values)] * 2)
            spreads = observer.workflow.histograms == "spread" and np.isinf(values).any()
            if spreads and isinstance(observer, quantization.HistogramObserver):
                with pytest.warns(UserWarning, match="was given infinity, which it leaves out"):
                    observer(x)
                continue
            with pytest.raises(errors.OperationError, match=r"was given (infinity|NaN)"):
                observer(x)


@pytest.mark.parametrize("engine", ENGINES)
def test_observers_take_the_largest_finite_numbers_without_warnings(engine):
    largest = float(np.finfo(np.float32).max)
    with refquant.engines.using(engine):
        for observer in observers():
            for values in ([-largest, largest], [0.0, largest], [-1e-45, 1e-45], [0.0, 0.0]):
                with contextlib.suppress(errors.RefquantError):
                    observer(refquant.tensor([values] * 2))
                    observer.calculate_qparams()


def test_an_infinite_bias_gives_the_ends_in_exact_arithmetic():
    x = refquant.quantize_per_tensor(refquant.ones(1, 2), 0.1, 0, refquant.quint8)
    w = refquant.quantize_per_tensor(refquant.ones(1, 2), 0.1, 0, refquant.qint8)
    with refquant.engines.using("exact"):
        for value, code in ((np.inf, 255), (-np.inf, 0)):
            packed = ops.linear_prepack(w, refquant.tensor([value]))
            assert ops.linear(x, packed, 1.0, 3).int_repr().item() == code


def test_fixed_point_refuses_an_average_whose_sum_of_scales_overflows():
    image = refquant.QuantizedTensor(np.ones((1, 8, 5, 5), np.uint8), refquant.quint8, 3e38, 0)
    with refquant.engines.using("qnnpack-1.4"):
        for average in (
            lambda: image.mean((2, 3)),
            lambda: float_functional.avg_pool2d(image, 5),
        ):
            with pytest.raises(errors.EngineError, match=r"in fixed point.*scale"):
                average()
