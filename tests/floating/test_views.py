"""Views of quantized tensors: storage is shared, the quantizer stays, channels are followed."""

import numpy as np
import pytest

import refquant
from refquant.errors import OperationError, QuantizerError, RefquantError, ShapeError

SCALES = np.array([0.1, 0.2, 0.4, 0.8])
POINTS = np.array([0, 1, -2, 3])


@pytest.fixture
def q():
    """Quantized per channel along dimension 1 of (2, 4, 3); the integers are 0, 1, 2, ..."""
    ints = np.arange(24).reshape(2, 4, 3)
    real = (ints - POINTS[:, None]) * SCALES[:, None]
    made = refquant.quantize_per_channel(
        refquant.from_numpy(real.astype(np.float32)),
        refquant.from_numpy(SCALES),
        refquant.from_numpy(POINTS),
        1,
        refquant.qint8,
    )
    assert made.int_repr().tolist() == ints.tolist()
    return made


VIEWS = {
    "view": (lambda t: t.view(1, 2, 4, 3), 2),
    "split behind": (lambda t: t.view(2, 4, 3, 1), 1),
    "reshape": (lambda t: t.reshape(2, 4, -1), 1),
    "flatten": (lambda t: t.flatten(2), 1),
    "permute": (lambda t: t.permute(1, 2, 0), 0),
    "transpose": (lambda t: t.transpose(1, 2), 2),
    "movedim": (lambda t: refquant.movedim(t, 0, 2), 0),
    "select before": (lambda t: t[0], 0),
    "select behind": (lambda t: t.select(-1, 1), 1),
    "slice": (lambda t: t[1:, :, ::2], 1),
    "slice of channels": (lambda t: t[:, 1:4:2], 1),
    "channels from the end": (lambda t: t[..., -2:, :], 1),
    "new dimensions": (lambda t: t[None, 0, None, 2:], 2),
    "narrow": (lambda t: t.narrow(1, 2, 2), 1),
    "unsqueeze before": (lambda t: t.unsqueeze(1), 2),
    "unsqueeze behind": (lambda t: t.unsqueeze(-1), 1),
    "squeeze": (lambda t: t[:1].squeeze(0), 0),
    "expand": (lambda t: t[:1].expand(5, 4, 3), 1),
    "expand in front": (lambda t: t.expand(3, 2, 4, 3), 2),
    "expand one channel": (lambda t: t[:, 2:3].expand(2, 5, 3), 1),
    "split": (lambda t: t.split(3, 1)[1], 1),
    "unbind": (lambda t: t.unbind(0)[1], 0),
    "contiguous": (lambda t: t.transpose(0, 2).contiguous(), 1),
}


@pytest.mark.parametrize("name", VIEWS)
def test_channels_are_followed(q, name):
    view, axis = VIEWS[name]
    made = view(q)
    assert made.q_per_channel_axis() == axis
    assert made.q_per_channel_scales().shape == (made.shape[axis],)
    # A view of the real numbers is the real numbers of the view.
    real, want = made.dequantize(), view(q.dequantize())
    assert real.tolist() == want.tolist()
    assert made.int_repr().tolist() == view(q.int_repr()).tolist()


@pytest.mark.parametrize(
    "lose",
    [
        lambda t: t.flatten(),
        lambda t: t.view(8, 3),
        lambda t: t.view(2, 2, 2, 3),
        lambda t: t[:, 0],
        lambda t: t.select(1, -1),
        lambda t: t.unbind(1),
        lambda t: t[:, 1:2].squeeze(),
        lambda t: t.as_strided((2, 2), (1, 1)),
        lambda t: t[[0, 1]],
    ],
)
def test_losing_the_channels_is_an_error_that_says_how_to_fix_it(q, lose):
    with pytest.raises(QuantizerError) as caught:
        lose(q)
    assert caught.value.hint


def test_one_channel_as_a_slice(q):
    part = q[:, 2:3]
    assert part.q_per_channel_scales().tolist() == [0.4]
    assert part.q_per_channel_zero_points().tolist() == [-2]


