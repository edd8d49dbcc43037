"""What every step of a table's transform works with: its plan, its schema, its source."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stages.convex.schema import Schema, Validator
from stages.progress import Progress
from stages.project.models import Model, read_model
from stages.project.plan import Plan, TargetTable
from stages.state.manifests import ExtractManifest, read_extract
from stages.state.workspace import Workspace
from stages.transform.drops import drop_model
from stages.transform.models import Inputs, key_is_number, key_sql, require_extract

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, kw_only=True)
class TableContext:
    """One target table, and all that its documents are made from."""

    connection: duckdb.DuckDBPyConnection
    workspace: Workspace
    plan: Plan
    schema: Schema
    table: TargetTable
    inputs: Inputs
    progress: Progress

    @cached_property
    def extracted(self) -> ExtractManifest:
        """The manifest of the table's extract."""
        manifest = read_extract(self.workspace.extract(self.table.source))
        return manifest or require_extract(self.workspace, self.table.source)

    @property
    def missing(self) -> bool:
        """Whether the source has no such table."""
        return self.extracted.status == "missing"

    @property
    def source_rows(self) -> int | None:
        """The number of documents and rejects together; None if the model determines it."""
        return self.extracted.rows if self.table.grain == "row" else None

    @property
    def folder(self) -> Path:
        """Where the table's files are staged."""
        return self.workspace.transform(self.table.name)

    @property
    def document(self) -> Validator:
        """The validator of the table's documents."""
        return self.schema.document(self.table.name)

    def read_model(self) -> Model:
        return read_model(self.workspace, self.table.model)

    def drop_model(self) -> Model | None:
        return drop_model(self.workspace, self.table)

    @property
    def targets(self) -> list[str]:
        """The tables that the documents refer to."""
        return sorted(self.schema.references()[self.table.name])

    def target_sources(self) -> dict[str, str | None]:
        """Reference target → its source."""
        sources: dict[str, str | None] = {t.name: t.source for t in self.plan.tables.values()}
        return sources | {r.name: r.source for r in self.plan.references.values()}

    def key_sql(self) -> str | None:
        """SQL of the source's key; None if documents are not source rows (derived)."""
        return None if self.table.grain == "derived" else key_sql(self.workspace, self.table.source)

    @cached_property
    def has_number_keys(self) -> bool:
        """Whether source keys sort as numbers."""
        return self.table.grain == "row" and key_is_number(self.workspace, self.table.source)

    def key_order(self, column: str) -> str:
        """SQL to order by a column of source keys."""
        return f"{column}::BIGINT" if self.has_number_keys else column
