"""Parts of the workflow that quantizable modules use: they lie above, so the package finds them."""

from collections.abc import Callable
from typing import Any

__all__ = ["FINDERS", "step"]

FINDERS: list[Callable[[str], Any]] = []


def step(name: str) -> Any:
    """Look up ``prepare``, ``prepare_qat``, ``convert`` or a stub.

    Examples
    --------
    >>> from refquant.nn.quantizable.workflow import step
    >>> step("prepare").__name__
    'prepare'
    """
    return FINDERS[0](name)
