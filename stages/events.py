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

    note: `text` is for a person. start: a table begins, with `total` rows where that is known.
    advance: `rows` and `bytes` more. done: a table ended; `text` says how, `facts` holds figures.
    """

    kind: Literal["note", "start", "advance", "done"]
    stage: str = ""
    table: str = ""
    text: str = ""
    total: int | None = None
    rows: int = 0
    bytes: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)


OnEvent = Callable[[Event], None]


def log_events(logger: logging.Logger) -> OnEvent:
    """An `on_event` that writes to a logger: progress as DEBUG, everything else as INFO."""

    def log(event: Event) -> None:
        if event.kind == "note":
            logger.info("%s", event.text.strip())
        elif event.kind == "done":
            logger.info("%s %s: %s", event.stage, event.table, event.text)
        elif event.kind == "start":
            logger.debug("%s %s begins (%s rows)", event.stage, event.table, event.total)
        else:
            logger.debug("%s: %d rows more", event.table, event.rows)

    return log


def to_progress(progress: Progress) -> OnEvent:
    """An `on_event` that shows events on a terminal, as lines, or as JSON lines."""

    def show(event: Event) -> None:
        if event.kind == "note":
            progress.note(event.text)
        elif event.kind == "start":
            progress.start(event.stage, event.table, event.total)
        elif event.kind == "advance":
            progress.advance(event.table, event.rows, event.bytes)
        else:
            progress.done(event.stage, event.table, event.text, **event.facts)

    return show


class Emitter:
    """The Progress that stages report to, as events. `complete` makes commands in notes whole."""

    def __init__(self, on_event: OnEvent, complete: Callable[[str], str]) -> None:
        self._emit = on_event
        self._complete = complete

    def note(self, text: str) -> None:
        self._emit(Event(kind="note", text=self._complete(text)))

    def start(self, stage: str, table: str, total: int | None = None) -> None:
        self._emit(Event(kind="start", stage=stage, table=table, total=total))

    def advance(self, table: str, rows: int, size: int = 0) -> None:
        self._emit(Event(kind="advance", table=table, rows=rows, bytes=size))

    def done(self, stage: str, table: str, result: str, **facts: Any) -> None:
        text = self._complete(result)
        self._emit(Event(kind="done", stage=stage, table=table, text=text, facts=facts))
