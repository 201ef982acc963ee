"""Every public operation on quantized tensors as a random call, for `fuzz.programs`.

An operation is a function ``operation(rng, x)``. It draws all other arguments and returns a
`Call`, which runs later, under the engine and kernels of the moment. `x` is the value that the
call goes on with: a Tensor of float32, or a QuantizedTensor.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from strategies import floats, integers, ties

import refquant
from refquant import nn, quantization
from refquant.tensors import QuantizedTensor, Tensor

ops = refquant.ops.quantized
DTYPES = (refquant.quint8, refquant.qint8, refquant.qint32)
EXTENTS = (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)
MOST = 4096  # elements of an operand

# Name: (what it is called with: "real", "integers", "image", "volume" or "channels"; the function).
OPERATIONS: dict[str, tuple[tuple[str, ...], Callable]] = {}


class Call(NamedTuple):
    """One call of a public function.

    Attributes
    ----------
    function : callable
        Takes the operand, then the other arguments.
    operand : Tensor or QuantizedTensor
        What the former call returned.
    arguments : tuple
        The others.
    """

    function: Callable
    operand: Any
    arguments: tuple = ()


def operation(*kinds, name=None):
    def enter(function):
        OPERATIONS[name or function.__name__] = (kinds, function)
        return function

    return enter


def kinds_of(x: Any) -> set[str]:
    """What a value can be used as."""
    if not isinstance(x, QuantizedTensor):
        real = isinstance(x, Tensor) and x.array.dtype == np.float32
        return {"real"} if real else set()
    if x.axis is not None:
        return {"channels"}
    found = {"integers"}
    if x.array.ndim == 4:
        found.add("image")
    if x.array.ndim == 5 and x.dtype is refquant.quint8:
        found.add("volume")
    if x.dtype is refquant.quint8 and x.array.ndim == 4:
        found.add("bytes")
    if x.dtype is refquant.quint8 and x.array.ndim >= 2 and x.array.shape[-1]:
        found.add("rows")
    return found


# -- numbers, parameters, layouts ----------------------------------------------------------------


def pick(rng, *choices):
    return choices[int(rng.integers(len(choices)))]


def scale_of(rng, near=None) -> float:
    """Draw a scale: simple, near another one, or an extreme one."""
    kind = rng.random()
    if near is not None and kind < 0.7:
        # At most what float32 holds, with a reciprocal that it holds too.
        return float(np.clip(near * pick(rng, 0.5, 1, 1, 2, 1.37, 0.77), 2.0**-127, 2.0**127))
    if kind < 0.4:
        return float(pick(rng, 0.5, 0.1, 1 / 3, 0.02, 1.0, 2.0**-7))
    if kind < 0.94:
        return float(np.exp(rng.uniform(-8, 3)))
    return float(pick(rng, 2.0**-125, 1e-37, 3e-30, 1e-20, 1e20, 1e30, 8e37, 2.0**125))


def zero_point_of(rng, dtype) -> int:
    low, high = dtype.quant_min, dtype.quant_max
    if dtype is refquant.qint32:
        return int(pick(rng, 0, 0, 1, -3, 100, 2**24 + 1, low, high, low + 1, high - 1))
    return int(pick(rng, low, high, low + 1, (low + high + 1) // 2, int(rng.integers(low, high))))


def shape_of(rng, ndim=None) -> tuple[int, ...]:
    """Draw extents around the widths of vectors; seldom an empty or a 0-d shape."""
    if ndim is None:
        ndim = int(pick(rng, 0, 1, 2, 2, 3, 4, 4, 4, 4, 5))
    if ndim == 4:
        shape = [pick(rng, 1, 2), pick(rng, 1, 2, 3, 8, 9, 17, 33, 65), *rng.integers(1, 9, 2)]
    elif ndim == 5:
        shape = [pick(rng, 1, 2), pick(rng, 1, 3, 8), *rng.integers(1, 6, 3)]
    else:
        shape = [pick(rng, *EXTENTS) for _ in range(ndim)]
    while np.prod(shape) > MOST:
        shape[int(np.argmax(shape))] //= 2
    if ndim and rng.random() < 0.04:
        shape[int(rng.integers(ndim))] = 0
    return tuple(int(n) for n in shape)


def laid_out(rng, make, shape) -> np.ndarray:
    """Make an array of a shape: dense, transposed, with gaps, or channels-last."""
    layout = int(rng.integers(6))
    ndim = len(shape)
    if layout == 1 and ndim > 1:
        i, j = rng.permutation(ndim)[:2]
        own = list(shape)
        own[i], own[j] = own[j], own[i]
        return make(tuple(own)).swapaxes(i, j)
    if layout == 2 and ndim:
        axis = int(rng.integers(ndim))
        own = list(shape)
        own[axis] = 2 * own[axis] + 1
        where = [slice(None)] * ndim
        where[axis] = slice(1, None, 2)
        return make(tuple(own))[tuple(where)]
    if layout > 2 and ndim in (4, 5):
        return np.moveaxis(make((shape[0], *shape[2:], shape[1])), -1, 1)
    return make(shape)


def numbers(rng, shape, scale, zero_point, dtype, special) -> np.ndarray:
    """Draw float32, ties and extreme numbers among them."""
    size = int(np.prod(shape))
    storage = dtype.numpy.name
    with np.errstate(all="ignore"):
        return floats(rng, size, scale, zero_point, storage, special=special).reshape(shape)


def real_of(rng, shape=None, special=None) -> Tensor:
    shape = shape_of(rng) if shape is None else shape
    dtype = pick(rng, *DTYPES)
    scale, zero_point = scale_of(rng), zero_point_of(rng, dtype)
    special = rng.random() < 0.5 if special is None else special
    make = lambda own: numbers(rng, own, scale, zero_point, dtype, special)  # noqa: E731
    return Tensor(laid_out(rng, make, shape))


def quantized_of(rng, shape=None, dtype=None, near=None) -> QuantizedTensor:
    shape = shape_of(rng) if shape is None else shape
    dtype = pick(rng, refquant.quint8, *DTYPES) if dtype is None else dtype
    storage = dtype.numpy.name
    few = dtype is refquant.qint32 and rng.random() < 0.5

    def make(own):
        q = integers(rng, int(np.prod(own)), storage).reshape(own)
        return np.ascontiguousarray(q // 2**16) if few else q

    q = laid_out(rng, make, shape)
    return QuantizedTensor(q, dtype, scale_of(rng, near), zero_point_of(rng, dtype))


def start(rng) -> Any:
    """Draw what a program begins with."""
    return real_of(rng) if rng.random() < 0.3 else quantized_of(rng)


# -- real numbers --------------------------------------------------------------------------------


@operation("real")
def quantize_per_tensor(rng, x):
    dtype = pick(rng, *DTYPES)
    span = float(np.nanmax(np.abs(x.array), initial=1.0))
    near = span / 128 if np.isfinite(span) and 1e-30 < span < 1e30 else None
    arguments = scale_of(rng, near), zero_point_of(rng, dtype), dtype
    return Call(refquant.quantize_per_tensor, x, arguments)


def channels_of(rng, count, dtype):
    scales = np.array([scale_of(rng) for _ in range(count)])
    zeros = np.array([zero_point_of(rng, dtype) for _ in range(count)], np.int64)
    return Tensor(scales), Tensor(zeros)


@operation("real")
def quantize_per_channel(rng, x):
    dtype = pick(rng, *DTYPES)
    if x.array.ndim == 0:
        return None
    axis = int(rng.integers(x.array.ndim))
    scales, zeros = channels_of(rng, x.array.shape[axis], dtype)
    return Call(refquant.quantize_per_channel, x, (scales, zeros, axis, dtype))


@operation("real")
def copy_(rng, x):
    target = quantized_of(rng, x.array.shape)
    return Call(lambda x, target: target.copy_(x), x, (target,))


def levels_of(rng):
    low, high = pick(rng, (0, 255), (-128, 127), (0, 15), (-8, 7), (-(2**31), 2**31 - 1))
    return int(rng.integers(low, high, endpoint=True)), low, high


def _faked(x, *arguments):
    leaf = Tensor(x.array.copy(), requires_grad=True)
    y = refquant.fake_quantize_per_tensor_affine(leaf, *arguments)
    y.sum().backward()
    return [y.detach(), leaf.grad]


@operation("real")
def fake_quantize_per_tensor(rng, x):
    zero_point, low, high = levels_of(rng)
    return Call(_faked, x, (scale_of(rng), zero_point, low, high))


def _faked_per_channel(x, *arguments):
    leaf = Tensor(x.array.copy(), requires_grad=True)
    y = refquant.fake_quantize_per_channel_affine(leaf, *arguments)
    y.sum().backward()
    return [y.detach(), leaf.grad]


@operation("real")
def fake_quantize_per_channel(rng, x):
    if x.array.ndim == 0:
        return None
    axis = int(rng.integers(x.array.ndim))
    _, low, high = levels_of(rng)
    count = x.array.shape[axis]
    scales = Tensor(np.array([scale_of(rng) for _ in range(count)], np.float32))
    zeros = Tensor(rng.integers(low, high, count, endpoint=True))
    return Call(_faked_per_channel, x, (scales, zeros, axis, low, high))


def _observed(x, kind, arguments):
    observer = getattr(quantization, kind)(**arguments)
    half = Tensor(x.array * np.float32(0.5))
    seen = [observer(x), observer(half), observer(x)]
    return [*seen, *observer.calculate_qparams()]


@operation("real", name="observers")
def observers(rng, x):
    kind = pick(
        rng,
        "MinMaxObserver",
        "MovingAverageMinMaxObserver",
        "PerChannelMinMaxObserver",
        "MovingAveragePerChannelMinMaxObserver",
        "HistogramObserver",
    )
    channels = "PerChannel" in kind
    word = "channel" if channels else "tensor"
    arguments = {
        "dtype": pick(rng, refquant.quint8, refquant.qint8),
        "qscheme": getattr(refquant, f"per_{word}_{pick(rng, 'affine', 'symmetric')}"),
        "reduce_range": bool(rng.integers(2)),
    }
    if channels and x.array.ndim:
        arguments["ch_axis"] = int(rng.integers(x.array.ndim))
    if kind == "HistogramObserver":
        arguments["bins"] = int(pick(rng, 3, 64, 65))
    tame = Tensor(np.nan_to_num(x.array, nan=0, posinf=3, neginf=-3).clip(-1e30, 1e30))
    return Call(_observed, x if rng.random() < 0.1 else tame, (kind, arguments))


def weight_of(rng, shape, per_channel) -> QuantizedTensor:
    """Make a qint8 weight; QNNPACK has one zero point for all channels."""
    q = integers(rng, int(np.prod(shape)), "int8").reshape(shape)
    zero = int(pick(rng, 0, 0, 5, -7, 127, -128))
    if not per_channel:
        return QuantizedTensor(q, refquant.qint8, scale_of(rng, 0.01), zero)
    scales = np.array([scale_of(rng, 0.01) for _ in range(shape[0])])
    zeros = np.full(shape[0], zero) if rng.integers(2) else rng.integers(-128, 128, shape[0])
    return QuantizedTensor(q, refquant.qint8, scales, zeros.astype(np.int64), axis=0)


def bias_of(rng, count, scale) -> Tensor | None:
    if rng.random() < 0.3:
        return None
    return Tensor(ties(rng, count, scale, 0, "int8"))


def _dynamic(x, weight, bias, reduce_range, name):
    return getattr(ops, name)(x, ops.linear_prepack(weight, bias), reduce_range)


def enter_dynamic(name):
    @operation("real", name=name)
    def dynamic(rng, x):
        if x.array.ndim < 2 or not x.array.shape[-1] or not np.isfinite(x.array).all():
            x = real_of(rng, shape_of(rng, 2), special=False)
        outputs = int(rng.integers(1, 20))
        weight = weight_of(rng, (outputs, x.array.shape[-1]), rng.random() < 0.4)
        bias, reduce_range = bias_of(rng, outputs, 0.1), rng.random() < 0.2
        return Call(_dynamic, x, (weight, bias, bool(reduce_range), name))


def _lstm(x, size, layers, state):
    model = nn.Sequential(nn.LSTM(x.array.shape[-1], size, layers))
    model.load_state_dict({k: Tensor(v) for k, v in state.items()})
    output, (hidden, cell) = quantization.quantize_dynamic(model)(x)
    return [output, hidden, cell]


@operation("real", name="dynamic LSTM")
def lstm(rng, x):
    depth, size, layers = (
        int(rng.integers(1, 20)),
        int(rng.integers(1, 20)),
        int(pick(rng, 1, 1, 2)),
    )
    x = Tensor(rng.normal(size=(int(rng.integers(1, 4)), 2, depth)).astype(np.float32))
    state = nn.Sequential(nn.LSTM(depth, size, layers)).state_dict()
    drawn = {
        name: rng.normal(size=tuple(value.shape)).astype(np.float32)
        for name, value in state.items()
    }
    return Call(_lstm, x, (size, layers, drawn))


enter_dynamic("linear_dynamic")
enter_dynamic("linear_relu_dynamic")
