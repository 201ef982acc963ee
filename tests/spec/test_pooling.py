"""Pooling and resizing of quantized images: literal values of every rule, formats, deviations."""

import math

import numpy as np
import pytest

import refquant
from refquant import engines
from refquant.engines import Operands
from refquant.engines.rules import average as rules
from refquant.engines.rules import interpolate
from refquant.nn.quantized import functional as F
from refquant.ops import layout

PIXELS = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]


def image(values, zero_point=0, dtype=refquant.quint8, scale=0.5):
    """An image of one channel, or of several if `values` has three dimensions."""
    array = np.array(values, dtype.numpy)
    while array.ndim < 4:
        array = array[None]
    return refquant.QuantizedTensor(array, dtype, scale, zero_point)


def ints(q):
    return q.int_repr().array.reshape(-1).tolist()


# -- rules -------------------------------------------------------------------------------------

# The sum 5 of two pixels less twice the zero point 1 is 3, their average 1.5 + 1 = 2.5.
ROUNDED = {
    rules.AVERAGE_ADD_THEN_ROUND: 2,  # rne(1 + 1.5)
    rules.AVERAGE_ROUND_THEN_ADD: 3,  # rne(1.5) + 1
    rules.AVERAGE_FUSED: 2,
    rules.AVERAGE_DIVIDE_THEN_ROUND: 2,
    rules.AVERAGE_OF_INTEGERS: 2,  # rne(2.5)
    rules.AVERAGE_OF_STEPS: 3,
    rules.AVERAGE_IN_FIXED_POINT: 3,  # 1.5 away from zero, + 1
}


@pytest.mark.parametrize(("rule", "wanted"), ROUNDED.items(), ids=lambda v: getattr(v, "name", ""))
def test_a_tie_under_every_rule(rule, wanted):
    assert rule(np.array([5]), (1, 2), np.int64(2), 0.5, 1, 0, 255).tolist() == [wanted]


def test_ties_away_from_zero_in_fixed_point():
    total = np.array([5, 3, -1, -5])  # averages 2.5, 1.5, -0.5, -2.5
    found = rules.AVERAGE_IN_FIXED_POINT(total, (1, 2), np.int64(2), 0.5, 0, -128, 127)
    assert found.tolist() == [3, 2, -1, -3]


def test_average_of_integers_divides_by_height_before_width():
    # 9515 / 110 is 86.5. float32(1 / 110) is too small, float32(float32(1 / 11) / 10) too large.
    average = rules.AVERAGE_OF_INTEGERS
    assert average(np.array([9515]), (11, 10), np.int64(110), 0.5, 1, 0, 255).tolist() == [87]
    assert average(np.array([9515]), (10, 11), np.int64(110), 0.5, 1, 0, 255).tolist() == [86]


def test_mixing_rules_differ_in_the_last_bit():
    share = np.float32(0.41)
    shares = (np.float32(1) - share, share)
    pixels = [np.float32(v) for v in (107, 3, 34, 182)]
    found = [
        float(rule(*pixels, shares, shares)).hex()
        for rule in (interpolate.MIX_ROUNDED, interpolate.MIX_FUSED, interpolate.MIX_FUSED_FIRST)
    ]
    assert found == ["0x1.332a340000000p+6", "0x1.332a320000000p+6", "0x1.332a300000000p+6"]


# -- windows -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("engine")
def test_largest_integers():
    assert ints(F.max_pool2d(image(PIXELS), 2)) == [5, 7, 13, 15]
    assert ints(F.max_pool2d(image(PIXELS), 3, 1)) == [10, 11, 14, 15]
    assert ints(F.max_pool2d(image(PIXELS), 2, 2, 1)) == [0, 2, 3, 8, 10, 11, 12, 14, 15]
    assert ints(F.max_pool2d(image(PIXELS), 3, 2, ceil_mode=True)) == [10, 11, 14, 15]
    assert ints(F.max_pool2d(image(PIXELS), 2, 1, dilation=2)) == [10, 11, 14, 15]


@pytest.mark.usefixtures("engine")
def test_the_border_never_wins():
    q = image([[-100, -90], [-80, -70]], 5, refquant.qint8)
    assert ints(F.max_pool2d(q, 2, 1, 1)) == [-100, -90, -90, -80, -70, -70, -80, -70, -70]


@pytest.mark.usefixtures("engine")
def test_a_dilated_window_ignores_the_border():
    # QNNPACK of PyTorch 2.13 repeats the pixels at the border and finds 9 here.
    q = image([[9, 1, 1], [1, 1, 1], [1, 1, 2]])
    found = F.max_pool2d(q, 2, 1, padding=1, dilation=2)
    assert ints(found)[0] == 1


