"""The error family: what went wrong, what was seen, and the command to run next.

Inside of a call only `Transient` is retried. A caller retries on `Stopped`, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path


class StagesError(Exception):
    """Something kept a command from finishing.

    `message` is one clear sentence with what was seen; `hint` names the next command or step.
    `tables` are the sources or targets that it is about; empty where it is about none in
    particular.
    """

    exit_code = 1
    message: str
    hint: str | None
    tables: tuple[str, ...]

    def __init__(
        self, message: str, hint: str | None = None, *, tables: Iterable[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.tables = tuple(tables)

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message


class UserError(StagesError):
    """Wrong usage, settings or plan: nothing was done, and a person must change something."""

    exit_code = 2


class SettingError(UserError):
    """A setting is missing or wrong. `settings` are the names of the environment variables."""

    settings: tuple[str, ...]

    def __init__(self, message: str, hint: str | None = None, *, settings: Iterable[str]) -> None:
        super().__init__(message, hint)
        self.settings = tuple(settings)


@dataclass(frozen=True)
class Place:
    """A file of the project, as messages name it, and the line where that is known."""

    name: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.name}, line {self.line}" if self.line else self.name


class FileError(UserError):
    """A file of the project is missing or wrong: plan.toml, a model, schema.ts.

    `file` is its whole path. `line` counts from 1, and is None where no line is at fault.
    """

    file: Path
    line: int | None

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        file: str | Path,
        line: int | None = None,
        tables: Iterable[str] = (),
    ) -> None:
        super().__init__(message, hint, tables=tables)
        # A model's is relative to the plan's folder until the error leaves a call.
        self.file = Path(file)
        self.line = line


class Shortfall(StagesError):
    """The command ran to its end, but something falls short of the promise.

    `counts`: of `tables`, how many rows or documents fall short, where they are counted.
    """

    exit_code = 1
    counts: Mapping[str, int]

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        tables: Iterable[str] = (),
        counts: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(message, hint, tables=tables)
        self.counts = counts or {}


@dataclass(frozen=True, kw_only=True)
class OverLimit:
    """More rejects than the plan allows: of a Convex table, or of all together (`table` is None).

    `limit` is the plan's `max_rejects`, a number or a share such as `2%`. `rejects` are those that
    count: not what is dropped on purpose.
    """

    table: str | None
    rejects: int
    rows: int
    limit: int | str

    def __str__(self) -> str:
        return (
            f"{self.table or 'in all'}: {self.rejects:,} of {self.rows:,} rejected, "
            f"the plan allows {self.limit}"
        )


class TooManyRejects(Shortfall):
    """More rows are rejected than the plan allows. `over_limit` has each limit that is passed."""

    over_limit: tuple[OverLimit, ...]

    def __init__(self, over_limit: Iterable[OverLimit], hint: str) -> None:
        self.over_limit = tuple(over_limit)
        counts = {over.table: over.rejects for over in self.over_limit if over.table}
        words = "; ".join(str(over) for over in self.over_limit)
        super().__init__(
            f"more rejects than the plan allows: {words}", hint, tables=counts, counts=counts
        )


class Stopped(StagesError):
    """Stopped before the end; what is done is kept, and the same command goes on.

    `stage` is what stopped, such as `extract` or `load`. `retry_after` is how many seconds the
    server asks to wait; None where it does not say.
    """

    exit_code = 3
    stage: str
    retry_after: float | None

    def __init__(
        self, message: str, hint: str | None = None, *, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint)
        self.stage = ""  # known where the error leaves the call
        self.retry_after = retry_after


class Transient(StagesError):
    """A failure that may pass by itself: a lost connection, an overload, a rate limit.

    `retry_after` is the server's own wish in seconds, where it gave one.
    """

    exit_code = 3

    def __init__(
        self, message: str, hint: str | None = None, *, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after

    def stopped(self, hint: str | None) -> Stopped:
        """The same at the end of a command: it did not pass, and the command can be run again."""
        return Stopped(self.message, hint, retry_after=self.retry_after)


class TableFailed(StagesError):
    """One table cannot go on; the other tables do."""
