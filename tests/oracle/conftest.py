"""A folder of vectors with results, for tests that read and damage it."""

import numpy as np
import pytest

from refquant import oracle


@pytest.fixture
def folder(tmp_path):
    oracle.write_vectors("relu", tmp_path / "vectors", "fbgemm")
    results = tmp_path / "results"
    results.mkdir()
    vectors = oracle.read_vectors(tmp_path / "vectors")
    for name, expected in vectors.expected.items():
        np.savez(results / f"{name}.npz", output=expected)
    return tmp_path
