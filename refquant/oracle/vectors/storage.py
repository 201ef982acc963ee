"""The formats in which arrays of test vectors are stored, and faults of files."""

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import FileFormatError
from refquant.oracle.vectors import formats

__all__ = ["DEFAULT", "LIMIT", "Forms", "check_regular", "fault", "format_names", "format_of"]

DEFAULT = "npz"
LIMIT = 1 << 28  # bytes of all arrays together

Forms = dict[str, tuple[np.dtype, tuple[int, ...]]]


def format_names() -> list[str]:
    """List the formats, the default first: each is a module."""
    names = sorted(module.name for module in pkgutil.iter_modules(formats.__path__))
    return sorted(names, key=lambda name: name != DEFAULT)


def format_of(name: Any) -> Any:
    """Return the module of a format, or raise."""
    arguments.choice("format", name, tuple(format_names()))
    return import_module(f"{formats.__name__}.{name}")


class DamagedFileError(FileFormatError):
    """A file of test vectors or of answers cannot be read.

    Attributes
    ----------
    reason : str
        What is wrong with it.
    """

    reason = ""


def fault(path: Path, what: str) -> DamagedFileError:
    """Describe what is wrong with a file, in one line."""
    # Names in a file may hold anything, including control sequences of a terminal.
    shown = "".join(c if c.isprintable() else " " for c in what)[:300]
    error = DamagedFileError(
        f"{path}: the file is damaged or does not belong to test vectors ({shown})",
        hint="write the vectors again with `refquant vectors`",
    )
    error.reason = shown
    return error


def check_regular(path: Path) -> None:
    """Raise if something is there that is not a regular file: a device may have no end."""
    if path.exists() and not path.is_file():
        raise fault(path, "it is not a regular file")
