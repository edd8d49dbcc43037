"""Parts, as they are written."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from stages.state.parts import PartWriter
from tests.support.command_line import ROOT

SCHEMA = pa.schema([("n", pa.int64())])
ROWS = pa.table({"n": [1, 2, 3]}, schema=SCHEMA)


def test_an_interrupted_part_is_not_closed_while_it_is_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends the waiting for the encoder, which goes on with what it is at."""
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    encode = PartWriter._encode

    def slow(writer: PartWriter) -> None:
        began.set()
        go_on.wait(30)
        encode(writer)
        ended.set()

    monkeypatch.setattr(PartWriter, "_encode", slow)
    writer = PartWriter(tmp_path / "part.parquet", SCHEMA)
    writer.write(ROWS)
    waiting = threading.Thread(target=writer._flush)
    waiting.start()
    assert began.wait(30)
    threading.Timer(0.2, go_on.set).start()
    writer.abandon()
    assert ended.is_set()
    waiting.join(30)
    assert list(tmp_path.iterdir()) == []


def test_parts_that_have_no_room_leave_nothing_and_do_not_end_the_interpreter(
    tmp_path: Path,
) -> None:
    """Arrow frees a writer that has failed; that must not write, nor lose an error under way."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.state.full_disk", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
