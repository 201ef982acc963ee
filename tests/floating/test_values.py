"""Literal values: creation, dtypes, comparisons, reductions, order, copies."""

import math

import numpy as np
import pytest

import refquant
from refquant import nn
from refquant.errors import RefquantError
from refquant.nn.utils import rnn

INF, NAN = math.inf, math.nan


def test_creation():
    assert refquant.zeros(2, 2).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert refquant.ones((1, 2), dtype=refquant.int8).dtype is refquant.int8
    assert refquant.full((2,), 3).dtype is refquant.int64
    assert refquant.full((2,), 3.0).dtype is refquant.float32
    assert refquant.full((2,), True).dtype is refquant.bool
    assert refquant.arange(1, 7, 2).tolist() == [1, 3, 5]
    assert refquant.arange(0.0, 1.0, 0.25).dtype is refquant.float32
    assert refquant.linspace(0, 1, 5).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert refquant.eye(2, 3).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    x = refquant.empty(1, 2, 3, 4, memory_format=refquant.channels_last)
    assert x.stride() == (24, 1, 8, 2)
    assert refquant.zeros_like(x).stride() == (24, 1, 8, 2)
    assert refquant.ones_like(x, dtype=refquant.int32).dtype is refquant.int32
    shared = np.zeros(2, np.float32)
    refquant.as_tensor(shared)[0] = 4
    assert shared.tolist() == [4.0, 0.0]


def test_numbers_of_numpy_count_like_those_of_python():
    assert refquant.arange(-1, 5, np.uint8(200)).tolist() == [-1]
    assert refquant.arange(np.uint8(0), np.uint8(250), np.uint8(200)).tolist() == [0, 200]
    assert refquant.arange(0, np.float32(1), 1e308).tolist() == [0.0]
    x = refquant.ones(2, dtype=refquant.int64)
    assert refquant.add(x, np.uint8(100), alpha=np.uint8(200)).tolist() == [20001, 20001]


def test_conversion():
    x = refquant.tensor([1.7, -1.7, 300.0])
    assert x.long().tolist() == [1, -1, 300]
    assert x.int().dtype is refquant.int32
    assert x.bool().tolist() == [True, True, True]
    assert x.double().half().float().dtype is refquant.float32
    assert x.to(refquant.float32) is x
    assert x.to("cpu") is x
    assert x.to(refquant.float32, copy=True) is not x
    assert x.to(refquant.zeros(1, dtype=refquant.int64)).dtype is refquant.int64
    assert x.type_as(refquant.zeros(1, dtype=refquant.int16)).dtype is refquant.int16
    with pytest.raises(NotImplementedError):
        x.to("cuda")
    with pytest.raises(RefquantError):
        x.to(refquant.quint8)


