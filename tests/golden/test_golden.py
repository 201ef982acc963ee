"""refquant gives the answers that real engines gave; `record.py` says how they were recorded."""

from functools import cache
from pathlib import Path

import pytest
from golden import programs as p
from parity.bits import difference

import refquant

FILES = sorted(Path(__file__).parent.glob("*-torch-*.npz"))
read = cache(p.read)
# The engines of refquant that are to give the answers of a release.
SUFFIX = {"1.4": "-1.4", "2.13": ""}


def recordings():
    for path in FILES:
        family = path.stem.split("-torch-")[0]
        provenance, answers = read(path)
        suffix = SUFFIX[provenance["release"]]
        for engine, name in answers:
            yield pytest.param(path, family, engine, name, id=f"{family}-{name}-{engine}{suffix}")


@pytest.mark.parametrize(("path", "family", "engine", "name"), list(recordings()))
def test_answers_are_those_of_the_real_engine(path, family, engine, name):
    provenance, answers = read(path)
    function = p.programs(family)[name]
    got = p.run(refquant, function, engine + SUFFIX[provenance["release"]])
    wanted = answers[engine, name]
    assert sorted(got) == sorted(wanted)
    found = [difference(wanted[key], got[key], key) for key in wanted]
    assert not any(found), "\n".join(line for line in found if line)


@pytest.mark.parametrize("family", p.families())
@pytest.mark.parametrize("release", SUFFIX)
def test_every_program_was_recorded(family, release):
    wanted = {
        (engine, name)
        for name, function in p.programs(family).items()
        for engine in function.engines
        if release in function.releases
    }
    recorded = set()
    for path in FILES:
        provenance, answers = read(path)
        if path.stem.startswith(f"{family}-") and provenance["release"] == release:
            recorded = set(answers)
    assert recorded == wanted, "run tests/golden/record.py under that release of PyTorch"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_provenance_says_who_answered(path):
    provenance, _ = read(path)
    assert provenance["peer"] == path.stem.split("-", 1)[1].replace("-", " ")
    assert provenance["threads"] == 1
    assert {"machine", "processor", "capability", "numpy", "python"} <= set(provenance)


def test_random_material_is_the_same_everywhere():
    """The frozen stream and exact arithmetic: these values were drawn under NumPy 1.19."""
    rng = p.generator(0)
    drawn = p.floats(rng, (5,), 0.1, 3, special=False)
    assert [value.hex() for value in drawn.tolist()] == MATERIAL


MATERIAL = [
    "0x1.1b33340000000p+3",
    "0x1.1333340000000p+4",
    "-0x1.3333380000000p-2",
    "0x1.a333360000000p+3",
    "0x1.6000000000000p+1",
]
