"""Which twin runs: a compiled kernel or the definition it translates.

The functions of all families are attributes of this module, such as
``refquant.kernels.quantize_per_tensor``. Where kernels are built, each looks up what is chosen, in
its context or for the process, and runs in the usual floating-point environment, whatever that of
its caller. Environment variables:

``REFQUANT_KERNELS``
    ``reference`` or the name of a variant; asking for one that is not there is an error.
``REFQUANT_DISABLE_CPU_FEATURES``
    Names of variants to take away, separated by spaces or commas.
``OMP_NUM_THREADS``
    How many threads kernels use at the start, the first number if it is a list; all cores if it
    is not set or not a positive number, one in a worker process.

Examples
--------
>>> from refquant import kernels
>>> with kernels.using("reference"):
...     kernels.current()
'reference'
"""

import operator
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, update_wrapper
from importlib import import_module, util
from typing import TYPE_CHECKING, Any

import numpy as np

from refquant import arguments, engines
from refquant.errors import ArgumentError, KernelError

__all__ = [
    "FAMILIES",
    "available",
    "built",
    "current",
    "describe_environment",
    "get_num_threads",
    "knows",
    "running",
    "set_num_threads",
    "twins",
    "use",
    "using",
]

if TYPE_CHECKING:  # they are bound while a program runs, and have the types of definitions
    from refquant.reference import (
        activation,
        affine,
        convolution,
        elementwise,
        embedding,
        fake_quantization,
        float_products,
        folding,
        histograms,
        matmul,
        normal,
        normalization,
        observation,
        pooling,
        ranges,
        recurrence,
        resizing,
    )
    from refquant.reference.activation import *  # noqa: F403
    from refquant.reference.affine import *  # noqa: F403
    from refquant.reference.convolution import *  # noqa: F403
    from refquant.reference.elementwise import *  # noqa: F403
    from refquant.reference.embedding import *  # noqa: F403
    from refquant.reference.fake_quantization import *  # noqa: F403
    from refquant.reference.float_products import *  # noqa: F403
    from refquant.reference.folding import *  # noqa: F403
    from refquant.reference.histograms import *  # noqa: F403
    from refquant.reference.matmul import *  # noqa: F403
    from refquant.reference.normal import *  # noqa: F403
    from refquant.reference.normalization import *  # noqa: F403
    from refquant.reference.observation import *  # noqa: F403
    from refquant.reference.pooling import *  # noqa: F403
    from refquant.reference.ranges import *  # noqa: F403
    from refquant.reference.recurrence import *  # noqa: F403
    from refquant.reference.resizing import *  # noqa: F403

    __all__ += affine.__all__
    __all__ += convolution.__all__
    __all__ += elementwise.__all__
    __all__ += activation.__all__
    __all__ += embedding.__all__
    __all__ += fake_quantization.__all__
    __all__ += float_products.__all__
    __all__ += folding.__all__
    __all__ += matmul.__all__
    __all__ += normalization.__all__
    __all__ += histograms.__all__
    __all__ += normal.__all__
    __all__ += observation.__all__
    __all__ += pooling.__all__
    __all__ += ranges.__all__
    __all__ += recurrence.__all__
    __all__ += resizing.__all__

# Each is a module of refquant.reference and a source file of _kernels.
FAMILIES = (
    "affine",
    "elementwise",
    "activation",
    "observation",
    "histograms",
    "ranges",
    "fake_quantization",
    "folding",
    "matmul",
    "normalization",
    "convolution",
    "pooling",
    "resizing",
    "recurrence",
    "normal",
    "embedding",
    "float_products",
)

