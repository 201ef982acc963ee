"""Testing of other backends: an assertion with the oracle's verdict, and a pytest plugin.

Installing refquant provides the pytest fixture ``assert_matches``, which can be imported too.
"""

from typing import Any

import pytest

from refquant.oracle.diagnosis import diagnose

__all__ = ["assert_matches"]


def assert_matches(
    actual: Any, operation: str, *args: Any, engine: str | None = None, **kwargs: Any
) -> None:
    """Assert that a backend's answer equals that of an engine, or explain why it differs.

    Parameters
    ----------
    actual : QuantizedTensor or ndarray
        The backend's answer, integers in the shape of the output.
    operation : str
        See `refquant.oracle.problem`.
    *args, **kwargs
        Its operands.
    engine : str, optional
        The engine to compare with; the current engine by default.

    Raises
    ------
    AssertionError
        If an element differs. The message has counts, indices and the verdict of
        `refquant.oracle.diagnose`.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant.testing import assert_matches
    >>> x = refquant.tensor([0.25, 0.75])
    >>> given = ("quantize_per_tensor", x, 0.5, 0, refquant.quint8)
    >>> assert_matches(np.array([0, 2]), *given, engine="fbgemm")
    """
    __tracebackhide__ = True
    diagnosis = diagnose(actual, operation, *args, engine=engine, **kwargs)
    if diagnosis.mismatch.count:
        raise AssertionError(f"{diagnosis.mismatch}\nverdict: {diagnosis}")


@pytest.fixture(name="assert_matches")
def assert_matches_fixture():
    """Return the function `refquant.testing.assert_matches`."""
    return assert_matches
