"""Run random programs by kernels and by definitions, and compare every result bit by bit.

    python tests/fuzz/programs.py --count 20000 --seed 1
    python tests/fuzz/programs.py --seed 1 --only '4711:fbgemm:relu > add'    # one of it
    python tests/fuzz/programs.py --each    # until each operation succeeded often on each engine

A program begins with a random tensor and goes through one to four operations of the registry
(`cases.registry`) under one engine; what succeeded rarely is drawn more often. Each operation runs
by the definitions and by kernels; results, their layout, what is left of the arguments, and errors
(class and message) must be equal. The script prints what ran, and of each difference the call with
the smallest operand that shows it, and how to run its program again.
"""

import argparse
import copy
import itertools
import math
import os
import sys
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cases import registry
from cases.operands import Draw
from fuzz.successes import Successes
from parity.bits import difference

import refquant
from refquant import engines, kernels
from refquant.errors import DtypeError, EngineError, NotSupportedError, RefquantError
from refquant.tensors import QuantizedTensor, Tensor

LONGEST = 4  # calls of a program
LONG = 50000  # programs after which rare operations are listed
SEPARATOR = " > "  # between the operations of a program
LARGEST = 1 << 16  # elements of an operand; a program ends with a larger result
WILD = 0.04  # share of extreme numbers
# Of an engine that has no such operation, or none on tensors of this dtype.
REJECTIONS = (EngineError, NotSupportedError, DtypeError)
OPERATIONS = registry.load()


def every_record():
    """Records of all engines, those of other runtimes too."""
    return [engines.get(name) for name in (*engines.names(), *engines.other_runtimes())]


@dataclass
class Report:
    """What ran: calls by operation and engine, programs without an error, comparisons, faults."""

    successes: Successes
    programs: int = 0
    valid: int = 0
    compared: int = 0
    raw: Counter = field(default_factory=Counter)
    differences: list = field(default_factory=list)


def flat(value):
    """Take apart what a call returned or got, so that it can be compared."""
    if isinstance(value, QuantizedTensor):
        parameters = [value.scale, value.zero_point, value.axis]
        return [str(value.dtype), value.array, *parameters]
    if isinstance(value, Tensor):
        return value.array
    if isinstance(value, dict):
        return [flat(v) for v in value.values()]
    if isinstance(value, tuple | list):
        return [flat(v) for v in value]
    plain = np.ndarray | np.generic | int | float | bool | str | refquant.dtype
    # Of packed weights, modules and functions the name is compared.
    return value if value is None or isinstance(value, plain) else type(value).__name__


def own_copy(value):
    """Copy tensors with their strides, so that a call cannot change those of the other side."""
    if isinstance(value, QuantizedTensor):
        return QuantizedTensor(strided(value.array), *parameters_of(value))
    if isinstance(value, Tensor):
        return Tensor(strided(value.array))
    if isinstance(value, tuple | list):
        return type(value)(own_copy(v) for v in value)
    return copy.deepcopy(value) if isinstance(value, np.ndarray) else value


def parameters_of(q):
    return (q.dtype, q.scale, q.zero_point) + (() if q.axis is None else (q.axis,))


