"""Linear layers and convolutions compared with an installed PyTorch 2.13, on many ties."""

import numpy as np
import pytest

import refquant

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:.*are deprecated and will be removed:UserWarning"),
]


def both_weights(torch, integers, scales, zero_points):
    """Make the same qint8 tensor for torch and refquant; arrays of scales mean per channel."""
    make = torch._make_per_tensor_quantized_tensor
    if isinstance(scales, float):
        ours = refquant.QuantizedTensor(integers, refquant.qint8, scales, zero_points)
        return make(torch.from_numpy(integers), scales, zero_points), ours
    theirs = torch._make_per_channel_quantized_tensor(
        torch.from_numpy(integers), torch.from_numpy(scales), torch.from_numpy(zero_points), 0
    )
    return theirs, refquant.QuantizedTensor(integers, refquant.qint8, scales, zero_points, 0)


def both_inputs(torch, integers, scale, zero_point):
    theirs = torch._make_per_tensor_quantized_tensor(torch.from_numpy(integers), scale, zero_point)
    return theirs, refquant.QuantizedTensor(integers, refquant.quint8, scale, zero_point)


def both(torch, bias):
    if bias is None:
        return None, None
    return torch.from_numpy(bias), refquant.from_numpy(bias)


def quantizer(rng, outputs, per_channel, engine):
    """Draw scales and zero points of a weight."""
    zero = int(rng.choice([0, 0, 5, -128, 127]))
    if not per_channel:
        return float(rng.choice([2.0**-6, 0.01])), zero
    scales = np.exp(rng.uniform(-6, -2, outputs))
    # QNNPACK reads one zero point for the whole weight.
    if engine == "qnnpack":
        return scales, np.full(outputs, zero)
    return scales, rng.integers(-10, 10, outputs)


def check_equal(theirs, ours, what):
    wanted = theirs.int_repr().numpy() if theirs.is_quantized else theirs.numpy()
    got = ours.array
    assert wanted.shape == got.shape, what
    if wanted.dtype == np.float32:
        wanted, got = wanted.view(np.uint32), np.ascontiguousarray(got).view(np.uint32)
    assert (wanted != got).sum() == 0, what


def drawn_linear(torch, rng, engine):
    """Draw input, weight, bias on ties and the quantizer of the output, for both."""
    m, k, n = (int(v) for v in rng.integers(1, 70, 3))
    per_channel = bool(rng.integers(2))
    sx, zx = float(rng.choice([2.0**-5, 0.02, 1 / 3])), int(rng.choice([0, 3, 128, 255]))
    xi = rng.integers(0, 256, (m, k), dtype=np.uint8)
    wi = rng.integers(-128, 128, (n, k), dtype=np.int8)
    scales, zeros = quantizer(rng, n, per_channel, engine)
    column = np.asarray(zeros).reshape(-1, 1)
    acc = (xi.astype(np.int64) - zx) @ (wi.astype(np.int64) - column).T
    factor = sx * scales
    so = float((np.abs(acc) * factor).max() / 200 + 1e-3)
    half = rng.integers(0, 510, n) / 2
    bias = (half * so - acc[0] * factor).astype(np.float32) if rng.integers(4) else None
    weights = both_weights(torch, wi, scales, zeros)
    return (
        both_inputs(torch, xi, sx, zx),
        weights,
        both(torch, bias),
        so,
        int(rng.choice([0, 1, 128, 255])),
    )


def test_linear(torch, engine_of_both):
    theirs, ours = torch.ops.quantized, refquant.ops.quantized
    rng = np.random.default_rng(1)
    for case in range(60):
        (tx, x), (tw, w), (tb, b), so, zo = drawn_linear(torch, rng, engine_of_both)
        for name in ("linear", "linear_relu"):
            # A fresh packed weight for every call: QNNPACK keeps the scales of the first.
            wanted = getattr(theirs, name)(tx, theirs.linear_prepack(tw, tb), so, zo)
            got = getattr(ours, name)(x, ours.linear_prepack(w, b), so, zo)
            check_equal(wanted, got, f"{name}, case {case}")


def test_linear_dynamic(torch, engine_of_both):
    theirs, ours = torch.ops.quantized, refquant.ops.quantized
    rng = np.random.default_rng(2)
    for case in range(60):
        (_, x), (tw, w), (tb, b), _, _ = drawn_linear(torch, rng, engine_of_both)
        if engine_of_both == "qnnpack" and w.axis is not None:
            continue  # the real kernel reads the scale of the first output for all
        real = (rng.integers(-20, 20, x.array.shape) / 8).astype(np.float32)
        for name in ("linear_dynamic", "linear_relu_dynamic"):
            seven_bits = bool(rng.integers(2)) and engine_of_both == "fbgemm"
            wanted = getattr(theirs, name)(
                torch.from_numpy(real), theirs.linear_prepack(tw, tb), seven_bits
            )
            got = getattr(ours, name)(
                refquant.from_numpy(real), ours.linear_prepack(w, b), seven_bits
            )
            check_equal(wanted, got, f"{name}, case {case}")


