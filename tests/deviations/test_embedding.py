"""Faults of tables of embeddings in PyTorch 2.13: its answer, and that of refquant."""

import numpy as np
import pytest

import refquant
from refquant.errors import ArgumentError, NotSupportedError, QuantizerError, ShapeError

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


def by_row(T, x, dtype):
    scales, zeros = T.tensor([0.5, 1.0]), T.tensor([0.25, 0.5])
    return T.quantize_per_channel(T.from_numpy(x), scales, zeros, 0, getattr(T, dtype))


def test_rows_of_tensors_of_few_bits(torch):
    x = np.arange(16, dtype=np.float32).reshape(4, 4)

    def row(T):
        return T.quantize_per_tensor(T.from_numpy(x), 1.0, 0, T.quint4x2)[1].dequantize().tolist()

    assert row(torch) == [8.0, 9.0, 10.0, 11.0]  # those of row 2: it counts bytes as elements
    assert row(refquant) == [4.0, 5.0, 6.0, 7.0]


def test_a_row_of_a_tensor_with_float_zero_points(torch):
    x = np.float32([[1.0, 2.0], [3.0, 4.0]])
    q = by_row(torch, x, "quint8")
    assert q[0].dequantize().tolist() != q.dequantize()[0].tolist()
    with pytest.raises(QuantizerError, match="keep the dimension"):
        by_row(refquant, x, "quint8")[0]


def test_largest_elements_of_few_bits(torch):
    x = np.float32([1.0, 2.0])
    q = torch.quantize_per_tensor(torch.from_numpy(x), 1.0, 0, torch.quint4x2)
    assert q.max().dequantize().item() == 0x21  # of the bytes
    with pytest.raises(NotSupportedError, match="quint4x2"):
        refquant.quantize_per_tensor(refquant.from_numpy(x), 1.0, 0, refquant.quint4x2).max()


def test_rows_of_few_bits_that_fill_no_whole_bytes(torch):
    x = np.float32([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    packed = torch.ops.quantized.embedding_bag_prepack(by_row(torch, x, "quint4x2"))
    assert torch.ops.quantized.embedding_4bit(packed, torch.tensor([1])).shape == (1, 4)
    with pytest.raises(ShapeError, match="multiple of 2"):
        ops.embedding_bag_prepack(by_row(refquant, x, "quint4x2"))


def test_packed_embeddings_of_other_bits(torch):
    x = np.float32([[0.0, 1.0], [2.0, 3.0]])
    packed = torch.ops.quantized.embedding_bag_prepack(by_row(torch, x, "quint8"))
    # Two columns of bytes and eight bytes of parameters, taken for 12 columns of 4 bits.
    assert torch.ops.quantized.embedding_4bit(packed, torch.tensor([0])).shape == (1, 12)
    with pytest.raises(ArgumentError, match="quint4x2"):
        ops.embedding_4bit(ops.embedding_bag_prepack(by_row(refquant, x, "quint8")), [0])


@pytest.mark.filterwarnings("ignore:.*ao.quantization is deprecated:DeprecationWarning")
def test_lookups_of_converted_tables_of_few_bits(torch):
    def converted(T):
        model = T.nn.Sequential(T.nn.Embedding(4, 8))
        model.qconfig = T.ao.quantization.float_qparams_weight_only_qconfig_4bit
        return T.ao.quantization.convert(T.ao.quantization.prepare(model))[0]

    # Four bytes of integers and four of parameters, taken for the eight of parameters of bytes.
    assert converted(torch)(torch.tensor([3])).shape == (1, 0)
    assert converted(refquant)(refquant.tensor([3])).shape == (1, 8)


def test_gradients_of_bags_divided_by_how_often_rows_are_used(torch):
    def gradient(T):
        w = T.zeros(6, 2, requires_grad=True)
        F = T.nn.functional
        indices, offsets = T.tensor([5, 5, 5, 0, 2, 2]), T.tensor([0, 3])
        F.embedding_bag(indices, w, offsets, mode="sum", scale_grad_by_freq=True).sum().backward()
        return w.grad[:, 0].tolist()

    assert gradient(torch) == [1.0, 0.0, 1.0, 0.0, 0.0, 1.5]  # 3 by the count of another row
    assert gradient(refquant) == [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]
