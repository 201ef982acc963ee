"""Compare both libraries on one operation: cases, elements, differences."""

import contextlib
import warnings
from typing import NamedTuple

import numpy as np
from cases.answers import answer, compared, plain
from cases.operands import ENDS, Draw, name_of
from cases.registry import flat

import refquant
from refquant.ops import checks

MOST = 20000  # elements of an operand of the table
NUDGE = 2.0**-18  # moves what lies on a tie to either side, and hardly anything else


class Count(NamedTuple):
    """What was compared."""

    cases: int
    elements: int
    differences: int
    first: str = ""


def compare(torch, operation, engine, cases, seed):
    """Run an operation `cases` times in both libraries, under an engine that both have."""
    wanted, got = (
        [answer(operation, T, case, engine, "2.13", seed) for case in range(cases)]
        for T in (torch, refquant)
    )
    return Count(cases, *compared(wanted, got, operation.tolerance))


def drawn(case):
    """Say how a case of the table is drawn: large, and three of four full of ties and ends."""
    return {"most": MOST, "edges": case % 4 > 0}


def compare_many(torch, operation, engine, cases, seed):
    """Compare as `compare` does, in the cases of these numbers, each drawn as the table has it."""
    count = Count(0, 0, 0)
    for case in cases:
        wanted, got = (
            answer(operation, T, case, engine, "2.13", seed, **drawn(case))
            for T in (torch, refquant)
        )
        elements, differences, first = compared([wanted], [got], operation.tolerance)
        count = Count(
            count.cases + 1,
            count.elements + elements,
            count.differences + differences,
            count.first or first.replace("case 0", f"case {case}", 1),
        )
    return count


def edges(operation, engine, cases, seed):
    """Count integers that lie on ties of rounding or at ends of their range.

    On a tie is an integer of a result that another one takes the place of as soon as the scale of
    the result is moved by `NUDGE`, up or down.

    Returns
    -------
    float
        Their share, of the results or of the operands, whichever is larger; NaN without integers.
    """
    results, operands = Share(), Share()
    refquant.backends.quantized.engine = engine
    for case in cases:
        _, below = _integers(operation, engine, [seed, case], 1 - NUDGE)
        _, above = _integers(operation, engine, [seed, case], 1 + NUDGE)
        given, got = _integers(operation, engine, [seed, case])
        for x in given:
            operands.add(_at_ends(operation, x))
        for low, high, q in zip(below, above, got, strict=True):
            results.add(_at_ends(operation, q) | (plain(low) != plain(high)))
    return float(np.fmax(results.share(), operands.share()))


class Share:
    """Counts elements, and those of which something is true."""

    def __init__(self):
        self.total = self.found = 0

    def add(self, mask):
        """Count the elements of a mask."""
        self.total += mask.size
        self.found += int(mask.sum())

    def share(self):
        """Return the share of those of which it is true; NaN if there are none."""
        return self.found / self.total if self.total else np.nan


def _integers(operation, engine, seed, factor=1.0):
    """List the quantized operands and results of a case."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calls = operation.calls(Draw(refquant, seed, engine, "2.13", **drawn(seed[1])))
        with _scales_times(factor):
            results = [part for call in calls for part in flat(call())]
    operands = [part for call in calls for part in flat(call.arguments)]
    return [
        [x for x in part if hasattr(x, "int_repr") and x.is_quantized]
        for part in (operands, results)
    ]


def _at_ends(operation, q):
    """Tell which integers are at an end of their range; that of a rectified one begins with 0."""
    ends = list(ENDS[name_of(q.dtype)])
    if "relu" in operation.name and "leaky" not in operation.name and "tensor" in str(q.qscheme()):
        ends.append(q.q_zero_point())
    return np.isin(plain(q), ends)


@contextlib.contextmanager
def _scales_times(factor):
    """Multiply each scale that an operation is given for its result."""
    own = checks.scale_value
    checks.scale_value = lambda argument, value: own(argument, value) * factor
    try:
        yield
    finally:
        checks.scale_value = own
