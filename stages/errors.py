"""The error family: what went wrong, what was seen, and the command to run next.

Within a call, only `Transient` is retried. A caller should retry on `Stopped` and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path


def without_values(message: str) -> str:
    """A message without what may quote a value of a row: its first part, with quoted texts left
    out. The rest may be the words of Convex or DuckDB."""
    # From the first quote to the last, since a value may have some of its own, and colons; not that
    # of `can't`.
    hidden = re.sub(r"""(?<!\w)(['"]).*\1(?!\w)""", r"\1…\1", message, flags=re.DOTALL)
    return hidden.partition(": ")[0]


class StagesError(Exception):
    """Something kept a command from finishing.

    `message` is one clear sentence that says what was found; `hint` names the next command or step.
    `tables` are the sources or targets concerned; empty if it concerns none in particular.
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
    """Wrong usage, settings or plan: nothing was done, and the user must change something."""

    exit_code = 2


class SettingError(UserError):
    """A setting is missing or wrong. `settings` are the names of the environment variables."""

    settings: tuple[str, ...]

    def __init__(self, message: str, hint: str | None = None, *, settings: Iterable[str]) -> None:
        super().__init__(message, hint)
        self.settings = tuple(settings)


@dataclass(frozen=True)
class Place:
    """A file of the project, as named in messages, and the line if known."""

    name: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.name}, line {self.line}" if self.line else self.name


class FileError(UserError):
    """A file of the project is missing or wrong: plan.toml, a model, schema.ts.

    `file` is its full path. `line` counts from 1, and is None if no particular line is at fault.
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
        # For a model, the path is relative to the plan's folder until the error leaves a call.
        self.file = Path(file)
        self.line = line


class Shortfall(StagesError):
    """The command finished, but the result is incomplete or wrong.

    `counts`: for each of `tables`, how many rows or documents are affected, if counted.
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
    """More rejects than the plan allows: in a Convex table, or in total (`table` is None).

    `limit` is the plan's `max_rejects`, a number or a share such as `2%`. `rejects` does not count
    rows that are dropped on purpose.
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
    """More rows are rejected than the plan allows. `over_limit` has each limit exceeded."""

    over_limit: tuple[OverLimit, ...]

    def __init__(self, over_limit: Iterable[OverLimit], hint: str) -> None:
        self.over_limit = tuple(over_limit)
        counts = {over.table: over.rejects for over in self.over_limit if over.table}
        words = "; ".join(str(over) for over in self.over_limit)
        super().__init__(
            f"more rejects than the plan allows: {words}", hint, tables=counts, counts=counts
        )


RERUN = "rerun the command to continue"


class Stopped(StagesError):
    """Stopped before the end; completed work is kept, and the same command continues.

    `stage` is what stopped, such as `extract` or `load`. `retry_after` is how many seconds the
    server asks to wait; None if it does not say.
    """

    exit_code = 3
    stage: str
    retry_after: float | None

    def __init__(
        self, message: str, hint: str | None = None, *, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint)
        self.stage = ""  # set when the error leaves the call
        self.retry_after = retry_after


class Transient(StagesError):
    """A failure that may resolve itself: a lost connection, an overload, a rate limit.

    `retry_after` is how many seconds the server asks to wait; None if it does not say.
    """

    exit_code = 3

    def __init__(
        self, message: str, hint: str | None = None, *, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after

    def stopped(self, hint: str | None) -> Stopped:
        """Convert to Stopped: retries did not help, and the command can be run again."""
        return Stopped(self.message, hint, retry_after=self.retry_after)


class TableFailed(StagesError):
    """One table cannot continue; the other tables do."""
