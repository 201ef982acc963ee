"""Make the notebooks of the labs, for students and for teachers: run this file as a script.

    python tutorials/labs/notebooks.py OUTPUT

Each lab is one Python file in the percent format, with solutions. ``# %% [markdown]`` begins text,
``# %%`` code, and ``# %% 1.1`` the answer to a question, in which the solution stands between
``### BEGIN SOLUTION`` and ``### END SOLUTION``. What a question asks is taken from
`refquant.course`, and a cell that checks the answer follows it. OUTPUT/student gets notebooks
without solutions, OUTPUT/teacher those with solutions, which are also the sources of nbgrader.
"""

import json
import re
import sys
from pathlib import Path

from refquant import course

FOLDER = Path(__file__).parent
HEADING = re.compile(r"# %%(?: (\[markdown\]|\d+\.\d+))?")
SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?### END SOLUTION$", re.MULTILINE | re.DOTALL)
STUB = r"\1# YOUR CODE HERE\n\1raise NotImplementedError()"


def sources():
    """List the labs, in order."""
    return sorted(FOLDER.glob("lab_*.py"))


def cells(text, solutions):
    """Make the cells of a notebook from the source of a lab."""
    made = []
    for kind, lines in split(text):
        if kind == "[markdown]":
            plain = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)
            made.append(cell("markdown", plain))
        elif kind is None:
            made.append(cell("code", "\n".join(lines)))
        else:
            code = "\n".join(lines)
            if not SOLUTION.search(code):
                raise ValueError(f"question {kind} has no solution between its markers")
            shown, function = course.question(kind), re.search(r"^def (\w+)", code, re.MULTILINE)[1]
            made.append(cell("markdown", markdown(shown)))
            code = code if solutions else SOLUTION.sub(STUB, code)
            made.append(cell("code", code, graded(kind, test=False)))
            check = (
                f'verdict = course.check("{kind}", {function})\nassert verdict, verdict\nverdict'
            )
            made.append(cell("code", check, graded(kind, test=True)))
    for number, one in enumerate(made):
        one["id"] = f"cell-{number:02}"
    return made


def split(text):
    """Cut a source into pairs: the kind of a cell, and its lines."""
    found = []
    for line in text.strip().splitlines():
        heading = HEADING.fullmatch(line)
        if heading:
            found.append((heading[1], []))
        elif found:
            found[-1][1].append(line)
        else:
            raise ValueError(f"the source begins with {line!r} instead of a cell")
    return [(kind, "\n".join(lines).strip().splitlines()) for kind, lines in found]


def markdown(question):
    """Write a question as Markdown: title, signature and task."""
    heading, _, task = question.partition("\n\n")
    title, _, signature = heading.rpartition(": ")
    return f"### {title}\n\n`{signature}`\n\n{task}"


def cell(kind, source, metadata=None):
    """Make one cell of a notebook."""
    lines = source.splitlines(keepends=True)
    made = {"cell_type": kind, "id": "", "metadata": metadata or {}, "source": lines}
    return made if kind == "markdown" else {**made, "execution_count": None, "outputs": []}


def graded(number, test):
    """Say to nbgrader what a cell is: an answer, or the test that gives one point for it."""
    name = number.replace(".", "-")
    told = {
        "grade": test,
        "grade_id": f"{'test' if test else 'answer'}-{name}",
        "locked": test,
        "schema_version": 3,
        "solution": not test,
        "task": False,
    }
    return {"nbgrader": {**told, "points": 1} if test else told}


def notebook(text, solutions):
    """Make a notebook, as the object that its file holds."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells(text, solutions),
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def write(output):
    """Write all notebooks below a folder, and return their paths."""
    written = []
    for kind in ("student", "teacher"):
        folder = Path(output) / kind
        folder.mkdir(parents=True, exist_ok=True)
        for path in sources():
            made = notebook(path.read_text(encoding="utf-8"), solutions=kind == "teacher")
            target = folder / f"{path.stem}.ipynb"
            target.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")
            written.append(target)
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python tutorials/labs/notebooks.py OUTPUT")
    for path in write(sys.argv[1]):
        print(path)
