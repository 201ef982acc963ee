"""Literal values of element-wise operations: one number for each choice in the arithmetic."""

import math

import numpy as np
import pytest

import refquant
from refquant import nn
from refquant.errors import QuantizerError
from refquant.ops import quantized as ops


def made(values, scale, zero_point, dtype=refquant.quint8):
    integers = refquant.tensor(values, dtype=getattr(refquant, dtype.numpy.name))
    return refquant._make_per_tensor_quantized_tensor(integers, scale, zero_point)


def ints(q):
    return q.int_repr().tolist()


def test_body_and_tail_of_a_sum_round_ties_apart():
    """0.5 + 1: a vector rounds 0.5 to 0 and adds 1; scalar code rounds 1.5 to 2."""
    a, b = made([1] * 65, 0.5, 0), made([0] * 65, 0.5, 0)
    with refquant.engines.using("fbgemm"):
        assert ints(ops.add(a, b, 1.0, 1)) == [1] * 64 + [2]


def test_a_transposed_operand_makes_all_of_a_sum_scalar():
    a = made(np.ones((64, 64), np.uint8).tolist(), 0.5, 0)
    b = made(np.zeros((64, 64), np.uint8).tolist(), 0.5, 0)
    with refquant.engines.using("fbgemm"):
        assert set(ops.add(a, b, 1.0, 1).array.ravel()) == {1}
        assert set(ops.add(a.transpose(0, 1), b, 1.0, 1).array.ravel()) == {2}


def test_fixed_point_sum_rounds_ties_away_from_zero():
    a, b = made([9, 11, 13, 7, 5], 0.5, 10), made([10] * 5, 0.5, 10)
    with refquant.engines.using("qnnpack"):
        # -0.5, 0.5, 1.5, -1.5, -2.5
        assert ints(ops.add(a, b, 1.0, 100)) == [99, 101, 102, 98, 97]


def test_products_round_before_the_zero_point_is_added():
    a, b = made([1, 3, 5], 0.5, 0), made([1] * 3, 1.0, 0)
    with refquant.engines.using("fbgemm"):
        assert ints(ops.mul(a, b, 1.0, 1)) == [0 + 1, 2 + 1, 2 + 1]
    with refquant.engines.using("fbgemm-1.4"):
        assert ints(ops.mul(a, b, 1.0, 1)) == [2, 2, 4]


def test_products_beyond_int32_become_the_least_integer_in_vectors_alone():
    a, b = made([110] * 65, 1.0, 10), made([110] * 65, 1e6, 10)
    with refquant.engines.using("fbgemm"):
        assert ints(ops.mul(a, b, 1.0, 3)) == [0] * 64 + [255]


@pytest.mark.parametrize(
    ("number", "scale", "zero_point", "integers"),
    [
        (1.0, 0.1, 0, [0, 100, 255]),
        (-24.5, 0.1, 255, [0, 100, 255]),
        (2.0, 265 / 255 * 0.1, 0, [10, 106, 255]),
    ],
)
def test_adding_a_number_moves_the_zero_point_or_the_scale(number, scale, zero_point, integers):
    q = ops.add_scalar(made([0, 100, 255], 0.1, 10), number)
    assert (q.q_scale(), q.q_zero_point(), ints(q)) == (scale, zero_point, integers)


@pytest.mark.parametrize(
    ("number", "scale", "zero_point", "integers"),
    [
        (2.0, 0.2, 10, [0, 100, 255]),
        (-2.0, 0.2, 245, [255, 155, 0]),
        (0.0, 1.0, 0, [0, 0, 0]),
        (-0.0, 1.0, 0, [0, 0, 0]),
    ],
)
def test_multiplying_by_a_number_changes_parameters_alone(number, scale, zero_point, integers):
    q = ops.mul_scalar(made([0, 100, 255], 0.1, 10), number)
    assert (q.q_scale(), q.q_zero_point(), ints(q)) == (scale, zero_point, integers)


