"""Calibration: running data through a prepared model, on one machine or many.

With an executor the batches are split into shards. Each shard runs on a copy of the model with
fresh observers; their statistics are merged into the observers of the model in the order of the
batches, whichever shard finishes first. Workers that die or hang are the business of `_shards`.
"""

import copy
from collections.abc import Callable, Iterable, Sized
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import partial
from typing import Any

from refquant import arguments, engines, kernels
from refquant._environment import enclose
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
from refquant.quantization._shards import FailedShard, Pool, failed_shard, run_shards
from refquant.tensors.autograd import no_grad

__all__ = ["CalibrationError", "FailedShard", "calibrate", "run_first"]


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
    executor: Executor | Callable[[], Executor] | None = None,
    *,
    run: Callable[[Any, Any], Any] = run_first,
    shard_size: int = 8,
    timeout: float | None = None,
    retries: int = 1,
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
    executor : concurrent.futures.Executor or callable, optional
        Where shards run: a pool of processes or threads, or ``client.get_executor()`` of
        dask.distributed. Model, batches and the engine of the caller travel to the workers. A
        function that makes one is called again when a worker has died or hangs, since a pool of
        processes is broken then: ``lambda: ProcessPoolExecutor(4)``. By default the batches run
        here, one after the other.
    run : callable, optional
        Called as ``run(model, batch)`` to run a batch of another form.
    shard_size : int, default 8
        Batches of a shard, with an executor.
    timeout : float, optional
        Seconds to wait for a shard when all before it are done, with an executor; a worker that
        takes longer is given up. No limit by default.
    retries : int, default 1
        How often a shard whose worker was lost runs again, alone, with an executor that still
        works or a function that makes one.

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
        If batches failed, or their workers were lost. The error names them; the observers have
        seen all others, except those after the failed one if there is no executor.
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
    if executor is not None and not callable(getattr(executor, "submit", executor)):
        raise ArgumentTypeError(
            argument="executor",
            expected="an Executor, with a method submit, or a function that makes one",
            got=arguments.describe(executor),
        )
    shard_size = arguments.integer("shard_size", shard_size, 1)
    retries = arguments.integer("retries", retries, 0)
    if timeout is not None:
        timeout = arguments.real("timeout", timeout, 0.0)
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
                blank = _with_fresh_observers(model)
                task = partial(_run_shard, _choices(), blank, run)
                failed = run_shards(
                    batches,
                    shard_size,
                    Pool(executor),
                    task,
                    partial(_merge, model),
                    bar.advance,
                    timeout,
                    retries,
                )
                if failed:
                    raise _failure(failed)
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
        except BaseException as error:
            for path, module in _observers(model).items():
                _restore(module, before[path])
            if not isinstance(error, Exception):  # the program is to end
                raise
            raise _failure([failed_shard((number,), number, error)]) from error
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


def _merge(model: Module, seen: dict[str, Any]) -> None:
    """Merge what a shard has seen into the observers of the model, all of it or nothing."""
    observers = _observers(model)
    before = {path: _remember(module) for path, module in observers.items()}
    try:
        for path, observer in seen.items():
            observers[path].merge(observer)
    except BaseException:
        for path, module in observers.items():
            _restore(module, before[path])
        raise


def _choices() -> tuple[Any, str]:
    """Engine, by name if it has one, and kernels of the caller."""
    record = engines.current()
    known = {*engines.names(), *engines.other_runtimes()}
    named = record.name in known and engines.get(record.name) is record
    return (record.name if named else record), kernels.current()


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
    choices: tuple[Any, str],
    blank: Module,
    run: Any,
    numbers: tuple[int, ...],
    shard: list[Any],
    attempt: int,
) -> dict[str, Any] | FailedShard:
    """Run a shard on a copy of the model; runs in a worker, the same for each attempt."""
    engine, kernel = choices
    failed = None
    try:
        with ExitStack() as stack:
            stack.enter_context(engines.using(engine))
            if kernel in kernels.available():  # of the machine of the worker
                stack.enter_context(kernels.using(kernel))
            stack.enter_context(no_grad())
            model = copy.deepcopy(blank)
            for number, batch in zip(numbers, shard, strict=True):
                failed = number
                run(model, batch)
    except (Exception, SystemExit) as error:
        return failed_shard(numbers, failed, error)
    return _observers(model)


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


enclose(__name__)
