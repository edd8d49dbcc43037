"""What a person reads where schema.ts can't be executed, and where it is looked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.convex.schema import SchemaCache, export_schema, is_outdated, made_from
from stages.errors import UserError
from stages.state.records import write_record
from stages.state.workspace import Workspace
from tests.support.sandboxes import open_folder

SCHEMA = """\
import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
export default defineSchema({ things: defineTable({ one: v.string() }) });
"""


@pytest.fixture
def bare() -> Iterator[Path]:
    """A convex folder with no packages in any folder above it."""
    with open_folder("bare") as project:
        (project / "convex").mkdir()
        yield project / "convex"


def failure(convex: Path) -> UserError:
    with pytest.raises(UserError) as error:
        export_schema(convex)
    assert error.value.exit_code == 2
    return error.value


def test_a_project_without_convex_is_sent_to_npm_install(bare: Path) -> None:
    (bare / "schema.ts").write_text(SCHEMA)
    error = failure(bare)
    assert error.message.endswith("the package `convex` is not installed")
    assert "npm init -y && npm install convex" in str(error.hint)
    (bare.parent / "package.json").write_text("{}")
    assert f"run `npm install` in {bare.parent}, or" in str(failure(bare).hint)


def test_a_convex_without_esbuild_is_named(bare: Path) -> None:
    (bare / "schema.ts").write_text(SCHEMA)
    package = bare.parent / "node_modules" / "convex"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"name": "convex"}')
    error = failure(bare)
    assert f"{package} has no esbuild" in error.message
    assert "npm install" in str(error.hint)


def test_a_process_that_ends_early_is_told_by_its_error_line(tmp_path: Path) -> None:
    (tmp_path / "schema.ts").write_text(
        "console.error('noise');\nconsole.error('RangeError: so it is');\n"
        "console.error('Node.js v20.20.2');\nprocess.exit(3);\n"
    )
    assert failure(tmp_path).message.endswith("can't be executed: RangeError: so it is")


def test_javascript_is_taken_where_there_is_no_typescript(tmp_path: Path) -> None:
    (tmp_path / "schema.js").write_text(SCHEMA)
    assert [t["tableName"] for t in export_schema(tmp_path)["tables"]] == ["things"]
    (tmp_path / "schema.js").rename(tmp_path / "other.js")
    assert f"{tmp_path / 'schema.ts'} is missing" in failure(tmp_path).message


def test_an_edit_since_the_last_export_is_seen_without_node(tmp_path: Path) -> None:
    workspace = Workspace(project=tmp_path, data=tmp_path / "data", target="dev")
    assert not is_outdated(workspace)  # nothing was exported yet
    file = workspace.convex / "schema.ts"
    file.parent.mkdir()
    file.write_text(SCHEMA)
    made = made_from(workspace.convex, ["schema.ts"])
    write_record(workspace.schema, SchemaCache(made_from=made, inputs=["schema.ts"], exported={}))
    assert not is_outdated(workspace)
    file.write_text(f"{SCHEMA}// more")
    assert is_outdated(workspace)
    (tmp_path / "convex.json").write_text("{")
    assert is_outdated(workspace)
