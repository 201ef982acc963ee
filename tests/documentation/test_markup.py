"""Docstrings are valid reStructuredText where a slip is easy: stars of shapes and arguments."""

import inspect
import re
from importlib import import_module
from pkgutil import walk_packages

import refquant

CODE = re.compile(r"``.*?``|:math:`[^`]*`|`[^`]+`", re.DOTALL)
EMPHASIS = re.compile(r"\*\*\w[^*]*\*\*|(?<!\w)\*\w[^*]*\*")
FREE_STAR = re.compile(r"(?<![\\\w*])\*(?=[^\s*])")
PARAMETERS = re.compile(r"(?:\w+, )*\*{1,2}\w+(?:, \*{1,2}\w+)*(?: :.*)?$")


def free_stars(text):
    """List the lines with a star that begins an emphasis and never ends it."""
    found, formula = [], False
    for line in EMPHASIS.sub("", CODE.sub("", text)).splitlines():
        formula = ".. math::" in line or (formula and line[:1] in ("", " "))
        words = line.strip()
        if formula or words.startswith((">>>", "...")) or PARAMETERS.match(words):
            continue
        if FREE_STAR.search(words):
            found.append(words)
    return found


def docstrings():
    for module in walk_packages(refquant.__path__, "refquant."):
        if "._kernels" in module.name or module.name.endswith("__main__"):
            continue
        for name, value in list(vars(import_module(module.name)).items()):
            ours = getattr(value, "__module__", "").startswith("refquant")
            if not (ours and (inspect.isroutine(value) or isinstance(value, type))):
                continue
            yield f"{module.name}.{name}", value.__doc__
            for inner, member in list(vars(value).items()) if isinstance(value, type) else ():
                if inspect.isfunction(member):
                    yield f"{module.name}.{name}.{inner}", member.__doc__


def test_what_a_free_star_is():
    assert free_stars("Of shape (*sizes, 3).") == ["Of shape (*sizes, 3)."]
    assert not free_stars("``(*sizes, 3)`` and *this*\n*args : int\n    2 * 3\n>>> f(*x)")


def test_no_star_begins_an_emphasis_that_never_ends():
    found = {name: free_stars(text) for name, text in docstrings() if text}
    assert not {name: lines for name, lines in found.items() if lines}
