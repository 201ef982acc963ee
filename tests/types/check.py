"""Check programs of users under type checkers: run this file as a script.

The programs are those of the README and of the Start pages, `every_namespace`, and one that names
everything public. mypy runs strictly, basedpyright in standard mode; errors and warnings of either
end the run with 1. Checked is the refquant that this Python imports.
"""

import ast
import doctest
import importlib
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def programs():
    """Return {name of the file: text} of all programs."""
    found = {"every_namespace.py": (HERE / "every_namespace.py").read_text("utf-8")}
    readme = (ROOT / "README.md").read_text("utf-8")
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", readme, re.DOTALL | re.M)):
        found[f"readme_{number}.py"] = code
    for page in sorted((ROOT / "docs" / "start").glob("*.rst")):
        found[f"start_{page.stem}.py"] = from_doctests(page.read_text("utf-8"))
    for name in ("model", "save", "load"):
        found[f"{name}.py"] = (ROOT / "docs" / "start" / "saving" / f"{name}.py").read_text("utf-8")
    found["every_name.py"] = every_name()
    return found


def from_doctests(page):
    """Join the examples of a page, apart from those that show an error."""
    parts = []  # without the assignments that keep doctest from printing
    for example in doctest.DocTestParser().get_examples(page):
        body = ast.parse(example.source).body
        shown = isinstance(body[0], ast.Expr) and not isinstance(body[0].value, ast.Call)
        if example.exc_msg is None:
            source = re.sub(r"^( *)_ = ", r"\1", example.source.rstrip("\n"), flags=re.M)
            parts.append(f"print({source})" if shown else source)
    return "\n".join(parts) + "\n"


def every_name():
    """Write a program that names all that is public, and every kernel."""
    spec = importlib.util.spec_from_file_location(
        "public_names", ROOT / "docs" / "_ext" / "public_names.py"
    )
    names = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(names)
    from refquant import kernels

    lines = [f"import {face}" for face in names.FACES]
    for face in names.FACES:
        lines += [f"print({face}.{name})" for name in names.public(face)]
    for family in kernels.FAMILIES:
        definitions = importlib.import_module(f"refquant.reference.{family}")
        lines += [f"print(refquant.kernels.{name})" for name in definitions.__all__]
    return "\n".join(lines) + "\n"


def library():
    """Return where refquant is if it is not installed as a package beside the others, else None."""
    import refquant

    folder = Path(inspect.getfile(refquant)).resolve().parents[1]
    return None if folder.name in ("site-packages", "dist-packages") else folder


def mypy(folder, source):
    """Run mypy; return its messages."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary"]
    command += ["--cache-dir", str(folder / ".mypy_cache"), "--follow-imports", "silent", "."]
    environment = {**os.environ, "MYPYPATH": str(source or "")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"mypy did not run:\n{done.stdout}{done.stderr}")
    return done.stdout.splitlines()


def basedpyright(folder, source):
    """Run basedpyright; return its messages."""
    settings = {
        "typeCheckingMode": "standard",
        "extraPaths": [str(source)] if source else [],
        "include": ["*.py"],
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"basedpyright did not run:\n{done.stdout}{done.stderr}")
    return [
        f"{Path(item['file']).name}:{item['range']['start']['line'] + 1}: {item['severity']}: "
        f"{item['message']} [{item.get('rule', '')}]"
        for item in json.loads(done.stdout)["generalDiagnostics"]
    ]


def main():
    """Print what each checker says, and how much of it."""
    source, count = library(), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = programs()
        for file, text in written.items():
            (folder / file).write_text(text, encoding="utf-8")
        for checker in (mypy, basedpyright):
            messages = checker(folder, source)
            count += len(messages)
            print(*messages, sep="\n")
            print(f"{checker.__name__}: {len(messages)} messages on {len(written)} programs")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