def test_relu_and_relu6_keep_parameters():
    q = made([0, 5, 11, 12, 20], 1.0, 5)
    assert ints(refquant.relu(q)) == [5, 5, 11, 12, 20]
    assert ints(ops.relu6(q)) == [5, 5, 11, 11, 11]
    assert ints(q) == [0, 5, 11, 12, 20]
    assert ops.relu6(q, inplace=True) is q
    assert ints(q) == [5, 5, 11, 11, 11]


def test_the_general_cat_adds_the_zero_point_before_rounding():
    with refquant.engines.using("fbgemm"):
        q = ops.cat([made([1, 3], 0.5, 0), made([5], 0.5, 0)], 0, 1.0, 1)
    assert ints(q) == [2, 2, 4]  # 1.5, 2.5, 3.5


def test_cat_takes_parameters_of_the_first_tensor():
    q = ops.cat([made([1], 0.5, 3), made([1], 1.0, 0)], 0)
    assert (q.q_scale(), q.q_zero_point(), ints(q)) == (0.5, 3, [1, 5])


def test_comparisons_are_of_real_numbers():
    a, b = made([10, 12], 0.5, 10), made([0, 2], 1.0, 0)
    assert (a == b).tolist() == [True, False]
    assert (a < b).tolist() == [False, True]
    assert (a >= 0.1).tolist() == [False, True]
    assert (refquant.tensor([0.0, 2.0]) == b).tolist() == [True, True]
    assert (made([1], 0.1, 0) == 0.1).tolist() == [True]  # the number is rounded to float32


def test_equal_compares_everything():
    a = made([1, 2], 0.5, 3)
    assert refquant.equal(a, made([1, 2], 0.5, 3))
    for other in (
        made([1, 3], 0.5, 3),
        made([1, 2], 0.25, 3),
        made([1, 2], 0.5, 4),
        made([[1, 2]], 0.5, 3),
        made([1, 2], 0.5, 3, refquant.qint8),
        refquant.tensor([1, 2]),
    ):
        assert not refquant.equal(a, other)


def test_copying_quantized_values_takes_over_parameters():
    target, source = made([0, 0], 1.0, 0), made([1, 2], 0.5, 3)
    assert target.copy_(source) is target
    assert refquant.equal(target, source)
    source.array[0] = 99
    assert ints(target) == [1, 2]


def test_copying_real_values_keeps_parameters():
    target = made([[0, 0], [0, 0]], 0.5, 3)
    target.copy_(refquant.tensor([1.0, -2.0]))
    assert (ints(target), target.q_scale(), target.q_zero_point()) == ([[5, 0], [5, 0]], 0.5, 3)


def test_copying_into_channels_quantizes_each_with_its_own():
    q = refquant.quantize_per_channel(
        refquant.tensor([[0.0], [0.0]]),
        refquant.tensor([0.5, 1.0]),
        refquant.tensor([0, 7]),
        0,
        refquant.quint8,
    )
    assert ints(q.copy_(refquant.tensor([[3.0], [3.0]]))) == [[6], [10]]


def test_resizing_keeps_leading_integers():
    q = made([[1, 2], [3, 4]], 0.5, 9)
    assert ints(q.resize_(3)) == [1, 2, 3]
    assert ints(q.resize_(2, 2)) == [[1, 2], [3, 9]]


def test_mean_of_integers_rounds_before_the_zero_point_counts():
    q = made([[1, 2], [3, 4]], 0.5, 1)
    with refquant.engines.using("fbgemm"):
        assert ints(q.mean()) == 2  # 2.5 to the even one
        assert ints(q.mean(1)) == [2, 4]
        assert ints(q.mean(0, keepdim=True)) == [[2, 3]]
        assert ints(refquant.mean(q, dim=[-1], keepdim=True)) == [[2], [4]]


