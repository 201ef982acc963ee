"""The constructors of tensors accept what kernels can process, and nothing else."""

import copy
import pickle

import numpy as np
import pytest

import refquant
from refquant import qint8, qint32, quint8
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    DtypeError,
    IndexRangeError,
    QuantizationParameterError,
    RefquantError,
)

CODES = np.arange(15, dtype=np.int8).reshape(5, 3)
ONES, ZEROS = np.ones(5), np.zeros(5, np.int64)


def test_too_few_scales_are_rejected_before_foreign_memory_is_read():
    with pytest.raises(QuantizationParameterError, match=r"`scale` must be of shape \(5,\)"):
        refquant.QuantizedTensor(CODES, qint8, np.array([0.1]), np.array([0]), 0)


@pytest.mark.parametrize("kind", [quint8, qint8, qint32])
def test_an_array_of_the_right_type_is_kept(kind):
    array = np.zeros((2, 3, 4, 4), kind.numpy).transpose(0, 3, 1, 2)
    assert refquant.QuantizedTensor(array, kind, 0.5, 0).array is array
    assert refquant.QuantizedTensor(refquant.from_numpy(array), kind, 0.5, 0).array is array


@pytest.mark.parametrize(
    "given",
    [
        [[0, 255], [7, 8]],
        ((0, 255), (7, 8)),
        np.array([[0, 255], [7, 8]]),
        np.array([[0, 255], [7, 8]], np.uint16),
        np.array([[0, 255], [7, 8]], ">i4"),
        refquant.tensor([[0, 255], [7, 8]]),
    ],
)
def test_other_integers_are_converted_where_all_fit(given):
    q = refquant.QuantizedTensor(given, quint8, 0.5, 7)
    assert q.array.dtype == np.uint8
    assert q.dequantize().tolist() == [[-3.5, 124.0], [0.0, 0.5]]


def test_a_number_and_an_empty_list_are_tensors_too():
    assert refquant.QuantizedTensor(9, quint8, 0.5, 7).item() == 1.0
    assert refquant.QuantizedTensor([], qint8, 0.5, 7).dequantize().tolist() == []


def test_scales_and_zero_points_of_every_type_are_kept_as_numbers():
    for scale, zero_point in (
        (1, 3),
        (np.float32(1), np.uint8(3)),
        (np.array(1.0), np.int64(3)),
        (refquant.tensor(1.0), refquant.tensor(3)),
        (refquant.tensor([1.0]), 3.0),
    ):
        q = refquant.QuantizedTensor([1], qint8, scale, zero_point)
        assert (type(q.scale), q.scale, type(q.zero_point), q.zero_point) == (float, 1.0, int, 3)
    q = refquant.QuantizedTensor(CODES, qint8, [1, 2, 3], np.uint8([1, 2, 3]), np.int64(1))
    assert (q.scale.dtype, q.zero_point.dtype, type(q.axis)) == (np.float64, np.int64, int)
    assert q.dequantize()[1].tolist() == [2.0, 4.0, 6.0]


