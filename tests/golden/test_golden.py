"""refquant gives the answers that real engines gave; `record.py` says how they were recorded."""

from functools import cache
from pathlib import Path

import pytest
from cases import registry
from cases.answers import answer, compared
from cases.operands import floats, np
from cases.recordings import SUFFIX, read, unpacked

import refquant

FILES = sorted(Path(__file__).parent.glob("*-torch-*.npz"))
OPERATIONS = registry.load()
read = cache(read)


def recordings():
    for path in FILES:
        provenance, answers = read(path)
        suffix = SUFFIX[provenance["release"]]
        for engine, name in answers:
            yield pytest.param(path, engine, name, id=f"{name}-{engine}{suffix}")


@pytest.mark.parametrize(("path", "engine", "name"), list(recordings()))
def test_answers_are_those_of_the_real_engine(path, engine, name):
    provenance, answers = read(path)
    release = provenance["release"]
    wanted = unpacked(answers[engine, name])
    got = [
        answer(OPERATIONS[name], refquant, case, engine, release, 0, engine + SUFFIX[release])
        for case in range(len(wanted))
    ]
    elements, differences, first = compared(wanted, got)
    assert elements
    assert not differences, first


@pytest.mark.parametrize("release", SUFFIX)
def test_every_operation_was_recorded(release):
    wanted = {
        (engine, operation.name, operation.recorded)
        for operation in OPERATIONS.values()
        for own, engine in operation.peers
        if operation.recorded and own == release
    }
    recorded = {
        (engine, name, len(unpacked(arrays)))
        for provenance, answers in map(read, FILES)
        if provenance["release"] == release
        for (engine, name), arrays in answers.items()
    }
    assert recorded == wanted, "run tests/golden/record.py under that release of PyTorch"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_provenance_says_who_answered(path):
    provenance, _ = read(path)
    assert provenance["peer"] == path.stem.split("-", 1)[1].replace("-", " ")
    assert provenance["threads"] == 1
    assert {"machine", "processor", "capability", "numpy", "python"} <= set(provenance)


def test_random_material_is_the_same_everywhere():
    """The frozen stream and exact arithmetic: these values were drawn under NumPy 1.19."""
    drawn = floats(np.random.RandomState(0), (5,), 0.1, 3, special=False)
    assert [value.hex() for value in drawn.tolist()] == MATERIAL


MATERIAL = [
    "0x1.1b33340000000p+3",
    "0x1.1333340000000p+4",
    "-0x1.3333380000000p-2",
    "0x1.a333360000000p+3",
    "0x1.6000000000000p+1",
]
