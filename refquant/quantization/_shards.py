"""Shards of calibration data on the workers of an executor, which may die or hang.

What a shard has seen is merged when all shards before it are merged or lost. A shard whose worker
was lost runs again, alone, so that a batch that kills its worker takes no others with it.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from refquant import arguments
from refquant.errors import ArgumentTypeError

__all__ = ["FailedShard", "Pool", "failed_shard", "run_shards"]


@dataclass(frozen=True)
class FailedShard:
    """Batches whose observations were lost.

    Attributes
    ----------
    batches : tuple of int
        Numbers of the batches of the shard, counted from 0.
    failed : int or None
        The batch that failed; None if the whole worker was lost.
    reason : str
        The error in words.
    details : str
        Its traceback.
    """

    batches: tuple[int, ...]
    failed: int | None
    reason: str
    details: str = ""


def failed_shard(numbers: tuple[int, ...], failed: int | None, error: BaseException) -> FailedShard:
    """Describe a shard that an exception ended."""
    details = "".join(traceback.format_exception(error))
    return FailedShard(numbers, failed, f"{type(error).__name__}: {error}", details)


class Pool:
    """An executor, or a function that makes one and can make another when that one is broken."""

    def __init__(self, given: Any):
        self._make = None if hasattr(given, "submit") else given
        self.generation = 0
        self.executor: Executor = self._made() if self._make else given

    def _made(self) -> Executor:
        expected, make = "an Executor, or a function without arguments that makes one", self._make
        if make is None or not arguments.fits(make):
            raise ArgumentTypeError(
                argument="executor", expected=expected, got=arguments.describe(make)
            )
        executor = make()
        if not callable(getattr(executor, "submit", None)):
            raise ArgumentTypeError(
                argument="executor",
                expected=expected,
                got=f"a function that gives {arguments.describe(executor)}",
            )
        return executor

    @property
    def ahead(self) -> int:
        """How many shards to hand out: one to run for every worker, and another one queued."""
        return 2 * max(2, getattr(self.executor, "_max_workers", 4))

    def replace(self, generation: int) -> None:
        """Make another executor, unless that was done since `generation`."""
        if self._make is not None and generation == self.generation:
            self._end()
            self.executor = self._made()
            self.generation += 1

    def close(self) -> None:
        """End an executor that was made here."""
        if self._make is not None:
            self._end()

    def _end(self) -> None:
        # A worker that hangs would keep the program from ending.
        processes = list((getattr(self.executor, "_processes", None) or {}).values())
        self.executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()


@dataclass
class _Job:
    index: int
    numbers: tuple[int, ...]
    shard: list[Any]
    future: Future | None = None
    generation: int = 0
    lost: FailedShard | None = field(default=None)


def run_shards(
    batches: Iterable[Any],
    size: int,
    pool: Pool,
    task: Callable[..., Any],
    merge: Callable[[dict[str, Any]], None],
    advance: Callable[[int], None],
    timeout: float | None,
    retries: int,
) -> list[FailedShard]:
    """Run ``task(numbers, shard, attempt)`` on workers, merge what they saw, list what was lost."""
    waiting: deque[_Job] = deque()
    lost: list[_Job] = []
    # What a shard has seen, or why it has not, by its index, with its batches.
    ready: dict[int, tuple[tuple[int, ...], Any]] = {}
    failed: list[FailedShard] = []
    merged = 0

    def submit(job: _Job, attempt: int = 0) -> None:
        # Dask answers equal calls by one result, so that attempts have to differ.
        job.generation = pool.generation
        try:
            job.future = pool.executor.submit(task, job.numbers, job.shard, attempt)
        except (BrokenExecutor, RuntimeError) as error:  # it takes nothing any more
            pool.replace(job.generation)
            job.future, job.lost = None, failed_shard(job.numbers, None, error)

    def finish(job: _Job) -> bool:
        """Wait for a job; whether it has a result, be it that a batch failed."""
        if job.future is None:
            return False
        try:
            ready[job.index] = job.numbers, job.future.result(timeout)
            return True
        except TimeoutError as error:
            job.future.cancel()
            text = f"no result within {timeout} seconds" if timeout is not None else str(error)
            job.lost = FailedShard(job.numbers, None, f"TimeoutError: {text}")
            pool.replace(job.generation)
        except Exception as error:  # whatever ends a worker or keeps it from answering
            job.lost = failed_shard(job.numbers, None, error)
            if isinstance(error, BrokenExecutor):
                pool.replace(job.generation)
        return False

    def settle(limit: int) -> None:
        """Merge in the order of the batches, up to the first shard without a result."""
        nonlocal merged
        while merged < limit and merged in ready:
            numbers, seen = ready.pop(merged)
            if not isinstance(seen, FailedShard):
                try:
                    merge(seen)
                except Exception as error:
                    seen = failed_shard(numbers, None, error)
            if isinstance(seen, FailedShard):
                failed.append(seen)
            merged += 1

    def finish_oldest() -> None:
        job = waiting.popleft()
        if not finish(job):
            lost.append(job)
        settle(count)
        advance(len(job.numbers))

    count = 0
    try:
        for numbers, shard in _cut(batches, size):
            while len(waiting) >= pool.ahead:
                finish_oldest()
            job = _Job(count, numbers, shard)
            submit(job)
            waiting.append(job)
            count += 1
        while waiting:
            finish_oldest()
        for job in lost:
            for attempt in range(1, retries + 1):
                submit(job, attempt)
                if finish(job):
                    break
            ready.setdefault(job.index, (job.numbers, job.lost))
            settle(count)
    finally:
        for job in waiting:
            if job.future is not None:
                job.future.cancel()
        pool.close()
    return failed


def _cut(batches: Iterable[Any], size: int) -> Iterator[tuple[tuple[int, ...], list[Any]]]:
    """Cut into shards of consecutive batches, with the batches' numbers."""
    rest = enumerate(batches)
    while shard := list(islice(rest, size)):
        yield tuple(number for number, _ in shard), [batch for _, batch in shard]
