"""Copies of elements to other places, and real numbers written into parts of a tensor."""

import numpy as np
from cases.operands import floats, name_of
from cases.registry import operation


def some(d, count):
    """Draw integer tensors of indices below a count; negative ones count from the end."""
    return d.tensor(d.rng.randint(-count, count, size=d.whole(1, 5)).astype(np.int64))


def dimension(d, x):
    return d.whole(-x.dim(), x.dim() - 1) if x.dim() else 0


def filled(x):
    return x.numel() > 0


@operation("integers", releases=("2.13",), recorded=25)
def flips(d, x):
    dims = [n for n in range(x.dim()) if d.chance(0.5)]
    calls = [d.call(".flip", x, dims)]
    if x.dim() > 1:
        calls += [d.call("fliplr", x), d.call("flipud", x)]
        calls.append(d.call("rot90", x, d.whole(-3, 4), [0, x.dim() - 1]))
    return calls


@operation("integers", releases=("2.13",), recorded=15)
def repetitions(d, x):
    counts = [d.whole(1, 2) for _ in range(x.dim() + d.whole(0, 1))]
    times = d.tensor(d.rng.randint(0, 3, size=x.shape[0]).astype(np.int64)) if x.dim() else 2
    return [
        d.call(".repeat", x, counts),
        d.call("tile", x, counts[1:]),
        d.call("repeat_interleave", x, d.whole(1, 3), d.pick(None, dimension(d, x))),
        d.call(".repeat_interleave", x, times, 0),
    ]


@operation("integers", releases=("2.13",), recorded=25)
def parts_by_index(d, x):
    if not x.dim() or not filled(x):
        return [d.call("swapaxes", x.reshape(1, -1), 0, 1)]
    dim = dimension(d, x)
    index = some(d, x.shape[dim])
    size = d.whole(1, x.shape[dim])
    place = (slice(None),) * (dim % x.dim()) + (index,)
    indexing = [
        d.by("indexing", lambda q: q[place], x),
        d.by("indexing", lambda q: q[abs(index) % q.shape[0], :1], x.reshape(len(x), -1)),
    ]
    if d.edges and name_of(x.dtype) == "qint32":  # PyTorch takes float32 for integers
        indexing = []
    return [
        d.call("index_select", x, dim, abs(index) % x.shape[dim]),
        *indexing,
        d.call(".unfold", x, dim, size, d.whole(1, 3)),
        d.call("swapaxes", x, dim, 0),
        d.by("topk", lambda q: q.topk(size, dim).values, x),
        d.call(".expand", x, [2, *x.shape]),
    ]


@operation("image", releases=("2.13",), recorded=5)
def shuffles(d, x):
    # Extents that factors divide.
    x = (
        x.repeat(1, 4, 2, 2)
        if not x.is_contiguous() or d.chance(0.5)
        else x[:, :1].repeat(1, 4, 2, 2)
    )
    calls = [d.call("nn.functional." + name, x, 2) for name in ("pixel_shuffle", "pixel_unshuffle")]
    if not d.peer or x.dtype == d.T.quint8:  # PyTorch shuffles the channels of no other dtype
        if d.chance(0.5):
            x = x.contiguous(memory_format=d.T.channels_last)
        calls.append(d.call("nn.functional.channel_shuffle", x, d.pick(1, 2, 4)))
    return calls


def numbers(d, x, shape):
    """Draw real numbers for the quantizer of a tensor: ties, range ends, and what none holds."""
    dtype = name_of(x.dtype)
    special = dtype != "qint32" or not d.peer  # converted to integers beyond int64, in PyTorch
    return floats(d.rng, shape, x.q_scale(), x.q_zero_point(), dtype, special)


@operation("integers", releases=("2.13",), recorded=60)
def pads(d, x):
    sizes = [d.whole(-1, 3) for _ in range(2 * d.whole(0, min(x.dim(), 3)))]
    sizes = [max(0, s) if n < 3 else s for s, n in zip(sizes, 2 * tuple(x.shape) * 2)]  # noqa: B905
    for place in range(0, len(sizes), 2):  # no more is cut off than there is
        if x.shape[-1 - place // 2] + sum(sizes[place : place + 2]) < 0:
            sizes[place : place + 2] = 0, 0
    value = float(numbers(d, x, (1,))[0])
    pad = "nn.functional.pad"
    calls = [d.call(pad, x, sizes, "constant", value), d.call(pad, x, sizes)]
    if filled(x) and 2 <= x.dim() <= 4:
        count = 1 if x.dim() == 2 else 2 if x.dim() == 4 else d.pick(1, 2)
        extents = list(reversed(x.shape))[:count]
        sizes = [d.whole(0, min(n - 1, 3)) for n in extents for _ in range(2)]
        calls.append(d.call(pad, x, sizes, "reflect"))
    return calls


@operation("integers", releases=("2.13",), recorded=80)
def parts_overwritten(d, x):
    value = float(numbers(d, x, (1,))[0])
    mask = d.tensor(d.rng.randint(0, 2, size=tuple(d.pick(1, n) for n in x.shape)).astype(bool))
    copy = x.clone()
    calls = [d.call("masked_fill", x, mask, value), d.call(".masked_fill_", copy, mask, value)]
    if x.dim() and filled(x):
        index = some(d, x.shape[0])
        new = d.tensor(numbers(d, x, (len(index), *x.shape[1:])))
        calls.append(d.call(".index_put", x, (index,), new))
        calls.append(d.call(".index_put_", x.clone(), (index,), d.tensor(numbers(d, x, ()))))
    return calls


@operation("real", releases=("2.13",), recorded=60)
def by_own_range(d, x):
    if not filled(x):
        return d.call(".clone", x)
    x = d.T.where(abs(x) < 3e38, x, d.T.zeros(1))  # finite
    if d.chance(0.3):
        x = x * 2.0 ** d.whole(-60, 3)
    reduce_range = d.chance(0.5)
    dtype = d.pick(d.T.quint8, d.T.qint8)
    rows = x.reshape(-1)[:24].contiguous()
    return [
        d.call("_choose_qparams_per_tensor", x, reduce_range),
        d.call("quantize_per_tensor_dynamic", x, dtype, reduce_range),
        d.call(
            "choose_qparams_optimized",
            *(d.tensor(d.bell(rows.shape, 2.0 ** d.whole(-9, 9))), len(rows), d.pick(5, 16, 25)),
            *(d.pick(0.16, 0.3, 0.5), d.pick(2, 4, 8)),
        ),
    ]
