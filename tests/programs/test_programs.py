"""Programs written for PyTorch print here what they print there: figures to four digits."""

import json
import random
import re

import numpy as np
import pytest
from programs import run

import refquant

RECORDED = json.loads((run.HERE / "printed-torch-2.13.0.json").read_text())["printed"]
NUMBER = re.compile(r"(-?\d+\.\d+(?:e[-+]\d+)?)")


@pytest.fixture(autouse=True)
def surroundings():
    """Restore the engine and the generators that programs choose and seed."""
    state = refquant.get_rng_state(), random.getstate(), np.random.get_state()
    engine = refquant.backends.quantized.engine  # programs assign it, which `using` would override
    refquant.backends.quantized.engine = "fbgemm"
    yield
    refquant.backends.quantized.engine = engine
    refquant.set_rng_state(state[0])
    random.setstate(state[1])
    np.random.set_state(state[2])


def unit(text: str) -> float:
    """Return what one in the last digit of a printed number is worth."""
    mantissa, _, exponent = text.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


# Of 64 images; exp and log of another processor swap the two brightest pixels of one.
SHARES = {"same brightest pixel:": 1.1 / 64}


def assert_alike(found: str, wanted: str) -> None:
    """Compare texts; a number may be rounded to the neighbor of its last digit."""
    least = next((share for name, share in SHARES.items() if wanted.startswith(name)), 0.0)
    ours, theirs = NUMBER.split(found), NUMBER.split(wanted)
    assert ours[::2] == theirs[::2], (found, wanted)
    for a, b in zip(ours[1::2], theirs[1::2], strict=True):
        assert abs(float(a) - float(b)) < max(1.5 * min(unit(a), unit(b)), least), (found, wanted)


@pytest.mark.parametrize("name", run.PROGRAMS)
def test_figures_are_those_of_pytorch(name):
    found = run.printed(name, "refquant").splitlines()
    for ours, theirs in zip(found, RECORDED[name], strict=True):
        assert_alike(ours, theirs)


@pytest.mark.torch
@pytest.mark.usefixtures("instructions_of_records")
@pytest.mark.parametrize("name", run.PROGRAMS)
def test_recordings_are_what_an_installed_pytorch_prints(torch, name):
    for ours, theirs in zip(run.printed(name, "torch").splitlines(), RECORDED[name], strict=True):
        assert_alike(ours, theirs)


def test_every_program_was_recorded():
    assert sorted(RECORDED) == run.PROGRAMS


def test_a_wrong_figure_is_found():
    assert_alike("scale 0.0349, 59", "scale 0.03491, 59")
    for found in ("scale 0.0351, 59", "scale 0.0349, 60", "Scale 0.0349, 59"):
        with pytest.raises(AssertionError):
            assert_alike(found, "scale 0.0349, 59")
