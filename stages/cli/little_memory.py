"""A limit of memory in which Arrow and DuckDB may end the process: its parent reports it.

They can't always be told to fail in good order: a library that gets no memory for a thread aborts.
"""

from __future__ import annotations

import os
import signal
import sys

# Below this the native libraries are not sure to start, let alone to work.
ENOUGH_BYTES = 2 << 30
# What a command of ours ends with.
CODES = (0, 1, 2, 3)


def go_on_in_a_child() -> None:
    """Where memory is limited (`ulimit -v`) to less than 2 GiB, return in a child of this process.

    The parent ends as the child does; with 3 and a sentence where a library ended it.
    """
    limit = _limit()
    if limit is None:
        return
    child = os.fork()
    if not child:
        return
    # Ctrl-C comes to both; the child ends, and then so does the parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: os.kill(child, number))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in CODES:
        ended = signal.Signals(-code).name if code < 0 else f"code {code}"
        sys.stderr.write(
            f"stages: ended by a library, with {ended}: memory is limited to {limit >> 20:,} MiB, "
            f"and {ENOUGH_BYTES >> 20:,} MiB are needed\n"
            "  → raise the limit (ulimit -v); what is done is kept, run the same command again\n"
        )
        sys.stderr.flush()
        code = 3
    os._exit(code)


def _limit() -> int | None:
    """The limit of this process's memory in bytes, where it is less than enough."""
    if os.name != "posix":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return limit if 0 < limit < ENOUGH_BYTES else None
