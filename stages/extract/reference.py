"""Existing documents of the reference tables: `_id`, natural keys and all other fields."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING

from stages.convex.client import Deployment
from stages.convex.ledger import record_target
from stages.convex.pages import read_pages
from stages.convex.schema import Schema
from stages.convex.values import Shape, decode_sql, shapes
from stages.layout import counted
from stages.progress import Progress
from stages.project.plan import Plan
from stages.sql import name_sql, open_duckdb
from stages.state.fingerprints import fingerprint
from stages.state.integrity import find_damage
from stages.state.manifests import ReferenceManifest, write_manifest
from stages.state.parts import is_form, write_parquet, write_zero_rows
from stages.state.records import read_whole
from stages.state.workspace import Workspace, manifest_file, part_file

if TYPE_CHECKING:
    import duckdb


def extract_references(
    workspace: Workspace,
    plan: Plan,
    schema: Schema,
    deployment: Deployment,
    progress: Progress,
    *,
    restart: bool,
) -> int:
    """Read every reference table that is not staged yet, or all of them with `restart`.

    Returns how many were read.
    """
    read = 0
    for name in plan.references:
        folder = workspace.reference(name)
        shapes = _shapes(schema, name)
        spec = fingerprint([[s.name, s.sql, s.kind] for s in shapes])
        manifest = read_whole(ReferenceManifest, manifest_file(folder), progress.note)
        fresh = (
            manifest is not None
            and manifest.spec == spec
            and is_form(folder)
            and not any(find_damage(folder, part) for part in manifest.parts)
        )
        if manifest and fresh and not restart:
            write_manifest(folder, manifest)
            progress.done("reference", name, f"kept, as read at {manifest.finished}")
            continue
        rows = _read(workspace, plan, name, shapes, spec, deployment, progress)
        record_target(workspace, deployment.target)
        progress.done("reference", name, counted(rows, "document"), rows=rows)
        read += 1
    return read


def stage_no_documents(workspace: Workspace, schema: Schema, table: str) -> None:
    """Stage a reference table as if it had no documents, without asking Convex."""
    folder = workspace.reference(table)
    connection = open_duckdb()
    try:
        _make_table(connection, _shapes(schema, table))
        write_zero_rows(folder, connection.sql("FROM documents").to_arrow_reader().schema)
    finally:
        connection.close()
    write_manifest(folder, ReferenceManifest(table=table, status="complete", rows=0, parts=[]))


def _make_table(connection: duckdb.DuckDBPyConnection, shapes: list[Shape]) -> str:
    """Make the temporary table `documents`; returns the SELECT list that fills it from a page."""
    connection.execute(resources.files("stages.convex").joinpath("values.sql").read_text())
    columns = ", ".join(
        [
            "document ->> '$._id' AS _id",
            "decode_float(document -> '$._creationTime') AS _creationTime",
            *(f"{decode_sql(s, 'document')} AS {name_sql(s.name)}" for s in shapes),
        ]
    )
    connection.execute(
        f"CREATE TEMP TABLE documents AS SELECT {columns} "
        "FROM (SELECT NULL::JSON AS document) LIMIT 0"
    )
    return columns


def _shapes(schema: Schema, table: str) -> list[Shape]:
    """Every field as a column; a field without a plain type holds encoded JSON."""
    return [*shapes(table, schema.fields(table)).values()]


def _read(
    workspace: Workspace,
    plan: Plan,
    table: str,
    shapes: list[Shape],
    spec: str,
    deployment: Deployment,
    progress: Progress,
) -> int:
    folder = workspace.reference(table)
    connection = open_duckdb()
    try:
        columns = _make_table(connection, shapes)
        for page in read_pages(connection, deployment, plan.module, table, progress):
            connection.execute(f"INSERT INTO documents SELECT {columns} FROM {page}")
        reader = connection.sql("FROM documents ORDER BY _id").to_arrow_reader()
        write_zero_rows(folder, reader.schema)
        part = write_parquet(part_file(folder), reader.schema, reader)
    finally:
        connection.close()
    write_manifest(
        folder,
        ReferenceManifest(
            table=table,
            status="complete",
            deployment=deployment.target.deployment,
            spec=spec,
            rows=part.rows,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            parts=[part],
        ),
    )
    return part.rows
