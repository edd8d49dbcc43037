"""REST with latency: extract beside a reader of one page after the other, and Postgres' share."""

from __future__ import annotations

from statistics import median

import click

from .measure import contestant, judge, peak, race, seconds, show
from .setting import Setting

LATENCY_MS = 50
# As many as the stand-in has; PostgREST's own default is 10.
CONNECTIONS = 8


def bench(setting: Setting, rows: int, repeat: int) -> None:
    """The sequential reader, which waits for each thousand of the rows, has two runs at most."""
    setting.make_table("pages", rows)
    with setting.slow_rest(LATENCY_MS) as url:
        extract = contestant(
            setting, "stages extract --via rest", "stages", rows,
            tables=["pages"], via="rest", url=url,
        )  # fmt: skip
        sequential = contestant(
            setting, "pages of 1000, one by one", "pages", rows, table="pages", url=url, most_runs=2
        )
        alone, together = (
            contestant(
                setting, f"json_agg alone, {number} connections", "json_agg", rows,
                table="pages", connections=number, writes=False,
            )
            for number in (1, CONNECTIONS)
        )  # fmt: skip
        runs = race([extract, sequential, alone, together], repeat)
    show(
        f"REST, {rows:,} rows, {LATENCY_MS} ms of latency, medians of {repeat}", runs, extract.name
    )
    own = seconds(runs[extract.name])
    judge("one by one ÷ extract", seconds(runs[sequential.name]) / own, least=5)
    judge("its peak, MiB", peak(runs[extract.name]), most=300)
    # What the server must do at least is the bound, if we take less of a processor than it does.
    cpu = median(each.cpu for each in runs[extract.name])
    judge("CPU of extract ÷ json_agg alone", cpu / seconds(runs[alone.name]), most=1)
    share = seconds(runs[together.name]) / own
    click.echo(f"  json_agg alone, side by side, takes {share:.0%} of the time of extract")
