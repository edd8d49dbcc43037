"""Contestants, run in turn, each in a process of its own; and what came of them, as a table."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import click
import pyarrow.parquet as pq

from .setting import HERE, ROOT, Setting

BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"


@dataclass(frozen=True, kw_only=True)
class Run:
    """Wall and CPU seconds of a whole process, those until its work began, and its peak in MiB."""

    seconds: float
    start_up: float
    cpu: float
    peak: float


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One way to read `rows` rows. What it writes, if anything, is below `output`."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    config: Path | None = None
    output: Path | None = None
    rows: int = 0
    most_runs: int = 1_000_000


def contestant(
    setting: Setting,
    name: str,
    kind: str,
    rows: int,
    *,
    bench_venv: bool = False,
    most_runs: int = 1_000_000,
    writes: bool = True,
    **config: Any,
) -> Contestant:
    """A function of children.py (or, of the bench's own venv, children_dlt.py), by its name."""
    source = setting.source
    return local_contestant(
        setting.folder,
        name,
        kind,
        rows=rows,
        bench_venv=bench_venv,
        most_runs=most_runs,
        writes=writes,
        config={
            "ref": source.ref,
            "url": source.url,
            "key": source.service_role_key,
            "db_url": source.db_url,
            **config,
        },
    )


def local_contestant(
    folder: Path,
    name: str,
    kind: str,
    *,
    rows: int = 0,
    bench_venv: bool = False,
    most_runs: int = 1_000_000,
    writes: bool = False,
    config: Mapping[str, Any],
) -> Contestant:
    """The same for one that needs no sandbox."""
    place = folder / "contestants" / re.sub(r"\W+", "-", name)
    place.mkdir(parents=True, exist_ok=True)
    file, output = place / "config.json", place / "output"
    file.touch(mode=0o600)
    settings = {"output": str(output), "work": str(place / "work"), **config}
    file.write_text(json.dumps(settings), encoding="utf-8")
    python, module = (
        (str(BENCH_PYTHON), "tests.bench.children_dlt")
        if bench_venv
        else (sys.executable, "tests.bench.children")
    )
    return Contestant(
        name=name,
        command=[python, "-m", module, kind, str(file)],
        config=file,
        output=output if writes else None,
        rows=rows,
        most_runs=most_runs,
    )


def race(contestants: Sequence[Contestant], repeat: int) -> dict[str, list[Run]]:
    """Everybody's runs, in rounds, so that what slows the machine down slows all of them."""
    runs: dict[str, list[Run]] = {each.name: [] for each in contestants}
    for turn in range(repeat):
        for each in contestants:
            if turn < each.most_runs:
                click.echo(f"  {turn + 1}/{repeat}  {each.name}", err=True)
                runs[each.name].append(run(each))
    return runs


def run(each: Contestant) -> Run:
    """One run. Raises ClickException where it fails, or does not read all of its rows."""
    _clean(each)
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", str(HERE / "spawn.py"), *each.command],
        cwd=ROOT,
        env={**os.environ, **each.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    try:
        report, errors = child.communicate()
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # the contestant too, when we are told to end
        child.wait()
        raise
    figures = json.loads(report)
    if figures["code"]:
        raise click.ClickException(f"{each.name} failed:\n{errors[-2000:]}")
    if each.output is not None:
        read = _rows_below(each.output)
        if read != each.rows:
            raise click.ClickException(f"{each.name} has read {read} rows, not {each.rows}")
    began = each.config and float(each.config.with_suffix(".began").read_text())
    _clean(each)
    return Run(
        seconds=figures["seconds"],
        start_up=began - figures["began"] if began else 0.0,
        cpu=figures["cpu"],
        peak=figures["peak"] / 1024,
    )


def _clean(each: Contestant) -> None:
    for name in ("output", "work") if each.config else ():
        assert each.config
        shutil.rmtree(each.config.with_name(name), ignore_errors=True)


def _rows_below(folder: Path) -> int:
    # dlt keeps notes on itself beside the table, in tables that begin with _dlt.
    files = [f for f in folder.rglob("*.parquet") if not f.parent.name.startswith("_dlt")]
    return sum(pq.read_metadata(file).num_rows for file in files)


def seconds(runs: Sequence[Run]) -> float:
    """The median of the wall time."""
    return median(each.seconds for each in runs)


def peak(runs: Sequence[Run]) -> float:
    """The greatest memory of all runs, in MiB."""
    return max(each.peak for each in runs)


def show(title: str, runs: Mapping[str, Sequence[Run]], base: str | None = None) -> None:
    """Print medians, the ratio to the contestant `base`, and the seconds of every run."""
    wide = max(map(len, runs))
    heads = f"{'median s':>9} {'ratio' if base else '':>6} {'start-up':>9} {'CPU s':>7}"
    click.echo(f"\n{title}\n{'':<{wide}} {heads} {'peak MiB':>9}  all runs")
    for name, repeats in runs.items():
        ratio = f"{seconds(repeats) / seconds(runs[base]):.2f}" if base else ""
        start_up = median(each.start_up for each in repeats)
        cpu = median(each.cpu for each in repeats)
        every = " ".join(f"{each.seconds:.2f}" for each in repeats)
        click.echo(
            f"{name:<{wide}} {seconds(repeats):>9.2f} {ratio:>6} {start_up:>9.2f} {cpu:>7.2f} "
            f"{peak(repeats):>9.0f}  {every}"
        )


def judge(what: str, figure: float, least: float | None = None, most: float | None = None) -> None:
    """Print a figure beside the bound that it is to keep."""
    bound = f"at least {least:g}" if least is not None else f"at most {most:g}"
    kept = figure >= least if least is not None else most is not None and figure <= most
    click.echo(f"  {'kept  ' if kept else 'MISSED'}  {what}: {figure:.2f} ({bound})")
