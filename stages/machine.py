"""Exhausted machine resources: disk, memory, files, threads. The same command can be run again.

DuckDB and Arrow raise their own errors for this, and DuckDB may raise them in the middle of a query
that is not at fault.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from stages.errors import Stopped

# Errors of the disk or the system, whatever the query.
REFUSALS = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE,
    errno.ENOMEM,
)  # fmt: skip
# What Python says when there was no memory even for the MemoryError.
ERROR_WITHOUT_EXCEPTION = ("without setting an exception", "error return without exception set")
OUT_OF_MEMORY = "Out of Memory Error"
NO_THREAD = "can't start new thread"
# The dynamic loader's errors for a library of Arrow or DuckDB.
NO_ROOM_FOR_LIBRARY = ("failed to map segment", "cannot allocate memory")


def is_refusal(error: BaseException) -> bool:
    """Whether DuckDB's error is about the machine rather than the query."""
    import duckdb

    # Other error types quote values of rows, which may contain the same text.
    if not isinstance(error, duckdb.OperationalError | duckdb.FatalException):
        return False
    words = str(error)
    return words.startswith(OUT_OF_MEMORY) or any(os.strerror(n) in words for n in REFUSALS)


def is_interrupt(error: BaseException) -> bool:
    """Whether it is DuckDB's error for a Ctrl-C or SIGTERM during a query."""
    return isinstance(error, RuntimeError) and str(error) == "Query interrupted"


def is_interruption(error: BaseException) -> bool:
    """Whether a block was left because of a signal, raised by Python or by DuckDB, or because a
    generator was closed."""
    return isinstance(error, KeyboardInterrupt | GeneratorExit) or is_interrupt(error)


def stopped_by_machine(error: Exception, data: Path | None = None) -> Stopped | None:
    """Convert an error to Stopped if the machine is to blame; return None for any other error.

    `data` is the folder being written to, for an error that names no file.
    """
    duckdb = sys.modules.get("duckdb")  # if it was never imported, it can't have raised
    if (
        isinstance(error, MemoryError)
        or (isinstance(error, SystemError) and str(error).endswith(ERROR_WITHOUT_EXCEPTION))
        or str(error).startswith(OUT_OF_MEMORY)
        or (
            isinstance(error, ImportError)
            and any(w in str(error).lower() for w in NO_ROOM_FOR_LIBRARY)
        )
    ):
        return Stopped(
            "there is not enough memory",
            "close other programs, or raise the limit (ulimit -v), and rerun the command; "
            "completed work is kept",
        )
    if isinstance(error, RuntimeError) and NO_THREAD in str(error):
        return Stopped(
            "the system can't start more threads",
            "raise the limits of memory and processes (ulimit -v, ulimit -u) and rerun the "
            "command; completed work is kept",
        )
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        # Arrow's errors have text of their own in addition to errno.
        words = os.strerror(error.errno) if error.errno else _first_line(error)
        return _stopped(words, error.filename or data)
    # A commit on a full disk fails with a transaction error.
    if duckdb and (isinstance(error, duckdb.IOException) or is_refusal(error)):
        return _stopped(_first_line(error), data)
    return None


def _stopped(words: str, where: object) -> Stopped:
    hint = "fix this and rerun the command; completed work is kept"
    if os.strerror(errno.EMFILE) in words:
        hint = "raise the limit (ulimit -n) and rerun the command; completed work is kept"
    return Stopped(f"{words}: {where or 'the disk'}", hint)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
