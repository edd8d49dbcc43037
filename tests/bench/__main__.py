"""`python -m tests.bench [--rows N] [--repeat N] [BENCH]…`; all of BENCHES for none."""

from __future__ import annotations

import os
import signal
import sys

import click

from . import (
    bench_extract,
    bench_host,
    bench_import,
    bench_load,
    bench_nothing,
    bench_rest,
    bench_shapes,
    bench_transform,
    bench_verify,
)
from .setting import setting

# Those that read the sandbox' Postgres.
EXTRACT = ("extract", "larger", "rest", "shapes", "nothing")
BENCHES = (
    *EXTRACT, "transform", "transform-larger", "models", "load", "load-larger", "import", "verify",
    "host",
)  # fmt: skip


@click.command()
@click.argument("which", nargs=-1, type=click.Choice(BENCHES))
@click.option("--rows", default=1_000_000, show_default=True, help="Rows of the largest tables.")
@click.option("--repeat", default=5, show_default=True, help="Runs of each contestant.")
def main(which: tuple[str, ...], rows: int, repeat: int) -> None:
    """Measure the stages, an import's file and the sandbox's Convex; stdout has the figures."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the sandbox is taken down
    click.echo(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    for name in which or BENCHES:
        if name == "transform":
            bench_transform.bench(rows, repeat)
        elif name == "transform-larger":
            bench_transform.bench_larger(rows)
        elif name == "models":
            bench_transform.bench_models(repeat)
        elif name == "load":
            bench_load.bench(rows, repeat)
        elif name == "load-larger":
            bench_load.bench_larger(rows)
        elif name == "import":
            bench_import.bench(rows, repeat)
        elif name == "verify":
            bench_verify.bench(rows, repeat)
        elif name == "host":
            bench_host.bench(min(rows, 100_000))
        if name not in EXTRACT:
            continue
        with setting() as here:
            if name == "extract":
                bench_extract.bench(here, rows, repeat)
            elif name == "larger":
                bench_extract.bench_larger(here, rows)
            elif name == "rest":
                bench_rest.bench(here, rows, repeat)
            elif name == "nothing":
                bench_nothing.bench(here, rows, repeat)
            else:
                bench_shapes.bench(here, rows, repeat)


main()
