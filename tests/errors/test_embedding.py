"""What operations on tables of embeddings reject, and what they say."""

import numpy as np
import pytest

import refquant
from refquant import errors
from refquant.ops import quantized as ops

TABLE = refquant.tensor([[0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 5.0, 2.0]])
PACKED = ops.embedding_bag_byte_prepack(TABLE)
INDICES, OFFSETS = refquant.tensor([0, 1, 1]), refquant.tensor([0, 2])
bag = ops.embedding_bag_byte_rowwise_offsets


def int32(*values):
    return refquant.tensor(list(values), dtype=refquant.int32)


@pytest.mark.parametrize(
    ("call", "kind", "named"),
    [
        (lambda: ops.embedding_bag_byte_prepack(TABLE.to(refquant.float64)), "Dtype", "weight"),
        (lambda: ops.embedding_bag_4bit_prepack(TABLE[0]), "Shape", "2 dimensions"),
        (lambda: ops.embedding_bag_4bit_prepack(TABLE[:, :3]), "Shape", "multiple of 2"),
        (lambda: ops.embedding_bag_2bit_prepack(TABLE[:, :2]), "Shape", "multiple of 4"),
        (lambda: ops.embedding_bag_byte_prepack(TABLE[:, :0]), "Shape", "0 columns"),
        (lambda: ops.embedding_bag_byte_prepack(TABLE / 0.0), "Argument", "finite"),
        (lambda: ops.embedding_bag_4bit_prepack(TABLE, True, 0), "Argument", "nbins"),
        (lambda: ops.embedding_bag_4bit_prepack(TABLE, True, 9, 1.5), "Argument", "ratio"),
        (lambda: ops.embedding_bag_byte_unpack(TABLE), "Dtype", "weight"),
        (lambda: ops.embedding_bag_byte_unpack(PACKED[:, :8]), "Shape", "columns"),
    ],
)
def test_tables(call, kind, named):
    with pytest.raises(getattr(errors, kind + "Error"), match=named):
        call()


@pytest.mark.parametrize(
    ("ends", "kind"),
    [
        ([[0.0, 1.0]], errors.ShapeError),
        ([[1.0, 0.0], [0.0, 1.0]], errors.QuantizationParameterError),
        ([[0.0, float("inf")], [0.0, 1.0]], errors.QuantizationParameterError),
    ],
)
def test_ends_that_are_given(ends, kind):
    with pytest.raises(kind, match="rowwise_min_max"):
        ops.embedding_bag_byte_prepack_with_rowwise_min_max(TABLE, refquant.tensor(ends))


@pytest.mark.parametrize(
    ("arguments", "kind", "named"),
    [
        ((INDICES,), "ArgumentType", "offsets"),
        ((INDICES.view(1, 3), OFFSETS), "ArgumentType", "offsets"),
        ((INDICES.view(1, 1, 3), OFFSETS), "Shape", "indices"),
        ((INDICES.to(refquant.float32), OFFSETS), "Dtype", "indices"),
        ((INDICES, OFFSETS.to(refquant.float32)), "Dtype", "offsets"),
        ((refquant.tensor([0, 2]), OFFSETS), "IndexRange", r"indices\[1\].*0\.\.1"),
        ((refquant.tensor([-1, 0]), OFFSETS), "IndexRange", r"indices\[0\]"),
        ((INDICES, refquant.tensor([0, 2, 1])), "IndexRange", r"offsets\[2\]"),
        ((INDICES, refquant.tensor([0, 4])), "IndexRange", r"offsets\[1\]"),
        ((INDICES, refquant.tensor([-1, 2])), "IndexRange", r"offsets\[0\]"),
        ((INDICES, OFFSETS, "x"), "ArgumentType", "scale_grad_by_freq"),
        ((INDICES, OFFSETS, False, -1), "Argument", "mode"),
        ((INDICES, OFFSETS, False, 0, True), "ArgumentType", "compressed_indices_mapping"),
        ((INDICES, OFFSETS, False, 0, True, None, OFFSETS), "Dtype", "int32"),
        ((INDICES, OFFSETS, False, 0, True, None, int32(0, 2)), "IndexRange", "mapping"),
        ((INDICES, OFFSETS, False, 0, True, None, int32(-1)), "IndexRange", "indices"),
        ((INDICES, OFFSETS, False, 0, False, refquant.ones(2)), "Shape", "per_sample_weights"),
        ((INDICES, OFFSETS, False, 0, False, INDICES), "Dtype", "per_sample_weights"),
    ],
)
def test_bags(arguments, kind, named):
    with pytest.raises(getattr(errors, kind + "Error"), match=named):
        bag(PACKED, *arguments)


def test_the_last_offset_must_be_there_if_it_is_said_to_be():
    with pytest.raises(errors.ShapeError, match="not empty"):
        bag(PACKED, INDICES, INDICES[:0], include_last_offset=True)


def test_a_single_zero_says_that_nothing_was_pruned():
    found = bag(PACKED, INDICES, OFFSETS, False, 0, True, None, int32(0))
    assert refquant.equal(found, bag(PACKED, INDICES, OFFSETS))


def test_numbers_beyond_given_ends_saturate_in_every_column():
    table = refquant.from_numpy(np.tile(np.float32([-9.0, 0.5, 9.0]), (1, 15)))
    ends = refquant.tensor([[0.0, 1.0]])
    packed = ops.embedding_bag_byte_prepack_with_rowwise_min_max(table, ends).numpy()
    assert packed[0, :45].tolist() == [0, 128, 255] * 15
