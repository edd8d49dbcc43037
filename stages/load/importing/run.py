"""`load --through import`: one file with every document and its id, all tables in at once.

    written → uploading → uploaded → performing → imported → adopted

Each state is written down before the next is begun, so that a kill at any point loses and repeats
nothing: a whole file is used again, an import that the deployment knows is followed and not sent
again, and the ledger is written from where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stages.convex.client import Deployment
from stages.convex.ledger import require_epoch, require_target
from stages.convex.schema import Schema
from stages.convex.snapshots import Mode, Snapshots, assigned_numbers, table_numbers
from stages.errors import StagesError, Stopped, Transient, UserError
from stages.load.importing.import_conflicts import is_imported, refuse_present
from stages.load.importing.import_ledger import write_import_ledger
from stages.load.importing.import_state import open_import
from stages.load.importing.snapshot_file import Snapshot
from stages.load.importing.upload import ImportFailed, follow, upload
from stages.load.run import LoadResult, refuse_sample, require_keys, require_transformed
from stages.progress import Progress
from stages.project.plan import Plan, TargetTable
from stages.project.settings import Target
from stages.retry import Backoff
from stages.state.durable import read_json, remove
from stages.state.fingerprints import fingerprint
from stages.state.integrity import find_damage
from stages.state.manifests import Manifest, read_manifest, write_manifest
from stages.state.parts import part_entry
from stages.state.workspace import Workspace
from stages.views import refresh

AGAIN = "run again: stages load --through import"


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What may be asked of an import. `mode` None is require-empty, or that of the import that is
    under way. `consent` is asked with a sentence that names what would be deleted."""

    tables: tuple[str, ...] = ()
    mode: Mode | None = None
    restart: bool = False
    consent: Callable[[str], bool] = lambda _: False


def import_tables(
    workspace: Workspace,
    plan: Plan,
    schema: Schema,
    target: Target,
    options: ImportOptions,
    progress: Progress,
) -> LoadResult:
    """Bring all tables in by one import, and write their ledger; a second run does nothing.

    Raises UserError and StagesError for what must not be done, Stopped where the deployment was
    lost on the way.
    """
    tables, manifests = _chosen(workspace, plan, options.tables, progress)
    if target.production:
        refuse_sample(workspace, tables)
    require_target(workspace, target)
    try:
        with Deployment(target, "functions") as deployment:
            run = _Import(workspace, plan, schema, tables, manifests, deployment, options, progress)
            result = run.bring_up_to_date()
    except Transient as error:
        raise Stopped(error.message, AGAIN) from None
    refresh(workspace, plan)
    return result