def test_orders_are_of_integers_and_stable():
    q = made([[3, 1, 3, 2]], 0.5, 1)
    assert ints(q.max()), ints(q.min()) == (3, 1)
    values, indices = q.sort(descending=True)
    assert (ints(values), indices.tolist()) == ([[3, 3, 2, 1]], [[0, 2, 3, 1]])
    values, indices = q.topk(2, largest=False)
    assert (ints(values), indices.tolist()) == ([[1, 2]], [[1, 3]])
    assert q.max(dim=1).indices.tolist() == [0]
    signed = made([-128, 127, 0], 0.5, 1, refquant.qint8)
    assert ints(signed.sort(descending=True).values) == [127, 0, -128]


def test_items_are_real_numbers():
    assert made(7, 0.5, 1).item() == 3.0


def test_constructors():
    q = refquant._empty_affine_quantized([2, 3], scale=0.5, zero_point=3, dtype=refquant.qint8)
    assert (tuple(q.shape), q.dtype, q.q_scale()) == ((2, 3), refquant.qint8, 0.5)
    q = refquant._empty_affine_quantized(
        2,
        3,
        4,
        5,
        scale=0.5,
        zero_point=3,
        dtype=refquant.quint8,
        memory_format=refquant.channels_last,
    )
    assert q.stride() == (60, 1, 15, 3)
    scales, zeros = refquant.tensor([0.5, 1.0]), refquant.tensor([0, 3])
    q = refquant._empty_per_channel_affine_quantized(
        [2, 3], scales=scales, zero_points=zeros, axis=0, dtype=refquant.quint8
    )
    assert q.q_per_channel_axis() == 0
    q = refquant._make_per_channel_quantized_tensor(
        refquant.tensor([[4], [4]], dtype=refquant.int32), scales, zeros, 0
    )
    assert q.dtype is refquant.qint32
    assert q.dequantize().tolist() == [[2.0], [1.0]]


def test_infinite_real_numbers_follow_the_record():
    a, b = made([255] * 65, 3e38, 0), made([0] * 65, 3e38, 255)
    with refquant.engines.using("fbgemm"):
        q = ops.add(a, b, 1.0, 3)
    assert ints(q)[64] == 0  # inf - inf is NaN, and scalar code makes it 0
    assert math.isinf(a.dequantize().array[0])


def test_results_written_into_a_target():
    x, target = made([10, 12], 0.5, 8), made([0, 0], 1.0, 8)
    assert ops.add_out(x, x, target) is target
    assert ops.add(x, x, out=target) is target
    assert (ints(target), target.q_scale()) == ([10, 12], 1.0)
    assert ints(ops.mul_relu_out(x, x, target)) == [9, 12]
    assert ops.mul_scalar_out(x, 3.0, target) is target
    assert (ints(target), target.q_scale()) == ([10, 12], 1.5)
    assert ints(ops.cat_out([x[:1], x[1:]], 0, target)) == [9, 9]


def test_elu_goes_to_minus_alpha():
    q = made([0, 3, 7, 8, 9, 255], 0.5, 8)
    assert ints(ops.elu(q, 0.125, 8)) == [0, 1, 5, 8, 12, 255]
    assert ints(ops.elu(q, 0.125, 8, alpha=0.5)) == [4, 4, 6, 8, 12, 255]
    assert ints(ops.elu(q, 0.125, 8, 1.0, 0.5)) == [4, 4, 6, 8, 10, 255]
    assert ints(ops.elu(q, 0.125, 8, input_scale=100.0)) == [0, 0, 0, 8, 12, 255]


def test_elu_of_far_negative_numbers_lies_on_a_tie():
    """-1 over 2/3 is one and a half steps: vectors round that before the zero point is added."""
    q = made([50] * 65, 1 / 3, 101)
    assert ints(ops.elu(q, 2 / 3, 101)) == [99] * 64 + [100]


