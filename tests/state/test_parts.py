"""Parts, as they are written."""

from __future__ import annotations

import threading
from pathlib import Path

import pyarrow as pa
import pytest

from stages.state.parts import PartWriter

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
