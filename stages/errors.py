"""The error family: what went wrong, what was seen, and the command to run next.

Inside of a call only `Transient` is retried. A caller retries on `Stopped`, and on nothing else.
"""

from __future__ import annotations


class StagesError(Exception):
    """Something kept a command from finishing.

    `message` is one clear sentence with what was seen; `hint` names the next command or step.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message


class UserError(StagesError):
    """Wrong usage, settings or plan: nothing was done, and a person must change something."""

    exit_code = 2


class Shortfall(StagesError):
    """The command ran to its end, but something falls short of the promise."""

    exit_code = 1


class Stopped(StagesError):
    """Stopped before the end; what is done is kept, and the same command goes on."""

    exit_code = 3


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


class Declined(StagesError):
    """Somebody was asked and said no: nothing was done."""

    exit_code = 3


class TableFailed(StagesError):
    """One table cannot go on; the other tables do."""


def stopped_by_disk(error: OSError) -> Stopped:
    """What a disk or a file refuses, as the end of a command that can be run again."""
    return Stopped(
        f"{error.strerror or error}: {error.filename or 'the disk'}",
        "mend that; what is done is kept, run the same command again",
    )
