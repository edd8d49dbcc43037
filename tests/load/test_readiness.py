"""What `stages check` says of a deployment, and that a load starts on none of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stages.check.run import _http_action
from stages.convex.schema import Schema, export_schema
from stages.errors import StagesError
from stages.project.settings import Secret, Settings, Source
from stages.readiness import check_load, require_ready
from stages.sandbox import State
from tests.faults.support import Host, host
from tests.load.project import TABLES, Project, make_convex
from tests.support.command_line import Stages
from tests.support.project_copies import copy_data, copy_project, edit


@pytest.fixture
def schema(exported: dict[str, Any]) -> Schema:
    return Schema(exported)


def wrong(project: Project, schema: Schema) -> dict[str, str]:
    return {
        r.name: r.detail
        for r in check_load(project.plan, schema, project.target, TABLES)
        if not r.ok
    }


def test_a_deployment_that_is_ready(project: Project, schema: Schema) -> None:
    assert wrong(project, schema) == {}
    require_ready(project.plan, schema, project.target, TABLES)


def test_a_schema_without_the_ledger(project: Project, schema: Schema) -> None:
    tables = [t for t in schema.exported["tables"] if t["tableName"] != "migrationLedger"]
    without = Schema({**schema.exported, "tables": tables})
    assert "convex/schema.ts lacks ...stagesTables" in wrong(project, without)["schema.ts"]
    with pytest.raises(StagesError, match=r"the load does not start: schema\.ts: ") as error:
        require_ready(project.plan, without, project.target, TABLES)
    assert "...stagesTables" in (error.value.hint or "")


@pytest.fixture
def unfinished(tmp_path: Path) -> Iterator[Host]:
    """A deployment to which convex/ was pushed before stagesTables was spread into its schema."""
    convex = make_convex(tmp_path / "unfinished")
    edit(convex / "schema.ts", "  migrationLedger: defineTable", "  unrelated: defineTable")
    with host(tmp_path / "unfinished-host", None, convex) as running:
        yield running


def test_a_deployed_schema_without_the_ledger(
    project: Project, schema: Schema, unfinished: Host
) -> None:
    project.host = unfinished
    assert "it lacks ...stagesTables" in wrong(project, schema)["schema"]


def test_a_schema_that_differs_is_described(project: Project, schema: Schema) -> None:
    tables = [dict(table) for table in schema.exported["tables"]]
    for table in tables:
        if table["tableName"] == "pets":
            table["documentType"] = {"type": "any"}
        if table["tableName"] == "teams":
            table["tableName"] = "clubs"
    edited = Schema({**schema.exported, "tables": tables})
    detail = wrong(project, edited)["schema"]
    for words in (
        "it lacks the table: clubs",
        "only the deployment has: teams",
        "not the same: pets",
    ):
        assert words in detail


def test_functions_that_are_missing(project: Project, schema: Schema) -> None:
    plan = project.plan
    plan = replace(plan, module="elsewhere")
    (functions,) = [
        r
        for r in check_load(plan, schema, project.target, list(plan.tables))
        if r.name == "functions"
    ]
    assert not functions.ok and "elsewhere:readPage" in functions.detail
    with pytest.raises(StagesError, match="the load does not start: functions: missing"):
        require_ready(plan, schema, project.target, list(plan.tables))


def test_an_action_that_nobody_configured_is_not_asked_for(project: Project) -> None:
    """The deployment has no convex/http.ts, and a secret is set, as it is in every sandbox."""
    target = replace(project.target, site_url=project.host.site_url, secret=Secret("x" * 32))
    source = Source(ref="a", url=None, key=None, db_url=None)
    assert list(_http_action(project.plan, Settings(source=source, target=target))) == []
    # Where it is the only way in, it is asked for.
    only = Settings(source=source, target=replace(target, admin_key=None))
    with pytest.raises(StagesError):
        list(_http_action(project.plan, only))


def test_a_load_does_not_start_on_what_check_reports(
    supabase: State, extracted: Path, tmp_path: Path
) -> None:
    """A field was added to schema.ts, and not pushed to a deployment of the settings."""
    folder = copy_project(tmp_path / "project")
    deployment = supabase.deployments["sandbox"]
    settings = {
        "SUPABASE_DB_URL": supabase.source.db_url,
        "CONVEX_URL": deployment.url,
        "CONVEX_DEPLOY_KEY": deployment.admin_key,
    }
    data = copy_data(extracted, tmp_path / "data")
    stages = Stages(data, "default", folder, settings)
    convex = (folder / "convex").resolve()
    (folder / "convex").unlink()
    shutil.copytree(convex, folder / "convex", symlinks=True)
    edit(
        folder / "convex" / "schema.ts", "  articles: defineTable({",
        "  articles: defineTable({\n    addedLater: v.optional(v.string()),",
    )  # fmt: skip
    assert "addedLater" in str(export_schema(folder / "convex"))
    stages.run("extract")
    stages.run("transform")
    done = stages.run("load", code=1)
    assert "the load does not start: schema: the deployment has another schema" in done.stderr
    assert "not the same: articles" in done.stderr
    assert "push convex/ to it: npx convex deploy" in done.stderr
    assert not (stages.target_folder / "load").exists()
    done = stages.run("check", code=1)
    assert "not the same: articles" in done.stdout
