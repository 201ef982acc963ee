"""Compare both libraries on one operation: cases, elements, differences."""

from typing import NamedTuple

from cases.answers import answer, compared

import refquant


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