# Every variant of any processor, as setup.py builds them.
VARIANTS = ("baseline", "avx2", "avx512vnni", "dotprod", "i8mm")
# Modules that all variants need.
SHARED = ("_cpu", "_environment", "_rules", "_threads")
REFERENCE = "reference"
# OpenMP ends the process if the system does not give it the threads it wants.
MOST_THREADS = 1024
_current = REFERENCE  # of the process
_chosen: ContextVar[str | None] = ContextVar("kernels that are chosen in a context", default=None)
# By name, the functions of all choices that were loaded.
_functions: dict[str, list[Callable[..., Any] | None]] = {}
_loaded: set[int] = set()  # numbers of those choices
_KNOWN = ("known to kernels",)  # where a record keeps whether they know all its rules


@cache
def _built(name: str) -> bool:
    # In a source tree that was not installed there is not even the package.
    package = util.find_spec("refquant._kernels")
    return package is not None and util.find_spec(f"refquant._kernels.{name}") is not None


def _compiled() -> bool:
    """Whether there is what every kernel needs."""
    return all(_built(shared) for shared in SHARED)


def built() -> tuple[str, ...]:
    """List the variants that were compiled, whether or not this processor runs them.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from refquant import kernels
    >>> isinstance(kernels.built(), tuple)
    True
    """
    return tuple(
        variant
        for variant in VARIANTS
        if _compiled() and all(_built(f"{family}_{variant}") for family in FAMILIES)
    )


def _taken_away() -> list[str]:
    taken = os.environ.get("REFQUANT_DISABLE_CPU_FEATURES", "").replace(",", " ").split()
    unknown = [name for name in taken if name not in VARIANTS]
    if unknown:
        raise KernelError(
            "REFQUANT_DISABLE_CPU_FEATURES",
            expected=f"names among {', '.join(VARIANTS)}",
            got=", ".join(unknown),
        )
    return taken


def _find_variants() -> tuple[str, ...]:
    """Variants that are built, that the processor runs, and that are not taken away."""
    taken = _taken_away()
    if not _built("_cpu"):
        return ()
    supported = import_module("refquant._kernels._cpu").supported_variants()
    return tuple(v for v in built() if v in supported and v not in taken)


_variants = _find_variants()


def available() -> tuple[str, ...]:
    """List what can be chosen here: the definitions, then variants from slow to fast.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from refquant import kernels
    >>> 'reference' in kernels.available()
    True
    """
    return (REFERENCE, *_variants)


def current() -> str:
    """Tell what is chosen: ``'reference'`` or the name of a variant.

    Returns
    -------
    str

    Examples
    --------
    >>> from refquant import kernels
    >>> with kernels.using('reference'):
    ...     kernels.current()
    'reference'
    """
    return _chosen.get() or _current


def running() -> str:
    """Tell what runs: what is chosen, but definitions under an engine with rules of its own.

    Returns
    -------
    str

    Examples
    --------
    >>> from refquant import engines, kernels
    >>> with engines.using("exact"):
    ...     kernels.running()
    'reference'
    """
    return _for_engine(current(), engines.current())


def describe_environment() -> str:
    """Say in words what the floating-point environment of this thread is, and who sets it.

    Results are defined for rounding to the nearest and for denormal numbers that are kept. Where
    kernels are compiled, both are set around each call of a quantized operation or a module; else
    all is computed in the environment of the caller.

    Returns
    -------
    str

    Examples
    --------
    >>> from refquant import kernels
    >>> kernels.describe_environment().startswith("usual")
    True
    """
    state = "usual" if _is_usual() else "unusual: rounding or denormal numbers were changed"
    return f"{state}; {'set' if _compiled() else 'not set'} around each call"


def _is_usual() -> bool:
    """Whether sums are rounded to the nearest and denormal numbers are kept, by trying."""
    one, small = np.float64(1), np.float32(1e-40)
    with np.errstate(all="ignore"):
        up, down = one + 2.0**-53, one - 2.0**-55  # both round to 1; so does no other direction
        return bool(up == one and down == one and small * np.float32(1) == small and small > 0)


