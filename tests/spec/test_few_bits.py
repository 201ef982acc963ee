"""Tensors of 4 and 2 bits, and float zero points: literal values and what they allow."""

import copy
import io
import pickle

import numpy as np
import pytest

import refquant
from refquant import errors

X = refquant.tensor([[0.0, 1.0, 2.0], [3.0, 14.0, 99.0]])
ROWS = refquant.tensor([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]])
SCALES, ZEROS = refquant.tensor([0.5, 1.0, 2.0]), refquant.tensor([0.25, 1.5, 2.0])


def few(dtype=refquant.quint4x2):
    return refquant.quantize_per_tensor(X, 1.0, 0, dtype)


def by_row(dtype=refquant.quint8):
    return refquant.quantize_per_channel(ROWS, SCALES, ZEROS, 0, dtype)


def test_integers_share_bytes_the_first_in_the_lowest_bits():
    assert few().int_repr().tolist() == [0x10, 0x32, 0xFE]
    assert few(refquant.quint2x4).int_repr().tolist() == [0b11_10_01_00, 0b0000_11_11]
    assert few().dequantize().tolist() == [[0.0, 1.0, 2.0], [3.0, 14.0, 15.0]]
    assert (few().shape, few().dtype.bits, refquant.quint2x4.bits) == ((2, 3), 4, 2)


def test_ranges_of_few_bits():
    for dtype, most in ((refquant.quint4x2, 15), (refquant.quint2x4, 3)):
        assert (dtype.quant_min, dtype.quant_max, dtype.itemsize) == (0, most, 1)
        assert dtype.is_quantized
        with pytest.raises(errors.QuantizationParameterError, match=f"0..{most}"):
            refquant.quantize_per_tensor(X, 1.0, most + 1, dtype)
    with pytest.raises(errors.ArgumentError, match=r"0\.\.15"):
        refquant.QuantizedTensor(np.uint8([16]), refquant.quint4x2, 1.0, 0)


def test_what_64_bits_do_not_hold_becomes_the_smallest_integer():
    x = refquant.tensor([float("nan"), float("inf"), float("-inf"), 1e30, -1e30, 2.0**31])
    q = refquant.quantize_per_tensor(x, 1.0, 3, refquant.quint4x2)
    assert (q.dequantize() + 3).tolist() == [0.0, 0.0, 0.0, 0.0, 0.0, 15.0]


def test_rounding_comes_before_the_zero_point():
    q = refquant.quantize_per_tensor(refquant.tensor([0.5, 1.5, 2.5]), 1.0, 3, refquant.quint4x2)
    assert (q.dequantize() + 3).tolist() == [3.0, 5.0, 5.0]


def test_views_and_parts_are_those_of_the_elements():
    q = few()
    assert q[1].dequantize().tolist() == [3.0, 14.0, 15.0]
    assert q.t().dequantize().tolist() == [[0.0, 3.0], [1.0, 14.0], [2.0, 15.0]]
    assert q.reshape(3, 2).int_repr().tolist() == q.int_repr().tolist()
    assert refquant.equal(q.clone(), q)
    assert refquant.equal(copy.deepcopy(q), q)
    assert (q == q).all().item()


def test_printing():
    assert repr(few()) == (
        "tensor([[ 0.,  1.,  2.],\n"
        "        [ 3., 14., 15.]], size=(2, 3), dtype=refquant.quint4x2,\n"
        "       quantization_scheme=refquant.per_tensor_affine, scale=1.0, zero_point=0)"
    )
    assert "scale=tensor([0.5000, 1.0000, 2.0000])" in repr(by_row())
    assert "quantization_scheme=refquant.per_channel_affine_float_qparams" in repr(by_row())
    assert "quint4x2" in few()._repr_html_()


@pytest.mark.parametrize(
    "call",
    [
        lambda q: q.relu(),
        lambda q: q.max(),
        lambda q: q.mean(),
        lambda q: q.sort(),
        lambda q: q.topk(1),
        lambda q: q.fill_(1.0),
        lambda q: refquant.cat([q, q]),
        lambda q: refquant.ops.quantized.add(q, q, 1.0, 0),
        lambda q: refquant.nn.quantized.functional.relu(q),
        lambda q: refquant.nn.quantized.Quantize(1.0, 0, q.dtype),
        lambda q: refquant.quantize_per_channel(
            ROWS, SCALES, refquant.zeros(3, dtype=refquant.int64), 0, q.dtype
        ),
    ],
)
def test_arithmetic_of_few_bits_is_rejected(call):
    with pytest.raises(NotImplementedError, match="quint4x2"):
        call(few())


