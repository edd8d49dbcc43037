"""Direct Postgres: extract beside COPY, plain ADBC and dlt; then ten times the rows."""

from __future__ import annotations

import shutil

import click

from .measure import BENCH_PYTHON, Contestant, contestant, judge, peak, race, seconds, show
from .setting import Setting

COPY = "COPY (SELECT * FROM bench.events) TO STDOUT (FORMAT binary)"
LARGER = 10
# Of the larger table, its extract, and what Postgres needs to make it.
ROOM = 15e9


def bench(setting: Setting, rows: int, repeat: int) -> None:
    """The 12 columns with a bigint key and with a uuid key."""
    setting.make_table("events", rows)
    setting.make_table("events_uuid", rows, key="uid")
    copy = Contestant(
        name="COPY to nowhere, binary (psql)",
        command=[
            *setting.psql,
            "-c",
            "COPY (SELECT * FROM bench.events) TO STDOUT (FORMAT binary)",
        ],
        environment=setting.postgres_environment,
    )
    bigint = contestant(
        setting, "stages extract, bigint key", "stages", rows, tables=["events"], via="postgres"
    )
    uuid = contestant(
        setting, "stages extract, uuid key", "stages", rows, tables=["events_uuid"], via="postgres"
    )
    adbc = contestant(setting, "ADBC, one connection", "adbc", rows, table="events")
    contestants = [copy, bigint, uuid, adbc]
    dlt = []
    if BENCH_PYTHON.exists():
        for name, backend, most in (
            ("dlt, ConnectorX", "connectorx", repeat),
            ("dlt, its default", "sqlalchemy", 2),
        ):
            dlt.append(
                contestant(
                    setting, name, backend, rows, table="events", bench_venv=True, most_runs=most
                )
            )
    else:
        click.echo("dlt is left out: make bench installs it into .venv-bench")
    race([copy], 1)  # warm
    runs = race([*contestants, *dlt], repeat)
    show(f"direct, {rows:,} rows, medians of {repeat} (of 2 for dlt's default)", runs, copy.name)
    own = seconds(runs[bigint.name])
    judge("extract ÷ COPY", own / seconds(runs[copy.name]), most=1.3)
    judge("its peak, MiB", peak(runs[bigint.name]), most=300)
    judge("the same with a uuid key, MiB", peak(runs[uuid.name]), most=300)
    for each, least in zip(dlt, (3, 15), strict=False):
        judge(f"{each.name} ÷ extract", seconds(runs[each.name]) / own, least=least)


def bench_larger(setting: Setting, rows: int) -> None:
    """Memory must not grow with the table."""
    free = shutil.disk_usage(setting.folder).free
    if free < ROOM * rows / 1_000_000:
        click.echo(
            f"\n{LARGER} times the rows: left out, with {free / 1e9:.0f} GB free on the disk"
        )
        return
    more = rows * LARGER
    setting.make_table("events", rows)
    setting.make_table("events_larger", more)
    small = contestant(setting, f"{rows:,} rows", "stages", rows, tables=["events"], via="postgres")
    large = contestant(
        setting, f"{more:,} rows", "stages", more, tables=["events_larger"], via="postgres"
    )
    runs = race([small, large], 1)
    show("memory by size of the table, one run each", runs)
    judge("peak, MiB", peak(runs[large.name]), most=300)
    judge("times that of fewer rows", peak(runs[large.name]) / peak(runs[small.name]), most=1.1)
