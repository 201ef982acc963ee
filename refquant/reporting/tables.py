"""A table of texts for a terminal; `refquant.reporting.page` writes it as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from refquant.errors import ShapeError

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """Texts in rows and columns; the first column is aligned left, the others right.

    Attributes
    ----------
    title : str
        What the table shows.
    header : sequence of str
        Names of the columns, with units.
    rows : sequence of sequence of str
        One text for each column.
    note : str
        What a reader has to know beside the numbers.

    Examples
    --------
    >>> from refquant.reporting import Table
    >>> print(Table("Sizes", ("layer", "bytes"), [("conv", "640"), ("linear", "1280")]).text())
    Sizes
    layer   bytes
    ------  -----
    conv      640
    linear   1280
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def __post_init__(self):
        for row in self.rows:
            if len(row) != len(self.header):
                raise ShapeError(
                    "Table",
                    argument="rows",
                    expected=f"of {len(self.header)} texts each",
                    got=f"{len(row)} in {tuple(row)}",
                )

    def text(self) -> str:
        """Lay the table out for a terminal; lines have no trailing spaces."""
        columns = list(zip(self.header, *self.rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        lines = [self.header, ["-" * width for width in widths], *self.rows]
        laid_out = [
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, *laid_out, *([self.note] if self.note else [])])
