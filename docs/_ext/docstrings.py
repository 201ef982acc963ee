"""Leaving docstrings out of code that a page quotes."""

import ast
import textwrap


def without_docstring(code):
    """Return a function or class, not indented, without the docstring that it begins with."""
    code = textwrap.dedent(code)
    first = ast.parse(code).body[0].body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return code
    lines = code.splitlines(keepends=True)
    before, after = lines[: first.lineno - 1], lines[first.end_lineno :]
    while after and not after[0].strip():
        del after[0]
    return "".join(before + after)
