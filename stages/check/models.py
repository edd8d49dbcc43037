"""Whether the models run: a real transform of empty tables, in a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from stages.convex.schema import Schema
from stages.errors import StagesError
from stages.extract.catalog import Reading
from stages.extract.reference import stage_no_documents
from stages.extract.types import arrow_schema
from stages.progress import Silent
from stages.project.plan import Plan
from stages.results import CheckResult
from stages.state.failures import read_failures
from stages.state.manifests import ExtractManifest, write_manifest
from stages.state.parts import write_zero_rows
from stages.state.workspace import Workspace
from stages.transform.run import TransformOptions, transform


def check_models(
    workspace: Workspace, plan: Plan, schema: Schema, readings: Mapping[str, Reading]
) -> Iterator[CheckResult]:
    """One result for each model that does not run, or one for all that do.

    `readings` are the sources that can be read; the others count as missing.
    """
    # Without rows there are no keys, so the keys in a side file can't be checked here.
    sides = {name: replace(side, orphans="report") for name, side in plan.sides.items()}
    plan = replace(plan, sides=sides)
    wrong: dict[str, CheckResult] = {}
    with tempfile.TemporaryDirectory(prefix="stages-check-") as folder:
        empty = Workspace(project=workspace.project, data=Path(folder), target=workspace.target)
        try:
            _stage_no_rows(empty, plan, schema, readings)
        except StagesError as error:
            yield CheckResult("models", False, error.message, error.hint)
            return
        together = _run(empty, plan, schema)
        if not together:
            yield CheckResult("models", True, f"all {len(plan.tables)} run")
            return
        # An error ends a transform, and a table fails with its parents: so each by itself.
        for name, table in plan.tables.items():
            for words, hint in _run(empty, replace(plan, tables={name: table}), schema):
                # A key model that does not run fails every table that needs it.
                wrong.setdefault(words, CheckResult(f"model of {name}", False, words, hint))
    alone = list(wrong.values())
    yield from alone or (CheckResult("models", False, words, hint) for words, hint in together)


def _run(empty: Workspace, plan: Plan, schema: Schema) -> list[tuple[str, str | None]]:
    """Why the plan's tables can't be transformed: (reason, hint)."""
    try:
        result = transform(empty, plan, schema, TransformOptions(), Silent())
    except StagesError as error:
        return [(error.message, error.hint)]
    failures = read_failures(empty, "transform")
    return [(failures[name].reason, failures[name].hint) for name in result.failed]


def _stage_no_rows(
    empty: Workspace, plan: Plan, schema: Schema, readings: Mapping[str, Reading]
) -> None:
    for name in plan.sources:
        folder, reading = empty.extract(name), readings.get(name)
        manifest = ExtractManifest(table=name, status="missing", transport="postgres")
        if reading is not None:
            write_zero_rows(folder, arrow_schema(reading.columns))
            manifest.status = "complete"
            manifest.key = [column.staged for column in reading.key_columns]
        write_manifest(folder, manifest)
    for name in plan.references:
        stage_no_documents(empty, schema, name)
