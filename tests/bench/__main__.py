"""`python -m tests.bench [--rows N] [--repeat N] [BENCH]…`; all of BENCHES for none."""

from __future__ import annotations

import os
import signal
import sys

import click

from . import bench_extract, bench_import, bench_load, bench_rest, bench_shapes, bench_verify
from .setting import setting

BENCHES = ("extract", "larger", "rest", "shapes", "load", "load-larger", "import", "verify")


@click.command()
@click.argument("which", nargs=-1, type=click.Choice(BENCHES))
@click.option("--rows", default=1_000_000, show_default=True, help="Rows of the largest tables.")
@click.option("--repeat", default=5, show_default=True, help="Runs of each contestant.")
def main(which: tuple[str, ...], rows: int, repeat: int) -> None:
    """Measure extract, load, an import's file and verify; stdout has the figures."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the sandbox is taken down
    click.echo(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    for name in which or BENCHES:
        if name == "verify":
            bench_verify.bench(rows, repeat)
            continue
        if name == "load":
            bench_load.bench(rows, repeat)
            continue
        if name == "import":
            bench_import.bench(rows, repeat)
            continue
        if name == "load-larger":
            bench_load.bench_larger(rows)
            continue
        with setting() as here:
            if name == "extract":
                bench_extract.bench(here, rows, repeat)
            elif name == "larger":
                bench_extract.bench_larger(here, rows)
            elif name == "rest":
                bench_rest.bench(here, rows, repeat)
            else:
                bench_shapes.bench(here, rows, repeat)


main()