def write_file(
    workspace: Workspace,
    plan: Plan,
    schema: Schema,
    target: Target | None,
    names: tuple[str, ...],
    file: Path,
    progress: Progress,
) -> None:
    """`--to FILE`: the ZIP only, for `npx convex import`. Nothing is sent.

    Without a deployment that answers, tables get the numbers that a new one would give them.
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
            "  no deployment answers: tables are numbered as a new one does, from 10001 in the "
            "order of their names; another one's numbers may differ, and its import will say so"
        )
    snapshot = Snapshot(workspace, plan, schema, tables, numbers or assigned_numbers(schema))
    part, counts = snapshot.write(file, progress)
    for name, rows in counts.items():
        progress.done("import", name, f"{rows:,} documents")
    progress.note(f"{file}: {part.rows:,} documents, {part.bytes / 2**20:,.1f} MiB")
    progress.note(f"send it with: npx convex import --replace {file}")


def _chosen(
    workspace: Workspace, plan: Plan, names: tuple[str, ...], progress: Progress
) -> tuple[list[TargetTable], dict[str, Manifest]]:
    """The tables that are there to be imported, and their manifests."""
    manifests = {t.name: require_transformed(workspace, plan, t) for t in plan.select_tables(names)}
    require_keys(workspace, plan)
    for name, manifest in manifests.items():
        if manifest["status"] == "missing":
            progress.done("load", name, "missing at the source")
    staged = {n: m for n, m in manifests.items() if m["status"] != "missing"}
    return [plan.tables[name] for name in staged], staged


class _Import:
    """The import of some tables: from where it stands to its end."""

    def __init__(
        self,
        workspace: Workspace,
        plan: Plan,
        schema: Schema,
        tables: Sequence[TargetTable],
        transformed: dict[str, Manifest],
        deployment: Deployment,
        options: ImportOptions,
        progress: Progress,
    ) -> None:
        self.workspace = workspace
        self.plan = plan
        self.schema = schema
        self.tables = tables
        self.transformed = transformed
        self.deployment = deployment
        self.options = options
        self.progress = progress
        self.snapshots = Snapshots(deployment)
        self.file = workspace.imports / "snapshot.zip"

    def bring_up_to_date(self) -> LoadResult:
        if self.options.restart:
            self._forget()
        # Names the functions that are missing, before anything is sent.
        epoch = require_epoch(self.workspace, self.deployment, self.plan.module, claim=True)
        numbers = table_numbers(self.deployment, self.schema, self.plan.module)
        snapshot = Snapshot(self.workspace, self.plan, self.schema, self.tables, numbers)
        state = self._state(snapshot)
        if state["status"] == "adopted":
            return self._fresh(state)
        if state["status"] == "written":
            refuse_present(self.snapshots, snapshot, self.plan.module, state["mode"], self.progress)
            state = self._prepare(state)
        if state["status"] == "uploading":
            state = upload(self.workspace, self.snapshots, self.file, state, self.progress)
        if state["status"] in ("uploaded", "performing"):
            state = self._perform(state)
        result = write_import_ledger(
            self.workspace,
            self.plan,
            self.schema,
            self.deployment,
            snapshot,
            self.transformed,
            epoch,
            replaced=state["mode"] == "replace",
            progress=self.progress,
        )
        if not result.failed:
            self._write({**state, "status": "adopted"})
            remove(self.file)
        return result

    def _write(self, state: Manifest) -> Manifest:
        write_manifest(self.workspace.imports, state)
        return state

    def _forget(self) -> None:
        """`--restart`: an import that was not performed yet never will be."""
        state = open_import(self.workspace)
        if state and state.get("importId"):
            try:
                self.snapshots.cancel(state["importId"])
            except Transient:
                raise
            except StagesError as error:
                self.progress.note(f"  the import can't be cancelled: {error.message}")
        remove(self.workspace.imports)

    # ── the file ────────────────────────────────────────────────────────────────────────────

    def _state(self, snapshot: Snapshot) -> Manifest:
        """Where the import stands; the file is written if there is none of this content."""
        made_from = self._made_from(snapshot)
        state = read_manifest(self.workspace.imports)
        mode = self.options.mode
        if open_import(self.workspace) and state:
            if state["made_from"] != made_from:
                raise UserError(
                    "what is staged, or which tables are asked for, has changed since the import "
                    f"that is under way was begun ({state['status']})",
                    "name the same tables; or begin anew with: stages load --through import "
                    "--restart --mode replace",
                )
            if mode not in (None, state["mode"]):
                raise UserError(
                    f"an import with --mode {state['mode']} is under way",
                    "end it without --mode; or begin anew with --restart",
                )
            return state
        new_mode = mode or "require-empty"
        if (
            state
            and state["made_from"] == made_from
            and not (
                state["status"] == "written" and find_damage(self.workspace.imports, state["file"])
            )
        ):
            # Asked for by name, a table that is imported already is replaced once more.
            again = state["status"] == "adopted" and mode == "replace"
            if not again:
                return {**state, "mode": state["mode"] if mode is None else new_mode}
        counts = {t.name: int(self.transformed[t.name]["documents"]) for t in snapshot.tables}
        begun = {
            "made_from": made_from,
            "mode": new_mode,
            "documents": sum(counts.values()),
            "tables": {
                name: {"number": snapshot.numbers[name], "documents": rows}
                for name, rows in counts.items()
            },
        }
        if new_mode == "require-empty" and (filled := self._filled()):
            if not is_imported(self.snapshots, snapshot, self.plan.module, filled, counts):
                self._refuse_filled(filled)
            self.progress.note("  the documents are there already, under the ids of this import")
            return self._write({"status": "imported", **begun})
        part, counts = snapshot.write(self.file, self.progress)
        for name, rows in counts.items():
            self.progress.done("import", name, f"{rows:,} documents written")
        return self._write({"status": "written", **begun, "file": part_entry(part)})

    def _made_from(self, snapshot: Snapshot) -> str:
        """All that the file depends on."""
        keys = [read_json(self.workspace.keys / f"{name}.json") for name in self.plan.references]
        parents = [
            (read_manifest(self.workspace.load(name)) or {}).get("ids")
            for name in self.plan.tables
            if name not in snapshot.numbers
        ]
        return fingerprint(
            [
                [t.name, t.keep_null, self.transformed[t.name]["parts"][0]["sha256"]]
                for t in snapshot.tables
            ],
            snapshot.numbers,
            [k and k["parts"] for k in keys],
            parents,
            [self.schema.tables[t.name]["documentType"] for t in snapshot.tables],
        )

    def _fresh(self, state: Manifest) -> LoadResult:
        result = LoadResult()
        for table in self.tables:
            manifest = read_manifest(self.workspace.load(table.name))
            if manifest is None:
                raise StagesError(
                    f"`{table.name}` was imported, and its acks are not here any more",
                    "ask the ledger with: stages load",
                )
            result.tables[table.name] = manifest
            documents = state["tables"][table.name]["documents"]
            sentence = f"fresh, imported before: {documents:,} documents"
            self.progress.done("import", table.name, sentence)
        return result

    # ── consent, and what is there ─────────────────────────────────────────────────────────

    def _filled(self) -> dict[str, int]:
        """Documents of the tables that have some."""
        sizes = {t.name: self.snapshots.table_size(t.name) for t in self.tables}
        return {name: rows for name, rows in sizes.items() if rows}

    def _refuse_filled(self, filled: dict[str, int]) -> None:
        if filled:
            raise UserError(
                f"{self.deployment.target.label} has documents already: {_list_counts(filled)}",
                "send what has changed with: stages load; or say what is to become of them: "
                "--mode replace deletes them, --mode append adds to them",
            )

    def _prepare(self, state: Manifest) -> Manifest:
        """Ask, and keep what would be deleted; nothing is sent without both."""
        label = self.deployment.target.label
        filled = self._filled()
        counts = _list_counts(filled)
        if state["mode"] == "require-empty":
            self._refuse_filled(filled)
        if filled and state["mode"] == "replace":
            if not self.options.consent(f"{label} would lose documents: {counts}"):
                raise UserError(
                    f"{label} would lose documents: {counts}",
                    f"say so with: --mode replace --yes {self.deployment.target.deployment}",
                )
            self.progress.note("  taking a full export of what is there")
            export = self.snapshots.export(self.workspace.exports)
            self.progress.note(f"  before the import: {export}")
            state = {**state, "export": str(export)}
        return self._write({**state, "status": "uploading", "replaces": filled})

    # ── the import ──────────────────────────────────────────────────────────────────────────

    def _perform(self, state: Manifest) -> Manifest:
        """Answer the deployment's question, and wait for its end."""

        def confirm(words: str, deletes: bool) -> None:
            nonlocal state
            self.progress.note("  " + words.replace("\n", "\n  "))
            # What was asked for before may be deleted; something that came since may not.
            if deletes and not (state["replaces"] or self.options.consent(words)):
                self.snapshots.cancel(state["importId"])
                remove(self.workspace.imports)
                raise UserError(
                    "documents have come to these tables since the import was begun",
                    "nothing was deleted; begin anew with: stages load --through import",
                )
            if state["mode"] == "replace":
                # Acks of documents that are about to go.
                for table in self.tables:
                    remove(self.workspace.load(table.name))
            state = self._write({**state, "status": "performing"})
            self.snapshots.perform(state["importId"])

        try:
            rows = follow(self.snapshots, state["importId"], confirm, self.progress)
        except ImportFailed:
            remove(self.workspace.imports)
            raise
        if rows != state["documents"]:
            raise StagesError(
                f"the import wrote {rows:,} documents, and the file has {state['documents']:,}",
                "see what is there with: stages load --dry-run",
            )
        return self._write({**state, "status": "imported"})


def _list_counts(filled: dict[str, int]) -> str:
    return ", ".join(f"{rows:,} of {name}" for name, rows in filled.items())
