"""Write the stub of the methods of tensors for type checkers: run this file as a script.

It makes ``refquant/ops/declared.pyi`` from the table ``refquant.ops.methods.METHODS``.
"""

import inspect
from pathlib import Path

import refquant
from refquant.ops.methods import METHODS

FILE = Path(refquant.__path__[0]) / "ops" / "declared.pyi"
HEAD = '''"""The methods of `refquant.ops.methods.METHODS`, declared for type checkers.

They do not see what is installed while a program runs, so `Tensor` derives from `Methods` while
types are checked, and only then. ``tests/documentation/declarations.py`` writes this file.
"""

from typing import Any

class Methods:
    """What the table installs; the functions named there have the documentation."""

'''


def text():
    """Return the file as it should be."""
    return HEAD + "".join(declaration(name, METHODS[name]) for name in sorted(METHODS))


def declaration(name, function):
    """Declare one method: names, kinds and presence of defaults as the function has them."""
    words, starred = ["self"], False
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            words.append("*")
        starred = starred or star == "*" or parameter.kind is parameter.KEYWORD_ONLY
        default = "" if parameter.default is parameter.empty else " = ..."
        words.append(f"{star}{parameter.name}: Any{default}")
    for inner in (", ".join(words), f"\n        {', '.join(words)}\n    "):
        line = f"    def {name}({inner}) -> Any: ...\n"
        if max(map(len, line.splitlines())) <= 100:
            return line
    listed = "".join(f"        {word},\n" for word in words)
    return f"    def {name}(\n{listed}    ) -> Any: ...\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
