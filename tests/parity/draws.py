"""Arguments for the parity test: a registry of one generator for each twin.

A file ``draws_FAMILY.py`` beside this one registers them::

    @draws("quantize_per_tensor")
    def quantize_per_tensor(rng):
        for size in SIZES:
            yield floats(rng, size), Output(0.1, 10, 0, 255), np.dtype("uint8"), size, split

Each yields tuples of positional arguments: contiguous arrays, plain numbers, records and rules, as
the twins take them. With ``@draws_large`` a second generator yields a few tuples of about a million
elements each, for twins that work element by element; that is also where several threads work.
"""

import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np

Generator = Callable[[np.random.Generator], Iterator[tuple]]

SMALL: dict[str, Generator] = {}
LARGE: dict[str, Generator] = {}


def draws(twin: str) -> Callable[[Generator], Generator]:
    """Register the generator of arguments for the twin of this name."""
    return _register(SMALL, twin)


def draws_large(twin: str) -> Callable[[Generator], Generator]:
    """Register a generator of large arguments for the twin of this name."""
    return _register(LARGE, twin)


def _register(registry, twin):
    def add(generator):
        if twin in registry:
            raise ValueError(f"{twin} has two generators")
        registry[twin] = generator
        return generator

    return add


def seeded(registry: dict[str, Generator], twin: str) -> Iterator[tuple]:
    """Draw with a seed that depends on nothing but the name of the twin."""
    return registry[twin](np.random.default_rng(zlib.crc32(twin.encode())))


def load() -> None:
    """Import every ``draws_*.py`` of this folder."""
    for file in sorted(Path(__file__).parent.glob("draws_*.py")):
        import_module(f"parity.{file.stem}")
