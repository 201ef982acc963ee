"""One diagnosis of many cases: what explains the answers to all of them."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from refquant import arguments, engines
from refquant.engines import Engine
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.oracle.comparison import compare_problem
from refquant.oracle.problems.base import Problem
from refquant.oracle.search import Search

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
        the engine itself agrees everywhere; no explanation if nothing within one change, and no
        other engine, reproduces everything.

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
    start = engines.current() if engine is None else engine
    searches = []
    differs = False
    for answer, task in pairs:
        mismatch = compare_problem(task, answer, start)
        flat = task.check(answer, start)[0]
        if flat.dtype.kind == "f":
            raise ArgumentError(
                argument="cases", expected="operations that return integers", got=task.operation
            )
        differs = differs or bool(mismatch.count)
        searches.append(Search(task, np.asarray(flat), start, mismatch))
    if not differs:
        return ((),)
    # A change that leaves a case as it is does not appear among its candidates.
    candidates: dict[tuple[str, ...], Any] = {}
    for search in searches:
        for candidate in (*search.singles(), *search.engines()):
            candidates.setdefault(candidate.names(search.values), candidate)
    # Cases that differ refute most candidates, so they come first.
    searches.sort(key=lambda search: not search.mismatch.count)
    return tuple(
        names
        for names, candidate in candidates.items()
        if all(_explains(search, names, candidate) for search in searches)
    )


def _explains(search: Search, names: tuple[str, ...], candidate: Any) -> bool:
    own = {c.names(search.values) for c in search.singles()}
    if not candidate.engine and names not in own:
        return not search.mismatch.count
    return search.reproduces(candidate, False)
