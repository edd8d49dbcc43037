"""What the steps of a load share, for the whole load and for one table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stages.convex.client import Deployment
from stages.convex.schema import Schema
from stages.convex.values import Shape
from stages.load.bound_records import Binding
from stages.load.pace import Pace
from stages.load.prove import Prover
from stages.progress import Progress
from stages.project.plan import Plan, TargetTable
from stages.project.staged_schema import staged_shapes
from stages.state.manifests import TransformManifest
from stages.state.workspace import Workspace

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, kw_only=True)
class LoadContext:
    """What the tables of one load share."""

    workspace: Workspace
    plan: Plan
    schema: Schema
    deployment: Deployment
    connection: duckdb.DuckDBPyConnection
    pace: Pace
    prover: Prover
    progress: Progress
    epoch: str | None
    overwrite: bool = False


@dataclass(frozen=True)
class TableContext:
    """One table of a load; `transformed` is the manifest of its documents."""

    load: LoadContext
    table: TargetTable
    transformed: TransformManifest
    fields: dict[str, Shape]

    @classmethod
    def open(
        cls, load: LoadContext, table: TargetTable, transformed: TransformManifest
    ) -> TableContext:
        return cls(load, table, transformed, staged_shapes(load.workspace, load.schema, table.name))

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def folder(self) -> Path:
        return self.load.workspace.load(self.name)

    @property
    def acks(self) -> Path:
        return self.load.workspace.acks(self.name)

    @property
    def rejects(self) -> Path:
        return self.load.workspace.load_rejects(self.name)

    @property
    def ids(self) -> Path:
        return self.load.workspace.ids(self.name)

    @property
    def conflicts(self) -> Path:
        return self.load.workspace.conflicts(self.name)

    @property
    def removed(self) -> Path:
        return self.load.workspace.removed(self.name)

    @property
    def staged(self) -> Path:
        """The documents that transform has made."""
        return self.load.workspace.documents(self.name)

    @property
    def rejected(self) -> Path:
        """The rows that transform has rejected."""
        return self.load.workspace.rejects(self.name)

    @property
    def content(self) -> str:
        """The hash of these documents."""
        return self.transformed.parts[0].sha256

    def binding(self, leave: frozenset[str] = frozenset()) -> Binding:
        """The documents with ids, without the fields that wait for a second pass."""
        load = self.load
        return Binding(load.connection, load.workspace, load.plan, self.table, self.fields, leave)
