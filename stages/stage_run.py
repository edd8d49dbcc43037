"""One run of a stage: its rows, its time, and the line that it adds to the history."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from stages.errors import Shortfall, StagesError, UserError, without_values
from stages.events import Event
from stages.machine import is_interruption
from stages.progress import Progress
from stages.progress_figures import Run
from stages.state.history import HistoryRun, Outcome, append_run
from stages.state.stage_times import StageTimer, TimedStage
from stages.state.workspace import Workspace


class Judged(Protocol):
    """The result of a stage."""

    def raise_if_wrong(self) -> None: ...


Result = TypeVar("Result", bound=Judged)


class Tally:
    """Counts the rows and bytes of a run from its events, which may come from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._run = Run(time.monotonic())

    def add(self, event: Event) -> None:
        """Count what an event reports."""
        with self._lock:
            if event.kind == "start":
                self._run.start(event.stage, event.table, event.total, event.kept, 0.0)
            elif event.kind == "done":
                self._run.done(event.stage, event.table)
            elif event.kind == "advance":
                self._run.advance(event.table, event.rows, event.bytes)

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each table."""
        return self._run.rows_of

    @property
    def bytes(self) -> int:
        """Bytes of all tables."""
        return self._run.bytes


class StageRun:
    """A stage that is under way."""

    def __init__(self, timer: StageTimer) -> None:
        self._timer = timer
        self.outcome: Outcome = "done"
        self.ended_early = False
        self.message = ""

    def stop(self) -> float:
        """Return the seconds that the stage took; its times are kept if it wrote a manifest."""
        return self._timer.stop()

    def judged(self, result: Result) -> Result:
        """Return the result of the stage; if it falls short, note that for the history."""
        try:
            result.raise_if_wrong()
        except Shortfall as error:
            self.outcome, self.message = "fell short", error.message
        return result


@contextmanager
def recorded(
    workspace: Workspace, stage: TimedStage, tally: Tally, progress: Progress
) -> Iterator[StageRun]:
    """Run a stage, and add its line to the history when it ends, whether or not it succeeded.

    A run that finds everything fresh adds no line, so that it touches no file.
    """
    from importlib.metadata import version

    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    timer = StageTimer(workspace, stage)
    run = StageRun(timer)
    try:
        yield run
    except BaseException as error:
        run.outcome = _outcome(error)
        run.ended_early = True
        run.message = _words(error)
        raise
    finally:
        if run.ended_early or timer.wrote:
            line = HistoryRun(
                command=stage,
                target=workspace.target,
                started=started,
                seconds=round(time.monotonic() - clock, 3),
                outcome=run.outcome,
                rows=tally.rows,
                bytes=tally.bytes,
                version=version("supabase-to-convex"),
                message=run.message,
            )
            try:
                append_run(workspace, line)
            except OSError as error:  # a line that can't be written must not fail the stage
                progress.note(f"{workspace.history} could not be written: {error.strerror}")


def _outcome(error: BaseException) -> Outcome:
    if isinstance(error, UserError):
        return "refused"
    return "fell short" if isinstance(error, Shortfall) else "stopped"


def _words(error: BaseException) -> str:
    """Why a run ended, without text that may quote a value of a row or a setting."""
    if is_interruption(error):
        return "interrupted"
    if isinstance(error, StagesError):
        return without_values(error.message)
    return getattr(error, "strerror", None) or type(error).__name__
