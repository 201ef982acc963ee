"""Element-wise operations compared with an installed PyTorch: integers and parameters."""

import numpy as np
import pytest
from strategies import RANGES, SIZES, quantizers

import refquant

pytestmark = [
    pytest.mark.torch,
    pytest.mark.usefixtures("engine_of_both"),
    pytest.mark.filterwarnings("ignore:.*are deprecated and will be removed:UserWarning"),
    pytest.mark.filterwarnings("ignore:An output with one or more elements was resized"),
]

LAYOUTS = ("dense", "transposed", "sliced", "stepped")


def integers(rng, shape, storage):
    low, high = RANGES[storage] if storage != "int32" else (-1000, 1000)
    return rng.integers(low, high, size=shape, endpoint=True).astype(storage)


def both(torch, q, scale, zero_point):
    """The same quantized tensor on either side."""
    theirs = torch._make_per_tensor_quantized_tensor(
        torch.from_numpy(np.ascontiguousarray(q)), scale, zero_point
    )
    kind = {"uint8": "quint8", "int8": "qint8", "int32": "qint32"}[str(q.dtype)]
    dense = np.ascontiguousarray(q)
    ours = refquant.QuantizedTensor(dense, getattr(refquant, kind), scale, zero_point)
    return theirs, ours


def laid_out(tensor, layout):
    if layout == "transposed":
        return tensor.transpose(0, 1)
    if layout == "sliced":
        return tensor[:, 1:-1]
    if layout == "stepped":
        return tensor[:, ::2]
    return tensor


def check(theirs, ours, note=""):
    want, got = theirs.int_repr().numpy(), ours.int_repr().numpy()
    assert got.shape == want.shape, note
    unequal = int((want != got).sum())
    assert unequal == 0, (
        f"{note}: {unequal} of {want.size}, first at {np.argwhere(want != got)[0]}: "
        f"{got[want != got][0]}, expected {want[want != got][0]}"
    )
    assert (ours.q_scale(), ours.q_zero_point()) == (theirs.q_scale(), theirs.q_zero_point()), note
    assert not want.size or tuple(ours.stride()) == tuple(theirs.stride()), note


def outputs(rng, a_scale, b_scale, storage):
    """Scales that make ties common, and others."""
    zero_points = [z for _, z in quantizers(rng, storage)] if storage != "int32" else [0, 3]
    scale = float(
        rng.choice([a_scale, 2 * a_scale, a_scale + b_scale, rng.uniform(0.3, 3) * a_scale])
    )
    zero_point = int(rng.choice(zero_points))
    # QNNPACK cannot clamp to a range of one number, as relu to zero point 255 is.
    return scale, min(zero_point, 254)


def operands(rng, storage):
    a_scale = float(rng.choice([0.5, 0.1, 2.0**-7, rng.uniform(0.01, 0.1)]))
    b_scale = float(rng.choice([a_scale, 2 * a_scale, rng.uniform(0.5, 2) * a_scale]))
    low, high = RANGES[storage] if storage != "int32" else (-50, 50)
    return a_scale, b_scale, *(int(z) for z in rng.integers(low, high, size=2, endpoint=True))


@pytest.mark.parametrize("operation", ["add", "add_relu", "mul", "mul_relu"])
@pytest.mark.parametrize("storage", list(RANGES))
def test_binary_operations(torch, operation, storage):
    rng = np.random.default_rng(11)
    for size in (*SIZES, 1000) * 3:
        a_scale, b_scale, a_zero, b_zero = operands(rng, storage)
        scale, zero_point = outputs(rng, a_scale, b_scale, storage)
        a, ours_a = both(torch, integers(rng, size, storage), a_scale, a_zero)
        b, ours_b = both(torch, integers(rng, size, storage), b_scale, b_zero)
        check(
            getattr(torch.ops.quantized, operation)(a, b, scale, zero_point),
            getattr(refquant.ops.quantized, operation)(ours_a, ours_b, scale, zero_point),
            f"{operation} {storage} {size}",
        )


