"""Every public callable meets hostile values: it works, or raises an error that is documented."""

import contextlib
import inspect
import io
import re
import resource
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import pytest
from errors import calls, hostile

import refquant
from refquant.errors import RefquantError

pytestmark = pytest.mark.skipif(
    not calls.DOCS.exists(), reason="the tests are not in a source tree"
)
TARGETS = calls.targets() if calls.DOCS.exists() else []
# Arrays that are larger than this raise MemoryError at once, whatever the machine has.
MEMORY = 1 << 30
STATM = Path("/proc/self/statm")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Record valid calls; files that examples write go into a temporary folder, and stay."""
    folder = tmp_path_factory.mktemp("examples")
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setattr(tempfile.TemporaryDirectory, "cleanup", lambda self: self._finalizer.detach())
        calls.record(TARGETS)


@pytest.fixture
def surroundings(tmp_path, monkeypatch):
    """Restore what a call may change for the whole process."""
    monkeypatch.chdir(tmp_path)
    with limited():
        restore = remember()
        yield restore
        restore()


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


def fault(target, arguments) -> str | None:
    """Call a target; return the undocumented error or warning that it caused, if any."""
    return outcome(target, arguments)[1]


def outcome(target, arguments) -> tuple[bool, str | None]:
    """Call a target; return whether it succeeded, and its `fault`."""
    silent = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    try:
        with silent[0], silent[1], warnings.catch_warnings():
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


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_hostile_values_raise_documented_errors_only(target, recorded, surroundings):
    """One argument at a time is hostile, the others are those of the example."""
    assert target.arguments is not None, "no example calls it; give it one"
    faults = []
    for name in target.arguments:
        kind = target.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            continue
        for title, make in hostile.VALUES.items():
            value = make()
            if target.is_own(name) and not isinstance(value, target.owner):
                continue
            found = fault(target, replaced(target, name, value))
            surroundings()
            if found:
                faults.append(f"{name} = {title}: {found}")
    assert not faults, f"{len(faults)} undocumented:\n" + "\n".join(faults)
