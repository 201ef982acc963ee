"""Run random programs by kernels and by definitions, and compare every result bit by bit.

    python tests/fuzz/programs.py --count 20000 --seed 1
    python tests/fuzz/programs.py --seed 1 --only 4711        # one program of that run

A program begins with a random tensor and goes through one to four operations (`fuzz.calls`)
under one engine. Each call runs twice, by the best kernels and by the definitions; results,
their layout, what is left of the arguments, and errors (class and message) must be equal. The
script prints what ran, and of each difference the call with the smallest operand that shows it.
"""

import argparse
import copy
import os
import sys
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from fuzz import calls, calls_of_integers  # noqa: F401  the second registers its operations
from parity.bits import difference

import refquant
from refquant import engines, kernels
from refquant.errors import RefquantError
from refquant.tensors import QuantizedTensor, Tensor

LONGEST = 4  # calls of a program
RARE = {"image", "bytes", "volume", "rows"}  # few values are, so their operations go first


def every_record():
    """Records of all engines, those of other runtimes too."""
    return [engines.get(name) for name in (*engines.names(), *engines.other_runtimes())]


@dataclass
class Report:
    """What ran: programs without an error, calls by operation and engine, differences."""

    programs: int = 0
    valid: int = 0
    tried: Counter = field(default_factory=Counter)
    succeeded: Counter = field(default_factory=Counter)
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
    if isinstance(value, np.ndarray | np.generic | int | float | bool | str) or value is None:
        return value
    return repr(value)


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


def outcome(call, record, choice):
    """Run a call; returns (value, flat result and arguments, the error as text, whether ours)."""
    given = own_copy((call.operand, *call.arguments))
    with engines.using(record), kernels.using(choice), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            value, error, ours = call.function(*given), None, True
        except Exception as raised:
            value, error = None, f"{type(raised).__name__}: {raised}"
            ours = isinstance(raised, RefquantError)
    words = sorted(f"{w.category.__name__}: {w.message}" for w in told)
    return value, [flat(value), flat(given), error, words], error, ours


def differs(call, sides):
    """How the two sides differ, or None."""
    one, other = (outcome(call, *side)[1] for side in sides)
    return difference(one, other)


