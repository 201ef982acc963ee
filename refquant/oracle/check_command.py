"""The command ``refquant check``."""

from typing import Any

from refquant.oracle.vectors.grade import check_results

__all__ = ["run"]


def run(options: Any) -> int:
    """Grade results; 0 if all elements are equal."""
    grades = check_results(
        options.vectors, options.results, progress=False if options.quiet else None
    )
    if not (options.quiet and grades.passed):
        print(grades)
    return 0 if grades.passed else 1
