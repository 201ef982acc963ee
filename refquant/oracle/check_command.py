"""The command ``refquant check``."""

from typing import Any

__all__ = ["run"]


def run(options: Any) -> int:
    """Grade results; 0 if all elements are equal."""
    from refquant import oracle

    grades = oracle.check_results(
        options.vectors, options.results, progress=False if options.quiet else None
    )
    print(grades)
    return 0 if grades.passed else 1
