"""The command ``refquant vectors``."""

import textwrap
from typing import Any

from refquant import engines
from refquant.oracle.vectors.generate import NEUTRAL_OPERATIONS, OPERATIONS
from refquant.oracle.vectors.save import write_vectors
from refquant.oracle.vectors.storage import format_names

__all__ = ["details", "run"]


def details() -> str:
    """List operations, engines and formats for the help of the command."""
    lists = {
        "operations": OPERATIONS,
        "operations with --neutral": NEUTRAL_OPERATIONS,
        "engines": engines.names(),
        "engines of other runtimes": engines.other_runtimes(),
        "formats": format_names(),
    }
    return "".join(
        f"\n{title}:\n"
        + textwrap.fill(
            ", ".join(names), 78, initial_indent="  ", subsequent_indent="  ",
            break_on_hyphens=False,
        )
        + "\n"
        for title, names in lists.items()
    )  # fmt: skip


def run(options: Any) -> int:
    """Write vectors, and print what they cover unless that is to be quiet."""
    rows = write_vectors(
        options.operation,
        options.out,
        options.engine,
        seed=options.seed,
        neutral=options.neutral,
        format=options.format,
        force=options.force,
        progress=False if options.quiet else None,
    )
    if options.quiet:
        return 0
    width = max(len(name) for name, _ in rows)
    print(f"{options.out}: vectors of {options.operation} by engine {options.engine}")
    for name, how in rows:
        print(f"  {name:<{width}}  {how}")
    return 0
