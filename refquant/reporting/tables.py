"""Tables for terminals, notebooks and pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from refquant import arguments
from refquant.errors import ShapeError

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """A table of strings; the first column is left-aligned, the others right-aligned.

    Attributes
    ----------
    title : str
        Title of the table.
    header : sequence of str
        Names of the columns, with units.
    rows : sequence of sequence of str
        One text for each column.
    note : str
        Remark below the table.

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

    def __post_init__(self) -> None:
        arguments.text("title", self.title)
        arguments.text("note", self.note)
        rows = arguments.sequence("rows", self.rows, "a sequence of rows")
        for name, row in (("header", self.header), *(("rows", row) for row in rows)):
            for cell in arguments.sequence(name, row, "a sequence of texts"):
                arguments.text(name, cell)
            if len(row) != len(self.header):
                raise ShapeError(
                    argument="rows",
                    expected=f"of {len(self.header)} texts each",
                    got=f"{len(row)} in {tuple(row)}",
                )

    def text(self) -> str:
        """Format the table for a terminal, without trailing spaces."""
        columns = list(zip(self.header, *self.rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        lines = [self.header, ["-" * width for width in widths], *self.rows]
        formatted = [
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, *formatted, *([self.note] if self.note else [])])

    def html(self) -> str:
        """Format the table as an HTML element ``<table>``, without title and note.

        Returns
        -------
        str
            All texts are escaped.
        """
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.header)
        rows = "".join(
            f'<tr><th scope="row">{escape(first)}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in others)
            + "</tr>"
            for first, *others in self.rows
        )
        return (
            f'<table aria-label="{escape(self.title)}">'
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def _repr_html_(self) -> str:
        note = f"<p><small>{escape(self.note)}</small></p>" if self.note else ""
        return (
            f"<div><strong>{escape(self.title)}</strong>"
            f'<div style="overflow-x:auto">{self.html()}</div>{note}</div>'
        )
