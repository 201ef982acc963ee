"""Faults of tables of embeddings in PyTorch 2.13: its answer, and that of refquant."""

import numpy as np
import pytest

import refquant
from refquant.errors import ShapeError

ops = refquant.ops.quantized
pytestmark = pytest.mark.torch


def test_numbers_beyond_the_ends_of_a_row(torch):
    x, ends = np.full((1, 33), 9.0, np.float32), np.float32([[0.0, 1.0]])
    theirs = torch.ops.quantized.embedding_bag_byte_prepack_with_rowwise_min_max(
        torch.from_numpy(x), torch.from_numpy(ends)
    )
    ours = ops.embedding_bag_byte_prepack_with_rowwise_min_max(
        refquant.from_numpy(x), refquant.from_numpy(ends)
    )
    assert theirs[0, :33].tolist() == [255] * 32 + [(9 * 255) % 256]
    assert ours[0, :33].tolist() == [255] * 33


def test_factors_of_other_indices(torch):
    x = np.float32([[0.0, 255.0]])

    def bag(T):
        table = T.ops.quantized.embedding_bag_byte_prepack(T.from_numpy(x))
        return T.ops.quantized.embedding_bag_byte_rowwise_offsets(
            table, T.tensor([0, 0]), T.tensor([0, 1]), per_sample_weights=T.tensor([1.0])
        )

    # The second factor is whatever lies behind the first.
    assert bag(torch)[0].tolist() == [0.0, 255.0]
    with pytest.raises(ShapeError, match="per_sample_weights"):
        bag(refquant)
