"""The import itself: the deployment asks, is answered, and is followed to the end."""

from __future__ import annotations

from stages.consent import ConsentRequired, Declined
from stages.errors import StagesError, UserError
from stages.load.importing.context import ImportContext
from stages.load.importing.upload import ImportFailed, follow
from stages.state.durable import remove
from stages.state.manifests import Manifest


def perform(context: ImportContext, state: Manifest) -> Manifest:
    """Answer the deployment's question, and wait for its end. Returns the state `imported`."""

    def confirm(words: str, deletes: bool) -> None:
        nonlocal state
        context.progress.note("  " + words.replace("\n", "\n  "))
        # What was asked for before may be deleted; something that came since may not.
        if deletes and not state["replaces"]:
            try:
                context.options.confirm(words)
            except (ConsentRequired, Declined):
                context.snapshots.cancel(state["importId"])
                remove(context.workspace.imports)
                raise UserError(
                    "documents have come to these tables since the import was begun",
                    "nothing was deleted; begin anew with: stages load --through import",
                ) from None
        if state["mode"] == "replace":
            # Acks of documents that are about to go.
            for table in context.tables:
                remove(context.workspace.load(table.name))
        state = context.record({**state, "status": "performing"})
        context.snapshots.perform(state["importId"])

    try:
        rows = follow(context.snapshots, state["importId"], confirm, context.progress)
    except ImportFailed:
        remove(context.workspace.imports)
        raise
    if rows != state["documents"]:
        raise StagesError(
            f"the import wrote {rows:,} documents, and the file has {state['documents']:,}",
            "see what is there with: stages load --dry-run",
        )
    return context.record({**state, "status": "imported"})
