"""The command ``refquant vectors``."""

from typing import Any

from refquant.oracle.vectors.save import write_vectors

__all__ = ["run"]


def run(options: Any) -> int:
    """Write vectors, and print what they cover unless that is to be quiet."""
    rows = write_vectors(
        options.operation,
        options.out,
        options.engine,
        seed=options.seed,
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