def test_scales_of_channels_are_copied():
    scales = np.ones(5)
    q = refquant.QuantizedTensor(CODES, qint8, scales, ZEROS, 0)
    scales[0] = np.nan
    assert q.q_per_channel_scales().tolist() == [1.0] * 5


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (([1.0], quint8, 0.5, 0), DtypeError, "`array` must be integers"),
        (([True], quint8, 0.5, 0), DtypeError, "`array` must be integers"),
        ((["1"], quint8, 0.5, 0), DtypeError, "`array` must be integers"),
        (([[1], [2, 3]], quint8, 0.5, 0), DtypeError, "`array` must be integers"),
        ((None, quint8, 0.5, 0), DtypeError, "`array` must be integers"),
        (([2**70], quint8, 0.5, 0), DtypeError, "`array` must be integers"),
        (([3, 256], quint8, 0.5, 0), ArgumentError, r"in 0..255.*got 256"),
        ((np.int8([3, -1]), quint8, 0.5, 0), ArgumentError, r"in 0..255.*got -1"),
        ((np.uint64([2**64 - 1]), qint8, 0.5, 0), ArgumentError, "in -128..127"),
        ((CODES, np.int8, 0.5, 0), DtypeError, "`dtype`"),
        ((CODES, refquant.int8, 0.5, 0), DtypeError, "`dtype`"),
        ((CODES, "qint8", 0.5, 0), DtypeError, "`dtype`"),
        ((CODES, qint8, 0, 0), QuantizationParameterError, "`scale`"),
        ((CODES, qint8, -1.0, 0), QuantizationParameterError, "`scale`"),
        ((CODES, qint8, float("nan"), 0), QuantizationParameterError, "`scale`"),
        ((CODES, qint8, float("inf"), 0), QuantizationParameterError, "`scale`"),
        ((CODES, qint8, 1e-39, 0), QuantizationParameterError, "`scale`"),
        ((CODES, qint8, 1e39, 0), QuantizationParameterError, "`scale`"),
        ((CODES, qint8, 10**400, 0), QuantizationParameterError, "`scale`"),
        ((CODES, qint8, "0.5", 0), ArgumentTypeError, "`scale` must be a number"),
        ((CODES, qint8, None, 0), ArgumentTypeError, "`scale` must be a number"),
        ((CODES, qint8, 1j, 0), ArgumentTypeError, "`scale` must be a number"),
        ((CODES, qint8, ONES, 0), ArgumentTypeError, "`scale` must be a number"),
        ((CODES, qint8, 0.5, 300), QuantizationParameterError, "`zero_point`"),
        ((CODES, qint8, 0.5, -129), QuantizationParameterError, "`zero_point`"),
        ((CODES, qint8, 0.5, 10**30), QuantizationParameterError, "`zero_point`"),
        ((CODES, qint8, 0.5, 0.5), ArgumentTypeError, "`zero_point`"),
        ((CODES, qint8, 0.5, float("nan")), ArgumentTypeError, "`zero_point`"),
        ((CODES, qint8, 0.5, ZEROS), ArgumentTypeError, "`zero_point`"),
        ((CODES, qint8, ONES, ZEROS, 2), IndexRangeError, "`axis`"),
        ((CODES, qint8, ONES, ZEROS, -1), IndexRangeError, "`axis`"),
        ((CODES, qint8, ONES, ZEROS, True), IndexRangeError, "`axis`"),
        ((CODES, qint8, ONES, ZEROS, 0.0), IndexRangeError, "`axis`"),
        ((np.int8(3), qint8, ONES, ZEROS, 0), IndexRangeError, "`axis`"),
        ((CODES, qint8, 0.5, 0, 0), QuantizationParameterError, "`scale`"),
        ((CODES, qint8, ONES[:, None], ZEROS, 0), QuantizationParameterError, "`scale`"),
        ((CODES, qint8, ONES, ZEROS[:4], 0), QuantizationParameterError, "`zero_point`"),
        ((CODES, qint8, ONES * np.nan, ZEROS, 0), QuantizationParameterError, r"`scale\[0\]`"),
        ((CODES, qint8, ["1"] * 5, ZEROS, 0), ArgumentTypeError, "`scale` must be numbers"),
        ((CODES, qint8, [[1], [2, 3]], ZEROS, 0), ArgumentTypeError, "`scale`"),
        ((CODES, qint8, ONES, ONES > 0, 0), ArgumentTypeError, "`zero_point`"),
        ((CODES, qint8, ONES, ONES * np.nan, 0), QuantizationParameterError, "`zero_point`"),
        ((CODES, qint8, ONES, ZEROS + 300, 0), QuantizationParameterError, r"`zero_point\[0\]`"),
        (
            (CODES, qint8, ONES, np.full(5, 2**64 - 1, np.uint64), 0),
            QuantizationParameterError,
            r"`zero_point\[0\]`",
        ),
    ],
)
def test_what_cannot_be_a_quantized_tensor(arguments, error, said):
    with pytest.raises(error, match=rf"^QuantizedTensor: .*{said}"):
        refquant.QuantizedTensor(*arguments)


def test_the_integers_of_a_quantized_tensor_are_named():
    q = refquant.QuantizedTensor(CODES, qint8, 0.5, 0)
    with pytest.raises(DtypeError, match="int_repr"):
        refquant.QuantizedTensor(q, qint8, 0.5, 0)
    refquant.QuantizedTensor(q.int_repr(), qint8, 0.5, 0)


