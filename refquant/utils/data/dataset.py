"""Data sets: of tensors, joined, and in part."""

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from refquant import arguments
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    IndexRangeError,
    NotSupportedError,
    ShapeError,
)
from refquant.ops.floating.generator import Generator
from refquant.ops.floating.random import randperm
from refquant.tensors import Tensor

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]

Item = TypeVar("Item", covariant=True)


class Dataset(Generic[Item]):
    """Base class of data sets whose items have numbers.

    Examples
    --------
    >>> from refquant.utils.data import Dataset
    >>> class Squares(Dataset):
    ...     def __getitem__(self, index):
    ...         return index * index
    ...     def __len__(self):
    ...         return 5
    >>> (Squares() + Squares())[8]
    9
    """

    def __getitem__(self, index: Any) -> Item:
        raise NotSupportedError(
            f"{type(self).__name__} has no items", hint="define __getitem__(self, index)"
        )

    def __add__(self, other: "Dataset[Any]") -> "Dataset[Any]":
        return ConcatDataset([self, other])


class IterableDataset(Dataset[Item]):
    """Base class of data sets that are only iterated over.

    Examples
    --------
    >>> from refquant.utils.data import DataLoader, IterableDataset
    >>> class Stream(IterableDataset):
    ...     def __iter__(self):
    ...         return iter(range(3))
    >>> list(DataLoader(Stream(), batch_size=2))
    [tensor([0, 1]), tensor([2])]
    """

    def __iter__(self) -> Iterator[Item]:
        raise NotSupportedError(f"{type(self).__name__} has no items", hint="define __iter__(self)")

    def __add__(self, other: Dataset[Any]) -> Dataset[Any]:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Items that are the rows of tensors.

    Parameters
    ----------
    *tensors : Tensor
        Of the same first extent.

    Examples
    --------
    >>> import refquant
    >>> from refquant.utils.data import TensorDataset
    >>> data = TensorDataset(refquant.arange(3), refquant.arange(3) * 10)
    >>> data[1]
    (tensor(1), tensor(10))
    >>> len(data)
    3
    """

    def __init__(self, *tensors: Tensor) -> None:
        for number, tensor in enumerate(tensors):
            arguments.instance(f"tensors[{number}]", tensor, Tensor, "a tensor")
            if tensor.dim() == 0 or tensor.shape[0] != tensors[0].shape[0]:
                raise ShapeError(
                    argument=f"tensors[{number}]",
                    expected="as many rows as the first tensor has",
                    got=f"shape {tuple(tensor.shape)}",
                )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0]) if self.tensors else 0


class StackDataset(Dataset[Any]):
    """Items that are made of one item of each of several data sets.

    Parameters
    ----------
    *args : Dataset
        Of one length; items are tuples.
    **kwargs : Dataset
        In place of `args`; items are dicts.

    Examples
    --------
    >>> from refquant.utils.data import StackDataset
    >>> StackDataset([1, 2], "ab")[1]
    (2, 'b')
    >>> StackDataset(x=[1, 2], y="ab")[0]
    {'x': 1, 'y': 'a'}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ArgumentError(
                argument="args",
                expected="data sets, all with names or all without",
                got="both" if args else "none",
            )
        self.datasets: tuple[Any, ...] | dict[str, Any] = args or kwargs
        several = kwargs or {f"args[{number}]": dataset for number, dataset in enumerate(args)}
        for dataset_name, dataset in several.items():
            _check_length(dataset_name, dataset)
        self._length = len(next(iter(several.values())))
        for dataset_name, dataset in several.items():
            if len(dataset) != self._length:
                raise ArgumentError(
                    argument=dataset_name,
                    expected=f"of {self._length} items, as the first data set is",
                    got=len(dataset),
                )

    def __getitem__(self, index: Any) -> Any:
        place = index if isinstance(index, list | slice) else _place(index, self._length)
        if isinstance(self.datasets, dict):
            return {name: _at(dataset, place) for name, dataset in self.datasets.items()}
        return tuple(_at(dataset, place) for dataset in self.datasets)

    def __getitems__(self, indices: Sequence[Any]) -> list[Any]:
        """Return several items, which a loader asks for at once."""
        if isinstance(self.datasets, dict):
            columns = [_items(dataset, indices) for dataset in self.datasets.values()]
            return [
                dict(zip(self.datasets, row, strict=True)) for row in zip(*columns, strict=True)
            ]
        columns = [_items(dataset, indices) for dataset in self.datasets]
        return list(zip(*columns, strict=True))

    def __len__(self) -> int:
        return self._length


def _items(dataset: Any, indices: Sequence[Any]) -> list[Any]:
    """Return items of a data set, at once if it can."""
    together = getattr(dataset, "__getitems__", None)
    if together is None:
        return [dataset[index] for index in indices]
    items = list(together(indices))
    if len(items) != len(indices):
        raise ArgumentError(
            f"{type(dataset).__name__}.__getitems__ returns another number of items",
            expected=f"{len(indices)}",
            got=len(items),
        )
    return items