def test_integer_arithmetic():
    a = refquant.tensor([7, -7])
    assert (a / 2).tolist() == [3.5, -3.5]
    assert (a / 2).dtype is refquant.float32
    assert (a // 2).tolist() == [3, -4]
    assert refquant.div(a, 2, rounding_mode="trunc").tolist() == [3, -3]
    assert (a % 3).tolist() == [1, 2]
    assert (a * 0.5).dtype is refquant.float32
    assert (a.to(refquant.uint8) + 300).tolist() == [51, 37]
    assert a.sum().item() == 0
    assert a.to(refquant.int8).sum().dtype is refquant.int64
    assert (refquant.tensor([True, False]) + refquant.tensor([True, True])).tolist() == [True, True]


def test_float16_sums_do_not_overflow_on_the_way():
    x = refquant.full((4,), 60000.0, dtype=refquant.float16)
    assert x.mean().item() == 60000.0
    assert (x - x / 2 - x / 2).sum().item() == 0.0


def test_numpy_arrays_beside_tensors():
    x, y = refquant.tensor([1.0, 2.0]), np.array([3.0, 4.0], np.float32)
    assert (x + y).tolist() == (y + x).tolist() == [4.0, 6.0]
    assert isinstance(y + x, refquant.Tensor)
    assert isinstance(np.float32(2) * x, refquant.Tensor)
    assert nn.Linear(2, 1)(y[None]).shape == (1, 1)
    assert nn.BatchNorm1d(2).eval()(y[None]).shape == (1, 2)
    with pytest.raises(RefquantError, match="float32"):
        x + y.astype(np.float64)
    with pytest.raises(TypeError):
        x + "1"
    assert (x == "1") is False


def test_comparisons():
    x = refquant.tensor([1.0, NAN, 3.0])
    assert (x > 1).tolist() == [False, False, True]
    assert (x != x).tolist() == [False, True, False]
    assert (x >= 1).tolist() == [True, False, True]
    assert not refquant.equal(x, x)
    assert not refquant.equal(refquant.zeros(2), refquant.zeros(2, 1))
    assert refquant.allclose(x, x, equal_nan=True)
    assert x.isnan().tolist() == [False, True, False]
    assert (~(x > 2) & (x == x)).tolist() == [True, False, False]
    assert refquant.isfinite(refquant.tensor([INF, 1.0])).tolist() == [False, True]
    assert [i.tolist() for i in refquant.where(x > 0)] == [[0, 2]]
    with pytest.raises(RefquantError):
        bool(x > 1)


def test_order():
    x = refquant.tensor([2.0, NAN, 2.0, 1.0, 3.0])
    assert x.argmax().item() == 1
    values, indices = refquant.sort(refquant.tensor([3, 1, 3, 1]), descending=True)
    assert (values.tolist(), indices.tolist()) == ([3, 3, 1, 1], [0, 2, 1, 3])
    assert refquant.sort(x).indices.tolist() == [3, 0, 2, 4, 1]
    assert refquant.sort(x, descending=True).indices.tolist() == [1, 4, 0, 2, 3]
    assert refquant.topk(refquant.tensor([1, 5, 5, 2]), 3).indices.tolist() == [1, 2, 3]
    assert refquant.topk(refquant.tensor([1, 5, 5, 2]), 2, largest=False).values.tolist() == [1, 2]
    with pytest.raises(RuntimeError):
        refquant.topk(refquant.tensor([1]), 2)
    assert refquant.median(refquant.tensor([4, 1, 3, 2])).item() == 2
    assert refquant.tensor([[1, 5], [7, 2]]).min(1).values.tolist() == [1, 2]
    assert refquant.tensor(3.0).max(0).indices.item() == 0


def test_copy_and_fill():
    x = refquant.zeros(2, 2, dtype=refquant.int64)
    assert x.copy_(refquant.tensor([1.9, -1.9])) is x
    assert x.tolist() == [[1, -1], [1, -1]]
    assert x.fill_(7).zero_().tolist() == [[0, 0], [0, 0]]
    x.view(-1)[:3].add_(2)
    assert x.resize_(5).tolist() == [2, 2, 2, 0, 0]
    y = refquant.zeros(2, 3, 2, 2).contiguous(memory_format=refquant.channels_last)
    assert y.clone().stride() == y.stride()
    assert y.clone(memory_format=refquant.contiguous_format).is_contiguous()
    q = refquant.quantize_per_tensor(refquant.ones(2), 0.5, 3, refquant.quint8)
    with pytest.raises(RuntimeError, match="dequantize"):
        refquant.zeros(2).copy_(q)
    with pytest.raises(RuntimeError):
        x.add_(1.5)
    with pytest.raises(RuntimeError):
        refquant.zeros(2).add_(refquant.zeros(3, 2))
    with pytest.raises(RuntimeError):
        refquant.zeros(2).copy_(refquant.zeros(3))
    leaf = refquant.zeros(2, requires_grad=True)
    for change in (lambda: leaf.add_(1), lambda: leaf.__setitem__(0, 1), lambda: leaf.fill_(1)):
        with pytest.raises(RuntimeError, match="leaf"):
            change()
    with refquant.no_grad():
        leaf.add_(1)
    leaf.data.mul_(3)
    assert leaf.tolist() == [3.0, 3.0]


def test_joining():
    a, b = refquant.tensor([1]), refquant.tensor([2.5])
    assert refquant.cat([a, b]).tolist() == [1.0, 2.5]
    assert refquant.cat([refquant.zeros(0), refquant.ones(1, 2)], 1).shape == (1, 2)
    last = refquant.ones(1, 2, 2, 2).contiguous(memory_format=refquant.channels_last)
    assert refquant.cat([last, last], 1).is_contiguous(memory_format=refquant.channels_last)
    for wrong in (
        lambda: refquant.cat([]),
        lambda: refquant.cat([a, refquant.ones(1, 2)]),
        lambda: refquant.cat(a),
        lambda: refquant.stack([a, refquant.ones(2)]),
        lambda: nn.functional.pad(a, (1,)),
        lambda: nn.functional.pad(a, (1, 1), "reflect"),
    ):
        with pytest.raises(RefquantError):
            wrong()


def test_packed_sequences():
    x = refquant.tensor([[1, 2, 0], [3, 0, 0], [4, 5, 6]])
    packed = rnn.pack_padded_sequence(x, [2, 1, 3], batch_first=True, enforce_sorted=False)
    assert packed.data.tolist() == [4, 1, 3, 5, 2, 6]
    assert packed.batch_sizes.tolist() == [3, 2, 1]
    again, lengths = rnn.pad_packed_sequence(packed, batch_first=True)
    assert again.tolist() == x.tolist()
    assert lengths.tolist() == [2, 1, 3]
    longer, _ = rnn.pad_packed_sequence(packed, padding_value=-1, total_length=4)
    assert longer[:, 1].tolist() == [3, -1, -1, -1]
    assert rnn.pack_sequence([refquant.tensor([1, 2]), refquant.tensor([3])]).data.tolist() == [
        1,
        3,
        2,
    ]


def test_clipped_gradients():
    p = refquant.tensor([3.0, 4.0], requires_grad=True)
    (p * p / 2).sum().backward()
    assert nn.utils.clip_grad_norm_([p], 1.0).item() == 5.0
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.8], rtol=1e-5)
    nn.utils.clip_grad_value_([p], 0.7)
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.7], rtol=1e-5)


