"""Events → bars on a terminal, a line every few seconds elsewhere, JSON lines with --json.

Messages go to stderr; stdout is for data.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from stages.errors import StagesError, Transient
from stages.progress_figures import BESIDE, Run, Standing
from stages.terminal import OutputClosed, printable, raw_stream

Item = TypeVar("Item")
LINE_EVERY = 5.0
# Columns for two `^C`.
ECHO = 4


class Progress(Protocol):
    """What a stage reports while it works."""

    def note(self, text: str) -> None:
        """A message for the user."""

    def begin(self, stage: str, tables: Mapping[str, int | None]) -> None:
        """A stage begins, with these tables and the row count of each, if known."""

    def start(self, stage: str, table: str, total: int | None = None, kept: int = 0) -> None:
        """A table begins; `total` rows if known, of which `kept` are already done."""

    def advance(self, table: str, rows: int, size: int = 0) -> None:
        """This run has processed `rows` rows and `size` bytes more."""

    def done(self, stage: str, table: str, result: str, **facts: Any) -> None:
        """A table ended, with one word or sentence, and figures. An empty `result` prints no line
        for the user."""


class Shown(Progress, Protocol):
    """Shows a command's progress and how it ended."""

    def __enter__(self) -> Shown: ...

    def __exit__(self, *_: object) -> None: ...

    def summary(self, stage: str, verdict: str, following: str) -> None:
        """The command has ended. `verdict` is what is left to do, in a sentence; empty if nothing
        is. `following` is the command to run next, or why there is none."""

    def stopped(self, error: StagesError) -> None:
        """The command could not continue."""


def note_retry(progress: Progress) -> Callable[[Transient, float], None]:
    """Return the callback that `retrying` calls before it waits: it notes why, and how long."""

    def note(error: Transient, delay: float) -> None:
        progress.note(f"  {error.message}; again in {delay:.1f} s")

    return note


@contextmanager
def under_way(progress: Progress, stage: str, what: str) -> Iterator[None]:
    """Show something without rows, which may take long, while it runs."""
    progress.start(stage, what)
    yield
    progress.done(stage, what, "")


def one_by_one(
    progress: Progress, stage: str, items: Sequence[Item], name: Callable[[Item], str]
) -> Iterator[Item]:
    """Yield the items, showing each as under way while the caller handles it."""
    progress.begin(stage, dict.fromkeys(map(name, items)))
    for item in items:
        with under_way(progress, stage, name(item)):
            yield item


class Silent:
    """Discards all reports."""

    def note(self, text: str) -> None: ...
    def begin(self, stage: str, tables: Mapping[str, int | None]) -> None: ...
    def start(self, stage: str, table: str, total: int | None = None, kept: int = 0) -> None: ...
    def advance(self, table: str, rows: int, size: int = 0) -> None: ...
    def done(self, stage: str, table: str, result: str, **facts: Any) -> None: ...


class Lines:
    """One line per table, and one every few seconds for a table that takes longer."""

    def __init__(self, every: float = LINE_EVERY) -> None:
        self._every = every
        self._lock = threading.Lock()
        self._run = Run(time.monotonic())
        self._ended = threading.Event()
        self._teller: threading.Thread | None = None

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def note(self, text: str) -> None:
        # A single write: print() writes the newline separately, and another thread's line could
        # come between.
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def begin(self, stage: str, tables: Mapping[str, int | None]) -> None:
        with self._lock:
            self._run.begin(tables)

    def start(self, stage: str, table: str, total: int | None = None, kept: int = 0) -> None:
        with self._lock:
            self._run.start(stage, table, total, kept, time.monotonic())
            if self._teller is None:
                self._teller = threading.Thread(target=self._report, daemon=True)
                self._teller.start()

    def advance(self, table: str, rows: int, size: int = 0) -> None:
        with self._lock:
            self._run.advance(table, rows, size)

    def done(self, stage: str, table: str, result: str, **facts: Any) -> None:
        with self._lock:
            self._run.done(stage, table)
        if result:
            self.note(f"  {stage:<9} {table:<24} {result}")

    def summary(self, stage: str, verdict: str, following: str) -> None:
        self.note(
            "; ".join(filter(None, [f"{stage}: {self._run.words(time.monotonic())}", verdict]))
        )
        self.note(f"next: {following}")

    def stopped(self, error: StagesError) -> None:
        """Do nothing: the code that ends the process prints the error."""

    def at_work(self) -> str:
        """The tables under way, for a signal that waits for them."""
        return self._run.at_work()

    def _report(self) -> None:
        """Periodically print a line for each table that has been under way for a whole period."""
        while not self._ended.wait(self._every):
            now = time.monotonic()
            with self._lock:
                waiting = [
                    standing
                    for standing in self._run.under_way.values()
                    if now - standing.began >= self._every
                ]
                texts = [self._line(standing, now) for standing in waiting]
            for text in texts:
                self.note(text)

    def _line(self, standing: Standing, now: float) -> str:
        return f"  {standing.stage:<9} {standing.table:<24} {standing.words(now)}"