def strided(array):
    """Copy an array whose elements may have gaps, with the same strides."""
    if array.size == 0 or min(array.strides, default=0) < 0:
        return array.copy(order="K")
    last = sum((n - 1) * s for n, s in zip(array.shape, array.strides, strict=True))
    memory = np.zeros(last // array.itemsize + 1, array.dtype)
    made = np.lib.stride_tricks.as_strided(memory, array.shape, array.strides)
    made[...] = array
    return made


class Program(NamedTuple):
    """One operation on an operand, and the seed of its other arguments."""

    operation: registry.Operation
    operand: Any
    seed: list

    def run(self):
        """Draw the calls and run them; returns (results, arguments after it)."""
        x = own_copy(self.operand)
        calls = self.operation.calls(Draw(refquant, self.seed, wild=WILD), x)
        results = [part for call in calls for part in registry.flat(call())]
        return results, [x, *(a for call in calls for a in call.arguments)]


def kinds_of(x):
    """What a value can be used as."""
    if not isinstance(x, QuantizedTensor):
        real = isinstance(x, Tensor) and x.array.dtype == np.float32
        return {"real", None} if real else {None}
    if x.axis is not None:
        return {"channels", None}
    found, rank = {"integers", None}, x.array.ndim
    if rank == 4:
        found.add("image")
    if x.dtype is refquant.quint8 and rank in (2, 4, 5) and x.array.size:
        found.add({2: "rows", 4: "bytes", 5: "volume"}[rank])
    return found


def start(seed, kind):
    """Draw what a program begins with."""
    return Draw(refquant, seed, wild=WILD).operand(kind or "integers")


def outcome(program, record, choice):
    """Run it; returns (value, flat results, arguments, error and warnings, the error or None)."""
    with engines.using(record), kernels.using(choice), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            (value, given), error = program.run(), None
        except Exception as raised:
            value, given, error = None, [], raised
    words = sorted(f"{w.category.__name__}: {w.message}" for w in told)
    return value, [flat(value), flat(given), error and described(error), words], error


def differs(program, sides):
    """How the two sides differ, or None."""
    one, other = (outcome(program, *side)[1] for side in sides)
    return difference(one, other)


def smallest(program, sides):
    """Cut the operand in halves along its dimensions as long as the difference stays."""
    found = True
    while found:
        found = False
        x = program.operand
        for dim, extent in enumerate(x.array.shape):
            for part in (slice(0, extent // 2), slice(extent // 2, None)):
                array = x.array[(slice(None),) * dim + (part,)]
                if array.shape == x.array.shape or not array.size:
                    continue
                parameters = parameters_of(x) if isinstance(x, QuantizedTensor) else ()
                if len(parameters) > 3:
                    continue
                shorter = program._replace(operand=type(x)(array, *parameters))
                if differs(shorter, sides) is not None:
                    program, found = shorter, True
                    break
            if found:
                break
    return program


def described(value):
    """Write a value so that it can be pasted into a test."""
    if isinstance(value, QuantizedTensor):
        words = ", ".join(map(described, parameters_of(value)))
        return f"QuantizedTensor({described(value.array)}, {words})"
    if isinstance(value, Tensor):
        return f"Tensor({described(value.array)})"
    if isinstance(value, Exception):
        return f"{type(value).__name__}: {value}"
    if isinstance(value, np.ndarray):
        with np.printoptions(threshold=sys.maxsize, floatmode="unique", linewidth=100):
            text = f"np.{np.array_repr(value)}"
        return f"{text} (strides {value.strides})" if value.ndim > 1 else text
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(described, value)) + "]"
    return str(value) if isinstance(value, refquant.dtype) else repr(value)


def fitting(x):
    """Which operations take a value."""
    kinds = kinds_of(x)
    return np.array([operation.takes in kinds for operation in OPERATIONS.values()])


def _program(seed, number, plan, sides_of, report, longest):
    """Run a program: under the engine and with the operations of `plan`, or with drawn ones."""
    rng = np.random.default_rng([seed, number])
    if plan is None:
        engine, name = report.successes.draw_pair(rng)
        length = int(rng.integers(1, longest + 1))
    else:
        engine, names = plan
        name, length = names[0], len(names)
    sides, ran = sides_of[engine], []
    x = start([seed, number], OPERATIONS[name].takes)
    if OPERATIONS[name].takes not in kinds_of(x):  # an empty image is none
        length = 0
    report.programs += 1
    for step in range(length):
        if step:
            name = names[step] if plan else report.successes.draw(rng, engine, fitting(x))
        ran.append(name)
        program = Program(OPERATIONS[name], x, [seed, number, step])
        value, result, error = outcome(program, *sides[-1])
        for side in sides[:-1]:
            value, other, error = outcome(program, *side)
            found = difference(other, result)
            if found is not None:
                pair = side, sides[-1]
                program = smallest(program, pair)
                found = differs(program, pair) or found
                report.differences.append(
                    f"program {number}, call {step}, {name} under {engine!r} by {side[1]!r}: "
                    f"{found}\n    again: --only '{number}:{engine}:{SEPARATOR.join(ran)}'\n"
                    f"    the operand: {described(program.operand)}"
                )
                return
        report.compared += len(sides) - 1
        report.successes.add(engine, name, error is None, isinstance(error, REJECTIONS))
        if error is not None:
            report.raw[(name, described(error))] += not isinstance(error, RefquantError)
            return
        if value:
            x = value[(number + step) % len(value)]
            if getattr(x, "array", np.empty(0)).size > LARGEST:
                break
    report.valid += 1


def run(
    count, seed, records=None, others=None, choices=None, numbers=None, tell=None, plans=None,
    each=False,
):  # fmt: skip
    """Run programs.

    Parameters
    ----------
    count, seed : int
        How many programs, and which.
    records, others : list of Engine, optional
        Engines of the first and of the second side; all and the same if left out.
    choices : sequence of str, optional
        Kernels; each but the last is compared with the last. The best and the definitions if left
        out.
    numbers : iterable of int, optional
        The programs to run, in place of `count`.
    tell : callable, optional
        Called with the report after each program.
    plans : dict, optional
        By number, the name of the engine and those of the operations, in place of drawn ones.
    each : bool, default False
        Whether programs are single calls, of what has not succeeded often enough, until all has.

    Returns
    -------
    Report
    """
    records = every_record() if records is None else records
    others = records if others is None else others
    choices = (kernels.available()[-1], kernels.REFERENCE) if choices is None else choices
    sides_of = {
        record.name: [*((record, choice) for choice in choices[:-1]), (other, choices[-1])]
        for record, other in zip(records, others, strict=True)
    }
    report = Report(Successes(sides_of, OPERATIONS, 1e-6 if each else 1.0))
    longest = 1 if each else LONGEST
    for number in range(count) if numbers is None else numbers:
        _program(seed, number, (plans or {}).get(number), sides_of, report, longest)
        if tell is not None:
            tell(report)
        if each and number % 1000 == 999 and not report.successes.wanted():
            break
    return report


def table(report):
    """Write a table of the calls that succeeded, by operation and engine."""
    made, shown = report.successes, report.successes.tried.any(axis=1)
    names = [f"{name:>{max(9, len(name) + 2)}}" for name in np.array(made.groups)[shown]]
    lines = [f"{'':35}" + "".join(names) + f"{'tried':>9}"]
    for column, operation in enumerate(made.things):
        if tried := made.tried[:, column].sum():
            counts = zip(names, made.succeeded[shown, column], strict=True)
            cells = "".join(f"{count:>{len(name)}}" for name, count in counts)
            lines.append(f"{operation:35}{cells}{tried:>9}")
    return "\n".join(lines)


def planned(text):
    """Read a program as a difference prints it."""
    number, engine, names = text.split(":", 2)
    return int(number), (engine, names.split(SEPARATOR))


def main():
    """Run from the command line; the exit code is nonzero if anything differed.

    It also is if fewer than half of the programs were valid.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, help="how many programs; 2000 unless --seconds")
    parser.add_argument("--seed", type=int, default=1, help="which programs")
    parser.add_argument("--only", type=planned, action="append", help="a program, as printed")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after so many")
    parser.add_argument(
        "--kernels", nargs="*", help="to compare with definitions; the best, or all"
    )
    parser.add_argument("--each", action="store_true", help="single calls of all, often enough")
    parser.add_argument("--engine", action="append", help="an engine; all if left out")
    options = parser.parse_args()
    endless = options.count is None and (options.seconds < math.inf or options.each)
    options.count = options.count or (10**9 if endless else 2000)
    of = "" if endless else f" of {options.count}"
    records = [engines.get(name) for name in options.engine] if options.engine else None
    begun, last = time.monotonic(), [0.0]

    def tell(report):
        now = time.monotonic()
        if now - last[0] > 1 or report.programs == options.count:
            last[0] = now
            print(
                f"\r{report.programs}{of} programs, {report.valid} valid, "
                f"{len(report.differences)} differ, {now - begun:.0f} s",
                end="",
                flush=True,
            )

    numbers = dict(options.only) if options.only else range(options.count)
    numbers = itertools.takewhile(lambda _: time.monotonic() - begun < options.seconds, numbers)
    known = kernels.available()[1:] if options.kernels == ["all"] else options.kernels
    choices = (*known, kernels.REFERENCE) if known else None
    report = run(
        *(options.count, options.seed, records),
        choices=choices,
        numbers=numbers,
        tell=tell,
        plans=dict(options.only or ()),
        each=options.each,
    )
    print("\n\n" + table(report))
    rare = report.successes.rare() if report.programs >= LONG else ()
    for name, engine, times in rare:
        print(f"succeeded {times} times alone: {name} under {engine!r}")
    for (name, error), times in report.raw.most_common():
        if times:
            print(f"{times} errors that are none of refquant's: {name}: {error}")
    for text in report.differences:
        print(f"\n{text}")
    made = report.successes
    print(
        f"\n{report.programs} programs, {report.valid} valid, {report.compared} comparisons, "
        f"operations and engines: {made.summary()}, "
        f"{made.succeeded.sum()} calls succeeded, {len(report.differences)} differ"
    )
    return bool(report.differences) or 2 * report.valid < report.programs


if __name__ == "__main__":
    sys.exit(main())
