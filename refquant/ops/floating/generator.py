"""The random number generator: PyTorch's of the CPU, the Mersenne Twister of 32-bit words.

NumPy has the same one, and starts it from a seed in the same way.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentError, DtypeError, ShapeError
from refquant.ops import checks
from refquant.ops.rows import row
from refquant.tensors import Tensor

if TYPE_CHECKING:
    from numpy.random import MT19937

# Words of the Mersenne Twister.
_COUNT = 624
# A saved state: the seed, words left, whether it was seeded, the next word; the words, 64 bits
# each; a normal number that is kept for the next call, and the same of float32, never there.
_FORM = struct.Struct(f"<QiiQ{_COUNT}QdddixxxxfI")


class Generator:
    """A random number generator that can be seeded: that of PyTorch on a CPU.

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
        self._device = dtypes.device(device)
        self.manual_seed(67280421310721)

    @property
    def device(self) -> dtypes.device:
        """Always ``'cpu'``."""
        return self._device

    def manual_seed(self, seed: int) -> Generator:
        """Seed the generator; returns it."""
        seed = checks.whole_number("seed", seed)
        if not -(2**63) <= seed < 2**64:
            raise ArgumentError(argument="seed", expected="a number of 64 bits", got=seed)
        self._seed = seed % 2**64
        self._start()
        return self

    def _start(self) -> None:
        # NumPy's generator is made when the first number is drawn: its import takes time.
        self._engine: MT19937 | None = None
        self._drawn = False
        self.kept: float | None = None  # the second of a pair of normal numbers

    @property
    def _twister(self) -> MT19937:
        if self._engine is None:
            self._engine = np.random.MT19937()
            # Of a seed PyTorch takes the last 32 bits.
            self._engine._legacy_seeding(self._seed % 2**32)
        return self._engine

    def words(self, count: int) -> np.ndarray:
        """Draw numbers of 32 bits.

        Parameters
        ----------
        count : int
            How many.

        Returns
        -------
        ndarray of uint64
        """
        (count,) = arguments.shape("count", arguments.integer("count", count))
        self._drawn = self._drawn or count > 0
        return self._twister.random_raw(count)

    def seed(self) -> int:
        """Seed the generator from the operating system, and return the seed."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little") >> 1)
        return self._seed

    def initial_seed(self) -> int:
        """Return the seed that was set last; a negative one as the number of 64 bits it is."""
        return self._seed

    def get_state(self) -> Tensor:
        """Return where the generator is, in the form of PyTorch.

        Returns
        -------
        Tensor
            5056 elements of uint8.
        """
        saved: Any = self._twister.state["state"]
        next_word = saved["pos"] if self._drawn else 0
        left = _COUNT + 1 - next_word if self._drawn else 1
        kept = self.kept is not None
        words = saved["key"].tolist()
        packed = _FORM.pack(
            self._seed, left, 1, next_word, *words, 0.0, self.kept or 0.0, 0.0, kept, 0.0, 0
        )
        return Tensor(np.frombuffer(packed, np.uint8).copy())

    def set_state(self, new_state: Tensor) -> None:
        """Go on where a generator was.

        Parameters
        ----------
        new_state : Tensor
            From `get_state`, of a generator of PyTorch too.

        Raises
        ------
        DtypeError, ShapeError
            If it is no tensor of 5056 elements of uint8.
        ArgumentError
            If the numbers in it are not those of a generator.
        """
        array = checks.plain_tensor("new_state", new_state).array
        if array.dtype != np.uint8:
            raise DtypeError(argument="new_state", expected="a uint8 tensor", got=new_state.dtype)
        if array.shape != (_FORM.size,):
            raise ShapeError(
                argument="new_state",
                expected=f"the {_FORM.size} elements that get_state() returns",
                got=f"shape {array.shape}",
            )
        seed, left, seeded, next_word, *rest = _FORM.unpack(array.tobytes())
        words, (_, normal, _, kept, *_) = rest[:_COUNT], rest[_COUNT:]
        drawn = next_word > 0
        if (
            seeded != 1
            or left != (_COUNT + 1 - next_word if drawn else 1)
            or max(words) >= 2**32
            or kept not in (0, 1)
        ):
            raise ArgumentError(
                argument="new_state",
                expected="the state of a Mersenne Twister",
                got="other numbers",
                hint="save it with get_state() or get_rng_state()",
            )
        engine = np.random.MT19937()
        state: Any = {"key": np.array(words, np.uint32), "pos": next_word if drawn else _COUNT}
        engine.state = {"bit_generator": "MT19937", "state": state}
        self._seed, self._engine, self._drawn = seed, engine, drawn
        self.kept = normal if kept else None


default_generator = Generator()


@row("refquant", seed="Any whole number of 64 bits.")
def manual_seed(seed: int) -> Generator:
    """Seed the random numbers, so that a program draws the same ones every time.

    The numbers are those of PyTorch after the same call.

    Returns
    -------
    Generator
        That of all functions that are not given another.

    >>> generator = refquant.manual_seed(0)
    >>> refquant.rand(2)
    tensor([0.4963, 0.7682])
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


@row("refquant", returns="5056 elements of uint8, as PyTorch returns them.")
def get_rng_state() -> Tensor:
    """Return where the random numbers are.

    >>> state = refquant.get_rng_state()
    >>> x = refquant.rand(2)
    >>> refquant.set_rng_state(state)
    >>> refquant.equal(refquant.rand(2), x)
    True
    """
    return default_generator.get_state()


@row("refquant", new_state="From `get_rng_state`, of PyTorch too.")
def set_rng_state(new_state: Tensor) -> None:
    """Go on with the random numbers from a state.

    Returns
    -------
    None

    >>> _ = refquant.manual_seed(0)
    >>> refquant.set_rng_state(refquant.Generator().get_state())
    >>> refquant.initial_seed()
    67280421310721
    """
    default_generator.set_state(new_state)


def source(generator: Generator | None) -> Generator:
    """Return a generator, the default one for None, or raise."""
    if generator is None:
        return default_generator
    return arguments.instance("generator", generator, Generator, "a refquant.Generator")