def test_relu_of_codes_stays_at_or_above_the_zero_point():
    with pytest.raises(ArgumentError, match=r"in 0\.\.255"):
        refquant.QuantizedTensor(np.int8([-128, 5]), quint8, 1.0, 3)
    q = refquant.QuantizedTensor(np.int8([0, 5]), quint8, 1.0, 3)
    assert refquant.relu(q).int_repr().tolist() == [3, 5]


def unaligned(dtype):
    size = np.dtype(dtype).itemsize
    return np.frombuffer(bytes(4 * size + 1), np.uint8)[1:].view(dtype)


def test_elements_that_lie_between_addresses_are_rejected():
    packed = np.zeros(3, np.dtype([("a", "i1"), ("b", "<f4")]))
    for make in (
        lambda: refquant.Tensor(unaligned(np.float32)),
        lambda: refquant.from_numpy(unaligned(np.float32)),
        lambda: refquant.from_numpy(packed["b"]),
        lambda: refquant.relu(unaligned(np.float32)),
        lambda: refquant.QuantizedTensor(unaligned(np.int32), qint32, 0.5, 0),
    ):
        with pytest.raises(DtypeError, match=r"aligned in memory.*\.copy\(\)"):
            make()
    assert refquant.tensor(packed["b"]).tolist() == [0.0] * 3


@pytest.mark.parametrize(
    "value",
    [1.0, None, "x", np.zeros(2, complex), np.zeros(2, ">f4"), np.array(["a"]),
     np.zeros(2, object), np.zeros(2, "M8[s]"), np.zeros(2, np.uint16)],
)  # fmt: skip
def test_what_cannot_be_a_plain_tensor(value):
    with pytest.raises(RefquantError, match=r"^Tensor: `array` must be"):
        refquant.Tensor(value)


def test_views_of_other_array_classes_become_plain_arrays():
    assert type(refquant.Tensor(np.ma.masked_array([1.0, 2.0], [0, 1])).array) is np.ndarray
    assert refquant.Tensor(np.float32(3)).item() == 3.0


def test_data_of_another_kind_cannot_be_assigned():
    x = refquant.tensor([1.0], requires_grad=True)
    q = refquant.QuantizedTensor(CODES, qint8, ONES, ZEROS, 0)
    for target, value in ((x, q), (x, np.zeros(1)), (q, x), (q, CODES)):
        with pytest.raises(DtypeError, match=r"assignment to \.data"):
            target.data = value
    with pytest.raises(RefquantError, match="floating point"):
        x.data = refquant.tensor([1])
    assert (x.tolist(), q.shape) == ([1.0], (5, 3))


def test_data_of_a_quantized_tensor_comes_with_its_quantizer():
    q = refquant.QuantizedTensor(CODES[:2], qint8, ONES[:2], ZEROS[:2], 0)
    q.data = refquant.QuantizedTensor(CODES, qint8, ONES * 2, ZEROS, 0)
    assert q.dequantize().tolist() == (CODES * 2.0).tolist()


def test_scales_that_were_assigned_are_not_walked_beyond_their_end():
    q = refquant.QuantizedTensor(CODES, qint8, ONES, ZEROS, 0)
    q.scale = np.ones(1)
    with pytest.raises(QuantizationParameterError, match=r"of shape \(5,\)"):
        q.dequantize()


def test_a_packed_weight_does_not_follow_the_shape_of_its_tensor():
    w = refquant.QuantizedTensor(CODES, qint8, 1.0, 0)
    packed = refquant.ops.quantized.linear_prepack(w)
    x = refquant.QuantizedTensor(np.ones((1, 3), np.uint8), quint8, 1.0, 0)
    w.data = refquant.QuantizedTensor(np.zeros((5, 4000), np.int8), qint8, 1.0, 0)
    q = refquant.ops.quantized.linear(x, packed, 1.0, 0)
    assert q.int_repr().tolist() == [[3, 12, 21, 30, 39]]
    w.resize_(1, 2)
    assert packed.unpack()[0].shape == (5, 3)


@pytest.mark.parametrize("axis", [None, 0])
def test_copies_and_pickles_are_equal(axis):
    scale, zero_point = (0.5, 3) if axis is None else (ONES, ZEROS)
    q = refquant.QuantizedTensor(CODES, qint8, scale, zero_point, axis)
    for other in (copy.deepcopy(q), copy.copy(q), pickle.loads(pickle.dumps(q))):
        assert refquant.equal(other, q)
        assert (other.dtype, other.axis) == (qint8, axis)
