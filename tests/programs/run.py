"""Run programs that were written for PyTorch, and record what they print.

python tests/programs/run.py            # under PyTorch: write printed-torch-VERSION.json
python tests/programs/run.py NAME ...   # show what these print under refquant
"""

import ast
import contextlib
import importlib
import io
import json
import sys
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
PROGRAMS = sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith(("run", "test_")))


class _Renamed(ast.NodeTransformer):
    """Let a program import one package where it says ``torch``; nothing else changes."""

    def __init__(self, package: str) -> None:
        self.package = package

    def _name(self, name: str) -> str:
        head, dot, rest = name.partition(".")
        return self.package + dot + rest if head == "torch" else name

    def visit_Import(self, node: ast.Import):
        made = []
        for alias in node.names:
            name = self._name(alias.name)
            if name == alias.name or alias.asname:
                made.append(ast.Import([ast.alias(name, alias.asname)]))
                continue
            # `import torch.nn` binds the name torch.
            made += [
                ast.Import([ast.alias(name, None)]),
                ast.Import([ast.alias(self.package, "torch")]),
            ]
        return [ast.copy_location(new, node) for new in made]

    def visit_ImportFrom(self, node: ast.ImportFrom):
        if node.module is not None and not node.level:
            node.module = self._name(node.module)
        return node


def printed(name: str, package: str) -> str:
    """Run a program with ``torch`` being this package, and return what it prints."""
    path = HERE / f"{name}.py"
    tree = _Renamed(package).visit(ast.parse(path.read_text(), str(path)))
    code = compile(ast.fix_missing_locations(tree), str(path), "exec")
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch says that its quantization has another home
        exec(code, {"__name__": "__main__"})
    return shown.getvalue()


def record(torch) -> None:
    """Record under PyTorch what all programs print."""
    torch.set_num_threads(1)
    version = torch.__version__.split("+")[0]
    capability = torch.backends.cpu.get_cpu_capability()
    said = {"peer": f"torch {version}", "capability": capability, "numpy": np.__version__}
    shown = {name: printed(name, "torch").splitlines() for name in PROGRAMS}
    path = HERE / f"printed-torch-{version}.json"
    path.write_text(json.dumps({"provenance": said, "printed": shown}, indent=1) + "\n")


def main(names: list[str]) -> None:
    """Show what programs print under refquant; without names, record under PyTorch."""
    for name in names:
        print(printed(name, "refquant"), end="")
    if not names:
        record(importlib.import_module("torch"))


if __name__ == "__main__":
    main(sys.argv[1:])
