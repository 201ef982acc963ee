"""Calibration: running data through a prepared model, on one machine or many.

With an executor the batches are split into shards. Each shard runs on a copy of the model with
fresh observers; their statistics are merged into the observers of the model in the order of the
batches, whichever shard finishes first.
"""

import copy
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import islice
from typing import Any

from refquant import arguments
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    NotSupportedError,
    OperationError,
)
from refquant.nn.module import AnyModule, Module
from refquant.progress import Progress
from refquant.quantization._checks import checked_model
from refquant.quantization._observing import NAME, set_paths
from refquant.tensors.autograd import no_grad

__all__ = ["CalibrationError", "FailedShard", "calibrate", "run_first"]


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


class CalibrationError(OperationError):
    """Some batches could not be observed; all others were.

    Attributes
    ----------
    shards : tuple of FailedShard
    batches : tuple of int
        Numbers of all batches that were lost.
    """

    shards: tuple[FailedShard, ...] = ()

    @property
    def batches(self) -> tuple[int, ...]:
        """Numbers of all batches that were lost, for another try with them."""
        return tuple(number for shard in self.shards for number in shard.batches)


def run_first(model, batch) -> Any:
    """Run a model on a batch: on the batch itself, or on its first part if it is a pair.

    Parameters
    ----------
    model : Module
    batch : Tensor, or tuple or list of input and target

    Returns
    -------
    object
        What the model returns.
    """
    return model(batch[0] if isinstance(batch, tuple | list) else batch)


def calibrate(
    model: AnyModule,
    batches: Iterable[Any],
    progress: bool = True,
    executor: Executor | None = None,
    *,
    run: Callable[[Any, Any], Any] = run_first,
    shard_size: int = 8,
) -> AnyModule:
    """Run calibration data through a prepared model, for its observers.

    The model runs in evaluation mode and without gradients; afterwards its modes are as before.

    Parameters
    ----------
    model : Module
        Prepared by `prepare`.
    batches : iterable
        Each is a tensor, or a pair of input and target; read once, and never all in memory at once.
    progress : bool, default True
        Whether to draw a progress bar where standard error is a terminal.
    executor : concurrent.futures.Executor, optional
        Where shards run: a pool of processes or threads, or ``client.get_executor()`` of
        dask.distributed. Model and batches travel to the workers. By default the batches run
        here, one after the other.
    run : callable, optional
        Called as ``run(model, batch)`` to run a batch of another form.
    shard_size : int, default 8
        Batches of a shard, with an executor.

    Returns
    -------
    Module
        The model.

    Raises
    ------
    NotSupportedError
        If observers are to be merged whose statistic depends on the order of the batches (moving
        averages). Nothing has run then.
    CalibrationError
        If batches failed. The error names them; the observers have seen all others, except those
        after the failed one if there is no executor.
    ArgumentError
        If the model has no observers.

    Notes
    -----
    Minima and maxima are exactly those that one process finds. Histograms whose ranges differ are
    merged approximately, see `HistogramObserver.merge`; the result depends on `shard_size`, but
    not on the number of workers or on the order in which they finish.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> model = quantization.QuantWrapper(nn.ReLU()).eval()
    >>> model.qconfig = quantization.default_qconfig
    >>> model = quantization.prepare(model)
    >>> batches = [refquant.tensor([-1.0, 3.0]), refquant.tensor([2.0, 5.0])]
    >>> quantization.calibrate(model, batches).quant.activation_post_process
    MinMaxObserver(min_val=-1.0, max_val=5.0, release=2.13)
    """
    checked_model("model", model)
    arguments.function("run", run, 2, "the model and a batch are handed to it")
    arguments.iterable("batches", batches)
    progress = arguments.flag("progress", progress)
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ArgumentTypeError(
            argument="executor",
            expected="an Executor, with a method submit",
            got=arguments.describe(executor),
        )
    if not isinstance(shard_size, int) or shard_size < 1:
        raise ArgumentError(
            argument="shard_size", expected="a whole number of at least 1", got=shard_size
        )
    if not _observers(model):
        raise ArgumentError(
            argument="model",
            expected="a model with observers",
            got="one without",
            hint="call refquant.quantization.prepare() first",
        )
    set_paths(model)
    total = len(batches) if isinstance(batches, Sized) else None
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad(), Progress("calibrating", total, show=None if progress else False) as bar:
            if executor is None:
                _run_here(model, batches, run, bar)
            else:
                _run_shards(model, batches, run, bar, executor, shard_size)
    finally:
        for module, training in modes:
            module.training = training
    return model


def _observers(model: Module) -> dict[str, Any]:
    """Find the observers that ``prepare`` inserted, by path."""
    return {
        path: module
        for path, module in model.named_modules()
        if path.rpartition(".")[2] == NAME and _is_inserted(model, path)
    }