@pytest.mark.parametrize("dtype", ["quint8", "qint8", "quint4x2"])
def test_zero_points_that_are_no_integers(dtype):
    q = by_row(getattr(refquant, dtype))
    assert q.qscheme() is refquant.per_channel_affine_float_qparams
    assert q.dequantize().tolist() == [
        [-0.125, 0.875, 1.875, 2.875],
        [4.5, 4.5, 6.5, 6.5],
        [8.0, 8.0, 10.0, 12.0],
    ]
    for parameter, wanted in (
        (q.q_per_channel_scales(), SCALES),
        (q.q_per_channel_zero_points(), ZEROS),
    ):
        assert parameter.dtype is refquant.float32
        assert refquant.equal(parameter, wanted)
    part = q[1:]
    assert part.q_per_channel_zero_points().tolist() == [1.5, 2.0]
    assert part.dequantize().tolist() == q.dequantize()[1:].tolist()
    assert refquant.equal(q.clone(), q)


def test_zero_points_may_lie_outside_the_range():
    q = refquant.quantize_per_channel(
        refquant.tensor([[-600.0], [30.0]]), refquant.ones(2), refquant.tensor([700.5, -20.25]), 0,
        refquant.quint8,
    )  # fmt: skip
    assert q.int_repr().tolist() == [[100], [10]]
    assert q.dequantize().tolist() == [[-600.5], [30.25]]


def test_what_float_zero_points_reject():
    for dtype, scales, zeros, error in (
        (refquant.qint32, SCALES, ZEROS, errors.NotSupportedError),
        (refquant.quint8, -SCALES, ZEROS, errors.QuantizationParameterError),
        (refquant.quint8, SCALES, ZEROS / 0.0, errors.QuantizationParameterError),
        (refquant.quint8, SCALES[:2], ZEROS, errors.QuantizationParameterError),
    ):
        with pytest.raises(error):
            refquant.quantize_per_channel(ROWS, scales, zeros, 0, dtype)
    with pytest.raises(errors.QuantizerError, match="per tensor"):
        by_row().relu()
    with pytest.raises(errors.QuantizerError, match="keep the dimension"):
        by_row()[0]
    with pytest.raises(errors.QuantizerError, match="integer zero points"):
        refquant.ops.quantized.linear_prepack(by_row(refquant.qint8))


@pytest.mark.parametrize(
    "q", [few(), few(refquant.quint2x4), by_row(), by_row(refquant.quint4x2)], ids=repr
)
def test_files_and_pickles(q):
    file = io.BytesIO()
    refquant.save({"a": q, "b": q}, file)
    file.seek(0)
    read = refquant.load(file)
    assert refquant.equal(read["a"], q)
    assert read["a"].array is read["b"].array
    assert read["a"].qscheme() is q.qscheme()
    assert refquant.equal(pickle.loads(pickle.dumps(q)), q)


def test_files_hold_several_integers_a_byte():
    def size(dtype):
        q = refquant._empty_affine_quantized(10**5, scale=1.0, zero_point=0, dtype=dtype)
        file = io.BytesIO()
        refquant.save(q, file)
        return len(file.getvalue())

    assert size(refquant.quint4x2) < 0.51 * size(refquant.quint8)
    assert size(refquant.quint2x4) < 0.26 * size(refquant.quint8)


def test_empty_tensors_of_few_bits():
    q = refquant._empty_per_channel_affine_quantized(
        [2, 3], scales=refquant.ones(2), zero_points=refquant.tensor([0.5, 1.0]), axis=0,
        dtype=refquant.quint4x2,
    )  # fmt: skip
    assert q.dequantize().tolist() == [[-0.5] * 3, [-1.0] * 3]
    assert refquant.quantize_per_tensor(X[:0], 1.0, 0, refquant.quint4x2).int_repr().shape == (0,)


def test_new_dtypes_of_few_bits_are_checked():
    assert refquant.dtype("six", np.uint8, quantized=True, bits=6).quant_max == 63
    for options in ({"bits": 9}, {"bits": 0}):
        with pytest.raises(errors.ArgumentError, match="bits"):
            refquant.dtype("none", np.uint8, quantized=True, **options)
    with pytest.raises(errors.ArgumentError, match="bits"):
        refquant.dtype("plain", np.uint8, bits=4)
