"""Human-readable lines: aligned by their width on a terminal, whatever the script of the names,
with styles that only a terminal shows, never a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["", "head", "dim", "good", "warn", "bad"]
# Values that would be misread if shown as they are, and are shown as JSON strings instead.
MISREAD = re.compile(r"\s|\S.*\s\Z|null\Z|\Z|.*[\n\r]", re.DOTALL)
CUT = "…"


@dataclass(frozen=True)
class Cell:
    """A piece of a line."""

    text: str
    style: Style = ""
    right: bool = False


Line = tuple[Cell, ...]


def line(text: str, style: Style = "") -> Line:
    """Return a line of one cell."""
    return (Cell(text, style),)


def aligned(rows: Iterable[Sequence[Cell]], *, indent: int = 0, gap: int = 2) -> list[Line]:
    """Align the columns of the rows; cells with `right` are right-aligned.

    A row may have fewer cells than others, and its last cell is not padded unless right-aligned.
    """
    listed = [tuple(row) for row in rows]
    columns = max(map(len, listed), default=0)
    widths = [
        max((shown_width(row[n].text) for row in listed if n < len(row)), default=0)
        for n in range(columns)
    ]
    lines = []
    for row in listed:
        cells = [Cell(" " * indent)] if indent else []
        for n, cell in enumerate(row):
            space = " " * (widths[n] - shown_width(cell.text))
            last = n == len(row) - 1
            text = space + cell.text if cell.right else cell.text + ("" if last else space)
            cells.append(Cell(text + ("" if last else " " * gap), cell.style))
        lines.append(tuple(cells))
    return lines


def plain(lines: Iterable[Line]) -> str:
    """The lines without styles."""
    return "\n".join("".join(cell.text for cell in each).rstrip(" ") for each in lines)


def shown_width(text: str) -> int:
    """Return how many terminal columns a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int | None) -> str:
    """Return the text, or its beginning and `…` if it is wider than `width`."""
    if width is None or shown_width(text) <= width:
        return text
    from rich.cells import set_cell_size

    return set_cell_size(text, max(width - 1, 0)) + CUT


def value_text(value: str | None) -> str:
    """A value on one line: `null` for None; as a JSON string if it would be misread."""
    if value is None:
        return "null"
    return json.dumps(value, ensure_ascii=False) if MISREAD.match(value) else value


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 row`, `2 rows`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
