"""Look into a wheel: ``python check_wheel.py WHEEL (compiled | pure)``; errors end the run."""

import sys
import zipfile
from pathlib import Path

LIMIT = 5_000_000
# The program that refquant.interop.c writes beside a header.
PROGRAM = "refquant/interop/network.c"


def problems(wheel: Path, kind: str):
    """Say what is wrong with a wheel, one line each."""
    names = zipfile.ZipFile(wheel).namelist()
    size = wheel.stat().st_size
    if size > LIMIT:
        yield f"{size} bytes, more than {LIMIT}"
    for ending in (".pyx", ".pxd", ".c", ".npz"):
        found = [name for name in names if name.endswith(ending) and name != PROGRAM]
        if found:
            yield f"contains {', '.join(found)}"
    strangers = {name.split("/")[0] for name in names if not name.startswith("refquant")}
    if strangers:
        yield f"has other packages: {', '.join(sorted(strangers))}"
    for needed in ("refquant/py.typed", PROGRAM):
        if needed not in names:
            yield f"lacks {needed}"
    if not any(name.endswith("licenses/LICENSE") for name in names):
        yield "lacks the license"
    compiled = [name for name in names if name.endswith((".so", ".pyd"))]
    if kind == "pure" and (compiled or not wheel.name.endswith("-py3-none-any.whl")):
        yield f"is not pure: {wheel.name} with {len(compiled)} compiled modules"
    marked = "refquant/_kernels/_pure.py" in names
    if marked is not (kind == "pure"):
        yield "is marked as pure" if marked else "is not marked as pure, and would warn"
    if kind == "compiled" and not compiled:
        yield "has no compiled module"


def main(path: str, kind: str) -> int:
    """Print what a wheel holds and what is wrong with it."""
    wheel = Path(path)
    found = list(problems(wheel, kind))
    print(f"{wheel.name}: {wheel.stat().st_size} bytes", *found, sep="\n  ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
