"""Progress bars on standard error, without a dependency.

A bar is drawn only on a terminal, or on request.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TextIO, TypeVar

__all__ = ["Progress", "track"]

T = TypeVar("T")

_WIDTH = 24  # cells of a full bar
_PAUSE = 0.1  # seconds between two drawings; more frequent ones cost time and flicker


class Progress:
    """A progress bar that is advanced explicitly, used in a ``with`` block.

    Parameters
    ----------
    title : str
        What is in progress.
    total : int, optional
        Number of steps; without it the steps are counted, but no bar is drawn.
    show : bool, optional
        Whether to draw. By default only if `stream` is a terminal.
    stream : file, optional
        Where to draw; standard error by default.

    Examples
    --------
    >>> from refquant.progress import Progress
    >>> with Progress("adding", total=3, show=False) as bar:
    ...     for number in range(3):
    ...         bar.advance(note=f"sum {number}")
    >>> bar.done
    3
    """

    def __init__(
        self,
        title: str,
        total: int | None = None,
        *,
        show: bool | None = None,
        stream: TextIO | None = None,
    ):
        self.title, self.total, self.done, self.note = title, total, 0, ""
        self._stream = sys.stderr if stream is None else stream
        self._shown = self._stream.isatty() if show is None else show
        self._started = time.perf_counter()
        self._drawn = float("-inf")
        self._length = 0

    def advance(self, steps: int = 1, *, note: str | None = None) -> None:
        """Advance by `steps`, and show `note` beside the bar if it is given."""
        self.done += steps
        if note is not None:
            self.note = note
        if self._shown and time.perf_counter() - self._drawn >= _PAUSE:
            self._draw()

    def line(self) -> str:
        """Return what is drawn: title, bar, steps, seconds, note."""
        parts = [self.title]
        if self.total:
            full = min(_WIDTH, _WIDTH * self.done // self.total)
            parts += [f"[{'#' * full}{'.' * (_WIDTH - full)}]", f"{self.done}/{self.total}"]
        else:
            parts.append(str(self.done))
        parts.append(f"{time.perf_counter() - self._started:.1f} s")
        return "  ".join([*parts, self.note] if self.note else parts)

    def _draw(self) -> None:
        self._drawn = time.perf_counter()
        line = self.line()
        # Spaces overwrite the rest of a longer previous line.
        self._stream.write("\r" + line.ljust(self._length))
        self._stream.flush()
        self._length = len(line)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self._shown:
            self._draw()
            self._stream.write("\n")
            self._stream.flush()
        return False


def track(
    iterable: Iterable[T],
    title: str,
    *,
    total: int | None = None,
    show: bool | None = None,
    stream: TextIO | None = None,
) -> Iterator[T]:
    """Yield the elements of an iterable and advance a bar with each.

    Parameters
    ----------
    iterable : iterable
        What to iterate over.
    title : str
        What is in progress.
    total : int, optional
        Number of elements; taken from ``len(iterable)`` where there is one.
    show : bool, optional
        Whether to draw. By default only if `stream` is a terminal.
    stream : file, optional
        Where to draw; standard error by default.

    Yields
    ------
    object
        The elements, unchanged.

    Examples
    --------
    >>> from refquant.progress import track
    >>> [2 * batch for batch in track([1, 2, 3], "calibrating", show=False)]
    [2, 4, 6]
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    with Progress(title, total, show=show, stream=stream) as bar:
        for element in iterable:
            yield element
            bar.advance()