@pytest.mark.usefixtures("engine")
def test_averages():
    assert ints(F.avg_pool2d(image(PIXELS), 2, 1, 1, divisor_override=1))[0] == 0
    assert ints(F.avg_pool2d(image([[1, 3], [5, 7]]), 2)) == [4]
    assert ints(F.adaptive_avg_pool2d(image([[1, 3], [5, 7]]), 1)) == [4]
    assert ints(F.adaptive_avg_pool2d(image([[1, 3], [5, 7]]), (2, 1))) == [2, 6]
    assert ints(F.adaptive_avg_pool2d(image([[1, 3]]), (None, 2))) == [1, 3]


@pytest.mark.usefixtures("engine")
def test_the_border_stands_for_real_zero():
    # One pixel of 100 steps and three of the border.
    assert ints(F.avg_pool2d(image([[110]], 10), 2, 1, 1)) == [35] * 4
    # QNNPACK ignores the two parameters that follow.
    assert ints(F.avg_pool2d(image([[110]], 10), 2, 1, 1, count_include_pad=False)) == [110] * 4
    assert ints(F.avg_pool2d(image([[110]], 10), 2, 1, 1, divisor_override=2)) == [60] * 4


@pytest.mark.usefixtures("engine")
def test_ceil_mode_does_not_count_what_lies_behind_the_border():
    assert ints(F.avg_pool2d(image([[2, 4, 9]]), (1, 2), ceil_mode=True)) == [3, 9]


def test_memory_formats_round_differently():
    q = np.zeros((1, 16, 1, 2), np.uint8)
    q[..., 0], q[..., 1] = 2, 3  # 2.5, and zero point 1
    row_major = refquant.QuantizedTensor(q, refquant.quint8, 0.5, 1)
    last = row_major.contiguous(memory_format=refquant.channels_last)
    assert set(ints(F.avg_pool2d(row_major, (1, 2)))) == {2}
    assert set(ints(F.avg_pool2d(last, (1, 2)))) == {3}
    fifteen = last[:, :15].contiguous(memory_format=refquant.channels_last)
    assert set(ints(F.avg_pool2d(fifteen, (1, 2)))) == {2}


def test_rules_of_every_engine(engine):
    def name(step, **operands):
        split = engines.current().rule(step, Operands(refquant.quint8, **operands))
        return split.vector.name, split.tail.name, split.block

    wanted = {
        "fbgemm": ("average_round_then_add", "average_add_then_round", 16),
        "fbgemm-1.4": ("average_fused", "average_divide_then_round", 8),
        "qnnpack": ("average_of_steps", "average_of_steps", 1),
        "qnnpack-1.4": ("average_in_fixed_point", "average_in_fixed_point", 1),
    }
    assert name("average_pool", channels_last=True) == wanted[engine]


# -- resizing ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("engine")
def test_nearest_pixels():
    q = image([[1, 2], [3, 4]])
    assert ints(F.interpolate(q, size=(2, 4))) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert ints(F.interpolate(q, scale_factor=2)) == [
        1,
        1,
        2,
        2,
        1,
        1,
        2,
        2,
        3,
        3,
        4,
        4,
        3,
        3,
        4,
        4,
    ]
    assert ints(F.interpolate(q, size=1)) == [1]
    assert ints(F.upsample_nearest(q, size=(1, 2))) == [1, 2]


@pytest.mark.usefixtures("engine")
def test_mixed_pixels():
    q = image([[0, 100]])
    corners = F.interpolate(q, size=(1, 5), mode="bilinear", align_corners=True)
    assert ints(corners) == [0, 25, 50, 75, 100]
    edges = F.interpolate(q, size=(1, 4), mode="bilinear", align_corners=False)
    assert ints(edges) == [0, 25, 75, 100]
    assert ints(F.upsample_bilinear(q, size=(1, 5))) == ints(corners)


def test_a_factor_that_does_not_divide(engine):
    # 5 pixels become 6: PyTorch 2.13 goes by 1 / 1.3, 1.4 by 5 / 6.
    q = image([[0, 10, 20, 30, 40]])
    found = ints(F.interpolate(q, scale_factor=(1.0, 1.3)))
    by_factor = [int(np.float32(i) * np.float32(1 / 1.3)) * 10 for i in range(6)]
    by_sizes = [int(np.float32(i) * np.float32(5 / 6)) * 10 for i in range(6)]
    assert found == (by_sizes if engine.endswith("1.4") else by_factor)


def test_one_pixel_without_aligned_corners(engine):
    # PyTorch 2.13 takes the middle, 1.4 the first pixel.
    found = F.interpolate(image([[0, 100]]), size=(1, 1), mode="bilinear", align_corners=False)
    assert ints(found) == ([0] if engine.endswith("1.4") else [50])


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("memory_format", ["contiguous_format", "channels_last"])
def test_the_same_size_is_a_copy(mode, memory_format):
    # PyTorch 1.4 scrambles such channels-last images.
    rng = np.random.default_rng(0)
    array = rng.integers(0, 256, size=(2, 9, 3, 4)).astype(np.uint8)
    q = refquant.QuantizedTensor(array, refquant.quint8, 0.5, 7)
    q = q.contiguous(memory_format=getattr(refquant, memory_format))
    found = F.interpolate(q, size=(3, 4), mode=mode)
    assert np.array_equal(found.array, q.array)
    assert found.stride() == q.stride()
    assert not np.shares_memory(found.array, q.array)


