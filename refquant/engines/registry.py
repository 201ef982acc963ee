"""Which engines there are, and which one is chosen."""

import copyreg
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib import import_module

from refquant import arguments
from refquant._environment import in_usual_environment
from refquant._operation import operation_name
from refquant.engines import builtin
from refquant.engines.builtin import SHORT_NAMES, fbgemm, qnnpack, x86
from refquant.engines.record import Engine
from refquant.engines.steps import check
from refquant.errors import ArgumentTypeError, EngineError

__all__ = [
    "built_in",
    "current",
    "default",
    "get",
    "names",
    "on_change",
    "other_runtimes",
    "register",
    "require",
    "unregister",
    "use",
    "using",
]


# In the order of PyTorch's own list, the newest release first.
_OF_PYTORCH = sorted(
    (*qnnpack.ENGINES, *x86.ENGINES, *fbgemm.ENGINES),
    key=lambda record: record.release or "",
    reverse=True,
)
_records: dict[str, Engine] = {record.name: record for record in _OF_PYTORCH}


@cache
@in_usual_environment
def _others() -> dict[str, Engine]:
    """Collect the other runtimes, when one is needed: importing refquant need not compose them."""
    import pkgutil

    modules = sorted(module.name for module in pkgutil.iter_modules(builtin.__path__))
    records = (
        record
        for module in modules
        for record in import_module(f"{builtin.__name__}.{module}").ENGINES
    )
    return {record.name: record for record in records if record.release is None}


_on_x86 = platform.machine().lower() in ("x86_64", "amd64")
_current: Engine = _records["x86" if _on_x86 else "qnnpack"]  # of the process
_chosen: ContextVar[Engine | None] = ContextVar("engine that is chosen in a context", default=None)

# Called with the record after each change of engine, in the context that changed it; the kernels
# bind themselves here.
on_change: list[Callable[[Engine], None]] = []


def names() -> tuple[str, ...]:
    """Names of PyTorch's engines and of those that were registered.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from refquant import engines
    >>> engines.names()[:4]
    ('qnnpack', 'onednn', 'x86', 'fbgemm')
    """
    return tuple(_records)


def other_runtimes() -> tuple[str, ...]:
    """Names of the engines that stand for other runtimes; `get` and `using` know them too.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> import refquant
    >>> [name for name in refquant.engines.other_runtimes() if "-" not in name]
    ['exact', 'ncnn', 'onnx', 'tflite', 'xnnpack', 'executorch']
    """
    return tuple(_others())


def built_in() -> tuple[str, ...]:
    """Names of all engines that nobody registered: PyTorch's and those of other runtimes.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from refquant.engines.registry import built_in
    >>> "fbgemm" in built_in(), "tflite" in built_in()
    (True, True)
    """
    return (*(record.name for record in _OF_PYTORCH), *_others())


def get(name: str) -> Engine:
    """Look up the record of an engine by its name.

    Parameters
    ----------
    name : str
        Of an engine, see `names`; or a short one of the newest release of a runtime.

    Returns
    -------
    Engine

    Raises
    ------
    EngineError
        If there is none; the message lists the known ones.

    Examples
    --------
    >>> from refquant import engines
    >>> engines.get('fbgemm-1.4').name, engines.get('litert-reference').name
    ('fbgemm-1.4', 'litert-2.3-reference')
    """
    known = isinstance(name, str)
    record = (_records.get(name) or _others().get(SHORT_NAMES.get(name, name))) if known else None
    if record is None:
        raise EngineError(
            f"{arguments.describe(name)} is not a valid value for quantized engine",
            expected=f"one of {', '.join(map(repr, (*_records, *_others())))}",
            hint=arguments.did_you_mean(name, (*_records, *_others()))
            or "choose one of these, or add your own with refquant.engines.register()",
        )
    return record


def _reduce(record: Engine) -> tuple[Callable[[str], Engine], tuple[str]]:
    """Pickle a record as its name: its rules are functions of this process."""
    known = _records.get(record.name) or _others().get(record.name)
    if known is not record:
        raise EngineError(
            f"engine {record.name!r} cannot be sent to another process",
            expected="an engine that has a name there",
            got="one that is not registered",
            hint="register it with refquant.engines.register(), here and in the other process",
        )
    return get, (record.name,)


copyreg.pickle(Engine, _reduce)


def current() -> Engine:
    """Return the record of the engine that is chosen here: by `using`, or for the process.

    Returns
    -------
    Engine

    Examples
    --------
    >>> from refquant import engines
    >>> with engines.using('qnnpack'):
    ...     engines.current().name
    'qnnpack'
    """
    return _chosen.get() or _current


def default() -> Engine:
    """Return the record of the engine of the process, which `using` overrides.

    Returns
    -------
    Engine

    Examples
    --------
    >>> from refquant.engines import registry
    >>> with registry.using('fbgemm'):
    ...     registry.current() is registry.default()
    False
    """
    return _current


def use(engine: str | Engine) -> None:
    """Choose the engine of the process, by its name or by its record; `using` overrides it.

    Parameters
    ----------
    engine : str or Engine
        A name, see `names`, or a record, which need not be registered.

    Raises
    ------
    EngineError
        If there is no such engine, or the record has what `register` rejects.

    Examples
    --------
    >>> from refquant import engines
    >>> engines.use(engines.current().name)
    """
    global _current
    _current = _checked(engine)
    _tell()


