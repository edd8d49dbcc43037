"""`kill -9` of a probe at random moments: the next one finds and removes what it has made."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time

import pytest

from stages.probe import convex_imports, convex_writes
from stages.probe.convex_files import CONTENT, KIND
from stages.probe.leftovers import remove_leftovers
from tests.faults.support import Host
from tests.load.project import Project
from tests.probe.conftest import Probed
from tests.probe.standin import standing_in
from tests.probe.test_convex import Storage

KILLS = 8
TABLES = ("teams", "people", "pets", "migrationLedger")


def write(probed: Probed) -> None:
    """All that a probe writes, in a process of its own."""
    convex = probed(sandbox=True)
    for checks in (convex_writes.CHECKS, convex_imports.CHECKS):
        list(checks.run(convex, convex.redaction.words))


def content(host: Host) -> int:
    return sum(len(host.pages(table)) for table in TABLES)


def run(probed: Probed, seconds: float | None) -> tuple[float, bool]:
    """Seconds that it took, and whether it came to its end; it is killed after `seconds`."""
    process = multiprocessing.get_context("fork").Process(target=write, args=(probed,))
    began = time.monotonic()
    process.start()
    process.join(seconds)
    ended = process.exitcode is not None
    if not ended:
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    return time.monotonic() - began, ended


def test_nothing_is_left_behind(probed: Probed, development: Host, staged: Project) -> None:
    whole, ended = run(probed, None)
    assert ended
    remove_leftovers(probed(sandbox=True))
    chance = random.Random()
    left: list[int] = []
    # A test that kills nothing in the middle would prove nothing.
    while len(left) < KILLS or (not any(left) and len(left) < 10 * KILLS):
        run(probed, chance.uniform(0.1, 0.95) * whole)
        left.append(content(development))
        convex = probed(sandbox=True)
        remove_leftovers(convex)
        rest = {t: development.pages(t) for t in TABLES if development.pages(t)}
        assert not rest, f"after {left[-1]} were left: {rest}"
        assert not remove_leftovers(convex)
        assert not staged.workspace.probe.exists()
    assert any(left), left


def test_files_of_an_earlier_probe(probed: Probed, development: Host) -> None:
    storage = Storage()
    with standing_in(development.url, storage) as api:
        convex = probed(api)
        other = {"_id": "x", "sha256": "of another", "size": 1, "contentType": KIND}
        storage.files.append(other)
        headers = {"Digest": "", "Content-Type": KIND}
        storage.wrong = "digest"
        convex.raw(f"{api}/api/storage/upload?token=t", CONTENT, headers)
        assert len(storage.files) == 2
        assert remove_leftovers(convex) == {"files": 1}
    assert storage.files == [other]


def test_an_import_of_a_deployment_that_was_reset(probed: Probed, staged: Project) -> None:
    from stages.state.probes import Probe, write_probe

    write_probe(staged.workspace, Probe(imports=["0" * 32]))
    assert not remove_leftovers(probed(sandbox=True))
    assert not staged.workspace.probe.exists()


@pytest.mark.parametrize("answer", ["waits", "runs"])
def test_an_import_under_way(answer: str, probed: Probed, development: Host) -> None:
    """One that waits is cancelled; one that runs is waited for, and its document removed."""
    convex = probed(sandbox=True)
    perform = convex.snapshots.perform
    with pytest.MonkeyPatch.context() as patch:
        # It ends right after the import was confirmed, or just before.
        def interrupted(_: object, import_id: str) -> None:
            if answer == "runs":
                perform(import_id)
            raise KeyboardInterrupt

        patch.setattr("stages.convex.snapshots.Snapshots.perform", interrupted)
        with pytest.raises(KeyboardInterrupt):
            convex_imports.one_row_is_imported(convex)
    removed = remove_leftovers(convex)
    assert removed["documents"] == (answer == "runs")
    assert content(development) == 0
