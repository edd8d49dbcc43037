"""The state of an import: its manifest, and the file that is imported by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import field

from stages.state.manifests import Part
from stages.state.records import Record, read_record
from stages.state.workspace import Workspace, manifest_file

# Each is recorded before the next step begins.
Step = Literal["written", "uploading", "uploaded", "performing", "imported", "adopted"]
Mode = Literal["require-empty", "replace", "append"]


class ImportedTable(msgspec.Struct, kw_only=True):
    """A table's number in the deployment, and its documents in the file."""

    number: int
    documents: int


class Upload(msgspec.Struct, kw_only=True):
    """An unfinished upload: its parts, as the deployment names them."""

    token: str
    parts: list[Any] = field(default_factory=list)


class ImportManifest(Record, kw_only=True):
    """An import: its content, how far it is, and what it found. `replaces` counts the documents
    that existed before; `export` is the file that keeps them."""

    status: Step
    made_from: str
    mode: Mode
    documents: int
    tables: dict[str, ImportedTable]
    file: Part | None = None
    upload: Upload | None = None
    import_id: str | None = field(default=None, name="importId")
    export: str | None = None
    replaces: dict[str, int] = field(default_factory=dict)

    @classmethod
    def way_on(cls, file: Path) -> str:
        return (
            "start over with: stages load --through import --restart (existing documents are "
            "found, and exports stay)"
        )


class HandedOver(Record, kw_only=True):
    """The last file written by `--to`, its tables, and the command to run after its import."""

    file: str
    tables: list[str]
    next: str

    @classmethod
    def way_on(cls, file: Path) -> str:
        return (
            "write the file again with: stages load --to FILE.zip; once it is imported: "
            "stages load --through import"
        )


def read_import(workspace: Workspace) -> ImportManifest | None:
    """The manifest of the last import, or None."""
    return read_record(ImportManifest, manifest_file(workspace.imports))


def read_handed_over(workspace: Workspace) -> HandedOver | None:
    """What was handed over and is not loaded yet, or None."""
    return read_record(HandedOver, workspace.handed_over)
