"""A run that finds nothing to do must not take longer the more rows there are."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from statistics import median

import click

from tests.support.sandboxes import open_folder

from . import bench_load, staged
from .measure import Contestant, contestant, judge, local_contestant, race, seconds, show
from .setting import Setting

FEW = 1000
# Seconds that all the rows may add.
MORE = 0.1


def bench(setting: Setting, rows: int, repeat: int) -> None:
    """extract, transform and load of a thousand rows and of all of them, when all is done."""
    with open_folder("bench") as folder, ExitStack() as stack:
        pairs = {}
        for stage, contestants in {
            "extract": [_extract(setting, count) for count in (FEW, rows)],
            "transform": [_transform(folder, count) for count in (FEW, rows)],
        }.items():
            race(contestants, 1)
            runs = race(contestants, repeat)
            show(f"{stage}, nothing to do", runs)
            pairs[stage] = [seconds(runs[each.name]) for each in contestants]
        places = [stack.enter_context(bench_load.staged_documents(count)) for count in (FEW, rows)]
        for place in places:
            bench_load.load_once(place)
        loads = [
            [bench_load.load_once(place, keep=True) for place in places] for _ in range(repeat)
        ]
        assert not any(found.requests for pair in loads for found in pair), "something was sent"
        pairs["load"] = [median(pair[n].seconds for pair in loads) for n in (0, 1)]
        click.echo(f"\nload, nothing to do: {pairs['load'][0]:.2f} s and {pairs['load'][1]:.2f} s")
        for stage, (few, many) in pairs.items():
            judge(f"{stage}: seconds that {rows:,} rows add to {FEW:,}", many - few, most=MORE)


def _extract(setting: Setting, rows: int) -> Contestant:
    """`stages extract` of a table whose folder is kept from run to run."""
    table = f"events_{rows}"
    setting.make_table(table, rows)
    place = setting.folder / "kept" / table
    return contestant(
        setting, f"{rows:,} rows, extract", "stages", rows, writes=False,
        tables=[table], via="postgres", output=str(place / "data"), work=str(place / "project"),
    )  # fmt: skip


def _transform(folder: Path, rows: int) -> Contestant:
    project = folder / f"{rows}"
    staged.events(project, rows)
    config = {"project": str(project)}
    return local_contestant(folder, f"{rows:,} rows, transform", "transform", config=config)
