"""What real runtimes answered to the cases of seed 0, beside what their engines compute."""

from collections.abc import Iterator
from functools import cache

import numpy as np
from oracle.runtime_cases import cases, digest
from oracle.runtime_ties import ties
from oracle.runtimes import JUDGED, RECORDED, as_held


@cache
def recorded(runtime: str) -> dict[str, np.ndarray]:
    """Read the recording of a runtime."""
    with np.load(RECORDED / f"{runtime}.npz") as file:
        return {name: file[name] for name in file.files}


@cache
def drawn() -> list:
    """Draw the cases that were recorded."""
    return cases(0)


def answers(runtime: str, operation: str) -> Iterator[tuple]:
    """Yield the problem of each case of an operation, and what the runtime answered."""
    for number, given in enumerate(drawn()):
        if given.operation == operation:
            case = as_held(runtime, given)
            assert recorded(runtime)[f"{number}.digest"] == digest(case), "other cases"
            yield case.problem(), recorded(runtime)[f"{number}"]


def rows(runtime: str) -> dict[str, tuple]:
    """Count for each operation which elements differ, how many there are and how many are ties."""
    counted = {}
    for operation in dict.fromkeys(case.operation for case in drawn()):
        if operation not in JUDGED[runtime]:
            continue
        pairs = list(answers(runtime, operation))
        near = [ties(as_held(runtime, c)) for c in drawn() if c.operation == operation]
        differing = sum(int((task.run(runtime) != theirs).sum()) for task, theirs in pairs)
        elements = sum(theirs.size for _, theirs in pairs)
        counted[operation] = differing, elements, None if None in near else sum(near)
    return counted
