"""The random number generator.

The numbers are NumPy's (PCG64), not PyTorch's: the same seed gives the same numbers again, but
other numbers than there.
"""

import os

import numpy as np

from refquant import arguments
from refquant.ops import checks
from refquant.ops.floating.creation import storage
from refquant.ops.rows import row


class Generator:
    """A random number generator that can be seeded.

    Parameters
    ----------
    device : str, default 'cpu'
        Only 'cpu'.

    Examples
    --------
    >>> import refquant
    >>> g = refquant.Generator().manual_seed(3)
    >>> a = refquant.rand(2, generator=g)
    >>> refquant.equal(a, refquant.rand(2, generator=g.manual_seed(3)))
    True
    """

    def __init__(self, device: str = "cpu"):
        storage(None, device)
        self.manual_seed(67280421310721)

    def manual_seed(self, seed: int) -> "Generator":
        """Seed the generator; returns it."""
        self._seed = checks.whole_number("seed", seed)
        self._numpy: np.random.Generator | None = None
        return self

    @property
    def numpy(self) -> "np.random.Generator":
        """NumPy's generator, made when the first number is drawn: its import takes time."""
        if self._numpy is None:
            # NumPy takes no negative seeds; PyTorch counts them from 2**64 down.
            self._numpy = np.random.Generator(np.random.PCG64(self._seed % 2**64))
        return self._numpy

    def seed(self) -> int:
        """Seed the generator from the operating system, and return the seed."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little") >> 1)
        return self._seed

    def initial_seed(self) -> int:
        """Return the seed that was set last."""
        return self._seed


default_generator = Generator()


@row("refquant", seed="Any whole number.")
def manual_seed(seed: int) -> Generator:
    """Seed the random numbers, so that a program draws the same ones every time.

    Returns
    -------
    Generator
        That of all functions that are not given another.

    >>> generator = refquant.manual_seed(0)
    >>> x = refquant.randn(2)
    >>> _ = refquant.manual_seed(0)
    >>> bool((refquant.randn(2) == x).all())
    True
    """
    return default_generator.manual_seed(seed)


@row("refquant")
def seed() -> int:
    """Seed the random numbers from the operating system, and return the seed.

    Returns
    -------
    int
        The seed.

    >>> refquant.seed() == refquant.initial_seed()
    True
    """
    return default_generator.seed()


@row("refquant")
def initial_seed() -> int:
    """Return the seed that was set last.

    Returns
    -------
    int

    >>> _ = refquant.manual_seed(7)
    >>> refquant.initial_seed()
    7
    """
    return default_generator.initial_seed()


def numpy_generator(generator: Generator | None) -> "np.random.Generator":
    """Return NumPy's generator behind a generator, or behind the default one for None."""
    if generator is None:
        return default_generator.numpy
    return arguments.instance("generator", generator, Generator, "a refquant.Generator").numpy
