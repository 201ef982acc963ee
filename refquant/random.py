"""Random numbers: names that `refquant` has too, and blocks that leave no trace in them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from refquant import arguments
from refquant.ops.floating.generator import (
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)

__all__ = [
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]


@contextmanager
def fork_rng(
    devices: Iterable[Any] | None = None, enabled: bool = True, *, device_type: str | None = None
) -> Iterator[None]:
    """Draw random numbers in a block, and go on behind it as if nothing had been drawn.

    Parameters
    ----------
    devices : iterable, optional
        Not used: the processor is the only device.
    enabled : bool, default True
        Whether to do so.
    device_type : str, optional
        Not used, either.

    Examples
    --------
    >>> import refquant
    >>> _ = refquant.manual_seed(0)
    >>> with refquant.random.fork_rng():
    ...     _ = refquant.rand(5)
    >>> refquant.rand(2)
    tensor([0.4963, 0.7682])
    """
    if not arguments.flag("enabled", enabled):
        yield
        return
    state = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(state)
