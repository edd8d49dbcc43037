"""A migration of a few rows, made in Python without a source or Node, to try plans and models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec import structs

from stages.convex.schema import Schema
from stages.errors import UserError
from stages.progress import Silent
from stages.project.plan import Plan
from stages.project.plan_reader import load_plan
from stages.state.manifests import ExtractManifest, ExtractPart, Snapshot, write_manifest
from stages.state.parts import write_parquet, write_zero_rows
from stages.state.workspace import Workspace, manifest_file
from stages.transform.run import TransformOptions, TransformResult, transform

Validator = dict[str, Any]
STRING: Validator = {"type": "string"}
NUMBER: Validator = {"type": "number"}
INT64: Validator = {"type": "bigint"}
BOOLEAN: Validator = {"type": "boolean"}
BYTES: Validator = {"type": "bytes"}
ANY: Validator = {"type": "any"}
NULL: Validator = {"type": "null"}


def array(item: Validator) -> Validator:
    return {"type": "array", "value": item}


def union(*members: Validator | str) -> Validator:
    """A union; a string is a literal."""
    return {"type": "union", "value": [
        {"type": "literal", "value": m} if isinstance(m, str) else m for m in members
    ]}  # fmt: skip


def id_of(table: str) -> Validator:
    return {"type": "id", "tableName": table}


class Small:
    """A project in a folder: the extract, the plan, the models, and the schema."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace(project=folder, data=folder / "data", target="small")
        self.tables: list[dict[str, Any]] = []
        (self.workspace.migrations / "models").mkdir(parents=True)

    def extract(self, name: str, rows: pa.Table, key: list[str], texts: Sequence[str] = ()) -> None:
        """Stage these rows as if they had been extracted; `texts` are JSON columns, as text."""
        folder = self.workspace.extract(name)
        write_zero_rows(folder, rows.schema)
        part = write_parquet(folder / "part-00000.parquet", rows.schema, rows.to_batches())
        write_manifest(folder, ExtractManifest(
            table=name, status="complete", key=key, rows=rows.num_rows, json=list(texts),
            transport="postgres", snapshots=[Snapshot(kind="exported", snapshot="", at="")],
            parts=[ExtractPart(**structs.asdict(part), span=0, number=0)],
        ))  # fmt: skip

    def schema(self, table: str, fields: dict[str, Validator], **indexes: Any) -> None:
        """Declare a Convex table; a field whose name ends with `?` is optional."""
        self.tables = [t for t in self.tables if t["tableName"] != table]
        self.tables.append({"tableName": table, "documentType": {"type": "object", "value": {
            name.removesuffix("?"): {"fieldType": kind, "optional": name.endswith("?")}
            for name, kind in fields.items()
        }}, **indexes})  # fmt: skip

    def write(self, name: str, text: str) -> None:
        """Write a file in the plan's folder."""
        (self.workspace.migrations / name).write_text(text, "utf-8")

    def model(self, name: str, sql: str) -> None:
        self.write(f"models/{name}.sql", sql)

    @property
    def plan(self) -> Plan:
        return load_plan(self.workspace.plan)

    def transform(self, *tables: str, **options: Any) -> TransformResult:
        chosen = TransformOptions(tables=tables, **options)
        schema = Schema({"tables": self.tables})
        return transform(self.workspace, self.plan, schema, chosen, Silent())

    def fails(self, *tables: str) -> UserError:
        """The error of a transform that is refused, with exit code 2 and a hint."""
        with pytest.raises(UserError) as error:
            self.transform(*tables)
        assert error.value.exit_code == 2 and error.value.hint
        return error.value

    def manifest(self, table: str) -> dict[str, Any]:
        """The table's transform manifest, as plain JSON."""
        file = manifest_file(self.workspace.transform(table))
        manifest: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return manifest

    def rows(self, table: str, what: str = "documents") -> list[dict[str, Any]]:
        arrow_table = pq.read_table(self.workspace.transform(table) / f"{what}.parquet")
        names = arrow_table.column_names
        columns = [
            c.combine_chunks().storage if isinstance(c.type, pa.BaseExtensionType) else c
            for c in arrow_table.columns
        ]
        rows: list[dict[str, Any]] = pa.table(columns, names=names).to_pylist()
        return rows

    def documents(self, table: str) -> dict[str, dict[str, Any]]:
        return {row.pop("_source_id"): row for row in self.rows(table)}

    def rejected(self, table: str) -> dict[str, tuple[str, str]]:
        return {r["source_id"]: (r["field"], r["rule"]) for r in self.rows(table, "rejects")}

    def accounted(self, table: str) -> bool:
        """Whether every source row is exactly one document or one reject."""
        manifest = self.manifest(table)
        ids = [*self.documents(table), *self.rejected(table)]
        return bool(
            manifest["documents"] + manifest["rejects"] == manifest["source_rows"] == len(set(ids))
        )
