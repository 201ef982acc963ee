"""Literal values of packed tables and of sums of their rows, from the formulas."""

import numpy as np

import refquant
from refquant.ops import quantized as ops


def table(*rows):
    return refquant.from_numpy(np.array(rows, np.float32))


def test_a_row_of_bytes_ends_in_scale_and_bias_of_float32():
    packed = ops.embedding_bag_byte_prepack(table([-1.0, 0.0, 50.0, 254.0])).numpy()
    assert packed[0, :4].tolist() == [0, 1, 51, 255]
    assert packed[0, 4:].copy().view(np.float32).tolist() == [1.0, -1.0]


def test_a_row_of_few_bits_ends_in_scale_and_bias_of_float16():
    packed = ops.embedding_bag_4bit_prepack(table([0.25, 1.25, 2.25, 15.25])).numpy()
    assert packed[0, :2].tolist() == [0x10, 0xF2]  # the first integer in the lowest bits
    assert packed[0, 2:].copy().view(np.float16).tolist() == [1.0, 0.25]
    packed = ops.embedding_bag_2bit_prepack(table([3.0, 0.0, 1.0, 2.0])).numpy()
    assert packed[0, :1].tolist() == [0b10_01_00_11]


def test_equal_numbers_have_scale_zero_in_bytes_and_one_in_few_bits():
    packed = ops.embedding_bag_byte_prepack(table([3.0, 3.0])).numpy()
    assert packed[0, :2].tolist() == [0, 0]
    assert packed[0, 2:].copy().view(np.float32).tolist() == [0.0, 3.0]
    packed = ops.embedding_bag_4bit_prepack(table([3.0, 3.0])).numpy()
    assert packed[0, 1:].copy().view(np.float16).tolist() == [1.0, 3.0]


def test_rows_are_turned_into_real_numbers_in_one_rounding():
    packed = ops.embedding_bag_byte_prepack(table([1e-3, 0.7, 1.0])).numpy()
    scale, bias = packed[0, 3:].copy().view(np.float32)
    exact = packed[0, :3] * np.float64(scale) + np.float64(bias)  # exact in 53 bits
    real = ops.embedding_bag_byte_unpack(refquant.from_numpy(packed))
    assert real.numpy()[0].tolist() == exact.astype(np.float32).tolist()


def test_a_bag_is_a_sum_with_factors():
    packed = ops.embedding_bag_4bit_prepack(table([0.0, 15.0], [1.0, 16.0]))
    bag = ops.embedding_bag_4bit_rowwise_offsets
    weights = refquant.tensor([2.0, 1.0, -1.0])
    found = bag(
        packed,
        refquant.tensor([0, 1, 1]),
        refquant.tensor([0, 2, 2]),
        per_sample_weights=weights,
    )
    assert found.tolist() == [[1.0, 46.0], [0.0, 0.0], [-1.0, -16.0]]


def test_rows_that_were_pruned_add_nothing():
    packed = ops.embedding_bag_byte_prepack(table([0.0, 255.0], [10.0, 265.0]))
    mapping = refquant.tensor([1, -1, 0], dtype=refquant.int32)
    found = ops.embedding_bag_byte_rowwise_offsets(
        packed,
        refquant.tensor([[0, 1], [2, 2]]),
        pruned_weights=True,
        compressed_indices_mapping=mapping,
    )
    assert found.tolist() == [[10.0, 265.0], [0.0, 510.0]]
