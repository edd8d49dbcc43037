"""Ctrl-C and SIGTERM in every command that talks to Convex: exit 3, and the next run continues."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.proxy import Faults, proxied
from tests.faults.support import Host, documents, require_green
from tests.support.command_line import ROOT, Stages

STOPPED = "stages: stopped; rerun the command to continue"
# In this order, on the same deployment.
COMMANDS = {
    "load": ("load",),
    "verify": ("verify",),
    "prune": ("load", "--prune", "--yes", "faults"),
    "rollback": ("rollback", "--yes"),
    "import": ("load", "--through", "import"),
}
# After this response, the client retries after a minute: longer than the test waits.
WAIT = b"HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
ENDS_WITHIN = 45


@contextmanager
def busy_after(upstream: str, calls: int) -> Iterator[str]:
    """A deployment that answers `calls` requests, then tells clients to wait."""
    faults = Faults(down_after=calls, odd={"reset": lambda answer: WAIT})
    with proxied(upstream, faults) as address:
        yield address


def stopped_while_it_waits(stages: Stages, deployment: Host, name: str) -> None:
    """A deployment becomes busy; the signal is sent when the command reports that it is waiting."""
    # The first requests are for what is deployed and the epoch; an empty prune has few others.
    with busy_after(deployment.url, 3 if name == "prune" else 12) as address:
        process = subprocess.Popen(
            stages.command(*COMMANDS[name]), cwd=ROOT, text=True,
            env={**stages.env(), **deployment.settings(convex=address)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr
        giving_up = threading.Timer(ENDS_WITHIN, process.kill)
        giving_up.start()
        while "; again in " not in (line := process.stderr.readline()):
            assert line, f"{name} ended before it had to wait, or never said so"
        giving_up.cancel()
        process.send_signal(signal.SIGTERM)
        _, messages = process.communicate(timeout=ENDS_WITHIN)
    assert (process.returncode, messages.strip().splitlines()[-1]) == (3, STOPPED), name
    assert "Traceback" not in messages


def test_a_signal_ends_the_wait_for_a_busy_deployment(
    ready: Stages, deployment: Host, loaded: tuple[Stages, Host]
) -> None:
    for name in COMMANDS:
        stopped_while_it_waits(ready, deployment, name)
        ready.run(*COMMANDS[name])
        if name == "rollback":
            assert not any(documents(deployment).values())
        else:
            assert documents(deployment) == documents(loaded[1]), name
    require_green(ready)
