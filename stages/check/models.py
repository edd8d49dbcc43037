"""Whether the models run: a real transform of tables without rows, in a folder of its own."""

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
from stages.state.manifests import write_manifest
from stages.state.parts import write_zero_rows
from stages.state.workspace import Workspace
from stages.transform.run import TransformOptions, transform


def check_models(
    workspace: Workspace, plan: Plan, schema: Schema, readings: Mapping[str, Reading]
) -> Iterator[CheckResult]:
    """One result for each model that does not run, or one for all that do.

    `readings` are the sources that can be read; the others count as missing.
    """
    # No row, no key: what a side file says of keys can't be proven here.
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
        for name, table in plan.tables.items():
            try:
                options = TransformOptions(tables=(table.full_name,))
                transform(empty, plan, schema, options, Silent())
            except StagesError as error:
                # A parent, or a key model, that does not run is met by several tables.
                result = CheckResult(f"model of {name}", False, error.message, error.hint)
                wrong.setdefault(error.message, result)
    yield from wrong.values()
    if not wrong:
        yield CheckResult("models", True, f"all {len(plan.tables)} run")


def _stage_no_rows(
    empty: Workspace, plan: Plan, schema: Schema, readings: Mapping[str, Reading]
) -> None:
    for name in plan.sources:
        folder, reading = empty.extract(name), readings.get(name)
        manifest = {"table": name, "status": "missing", "rows": 0, "parts": []}
        if reading is not None:
            write_zero_rows(folder, arrow_schema(reading.columns))
            key = [column.staged for column in reading.key_columns]
            manifest |= {"status": "complete", "key": key}
        write_manifest(folder, manifest)
    for name in plan.references:
        stage_no_documents(empty, schema, name)
