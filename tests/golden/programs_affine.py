"""Programs of recorded answers for the family `affine`: between real numbers and integers."""

import numpy as np
from golden import programs as p

DTYPES = ("quint8", "qint8", "qint32")


@p.program()
def quantize_per_tensor(T, rng):
    """Ties, extremes and tails of every length."""
    answers = {}
    for dtype in DTYPES:
        made = []
        for size in p.SIZES:
            for _ in range(3):
                s, z = p.scale(rng), p.zero_point(rng, dtype)
                x = p.tensor(T, p.floats(rng, (size,), s, z, dtype))
                made.append(T.quantize_per_tensor(x, s, z, getattr(T, dtype)).int_repr())
        answers[dtype] = p.joined(made)
    return answers


@p.program()
def quantize_extremes(T, rng):
    """Every extreme number in a vector and in a tail."""
    answers = {}
    for dtype in DTYPES:
        x = np.array(p.SPECIAL + p.SPECIAL[:7], np.float32)
        for s, z in ((0.1, p.RANGES[dtype][0] if dtype != "qint32" else 0), (1e-6, 5), (1e30, 1)):
            q = T.quantize_per_tensor(p.tensor(T, x), s, z, getattr(T, dtype))
            answers[f"{dtype}.{s}"] = q.int_repr()
    return answers


@p.program()
def quantize_layouts(T, rng):
    """Transposed, channels-last, zero-dimensional and empty input."""
    x = p.floats(rng, (3, 5, 3, 7), 0.1, 100)
    t = p.tensor(T, x)
    quantize = T.quantize_per_tensor
    return {
        "transposed": quantize(t.permute(1, 0, 3, 2), 0.1, 100, T.quint8).int_repr(),
        "sliced": quantize(t[1:, ::2], 0.1, 100, T.quint8).int_repr(),
        "zero-dimensional": quantize(p.tensor(T, x)[0, 0, 0, 0], 0.1, 100, T.quint8).int_repr(),
        "empty": quantize(t[:0], 0.1, 100, T.quint8).int_repr(),
    }


@p.program()
def quantize_channels_last(T, rng):
    """Positions of the tail when the memory format is channels-last."""
    made = []
    for _ in range(40):
        t = p.tensor(T, p.floats(rng, (1, 3, 3, 5), 0.1, 101))
        t = t.contiguous(memory_format=T.channels_last)
        made.append(T.quantize_per_tensor(t, 0.1, 101, T.quint8).int_repr())
    return {"int": p.joined(made)}


@p.program()
def dequantize_per_tensor(T, rng):
    """Every integer of eight bits, for many quantizers."""
    answers = {}
    for dtype in ("quint8", "qint8"):
        made = []
        for _ in range(12):
            s, z = p.scale(rng), p.zero_point(rng, dtype)
            low, high = p.RANGES[dtype]
            x = ((np.arange(low, high + 1) - z) * np.float64(np.float32(s))).astype(np.float32)
            made.append(T.quantize_per_tensor(p.tensor(T, x), s, z, getattr(T, dtype)).dequantize())
        answers[dtype] = p.joined(made)
    return answers


@p.program()
def dequantize_qint32(T, rng):
    """The difference between integer and zero point wraps."""
    x = np.array([0.0, 1.0, -1.0, 1e9, -1e9, 3e9, -3e9, 4.2e9, -4.2e9, 16777217.0, 5e9], np.float32)
    answers = {}
    for z in (0, 7, -(2**31), 2**31 - 1, 2**24 + 1):
        q = T.quantize_per_tensor(p.tensor(T, x), 1.0, z, T.qint32)
        answers[str(z)] = q.dequantize()
        answers[f"{z}.int"] = q.int_repr()
    return answers


def _parameters(rng, count, dtype):
    scales = np.array([p.scale(rng) for _ in range(count)], np.float64)
    return scales, np.array([p.zero_point(rng, dtype) for _ in range(count)], np.int64)


@p.program()
def per_channel(T, rng):
    """Quantize and dequantize along every axis."""
    answers = {}
    for dtype in DTYPES:
        for axis, shape in enumerate(((7, 3, 5), (3, 6, 3), (2, 3, 17))):
            scales, zero_points = _parameters(rng, shape[axis], dtype)
            x = np.empty(shape, np.float32)
            along = np.moveaxis(x, axis, 0)
            for c in range(shape[axis]):
                along[c] = p.floats(rng, along[c].shape, scales[c], int(zero_points[c]), dtype)
            q = T.quantize_per_channel(
                p.tensor(T, x),
                p.tensor(T, scales),
                p.tensor(T, zero_points),
                axis,
                getattr(T, dtype),
            )
            tag = f"{dtype}.{axis}"
            answers[tag + ".int"] = q.int_repr()
            answers[tag + ".float"] = q.dequantize()
            answers[tag + ".scales"] = q.q_per_channel_scales()
            answers[tag + ".zero_points"] = q.q_per_channel_zero_points()
            answers[tag + ".axis"] = q.q_per_channel_axis()
    return answers


@p.program()
def copy_(T, rng):
    """Assigning real numbers quantizes them with the parameters that are there."""
    answers = {}
    for dtype in DTYPES:
        made = []
        for size in p.SIZES:
            s, z = p.scale(rng), p.zero_point(rng, dtype)
            zeros = p.tensor(T, np.zeros(size, np.float32))
            q = T.quantize_per_tensor(zeros, s, z, getattr(T, dtype))
            q.copy_(p.tensor(T, p.floats(rng, (size,), s, z, dtype)))
            made.append(q.int_repr())
        answers[dtype] = p.joined(made)
    return answers


@p.program(releases=("2.13",))
def memory_format(T, rng):
    """Which memory format quantizing and dequantizing return."""
    answers = {}
    dense = p.floats(rng, (2, 3, 4, 5), 0.1, 100, special=False)
    for name in ("contiguous_format", "channels_last"):
        t = p.tensor(T, dense).contiguous(memory_format=getattr(T, name))
        q = T.quantize_per_tensor(t, 0.1, 100, T.quint8)
        answers.update(p.tagged(name, p.pack(q)))
        answers[name + ".float.stride"] = tuple(q.dequantize().stride())
    return answers
