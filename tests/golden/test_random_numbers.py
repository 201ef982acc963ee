"""Random numbers are those that PyTorch drew from the same seeds, to the last bit."""

import json
import re
import warnings

import numpy as np
import pytest
from golden import random_numbers

import refquant

RECORDED = json.loads((random_numbers.HERE / "random-numbers-torch-2.13.0.json").read_text())
ANSWERS = RECORDED["answers"]
GROUPS: dict[str, list] = {}
for program in random_numbers.programs(refquant):
    GROUPS.setdefault(re.sub(r", [(\d-].*", "", program[0]), []).append(program)


@pytest.mark.parametrize("group", GROUPS)
def test_bits_are_those_of_pytorch(group):
    for name, seed, run in GROUPS[group]:
        found = random_numbers.results(refquant, run, seed)
        assert random_numbers.digest(found) == ANSWERS[name], name


def test_every_program_was_recorded():
    assert sorted(name for group in GROUPS.values() for name, _, _ in group) == sorted(ANSWERS)


@pytest.mark.torch
@pytest.mark.parametrize("seed", [5, 2**63 + 11])
def test_bits_are_those_of_an_installed_pytorch(torch, seed):
    pairs = zip(random_numbers.programs(torch), random_numbers.programs(refquant), strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own deprecations
        for (name, _, theirs), (_, _, ours) in pairs:
            if str(random_numbers.MANY) in name:
                continue
            wanted = random_numbers.results(torch, theirs, seed)
            for expected, found in zip(
                wanted, random_numbers.results(refquant, ours, seed), strict=True
            ):
                assert np.array_equal(expected, found), name


@pytest.mark.torch
def test_states_go_from_pytorch_and_back(torch):
    torch.manual_seed(11)
    torch.randn(5), torch.rand(700)
    refquant.set_rng_state(refquant.from_numpy(torch.get_rng_state().numpy()))
    assert np.array_equal(refquant.randn(40).numpy(), torch.randn(40).numpy())
    torch.set_rng_state(torch.from_numpy(refquant.get_rng_state().numpy()))
    assert np.array_equal(refquant.randn(3).numpy(), torch.randn(3).numpy())
