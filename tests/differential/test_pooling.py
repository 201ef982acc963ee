"""Pooling and resizing compared with an installed PyTorch: integers, parameters, strides."""

import numpy as np
import pytest
from strategies import RANGES

import refquant
from refquant.nn.quantized import functional as F

pytestmark = [
    pytest.mark.torch,
    pytest.mark.usefixtures("engine_of_both"),
    pytest.mark.filterwarnings("ignore:.*are deprecated and will be removed:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*recompute_scale_factor:UserWarning"),
]

CHANNELS = (1, 7, 8, 9, 15, 16, 17, 31, 33)
FORMATS = ("contiguous_format", "channels_last")
KINDS = {"uint8": "quint8", "int8": "qint8", "int32": "qint32"}


def both(torch, rng, shape, storage, memory_format):
    """The same image on either side; few distinct integers make many ties."""
    low, high = RANGES[storage] if storage != "int32" else (-1000, 1000)
    q = rng.integers(low, high, size=shape, endpoint=True).astype(storage)
    if rng.random() < 0.5:
        q = rng.choice(np.array([low, 0, 1, 2, high], storage), size=shape)
    scale = float(rng.choice([0.1, 0.5, 1 / 3, 0.0078125]))
    zero_point = int(rng.choice([low, 0, 1, 77, high]))
    theirs = torch._make_per_tensor_quantized_tensor(torch.from_numpy(q), scale, zero_point)
    ours = refquant.QuantizedTensor(q, getattr(refquant, KINDS[storage]), scale, zero_point)
    return (
        theirs.contiguous(memory_format=getattr(torch, memory_format)),
        ours.contiguous(memory_format=getattr(refquant, memory_format)),
    )


def check(theirs, ours, note):
    want, got = theirs.int_repr().numpy(), ours.int_repr().numpy()
    assert got.shape == want.shape, note
    unequal = int((want != got).sum())
    assert unequal == 0, (
        f"{note}: {unequal} of {want.size}, first at {np.argwhere(want != got)[0]}: "
        f"{got[want != got][0]}, expected {want[want != got][0]}"
    )
    assert (ours.q_scale(), ours.q_zero_point()) == (theirs.q_scale(), theirs.q_zero_point()), note
    if min(want.shape[1:]) > 1:  # else several strides say the same
        assert tuple(ours.stride()) == tuple(theirs.stride()), note


def images(torch, rng, memory_format):
    for storage in RANGES:
        for channels in CHANNELS:
            sizes = tuple(int(n) for n in rng.integers(4, 12, size=2))
            pair = both(torch, rng, (2, channels, *sizes), storage, memory_format)
            yield storage, sizes, pair, f"{storage} {channels} {sizes} {memory_format}"


def qnnpack_takes(torch, storage):
    return torch.backends.quantized.engine == "qnnpack" and storage == "uint8"


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("seed", range(3))
def test_max_pool2d(torch, memory_format, seed):
    rng = np.random.default_rng(seed)
    for storage, _, (theirs, ours), note in images(torch, rng, memory_format):
        kernel = tuple(int(k) for k in rng.integers(2, 5, size=2))
        stride = tuple(int(s) for s in rng.integers(1, 4, size=2))
        padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
        dilation = (1, 1)
        if not qnnpack_takes(torch, storage) and rng.random() < 0.3:
            kernel, dilation = (2, 2), (2, 1)  # QNNPACK repeats the pixels of the border
            padding = tuple(min(p, 1) for p in padding)
        ceil = bool(rng.integers(2))
        arguments = (kernel, stride, padding, dilation, ceil)
        want = torch.nn.functional.max_pool2d(theirs, *arguments)
        check(want, F.max_pool2d(ours, *arguments), f"{note} {arguments}")


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("seed", range(3))
def test_avg_pool2d(torch, memory_format, seed):
    rng = np.random.default_rng(10 + seed)
    for storage, _, (theirs, ours), note in images(torch, rng, memory_format):
        kernel = tuple(int(k) for k in rng.integers(2, 5, size=2))
        stride = tuple(int(s) for s in rng.integers(1, 4, size=2))
        padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
        ceil, include = bool(rng.integers(2)), bool(rng.integers(2))
        override = None if rng.random() < 0.6 else int(rng.integers(1, 12))
        if qnnpack_takes(torch, storage) and not ceil:
            include, override = True, None  # QNNPACK ignores them
        arguments = (kernel, stride, padding, ceil, include, override)
        want = torch.nn.functional.avg_pool2d(theirs, *arguments)
        check(want, F.avg_pool2d(ours, *arguments), f"{note} {arguments}")


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("seed", range(3))
def test_adaptive_avg_pool2d(torch, memory_format, seed):
    rng = np.random.default_rng(20 + seed)
    for _, sizes, (theirs, ours), note in images(torch, rng, memory_format):
        for size in (
            1,
            (sizes[0], 1),
            (None, 2),
            tuple(int(rng.integers(1, n + 3)) for n in sizes),
        ):
            want = torch.nn.functional.adaptive_avg_pool2d(theirs, size)
            check(want, F.adaptive_avg_pool2d(ours, size), f"{note} to {size}")


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("seed", range(2))
def test_interpolate(torch, memory_format, mode, seed):
    rng = np.random.default_rng(30 + seed)
    for _, sizes, (theirs, ours), note in images(torch, rng, memory_format):
        corners = bool(rng.integers(2)) if mode == "bilinear" else None
        for arguments in (
            (tuple(int(n) for n in rng.integers(1, 18, size=2)), None),
            (sizes, None),
            ((1, 5), None),
            (None, 2),
            (None, float(rng.uniform(0.3, 3))),
            (None, tuple(float(f) for f in rng.uniform(0.3, 3, size=2))),
        ):
            want = torch.nn.functional.interpolate(theirs, *arguments, mode, corners)
            got = F.interpolate(ours, *arguments, mode, corners)
            check(want, got, f"{note} {arguments} {mode} {corners}")