def test_leaky_relu_multiplies_what_is_negative():
    q = made([0, 4, 7, 8, 9, 255], 0.5, 8)
    assert ints(ops.leaky_relu(q, 0.25, False, 0.125, 8)) == [0, 4, 7, 8, 12, 255]
    assert ints(ops.leaky_relu(q, -1.0, False, 0.5, 8)) == [16, 12, 9, 8, 9, 255]
    for function in (nn.functional.leaky_relu, nn.quantized.functional.leaky_relu):
        kept = function(q, 0.5)
        assert ints(kept) == [4, 6, 8, 8, 9, 255]
        assert (kept.q_scale(), kept.q_zero_point()) == (0.5, 8)
    assert ints(nn.LeakyReLU(0.5)(q)) == [4, 6, 8, 8, 9, 255]


def test_leaky_relu_rounds_ties_of_vectors_before_the_zero_point_is_added():
    """Three steps times one half are one and a half."""
    q = made([98] * 65, 0.5, 101)
    assert ints(ops.leaky_relu(q, 0.5, False, 0.5, 101)) == [99] * 64 + [100]


def test_leaky_relu_in_place_walks_over_elements_as_they_are_stored():
    rows = made([98] * 140, 0.5, 101).reshape(2, 70)[:, :65]
    assert nn.functional.leaky_relu(rows, 0.5, inplace=True) is rows
    assert ints(rows) == [[99] * 64 + [100]] * 2
    every = made([98] * 140, 0.5, 101)[::2]
    assert ints(nn.quantized.functional.leaky_relu(every, 0.5, True)) == [100] * 70
    turned = made([98] * 140, 0.5, 101).reshape(2, 70).t()
    nn.functional.leaky_relu(turned, 0.5, True)
    assert ints(turned.t().reshape(140)) == [99] * 128 + [100] * 12


def test_activations_choose_quantizers_of_known_ranges():
    for dtype, to_one, around in (
        (refquant.quint8, (2.0**-8, 0), (2.0**-7, 128)),
        (refquant.qint8, (2.0**-8, -128), (2.0**-7, 0)),
        (refquant.qint32, (2.0**-32, 0), (2.0**-31, 0)),
    ):
        q = made([0, 10, 20], 0.5, 10, dtype)
        for y in (refquant.sigmoid(q), nn.functional.hardsigmoid(q)):
            assert (y.q_scale(), y.q_zero_point()) == to_one
        y = refquant.tanh(q)
        assert (y.q_scale(), y.q_zero_point()) == around


def test_literal_values_of_activations():
    q = made([0, 8, 10, 12, 20], 0.5, 10)  # -5, -1, 0, 1, 5
    for engine in ("fbgemm", "qnnpack"):
        with refquant.engines.using(engine):
            assert ints(refquant.sigmoid(q)) == [2, 69, 128, 187, 254]
            assert ints(refquant.tanh(q)) == [0, 31, 128, 225, 255]
            assert ints(nn.functional.hardsigmoid(q)) == [0, 85, 128, 171, 255]
            assert ints(ops.hardswish(q, 0.125, 8)) == [8, 5, 8, 13, 48]
            assert ints(ops.celu(q, 0.125, 16, 2.0)) == [1, 10, 16, 24, 56]
            assert ints(ops.threshold(q, 0.0, 2.0)) == [14, 14, 14, 12, 20]


def test_gelu_and_prelu_keep_parameters():
    q = made([0, 8, 10, 12, 20], 0.5, 10)
    assert ints(nn.functional.gelu(q)) == [10, 10, 10, 12, 20]
    y = refquant.prelu(q, made([3], 0.25, 1))
    assert (y.q_scale(), ints(y)) == (0.5, [5, 9, 10, 12, 20])
    y = refquant.prelu(made([[0, 10], [0, 20]], 0.5, 10), made([3, 1], 0.25, 1))
    assert ints(y) == [[5, 10], [5, 20]]


def test_hardsigmoid_in_place_gives_its_operand_new_parameters():
    q = made([0, 10, 20], 0.5, 10)
    assert nn.functional.hardsigmoid(q, inplace=True) is q
    assert (q.q_scale(), q.q_zero_point(), ints(q)) == (2.0**-8, 0, [0, 128, 255])


