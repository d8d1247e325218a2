"""Columns of text in a terminal of which figures are never cut: only one column, of words, gives way.

A rich table shortens whatever is longest, and that may be an amount.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_BETWEEN = "  "
_LEAST_FLEXIBLE = 8


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its heading; `right` for figures. The `flexible` one has the room that the others leave.

    What does not fit there is cut with an ellipsis or, with `wraps`, goes on in the next line; that works for the last
    column only, whose cells may have several lines by themselves.
    """

    heading: str
    right: bool = False
    flexible: bool = False
    wraps: bool = False


def print_columns(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text | str]]) -> None:
    """Print the headings, a rule and the rows. With enormous figures lines are longer than the terminal is wide."""
    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    widths = _widths(console.width, columns, cells)
    _print_row(console, columns, widths, [Text(column.heading, style="dim") for column in columns])
    rule = "-" if console.options.ascii_only else "─"
    console.print(Text(rule * (sum(widths) + len(_BETWEEN) * (len(widths) - 1)), style="dim"), soft_wrap=True)
    for row in cells:
        _print_row(console, columns, widths, row)


def _widths(room: int, columns: Sequence[Column], cells: Sequence[Sequence[Text]]) -> list[int]:
    widths = [
        max([cell_len(column.heading), *(_cells_wide(row[place]) for row in cells)])
        for place, column in enumerate(columns)
    ]
    for place, column in enumerate(columns):
        if column.flexible:
            others = sum(widths) - widths[place] + len(_BETWEEN) * (len(widths) - 1)
            widths[place] = max(_LEAST_FLEXIBLE, min(widths[place], room - others))
    return widths


def _cells_wide(cell: Text) -> int:
    return max(map(cell_len, cell.plain.split("\n")))


def _print_row(console: Console, columns: Sequence[Column], widths: Sequence[int], cells: Sequence[Text]) -> None:
    line = Text()
    for place, (column, width, cell) in enumerate(zip(columns, widths, cells, strict=True)):
        if place:
            line.append(_BETWEEN)
        below: list[Text] = []
        shown = cell
        if column.wraps and ("\n" in cell.plain or cell_len(cell.plain) > width):
            shown, *below = cell.wrap(console, width)
            for part in (shown, *below):
                part.rstrip()
        elif column.flexible:
            shown = cell.copy()
            shown.truncate(width, overflow="ellipsis")
        blanks = " " * (width - cell_len(shown.plain)) if not column.wraps else ""
        indent = cell_len(line.plain)
        line = Text.assemble(line, blanks, shown) if column.right else Text.assemble(line, shown, blanks)
        for more in below:
            line.append("\n" + " " * indent)
            line.append_text(more)
    line.rstrip()
    console.print(line, soft_wrap=True)