def test_linear_dynamic_fp16(torch, engine_of_both):
    if engine_of_both == "qnnpack":
        pytest.skip("QNNPACK has no such kernel")
    rng = np.random.default_rng(3)
    w = np.concatenate([rng.normal(size=(5, 40)), [[1e5, -1e5, 1e-8] + [0.0] * 37]])
    w, b, x = (a.astype(np.float32) for a in (w, rng.normal(size=6), rng.normal(size=(3, 40))))
    theirs, ours = torch.ops.quantized, refquant.ops.quantized
    packed = theirs.linear_prepack_fp16(torch.from_numpy(w), torch.from_numpy(b))
    own = ours.linear_prepack_fp16(refquant.from_numpy(w), refquant.from_numpy(b))
    wanted = theirs.linear_dynamic_fp16(torch.from_numpy(x), packed).numpy()
    got = ours.linear_dynamic_fp16(refquant.from_numpy(x), own).numpy()
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def drawn_convolution(torch, rng, engine, dims):
    groups, cg, og = int(rng.choice([1, 1, 2, 4])), int(rng.integers(1, 7)), int(rng.integers(1, 9))
    if rng.integers(4) == 0:  # depthwise
        groups, cg, og = int(rng.integers(2, 20)), 1, 1
    kernel = tuple(int(v) for v in rng.integers(1, 4, dims))
    geometry = [
        [int(v) for v in rng.integers(low, high, dims)] for low, high in ((1, 3), (0, 3), (1, 3))
    ]
    image = (int(rng.integers(1, 3)), groups * cg, *(int(v) for v in rng.integers(5, 9, dims)))
    # FBGEMM's depthwise kernels saturate beyond seven bits; see the test below.
    top = 256 if engine == "qnnpack" or cg > 1 else 128
    xi = rng.integers(0, top, image, dtype=np.uint8)
    wi = rng.integers(-128, 128, (groups * og, cg, *kernel), dtype=np.int8)
    sx, zx = float(rng.choice([2.0**-5, 0.02])), int(rng.choice([0, 3, 100]))
    scales, zeros = quantizer(rng, groups * og, bool(rng.integers(2)), engine)
    so = float(rng.choice([0.25, 0.5, 2])) * sx * cg**0.5
    half = (np.round(rng.normal(size=groups * og) * 30) * so / 2).astype(np.float32)
    bias = both(torch, half if rng.integers(4) else None)
    zo = int(rng.choice([0, 1, 128, 255]))
    return (
        both_inputs(torch, xi, sx, zx),
        both_weights(torch, wi, scales, zeros),
        bias,
        geometry,
        groups,
        so,
        zo,
    )


@pytest.mark.parametrize("dims", [2, 3])
def test_convolution(torch, engine_of_both, dims):
    theirs, ours = torch.ops.quantized, refquant.ops.quantized
    rng = np.random.default_rng(4 + dims)
    compared = 0
    for case in range(60 if dims == 2 else 25):
        (tx, x), (tw, w), (tb, b), geometry, groups, so, zo = drawn_convolution(
            torch, rng, engine_of_both, dims
        )
        reach = [
            d * (k - 1) + 1 - 2 * p
            for k, p, d in zip(w.array.shape[2:], geometry[1], geometry[2], strict=True)
        ]
        if any(r > n for r, n in zip(reach, x.array.shape[2:], strict=True)):
            continue
        for name in (f"conv{dims}d", f"conv{dims}d_relu"):
            pack = f"conv{dims}d_prepack"
            packed = getattr(theirs, pack)(tw, tb, *geometry, groups)
            own = getattr(ours, pack)(w, b, *geometry, groups)
            wanted = getattr(theirs, name)(tx, packed, so, zo)
            got = getattr(ours, name)(x, own, so, zo)
            check_equal(wanted, got, f"{name}, case {case}")
            if min(wanted.shape) > 1:
                assert got.stride() == wanted.stride()
            compared += 1
    assert compared > 30


def test_the_sums_of_fbgemm_saturate_in_depthwise_convolutions(torch, engine_of_both):
    """A deviation on purpose: pairs of products in 16 bits are an accident of the processor."""
    xi = np.full((1, 8, 4, 4), 255, np.uint8)
    wi = np.full((8, 1, 3, 3), 127, np.int8)
    (tx, x), (tw, w) = both_inputs(torch, xi, 1.0, 0), both_weights(torch, wi, 1.0, 0)
    geometry = [1, 1], [1, 1], [1, 1], 8
    scale = 255.0 * 127 * 9 / 200
    packed = torch.ops.quantized.conv2d_prepack(tw, None, *geometry)
    wanted = torch.ops.quantized.conv2d(tx, packed, scale, 0).int_repr().numpy()
    ours = refquant.ops.quantized
    got = ours.conv2d(x, ours.conv2d_prepack(w, None, *geometry), scale, 0).array
    assert got[0, 0, 1, 1] == 200
    assert (wanted == got).all() == (engine_of_both == "qnnpack")
