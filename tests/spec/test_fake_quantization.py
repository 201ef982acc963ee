"""Fake quantization, number by number."""

import numpy as np
import pytest

import refquant

INF, NAN = np.inf, np.nan
fake_quantize = refquant.fake_quantize_per_tensor_affine


def f32(*values):
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("x", "scale", "zero_point", "limits", "y"),
    [
        (0.26, 0.5, 0, (0, 255), 0.5),
        (0.25, 0.5, 0, (0, 255), 0.0),  # 0.5 rounds to the even 0
        (0.25, 0.5, 1, (0, 255), 0.0),  # 0.5 rounds to the even 0 before 1 is added
        (-1.0, 0.5, 0, (0, 255), 0.0),
        (-1.0, 0.5, 1, (0, 255), -0.5),
        (1e9, 0.5, 0, (0, 255), 127.5),
        (3e38, 1.0, 0, (-128, 127), 127.0),
        (INF, 0.5, 3, (0, 255), 126.0),
        (-INF, 0.5, 3, (0, 255), -1.5),
        (NAN, 0.5, 3, (0, 255), -1.5),
        (7.0, 1.0, 0, (-2, 1), 1.0),
        (999.0, 1.0, 0, (-1000, 1000), 999.0),
        (16777217.0, 1.0, 0, (-(2**31), 2**31 - 1), 16777216.0),
    ],
)
def test_values(x, scale, zero_point, limits, y):
    assert fake_quantize(f32(x), scale, zero_point, *limits).tolist() == [y]


@pytest.mark.parametrize("release", ["1.4", "2.13"])
def test_the_release_decides_whether_the_zero_point_is_added_before_rounding(release):
    x = np.linspace(-3, 3, 4001, dtype=np.float32)
    scale, z = np.float32(0.037), np.float32(77)
    product = x * (np.float32(1) / scale)
    q = np.rint(z + product) if release == "1.4" else np.rint(product) + z
    wanted = (np.clip(q, 0, 255) - z) * scale
    with refquant.engines.using("fbgemm-1.4" if release == "1.4" else "fbgemm"):
        np.testing.assert_array_equal(fake_quantize(x, 0.037, 77, 0, 255).numpy(), wanted)


@pytest.mark.usefixtures("release_1_4")
def test_ties_of_release_1_4():
    assert fake_quantize(f32(0.25), 0.5, 1, 0, 255).tolist() == [0.5]  # 1.5 rounds to 2, minus 1


def test_zero_is_never_negative():
    y = fake_quantize(f32(-0.0, -0.1, 0.1), 1.0, 0, -128, 127)
    assert not np.signbit(y.numpy()).any()


def test_the_gradient_passes_where_nothing_was_clipped():
    # 0.4 rounds to 0 and -0.4, too; -0.6 rounds to -1, which is clipped.
    x = refquant.tensor([-INF, -0.6, -0.4, 0.4, 3.4, 3.6, INF, NAN], requires_grad=True)
    fake_quantize(x, 1.0, 0, 0, 3).backward(refquant.tensor([2.0] * 8))
    assert x.grad.tolist() == [0, 0, 2, 2, 2, 0, 0, 0]


def test_per_channel_gives_every_slice_its_own_quantizer():
    x = refquant.tensor([[[1.2, 9.9]], [[1.2, 9.9]]], requires_grad=True)
    scale, zero_point = refquant.tensor([1.0, 0.5]), refquant.tensor([0, 1])
    y = refquant.fake_quantize_per_channel_affine(x, scale, zero_point, -1, 0, 15)
    assert y.tolist() == [[[1.0, 7.0]], [[1.0, 7.0]]]
    y.sum().backward()
    assert x.grad.tolist() == [[[1, 0]], [[1, 0]]]


@pytest.mark.parametrize("axis", range(4))
def test_channels_last_stays_and_gradients_find_their_places(axis):
    rng = np.random.default_rng(axis)
    x = rng.normal(size=(2, 3, 4, 5)).astype(np.float32) * 3
    channels = x.shape[axis]
    scales = (rng.random(channels) + 0.1).astype(np.float32)
    zero_points = rng.integers(0, 16, size=channels)
    weights = rng.normal(size=x.shape).astype(np.float32)
    found = []
    for memory_format in (refquant.contiguous_format, refquant.channels_last):
        plain = refquant.tensor(x)
        given = plain.contiguous(memory_format=memory_format).requires_grad_(True)
        y = refquant.fake_quantize_per_channel_affine(given, scales, zero_points, axis, 0, 15)
        assert y.is_contiguous(memory_format=memory_format)
        (y * refquant.tensor(weights)).sum().backward()
        found.append((y.detach().numpy(), given.grad.numpy()))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])
    moved = np.moveaxis(x, axis, 0)
    for c in range(channels):
        one = fake_quantize(
            np.ascontiguousarray(moved[c]), float(scales[c]), int(zero_points[c]), 0, 15
        )
        np.testing.assert_array_equal(one.numpy(), np.moveaxis(found[0][0], axis, 0)[c])


@pytest.mark.parametrize("shape", [(0,), (3, 0), ()])
def test_any_shape_will_do(shape):
    x = refquant.from_numpy(np.ones(shape, np.float32))
    assert fake_quantize(x, 0.5, 0, 0, 255).shape == shape


@pytest.mark.parametrize("view", [np.s_[::2], np.s_[::-1], np.s_[3:]])
def test_strided_tensors(view):
    x = np.linspace(-2, 2, 33, dtype=np.float32)[view]
    wanted = fake_quantize(x.copy(), 0.1, 5, 0, 15).numpy()
    np.testing.assert_array_equal(fake_quantize(x, 0.1, 5, 0, 15).numpy(), wanted)
