"""What the steps of an import share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stages.convex.client import Deployment
from stages.convex.schema import Schema
from stages.convex.snapshots import Snapshots
from stages.progress import Progress
from stages.project.plan import Plan, TargetTable
from stages.state.imports import ImportManifest, Mode
from stages.state.manifests import TransformManifest, write_manifest
from stages.state.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Options of an import. `mode` None means require-empty, or the mode of an import that is under
    way. `confirm` receives a clause that names what would be deleted, and raises ConsentRequired or
    Declined if that is not allowed."""

    confirm: Callable[[str], None]
    tables: tuple[str, ...] = ()
    mode: Mode | None = None
    restart: bool = False


@dataclass(frozen=True, kw_only=True)
class ImportContext:
    """The tables of one import, their manifests, and where they go."""

    workspace: Workspace
    plan: Plan
    schema: Schema
    tables: Sequence[TargetTable]
    transformed: dict[str, TransformManifest]
    deployment: Deployment
    options: ImportOptions
    progress: Progress

    @cached_property
    def snapshots(self) -> Snapshots:
        return Snapshots(self.deployment)

    @property
    def file(self) -> Path:
        return self.workspace.snapshot

    def record(self, state: ImportManifest) -> ImportManifest:
        """Record the state of the import, and return it."""
        write_manifest(self.workspace.imports, state)
        return state
