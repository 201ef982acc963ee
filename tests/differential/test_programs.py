"""The programs of the recorded answers with other numbers, in an installed PyTorch 2.13 too."""

import warnings

import pytest
from golden import programs as p
from parity.bits import difference

import refquant

CASES = [
    pytest.param(function, engine, id=f"{family}-{name}-{engine}")
    for family in p.families()
    for name, function in p.programs(family).items()
    for engine in function.engines
    if "2.13" in function.releases
]


@pytest.mark.torch
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("function", "engine"), CASES)
def test_refquant_answers_like_pytorch(torch, function, engine, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = p.run(torch, function, engine, seed)
    got = p.run(refquant, function, engine, seed)
    assert sorted(got) == sorted(wanted)
    found = [difference(wanted[key], got[key], key) for key in wanted]
    assert not any(found), "\n".join(line for line in found if line)