def test_views_share_storage():
    q = refquant.quantize_per_tensor(refquant.zeros(2, 3, 4), 0.5, 10, refquant.quint8)
    for view in (
        q.view(6, 4),
        q.t if False else q.transpose(0, 1),
        q[1],
        q.unsqueeze(0),
        q.expand(2, 2, 3, 4),
        q.as_strided((3, 2), (1, 4)),
        q.flatten(),
    ):
        assert np.shares_memory(view.array, q.array)
        assert (view.q_scale(), view.q_zero_point()) == (0.5, 10)
    x = refquant.zeros(2, 2)
    x[0][1] = 3
    x.view(-1)[0] = 4
    assert x.tolist() == [[4.0, 3.0], [0.0, 0.0]]


def test_assignment_quantizes():
    q = refquant.quantize_per_tensor(refquant.zeros(2, 3), 0.5, 10, refquant.quint8)
    q[0] = refquant.tensor([1.0, 2.0, 1e9])
    q[1, 1:] = 3.0
    assert q.int_repr().tolist() == [[12, 14, 255], [10, 16, 16]]


def test_view_says_when_strides_do_not_allow_it():
    x = refquant.zeros(3, 4).t()
    with pytest.raises(ShapeError, match="reshape"):
        x.view(12)
    assert x.reshape(12).shape == (12,)
    assert x.view(2, 2, 3).shape == (2, 2, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x.view(5),
        lambda x: x.view(-1, -1),
        lambda x: x.view(-2, 6),
        lambda x: x.reshape(0, -1),
        lambda x: x.permute(0, 0),
        lambda x: x.permute(0),
        lambda x: x.transpose(0, 2),
        lambda x: x.unsqueeze(4),
        lambda x: x.expand(2, 4),
        lambda x: x.expand(3),
        lambda x: x.as_strided((5, 5), (1, 1)),
        lambda x: x.as_strided((2,), (-1,)),
        lambda x: x.as_strided((2,), (1,), -1),
        lambda x: x.flatten(1, 0),
        lambda x: x.narrow(0, 1, 2),
        lambda x: x.split([1, 1], 1),
        lambda x: x.chunk(0),
        lambda x: x.select(0, 2),
        lambda x: x[2],
        lambda x: x[0, 0, 0],
        lambda x: x[::-1],
        lambda x: x[1.5],
        lambda x: x[[5]],
        lambda x: x.contiguous(memory_format=refquant.channels_last),
        lambda x: x.__setitem__(0, refquant.zeros(4)),
        lambda x: refquant.zeros(2, 2, 2).t(),
    ],
)
def test_errors(wrong):
    with pytest.raises(RefquantError):
        wrong(refquant.zeros(2, 3))


def test_index_errors_are_index_errors():
    with pytest.raises(IndexError):
        refquant.zeros(2)[2]
    assert [int(v) for v in refquant.tensor([1, 2])] == [1, 2]


@pytest.mark.torch
@pytest.mark.parametrize("seed", range(30))
def test_strides_are_those_of_torch(torch, seed):
    rng = np.random.default_rng(seed)
    array = np.zeros(tuple(rng.integers(1, 5, size=4)), np.float32)
    mine, theirs = refquant.from_numpy(array), torch.from_numpy(array)
    for _ in range(4):
        step = rng.integers(6)
        if step == 0:
            order = tuple(int(v) for v in rng.permutation(mine.dim()))
            mine, theirs = mine.permute(order), theirs.permute(order)
        elif step == 1:
            dim = int(rng.integers(mine.dim() + 1))
            mine, theirs = mine.unsqueeze(dim), theirs.unsqueeze(dim)
        elif step == 2 and mine.dim() == 4:
            mine = mine.contiguous(memory_format=refquant.channels_last)
            theirs = theirs.contiguous(memory_format=torch.channels_last)
        elif step == 3 and mine.dim() > 2:
            mine, theirs = mine[0], theirs[0]
        elif step == 4:
            mine, theirs = mine[..., ::2], theirs[..., ::2]
        assert mine.stride() == theirs.stride()
        assert mine.is_contiguous() == theirs.is_contiguous()
        assert mine.storage_offset() == theirs.storage_offset()


def test_empty_and_zero_dimensional():
    x = refquant.zeros(0, 3)
    assert x.reshape(3, 0).shape == (3, 0)
    assert x.sum().item() == 0
    assert refquant.tensor(3.0).view(1, 1).shape == (1, 1)
    assert refquant.tensor(3.0).flatten().shape == (1,)
    assert refquant.tensor([[3.0]]).squeeze().shape == ()
    with pytest.raises(OperationError):
        refquant.zeros(0).max()
