"""Faults of the engines of PyTorch 2.13: its wrong answer, and that of refquant."""

import numpy as np
import processes
import pytest

import refquant
from refquant.errors import EngineError, ShapeError
from refquant.nn.quantized import functional as F

ops = refquant.ops.quantized
pytestmark = pytest.mark.torch


def ints(q):
    return q.int_repr().tolist()


def test_stale_requantization_scales(qnnpack):
    theirs, ours = qnnpack.image([[10, 20]], 0.5)
    their_weight, our_weight = qnnpack.weight([[1, 1]])
    peer = qnnpack.peer.ops.quantized
    packed = peer.linear_prepack(their_weight, None)
    assert ints(peer.linear(theirs, packed, 1.0, 0)) == [[15]]
    assert ints(peer.linear(theirs, packed, 0.5, 0)) == [[15]]  # 30 is right
    packed = ops.linear_prepack(our_weight, None)
    assert [ints(ops.linear(ours, packed, s, 0)) for s in (1.0, 0.5)] == [[[15]], [[30]]]


def test_depth_of_input_and_weight_differ(qnnpack):
    theirs, ours = qnnpack.image([[10, 20, 30]])
    their_weight, our_weight = qnnpack.weight([[1, 1]])
    peer = qnnpack.peer.ops.quantized
    # Arbitrary memory; that it answers at all is the fault.
    assert peer.linear(theirs, peer.linear_prepack(their_weight, None), 1.0, 0).shape == (1, 1)
    with pytest.raises(ShapeError, match=r"of shape \(\.\.\., 2\), the depth of the weight"):
        ops.linear(ours, ops.linear_prepack(our_weight, None), 1.0, 0)


def test_border_of_a_dilated_max_pool(qnnpack):
    falling = np.arange(25)[::-1].reshape(1, 1, 5, 5)
    theirs, ours = qnnpack.image(falling)
    peer = qnnpack.peer.ao.nn.quantized.functional
    # Its window at the corner holds 24, which lies between the pixels that the window touches.
    wrong = [[24, 24, 23], [24, 24, 23], [19, 19, 18]]
    right = [[18, 19, 18], [23, 24, 23], [18, 19, 18]]
    assert ints(peer.max_pool2d(theirs, 3, 1, 1, 2))[0][0] == wrong
    assert ints(F.max_pool2d(ours, 3, 1, 1, 2))[0][0] == right
    qnnpack.peer.backends.quantized.engine = "fbgemm"
    assert ints(peer.max_pool2d(theirs, 3, 1, 1, 2))[0][0] == right


@pytest.mark.filterwarnings("ignore:.*resized:UserWarning")
def test_targets_of_another_shape(fbgemm):
    theirs, ours = fbgemm.image([10, 20])
    wrong, target = fbgemm.image([0, 0, 0])
    peer = fbgemm.peer.ops.quantized
    assert peer.add(theirs, theirs, out=wrong).shape == (2,)
    with pytest.raises(ShapeError, match=r"`out` must be of shape \(2,\), got shape \(3,\)"):
        ops.add(ours, ours, out=target)
    assert ints(target) == [0, 0, 0]
    empty = ops.add_scalar(target[:0], 0.0)
    assert ints(ops.add(ours, ours, out=empty)) == [20, 40]


def test_rectified_sums_with_a_number_in_a_tensor(fbgemm):
    theirs, ours = fbgemm.image([10, 20], zero_point=100)
    peer = fbgemm.peer.ops.quantized
    assert ints(peer.add_scalar_relu(theirs, fbgemm.peer.tensor(85.0))) == [10, 20]
    assert ints(peer.add_scalar_relu(theirs, 85.0)) == [15, 20]
    for number in (85.0, refquant.tensor(85.0), refquant.tensor([85.0])):
        assert ints(ops.add_scalar_relu(ours, number)) == [15, 20]


def test_pools_of_images_with_gaps(qnnpack):
    def cut(q, T):
        return q.contiguous(memory_format=T.channels_last)[..., 1:-1]

    theirs, ours = qnnpack.image(np.arange(2 * 5 * 6 * 8).reshape(2, 5, 6, 8) % 256)
    theirs, ours = cut(theirs, qnnpack.peer), cut(ours, refquant)
    for name, *arguments in (
        ("max_pool2d", 3, 2, 1),
        ("avg_pool2d", 3, 2, 1),
        ("adaptive_avg_pool2d", 3),
        ("max_pool1d", 3, 2, 1),
        ("avg_pool1d", 3, 2, 1),
        ("adaptive_avg_pool1d", 3),
    ):
        x, y = (theirs[:, :, 0], ours[:, :, 0]) if "1d" in name else (theirs, ours)
        wrong = getattr(qnnpack.peer.nn.functional, name)(x, *arguments)
        right = getattr(refquant.nn.functional, name)(y, *arguments)
        assert ints(wrong) == ints(right)
        assert wrong.stride()[1] == 1
        assert right.is_contiguous()