def smallest(call, sides):
    """Cut the operand in halves along its dimensions as long as the difference stays."""
    found = True
    while found:
        found = False
        x = call.operand
        for dim, extent in enumerate(x.array.shape):
            for part in (slice(0, extent // 2), slice(extent // 2, None)):
                array = x.array[(slice(None),) * dim + (part,)]
                if array.shape == x.array.shape or not array.size:
                    continue
                parameters = parameters_of(x) if isinstance(x, QuantizedTensor) else ()
                if len(parameters) > 3:
                    continue
                shorter = call._replace(operand=type(x)(array, *parameters))
                if differs(shorter, sides) is not None:
                    call, found = shorter, True
                    break
            if found:
                break
    return call


def described(value):
    """Write a value so that it can be pasted into a test."""
    if isinstance(value, QuantizedTensor):
        words = ", ".join(map(described, parameters_of(value)))
        return f"QuantizedTensor({described(value.array)}, {words})"
    if isinstance(value, Tensor):
        return f"Tensor({described(value.array)})"
    if isinstance(value, np.ndarray):
        with np.printoptions(threshold=sys.maxsize, floatmode="unique", linewidth=100):
            text = f"np.{np.array_repr(value)}"
        return f"{text} (strides {value.strides})" if value.ndim > 1 else text
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(described, value)) + "]"
    return str(value) if isinstance(value, refquant.dtype) else repr(value)


def drawn(rng, weights):
    """Draw an index, some more often than others."""
    return int(rng.choice(len(weights), p=np.array(weights) / sum(weights)))


def _program(seed, number, records, others, choices, report):
    rng = np.random.default_rng([seed, number])
    index = drawn(rng, [4 if kernels.knows(record) else 1 for record in records])
    sides = ((records[index], choices[0]), (others[index], choices[1]))
    x, length = calls.start(rng), int(rng.integers(1, LONGEST + 1))
    report.programs += 1
    for step in range(length):
        kinds = calls.kinds_of(x)
        fitting = [n for n, (wanted, _) in calls.OPERATIONS.items() if kinds & set(wanted)]
        if not fitting:
            break
        rare = [4 if set(calls.OPERATIONS[n][0]) & RARE else 1 for n in fitting]
        name = fitting[drawn(rng, rare)]
        with np.errstate(all="ignore"):
            call = calls.OPERATIONS[name][1](rng, x)
        if call is None:
            continue
        key = name, records[index].name
        report.tried[key] += 1
        value, result, error, ours = outcome(call, *sides[0])
        found = difference(result, outcome(call, *sides[1])[1])
        if found is not None:
            call = smallest(call, sides)
            found = differs(call, sides) or found
            report.differences.append(
                f"program {number}, call {step}, {name} under {records[index].name!r}: {found}\n"
                f"    {getattr(call.function, '__qualname__', call.function)}(\n        "
                + ",\n        ".join(map(described, (call.operand, *call.arguments)))
                + "\n    )"
            )
            return
        if error is not None:
            report.raw[(name, error)] += not ours
            return
        report.succeeded[key] += 1
        if isinstance(value, tuple | list):
            value = value[int(rng.integers(len(value)))]
        x = value
    report.valid += 1


def run(count, seed, records=None, others=None, choices=None, numbers=None, tell=None):
    """Run programs.

    Parameters
    ----------
    count, seed : int
        How many programs, and which.
    records, others : list of Engine, optional
        Engines of the first and of the second side; all and the same if left out.
    choices : pair of str, optional
        Kernels of both sides: the best ones and the definitions if left out.
    numbers : iterable of int, optional
        The programs to run, in place of `count`.
    tell : callable, optional
        Called with the report after each program.

    Returns
    -------
    Report
    """
    records = every_record() if records is None else records
    others = records if others is None else others
    choices = (kernels.available()[-1], kernels.REFERENCE) if choices is None else choices
    report = Report()
    for number in range(count) if numbers is None else numbers:
        _program(seed, number, records, others, choices, report)
        if tell is not None:
            tell(report)
    return report


def table(report):
    """Write a table of the calls that succeeded, by operation and engine."""
    names = sorted({engine for _, engine in report.tried})
    lines = [f"{'':28}" + "".join(f"{name:>14}" for name in names) + f"{'tried':>9}"]
    for operation in sorted({operation for operation, _ in report.tried}):
        cells = "".join(f"{report.succeeded[operation, name]:>14}" for name in names)
        tried = sum(report.tried[operation, name] for name in names)
        lines.append(f"{operation:28}{cells}{tried:>9}")
    return "\n".join(lines)


def main():
    """Run from the command line; the exit code is nonzero if anything differed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="how many programs")
    parser.add_argument("--seed", type=int, default=1, help="which programs")
    parser.add_argument("--only", type=int, action="append", help="a program of that seed")
    parser.add_argument("--engine", action="append", help="an engine; all if left out")
    options = parser.parse_args()
    records = [engines.get(name) for name in options.engine] if options.engine else None
    begun, last = time.monotonic(), [0.0]

    def tell(report):
        now = time.monotonic()
        if now - last[0] > 1 or report.programs == options.count:
            last[0] = now
            print(
                f"\r{report.programs} of {options.count} programs, {report.valid} valid, "
                f"{len(report.differences)} differ, {now - begun:.0f} s",
                end="",
                flush=True,
            )

    report = run(options.count, options.seed, records, numbers=options.only, tell=tell)
    print("\n\n" + table(report))
    for (name, error), times in report.raw.most_common():
        if times:
            print(f"{times} errors that are none of refquant's: {name}: {error}")
    for text in report.differences:
        print(f"\n{text}")
    print(
        f"\n{report.programs} programs, {report.valid} valid, "
        f"{sum(report.succeeded.values())} calls succeeded, {len(report.differences)} differ"
    )
    return bool(report.differences)


if __name__ == "__main__":
    sys.exit(main())
