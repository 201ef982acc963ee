"""The command ``refquant check``."""

import json
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError
from refquant.oracle.traces import Trace
from refquant.oracle.tracing import has_trace, trace_problem
from refquant.oracle.vectors.grade import Answered, grade_results, read_results

__all__ = ["run"]


def run(options: Any) -> int:
    """Grade results; 0 if all elements are equal."""
    answered = read_results(options.vectors, options.results)
    shown = None if options.show is None else _shown(answered, options.show)
    silent = options.quiet or options.json
    grades = grade_results(answered, progress=False if silent else None)
    if options.json:
        whole = grades.as_dict()
        if shown is not None:
            whole["shown"] = shown
        print(json.dumps(whole, indent=1, default=Trace.as_dict))
    elif not (options.quiet and grades.passed):
        print(grades)
        if shown is not None:
            print(_text(shown))
    return 0 if grades.passed else 1


def _shown(answered: Answered, name: str) -> dict[str, Any]:
    """Find the first element of a case that differs, and trace it."""
    cases = {entry[0].name: entry for entry in answered.cases}
    if name not in cases:
        raise ArgumentError(
            "refquant check",
            argument="--show",
            expected="the name of a case of these vectors",
            got=repr(name),
            hint=arguments.did_you_mean(name, tuple(cases)),
        )
    case, expected, answer, _ = cases[name]
    differ = np.argwhere(np.asarray(expected) != np.asarray(answer))
    found: dict[str, Any] = {"case": name, "operands": case.problem.describe()}
    found["differing"] = len(differ)
    if len(differ):
        index = tuple(map(int, differ[0]))
        found |= {
            "index": index, "expected": expected[index].item(), "got": answer[index].item(),
        }  # fmt: skip
        task = case.problem
        if has_trace(task):
            found["trace"] = trace_problem(task, answered.engine, index)
    return found


def _text(shown: dict[str, Any]) -> str:
    head = f"case {shown['case']}: {shown['operands']}"
    if not shown["differing"]:
        return f"{head}\n  all elements are equal"
    index = ", ".join(map(str, shown["index"]))
    lines = [
        head,
        f"  the first of {shown['differing']:,} differing elements, at [{index}]: expected "
        f"{shown['expected']}, got {shown['got']}",
    ]
    return "\n".join([*lines, *([str(shown["trace"])] if "trace" in shown else [])])
