"""Each operation beside what the machine can do, as ``benchmarks/picture.py`` draws it."""

import json
import runpy
from pathlib import Path

PAGE = Path(__file__).parents[1]
DRAW = PAGE.parents[1] / "benchmarks" / "picture.py"
FIGURES = ("machine", "classes", "sizes")


def draw(ink):
    written = (PAGE / "measured" / f"{name}.json" for name in FIGURES)
    found = [json.loads(path.read_text(encoding="utf-8")) for path in written]
    return runpy.run_path(str(DRAW))["draw"](*found, ink)
