"""Which errors are the machine's, and which are not."""

from __future__ import annotations

import errno
import os

import duckdb
import pytest

from stages.machine import stopped_by_machine

FULL = os.strerror(errno.ENOSPC)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, FULL, "part.parquet"),
        duckdb.IOException(f'IO Error: Could not write file "x": {FULL}'),
        duckdb.TransactionException(
            f'TransactionContext Error: Failed to commit: Could not write file "x.wal": {FULL}'
        ),
        MemoryError(),
        ImportError("libarrow_compute.so.2600: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_machine_refuses_stops_a_command(error: Exception) -> None:
    stopped = stopped_by_machine(error)
    assert stopped and stopped.exit_code == 3
    assert "rerun the command" in str(stopped.hint)


@pytest.mark.parametrize(
    "error",
    [
        ImportError("cannot import name 'x' from 'stages'"),
        BrokenPipeError(),
        duckdb.TransactionException("TransactionContext Error: Conflict on update!"),
        duckdb.ConversionException(f"Could not convert string '{FULL}' to INT32"),
        ValueError(FULL),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_somebody_elses_fault_does_not(error: Exception) -> None:
    assert stopped_by_machine(error) is None


def test_no_memory_for_the_error_either() -> None:
    for words in (
        "<function load at 0x7f> returned NULL without setting an exception",
        "error return without exception set",
    ):
        stopped = stopped_by_machine(SystemError(words))
        assert stopped is not None and stopped.message == "there is not enough memory", words
    assert stopped_by_machine(SystemError("another one")) is None
