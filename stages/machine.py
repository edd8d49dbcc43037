"""What the machine refuses: a full disk, memory, files, threads. The same command can be run again.

DuckDB and Arrow raise errors of their own for it, and DuckDB also says so in the midst of a query
that is at fault for nothing.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from stages.errors import Stopped

# What a disk or the system refuses, however a query was written.
REFUSALS = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE,
    errno.ENOMEM,
)  # fmt: skip
OUT_OF_MEMORY = "Out of Memory Error"
NO_THREAD = "can't start new thread"
# Of the loader, for a library of Arrow or DuckDB.
NO_ROOM_FOR_LIBRARY = ("failed to map segment", "cannot allocate memory")


def is_refusal(error: BaseException) -> bool:
    """Whether DuckDB's error is about the machine, and not about what it was asked."""
    import duckdb

    # Other kinds quote values of the rows, which may say the same.
    if not isinstance(error, duckdb.OperationalError | duckdb.FatalException):
        return False
    words = str(error)
    return words.startswith(OUT_OF_MEMORY) or any(os.strerror(n) in words for n in REFUSALS)


def is_interrupt(error: BaseException) -> bool:
    """Whether it is DuckDB's error for a Ctrl-C or SIGTERM that has come in a query."""
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


def is_interruption(error: BaseException) -> bool:
    """Whether a block is left because of a signal, in Python's words or in DuckDB's, or because
    nobody asks a generator for more."""
    return isinstance(error, KeyboardInterrupt | GeneratorExit) or is_interrupt(error)


def stopped_by_machine(error: Exception, data: Path | None = None) -> Stopped | None:
    """An error as the end of a command that can be run again; None where it is of another kind.

    `data` is the folder that is written to, for an error that names no file.
    """
    duckdb = sys.modules.get("duckdb")  # what was never imported has raised nothing
    if (
        isinstance(error, MemoryError)
        or str(error).startswith(OUT_OF_MEMORY)
        or (
            isinstance(error, ImportError)
            and any(w in str(error).lower() for w in NO_ROOM_FOR_LIBRARY)
        )
    ):
        return Stopped(
            "there is not enough memory",
            "close other programs, or raise the limit (ulimit -v); what is done is kept, run the "
            "same command again",
        )
    if isinstance(error, RuntimeError) and NO_THREAD in str(error):
        return Stopped(
            "the system starts no more threads",
            "raise the limits of memory and processes (ulimit -v, ulimit -u); what is done is "
            "kept, run the same command again",
        )
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        # Arrow's have its own words beside the number.
        words = os.strerror(error.errno) if error.errno else _first_line(error)
        return _stopped(words, error.filename or data)
    # A commit that finds no room is an error of its transaction.
    if duckdb and (isinstance(error, duckdb.IOException) or is_refusal(error)):
        return _stopped(_first_line(error), data)
    return None


def _stopped(words: str, where: object) -> Stopped:
    hint = "fix that; what is done is kept, run the same command again"
    if os.strerror(errno.EMFILE) in words:
        hint = "raise the limit (ulimit -n); what is done is kept, run the same command again"
    return Stopped(f"{words}: {where or 'the disk'}", hint)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
