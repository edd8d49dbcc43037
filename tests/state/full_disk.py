"""Parts that a disk has no room for, freed by the collector while an error is under way."""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path

import pyarrow as pa

from stages.state.parts import PartWriter

ROOM = 100_000
TIMES = 20


def fill(folder: Path) -> list[object]:
    """A writer that has failed and been given up, in a cycle as an error's trace makes one."""
    rows = pa.table({"t": [str(n) * 9 for n in range(30000)]})
    writer = PartWriter(folder / "part.parquet", rows.schema)
    try:
        writer.write(rows)
        writer.close()
    except OSError:
        writer.abandon()
    cycle: list[object] = [writer]
    cycle.append(cycle)
    return cycle


def main(folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))
    for _ in range(TIMES):
        gc.collect()
        gc.disable()
        cycle = fill(folder)
        del cycle
        gc.enable()
        gc.set_threshold(1, 1, 1)
        try:
            raise ValueError("under way")
        except ValueError:
            gc.set_threshold(700, 10, 10)
    sys.stdout.write(f"{sorted(file.name for file in folder.iterdir())}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
