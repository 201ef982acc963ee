"""For tests of other backends: an assertion with the oracle's verdict, and a pytest plugin.

Installing refquant gives pytest the fixture ``assert_matches``; the function can be imported too.
"""

from typing import Any

import pytest

from refquant.oracle.diagnosis import diagnose

__all__ = ["assert_matches"]


def assert_matches(
    actual: Any, operation: str, *args: Any, engine: str | None = None, **kwargs: Any
) -> None:
    """Assert that a backend answers like an engine, or say why it does not.

    Parameters
    ----------
    actual : QuantizedTensor or ndarray
        What the backend answered, integers in the shape of the output.
    operation : str
        See `refquant.oracle.problem`.
    *args, **kwargs
        Its operands.
    engine : str, optional
        With whose answer to compare; the engine that is chosen by default.

    Raises
    ------
    AssertionError
        If an element differs. The message has counts, places and the verdict of
        `refquant.oracle.diagnose`.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant.testing import assert_matches
    >>> x = refquant.tensor([0.25, 0.75])
    >>> asked = ("quantize_per_tensor", x, 0.5, 0, refquant.quint8)
    >>> assert_matches(np.array([0, 2]), *asked, engine="fbgemm")
    """
    __tracebackhide__ = True
    found = diagnose(actual, operation, *args, engine=engine, **kwargs)
    if found.mismatch.count:
        raise AssertionError(f"{found.mismatch}\nverdict: {found}")


@pytest.fixture(name="assert_matches")
def assert_matches_fixture():
    """Give the function `refquant.testing.assert_matches`."""
    return assert_matches
