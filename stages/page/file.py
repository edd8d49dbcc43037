"""The page as one file, which needs no network and no server."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from stages.errors import UserError
from stages.page.build import Asked, build_page
from stages.page.html import HEAD, page_html, read_assets
from stages.page.model import ROWS_OF_GROUP, ChangeRow, Page, RejectRow
from stages.page.rows import CHANGE_GROUP, REJECT_GROUP
from stages.state.durable import write_text

MOST_BYTES = 3_000_000
# Rows of each group of rejects and of changes: tried in turn, until the file is small enough.
FEWER_ROWS = (100, 50, 20, 10, 5, 2, 1, 0)
# How many runs remain in a file that would be too large.
LAST_RUNS = 50


@dataclass(frozen=True, kw_only=True)
class PageFile:
    """A page that was written: its size in bytes, and whether it holds `values` of rows.

    `rows_of_group`: how many rejects, and changes, of each group it holds at most.
    """

    file: Path
    bytes: int
    values: bool
    rows_of_group: int

    @property
    def fewer_rows(self) -> bool:
        """Whether it holds fewer rows of each group than usual, because it would be too large."""
        return self.rows_of_group < ROWS_OF_GROUP


def write_page(file: Path, asked: Asked) -> PageFile:
    """Write the page durably, private to its owner; with fewer rows if it would be too large.

    Raises UserError if its folder is missing, or the file exists and is not such a page.
    """
    _refuse_other(file)
    assets = read_assets()
    page = build_page(asked)
    text = page_html(page, assets)
    for most in FEWER_ROWS:
        if len(text.encode()) <= MOST_BYTES:
            break
        page = with_fewer_rows(page, most)
        text = page_html(page, assets)
    write_text(file, text)
    return PageFile(
        file=file,
        bytes=len(text.encode()),
        values=page.values,
        rows_of_group=page.rows_of_group,
    )


def with_fewer_rows(page: Page, most: int) -> Page:
    """The page with only the first rows of each group, at most `most`, and only the last runs."""
    return msgspec.structs.replace(
        page,
        rows_of_group=most,
        rejects=_first(page.rejects, REJECT_GROUP, most),
        changes=_first(page.changes, CHANGE_GROUP, most),
        history=page.history[-LAST_RUNS:],
    )


Row = TypeVar("Row", RejectRow, ChangeRow)


def _first(rows: Iterable[Row], group: Iterable[str], most: int) -> list[Row]:
    names = tuple(group)
    seen: Counter[tuple[str, ...]] = Counter()
    kept = []
    for row in rows:
        key = tuple(getattr(row, name) for name in names)
        seen[key] += 1
        if seen[key] <= most:
            kept.append(row)
    return kept


def _refuse_other(file: Path) -> None:
    if not file.parent.is_dir():
        raise UserError(
            f"the folder {file.parent} does not exist",
            f"make it with: mkdir -p {shlex.quote(str(file.parent))}",
        )
    if file.is_dir():
        raise UserError(f"{file} is a folder", f"name a file in it, such as {file / 'page.html'}")
    if file.exists() and not _is_page(file):
        raise UserError(
            f"{file} exists, and was not written by stages",
            "name another file, or remove it first",
        )


def _is_page(file: Path) -> bool:
    with file.open("rb") as opened:
        begin = opened.read(len(HEAD))
    return begin in (b"", HEAD.encode())
