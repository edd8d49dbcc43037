"""`load --through import`: one file with all documents and their ids, for all tables together.

    written → uploading → uploaded → performing → imported → adopted

Each state is recorded before the next step begins, so that a kill at any point loses and repeats
nothing: an intact file is used again, an import that the deployment knows is followed and not sent
again, and the ledger is continued from where it stopped.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path

from msgspec import structs

from stages.convex.client import Deployment
from stages.convex.ledger import require_epoch, require_target
from stages.convex.schema import Schema
from stages.convex.snapshots import assigned_numbers, table_numbers
from stages.errors import StagesError, Transient
from stages.layout import counted
from stages.load.importing.context import ImportContext, ImportOptions
from stages.load.importing.import_conflicts import accept_existing, refuse_present
from stages.load.importing.import_ledger import write_import_ledger
from stages.load.importing.import_state import open_import
from stages.load.importing.perform import perform
from stages.load.importing.prepare import prepare
from stages.load.importing.snapshot_file import Snapshot
from stages.load.importing.upload import upload
from stages.load.run import LoadResult, refuse_sample, require_keys, require_transformed
from stages.progress import Progress, note_retry
from stages.project.plan import Plan, TargetTable
from stages.project.settings import Target
from stages.retry import Backoff
from stages.state.durable import remove
from stages.state.imports import HandedOver, ImportManifest, Mode
from stages.state.manifests import TransformManifest, read_load
from stages.state.records import Damaged, write_record
from stages.state.workspace import Workspace
from stages.views import refresh

SECOND_STEP = "stages load --through import"
AGAIN = f"run again: {SECOND_STEP}"


def import_tables(
    workspace: Workspace,
    plan: Plan,
    schema: Schema,
    target: Target,
    options: ImportOptions,
    progress: Progress,
) -> LoadResult:
    """Load all tables by one import, and write their ledger; a second run does nothing.

    Raises UserError and StagesError for what is refused, Stopped if the deployment can't be reached
    any more.
    """
    tables, manifests = _chosen(workspace, plan, options.tables, progress)
    if target.production:
        refuse_sample(workspace, tables)
    require_target(workspace, target)
    try:
        noted = note_retry(progress)
        with Deployment(target, "functions", on_retry=noted) as deployment:
            context = ImportContext(
                workspace=workspace,
                plan=plan,
                schema=schema,
                tables=tables,
                transformed=manifests,
                deployment=deployment,
                options=options,
                progress=progress,
            )
            result = _bring_up_to_date(context)
    except Transient as error:
        raise error.stopped(AGAIN) from None
    refresh(workspace, plan)
    return result


def write_file(
    workspace: Workspace,
    plan: Plan,
    schema: Schema,
    target: Target | None,
    names: tuple[str, ...],
    file: Path,
    mode: Mode | None,
    progress: Progress,
) -> None:
    """`--to FILE`: write only the ZIP, for `npx convex import`. Nothing is sent.

    Status shows the next step until the tables are loaded. If no deployment answers, tables get the
    numbers that a new one would give them.
    """
    tables, _ = _chosen(workspace, plan, names, progress)
    numbers = None
    if target and target.admin_key:
        require_target(workspace, target)
        with (
            suppress(Transient),
            Deployment(target, "functions", backoff=Backoff(attempts=2)) as deployment,
        ):
            numbers = table_numbers(deployment, schema, plan.module)
    if numbers is None:
        progress.note(
            "  no deployment answers: tables get the numbers of a new deployment, from 10001 in "
            "the order of their names; if a deployment has other numbers, its import reports it"
        )
    snapshot = Snapshot(workspace, plan, schema, tables, numbers or assigned_numbers(schema))
    part, counts = snapshot.write(file, progress)
    for name, rows in counts.items():
        progress.done("import", name, counted(rows, "document"))
    progress.note(f"{file}: {counted(part.rows, 'document')}, {part.bytes / 2**20:,.1f} MiB")
    then = shlex.join([*SECOND_STEP.split(), *names])
    handed = HandedOver(file=str(file), tables=sorted(counts), next=then)
    write_record(workspace.handed_over, handed)
    progress.note(f"send it with: {_import_command(target, file, mode)}")
    progress.note(f"then write its ledger with: {then}")


def _import_command(target: Target | None, file: Path, mode: Mode | None) -> str:
    """The command of Convex' own CLI to import a file into the target; its settings hold the keys.

    It accepts tables that are not empty only with `--replace` or `--append`.
    """
    words = ["npx", "convex", "import", shlex.quote(str(file))]
    if mode in ("replace", "append"):
        words.append(f"--{mode}")
    if target is None:
        return " ".join(words)
    if target.url.endswith(".convex.cloud"):
        return " ".join([*words, "--deployment", target.deployment])
    return (
        f"CONVEX_SELF_HOSTED_URL={target.url} {' '.join(words)} "
        "(with CONVEX_SELF_HOSTED_ADMIN_KEY set)"
    )


def _chosen(
    workspace: Workspace, plan: Plan, names: tuple[str, ...], progress: Progress
) -> tuple[list[TargetTable], dict[str, TransformManifest]]:
    """The tables to import, except those missing at the source, and their manifests."""
    manifests = {t.name: require_transformed(workspace, plan, t) for t in plan.select_tables(names)}
    require_keys(workspace, plan)
    progress.begin("import", {name: each.documents for name, each in manifests.items()})
    for name, manifest in manifests.items():
        if manifest.status == "missing":
            progress.done("load", name, "missing at the source")
    staged = {n: m for n, m in manifests.items() if m.status != "missing"}
    return [plan.tables[name] for name in staged], staged


def _bring_up_to_date(context: ImportContext) -> LoadResult:
    """Continue the import from its current state to the end."""
    if context.options.restart:
        _forget(context)
    plan, deployment = context.plan, context.deployment
    # Reports missing functions, before anything is sent.
    epoch = require_epoch(
        context.workspace,
        deployment,
        plan.module,
        claim=True,
        loaded=[table.name for table in context.tables],
        referenced=[name for name in plan.references if name in context.schema.tables],
    )
    numbers = table_numbers(deployment, context.schema, plan.module)
    snapshot = Snapshot(context.workspace, plan, context.schema, context.tables, numbers)
    state = prepare(context, snapshot)
    if state.status == "adopted":
        return _fresh(context, state)
    if state.status == "written":
        refuse_present(context, snapshot, state.mode)
        state = accept_existing(context, state)
    if state.status == "uploading":
        state = upload(context.workspace, context.snapshots, context.file, state, context.progress)
    if state.status in ("uploaded", "performing"):
        state = perform(context, state)
    result = write_import_ledger(context, snapshot, epoch, replaced=state.mode == "replace")
    if not result.failed:
        context.record(structs.replace(state, status="adopted"))
        remove(context.file)
        remove(context.workspace.handed_over)
    return result


def _forget(context: ImportContext) -> None:
    """`--restart`: forget the import, and cancel it if it is under way."""
    try:
        state = open_import(context.workspace)
    except Damaged as damaged:
        # If that import is still under way, its documents will show it.
        context.progress.note(damaged.message)
        state = None
    if state and state.import_id:
        try:
            context.snapshots.cancel(state.import_id)
        except Transient:
            raise
        except StagesError as error:
            context.progress.note(f"  the import can't be cancelled: {error.message}")
    remove(context.workspace.imports)


def _fresh(context: ImportContext, state: ImportManifest) -> LoadResult:
    """The result of an import that was finished before."""
    result = LoadResult()
    for table in context.tables:
        manifest = read_load(context.workspace.load(table.name))
        if manifest is None:
            raise StagesError(
                f"`{table.name}` was imported, and its acks are gone",
                "ask the ledger with: stages load",
            )
        result.tables[table.name] = manifest
        documents = state.tables[table.name].documents
        sentence = f"fresh, imported before: {counted(documents, 'document')}"
        context.progress.done("import", table.name, sentence)
    return result