@pytest.mark.usefixtures("engine")
def test_channels_of_one_pixel_stay_in_place():
    # PyTorch writes them channels-last into a row-major result, which scrambles them.
    q = image(np.arange(12).reshape(12, 1, 1) * 20)
    assert ints(F.interpolate(q, size=(2, 1), mode="bilinear", align_corners=False)) == [
        value for value in range(0, 240, 20) for _ in range(2)
    ]
    assert ints(F.adaptive_avg_pool2d(q, (2, 1))) == [
        value for value in range(0, 240, 20) for _ in range(2)
    ]


# -- formats -----------------------------------------------------------------------------------

OPERATIONS = [
    lambda q: F.max_pool2d(q, 2),
    lambda q: F.avg_pool2d(q, 2),
    lambda q: F.adaptive_avg_pool2d(q, 3),
    lambda q: F.interpolate(q, size=(3, 5)),
    lambda q: F.interpolate(q, size=(3, 5), mode="bilinear", align_corners=False),
]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("memory_format", ["contiguous_format", "channels_last"])
def test_results_have_the_format_and_parameters_of_the_image(operation, memory_format):
    kind = getattr(refquant, memory_format)
    for dtype in (refquant.quint8, refquant.qint8, refquant.qint32):
        q = image(np.arange(2 * 5 * 6).reshape(1, 2, 5, 6), 3, dtype)
        found = operation(q.contiguous(memory_format=kind))
        assert layout.format_of(found.array) is kind
        assert found.is_contiguous(memory_format=kind)
        assert (found.dtype, found.q_scale(), found.q_zero_point()) == (dtype, 0.5, 3)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_images(operation):
    q = image(np.zeros((0, 3, 6, 6)))
    assert operation(q).shape[:2] == (0, 3)
    assert operation(image(np.zeros((2, 0, 6, 6)))).shape[:2] == (2, 0)


@pytest.mark.parametrize("operation", OPERATIONS[:3])
def test_an_image_without_batch(operation):
    q = image(np.arange(2 * 5 * 6).reshape(2, 5, 6))
    assert ints(operation(q[0])) == ints(operation(q))
    assert operation(q[0]).dim() == 3


def test_averages_of_volumes_divide_by_one_side_after_the_other():
    # 1 / 7 / 5 / 2 and 1 / 70 are different numbers, and some sums lie on ties in between.
    sides = 7, 5, 2
    factors = np.float32(1), np.float32(1) / np.float32(math.prod(sides))
    by_sides = factors[0]
    for side in sides:
        by_sides = by_sides / np.float32(side)
    totals = np.arange(255 * math.prod(sides), dtype=np.float32)
    differ = np.flatnonzero(np.rint(totals * by_sides) != np.rint(totals * factors[1]))
    assert len(differ)
    for total in differ[:5].tolist():
        each, rest = divmod(total, math.prod(sides))
        window = np.full(math.prod(sides), each)
        window[:rest] += 1
        volume = np.zeros((1, 2, 7, 5, 4), np.uint8)
        volume[..., :2] = window.reshape(sides)
        q = refquant.QuantizedTensor(volume, refquant.quint8, 0.5, 3)
        pooled = refquant.nn.functional.adaptive_avg_pool3d(q, (1, 1, 2))
        assert pooled.array[0, 0, 0, 0, 0] == np.rint(np.float32(total) * by_sides)


def test_the_largest_of_volumes_is_that_of_every_window():
    rng = np.random.default_rng(0)
    for _ in range(20):
        volume = rng.integers(-128, 128, size=(2, 3, 5, 6, 4)).astype(np.int8)
        kernel, stride, dilation = (rng.integers(1, 3, size=3).tolist() for _ in range(3))
        padding = [int(rng.integers(0, k // 2 + 1)) for k in kernel]
        q = refquant.QuantizedTensor(volume, refquant.qint8, 0.5, 3)
        if rng.random() < 0.5:
            q = q.contiguous(memory_format=refquant.channels_last_3d)
        framed = np.pad(volume, [(0, 0), (0, 0), *((p, p) for p in padding)], constant_values=-128)
        pooled = refquant.nn.functional.max_pool3d(q, kernel, stride, padding, dilation)
        for place in np.ndindex(pooled.shape[2:]):
            window = tuple(
                slice(i * s, i * s + d * (k - 1) + 1, d)
                for i, s, d, k in zip(place, stride, dilation, kernel, strict=True)
            )
            largest = framed[(..., *window)].max(axis=(2, 3, 4))
            assert np.array_equal(pooled.array[(..., *place)], largest)