def test_divisor_of_an_average_pool(qnnpack):
    theirs, ours = qnnpack.image(np.full((1, 1, 4, 4), 100))
    peer = qnnpack.peer.ao.nn.quantized.functional
    for options, wrong, right in (
        ((2, 2, 1, False, False), 25, 100),  # the border does not count
        ((2, 2, 0, False, True, 2), 100, 200),  # divide by 2
    ):
        assert ints(peer.avg_pool2d(theirs, *options))[0][0][0][0] == wrong
        assert ints(F.avg_pool2d(ours, *options))[0][0][0][0] == right


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_windows_of_one_pixel(qnnpack, name):
    theirs, ours = qnnpack.image(np.arange(16).reshape(1, 1, 4, 4))
    with pytest.raises(RuntimeError, match="failed to create QNNPACK"):
        getattr(qnnpack.peer.ao.nn.quantized.functional, name)(theirs, 1, 1)
    assert ints(getattr(F, name)(ours, 1, 1)) == ints(ours)


def _of_one_pixel(module, q):
    """Resize and pool an image of 1x1 pixels, and the same as a volume, to 2x2 pixels."""
    yield module.interpolate(q, (2, 2), mode="bilinear", align_corners=False)
    yield module.interpolate(q, (2, 2), mode="nearest")
    yield module.adaptive_avg_pool2d(q, (2, 2))
    volume = q.unsqueeze(2)
    yield module.adaptive_avg_pool3d(volume, (1, 2, 2)).squeeze(2)
    yield module.adaptive_avg_pool3d(q.squeeze(0).unsqueeze(1), (1, 2, 2)).squeeze(1).unsqueeze(0)


@pytest.mark.filterwarnings("ignore:.*not implemented for QNNPACK")
@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack"])
def test_channels_of_images_of_one_pixel(request, engine):
    pair = request.getfixturevalue(engine)
    theirs, ours = pair.image(np.arange(4).reshape(1, 4, 1, 1) * 10)
    scrambled = [[[[0, 10], [20, 30]]] * 4]
    right = [[[[10 * c] * 2] * 2 for c in range(4)]]
    for made in _of_one_pixel(pair.peer.ao.nn.quantized.functional, theirs):
        assert ints(made) == scrambled
    for made in _of_one_pixel(F, ours):
        assert ints(made) == right

    if engine == "fbgemm":  # a window beyond the border, and the pixel between two
        peer = pair.peer.nn.functional
        assert ints(peer.max_pool2d(theirs, 2, 1, 1)) == scrambled
    assert ints(refquant.nn.functional.max_pool2d(ours, 2, 1, 1)) == right


def test_the_largest_of_volumes(qnnpack):
    theirs, ours = qnnpack.image(np.arange(16).reshape(1, 1, 2, 2, 4))
    with pytest.raises(RuntimeError, match="doesn't support"):
        qnnpack.peer.nn.functional.max_pool3d(theirs, 2)
    assert ints(refquant.nn.functional.max_pool3d(ours, 2)) == [[[[[13, 15]]]]]


def test_number_of_threads(fbgemm):
    rng = np.random.default_rng(0)
    a, b = (fbgemm.image(rng.integers(0, 256, 100001), 0.5) for _ in range(2))

    def theirs(threads):
        fbgemm.peer.set_num_threads(threads)
        return fbgemm.peer.ops.quantized.add(a[0], b[0], 1.0, 1).int_repr().numpy()

    def ours(threads):
        refquant.set_num_threads(threads)
        return ops.add(a[1], b[1], 1.0, 1).array

    one = theirs(1)
    assert any(not np.array_equal(theirs(n), one) for n in (2, 3, 4))
    for threads in (1, 2, 3, 4):
        assert np.array_equal(ours(threads), one)


def test_depthwise_pairs_saturate(fbgemm):
    theirs, ours = fbgemm.image(np.full((1, 8, 3, 3), 255))
    their_weight, our_weight = fbgemm.weight(np.full((8, 1, 3, 3), 127))
    peer, geometry = fbgemm.peer.ops.quantized, ([1, 1], [1, 1], [1, 1], 8)
    packed = peer.conv2d_prepack(their_weight, None, *geometry)
    # Four pairs of 32767 instead of 64770, and a product of 32385: (4 * 32767 + 32385) / 2000.
    assert ints(peer.conv2d(theirs, packed, 2000.0, 0))[0][0][1][1] == 82
    packed = ops.conv2d_prepack(our_weight, None, *geometry)
    assert ints(ops.conv2d(ours, packed, 2000.0, 0))[0][0][1][1] == 146  # 9 * 255 * 127 / 2000


