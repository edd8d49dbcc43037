"""Events → bars on a terminal, a line each few seconds elsewhere, JSON lines with --json.

People read stderr; stdout is data.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from stages.errors import Transient
from stages.terminal import OutputClosed, printable, raw_stream

LINE_EVERY = 5.0


class Progress(Protocol):
    """What a stage tells while it works."""

    def note(self, text: str) -> None:
        """Something that a person should read."""

    def start(self, stage: str, table: str, total: int | None = None) -> None:
        """A table begins; `total` rows where that is known."""

    def advance(self, table: str, rows: int, size: int = 0) -> None:
        """So many more rows and bytes."""

    def done(self, stage: str, table: str, result: str, **facts: Any) -> None:
        """A table ended, with one word or sentence, and figures."""


def note_retry(progress: Progress) -> Callable[[Transient, float], None]:
    """What `retrying` is to do before it waits: say why, and for how long."""

    def note(error: Transient, delay: float) -> None:
        progress.note(f"  {error.message}; again in {delay:.1f} s")

    return note


class Silent:
    """Tells nobody."""

    def note(self, text: str) -> None: ...
    def start(self, stage: str, table: str, total: int | None = None) -> None: ...
    def advance(self, table: str, rows: int, size: int = 0) -> None: ...
    def done(self, stage: str, table: str, result: str, **facts: Any) -> None: ...


@dataclass
class Lines:
    """One line a table, and one each few seconds for a table that takes longer."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _rows: dict[str, int] = field(default_factory=dict)
    _bytes: dict[str, int] = field(default_factory=dict)
    _began: dict[str, float] = field(default_factory=dict)
    _total: dict[str, int | None] = field(default_factory=dict)
    _told: dict[str, float] = field(default_factory=dict)

    def note(self, text: str) -> None:
        # One write: print's second one, of the line's end, may come after another thread's line.
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def start(self, stage: str, table: str, total: int | None = None) -> None:
        with self._lock:
            self._rows[table] = self._bytes[table] = 0
            self._total[table] = total
            self._told[table] = self._began[table] = time.monotonic()

    def advance(self, table: str, rows: int, size: int = 0) -> None:
        with self._lock:
            self._rows[table] = self._rows.get(table, 0) + rows
            self._bytes[table] = self._bytes.get(table, 0) + size
            now = time.monotonic()
            if now - self._told.get(table, now) < LINE_EVERY:
                return
            self._told[table] = now
            text = self._standing(table, now)
        self.note(text)

    def _standing(self, table: str, now: float) -> str:
        """Rows and bytes so far, and how long the rest may take."""
        rows, total = self._rows[table], self._total.get(table)
        text = f"  {table}: {rows:,}{f' of {total:,}' if total else ''} rows"
        if self._bytes[table]:
            text += f", {self._bytes[table] / 2**20:,.0f} MiB"
        if total and rows < total:
            elapsed = now - self._began.get(table, now)
            text += f", about {elapsed * (total - rows) / rows:,.0f} s left"
        return text

    def done(self, stage: str, table: str, result: str, **facts: Any) -> None:
        self.note(f"  {stage:<9} {table:<24} {result}")


class Bars(Lines):
    """Lines, with a live bar for each table under way."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bars = RichProgress(
            TextColumn("  {task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(file=raw_stream(sys.stderr)),
            transient=True,
            # What others print passes stages.terminal, and not the console.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        self._bars.console.print(printable(text), highlight=False, markup=False, soft_wrap=True)

    def start(self, stage: str, table: str, total: int | None = None) -> None:
        self._tasks[table] = self._bars.add_task(printable(f"{stage} {table}"), total=total)

    def advance(self, table: str, rows: int, size: int = 0) -> None:
        if table in self._tasks:
            self._bars.advance(self._tasks[table], rows)

    def done(self, stage: str, table: str, result: str, **facts: Any) -> None:
        if table in self._tasks:
            self._bars.remove_task(self._tasks.pop(table))
        super().done(stage, table, result)


@dataclass
class JsonLines:
    """Each event as one line of JSON on stdout."""

    _lock: threading.Lock = field(default_factory=threading.Lock)

    def _tell(self, event: str, **facts: Any) -> None:
        # Where nobody listens any more, the work goes on.
        with self._lock, suppress(OutputClosed):
            print(json.dumps({"event": event, **facts}), flush=True)  # noqa: T201

    def note(self, text: str) -> None:
        self._tell("note", text=text)

    def start(self, stage: str, table: str, total: int | None = None) -> None:
        self._tell("start", stage=stage, table=table, total=total)

    def advance(self, table: str, rows: int, size: int = 0) -> None:
        self._tell("advance", table=table, rows=rows, bytes=size)

    def done(self, stage: str, table: str, result: str, **facts: Any) -> None:
        self._tell("done", stage=stage, table=table, result=result, **facts)