def _is_inserted(model: Module, path: str) -> bool:
    owner = model.get_submodule(path.rpartition(".")[0])
    return getattr(owner, "qconfig", None) is not None and hasattr(
        getattr(owner, NAME), "calculate_qparams"
    )


def _run_here(model: Module, batches: Iterable[Any], run: Any, bar: Progress) -> None:
    for number, batch in enumerate(batches):
        before = {path: _remember(module) for path, module in _observers(model).items()}
        try:
            run(model, batch)
        except Exception as error:
            for path, module in _observers(model).items():
                _restore(module, before[path])
            raise _failure([_shard((number,), number, error)]) from error
        bar.advance()


def _remember(observer: Module) -> list[tuple[Module, dict, dict]]:
    """Copy the state of an observer; statistics are replaced by observers, lists are extended."""
    return [
        (
            part,
            {k: list(v) if isinstance(v, list) else v for k, v in vars(part).items()},
            dict(part._buffers),
        )
        for part in observer.modules()
    ]


def _restore(observer: Module, before: list[tuple[Module, dict, dict]]) -> None:
    for part, attributes, buffers in before:
        part.__dict__.update(attributes)
        part._buffers.update(buffers)


def _run_shards(
    model: Module,
    batches: Iterable[Any],
    run: Any,
    bar: Progress,
    executor: Executor,
    shard_size: int,
) -> None:
    blank = _with_fresh_observers(model)
    # Every worker has one shard to run, and another one queued.
    ahead = 2 * max(2, getattr(executor, "_max_workers", 4))
    waiting: deque[tuple[tuple[int, ...], Future]] = deque()
    failed: list[FailedShard] = []

    def finish_oldest() -> None:
        numbers, future = waiting.popleft()
        try:
            seen = future.result()
        except Exception as error:  # the worker itself was lost
            seen = _shard(numbers, None, error)
        if isinstance(seen, FailedShard):
            failed.append(seen)
        else:
            observers = _observers(model)
            for path, observer in seen.items():
                observers[path].merge(observer)
        bar.advance(len(numbers))

    for numbers, shard in _cut(batches, shard_size):
        if len(waiting) >= ahead:
            finish_oldest()
        waiting.append((numbers, executor.submit(_run_shard, blank, numbers, shard, run)))
    while waiting:
        finish_oldest()
    if failed:
        raise _failure(failed)


def _cut(batches: Iterable[Any], size: int) -> Iterator[tuple[tuple[int, ...], list[Any]]]:
    """Cut into shards of consecutive batches, with the batches' numbers."""
    rest = enumerate(batches)
    while shard := list(islice(rest, size)):
        yield tuple(number for number, _ in shard), [batch for _, batch in shard]


def _with_fresh_observers(model: Module) -> Module:
    """Copy a model with fresh observers, after checking that they can be merged."""
    blank = copy.deepcopy(model)
    for path in _observers(blank):
        owner = blank.get_submodule(path.rpartition(".")[0])
        setattr(owner, NAME, owner.qconfig.activation())
    set_paths(blank)
    for observer in _observers(blank).values():
        merge = getattr(observer, "merge", None)
        if merge is None:
            raise NotSupportedError(
                f"calibrate: {type(observer).__name__} of {getattr(observer, 'path', '')!r} cannot "
                "be merged with what another shard has seen",
                argument="executor",
                expected="None",
                got="an executor",
                hint="calibrate without one, or use MinMaxObserver or HistogramObserver",
            )
        merge(copy.deepcopy(observer))
    return blank


def _run_shard(
    blank: Module, numbers: tuple[int, ...], shard: list[Any], run: Any
) -> dict[str, Any] | FailedShard:
    """Run a shard on a copy of the model; runs in a worker."""
    model = copy.deepcopy(blank)
    with no_grad():
        for number, batch in zip(numbers, shard, strict=True):
            try:
                run(model, batch)
            except Exception as error:
                return _shard(numbers, number, error)
    return _observers(model)


def _shard(numbers: tuple[int, ...], failed: int | None, error: Exception) -> FailedShard:
    details = "".join(traceback.format_exception(error))
    return FailedShard(numbers, failed, f"{type(error).__name__}: {error}", details)


def _failure(shards: list[FailedShard]) -> CalibrationError:
    lines = []
    for shard in shards:
        first, last = shard.batches[0], shard.batches[-1]
        name = f"batch {first}" if first == last else f"batches {first} to {last}"
        at = f" at batch {shard.failed}" if shard.failed is not None and first != last else ""
        lines.append(f"\n  {name}{at}: {shard.reason}")
    error = CalibrationError(
        "calibrate: some batches could not be observed" + "".join(lines),
        hint="observers keep what they have seen of the others",
    )
    error.shards = tuple(shards)
    return error
