"""Samplers: the order in which the items of a data set are drawn."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError, ArgumentTypeError, NotSupportedError
from refquant.ops.floating.generator import Generator, source
from refquant.ops.floating.random import randint, randperm
from refquant.ops.floating.sampling import multinomial
from refquant.tensors import Tensor

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

Number = TypeVar("Number", covariant=True)


def drawn_seed(generator: Generator | None) -> int:
    """Draw a number of 64 bits from 0 on, as PyTorch does for the seed of a generator."""
    return Tensor(np.empty((), np.int64)).random_(generator=generator).item()


def _counted(value: Any) -> Any:
    if not hasattr(value, "__len__"):
        raise ArgumentTypeError(
            argument="data_source",
            expected="a data set with a length",
            got=arguments.describe(value),
        )
    return value


class Sampler(Generic[Number]):
    """Base class: something that is iterated over, and gives numbers of items.

    Parameters
    ----------
    data_source : Dataset, optional
        Not used.

    Examples
    --------
    >>> from refquant.utils.data import Sampler, SequentialSampler
    >>> isinstance(SequentialSampler("abc"), Sampler)
    True
    """

    def __init__(self, data_source: Any = None) -> None:
        """Do nothing; as in PyTorch, to be called or not."""

    def __iter__(self) -> Iterator[Number]:
        raise NotSupportedError(f"{type(self).__name__} has no order", hint="define __iter__(self)")


class SequentialSampler(Sampler[int]):
    """All items in their order.

    Parameters
    ----------
    data_source : Dataset
        With a length.

    Examples
    --------
    >>> from refquant.utils.data import SequentialSampler
    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Any) -> None:
        self.data_source = _counted(data_source)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """All items in random order, or random items.

    Parameters
    ----------
    data_source : Dataset
        With a length.
    replacement : bool, default False
        Whether an item can be drawn several times.
    num_samples : int, optional
        How many are drawn; as many as there are items by default.
    generator : Generator, optional
        Source of the numbers; by default one that is seeded from the default one each time.

    Examples
    --------
    >>> import refquant
    >>> from refquant.utils.data import RandomSampler
    >>> _ = refquant.manual_seed(0)
    >>> list(RandomSampler("abcd"))
    [2, 3, 0, 1]
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source = _counted(data_source)
        self.replacement = arguments.switch("replacement", replacement)
        if num_samples is not None:
            num_samples = arguments.integer("num_samples", num_samples, 1)
        elif not len(self.data_source):
            raise ArgumentError(
                argument="data_source", expected="at least one item to draw", got="none"
            )
        self._num_samples = num_samples
        if generator is not None:
            source(generator)
        self.generator = generator

    @property
    def num_samples(self) -> int:
        """How many items are drawn."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n, count, generator = len(self.data_source), self.num_samples, self.generator
        if generator is None:
            generator = Generator().manual_seed(drawn_seed(None))
        if self.replacement:
            for _ in range(count // 32):
                yield from randint(n, size=(32,), generator=generator).tolist()
            yield from randint(n, size=(count % 32,), generator=generator).tolist()
        elif n:  # a source may be emptied between epochs
            for _ in range(count // n):
                yield from randperm(n, generator=generator).tolist()
            yield from randperm(n, generator=generator).tolist()[: count % n]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Given numbers in random order.

    Parameters
    ----------
    indices : sequence of int
        Numbers of items.
    generator : Generator, optional
        Source of the numbers; by default the one that `refquant.manual_seed` starts.

    Examples
    --------
    >>> import refquant
    >>> from refquant.utils.data import SubsetRandomSampler
    >>> sorted(SubsetRandomSampler([7, 3, 5]))
    [3, 5, 7]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = _counted(indices)
        if generator is not None:
            source(generator)
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for number in randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[number]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Items with probabilities in the ratio of weights.

    Parameters
    ----------
    weights : sequence of float
        One for each item.
    num_samples : int
        How many are drawn.
    replacement : bool, default True
        Whether an item can be drawn several times.
    generator : Generator, optional
        Source of the numbers; by default the one that `refquant.manual_seed` starts.

    Examples
    --------
    >>> from refquant.utils.data import WeightedRandomSampler
    >>> list(WeightedRandomSampler([0.0, 1.0], 3))
    [1, 1, 1]
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        given = weights.array if isinstance(weights, Tensor) else weights
        self.weights = Tensor(np.array(arguments.numbers("weights", given), np.float64))
        self.num_samples = arguments.integer("num_samples", num_samples, 1)
        self.replacement = arguments.switch("replacement", replacement)
        if generator is not None:
            source(generator)
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        drawn = multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        )
        yield from drawn.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The numbers of another sampler in lists.

    Parameters
    ----------
    sampler : Sampler or iterable
        Gives numbers.
    batch_size : int
        How many a list has.
    drop_last : bool
        Whether a last list that is shorter is left out.

    Examples
    --------
    >>> from refquant.utils.data import BatchSampler
    >>> list(BatchSampler(range(5), 2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        self.sampler = arguments.iterable("sampler", sampler)
        self.batch_size = arguments.integer("batch_size", batch_size, 1)
        self.drop_last = arguments.switch("drop_last", drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        numbers = iter(self.sampler)
        while batch := list(itertools.islice(numbers, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]
        return whole + (rest > 0 and not self.drop_last)
