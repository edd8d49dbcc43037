"""schema.ts as the project has it, or as `--write-schema` makes it from the catalog."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from stages.convex.schema import Schema, export_schema, schema_file
from stages.errors import UserError
from stages.init.catalog import Catalog
from stages.init.file_merges import FileMerge, merge_text
from stages.init.merge import merge
from stages.init.options import InitOptions
from stages.init.pairing import read_renames
from stages.init.project_files import convex_place, takes_text, text_of, write_text_of
from stages.init.schema_text import WrittenSchema, schema_text
from stages.init.typescript import ledger_tables
from stages.state.durable import write_project_file
from stages.state.workspace import Workspace

IMPORTS_TABLES = re.compile(r"""from\s+["']\./stagesTables(?:\.[jt]s)?["']""")


def imports_tables(workspace: Workspace) -> bool:
    """Whether schema.ts imports ./stagesTables, without which it can't be executed."""
    return bool(IMPORTS_TABLES.search(text_of(schema_file(workspace.convex)) or ""))


def project_schema(workspace: Workspace, command: str = "stages init") -> Schema:
    """The project's schema. Raises UserError if it has none, or one that can't be executed."""
    if not schema_file(workspace.convex).exists():
        raise UserError(
            f"{schema_file(workspace.convex)} is missing",
            f"{command} --write-schema makes one from the source's catalog",
        )
    return Schema(export_schema(workspace.convex))


def new_schema(workspace: Workspace, catalog: Catalog, options: InitOptions) -> WrittenSchema:
    """A schema.ts made from the catalog. Raises UserError if there already is one."""
    existing = schema_file(workspace.convex)
    if existing.exists():
        raise UserError(f"{existing} already exists", "leave out --write-schema")
    return schema_text(catalog, catalog.schemas, options.case, read_renames(options.renames))


def export_text(text: str, project: Path) -> Schema:
    """Export a schema.ts that is not written yet, with the project's own Convex package."""
    folder = Path(tempfile.mkdtemp(prefix="stages-init-"))
    try:
        (folder / "schema.ts").write_text(text, "utf-8")
        (folder / "stagesTables.ts").write_text(ledger_tables(), "utf-8")
        return Schema(export_schema(folder, packages=project))
    finally:
        shutil.rmtree(folder)


def merge_schema(
    workspace: Workspace, written: str | None, then: Catalog, now: Catalog, options: InitOptions
) -> FileMerge | None:
    """schema.ts with what has changed in the source, if init wrote it; None if it did not, or if
    the file has been removed. `written` is what init wrote."""
    file = schema_file(workspace.convex)
    mine = text_of(file)
    if written is None or mine is None:
        return None
    renames = read_renames(options.renames)
    one, two = (
        schema_text(catalog, catalog.schemas, options.case, renames).text for catalog in (then, now)
    )
    # Only with what has changed in the source, not with what this version writes differently.
    target = merge(one, two, written).text
    place = convex_place(workspace, file.name)
    return merge_text(
        place, written=written, now=target, mine=mine, takes=lambda _: takes_text(file)
    )


def executable_or_refused(workspace: Workspace, merge: FileMerge, written: str) -> FileMerge:
    """Write a merged schema.ts if it can be executed; else put the old one back, and leave all the
    lines to the user. `written` is what init wrote."""
    file = schema_file(workspace.convex)
    before = file.read_bytes()
    write_text_of(file, merge.merged.text)
    try:
        export_schema(workspace.convex)
    except UserError:
        write_project_file(file, before)
        return merge.refused(written)
    return merge
