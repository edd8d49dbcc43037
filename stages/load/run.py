"""The load stage: every table of the plan, parents first, exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stages.checkpoint import (
    Journal,
    Manifest,
    damage,
    fingerprint,
    part_entry,
    read_json,
    read_manifest,
    remove,
    require_whole,
    write_manifest,
    write_parquet,
)
from stages.convex.client import Deployment, Door
from stages.convex.ledger import forget_epoch, require_epoch, require_target
from stages.convex.schema import Schema
from stages.convex.values import Shape
from stages.duck import first_row
from stages.errors import StagesError, Stopped, TableFailed, Transient, UserError
from stages.inputs import stale
from stages.load.bind import Record, bind, pending
from stages.load.functions import Sender, Sent
from stages.load.pace import MOST_BYTES, MOST_DOCUMENTS, Pace
from stages.order import in_order
from stages.paths import Paths
from stages.plan import Plan, TargetTable
from stages.progress import Progress
from stages.settings import Target
from stages.staging import staged_shapes, with_references
from stages.views import connect, refresh

if TYPE_CHECKING:
    import duckdb

DID = ("inserted", "replaced", "unchanged", "conflict")


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What may be asked of a load."""

    tables: tuple[str, ...] = ()
    through: Door | None = None
    restart: bool = False
    overwrite: bool = False
    in_flight: int = 4


@dataclass
class LoadResult:
    """Manifests by table; sentences for those that failed."""

    tables: dict[str, Manifest] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def load(
    paths: Paths,
    plan: Plan,
    schema: Schema,
    target: Target,
    options: LoadOptions,
    progress: Progress,
) -> LoadResult:
    """Send what the target has not acknowledged yet; a second run sends nothing.

    Raises UserError where the target is another one than before, Stopped where it was lost on the
    way. A table that fails is in the result, and its children are held back.
    """
    wanted = {table.name for table in plan.select_tables(options.tables)}
    schema = with_references(schema, plan)
    order = [plan.tables[name] for name in in_order(schema, plan.tables) if name in wanted]
    transformed = {table.name: _require_transformed(paths, plan, table) for table in order}
    _require_keys(paths, plan)
    if target.production:
        _refuse_sample(paths, order)
    require_target(paths, target)
    result = LoadResult()
    pace = Pace(most_in_flight=options.in_flight)

    def retried(error: Transient, delay: float) -> None:
        pace.refused()
        progress.note(f"  {error.message}; again in {delay:.1f} s")

    with Deployment(target, options.through, on_retry=retried) as deployment:
        if options.restart:
            for table in order:
                remove(paths.load(table.name))
            # Last: a kill in between, or acks of tables that stay, must not meet a new epoch.
            if not any(paths.load(name).exists() for name in plan.tables):
                forget_epoch(paths)
        epoch = require_epoch(paths, deployment, plan.module, claim=True)
        for table in order:
            if transformed[table.name]["status"] == "missing":
                progress.done("load", table.name, "missing at the source")
                continue
            run = _Table(paths, plan, schema, table, deployment, pace, options, progress)
            try:
                manifest, sentence = run.bring_up_to_date(transformed[table.name], epoch)
            except TableFailed as error:
                result.failed[table.name] = str(error)
                progress.done("load", table.name, f"failed: {error}")
                continue
            except Transient as error:
                raise Stopped(error.message, "run again: stages load") from None
            result.tables[table.name] = manifest
            progress.done("load", table.name, sentence, **manifest["counts"])
        refresh(paths, plan)
    return result


def _refuse_sample(paths: Paths, tables: list[TargetTable]) -> None:
    for table in tables:
        extracted = read_manifest(paths.extract(table.source)) or {}
        if extracted.get("sample"):
            raise UserError(
                f"`{table.source}` is a sample ({extracted['rows']:,} rows), and the target is a "
                "production deployment",
                "read it whole with: stages extract --restart",
            )


