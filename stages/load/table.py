"""One table's way to Convex: bind, send, write down, settle."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from stages.convex.client import Deployment
from stages.convex.schema import Schema
from stages.load.batches import Batch, cut
from stages.load.bound_records import MEMORY, Binding, read_acks
from stages.load.functions import Sender, Sent
from stages.load.pace import Pace
from stages.load.prove import Prover
from stages.load.relations import ACKED, ACKED_DOCUMENTS, HELD_BACK, REFUSED_KEYS
from stages.prefetch import prefetch
from stages.progress import Progress
from stages.project.plan import Plan, TargetTable
from stages.project.staged_schema import staged_shapes
from stages.sql import first_row, text_sql
from stages.state.durable import remove
from stages.state.fingerprints import fingerprint
from stages.state.integrity import find_damage, require_whole
from stages.state.journal import Journal
from stages.state.manifests import Manifest, read_manifest, write_manifest
from stages.state.parts import part_entry, write_parquet
from stages.state.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

DID = ("inserted", "replaced", "unchanged", "conflict")
SHOWN = 5
SETTLE_MEMORY = "256MiB"


class Sends(Protocol):
    """What a batch goes to; may be called from several threads."""

    def send(self, batch: Batch) -> Sent: ...


@dataclass
class Run:
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


@dataclass
class TableLoad:
    """One table of a load; of a cycle, `deferred` are the fields that its second pass binds.

    `sender` takes the batches in the place of the table's own function.
    """

    run: Run
    table: TargetTable
    transformed: Manifest
    deferred: frozenset[str] = field(default_factory=frozenset)
    sender: Sends | None = None

    def __post_init__(self) -> None:
        self.folder = self.run.workspace.load(self.table.name)
        self.acks = self.folder / "acks.jsonl"
        self.fields = staged_shapes(self.run.workspace, self.run.schema, self.table.name)
        self.content: str = self.transformed["parts"][0]["sha256"]

    def first_pass(self) -> str:
        """Send what has no id yet, without the deferred fields; what was done in one sentence."""
        if self._fresh() is not None:
            return "first pass: fresh"
        binding = self._binding(self.deferred)
        sent = self._send(binding)
        # Whose content is none: a kill between the passes must not look like the end.
        self._settle(binding, made_from="", content="", status="partial")
        return f"first pass: {sent:,} sent"

    def bring_up_to_date(self) -> tuple[Manifest, str]:
        """The manifest, and what was done in one sentence."""
        manifest = self._fresh()
        if manifest is not None:
            return manifest, "fresh, nothing to send"
        made_from = self._made_from()
        binding = self._binding(frozenset())
        sent = self._send(binding)
        manifest = self._settle(binding, made_from, self.content)
        return manifest, _sentence(sent, manifest["counts"])

    def recount(self, manifest: Manifest) -> Manifest:
        """The manifest after documents were taken back; what was settled stays as it is."""
        read_acks(self.run.connection, self.acks)
        self._join_staged()
        counts = {**manifest["counts"], "removed": self._tell_removed()}
        manifest = {**manifest, "counts": counts}
        write_manifest(self.folder, manifest)
        return manifest

    def _binding(self, leave: frozenset[str]) -> Binding:
        return Binding(
            self.run.connection, self.run.workspace, self.run.plan, self.table, self.fields, leave
        )

    # ── what it is made from ────────────────────────────────────────────────────────────────

    def _made_from(self) -> str:
        return fingerprint(
            self.content, self._parents(), self.table.function,
            self.table.keep_null, self.run.epoch,
        )  # fmt: skip

    def _fresh(self) -> Manifest | None:
        """The manifest, where everything that it was made from is as it was."""
        manifest = read_manifest(self.folder)
        if (
            manifest
            and manifest["made_from"] == self._made_from()
            and manifest["status"] == "complete"
            and self.acks.exists()
            and not find_damage(self.folder, manifest["ids"])
            and not (self.run.overwrite and manifest["counts"].get("conflict"))
        ):
            return manifest
        return None

    def _parents(self) -> dict[str, Any]:
        """Content of the ids that this table's references are bound with."""
        found: dict[str, Any] = {}
        for target in sorted(self.run.schema.references().get(self.table.name, ())):
            folder = self.run.workspace.load(target)
            manifest = read_manifest(folder) if target in self.run.plan.tables else None
            # A table's own ids are made again from its acks, below.
            if manifest and target != self.table.name:
                require_whole(folder, [manifest["ids"]], f"stages load {target}")
            found[target] = manifest and manifest["ids"]["sha256"]
        return found

    # ── sending ─────────────────────────────────────────────────────────────────────────────

    def _send(self, binding: Binding) -> int:
        """Send in batches, several in flight; answers are written down as they come."""
        run = self.run
        acked = read_acks(run.connection, self.acks)
        if not acked:
            run.prover.made_here.add(self.table.name)
        gone = run.prover.prove(binding, acked)
        if gone:
            run.progress.note(
                f"  {self.table.name}: {gone:,} documents that it refers to are not in Convex any "
                "more; what refers to them is held back"
            )
        held = binding.hold_back()
        total = int(self.transformed["documents"]) - held
        run.progress.start("load", self.table.name, total)
        run.progress.advance(self.table.name, min(acked, total))
        sender = self.sender or Sender(
            run.deployment, self.table.function, run.pace,
            overwrite=run.overwrite and not binding.leave, only_new=bool(binding.leave),
        )  # fmt: skip
        one_by_one = self.sender is None and binding.ordered()
        if one_by_one:
            run.progress.note(f"  {self.table.name}: in an order of its own, one batch at a time")
        remove(self.folder / "rejects.jsonl")
        with (
            Journal(self.acks) as acks,
            Journal(self.folder / "rejects.jsonl") as rejects,
            ThreadPoolExecutor(max_workers=2 * run.pace.most_in_flight) as pool,
        ):
            self._write_held(rejects)
            flight = _Flight(acks, rejects, run.progress, self.table.name)
            try:
                with closing(prefetch(binding.stream(overwrite=run.overwrite))) as records:
                    for batch in cut(records, run.pace):
                        # Some wait for a slot, so that none is free while answers are written.
                        while len(flight.flying) >= (1 if one_by_one else 2 * run.pace.in_flight):
                            flight.land()
                        flight.flying.add(pool.submit(sender.send, batch))
                while flight.flying:
                    flight.land()
            finally:
                flight.close()
        return flight.sent

    def _write_held(self, rejects: Journal) -> None:
        gone = self.folder / "gone.parquet"
        absent = (
            "SELECT target || ':' || source_id AS reference FROM "
            f"read_parquet({text_sql(str(gone))})"
            if gone.exists()
            else "SELECT NULL AS reference WHERE false"
        )
        rows = self.run.connection.execute(
            f"SELECT _source_id, unbound, a.reference IS NOT NULL FROM {HELD_BACK} "
            f"LEFT JOIN ({absent}) a ON a.reference = unbound ORDER BY 1"
        )
        while part := rows.fetchmany(10_000):
            rejects.append(
                {
                    "sourceId": key,
                    "rule": "held_back",
                    "reason": f"{parent} is not in Convex any more"
                    if deleted
                    else f"{parent} has no id: it was not loaded",
                }
                for key, parent, deleted in part
            )

    # ── the end of a pass ───────────────────────────────────────────────────────────────────

    def _settle(
        self, binding: Binding, made_from: str, content: str, status: str = "complete"
    ) -> Manifest:
        """ids.parquet, conflicts, what is gone from the source, and the manifest: from the acks."""
        run = self.run.connection.execute
        # Keys and ids alone, of which memory need not hold more the more there are.
        run(f"SET memory_limit = '{SETTLE_MEMORY}'")
        read_acks(self.run.connection, self.acks)
        self._read_refused()
        self._join_staged()
        did = dict(
            run(
                f"SELECT did, count(*) FROM {ACKED_DOCUMENTS} s "
                f"ANTI JOIN {HELD_BACK} h ON h._source_id = s.source_id "
                f"ANTI JOIN {REFUSED_KEYS} r USING (source_id) WHERE staged GROUP BY 1"
            ).fetchall()
        )
        counts = {name: did.get(name, 0) for name in DID}
        held = int(first_row(self.run.connection, f"SELECT count(*) FROM {HELD_BACK}")[0])
        rows = int(self.transformed["documents"])
        counts["refused"] = rows - held - sum(counts.values())
        counts["held_back"] = held
        counts["removed"] = self._tell_removed()
        self._write_keys("conflicts.parquet", "staged AND did = 'conflict'")
        if self.deferred and not binding.leave:
            # What waits for its second pass is in Convex all the same, and has an id.
            self._binding(self.deferred).hold_back()
        reader = self.run.connection.sql(
            f"SELECT source_id, convex_id FROM {ACKED_DOCUMENTS} s "
            f"ANTI JOIN {HELD_BACK} h ON h._source_id = s.source_id WHERE staged ORDER BY 1"
        ).to_arrow_reader()
        ids = write_parquet(self.folder / "ids.parquet", reader.schema, reader)
        if counts["refused"] or counts["held_back"]:
            status = "partial"
        manifest = {
            "table": self.table.name,
            "source": self.table.source,
            "status": status,
            "made_from": made_from,
            "channel": self.run.deployment.channel,
            "content": content,
            "documents": rows,
            "counts": counts,
            "ids": part_entry(ids),
        }
        write_manifest(self.folder, manifest)
        run(f"SET memory_limit = '{MEMORY}'")
        return manifest

    def _read_refused(self) -> None:
        columns = "{sourceId: 'VARCHAR', rule: 'VARCHAR', reason: 'VARCHAR'}"
        file = text_sql(str(self.folder / "rejects.jsonl"))
        self.run.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {REFUSED_KEYS} AS SELECT sourceId AS source_id FROM "
            f"read_json({file}, format = 'newline_delimited', ignore_errors = true, "
            f"columns = {columns}) WHERE rule = 'refused'"
        )

    def _join_staged(self) -> None:
        """Make the temporary table `acked_documents`."""
        documents = text_sql(
            str(self.run.workspace.transform(self.table.name) / "documents.parquet")
        )
        self.run.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {ACKED_DOCUMENTS} AS SELECT source_id, "
            f"document_id AS convex_id, did, d._source_id IS NOT NULL AS staged FROM {ACKED} "
            f"LEFT JOIN (SELECT _source_id FROM read_parquet({documents})) d "
            "ON d._source_id = source_id"
        )

    def _tell_removed(self) -> int:
        """Name what was loaded earlier and is not staged any more; nothing is deleted for it."""
        found = self._write_keys("removed.parquet", "NOT staged")
        if found:
            first = self.run.connection.execute(
                f"SELECT source_id FROM {ACKED_DOCUMENTS} WHERE NOT staged ORDER BY 1 LIMIT {SHOWN}"
            ).fetchall()
            names = ", ".join(row[0] for row in first) + (", …" if found > SHOWN else "")
            self.run.progress.note(
                f"  {self.table.name}: {found:,} in Convex are not staged any more: {names} "
                f"({self.folder / 'removed.parquet'}); delete them with: stages load --prune"
            )
        return found

    def _write_keys(self, name: str, which: str) -> int:
        """Write some of `acked_documents`, or no file where there are none; returns how many."""
        file = self.folder / name
        sql = f"SELECT source_id, convex_id FROM {ACKED_DOCUMENTS} WHERE {which} ORDER BY 1"
        found = int(first_row(self.run.connection, f"SELECT count(*) FROM ({sql})")[0])
        if found:
            reader = self.run.connection.sql(sql).to_arrow_reader()
            write_parquet(file, reader.schema, reader)
        else:
            remove(file)
        return found


