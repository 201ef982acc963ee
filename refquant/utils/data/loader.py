"""The loader: batches of the items of a data set."""

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from refquant import arguments
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.ops.floating.generator import Generator, source
from refquant.utils.data.collate import default_collate, default_convert
from refquant.utils.data.dataset import IterableDataset
from refquant.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    drawn_seed,
)

__all__ = ["DataLoader", "get_worker_info"]

Batch = TypeVar("Batch", covariant=True)
_said: set[str] = set()


def get_worker_info() -> None:
    """Return None: there are no worker processes.

    Returns
    -------
    None

    Examples
    --------
    >>> from refquant.utils.data import get_worker_info
    >>> print(get_worker_info())
    None
    """


class DataLoader(Generic[Batch]):
    """Batches of the items of a data set, made in the calling thread.

    Parameters
    ----------
    dataset : Dataset, IterableDataset or sequence
        Where items come from.
    batch_size : int or None, default 1
        Items of a batch; None gives single items.
    shuffle : bool, optional
        Whether the order is random, another one each time.
    sampler, batch_sampler : Sampler or iterable, optional
        The order of items, or the lists of their numbers, instead.
    num_workers : int, default 0
        Accepted; there are no worker processes, which is said once.
    collate_fn : callable, optional
        Makes a batch of a list of items; `default_collate` by default.
    pin_memory : bool, default False
        No effect, as `timeout`, `worker_init_fn`, `multiprocessing_context`, `prefetch_factor`,
        `persistent_workers`, `pin_memory_device` and `in_order`.
    drop_last : bool, default False
        Whether a last batch that is smaller is left out.
    timeout, worker_init_fn, multiprocessing_context : object
        No effect.
    generator : Generator, optional
        Source of the random order; by default one that is seeded from the default one each time.
    prefetch_factor, persistent_workers, pin_memory_device, in_order : object
        No effect.

    Raises
    ------
    ArgumentError
        If arguments exclude each other.

    Examples
    --------
    >>> import refquant
    >>> from refquant.utils.data import DataLoader, TensorDataset
    >>> data = TensorDataset(refquant.arange(5), refquant.arange(5) * 10)
    >>> for x, y in DataLoader(data, batch_size=2):
    ...     print(x, y)
    tensor([0, 1]) tensor([ 0, 10])
    tensor([2, 3]) tensor([20, 30])
    tensor([4]) tensor([40])
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[..., Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[..., Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        self.num_workers = arguments.integer("num_workers", num_workers, 0)
        self.dataset = dataset
        self.drop_last = arguments.switch("drop_last", drop_last)
        self.pin_memory, self.timeout = pin_memory, timeout
        self.worker_init_fn, self.multiprocessing_context = worker_init_fn, multiprocessing_context
        self.prefetch_factor, self.persistent_workers = prefetch_factor, persistent_workers
        self.pin_memory_device, self.in_order = pin_memory_device, in_order
        shuffled = bool(arguments.flag_or_none("shuffle", shuffle))
        if generator is not None:
            source(generator)
        self.generator = generator
        if batch_size is not None:
            batch_size = arguments.integer("batch_size", batch_size, 1)
        self._check(shuffled, sampler, batch_sampler, batch_size)
        if batch_sampler is not None:
            batch_size = None
            arguments.iterable("batch_sampler", batch_sampler)
        if sampler is None:
            if self._streams:
                sampler = itertools.repeat(None)
            elif shuffled:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        self.sampler = arguments.iterable("sampler", sampler)
        if batch_size is not None:
            batch_sampler = BatchSampler(self.sampler, batch_size, self.drop_last)
        self.batch_size, self.batch_sampler = batch_size, batch_sampler
        if collate_fn is not None:
            arguments.function("collate_fn", collate_fn)
        plain = default_convert if batch_sampler is None else default_collate
        self.collate_fn: Any = plain if collate_fn is None else collate_fn
        if num_workers > 0 and "num_workers" not in _said:
            _said.add("num_workers")
            warnings.warn(
                "num_workers has no effect: items are loaded in the calling thread", stacklevel=2
            )

    @property
    def _streams(self) -> bool:
        return isinstance(self.dataset, IterableDataset)

    def _check(self, shuffled: bool, sampler: Any, batch_sampler: Any, batch_size: Any) -> None:
        """Raise if arguments exclude each other."""
        if self._streams:
            for name, value in (("sampler", sampler), ("batch_sampler", batch_sampler)):
                if value is not None:
                    raise ArgumentError(
                        argument=name, expected="none with an IterableDataset", got=type(value)
                    )
            if shuffled:
                raise ArgumentError(
                    argument="shuffle", expected="False with an IterableDataset", got=True
                )
        elif not hasattr(self.dataset, "__getitem__"):
            raise ArgumentTypeError(
                argument="dataset",
                expected="a data set",
                got=arguments.describe(self.dataset),
                hint="define __getitem__ and __len__",
            )
        if sampler is not None and shuffled:
            raise ArgumentError(
                argument="shuffle", expected="False where a sampler gives the order", got=True
            )
        if batch_sampler is not None and (
            batch_size != 1 or shuffled or sampler is not None or self.drop_last
        ):
            raise ArgumentError(
                argument="batch_sampler",
                expected="no batch_size, shuffle, sampler or drop_last beside it",
                got="one of them",
            )
        if batch_size is None and self.drop_last:
            raise ArgumentError(
                argument="drop_last", expected="False where batch_size is None", got=True
            )

    def __iter__(self) -> Iterator[Batch]:
        # PyTorch draws the seed of its workers even if there are none.
        drawn_seed(self.generator)
        return self._streamed() if self._streams else self._indexed()

    def _streamed(self) -> Iterator[Any]:
        items = iter(self.dataset)
        if self.batch_size is None:
            yield from map(self.collate_fn, items)
            return
        while batch := list(itertools.islice(items, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield self.collate_fn(batch)

    def _indexed(self) -> Iterator[Any]:
        if self.batch_sampler is None:
            for number in self.sampler:
                yield self.collate_fn(self.dataset[number])
            return
        together = getattr(self.dataset, "__getitems__", None)
        for numbers in self.batch_sampler:
            if together is not None:
                yield self.collate_fn(together(numbers))
            else:
                yield self.collate_fn([self.dataset[number] for number in numbers])

    def __len__(self) -> int:
        """Count the batches.

        Raises
        ------
        TypeError
            If the data set is a stream that tells no length.
        """
        if not self._streams:
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]
        count = len(self.dataset)
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
