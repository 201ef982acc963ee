"""Which engines there are, and which one is chosen."""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module

from refquant import arguments
from refquant._operation import operation_name
from refquant.engines import builtin
from refquant.engines.builtin import fbgemm, qnnpack, x86
from refquant.engines.record import Engine
from refquant.engines.steps import check
from refquant.errors import ArgumentTypeError, EngineError

__all__ = [
    "built_in",
    "current",
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


# The engines of the newest release come first.
_OF_PYTORCH = [
    *sorted(
        (*fbgemm.ENGINES, *qnnpack.ENGINES), key=lambda record: record.release or "", reverse=True
    ),
    *x86.ENGINES,
]
_records: dict[str, Engine] = {record.name: record for record in _OF_PYTORCH}


@cache
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


_on_arm = platform.machine().lower() in ("aarch64", "arm64")
_current: Engine = _records["qnnpack" if _on_arm else "fbgemm"]

# Called with the record after each change of engine; the kernels bind themselves here.
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
    ('fbgemm', 'qnnpack', 'fbgemm-1.4', 'qnnpack-1.4')
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
    ['exact', 'onnx', 'tflite', 'xnnpack']
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
        Of an engine, see `names`.

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
    >>> engines.get('fbgemm-1.4').name
    'fbgemm-1.4'
    """
    record = (_records.get(name) or _others().get(name)) if isinstance(name, str) else None
    if record is None:
        raise EngineError(
            f"{arguments.describe(name)} is not a valid value for quantized engine",
            expected=f"one of {', '.join(map(repr, (*_records, *_others())))}",
            hint="choose one of these, or add your own with refquant.engines.register()",
        )
    return record


def current() -> Engine:
    """Return the record of the engine that is chosen now.

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
    return _current


def use(engine: str | Engine) -> None:
    """Choose an engine for the whole process, by its name or by its record.

    Parameters
    ----------
    engine : str or Engine
        A name, see `names`, or a record, which need not be registered.

    Raises
    ------
    EngineError
        If there is no such engine, or the record has what `register` refuses.

    Examples
    --------
    >>> from refquant import engines
    >>> engines.use(engines.current().name)
    """
    global _current
    record = engine if isinstance(engine, Engine) else get(engine)
    if record is not _records.get(record.name):  # `register` and built-in files checked the others
        check(record)
    _current = record
    for listener in on_change:
        listener(_current)


@contextmanager
def using(engine: str | Engine) -> Iterator[Engine]:
    """Choose an engine for a ``with`` block, and the former one again after it.

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
    before = _current
    use(engine)
    try:
        yield _current
    finally:
        use(_records.get(before.name, before))


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
    if not isinstance(record, Engine):
        raise ArgumentTypeError(
            argument="record",
            expected="an Engine",
            got=type(record).__name__,
            hint="make one with refquant.engines.get('fbgemm').derive(...)",
        )
    if record.name in built_in():
        raise EngineError(
            f"engine {record.name!r} is built in and stays as it is",
            hint="give your record a name of its own",
        )
    check(record)
    _records[record.name] = record
    if _current.name == record.name:
        use(record.name)
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
    if record is _current:
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
    reason = _current.unsupported.get(capability)
    if reason is not None:
        able = [repr(r.name) for r in _records.values() if capability not in r.unsupported]
        raise EngineError(
            f"{operation_name()} {operands}".strip()
            + f": engine {_current.name!r} does not support it ({reason})",
            hint=f"set refquant.backends.quantized.engine to {' or '.join(able)}" if able else None,
        )
