"""Ctrl-C and SIGTERM in every command that talks to Convex: exit 3, and the next run goes on."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.proxy import Faults, proxied
from tests.faults.support import Host, documents, require_green
from tests.support.command_line import ROOT, Stages

STOPPED = "stages: stopped; run the same command again to go on"
COMMANDS = {
    "load": ("load",),
    "import": ("load", "--through", "import"),
    "verify": ("verify",),
    "rollback": ("rollback", "--yes"),
    "prune": ("load", "--prune", "--yes", "faults"),
}
# A server that asks for this is asked again after a minute: longer than the test waits.
WAIT = b"HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
ENDS_WITHIN = 45


@contextmanager
def busy_after(upstream: str, calls: int) -> Iterator[str]:
    """A deployment that answers so many requests, and then asks all to wait."""
    faults = Faults(down_after=calls, odd={"reset": lambda answer: WAIT})
    with proxied(upstream, faults) as address:
        yield address


@pytest.mark.parametrize("name", COMMANDS)
def test_a_signal_ends_the_wait_for_a_busy_deployment(
    name: str, ready: Stages, deployment: Host
) -> None:
    if name not in ("load", "import"):
        ready.run("load")
    before = documents(deployment)
    quiet = deployment.settings()
    with busy_after(deployment.url, 12) as address:
        ready.environment = deployment.settings(convex=address)
        process = subprocess.Popen(
            ready.command(*COMMANDS[name]), cwd=ROOT, env=ready.env(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr
        giving_up = threading.Timer(ENDS_WITHIN, process.kill)
        giving_up.start()
        while "; again in " not in (line := process.stderr.readline()):
            assert line, "it ended before it had to wait, or never said so"
        giving_up.cancel()
        process.send_signal(signal.SIGTERM)
        _, messages = process.communicate(timeout=ENDS_WITHIN)
    assert (process.returncode, messages.strip().splitlines()[-1]) == (3, STOPPED)
    assert "Traceback" not in messages
    ready.environment = quiet
    ready.run(*COMMANDS[name])
    if name == "rollback":
        assert not any(documents(deployment).values())
    else:
        require_green(ready)
        assert name in ("load", "import") or documents(deployment) == before