def test_in_place_forms_that_quantized_tensors_lack_reject_them():
    q = made([0, 10, 20], 0.5, 10)
    for call in (
        q.sigmoid_,
        q.tanh_,
        lambda: nn.functional.threshold(q, 0.0, 1.0, inplace=True),
        lambda: nn.functional.celu(q),
        lambda: nn.functional.hardswish(q),
        lambda: nn.functional.softmax(q, 0),
    ):
        with pytest.raises(QuantizerError, match="dequantize"):
            call()
    assert ints(q) == [0, 10, 20]


def test_softmax_of_integers_alone():
    q = made([[0, 2], [5, 5]], 0.5, 0)
    with refquant.engines.using("qnnpack"):
        assert ints(ops.softmax(q, 1, 1 / 256, 0)) == [[69, 187], [128, 128]]
    with refquant.engines.using("fbgemm"):
        assert ints(ops.softmax(q, 1, 1 / 256, 0)) == [[69, 187], [128, 128]]


def test_batch_norm_scales_and_shifts_channels():
    q = made([[0, 10, 20], [10, 10, 12]], 0.5, 10)
    w, b, m, v = (refquant.tensor(x) for x in ([1.0, 2, -1], [0.0, 1, 0], [0.0, 0, 1], [1.0, 4, 1]))
    y = ops.batch_norm(q, w, b, m, v, 0.0, 0.25, 100)
    assert ints(y) == [[80, 104, 84], [100, 104, 100]]
    assert ints(ops.batch_norm_relu(q, w, b, m, v, 0.0, 0.25, 100)) == [[100, 104, 100]] * 2


def test_batch_norm_rounds_steps_half_to_even():
    q = made([[1, 3, 5]], 0.5, 0)
    one, zero = refquant.ones(3), refquant.zeros(3)
    assert ints(ops.batch_norm(q, one, zero, zero, one, 0.0, 1.0, 0)) == [[0, 2, 2]]


def test_layer_and_group_norm_have_mean_0_and_deviation_1():
    q = made([[[0, 2, 4, 6], [7, 7, 9, 9]]], 0.5, 3)
    assert ints(ops.layer_norm(q, [4], None, None, 0.0, 0.125, 20)) == [
        [[9, 16, 24, 31], [12, 12, 28, 28]]
    ]
    assert ints(ops.instance_norm(q, None, None, 0.0, 0.125, 20)) == [
        [[9, 16, 24, 31], [12, 12, 28, 28]]
    ]
    assert ints(ops.group_norm(q, 2, None, None, 0.0, 0.125, 20))[0][1] == [12, 12, 28, 28]


def test_ties_of_layer_norm_are_rounded_apart_in_vectors_and_beside_them():
    """A vector rounds 0.5 and adds 1, scalar code rounds 1.5."""
    q = made([[0, 2] * 20], 1.0, 0)
    b = refquant.full((40,), 0.5)
    with refquant.engines.using("fbgemm"):
        y = ops.layer_norm(q, [40], refquant.zeros(40), b, 1e-5, 1.0, 1)
    assert ints(y) == [[1] * 32 + [2] * 8]


def test_std_keeps_parameters():
    q = made([[0, 4], [2, 6]], 0.5, 2)
    assert ints(refquant.std(q, dim=1, unbiased=False)) == [4, 4]
    y = refquant.std(q, dim=1, correction=0, keepdim=True)
    assert (ints(y), y.q_scale(), y.q_zero_point()) == ([[4], [4]], 0.5, 2)
    assert ints(q.std(0, False)) == [3, 3]


def test_std_of_one_element_that_is_taken_away():
    with refquant.engines.using("fbgemm"):
        one = made([9], 0.5, 2)
        assert ints(refquant.std(one, correction=0)) == 2
        # NaN, quantized as a tensor is: it becomes the largest integer.
        assert [ints(refquant.std(one, correction=c)) for c in (1, 2, 3)] == [255] * 3
