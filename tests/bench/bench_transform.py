"""Transform beside the same model as one plain COPY; ten times the rows; 300 small tables."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import click

from tests.support.sandboxes import open_folder

from . import staged
from .measure import Contestant, judge, local_contestant, peak, race, seconds, show

LARGER = 10
# Of the larger table: its extract, its documents and what is spilled meanwhile.
ROOM = 4e9


def bench(rows: int, repeat: int) -> None:
    """12 columns with two references and four times: all checks, then nothing to do."""
    with open_folder("bench") as folder:
        staged.events(folder / "project", rows)
        copy, full = _contestants(folder, rows)
        race([full], 1)  # its parents are made, and stay fresh
        fresh = _fresh(folder, "nothing to do")
        runs = race([copy, full], repeat)
        race([full], 1)
        runs |= race([fresh], repeat)
        show(f"transform, {rows:,} rows, medians of {repeat}", runs, copy.name)
        judge("seconds", seconds(runs[full.name]), most=4 * rows / 1_000_000)
        judge("nothing to do, seconds", seconds(runs[fresh.name]), most=1)
        shutil.rmtree(folder / "project")
        staged.events(folder / "project", rows, wide=True)
        race([full], 1)
        wide = race([copy, full], repeat)
        show("the same with a jsonb, a numeric, a flag and an array of texts more", wide, copy.name)


def bench_larger(rows: int) -> None:
    """Time must grow with the rows, and memory must not."""
    more = rows * LARGER
    with open_folder("bench") as folder:
        free = shutil.disk_usage(folder).free
        if free < ROOM * more / 1_000_000:
            click.echo(f"\n{more:,} rows: left out, with {free / 1e9:.0f} GB free on the disk")
            return
        runs = {}
        for name, count in (("small", rows), ("large", more)):
            workspace = staged.events(folder / name, count)
            full = _contestants(folder, count, name)[1]
            race([full], 1)
            runs[name] = race([full], 1)[full.name]
            if name == "large":
                staged.disorder(workspace)
                runs["large, in another order"] = race([full], 1)[full.name]
            shutil.rmtree(folder / name)
        show("transform by size of the table, one run each", runs)
        for name in ("large", "large, in another order"):
            judge(f"peak of {name}, MiB", peak(runs[name]), most=1024)
        growth = seconds(runs["large"]) / seconds(runs["small"])
        judge(f"times as long for {LARGER} times the rows", growth, most=LARGER * 1.2)


def bench_models(repeat: int) -> None:
    """300 tables of a hundred rows, each of which refers to the one before."""
    with open_folder("bench") as folder:
        staged.models(folder / "project")
        full = local_contestant(
            folder,
            f"{staged.SMALL} models",
            "transform",
            config={"project": str(folder / "project"), "remove": "*"},
        )
        fresh = _fresh(folder, "nothing to do")
        runs = race([full], min(repeat, 3)) | race([fresh], repeat)
        show(f"{staged.SMALL} tables of 100 rows", runs)
        judge("seconds", seconds(runs[full.name]), most=20)
        judge("nothing to do, seconds", seconds(runs[fresh.name]), most=1)


def _contestants(folder: Path, rows: int, project: str = "project") -> Sequence[Contestant]:
    place = str(folder / project)
    return (
        local_contestant(folder, "the model, by COPY alone", "copy", config={"project": place}),
        local_contestant(
            folder,
            "stages transform",
            "transform",
            config={"project": place, "remove": "events", "rows": rows},
        ),
    )


def _fresh(folder: Path, name: str) -> Contestant:
    return local_contestant(folder, name, "transform", config={"project": str(folder / "project")})