LINEAR = """
import warnings
warnings.simplefilter("ignore")
import torch
x = torch.full((1, 64), 255, dtype=torch.uint8)
w = torch.full((8, 64), 127, dtype=torch.int8)
torch.backends.quantized.engine = "fbgemm"
make = torch._make_per_tensor_quantized_tensor
packed = torch.ops.quantized.linear_prepack(make(w, 1.0, 0), None)
y = torch.ops.quantized.linear(make(x, 1.0, 0), packed, 10000.0, 0)
print(y.int_repr()[0, 0].item())
"""


def test_processors_without_vnni_saturate(fbgemm):
    # Half of it: 32 pairs of 32767 are 104.9 steps, 64 products of 255 * 127 are 207.3.
    assert processes.output(LINEAR, FBGEMM_ENABLE_INSTRUCTIONS="AVX2") == ["105"]
    _, ours = fbgemm.image(np.full((1, 64), 255))
    _, weight = fbgemm.weight(np.full((8, 64), 127))
    for choice in refquant.kernels.available():
        with refquant.kernels.using(choice):
            q = ops.linear(ours, ops.linear_prepack(weight, None), 10000.0, 0)
        assert ints(q) == [[207] * 8]


def test_places_of_clamped_images(qnnpack):
    theirs, ours = qnnpack.image(np.arange(24).reshape(1, 2, 3, 4), 0.5)
    theirs = theirs.contiguous(memory_format=qnnpack.peer.channels_last)
    ours = ours.contiguous(memory_format=refquant.channels_last)
    wanted = np.minimum(np.arange(24), 10).reshape(1, 2, 3, 4)
    result = ours.clamp(0.0, 5.0)
    assert result.int_repr().tolist() == wanted.tolist()
    assert result.stride() == ours.stride()
    scrambled = theirs.clamp(0.0, 5.0).int_repr().numpy()
    assert scrambled.tolist() != wanted.tolist()
    assert sorted(scrambled.ravel()) == sorted(wanted.ravel())


def test_transposed_convolution_of_volumes(qnnpack):
    theirs, ours = qnnpack.weight(np.ones((2, 2, 2, 2, 2)))
    geometry = ([1] * 3, [0] * 3, [0] * 3, [1] * 3, 1)
    peer = qnnpack.peer.ops.quantized
    peer.conv_transpose3d_prepack(theirs, None, *geometry)  # its result is arbitrary memory
    with pytest.raises(EngineError, match="memory that it never wrote"):
        ops.conv_transpose3d_prepack(ours, None, *geometry)


def test_output_padding_of_pointwise_filters(fbgemm):
    theirs, ours = fbgemm.image([[[1, 2]], [[3, 4]]])
    peer, geometry = fbgemm.peer.ops.quantized, ([1], [0], [1], [1], 1)
    their_weight, our_weight = fbgemm.weight([[[1]]])
    packed = peer.conv_transpose1d_prepack(their_weight, None, *geometry)
    # Pixels lie one behind the other; the last numbers are what lies in memory behind the image.
    assert peer.conv_transpose1d(theirs, packed, 1.0, 0).int_repr().ravel().tolist()[:4] == [
        *(1, 2, 3, 4)
    ]
    packed = ops.conv_transpose1d_prepack(our_weight, None, *geometry)
    assert ints(ops.conv_transpose1d(ours, packed, 1.0, 0)) == [[[1, 2, 0]], [[3, 4, 0]]]


def test_range_of_dynamic_convolutions(fbgemm):
    ones = np.ones((1, 4, 1, 1), np.float32)
    their_weight, our_weight = fbgemm.weight(ones)
    peer, geometry = fbgemm.peer.ops.quantized, ([1, 1], [0, 0], [1, 1], 1)
    packed = peer.conv2d_prepack(their_weight, None, *geometry)
    assert peer.conv2d_dynamic(fbgemm.peer.from_numpy(ones), packed).item() == 1.0
    packed = ops.conv2d_prepack(our_weight, None, *geometry)
    assert ops.conv2d_dynamic(refquant.from_numpy(ones), packed).item() == 1.0  # 4 is right
    with pytest.warns(UserWarning, match="cut to the range of the input"):
        refquant.nn.quantized.dynamic.Conv2d(4, 1, 1)
