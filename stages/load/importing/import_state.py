"""An import that is under way: no load touches its tables until their ledger is written."""

from __future__ import annotations

from collections.abc import Iterable

from stages.errors import UserError
from stages.state.imports import ImportManifest, read_import
from stages.state.workspace import Workspace

# The states in which an import is under way; each is recorded before the next step begins. Before
# the first of these, and after the last, its tables are free.
OPEN = ("uploading", "uploaded", "performing", "imported")


def open_import(workspace: Workspace) -> ImportManifest | None:
    """The manifest of an import that is under way, else None."""
    manifest = read_import(workspace)
    return manifest if manifest and manifest.status in OPEN else None


def refuse_imported(workspace: Workspace, tables: Iterable[str]) -> None:
    """Raise UserError for a table that is being imported: Convex may already have its documents,
    which the ledger does not know yet."""
    manifest = open_import(workspace)
    for name in tables:
        if manifest and name in manifest.tables:
            raise UserError(
                f"`{name}` is being imported ({manifest.status}), and the ledger does not know "
                "it yet",
                "end that first with: stages load --through import",
            )