def test_initialization():
    refquant.manual_seed(0)
    w = refquant.empty(30, 20, 2, 2)
    for fill, deviation in (
        (nn.init.kaiming_normal_, math.sqrt(2 / 80)),
        (nn.init.xavier_normal_, math.sqrt(2 / 200)),
        (nn.init.xavier_uniform_, math.sqrt(2 / 200)),
        (nn.init.kaiming_uniform_, math.sqrt(2 / 80)),
    ):
        assert fill(w) is w
        assert w.std().item() == pytest.approx(deviation, rel=0.1)
    q = nn.init.orthogonal_(refquant.empty(3, 5))
    np.testing.assert_allclose((q @ q.t()).numpy(), np.eye(3), atol=1e-6)
    assert nn.init.eye_(refquant.empty(2, 2)).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert nn.init.calculate_gain("leaky_relu", 1.0) == 1.0
    for wrong in (
        lambda: nn.init.kaiming_normal_(refquant.empty(3)),
        lambda: nn.init.calculate_gain("sine"),
        lambda: nn.init.kaiming_normal_(w, mode="fan"),
    ):
        with pytest.raises(RefquantError):
            wrong()


def test_convolution_by_hand():
    x = refquant.arange(9.0).reshape(1, 1, 3, 3)
    w = refquant.tensor([[[[1.0, 0.0], [0.0, -1.0]]]])
    assert nn.functional.conv2d(x, w).tolist() == [[[[-4.0, -4.0], [-4.0, -4.0]]]]
    one = nn.functional.conv2d(x, w, refquant.tensor([1.0]), stride=2, padding=1)
    assert one.tolist() == [[[[1.0, -1.0], [-5.0, -3.0]]]]
    assert nn.functional.conv2d(x[0], w).shape == (1, 2, 2)
    assert nn.functional.conv2d(refquant.zeros(0, 1, 3, 3), w).shape == (0, 1, 2, 2)


def test_pooling_by_hand():
    x = refquant.arange(9.0).reshape(1, 1, 3, 3)
    assert nn.functional.max_pool2d(x, 2).tolist() == [[[[4.0]]]]
    assert nn.functional.max_pool2d(x, 2, ceil_mode=True).tolist() == [[[[4.0, 5.0], [7.0, 8.0]]]]
    _, indices = nn.functional.max_pool2d(x, 2, 1, return_indices=True)
    assert indices.tolist() == [[[[4, 5], [7, 8]]]]
    assert nn.functional.avg_pool2d(x, 3, 2, 1).tolist()[0][0][0][0] == pytest.approx(8 / 9)
    inner = nn.functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    assert inner.tolist()[0][0] == [[2.0, 3.0], [5.0, 6.0]]
    assert nn.functional.adaptive_avg_pool2d(x, (1, None)).tolist() == [[[[3.0, 4.0, 5.0]]]]
    big = refquant.tensor([[[[INF, 1.0], [2.0, 3.0]]]])
    assert nn.functional.adaptive_avg_pool2d(big, 2).tolist() == big.tolist()


def test_devices_and_transposition():
    x = refquant.zeros(2, 3, 4, device=refquant.device("cpu"))
    assert x.device == "cpu"
    assert x.T.shape == (4, 3, 2)
    assert refquant.is_tensor(x)
    assert not refquant.is_tensor(x.array)
    with pytest.raises(NotImplementedError):
        refquant.device("cuda")


@pytest.mark.parametrize(
    ("dtype", "number"),
    [
        ("float32", 1e300),
        ("uint8", 256),
        ("uint8", -256),
        ("uint8", -1.5),
        ("uint8", np.nan),
        ("int8", 128),
        ("int64", 2**63),
        ("int64", np.inf),
    ],
)
def test_thresholds_that_a_dtype_does_not_hold_are_rejected(dtype, number):
    x = refquant.ones(2).to(getattr(refquant, dtype))
    with pytest.raises(RefquantError, match=f"`value`.*a number that {dtype} holds"):
        refquant.threshold(x, 1, number)
    with pytest.raises(RefquantError, match=f"`threshold`.*a number that {dtype} holds"):
        refquant.threshold(x, number, 1)


def test_thresholds_keep_nan_and_whole_numbers():
    x = refquant.tensor([np.nan, 1.0, -1.0])
    assert np.array_equal(refquant.threshold(x, 0, 5).numpy(), [np.nan, 1, 5], equal_nan=True)
    assert refquant.threshold(x, np.nan, 5).tolist()[1:] == [1, -1]
    assert refquant.threshold(refquant.arange(2), 0, 2**62 + 1).tolist() == [2**62 + 1, 1]
    assert refquant.threshold(refquant.ones(1).to(refquant.uint8), 1, -1).tolist() == [255]


def test_slopes_that_overflow_give_infinity_silently():
    x = refquant.full((2,), -3e38, requires_grad=True)
    y = nn.functional.prelu(x, refquant.tensor([3e38]))
    y.sum().backward()
    assert y.tolist() == [-INF, -INF]
    assert x.grad.tolist() == pytest.approx([3e38] * 2)
