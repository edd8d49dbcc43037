"""JSON lines that are only appended to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stages.state.durable import make_folder, open_private, sync_file


class Journal:
    """An append-only file of JSON lines; a line is durable once `append` or `write` returns.

    A line that a kill cut short is dropped when the file is opened again.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._handle = open_private(path, "a+b")
        size = self._handle.seek(0, os.SEEK_END)
        if size:
            self._handle.truncate(self._end_of_last_line(size))

    def _end_of_last_line(self, size: int) -> int:
        end = size
        while end > 0:
            start = max(0, end - 65536)
            self._handle.seek(start)
            newline = self._handle.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
        return 0

    def append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Add lines in one write, then fsync."""
        self.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))

    def write(self, text: str) -> None:
        """Add whole lines that are JSON already, in one write, then fsync."""
        self._handle.write(text.encode())
        sync_file(self._handle)

    def close(self) -> None:
        self._handle.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
