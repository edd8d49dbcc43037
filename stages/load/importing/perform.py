"""The import itself: answer the deployment's question, and follow the import to its end."""

from __future__ import annotations

from msgspec import structs

from stages.consent import ConsentRequired, Declined
from stages.errors import StagesError, UserError
from stages.load.importing.context import ImportContext
from stages.load.importing.upload import ImportFailed, follow
from stages.state.durable import remove
from stages.state.imports import ImportManifest


def perform(context: ImportContext, state: ImportManifest) -> ImportManifest:
    """Answer the deployment's question, and wait for the end. Returns the state `imported`."""

    assert state.import_id is not None
    import_id = state.import_id

    def confirm(words: str, deletes: bool) -> None:
        nonlocal state
        context.progress.note("  " + words.replace("\n", "\n  "))
        # Consent covers what existed when it was given, but nothing that was added since.
        if deletes and not state.replaces:
            try:
                context.options.confirm(words)
            except (ConsentRequired, Declined):
                context.snapshots.cancel(import_id)
                remove(context.workspace.imports)
                raise UserError(
                    "documents were added to these tables since the import began",
                    "nothing was deleted; start over with: stages load --through import",
                ) from None
        if state.mode == "replace":
            # These acks are of documents that are about to be deleted.
            for table in context.tables:
                remove(context.workspace.load(table.name))
        state = context.record(structs.replace(state, status="performing"))
        context.snapshots.perform(import_id)

    try:
        rows = follow(context.snapshots, import_id, confirm, context.progress)
    except ImportFailed:
        remove(context.workspace.imports)
        raise
    if rows != state.documents:
        raise StagesError(
            f"the import wrote {rows:,} documents, and the file has {state.documents:,}",
            "see what is missing with: stages load --dry-run",
        )
    return context.record(structs.replace(state, status="imported"))
