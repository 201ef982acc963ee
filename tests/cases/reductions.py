"""Joining, sorting, averaging: operations over dimensions."""

import numpy as np
from cases.operands import DTYPES
from cases.registry import operation


def joining(name):
    @operation("integers", name, recorded=60)
    def call(d, x):
        pieces, dim = pieces_of(d, x)
        parameters = d.scale(x.q_scale()), d.zero_point(x.dtype)
        if d.chance(0.2):
            parameters = x.q_scale(), x.q_zero_point()
        return d.call("ops.quantized." + name, pieces, dim, *parameters)

    @operation("integers", name + "_out", recorded=30)
    def written(d, x):
        pieces, dim = pieces_of(d, x)
        parameters = d.scale(x.q_scale()), d.zero_point(x.dtype)
        out = getattr(d.T.ops.quantized, name)(pieces, dim, *parameters)
        return d.call("ops.quantized." + name + "_out", pieces[::-1], dim, out)


def pieces_of(d, x):
    """Draw what is joined to an operand, and along which dimension; images are channels-last."""
    if x.dim() == 0:
        x = x.reshape(1)
    dim = d.whole(0, x.dim() - 1)
    if x.dim() == 4 and d.peer and x.shape[1] == 1:
        x = d.quantized((x.shape[0], 2, *x.shape[2:]), x.dtype)
    if x.dim() == 4 and d.chance(0.5):
        x, dim = x.contiguous(memory_format=d.T.channels_last), 1
    pieces = [x]
    for _ in range(d.whole(0, 2)):
        shape = list(x.shape)
        # One channel would leave open which memory format a piece has.
        least = 2 if d.peer and x.dim() == 4 else 1
        shape[dim] = max(d.pick(shape[dim], 1, 3, 8, 9, 33), least)
        if np.prod(shape) <= d.most:
            piece = d.like(x, shape)
            last = x.dim() == 4 and x.is_contiguous(memory_format=d.T.channels_last)
            pieces.append(piece.contiguous(memory_format=d.T.channels_last) if last else piece)
    return pieces, dim


joining("cat")
joining("cat_relu")


@operation("integers", releases=("2.13",), recorded=10)
def cat_of_first(d, x):
    pieces, dim = pieces_of(d, x)
    if d.peer:  # the tails of other layouts, and of a third piece, lie elsewhere in PyTorch
        last = d.T.channels_last
        pieces = [
            q if q.dim() == 4 and q.is_contiguous(memory_format=last) else q.contiguous()
            for q in pieces[:2]
        ]
    return d.call("cat", pieces, dim)  # the result has the parameters of the first


@operation("integers", recorded=10)
def orders(d, x):
    """Largest and smallest elements, sorted elements; equal ones could come in any order."""
    q = d.tensor(d.rng.permutation(256)[: d.pick(1, 2, 7, 8, 9, 31, 33, 64, 65)].astype(np.uint8))
    y = d.T._make_per_tensor_quantized_tensor(q, x.q_scale(), 7)
    calls = [d.call(".sort", y, 0, True), d.call(".topk", y, 1, 0)]
    if x.dim() and min(x.shape):
        x = x.contiguous() if d.peer else x  # PyTorch keeps memory formats when it sorts
        dim = d.whole(0, x.dim() - 1)
        for q in (x, y):
            calls += [d.call(".max", q), d.call(".min", q)]
        calls += [
            # The values are compared, and not the places of equal ones.
            d.by(".max", lambda x, dim: x.max(dim)[0], x, dim),
            d.by(".min", lambda x, dim: x.min(dim)[0], x, dim),
            d.by(".sort", lambda x, dim: x.sort(dim)[0], x, dim),
            d.by(".topk", lambda x, k, dim: x.topk(k, dim)[0], x, min(2, x.shape[dim]), dim),
        ]
    return calls


@operation("image", releases=("2.13",))
def mean(d, x):
    dims = d.pick((0,), (1,), (0, 1), (0, 2), (1, 3), (0, 2, 3), (2, 3))
    x = x.contiguous() if d.qnnpack else x
    dense = x.contiguous()
    calls = [d.call(".mean", dense, (2, 3)), d.call(".mean", dense, -1, True)]
    if min(x.shape):
        calls += [
            d.call(".mean", dense),
            d.call("mean", dense, (1, 2, 3)),
            d.call(".mean", x, dims),
        ]
    return calls


@operation("image", releases=("1.4",), engines=("qnnpack",), recorded=40)
def mean_in_fixed_point(d, x):
    q = d.quantized(tuple(x.shape), "quint8")
    return d.call(".mean", q, [2, 3])


@operation(None, engines=("fbgemm",), recorded=420)
def mean_in_order(d, x):
    """Means whose float32 sums have the order of a release, over every kind of dimensions."""
    shape = d.pick(
        *((2, 2, 2), (2, 2, 2), (2, 2, 2), (3, 7), (9, 40, 5), (40, 33), (2, 17, 6, 5)),
        *((1, 3, 4, 4), (5, 1, 70), (300, 3)),
    )
    rank = len(shape)
    dims = d.pick(0, 1, (0, 1), *[(0, 2), (1, 2), (0, 1, 2)] * (rank > 2), *[(2, 3)] * (rank > 3))
    scale = float(np.ldexp(1 + d.fraction(), -d.whole(1, 7)))
    x = d.quantized(shape, "quint8", scale, d.whole(0, 255), dense=True)
    if d.chance(0.3):
        x = x.transpose(0, rank - 1).contiguous().transpose(0, rank - 1)
    elif rank == 4 and d.chance(0.5):
        x = x.contiguous(memory_format=d.T.channels_last)
    return d.call(".mean", x, dims)


@operation(None, releases=("2.13",), engines=("fbgemm",), recorded=40)
def mean_anywhere(d, x):
    """Means of every rank and dtype over any dimensions, in any layout."""
    shape = [d.pick(1, 2, 2, 3, 4, 5, 8, 9, 17, 33, 70) for _ in range(d.whole(1, 5))]
    while np.prod(shape) > 5000:
        shape[int(np.argmax(shape))] //= 2
    rank = len(shape)
    axes = tuple(sorted(int(n) for n in d.rng.permutation(rank)[: d.whole(1, rank)]))
    x = d.quantized(shape, d.pick(*DTYPES), d.scale(), d.whole(0, 99), None if d.edges else 127)
    return d.call(".mean", x, axes, d.chance(0.5))


@operation("image", releases=("2.13",), engines=("qnnpack",), recorded=20)
def mean_of_images(d, x):
    """QNNPACK has a kernel of its own if the dimensions are written 2 and 3."""
    q = d.quantized(tuple(x.shape), "quint8", dense=True)
    return d.call(".mean", q, d.pick((2, 3), [2, 3], (3, 2), (-2, -1), (2, -1), [-1, -2]))
