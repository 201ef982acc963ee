"""The table of runtimes and operations in ``docs/oracle/runtimes.rst``."""

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "oracle" / "runtimes.rst"
START, END = ".. table-starts", ".. table-ends"


def _cell(row):
    if row is None:
        return ""
    differing, elements = row[:2]
    return f"{elements:,}" if not differing else f"{differing:,} of {elements:,} differ"


def _share(rows) -> str:
    """Write which share of the results of an operation are ties, or nearly so."""
    shares = [row[2] / row[1] for row in rows if row is not None and row[2] is not None]
    return f"{min(shares):.0%}" if shares else ""


def text(table) -> str:
    """Write a table as reStructuredText: operations down, runtimes across."""
    operations = list(dict.fromkeys(name for rows in table.values() for name in rows))
    lines = [".. list-table::", "   :header-rows: 1", "", "   * - operation", "     - ties"]
    lines += [f"     - {runtime}" for runtime in table]
    for operation in operations:
        lines.append(f"   * - {operation}")
        own = [rows.get(operation) for rows in table.values()]
        lines.append(f"     - {_share(own)}".rstrip())
        lines += [f"     - {_cell(rows.get(operation))}".rstrip() for rows in table.values()]
    return "\n".join(lines)


def summary(table) -> str:
    """Count pairs and elements in one sentence."""
    pairs = [row for rows in table.values() for row in rows.values()]
    equal = [row for row in pairs if not row[0]]
    some = f"{len(equal)} of {len(pairs)}" if len(equal) < len(pairs) else f"All {len(pairs)}"
    return (
        f"{some} pairs of a runtime and an operation have no differing "
        f"element, over {len(table)} runtimes and {sum(row[1] for row in pairs):,} elements."
    )


def write(table) -> None:
    """Replace the table of the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    made = f"{before}{START}\n\n{summary(table)}\n\n{text(table)}\n\n{END}{after}"
    PAGE.write_text(made, encoding="utf-8")
