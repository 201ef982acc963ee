"""Faults that a script draws from a seed are named, alone or among what no data tells apart."""

import numpy as np
import pytest
from oracle import planted_faults


@pytest.mark.parametrize("seed", range(12))
def test_what_was_planted_is_found(seed):
    engine, operation, names, found = planted_faults.plant(np.random.default_rng([seed, 7]))
    assert planted_faults.is_found(names, found), (engine, operation, names, found)


def test_the_script_counts_what_was_missed(capsys, monkeypatch):
    monkeypatch.setattr(planted_faults, "is_found", lambda names, found: False)
    assert planted_faults.main(1, 2) == 2
    assert capsys.readouterr().out.endswith("0 of 2 found\n")
