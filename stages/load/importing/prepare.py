"""The file of an import, and its state: an import that is under way is continued, an intact file is
used again, and otherwise a new one is written."""

from __future__ import annotations

from msgspec import structs

from stages.errors import UserError
from stages.layout import counted
from stages.load.importing.context import ImportContext
from stages.load.importing.import_conflicts import (
    existing_documents,
    is_imported,
    refuse_existing,
)
from stages.load.importing.import_state import open_import
from stages.load.importing.snapshot_file import Snapshot
from stages.state.fingerprints import fingerprint
from stages.state.imports import ImportedTable, ImportManifest, Mode, read_import
from stages.state.integrity import find_damage
from stages.state.manifests import read_keys, read_load


def prepare(context: ImportContext, snapshot: Snapshot) -> ImportManifest:
    """Return the state of the import; the file is written if there is none with this content."""
    made_from = _made_from(context, snapshot)
    under_way = open_import(context.workspace)
    if under_way:
        _require_same(context, under_way, made_from)
        return under_way
    state = _reusable(context, made_from)
    return state if state else _begin(context, snapshot, made_from)


def _require_same(context: ImportContext, state: ImportManifest, made_from: str) -> None:
    """Raise UserError if the request does not match the import that is under way."""
    if state.made_from != made_from:
        raise UserError(
            "the staged documents or the chosen tables have changed since the import that is "
            f"under way began ({state.status})",
            "name the same tables; or start over with: stages load --through import "
            "--restart --mode replace",
        )
    if context.options.mode not in (None, state.mode):
        raise UserError(
            f"an import with --mode {state.mode} is under way",
            "finish it without --mode; or start over with --restart",
        )


def _reusable(context: ImportContext, made_from: str) -> ImportManifest | None:
    """The state of an earlier import of the same content, whose file need not be written again."""
    state, mode = read_import(context.workspace), context.options.mode
    if not state or state.made_from != made_from:
        return None
    if state.status == "written" and (
        not state.file or find_damage(context.workspace.imports, state.file)
    ):
        return None
    # With an explicit --mode replace, a finished import is done again.
    if state.status == "adopted" and mode == "replace":
        return None
    return structs.replace(state, mode=mode or state.mode)


def _begin(context: ImportContext, snapshot: Snapshot, made_from: str) -> ImportManifest:
    mode: Mode = context.options.mode or "require-empty"
    documents = {t.name: context.transformed[t.name].documents for t in snapshot.tables}
    state = ImportManifest(
        status="written",
        made_from=made_from,
        mode=mode,
        documents=sum(documents.values()),
        tables={
            name: ImportedTable(number=snapshot.numbers[name], documents=rows)
            for name, rows in documents.items()
        },
    )
    if mode == "require-empty" and (existing := existing_documents(context)):
        if not is_imported(context, snapshot, existing, documents):
            refuse_existing(context, existing)
        context.progress.note("  the documents already exist, under the ids of this import")
        return context.record(structs.replace(state, status="imported"))
    part, written = snapshot.write(context.file, context.progress)
    for name, rows in written.items():
        context.progress.done("import", name, f"{counted(rows, 'document')} written")
    return context.record(structs.replace(state, file=part))


def _made_from(context: ImportContext, snapshot: Snapshot) -> str:
    """Fingerprint of all that the file depends on."""
    keys = [read_keys(context.workspace.keys_manifest(name)) for name in context.plan.references]
    loaded = [
        read_load(context.workspace.load(name))
        for name in context.plan.tables
        if name not in snapshot.numbers
    ]
    return fingerprint(
        [
            [t.name, t.keep_null, context.transformed[t.name].parts[0].sha256]
            for t in snapshot.tables
        ],
        snapshot.numbers,
        [k and k.parts for k in keys],
        [parent and parent.ids for parent in loaded],
        [context.schema.tables[t.name]["documentType"] for t in snapshot.tables],
    )
