"""Print styled lines on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TextIO

from stages.layout import Line, Style
from stages.terminal import printable

if TYPE_CHECKING:
    from rich.text import Text

STYLES: Mapping[Style, str] = {
    "": "",
    "head": "bold",
    "dim": "dim",
    "good": "green",
    "warn": "yellow",
    "bad": "red",
}


def styled(lines: Iterable[Line]) -> Text:
    """Convert the lines for rich, with control characters escaped and no markup interpreted."""
    from rich.text import Text

    text = Text("\n").join(
        Text.assemble(*((printable(cell.text), STYLES[cell.style]) for cell in each))
        for each in lines
    )
    text.no_wrap = True
    return text


def print_styled(lines: Iterable[Line], stream: TextIO) -> None:
    """Print the lines on a terminal; long ones wrap."""
    from rich.console import Console

    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    console.print(styled(lines), soft_wrap=True)
