"""What a person reads where a module of convex/ can't be loaded, by init or by the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import sandbox
from stages.convex.client import Deployment
from stages.convex.schema import export_schema
from stages.errors import FileError
from stages.project.settings import sandbox_target
from tests.load.project import Notes
from tests.support.command_line import Stages
from tests.support.sandboxes import own_sandbox

SCHEMA = """\
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
export default defineSchema({ things: defineTable({ one: v.string() }) });
"""
LACKING = """\
import { more } from "./more";
import { anything } from "nopackage/deep";
export const all = [anything, more];
"""
MORE = 'export { default as more } from "@no/package";\n'
FUNCTION = """\
import { internalQueryGeneric } from "convex/server";
export const one = internalQueryGeneric(async () => 1);
"""
TARGET = "rehearsal"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "project"
    (folder / "convex").mkdir(parents=True)
    write(folder, schema=SCHEMA)
    with own_sandbox(tmp_path / "box"):
        yield folder


def write(project: Path, **modules: str) -> None:
    for name, text in modules.items():
        (project / "convex" / f"{name}.ts").write_text(text, "utf-8")


def test_a_package_that_is_not_installed_is_named_with_its_cure(project: Path) -> None:
    """Each of them, by the export of schema.ts and by the sandbox alike."""
    write(project, schema=LACKING + SCHEMA, more=MORE)
    errors = []
    for load in (lambda: export_schema(project / "convex"), lambda: sandbox.deploy(project, "x")):
        with pytest.raises(FileError) as error:
            load()
        errors.append((error.value.message, error.value.hint, error.value.file, error.value.line))
    assert errors[0] == errors[1]
    message, hint, file, line = errors[0]
    schema = project / "convex" / "schema.ts"
    assert message == (
        f"{schema} can't be executed: {file}, line {line}: these packages are not installed: "
        "@no/package, nopackage"
    )
    assert hint and hint.startswith("run `npm install @no/package nopackage` in the project")
    assert (file.name, line) in {("more.ts", 1), ("schema.ts", 2)}


def test_the_plan_s_functions_must_load(project: Path) -> None:
    """A plan may name functions of several modules; those of the app need not load."""
    plan = project / ".planning" / "migrations" / "plan.toml"
    plan.parent.mkdir(parents=True)
    plan.write_text(
        "module = 'stages'\n[sources.s]\n"
        "[tables.things]\nsource = 's'\nfunction = 'own/load:things'\n",
        "utf-8",
    )
    write(project, app="throw new Error('of the app');", stages=FUNCTION)
    (project / "convex" / "own").mkdir()
    write(project, **{"own/load": "\nthrow new Error('half done');"})
    with pytest.raises(FileError, match=r"own/load\.ts, line 2: half done"):
        sandbox.deploy(project, TARGET)
    write(project, **{"own/load": FUNCTION})
    deployment = sandbox.deploy(project, TARGET)
    with Deployment(sandbox_target(TARGET, deployment)) as client:
        assert [client.query(f"{path}:one", {}) for path in ("own/load", "stages")] == [1, 1]


def test_status_says_why_there_is_no_http_action(project: Path, tmp_path: Path) -> None:
    write(project, http="import './nowhere';", stages=FUNCTION)
    why = 'convex/http.ts can\'t be loaded: convex/http.ts:1: Could not resolve "./nowhere"'
    notes = Notes()
    assert sandbox.deploy(project, TARGET, notes).unrouted == why
    # Once, as it starts.
    sandbox.deploy(project, TARGET, notes)
    said = [message for message in notes.messages if "HTTP action" in message]
    assert said == [f"the sandbox serves no HTTP action: {why}"]
    stages = Stages(tmp_path / "data", project=project)
    assert f"\n  without HTTP actions: {why}\n" in stages.run("sandbox", "status").stdout
    shown = stages.json("sandbox", "status")["deployments"][TARGET]
    assert shown["unrouted"] == why