@pytest.mark.parametrize("old", ["upsample", "upsample_nearest", "upsample_bilinear"])
@pytest.mark.parametrize("memory_format", FORMATS)
def test_other_names_of_interpolate(torch, memory_format, old):
    theirs, ours = both(torch, np.random.default_rng(4), (2, 9, 5, 6), "uint8", memory_format)
    corners = True if old == "upsample_bilinear" else None
    mode = "bilinear" if old == "upsample_bilinear" else "nearest"
    want = torch.nn.functional.interpolate(theirs, (7, 9), None, mode, corners)
    check(want, getattr(F, old)(ours, (7, 9)), old)


def test_float_modules_take_quantized_images(torch):
    theirs, ours = both(torch, np.random.default_rng(5), (2, 17, 9, 8), "uint8", "channels_last")
    for name, arguments in (
        ("MaxPool2d", (3, 2, 1)),
        ("AvgPool2d", (2,)),
        ("AdaptiveAvgPool2d", (3,)),
        ("Upsample", ((4, 15), None, "bilinear", True)),
    ):
        want = getattr(torch.nn, name)(*arguments)(theirs)
        check(want, getattr(refquant.nn, name)(*arguments)(ours), name)


# What of an image strides mean, where some dimensions have extent 1.
AMBIGUOUS = ((2, 1, 6, 6), (2, 5, 1, 1), (1, 5, 1, 1), (1, 1, 4, 4), (2, 5, 1, 6), (2, 5, 6, 1))


@pytest.mark.parametrize("shape", AMBIGUOUS)
@pytest.mark.parametrize("memory_format", FORMATS)
def test_strides_of_ambiguous_images(torch, shape, memory_format):
    theirs, ours = both(torch, np.random.default_rng(6), shape, "int8", memory_format)
    assert tuple(ours.stride()) == tuple(theirs.stride())
    want = torch.nn.functional.interpolate(theirs, (3, 4))
    assert tuple(F.interpolate(ours, (3, 4)).stride()) == tuple(want.stride())
    want = torch.nn.functional.max_pool2d(theirs, 3, 1, 1)
    assert tuple(F.max_pool2d(ours, 3, 1, 1).stride()) == tuple(want.stride())


@pytest.mark.parametrize("cut", [(slice(None), slice(1, None)), (..., slice(1, -1), slice(None))])
@pytest.mark.parametrize("batch", [1, 2])
def test_parts_of_images(torch, cut, batch):
    rng = np.random.default_rng(7)
    for memory_format in FORMATS:
        theirs, ours = both(torch, rng, (batch, 18, 8, 7), "int8", memory_format)
        theirs, ours = theirs[cut], ours[cut]
        check(torch.nn.functional.avg_pool2d(theirs, 3), F.avg_pool2d(ours, 3), memory_format)
        want = torch.nn.functional.interpolate(theirs, (5, 9), mode="bilinear")
        got = F.interpolate(ours, (5, 9), mode="bilinear", align_corners=False)
        check(want, got, memory_format)
