"""Valid calls of every public callable, taken from the examples of their docstrings."""

import contextlib
import doctest
import inspect
import io
import itertools
import random
import sys
import tempfile
import warnings
from unittest import mock

from errors.calls import Target, call, copied
from errors.outcomes import limited, outcome, remember

import refquant
from refquant import engines

# Calls of one target that are kept to choose from, and calls that are put together for one.
KEPT = 6
TRIED = 200


@contextlib.contextmanager
def staying(folder):
    """Let examples write below a folder, and leave there what they would remove at their end."""
    with (
        contextlib.chdir(folder),
        mock.patch.object(tempfile, "tempdir", str(folder)),
        mock.patch.object(
            tempfile.TemporaryDirectory, "cleanup", lambda self: self._finalizer.detach()
        ),
    ):
        yield


def record(listed: list[Target], folder) -> None:
    """Give each target a call: of an example, or put together; one that succeeds, if any does."""
    with staying(folder), limited(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seen = {id(target): [] for target in listed}
        observe(listed, seen)
        restore = remember()
        for target in listed:
            own = sorted(seen[id(target)], key=lambda found: -richness(found[0]))
            choose(target, own, restore)
        values = given(listed, seen)
        for target in listed:
            if not target.works:
                choose(target, put_together(target, listed, values), restore)


def observe(listed: list[Target], seen: dict[int, list]) -> None:
    """Run the examples of all docstrings, and note how targets are called in them."""
    by_code = {}
    for target in listed:
        by_code.setdefault(target.code, []).append(target)
    parser = doctest.DocTestParser()

    def keep(frame, event, _):
        if event != "call" or frame.f_code not in by_code:
            return
        sys.setprofile(None)
        try:
            for target in by_code[frame.f_code]:
                take(target, frame.f_locals, seen[id(target)])
        finally:
            sys.setprofile(keep)

    sources = {}
    for target in listed:
        for thing in (target.function, target.owner):
            text = inspect.getdoc(thing) if thing is not None else None
            if text and ">>>" in text:
                sources.setdefault(text, target.name)
    for text, name in sources.items():
        # An example may stop at an error that it shows; what it called until then counts.
        with contextlib.redirect_stdout(io.StringIO()):
            space = {"__name__": "__main__"}
            for example in parser.get_examples(text, name):
                program = compile(example.source, f"<example of {name}>", "single")
                sys.setprofile(keep)
                try:
                    exec(program, space)
                except refquant.errors.RefquantError:
                    pass
                finally:
                    sys.setprofile(None)


def take(target: Target, local: dict, found: list) -> None:
    """Copy the arguments of a call; of many calls, the first and those that name more of them."""
    names = list(target.signature.parameters)
    if any(name not in local for name in names):
        return
    if target.owner is not None and not isinstance(local[names[0]], target.owner):
        return
    arguments = {name: local[name] for name in names}
    if inspect.isclass(target.function):
        arguments.pop(names[0])
    if any(map(inspect.isgenerator, arguments.values())):
        return  # the call uses it up
    most = max((richness(other) for other, _ in found), default=-1)
    if len(found) < KEPT or richness(arguments) > most:
        found.append((copied(arguments), engines.current()))


def richness(arguments: dict) -> int:
    """Count the arguments that hold something."""
    return sum(
        value is not None and value != () and value != {}
        for value in map(plain, arguments.values())
    )


def plain(value):
    """Return a value that can be compared, or an object that equals nothing."""
    return value if isinstance(value, (tuple, dict, str, int, float)) else object()


def choose(target: Target, found, restore) -> None:
    """Keep the first call that succeeds, or else the first."""
    for arguments, engine in itertools.islice(found, TRIED):
        if target.arguments is None:
            target.arguments, target.engine = arguments, engine
        target.works = outcome(target, copied(arguments), engine)[0]
        restore()
        if target.works:
            target.arguments, target.engine = arguments, engine
            return


def given(listed: list[Target], seen: dict[int, list]) -> dict[str, list]:
    """List values that calls give to arguments, by their names; those of working calls first."""
    values = {}
    for target in sorted(listed, key=lambda target: not target.works):
        others = [found for found, _ in seen[id(target)]]
        for arguments in filter(None, [target.arguments, *others]):
            for name, value in arguments.items():
                values.setdefault(name, []).append(value)
    return values


def put_together(target: Target, listed: list[Target], values: dict):
    """Make calls of values that others give to the same names: of one other, then of several."""
    choices, needed = {}, set()
    for position, (name, parameter) in enumerate(target.signature.parameters.items()):
        if position == 0 and target.owner is not None:
            if not inspect.isclass(target.function):
                found = instances(target.owner, listed, values)
                choices[name] = list(itertools.islice(found, 20))
            continue
        of_name = spread(values.get(name, []))
        if parameter.kind is parameter.VAR_KEYWORD:
            of_name = [{}]
        elif parameter.kind is parameter.VAR_POSITIONAL:
            of_name = [(), *of_name]
        elif parameter.default is not parameter.empty:
            of_name = [parameter.default, *of_name]
        else:
            needed.add(name)
        choices[name] = of_name
    if not all(choices.values()):
        return

    def finished(arguments):
        if target.name.startswith("refquant.ops.quantized"):
            for name in {"input", "qx"} & set(arguments):
                arguments[name] = quantized(arguments[name])
        return arguments, engines.current()

    usual = {name: of_name[0] for name, of_name in choices.items()}
    others = [t for t in listed if t.works and needed and needed <= set(t.arguments)]
    for other in others[: TRIED // 4]:
        yield finished(usual | {name: other.arguments[name] for name in needed})
    yield finished(usual)
    draw = random.Random(0)
    while True:
        yield finished({name: draw.choice(of_name) for name, of_name in choices.items()})


def spread(values: list) -> list:
    """Choose few values: of each type one, then more of them."""
    first, more, types = [], [], set()
    for value in values:
        (more if type(value) in types else first).append(value)
        types.add(type(value))
    return (first + more)[:20]


def quantized(value) -> refquant.QuantizedTensor:
    """Return a quantized operand of the same shape, or of that of an image."""
    if isinstance(value, refquant.QuantizedTensor):
        return value
    shape = value.shape if isinstance(value, refquant.Tensor) else (1, 2, 4, 4)
    return refquant.quantize_per_tensor(refquant.ones(*shape), 0.5, 1, refquant.quint8)


def instances(owner: type, listed: list[Target], values: dict):
    """Find objects of a class among arguments, and make some as examples do."""
    for value in itertools.chain.from_iterable(values.values()):
        if isinstance(value, owner):
            yield value
    for other in listed:
        makes = inspect.isclass(other.function) and issubclass(other.function, owner)
        if makes and other.works:
            yield call(other, copied(other.arguments))
