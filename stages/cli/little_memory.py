"""Under a low memory limit, Arrow or DuckDB may abort the process: a parent process reports it.

They don't always fail cleanly: a library that gets no memory for a thread aborts.
"""

from __future__ import annotations

import os
import signal
import sys

# Below this, the native libraries may not even start.
ENOUGH_BYTES = 2 << 30
# The exit codes of our commands.
CODES = (0, 1, 2, 3)


def go_on_in_a_child() -> None:
    """If memory is limited (`ulimit -v`) to less than 2 GiB, return in a child of this process.

    The parent exits with the child's code; or with 3 and a message if a library ended it.
    """
    limit = _limit()
    if limit is None:
        return
    child = os.fork()
    if not child:
        return
    # Ctrl-C goes to both processes; the child ends, and then the parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: os.kill(child, number))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in CODES:
        ended = signal.Signals(-code).name if code < 0 else f"code {code}"
        sys.stderr.write(
            f"stages: ended by a library, with {ended}: memory is limited to {limit >> 20:,} MiB, "
            f"and {ENOUGH_BYTES >> 20:,} MiB are needed\n"
            "  → raise the limit (ulimit -v) and rerun the command; completed work is kept\n"
        )
        sys.stderr.flush()
        code = 3
    os._exit(code)


def _limit() -> int | None:
    """The memory limit of this process in bytes, if it is too low; otherwise None."""
    if os.name != "posix":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return limit if 0 < limit < ENOUGH_BYTES else None