@pytest.mark.parametrize("operation", ["add", "mul"])
@pytest.mark.parametrize("storage", list(RANGES))
@pytest.mark.parametrize("first", LAYOUTS)
@pytest.mark.parametrize("second", LAYOUTS)
def test_strided_operands(torch, operation, storage, first, second):
    rng = np.random.default_rng(12)
    for rows, columns in ((3, 70), (70, 70), (2, 200), (130, 3)):
        tensors = []
        a_scale, b_scale, a_zero, b_zero = operands(rng, storage)
        for layout, scale, zero in ((first, a_scale, a_zero), (second, b_scale, b_zero)):
            shape = {
                "dense": (rows, columns),
                "transposed": (columns, rows),
                "sliced": (rows, columns + 2),
                "stepped": (rows, 2 * columns),
            }[layout]
            pair = both(torch, integers(rng, shape, storage), scale, zero)
            tensors.append([laid_out(tensor, layout) for tensor in pair])
        (a, ours_a), (b, ours_b) = tensors
        scale, zero_point = outputs(rng, a_scale, b_scale, storage)
        check(
            getattr(torch.ops.quantized, operation)(a, b, scale, zero_point),
            getattr(refquant.ops.quantized, operation)(ours_a, ours_b, scale, zero_point),
            f"{(rows, columns)}",
        )


BROADCAST = (
    ((4, 70), (1, 70)),
    ((4, 70), (4, 1)),
    ((4, 70), (1, 1)),
    ((4, 70), (70,)),
    ((4, 70), ()),
    ((2, 3, 70), (1, 3, 70)),
    ((2, 3, 70), (2, 1, 70)),
    ((2, 3, 70), (2, 1, 1)),
    ((2, 3, 70), (2, 3, 1)),
    ((1, 70), (4, 70)),
    ((4, 1), (4, 70)),
    ((70,), (4, 70)),
    ((2, 1, 70), (1, 3, 1)),
    ((1,), (130,)),
    ((), (130,)),
    ((1, 1), (1, 1)),
    ((), ()),
    ((2, 70, 3, 3), (1, 70, 1, 1)),
    ((2, 70, 3, 3), (2, 1, 3, 3)),
    ((0, 3), (1, 3)),
)


@pytest.mark.parametrize("operation", ["add", "mul"])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("shapes", BROADCAST, ids=str)
def test_broadcasting(torch, operation, channels_last, shapes):
    rng = np.random.default_rng(13)
    if torch.backends.quantized.engine == "qnnpack" and shapes == ((), ()):
        pytest.skip("QNNPACK refuses 0-dimensional tensors")
    for storage in RANGES:
        for _ in range(5):
            tensors = []
            a_scale, b_scale, a_zero, b_zero = operands(rng, storage)
            for shape, scale, zero in zip(
                shapes, (a_scale, b_scale), (a_zero, b_zero), strict=True
            ):
                pair = both(torch, integers(rng, shape, storage), scale, zero)
                if channels_last and len(shape) == 4:
                    pair = (
                        pair[0].contiguous(memory_format=torch.channels_last),
                        pair[1].contiguous(memory_format=refquant.channels_last),
                    )
                tensors.append(pair)
            (a, ours_a), (b, ours_b) = tensors
            scale, zero_point = outputs(rng, a_scale, b_scale, storage)
            check(
                getattr(torch.ops.quantized, operation)(a, b, scale, zero_point),
                getattr(refquant.ops.quantized, operation)(ours_a, ours_b, scale, zero_point),
                f"{storage}",
            )


