"""The directive ``pytorch-names``: names of PyTorch 2.13, where each is here, how it is compared.

Its argument is the heading of a group in ``exactness/names.txt``. What the registry of the tests
calls is compared with PyTorch element by element, and its row says under which engines.
"""

import functools
import sys
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from places import place
from public_names import FACES, public
from sphinx.util.docutils import SphinxDirective

import refquant

ROOT = Path(__file__).parents[2]
NAMES = ROOT / "docs" / "exactness" / "names.txt"


def groups():
    """Map each heading of the file to its names."""
    found = {}
    for line in NAMES.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            names = found.setdefault(line[1:-1], [])
        elif line:
            names.append(line)
    return found


@functools.cache
def comparisons():
    """Map names of refquant to the entries of the registry that call them."""
    sys.path.insert(0, str(ROOT / "tests"))
    from cases.reached import reached

    return reached(refquant)


def same_as(path):
    """List the names under which a thing may stand in the registry."""
    bare = path.removeprefix("ao.")
    last = bare.rsplit(".", 1)[-1]
    return (bare, f"Tensor.{last}", last, f"nn.functional.{last}")


def compared(path):
    """Say under which engines a name is compared with PyTorch, and how closely."""
    found = comparisons()
    wanted = same_as(path)[:1] if path.startswith(("ops.", "ao.")) else same_as(path)
    entries = [entry for name in wanted for entry in found.get(name, ())]
    engines = sorted({engine for entry in entries for engine in entry.live})
    if not engines:
        return ""
    loosest = max(entries, key=lambda entry: entry.tolerance)
    if loosest.tolerance:
        return f"{', '.join(engines)}: within {loosest.tolerance:g}, {loosest.why}"
    return ", ".join(engines) + ": bit for bit"


class PytorchNames(SphinxDirective):
    """A table of the names of a group."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        self.env.note_dependency(str(NAMES))
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 42 34 24", ""]
        lines += ["   * - PyTorch", "     - refquant", "     - Compared"]
        for name in groups()[self.arguments[0]]:
            path = place(name)
            if path is None:
                raise self.error(f"{name} of PyTorch 2.13 is not in refquant")
            lines += [f"   * - ``{name}``", f"     - {shown(path)}", f"     - {compared(path)}"]
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, source=str(NAMES)), 0, holder)
        return holder.children


def shown(path):
    """Write a path: a link if one of the API pages describes the thing."""
    if path.startswith("Tensor."):
        return f"``{path}``"
    face, _, name = f"refquant.{path.removeprefix('ao.')}".rpartition(".")
    if face in FACES and name in public(face):
        return f":py:obj:`refquant.{path} <{face}.{name}>`"
    return f"``refquant.{path}``"


def setup(app):
    """Register the directive."""
    app.add_directive("pytorch-names", PytorchNames)
    return {"parallel_read_safe": True}