class _Flight:
    """Batches under way, and the journals that their answers go to.

    One thread writes, so that an fsync holds up neither what sends nor what makes the next batch;
    it is never more than one group of answers behind.
    """

    def __init__(self, acks: Journal, rejects: Journal, progress: Progress, table: str) -> None:
        self.flying: set[Future[Sent]] = set()
        self.sent = 0
        self._acks, self._rejects = acks, rejects
        self._progress, self._table = progress, table
        self._writer = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def land(self) -> None:
        """Wait for some batch, and have all that have come back written down."""
        done, _ = wait(self.flying, return_when=FIRST_COMPLETED)
        self.flying -= done
        self._write_down([future.result() for future in done if not future.exception()])
        for future in done:
            future.result()

    def close(self) -> None:
        """Write down what is still under way: after a failure, too, it is worth keeping."""
        for future in self.flying:
            future.cancel()
        came = wait(self.flying).done
        self.flying.clear()
        self._write_down([f.result() for f in came if not f.cancelled() and not f.exception()])
        self._writer.shutdown()
        if self._writing:
            self._writing.result()

    def _write_down(self, landed: list[Sent]) -> None:
        if self._writing:
            self._writing.result()
        self._writing = self._writer.submit(self._write, landed)

    def _write(self, landed: list[Sent]) -> None:
        """Add the answers to the journals, with one fsync for all of them."""
        acks = "".join(text for sent in landed for text in sent.acks)
        if acks:
            self._acks.write(acks)
        rejects = [reject for sent in landed for reject in sent.rejects]
        if rejects:
            self._rejects.append(rejects)
        documents = sum(sent.documents for sent in landed)
        self.sent += documents
        self._progress.advance(self._table, documents + len(rejects))


def _sentence(sent: int, counts: dict[str, int]) -> str:
    told = [f"{counts[name]:,} {name}" for name in counts if counts[name]]
    return f"{sent:,} sent: {', '.join(told) or 'no documents'}"
