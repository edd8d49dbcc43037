"""Events: what a stage reports while it works, for callers of the API."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from stages.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened.

    note: `text` is a message for the user. begin: a stage begins, with `total` tables; `facts` has
    the row count of each, if known. start: a table begins, with `total` rows if known, of which
    `kept` are already done. advance: this run has processed `rows` and `bytes` more. done: a table
    ended; `text` says how, `facts` holds figures.
    """

    kind: Literal["note", "begin", "start", "advance", "done"]
    stage: str = ""
    table: str = ""
    text: str = ""
    total: int | None = None
    kept: int = 0
    rows: int = 0
    bytes: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)


OnEvent = Callable[[Event], None]


def log_events(logger: logging.Logger) -> OnEvent:
    """Return an `on_event` that logs messages for the user as INFO and everything else as DEBUG."""

    def log(event: Event) -> None:
        if event.kind == "note":
            logger.info("%s", event.text.strip())
        elif event.kind == "done":
            level = logging.INFO if event.text else logging.DEBUG
            logger.log(level, "%s %s: %s", event.stage, event.table, event.text or "done")
        elif event.kind == "begin":
            logger.debug("%s begins (%s tables)", event.stage, event.total)
        elif event.kind == "start":
            logger.debug("%s %s begins (%s rows)", event.stage, event.table, event.total)
        else:
            logger.debug("%s: %d rows more", event.table, event.rows)

    return log


def to_progress(progress: Progress) -> OnEvent:
    """Return an `on_event` that shows events on a terminal, as lines, or as JSON lines."""

    def show(event: Event) -> None:
        if event.kind == "note":
            progress.note(event.text)
        elif event.kind == "begin":
            progress.begin(event.stage, event.facts)
        elif event.kind == "start":
            progress.start(event.stage, event.table, event.total, event.kept)
        elif event.kind == "advance":
            progress.advance(event.table, event.rows, event.bytes)
        else:
            progress.done(event.stage, event.table, event.text, **event.facts)

    return show


class Emitter:
    """The Progress that turns reports into events. `complete` adds global options to commands in
    notes."""

    def __init__(self, on_event: OnEvent, complete: Callable[[str], str]) -> None:
        self._emit = on_event
        self._complete = complete

    def note(self, text: str) -> None:
        self._emit(Event(kind="note", text=self._complete(text)))

    def begin(self, stage: str, tables: Mapping[str, int | None]) -> None:
        self._emit(Event(kind="begin", stage=stage, total=len(tables), facts=tables))

    def start(self, stage: str, table: str, total: int | None = None, kept: int = 0) -> None:
        self._emit(Event(kind="start", stage=stage, table=table, total=total, kept=kept))

    def advance(self, table: str, rows: int, size: int = 0) -> None:
        self._emit(Event(kind="advance", table=table, rows=rows, bytes=size))

    def done(self, stage: str, table: str, result: str, **facts: Any) -> None:
        text = self._complete(result)
        self._emit(Event(kind="done", stage=stage, table=table, text=text, facts=facts))