class Bars(Lines):
    """Lines, with a live bar for each table under way, and one for the run."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console, RenderableType
        from rich.constrain import Constrain
        from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column
        from rich.text import Text

        console = Console(file=raw_stream(sys.stderr))

        class Words(ProgressColumn):
            """The current state of a task: a table may spend long on work that is not counted."""

            def render(self, task: Task) -> Text:
                of: Standing | Run = task.fields["of"]
                return Text(of.words(time.monotonic(), console.width), no_wrap=True)

        class Narrower(RichProgress):
            """Leaves room at the end for the ^C that a terminal echoes: on a full line it would
            wrap, and a bar would stay on the screen."""

            def get_renderable(self) -> RenderableType:
                return Constrain(super().get_renderable(), console.width - ECHO)

        self._bars = Narrower(
            TextColumn("  {task.description}", markup=False, table_column=Column(no_wrap=True)),
            # It takes the space that the text leaves.
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=8)),
            Words(table_column=Column(no_wrap=True)),
            console=console,
            transient=True,
            expand=True,
            # Other output goes through stages.terminal, not the console.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._tasks: dict[str, Any] = {}
        self._whole: Any = None

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._bars.stop()

    def erase(self) -> None:
        """Remove the bars, and show the cursor again."""
        self._bars.stop()

    def note(self, text: str) -> None:
        self._bars.console.print(printable(text), highlight=False, markup=False, soft_wrap=True)

    def begin(self, stage: str, tables: Mapping[str, int | None]) -> None:
        super().begin(stage, tables)
        with self._lock:
            self._show_whole(stage)

    def _show_whole(self, stage: str) -> None:
        if self._whole is None:
            if stage in BESIDE:
                return
            self._whole = self._bars.add_task(stage, total=None, of=self._run)
        if self._run.expected:
            completed, total = self._run.share
            self._bars.update(self._whole, total=total, completed=completed)

    def start(self, stage: str, table: str, total: int | None = None, kept: int = 0) -> None:
        with self._lock:
            standing = self._run.start(stage, table, total, kept, time.monotonic())
            self._show_whole(stage)
            if table in self._tasks:
                self._bars.remove_task(self._tasks.pop(table))
            self._tasks[table] = self._bars.add_task(
                printable(f"{stage} {table}"), total=total, completed=standing.reached, of=standing
            )

    def advance(self, table: str, rows: int, size: int = 0) -> None:
        with self._lock:
            standing = self._run.advance(table, rows, size)
            if standing and table in self._tasks:
                self._bars.update(self._tasks[table], completed=standing.reached)
                self._show_whole(standing.stage)

    def done(self, stage: str, table: str, result: str, **facts: Any) -> None:
        with self._lock:
            if table in self._tasks:
                self._bars.remove_task(self._tasks.pop(table))
        super().done(stage, table, result)
        with self._lock:
            self._show_whole(stage)


class JsonLines:
    """Each event as one line of JSON on stdout, as in docs/reference/progress.schema.json."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run = Run(time.monotonic())

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *_: object) -> None: ...

    def _print(self, event: str, **facts: Any) -> None:
        # If nobody reads the output any more, the work goes on.
        with suppress(OutputClosed):
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            print(json.dumps({"event": event, "time": now, **facts}), flush=True)  # noqa: T201

    def begin(self, stage: str, tables: Mapping[str, int | None]) -> None:
        with self._lock:
            self._print("begin", stage=stage, tables=len(tables))

    def note(self, text: str) -> None:
        with self._lock:
            self._print("note", text=text)

    def start(self, stage: str, table: str, total: int | None = None, kept: int = 0) -> None:
        with self._lock:
            standing = self._run.start(stage, table, total, kept, time.monotonic())
            self._print("start", **_figures(standing))

    def advance(self, table: str, rows: int, size: int = 0) -> None:
        with self._lock:
            standing = self._run.advance(table, rows, size)
            if standing:
                self._print("advance", **_figures(standing))

    def done(self, stage: str, table: str, result: str, **facts: Any) -> None:
        with self._lock:
            standing = self._run.done(stage, table)
            rows, size = (standing.rows, standing.bytes) if standing else (0, 0)
            own = {"stage": stage, "table": table, "result": result}
            self._print("done", **{"rows": rows, "bytes": size, **facts, **own})

    def summary(self, stage: str, verdict: str, following: str) -> None:
        self._print(
            "summary",
            stage=stage,
            seconds=round(time.monotonic() - self._run.began, 3),
            tables=self._run.tables,
            rows=self._run.rows,
            bytes=self._run.bytes,
            verdict=verdict,
            next=following,
        )

    def stopped(self, error: StagesError) -> None:
        self._print("stopped", message=error.message, hint=error.hint, exit_code=error.exit_code)

    def at_work(self) -> str:
        """The tables under way, for a signal that waits for them."""
        return self._run.at_work()


def _figures(standing: Standing) -> dict[str, Any]:
    """`rows` and `bytes` count this run so far."""
    return {
        "stage": standing.stage,
        "table": standing.table,
        "total": standing.total,
        "kept": standing.kept,
        "rows": standing.rows,
        "bytes": standing.bytes,
    }
