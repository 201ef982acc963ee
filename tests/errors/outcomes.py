"""What becomes of a call: it succeeds, or raises an error that is documented, or has a fault."""

import contextlib
import inspect
import io
import re
import resource
import sys
import traceback
import warnings
from pathlib import Path

from errors import calls

import refquant
from refquant import engines
from refquant.errors import RefquantError

# Arrays that are larger than this raise MemoryError at once, whatever the machine has.
MEMORY = 1 << 30
STATM = Path("/proc/self/statm")


@contextlib.contextmanager
def limited():
    """Make large arrays a MemoryError within the block."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped() + MEMORY, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def mapped() -> int:
    """Bytes of the address space that the process has by now."""
    if not STATM.exists():
        return 7 * MEMORY
    return int(STATM.read_text().split()[0]) * resource.getpagesize()


def remember():
    """Return a function that restores threads, kernels, engine, gradients, printing, switches."""
    threads, choice = refquant.get_num_threads(), refquant.kernels.current()
    engine, gradients = refquant.backends.quantized.engine, refquant.is_grad_enabled()

    def restore():
        refquant.set_num_threads(threads)
        refquant.kernels.use(choice)
        refquant.backends.quantized.engine = engine
        refquant.set_grad_enabled(gradients)
        refquant.set_printoptions(profile="default")
        refquant.use_deterministic_algorithms(False)
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")

    return restore


def documented(target) -> set[str]:
    """Names of the errors, or of bases of theirs, in the "Raises" section of a docstring."""
    text = inspect.getdoc(target.function) or ""
    found = re.search(r"^Raises\n-+\n(.*?)(?=\n\n[A-Z]|\Z)", text, re.DOTALL | re.MULTILINE)
    listed = re.findall(r"^(\w+(?:, \w+)*)$", found[1], re.MULTILINE) if found else []
    return {name for names in listed for name in names.split(", ")}


def replaced(target, name, value) -> dict:
    """Return the arguments of the valid call with another value for one of them."""
    arguments = calls.copied(target.arguments)
    if target.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
        value = (value, *arguments[name][1:])
    return arguments | {name: value}


def outcome(target, arguments, engine=None) -> tuple[bool, str | None]:
    """Call a target; return whether it succeeded, and its fault: an undocumented error, if any."""
    silent = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    choice = contextlib.nullcontext() if engine is None else engines.using(engine)
    try:
        with silent[0], silent[1], choice, warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", UserWarning)
            result = calls.call(target, arguments)
            if inspect.isgenerator(result):
                for _ in zip(range(100), result, strict=False):
                    pass
    except (RefquantError, MemoryError):
        return False, None
    except (Exception, SystemExit) as error:
        if any(kind.__name__ in documented(target) for kind in type(error).__mro__):
            return False, None
        last = traceback.extract_tb(error.__traceback__)[-1]
        return False, f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
    return True, None