@pytest.mark.parametrize("operation", ["add", "mul", "add_relu"])
@pytest.mark.parametrize("formats", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_channels_last_operands(torch, operation, formats):
    rng = np.random.default_rng(14)
    for shape in ((2, 5, 7, 3), (1, 64, 4, 4), (3, 1, 5, 5), (2, 33, 1, 1), (1, 3, 1, 30)):
        for storage in RANGES:
            a_scale, b_scale, a_zero, b_zero = operands(rng, storage)
            tensors = []
            for last, scale, zero in zip(
                formats, (a_scale, b_scale), (a_zero, b_zero), strict=True
            ):
                pair = both(torch, integers(rng, shape, storage), scale, zero)
                if last:
                    pair = (
                        pair[0].contiguous(memory_format=torch.channels_last),
                        pair[1].contiguous(memory_format=refquant.channels_last),
                    )
                tensors.append(pair)
            (a, ours_a), (b, ours_b) = tensors
            scale, zero_point = outputs(rng, a_scale, b_scale, storage)
            check(
                getattr(torch.ops.quantized, operation)(a, b, scale, zero_point),
                getattr(refquant.ops.quantized, operation)(ours_a, ours_b, scale, zero_point),
                f"{shape} {storage}",
            )


@pytest.mark.parametrize("operation", ["add", "add_relu", "mul", "mul_relu"])
@pytest.mark.parametrize("storage", list(RANGES))
def test_scales_far_apart(torch, operation, storage):
    rng = np.random.default_rng(15)
    if torch.backends.quantized.engine == "qnnpack" and storage == "uint8" and "add" in operation:
        pytest.skip("QNNPACK refuses them")
    for _ in range(60):
        a_scale, b_scale, scale = (float(10 ** rng.uniform(-37, 38)) for _ in range(3))
        low, high = RANGES[storage] if storage != "int32" else (-50, 50)
        a_zero, b_zero, zero_point = (int(z) for z in rng.integers(low, high, 3, endpoint=True))
        a, ours_a = both(torch, integers(rng, 70, storage), a_scale, a_zero)
        b, ours_b = both(torch, integers(rng, 70, storage), b_scale, b_zero)
        check(
            getattr(torch.ops.quantized, operation)(a, b, scale, zero_point),
            getattr(refquant.ops.quantized, operation)(ours_a, ours_b, scale, zero_point),
            f"{a_scale, b_scale, scale, a_zero, b_zero, zero_point}",
        )


@pytest.mark.parametrize("operation", ["add", "mul", "mul_relu"])
def test_whole_range_of_int32(torch, operation):
    rng = np.random.default_rng(16)
    for _ in range(40):
        q = rng.integers(-(2**31), 2**31, size=(2, 70)).astype("int32")
        zeros = [int(z) for z in rng.integers(-(2**31), 2**31, size=3)]
        a, ours_a = both(torch, q[0], 0.5, zeros[0])
        b, ours_b = both(torch, q[1], 0.25, zeros[1])
        scale = float(2.0 ** rng.integers(-3, 30))
        check(
            getattr(torch.ops.quantized, operation)(a, b, scale, zeros[2]),
            getattr(refquant.ops.quantized, operation)(ours_a, ours_b, scale, zeros[2]),
        )


@pytest.mark.parametrize(
    "operation", ["add_scalar", "add_scalar_relu", "mul_scalar", "mul_scalar_relu"]
)
@pytest.mark.parametrize("storage", list(RANGES))
def test_scalars(torch, operation, storage):
    rng = np.random.default_rng(17)
    for size in (*SIZES, 1000) * 4:
        scale, _, zero_point, _ = operands(rng, storage)
        number = float(rng.choice([0.0, scale / 2, 1.5 * scale, 20.5 * scale])) * rng.choice(
            [-1, 1]
        )
        if rng.integers(2):
            number = float(rng.normal() * scale * 300)
        a, ours = both(torch, integers(rng, size, storage), scale, zero_point)
        check(
            getattr(torch.ops.quantized, operation)(a, float(number)),
            getattr(refquant.ops.quantized, operation)(ours, float(number)),
            f"{size} {number}",
        )


@pytest.mark.parametrize("operation", ["cat", "cat_relu"])
@pytest.mark.parametrize("storage", list(RANGES))
def test_cat(torch, operation, storage):
    rng = np.random.default_rng(18)
    for case in range(60):
        a_scale, b_scale, a_zero, b_zero = operands(rng, storage)
        scale, zero_point = outputs(rng, a_scale, b_scale, storage)
        if case % 5 == 0:
            scale, zero_point = a_scale, a_zero
        dims = int(rng.integers(1, 5))
        shape = [int(n) for n in rng.integers(1, 9, size=dims)]
        dim = int(rng.integers(-dims, dims))
        pieces = []
        for s, z in ((a_scale, a_zero), (b_scale, b_zero), (a_scale, b_zero)):
            own = list(shape)
            own[dim] = int(rng.choice([1, 3, 8, 20, 33, 40]))
            pair = both(torch, integers(rng, own, storage), s, z)
            if dims == 4 and case % 3:
                pair = (
                    pair[0].contiguous(memory_format=torch.channels_last),
                    pair[1].contiguous(memory_format=refquant.channels_last),
                )
            pieces.append(pair)
        check(
            getattr(torch.ops.quantized, operation)([p for p, _ in pieces], dim, scale, zero_point),
            getattr(refquant.ops.quantized, operation)(
                [p for _, p in pieces], dim, scale, zero_point
            ),
            f"case {case} {[tuple(p.shape) for p, _ in pieces]} {dim}",
        )


@pytest.mark.filterwarnings("ignore:All inputs of this cat operator:UserWarning")
@pytest.mark.parametrize("storage", list(RANGES))
def test_cat_by_its_general_name_keeps_the_parameters_of_the_first(torch, storage):
    rng = np.random.default_rng(21)
    for case in range(30):
        a_scale, b_scale, a_zero, b_zero = operands(rng, storage)
        dims = int(rng.integers(1, 5))
        # An extent of 1 would leave open which memory format a tensor has.
        shape = [int(n) for n in rng.integers(2, 9, size=dims)]
        dim = int(rng.integers(-dims, dims))
        pieces = []
        for s, z in ((a_scale, a_zero), (b_scale, b_zero)):
            shape[dim] = int(rng.choice([2, 3, 8, 33]))
            pair = both(torch, integers(rng, shape, storage), s, z)
            if dims == 4 and case % 3:
                pair = (
                    pair[0].contiguous(memory_format=torch.channels_last),
                    pair[1].contiguous(memory_format=refquant.channels_last),
                )
            pieces.append(pair)
        check(
            torch.cat([p for p, _ in pieces], dim),
            refquant.cat([p for _, p in pieces], dim),
            f"case {case} {[tuple(p.shape) for p, _ in pieces]} {dim}",
        )


def test_cat_refuses_a_mixture_of_plain_and_quantized(torch):
    theirs, ours = both(torch, np.arange(3, dtype=np.uint8), 0.5, 1)
    for pieces in ([theirs, theirs.dequantize()], [theirs.dequantize(), theirs]):
        with pytest.raises(RuntimeError):
            torch.cat(pieces)
    for mixture in ([ours, ours.dequantize()], [ours.dequantize(), ours]):
        with pytest.raises(refquant.errors.QuantizerError):
            refquant.cat(mixture)


@pytest.mark.parametrize("operation", ["relu", "relu6", "clamp"])
@pytest.mark.parametrize("storage", list(RANGES))
def test_ranges(torch, operation, storage):
    from refquant.ops.quantized import elementwise

    rng = np.random.default_rng(19)
    for size in SIZES:
        scale, _, zero_point, _ = operands(rng, storage)
        a, ours = both(torch, integers(rng, size, storage), scale, zero_point)
        if operation == "relu":
            check(torch.relu(a), elementwise.relu(ours))
        elif operation == "relu6":
            check(torch.ops.quantized.relu6(a, False), elementwise.relu6(ours))
        else:
            check(a.clamp(-0.55, 1.15), elementwise.clamp(ours, -0.55, 1.15))


@pytest.mark.parametrize("storage", list(RANGES))
@pytest.mark.parametrize("layout", [*LAYOUTS, "channels_last", "channels_last_1", "repeated"])
def test_elu(torch, storage, layout):
    rng = np.random.default_rng(22)
    for case in range(40):
        a_scale = float(rng.choice([1.0, 0.5, 0.1, 1 / 3, 2.0**-7, 0.003]))
        zero, zero_point = (int(z) for z in rng.integers(*limits(storage), size=2))
        scale = float(rng.choice([2 / 3, 1 / 3, 0.5, a_scale, 1 / 128, 0.013]))
        if storage == "int32":
            scale = max(scale, 2.0**-10)  # the C library's last bit would show in tails
        factors = [float(rng.choice(v)) for v in ([1, 1.6732632, 0.5, -1], [1, 1.05], [1, 0.5, 2])]
        shape = (int(rng.choice([2, 3, 66])), int(rng.choice([3, 64, 130])))
        if layout.startswith("channels_last"):
            shape = (2, 1 if layout.endswith("1") else 5, 7, 33)
        theirs, ours = both(torch, integers(rng, shape, storage), a_scale, zero)
        if layout == "channels_last":
            theirs = theirs.contiguous(memory_format=torch.channels_last)
            ours = ours.contiguous(memory_format=refquant.channels_last)
        elif layout == "repeated":
            theirs, ours = (q[:, :1].expand(*shape) for q in (theirs, ours))
        else:
            theirs, ours = laid_out(theirs, layout), laid_out(ours, layout)
        check(
            torch.ops.quantized.elu(theirs, scale, zero_point, *factors),
            refquant.ops.quantized.elu(ours, scale, zero_point, *factors),
            f"case {case}: {a_scale, zero, scale, zero_point, factors, shape}",
        )


def limits(storage):
    return RANGES[storage] if storage != "int32" else (-1000, 1000)


def test_vectors_of_elu_to_the_last_bit(torch):
    """Where steps are finer than float32, its bits are seen."""
    q = -np.arange(2**17, dtype=np.int32)
    for exponent in (-20, -15, -12):
        theirs, ours = both(torch, q, 2.0**exponent, 0)
        want = torch.ops.quantized.elu(theirs, 2.0**-30, 0)
        check(want, refquant.ops.quantized.elu(ours, 2.0**-30, 0))