def _check_length(argument: str, dataset: Any) -> None:
    if not hasattr(dataset, "__len__"):
        raise ArgumentTypeError(
            argument=argument, expected="a data set with a length", got=arguments.describe(dataset)
        )


def _sets(datasets: Any) -> list[Any]:
    found = arguments.sequence("datasets", datasets, "data sets")
    if not found:
        raise ArgumentError(argument="datasets", expected="at least one data set", got="none")
    return found


def _place(index: Any, length: int) -> int:
    """Check the number of an item; negative ones count from the end."""
    place = arguments.integer("index", index)
    if not -length <= place < length:
        raise IndexRangeError(
            argument="index", expected=arguments.between(-length, length - 1), got=place
        )
    return place % length


def _at(dataset: Any, place: Any) -> Any:
    """Return the item at a place that was checked, or what a data set has for a list or slice."""
    if isinstance(place, int):
        return dataset[place]
    try:
        return dataset[place]
    except TypeError as error:
        raise ArgumentTypeError(
            argument="index",
            expected="a number, as the data set takes no list",
            got=arguments.describe(place),
        ) from error


class ConcatDataset(Dataset[Item]):
    """Data sets one after the other.

    Parameters
    ----------
    datasets : iterable of Dataset
        With items that have numbers.

    Examples
    --------
    >>> from refquant.utils.data import ConcatDataset
    >>> data = ConcatDataset([[1, 2], [3]])
    >>> len(data), data[2], data[-3]
    (3, 3, 1)
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = _sets(datasets)
        for dataset in self.datasets:
            if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__len__"):
                raise ArgumentTypeError(
                    argument="datasets",
                    expected="data sets that have a length",
                    got=arguments.describe(dataset),
                    hint="use ChainDataset",
                )
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Item:
        index = _place(index, len(self))
        number = bisect.bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[number - 1] if number else 0
        return self.datasets[number][index - before]


class ChainDataset(IterableDataset[Item]):
    """Iterable data sets one after the other.

    Parameters
    ----------
    datasets : iterable of IterableDataset
        What is iterated over.

    Examples
    --------
    >>> from refquant.utils.data import ChainDataset
    >>> list(ChainDataset([[1, 2], [3]]))
    [1, 2, 3]
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = _sets(datasets)

    def __iter__(self) -> Iterator[Item]:
        return itertools.chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self.datasets)


class Subset(Dataset[Item]):
    """Some items of a data set.

    Parameters
    ----------
    dataset : Dataset
        The whole.
    indices : sequence of int
        Numbers of the items.

    Examples
    --------
    >>> from refquant.utils.data import Subset
    >>> Subset([10, 11, 12, 13], [3, 1])[0]
    13
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        if not hasattr(dataset, "__getitem__"):
            raise ArgumentTypeError(
                argument="dataset", expected="a data set", got=arguments.describe(dataset)
            )
        if not (hasattr(indices, "__getitem__") and hasattr(indices, "__len__")):
            arguments.sequence("indices", indices, "numbers of items")
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Item:
        if isinstance(index, list):
            return _at(self.dataset, [self.indices[_place(i, len(self))] for i in index])
        return self.dataset[self.indices[_place(index, len(self))]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Any, lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset[Any]]:
    """Split a data set at random into parts that do not overlap.

    Parameters
    ----------
    dataset : Dataset
        The whole.
    lengths : sequence of int, or of float
        How many items each part has, or which fractions whose sum is 1; what is left over by
        rounding down goes to the first parts.
    generator : Generator, optional
        Source of the numbers; by default the one that `refquant.manual_seed` starts.

    Returns
    -------
    list of Subset

    Examples
    --------
    >>> import refquant
    >>> from refquant.utils.data import random_split
    >>> _ = refquant.manual_seed(0)
    >>> [part.indices for part in random_split(range(5), [0.6, 0.4])]
    [[4, 0, 1], [3, 2]]
    """
    _check_length("dataset", dataset)
    numbers = [
        arguments.real(f"lengths[{i}]", v, 0)
        for i, v in enumerate(arguments.sequence("lengths", lengths, "numbers"))
    ]
    total = len(dataset)
    if math.isclose(sum(numbers), 1) and sum(numbers) <= 1:
        counts = [math.floor(total * fraction) for fraction in numbers]
        for number in range(total - sum(counts)):
            counts[number % len(counts)] += 1
    else:
        counts = [int(number) for number in numbers]
    if sum(counts) != total or not counts:
        raise ArgumentError(
            argument="lengths",
            expected=f"numbers whose sum is {total}, or fractions whose sum is 1",
            got=arguments.describe(lengths),
        )
    order = randperm(total, generator=generator).tolist()
    ends = itertools.accumulate(counts)
    return [Subset(dataset, order[end - n : end]) for end, n in zip(ends, counts, strict=True)]
