"""Loading data: the items, their order and the batches that PyTorch makes of the same seed."""

import collections

import numpy as np
import pytest

import refquant
from refquant.errors import ArgumentError, RefquantError
from refquant.utils import data

Pair = collections.namedtuple("Pair", "x y")


class Squares(data.Dataset):
    def __init__(self, count):
        self.count = count

    def __getitem__(self, index):
        return index, float(index) ** 2

    def __len__(self):
        return self.count


class Stream(data.IterableDataset):
    def __iter__(self):
        return iter(range(5))


def loaders(T):
    """Loaders of every kind, by what they show."""
    D = T.utils.data
    items = D.TensorDataset(T.arange(103).float(), T.arange(103))
    yield D.DataLoader(items, batch_size=8)
    yield D.DataLoader(items, batch_size=8, shuffle=True)
    yield D.DataLoader(items, batch_size=8, shuffle=True, drop_last=True)
    yield D.DataLoader(items, batch_size=None, shuffle=True)
    yield D.DataLoader(items, 7, sampler=D.RandomSampler(items, True, 77))
    yield D.DataLoader(items, 7, sampler=D.RandomSampler(items, num_samples=150))
    yield D.DataLoader(items, 7, sampler=D.WeightedRandomSampler([1.0, 2, 3, 4], 20))
    yield D.DataLoader(items, 7, sampler=D.WeightedRandomSampler([1.0, 2, 3, 4], 3, False))
    yield D.DataLoader(items, 7, sampler=D.SubsetRandomSampler(list(range(30))))
    yield D.DataLoader(items, 9, shuffle=True, generator=T.Generator().manual_seed(4))
    yield D.DataLoader(items, batch_sampler=D.BatchSampler(D.RandomSampler(items), 5, True))
    yield D.DataLoader(D.ConcatDataset([items, items]), 16, True)


def shown(T):
    """Every batch of two epochs of every loader, and numbers drawn in between."""
    T.manual_seed(3)
    found = []
    for loader in loaders(T):
        found.append(len(loader))
        for _ in range(2):
            found += [[part.numpy().copy() for part in batch] for batch in loader]
            found.append(T.rand(1).item())
    for lengths in ([50, 53], [0.5, 0.3, 0.2], [0.33, 0.33, 0.34]):
        parts = T.utils.data.random_split(range(103), lengths)
        found += [list(part.indices) for part in parts]
    return found


@pytest.mark.torch
def test_batches_are_those_of_pytorch(torch):
    wanted, got = shown(torch), shown(refquant)
    assert len(wanted) == len(got)
    for expected, found in zip(wanted, got, strict=True):
        assert np.array_equal(expected, found)


def test_batches_follow_the_order_of_the_items():
    batches = list(data.DataLoader(Squares(5), batch_size=2))
    assert [batch[0].tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    assert batches[1][1].tolist() == [4.0, 9.0]
    assert batches[1][1].dtype is refquant.float64


def test_every_item_is_drawn_once_an_epoch():
    loader = data.DataLoader(Squares(23), batch_size=4, shuffle=True)
    first, second = ([n for x, _ in loader for n in x.tolist()] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(23))
    assert first != second


@pytest.mark.parametrize(("drop_last", "wanted"), [(False, 3), (True, 2)])
def test_streams_are_cut_into_batches(drop_last, wanted):
    batches = list(data.DataLoader(Stream(), batch_size=2, drop_last=drop_last))
    assert len(batches) == wanted
    assert batches[0].tolist() == [0, 1]


def test_items_are_joined_by_their_structure():
    first = {"x": refquant.ones(2), "n": (1, np.float32(2)), "name": "a", "p": Pair(1, 2)}
    second = {"x": refquant.zeros(2), "n": (3, np.float32(4)), "name": "b", "p": Pair(3, 4)}
    batch = data.default_collate([first, second])
    assert batch["x"].tolist() == [[1, 1], [0, 0]]
    assert [part.tolist() for part in batch["n"]] == [[1, 3], [2, 4]]
    assert batch["name"] == ["a", "b"]
    assert isinstance(batch["p"], Pair)
    assert batch["p"].y.tolist() == [2, 4]


def test_data_sets_are_joined_and_cut():
    joined = Squares(3) + Squares(2)
    assert (len(joined), joined[4], joined[-5]) == (5, (1, 1.0), (0, 0.0))
    part = data.Subset(joined, [4, 0])
    assert (len(part), part[0]) == (2, (1, 1.0))
    assert list(Stream() + Stream())[4:7] == [4, 0, 1]


def test_data_sets_are_stacked():
    stacked = data.StackDataset(Squares(3), ["a", "b", "c"])
    assert (len(stacked), stacked[2]) == (3, ((2, 4.0), "c"))
    assert data.StackDataset(x=[1, 2], y="ab")[1] == {"x": 2, "y": "b"}
    assert data.StackDataset([1, 2], "ab")[:1] == ([1], "a")
    (batch,) = next(iter(data.DataLoader(data.StackDataset([1, 2]), 2)))
    assert batch.tolist() == [1, 2]


class AtOnce(Squares):
    def __getitems__(self, indices):
        return [f"at once {index}" for index in indices if index < self.count]


def test_stacked_data_sets_give_items_at_once_if_they_can():
    loaded = data.DataLoader(data.StackDataset(x=AtOnce(2), y=[5, 6]), 2, collate_fn=list)
    assert list(loaded) == [[{"x": "at once 0", "y": 5}, {"x": "at once 1", "y": 6}]]
    assert data.StackDataset(AtOnce(2), [5, 6]).__getitems__([1]) == [("at once 1", 6)]
    with pytest.raises(ArgumentError, match="another number of items"):
        data.StackDataset(AtOnce(2)).__getitems__([1, 2])


def test_workers_have_no_effect_which_is_said_once():
    from refquant.utils.data import loader

    loader._said.clear()
    with pytest.warns(UserWarning, match="no effect"):
        data.DataLoader(Squares(2), num_workers=2)
    assert len(list(data.DataLoader(Squares(2), num_workers=2))) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: data.DataLoader(Squares(2), batch_size=0),
        lambda: data.DataLoader(Squares(2), shuffle=True, sampler=[0, 1]),
        lambda: data.DataLoader(Squares(2), batch_size=2, batch_sampler=[[0, 1]]),
        lambda: data.DataLoader(Squares(2), batch_size=None, drop_last=True),
        lambda: data.DataLoader(Stream(), shuffle=True),
        lambda: data.DataLoader(3),
        lambda: data.TensorDataset(refquant.ones(2), refquant.ones(3)),
        lambda: data.ConcatDataset([]),
        lambda: data.StackDataset(),
        lambda: data.StackDataset([1], [2, 3]),
        lambda: data.StackDataset([1], y=[2]),
        lambda: data.StackDataset(3),
        lambda: data.StackDataset([1])[1],
        lambda: data.StackDataset([1])[[0]],
        lambda: data.ConcatDataset([Squares(2), Squares(1)])[3],
        lambda: data.random_split(Squares(3), [1, 1]),
        lambda: data.Dataset()[0],
        lambda: data.default_collate([object()]),
        lambda: data.default_collate([[1], [1, 2]]),
    ],
)
def test_what_is_not_valid_is_rejected(make):
    with pytest.raises(RefquantError):
        make()
