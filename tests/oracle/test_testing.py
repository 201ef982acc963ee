"""The pytest plugin: the fixture, and the message of a failed assertion."""

import numpy as np
import pytest
from processes import run

import refquant
from refquant.testing import assert_matches as function
from refquant.testing import assert_matches_fixture  # noqa: F401  a source tree has no entry points

ASKED = ("quantize_per_tensor", refquant.tensor([0.25, 0.75, 1.0]), 0.5, 0, refquant.quint8)


def test_equal_answers_pass(assert_matches):
    assert_matches(np.array([0, 2, 2]), *ASKED, engine="fbgemm")
    assert assert_matches is function


def test_the_message_has_the_verdict(assert_matches):
    with pytest.raises(AssertionError) as caught:
        assert_matches(np.array([1, 2, 2]), *ASKED, engine="fbgemm")
    text = str(caught.value)
    assert "1 of 3 elements differ" in text
    assert "[0]: got 1, expected 0 (tie)" in text
    assert "verdict: " in text
    assert "rounding: half_even -> half_up" in text


def test_a_failing_test_shows_it(tmp_path):
    (tmp_path / "test_mine.py").write_text(
        "import numpy as np, refquant\n"
        "def test_mine(assert_matches):\n"
        "    x = refquant.tensor([0.25])\n"
        "    assert_matches(np.array([1]), 'quantize_per_tensor', x, 0.5, 0, refquant.quint8)\n"
    )
    words = ["-q", "-p", "no:cacheprovider", "-p", "refquant.testing"]
    done = run(f"import pytest, sys; sys.exit(pytest.main({[*words, str(tmp_path)]!r}))")
    assert done.returncode == 1
    assert "verdict: quantize_per_tensor against engine" in done.stdout