def _require_transformed(paths: Paths, plan: Plan, table: TargetTable) -> Manifest:
    manifest = read_manifest(paths.transform(table.name))
    if manifest is None:
        raise StagesError(
            f"`{table.name}` is not transformed yet", f"run: stages transform {table.name}"
        )
    changed = stale(paths, plan, table, manifest)
    if changed:
        raise StagesError(
            f"{changed} has changed since `{table.name}` was transformed",
            f"run: stages transform {table.name}",
        )
    require_whole(
        paths.transform(table.name),
        manifest["parts"],
        f"stages transform {table.name} --restart",
    )
    return manifest


def _require_keys(paths: Paths, plan: Plan) -> None:
    """The ids that references are bound with are as transform left them."""
    for name in plan.references:
        keys = read_json(paths.keys / f"{name}.json")
        if keys:
            require_whole(paths.keys, keys["parts"], "stages transform")


class _Table:
    """One table: bind, send, write down."""

    def __init__(
        self,
        paths: Paths,
        plan: Plan,
        schema: Schema,
        table: TargetTable,
        deployment: Deployment,
        pace: Pace,
        options: LoadOptions,
        progress: Progress,
    ) -> None:
        self.paths = paths
        self.plan = plan
        self.table = table
        self.deployment = deployment
        self.pace = pace
        self.options = options
        self.progress = progress
        self.folder = paths.load(table.name)
        self.content = ""
        self.fields: dict[str, Shape] = staged_shapes(paths, schema, table.name)

    def bring_up_to_date(self, transformed: Manifest, epoch: str | None) -> tuple[Manifest, str]:
        """The manifest, and what was done in one sentence."""
        self.content = transformed["parts"][0]["sha256"]
        made_from = fingerprint(
            self.content, self._parents(), self.table.function,
            self.table.keep_null, epoch,
        )  # fmt: skip
        manifest = read_manifest(self.folder)
        counts = manifest["counts"] if manifest else {}
        if (
            manifest
            and manifest["made_from"] == made_from
            and manifest["status"] == "complete"
            and (self.folder / "acks.jsonl").exists()
            and not damage(self.folder, manifest["ids"])
            and not (self.options.overwrite and counts.get("conflict"))
        ):
            return manifest, "fresh, nothing to send"
        connection = connect(self.paths, self.plan, views=False)
        try:
            bind(connection, self.paths, self.plan, self.table, self.fields)
            sent = self._send_pending(connection)
            # The journal holds answers that `acked` was made without.
            bind(connection, self.paths, self.plan, self.table, self.fields)
            manifest = self._settle(connection, made_from)
        finally:
            connection.close()
        return manifest, _sentence(sent, manifest["counts"])

    def _parents(self) -> dict[str, Any]:
        """Content of the ids that this table's references are bound with."""
        found = {}
        for target in sorted({t for s in self.fields.values() for t in s.targets}):
            if target == self.table.name:
                raise UserError(f"{target} refers to itself, which can't be loaded yet")
            manifest = (
                read_manifest(self.paths.load(target)) if target in self.plan.tables else None
            )
            if manifest:
                ids = [manifest["ids"]]
                require_whole(self.paths.load(target), ids, f"stages load {target}")
            found[target] = manifest and manifest["ids"]["sha256"]
        return found

    def _send_pending(self, connection: duckdb.DuckDBPyConnection) -> int:
        """Send in batches, several in flight; each answer is durable before the next is awaited."""
        held = connection.execute("SELECT _source_id, unbound FROM held ORDER BY 1").fetchall()
        remove(self.folder / "rejects.jsonl")
        total = first_row(connection, "SELECT count(*) FROM records")
        self.progress.start("load", self.table.name, int(total[0]))
        sender = Sender(
            self.deployment, self.table.function, self.pace, overwrite=self.options.overwrite
        )
        batches = self._batches(pending(connection, overwrite=self.options.overwrite))
        sent = 0
        with (
            Journal(self.folder / "acks.jsonl") as acks,
            Journal(self.folder / "rejects.jsonl") as rejects,
            ThreadPoolExecutor(max_workers=self.options.in_flight) as pool,
        ):
            rejects.append(
                {"sourceId": key, "rule": "held_back", "reason": f"{parent} has no id: it was not "
                 "loaded"} for key, parent in held
            )  # fmt: skip
            flying: set[Future[Sent]] = set()
            try:
                for batch in batches:
                    while len(flying) >= self.pace.in_flight:
                        sent += self._land(flying, acks, rejects)
                    flying.add(pool.submit(sender.send, batch))
                while flying:
                    sent += self._land(flying, acks, rejects)
            finally:
                for future in flying:
                    future.cancel()
                self._keep(flying, acks, rejects)
        return sent

    def _land(self, flying: set[Future[Sent]], acks: Journal, rejects: Journal) -> int:
        done, _ = wait(flying, return_when=FIRST_COMPLETED)
        flying -= done
        sent = 0
        failure: BaseException | None = None
        for future in done:
            failure = future.exception() or failure
            if not future.exception():
                sent += self._write(future.result(), acks, rejects)
        if failure:
            raise failure
        return sent

    def _keep(self, flying: set[Future[Sent]], acks: Journal, rejects: Journal) -> None:
        """After a failure, answers that were under way are still worth writing down."""
        for future in wait(flying).done:
            if not future.cancelled() and not future.exception():
                self._write(future.result(), acks, rejects)

    def _write(self, sent: Sent, acks: Journal, rejects: Journal) -> int:
        if sent.acks:
            acks.append(sent.acks)
        if sent.rejects:
            rejects.append(sent.rejects)
        self.progress.advance(self.table.name, len(sent.acks) + len(sent.rejects))
        return len(sent.acks)

    def _batches(self, records: Iterator[Record]) -> Iterator[list[Record]]:
        batch: list[Record] = []
        size = 0
        for record in records:
            most = min(self.pace.documents, MOST_DOCUMENTS)
            if batch and (len(batch) >= most or size + len(record.text) > MOST_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(record)
            size += len(record.text)
        if batch:
            yield batch

    def _settle(self, connection: duckdb.DuckDBPyConnection, made_from: str) -> Manifest:
        """ids.parquet and the manifest, from the acks of the documents that are staged now."""
        reader = connection.sql(
            "SELECT r._source_id AS source_id, a.document_id AS convex_id "
            "FROM records r JOIN acked a ON a.source_id = r._source_id ORDER BY 1"
        ).to_arrow_reader()
        ids = write_parquet(self.folder / "ids.parquet", reader.schema, reader)
        did = dict(
            connection.execute(
                "SELECT a.did, count(*) FROM records r JOIN acked a "
                "ON a.source_id = r._source_id AND a.digest = r.digest GROUP BY 1"
            ).fetchall()
        )
        counts = {name: did.get(name, 0) for name in DID}
        totals = first_row(
            connection,
            "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM held), "
            "(SELECT count(*) FROM acked ANTI JOIN (SELECT _source_id FROM records UNION ALL "
            "SELECT _source_id FROM held) s ON s._source_id = acked.source_id)",
        )
        counts["refused"] = totals[0] - sum(counts.values())
        counts["held_back"] = totals[1]
        # Loaded earlier, and not among the staged documents any more; nothing is deleted for it.
        counts["removed"] = totals[2]
        short = counts["refused"] or counts["held_back"]
        manifest = {
            "table": self.table.name,
            "source": self.table.source,
            "status": "partial" if short else "complete",
            "made_from": made_from,
            "door": self.deployment.door,
            "content": self.content,
            "documents": totals[0] + totals[1],
            "counts": counts,
            "ids": part_entry(ids),
        }
        write_manifest(self.folder, manifest)
        return manifest


def _sentence(sent: int, counts: dict[str, int]) -> str:
    told = [f"{counts[name]:,} {name}" for name in counts if counts[name]]
    return f"{sent:,} sent: {', '.join(told) or 'no documents'}"
