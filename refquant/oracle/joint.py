"""One diagnosis of many cases: what explains the answers to all of them."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from refquant import arguments
from refquant.engines import Engine
from refquant.engines.registry import chosen
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.oracle.comparison import compare_problem
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.neutral_codes import NeutralCodes
from refquant.oracle.search import Candidate, Search, paired

__all__ = ["diagnose_all"]


def diagnose_all(
    cases: Iterable[tuple[Any, Problem]], engine: str | Engine | None = None
) -> tuple[tuple[str, ...], ...]:
    """Find the smallest changes of rules that reproduce a backend's answers to all cases.

    A change that explains one case, but is refuted by another, even by one that agrees with the
    engine, is no explanation.

    Parameters
    ----------
    cases : iterable of (answer, Problem)
        The backend's integers, and what they answer; see `problem`.
    engine : str or Engine, optional
        The engine to start from; the current engine by default.

    Returns
    -------
    tuple of tuple of str
        All equally small explanations, which the data cannot tell apart; an empty explanation if
        the engine itself agrees everywhere; no explanation if nothing within two changes, and no
        other engine, with one change or none, reproduces everything.

    Raises
    ------
    ArgumentError, ShapeError, DtypeError
        If there are no cases, or an answer does not have the form of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant import oracle
    >>> w, out = oracle.Codes(np.int8([[1]]), 1.0), oracle.Output(2.0)
    >>> cases = []
    >>> for codes in ([[1], [3]], [[-1], [-3]]):
    ...     x = oracle.Codes(np.int8(codes), 1.0)
    ...     layer = oracle.problem("linear", x, w, None, out)
    ...     cases.append((np.int8(np.floor(x.array / 2 + 0.5)), layer))  # ties upward
    >>> ("rounding: half_even -> half_up",) in oracle.diagnose_all(cases, "fbgemm")
    True
    >>> ("rounding: half_even -> half_away",) in oracle.diagnose_all(cases, "fbgemm")
    False
    """
    if not isinstance(cases, Iterable):
        raise ArgumentTypeError(
            argument="cases",
            expected="pairs of an answer and an oracle.Problem",
            got=arguments.describe(cases),
        )
    pairs = list(cases)
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[1], Problem):
            raise ArgumentTypeError(
                argument="cases",
                expected="pairs of an answer and an oracle.Problem",
                got=arguments.describe(pair),
            )
    if not pairs:
        raise ArgumentError(argument="cases", expected="at least one case", got="none")
    start = chosen(engine)
    searches = []
    for answer, task in pairs:
        mismatch = compare_problem(task, answer, start)
        flat = task.check(answer, start)[0]
        if flat.dtype.kind == "f" and not isinstance(task, NeutralCodes):
            raise ArgumentError(
                argument="cases", expected="operations that return integers", got=task.operation
            )
        searches.append(Search(task, np.asarray(flat), start, mismatch))
    if not any(search.mismatch.count for search in searches):
        return ((),)
    # Cases that differ refute most candidates, so they come first.
    searches.sort(key=lambda search: -search.mismatch.count)
    singles = _union(search.singles() for search in searches)
    groups = (
        lambda: {**singles, **_union(search.engines() for search in searches)},
        lambda: _union(search.parts() for search in searches),
        lambda: _union([paired(list(singles.values()))]),
        lambda: _union(search.changed_engines() for search in searches),
    )
    for group in groups:
        right = [
            candidate
            for candidate in group().values()
            if all(_explains(search, candidate) for search in searches)
        ]
        if right:
            return tuple(dict.fromkeys(_names(searches, candidate) for candidate in right))
    return ()


def _union(lists: Iterable[list[Candidate]]) -> dict[tuple, Candidate]:
    """Take each candidate once; problems of two kinds may share a fault by its name."""
    return {
        (c.axes, tuple(f.name for f in c.faults), c.engine, c.block, c.behind): c
        for candidates in lists
        for c in candidates
    }


def _explains(search: Search, candidate: Candidate) -> bool:
    applied = search.applied(candidate)
    if applied is None:
        return not search.mismatch.count
    return search.reproduces(applied, False)


def _names(searches: list[Search], candidate: Candidate) -> tuple[str, ...]:
    """Name the changes as the first case does in which all of them apply, or most."""
    applied = [(search, search.applied(candidate)) for search in searches]
    search, most = max(
        ((search, found) for search, found in applied if found is not None),
        key=lambda pair: len(pair[1].axes) + len(pair[1].faults),
    )
    return search.names(most)