def chosen(engine: str | Engine | None) -> Engine:
    """Return the record that is meant by a name or by itself; the current one by None.

    Raises
    ------
    EngineError
        If there is no engine of that name, or a record has not a rule for each step.

    Examples
    --------
    >>> from refquant.engines.registry import chosen, get
    >>> chosen("fbgemm") is chosen(get("fbgemm"))
    True
    """
    return current() if engine is None else _checked(engine)


def _checked(engine: str | Engine) -> Engine:
    record = engine if isinstance(engine, Engine) else get(engine)
    if record is not _records.get(record.name):  # `register` and built-in files checked the others
        check(record)
    return record


def _tell() -> None:
    record = current()
    for listener in on_change:
        listener(record)


@contextmanager
def using(engine: str | Engine) -> Iterator[Engine]:
    """Choose an engine for a ``with`` block, in its thread (its context) alone.

    Threads that the block starts have the engine of the process; `refquant.quantization.calibrate`
    hands the engine of its caller to the workers of an executor.

    Parameters
    ----------
    engine : str or Engine
        A name, or a record, which need not be registered.

    Returns
    -------
    Engine
        The record, inside the block.

    Examples
    --------
    >>> from refquant import engines
    >>> with engines.using('qnnpack') as record:
    ...     record.title
    'QNNPACK, phones, as of PyTorch 2.13'
    """
    record, before = _checked(engine), _chosen.get()
    _chosen.set(record)
    _tell()
    try:
        yield record
    finally:
        # Perhaps registered anew, within the block.
        _chosen.set(before and _records.get(before.name, before))
        _tell()


def register(record: Engine) -> Engine:
    """Add an engine of your own, or replace one that you added before.

    Parameters
    ----------
    record : Engine
        Made anew, or with `Engine.derive` from a known record.

    Returns
    -------
    Engine
        The record.

    Raises
    ------
    EngineError
        If the name belongs to a built-in engine, or a step of `refquant.engines.steps` has no
        rule, or something that is none, or a rule that cannot be called as that step calls it.
        Steps ``add``, ``multiply`` and ``add_scalar`` take a `Form` of
        `refquant.engines.rules.elementwise`, the first two a `FusedRule` too.

    Examples
    --------
    >>> from refquant import engines
    >>> mine = engines.get('fbgemm').derive('mine', 'An engine of my own')
    >>> engines.register(mine).name
    'mine'
    >>> engines.unregister('mine')
    """
    global _current
    if not isinstance(record, Engine):
        raise ArgumentTypeError(
            argument="record",
            expected="an Engine",
            got=type(record).__name__,
            hint="make one with refquant.engines.get('fbgemm').derive(...)",
        )
    if record.name in (*built_in(), *SHORT_NAMES):
        raise EngineError(
            f"engine {record.name!r} is built in and stays as it is",
            hint="give your record a name of its own",
        )
    check(record)
    _records[record.name] = record
    # It takes the place of the record of its name where that is chosen.
    chosen = _chosen.get()
    if _current.name == record.name:
        _current = record
    if chosen is not None and chosen.name == record.name:
        _chosen.set(record)
    if current() is record:
        _tell()
    return record


def unregister(name: str) -> None:
    """Forget an engine that was added with `register`.

    Parameters
    ----------
    name : str
        Of an engine that is not chosen now. Weights that it packed cannot run any more.

    Raises
    ------
    EngineError
        If there is no such engine, or it is built in, or it is the chosen one.

    Examples
    --------
    >>> import refquant
    >>> record = refquant.engines.get("fbgemm").derive("mine", "as FBGEMM")
    >>> _ = refquant.engines.register(record)
    >>> refquant.engines.unregister("mine")
    >>> "mine" in refquant.engines.names()
    False
    """
    record = get(name)
    if name in built_in():
        raise EngineError(
            f"engine {name!r} is built in and stays",
            hint="unregister only what refquant.engines.register() added",
        )
    if record is _current or record is _chosen.get():
        raise EngineError(
            f"engine {name!r} is chosen and cannot be removed",
            hint="choose another one first, or leave the block of refquant.engines.using()",
        )
    del _records[name]


def require(capability: str, operands: str = "") -> None:
    """Raise unless the chosen engine has a capability of `refquant.engines.steps.CAPABILITIES`.

    Parameters
    ----------
    capability : str
        What the operation needs.
    operands : str, optional
        What the operation was given that makes a difference, such as ``'of shapes (2,) and (1,)'``.

    Raises
    ------
    EngineError
        Names the operation, the engine, the reason, and engines that can do it.

    Examples
    --------
    >>> from refquant import engines
    >>> from refquant.engines.steps import CAPABILITIES
    >>> capability = next(iter(engines.get('qnnpack').unsupported))
    >>> capability in CAPABILITIES
    True
    """
    if type(capability) is not str:
        arguments.text("capability", capability)
    engine = current()
    reason = engine.unsupported.get(capability)
    if reason is not None:
        able = [repr(r.name) for r in _records.values() if capability not in r.unsupported]
        raise EngineError(
            f"{operation_name()} {operands}".strip()
            + f": engine {engine.name!r} does not support it ({reason})",
            hint=f"set refquant.backends.quantized.engine to {' or '.join(able)}" if able else None,
        )