def twins(family: str, choice: str) -> dict[str, Callable[..., Any]]:
    """Collect the functions of one family under one choice.

    Parameters
    ----------
    family : str
        One of `FAMILIES`.
    choice : str
        One of `available`.

    Returns
    -------
    dict of str to callable

    Examples
    --------
    >>> from refquant import kernels
    >>> 'quantize' in str(sorted(kernels.twins('affine', 'reference')))
    True
    """
    arguments.choice("family", family, FAMILIES)
    _check(choice)
    return _twins(family, choice)


def _twins(family: str, choice: str) -> dict[str, Callable[..., Any]]:
    if choice == REFERENCE:
        definitions = import_module(f"refquant.reference.{family}")
        return {name: getattr(definitions, name) for name in definitions.__all__}
    module = import_module(f"refquant._kernels.{family}_{choice}")
    # The definitions, which have the same names, are imported when they are to run.
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }


def knows(record: engines.Engine) -> bool:
    """Whether the compiled kernels know every rule that a record may hand to them.

    They look rules up by identity. An engine with any other rule runs by the definitions. Forms are
    not handed to kernels: operations choose by them.

    Parameters
    ----------
    record : Engine
        Any record.

    Returns
    -------
    bool
        False without compiled kernels.

    Examples
    --------
    >>> from refquant import engines, kernels
    >>> kernels.knows(engines.get("exact"))
    False
    """
    arguments.instance("record", record, engines.Engine, "an Engine")
    if not _built("_rules"):
        return False
    known = record.plans.get(_KNOWN)
    if known is None:
        tables = import_module("refquant._kernels._rules").BY_STEP
        found = all(
            rule in table
            for step, table in tables.items()
            if step in record.steps
            for rule in record.rules_of(step)
            if not isinstance(rule, engines.Form)
        )
        known = record.plans[_KNOWN] = (found,)
    return known[0]


def _for_engine(choice: str, record: engines.Engine) -> str:
    """Fall back to the definitions for an engine with rules that no kernel knows."""
    return choice if choice == REFERENCE or knows(record) else REFERENCE


def _load(choice: str) -> int:
    """Make the functions of a choice ready to be called; returns its number."""
    number = available().index(choice)
    if number in _loaded:
        return number
    for family in FAMILIES:
        for name, function in _twins(family, choice).items():
            if name not in _functions:
                _functions[name] = [None] * len(available())
                twin = import_module("refquant._kernels._environment").twin(_functions[name])
                globals()[name] = update_wrapper(twin, function)
            _functions[name][number] = function
    _loaded.add(number)
    return number


def _follow(record: engines.Engine) -> None:
    """Bind what runs for the process, and in this context if something is chosen here."""
    if not _compiled():
        for family in FAMILIES:
            globals().update(_twins(family, REFERENCE))
        return
    environment = import_module("refquant._kernels._environment")
    environment.set_default(_load(_for_engine(_current, engines.default())))
    here = _chosen.get() is not None or record is not engines.default()
    environment.chosen.set(_load(_for_engine(current(), record)) if here else None)


def use(choice: str) -> None:
    """Choose the kernels of the process; `using` overrides them.

    Parameters
    ----------
    choice : str
        ``'reference'`` or the name of a variant.

    Raises
    ------
    KernelError
        If it is not there; the message lists what is.

    Examples
    --------
    >>> from refquant import kernels
    >>> kernels.use(kernels.current())
    """
    global _current
    _check(choice)
    _current = choice
    _follow(engines.current())


def _check(choice: Any) -> None:
    if not isinstance(choice, str) or choice not in available():
        raise KernelError(
            f"kernels {arguments.describe(choice)} are not available",
            expected=f"one of {', '.join(available())}",
            hint=arguments.did_you_mean(choice, available())
            or "build them (REFQUANT_REQUIRE_EXT=1 pip install refquant shows why they are "
            "missing) or choose another",
        )


@contextmanager
def using(choice: str) -> Iterator[None]:
    """Choose kernels for a ``with`` block, in its thread (its context) alone.

    Parameters
    ----------
    choice : str
        ``'reference'`` or the name of a variant, see `available`.

    Examples
    --------
    >>> from refquant import kernels
    >>> with kernels.using('reference'):
    ...     kernels.current()
    'reference'
    """
    _check(choice)
    before = _chosen.get()
    _chosen.set(choice)
    _follow(engines.current())
    try:
        yield
    finally:
        _chosen.set(before)
        _follow(engines.current())


def set_num_threads(count: int) -> None:
    """Set the number of threads that kernels use; results never depend on it.

    Parameters
    ----------
    count : int
        In 1..1024. More than there are cores makes nothing faster.

    Raises
    ------
    ArgumentError
        If it is not a whole number in that range.
    KernelError
        If it is more than one in a process that was forked.

    Examples
    --------
    >>> import refquant
    >>> refquant.set_num_threads(refquant.get_num_threads())
    """
    try:
        wanted = 0 if isinstance(count, bool) else operator.index(count)
    except TypeError:
        wanted = 0
    if not 1 <= wanted <= MOST_THREADS:
        raise ArgumentError(
            argument="count",
            expected=f"a whole number of at least 1 and at most {MOST_THREADS}",
            got=repr(count),
        )
    if _variants:
        threads = import_module("refquant._kernels._threads")
        if wanted > 1 and threads.is_forked():
            raise KernelError(
                "a forked process computes with one thread: those of its parent are not there",
                argument="count",
                expected="1",
                got=wanted,
                hint="start workers with the method 'spawn' or 'forkserver' of multiprocessing",
            )
        threads.set_count(wanted)


def get_num_threads() -> int:
    """Get the number of threads that kernels use.

    Returns
    -------
    int

    Examples
    --------
    >>> import refquant
    >>> refquant.get_num_threads() >= 1
    True
    """
    return import_module("refquant._kernels._threads").get_count() if _variants else 1


if not TYPE_CHECKING:

    def __getattr__(name):
        raise AttributeError(f"module 'refquant.kernels' has no twin {name!r}")


def _start() -> None:
    wanted = os.environ.get("REFQUANT_KERNELS")
    if not _variants and not wanted and not _taken_away() and not _meant_to_be_pure():
        warnings.warn(
            "refquant runs without compiled kernels: results are the same, but slower. "
            "Install a C compiler and reinstall to build them, or set REFQUANT_KERNELS=reference "
            "to say that this is meant (or build with REFQUANT_PURE_PYTHON=1).",
            RuntimeWarning,
            stacklevel=2,
        )
    if not _compiled() and not _is_usual():
        warnings.warn(
            "refquant was imported in a thread whose floating-point environment another library "
            "has changed (rounding, or flush-to-zero), and without compiled kernels it does not "
            "change it: results may differ from those that are documented.",
            RuntimeWarning,
            stacklevel=2,
        )
    use(wanted or available()[-1])
    engines.on_change.append(_follow)
    set_num_threads(_default_threads())
    if hasattr(os, "register_at_fork") and _variants:
        # A forked worker inherits the number of threads, but not the threads.
        os.register_at_fork(after_in_child=import_module("refquant._kernels._threads").after_fork)


def _meant_to_be_pure() -> bool:
    """Whether the build was told to leave kernels out, or the system compiles nothing."""
    return _built("_pure") or sys.platform == "emscripten"


def _default_threads() -> int:
    """One in a worker process, whose siblings use the other cores; all cores otherwise."""
    workers = sys.modules.get("multiprocessing")  # a worker process has imported it already
    if workers is not None:
        # A spawned process reads the main program, with its imports, before it knows its parent.
        starting = getattr(workers.current_process(), "_inheriting", False)
        if starting or workers.parent_process() is not None:
            return 1
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    # A list is for nested levels; OpenMP itself complains about what is neither.
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    count = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 20 else 0
    return min(count or cores, MOST_THREADS)


_start()
