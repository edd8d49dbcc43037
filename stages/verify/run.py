"""Read Convex back and compare it with what is staged, in DuckDB.

The ledger alone decides which document belongs to which source row, and which id a reference should
have; load's own records are never used for that.

missing: staged but not in the ledger, or in the ledger but without its document. changed: a
document that differs from the staged one, also because Convex refused the new one. mismatched: load
has recorded another document than the ledger. removed: in the ledger, but no longer staged.
unowned: a document that the ledger does not know; duplicate: an unowned one that equals a loaded
one. dangling: a reference to a document that does not exist. unaccounted: a reference of the source
that is neither bound nor made null nor rejected, or one too many in Convex.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stages.convex.client import Deployment
from stages.convex.ledger import require_epoch, require_target
from stages.convex.ledger_ops import LEDGER
from stages.convex.schema import Schema
from stages.convex.values import Shape, null_is_sent
from stages.errors import StagesError, Transient
from stages.progress import Progress, note_retry, under_way
from stages.project.dependencies import dependency_groups
from stages.project.freshness import has_other_form, stale
from stages.project.plan import Plan, TargetTable
from stages.project.settings import Target
from stages.project.staged_schema import staged_shapes, with_references
from stages.sql import file_sql, name_sql, text_sql
from stages.state.integrity import require_whole
from stages.state.manifests import LoadManifest, read_load, read_transform, write_manifest
from stages.state.parts import write_parquet
from stages.state.workspace import Workspace
from stages.verify.compare import differences_sql, pair
from stages.verify.reading import Convex
from stages.verify.record import KINDS, Proof, write_proof
from stages.verify.references import ReferenceCounts, count_references
from stages.verify.relations import (
    DIFFERENCES,
    LOADED_IDS,
    LOCAL_IDS,
    OWNED,
    READ_BACK,
    SAMPLED_KEYS,
    STAGED,
    UNSENT_KEYS,
)
from stages.views import bound_sql, connect, ledger_ids_sql, load_rejects_sql

if TYPE_CHECKING:
    import duckdb

# DuckDB's limit; what does not fit is spilled to data/tmp.
VERIFY_MEMORY = "1GiB"


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """The options of a verify. `sample`: how many documents per table, always the same ones."""

    tables: tuple[str, ...] = ()
    sample: int | None = None

    def documents(self, loaded: LoadManifest) -> int:
        """How many of a table's documents are compared."""
        return min(loaded.documents, self.sample or loaded.documents)


@dataclass
class VerifyResult:
    """The proofs, by table."""

    tables: dict[str, Proof] = field(default_factory=dict)


def verify(
    workspace: Workspace,
    plan: Plan,
    schema: Schema,
    target: Target,
    options: VerifyOptions,
    progress: Progress,
) -> VerifyResult:
    """Compare every loaded table; differences go to `verify/<table>.parquet`.

    Nothing is written to Convex. Raises StagesError if a table is not loaded yet.
    """
    chosen = {table.name for table in plan.select_tables(options.tables)}
    schema = with_references(schema, plan)
    order = [name for group in dependency_groups(schema, plan.tables) for name in group.tables]
    require_target(workspace, target)
    result = VerifyResult()
    with Deployment(target, on_retry=note_retry(progress)) as deployment:
        require_epoch(workspace, deployment, plan.module, claim=False)
        connection = connect(workspace, plan)
        try:
            connection.execute(f"SET memory_limit = '{VERIFY_MEMORY}'")
            connection.execute("SET preserve_insertion_order = false")
            convex = Convex(connection, deployment, plan.module, progress)
            loads = {name: read_load(workspace.load(name)) for name in order if name in chosen}
            progress.begin(
                "verify", {n: options.documents(load) for n, load in loads.items() if load}
            )
            with under_way(progress, "ledger", LEDGER):
                _make_loaded_ids(connection, workspace, plan, convex.ledger())
            for name in order:
                if name not in chosen:
                    continue
                run = _Table(
                    connection, workspace, plan, schema, plan.tables[name], convex, options
                )
                proof = run.compare(progress)
                if proof is not None:
                    result.tables[name] = proof
        except Transient as error:
            raise error.stopped("run again: stages verify") from None
        finally:
            connection.close()
    return result


def _make_loaded_ids(
    connection: duckdb.DuckDBPyConnection, workspace: Workspace, plan: Plan, ledger: str
) -> None:
    """Make `loaded_ids`: the Convex id of each staged reference."""
    ids = ledger_ids_sql(workspace, plan, ledger)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {LOADED_IDS} AS {ids}")


class _Table:
    """The comparison of one table."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        workspace: Workspace,
        plan: Plan,
        schema: Schema,
        table: TargetTable,
        convex: Convex,
        options: VerifyOptions,
    ) -> None:
        self.connection = connection
        self.workspace = workspace
        self.plan = plan
        self.table = table
        self.convex = convex
        self.options = options
        self.sample = options.sample
        self.schema = schema
        self.fields: dict[str, Shape] = {}

    def compare(self, progress: Progress) -> Proof | None:
        """The proof of the table; None for one that is missing at the source."""
        name = self.table.name
        transformed = read_transform(self.workspace.transform(name))
        if transformed and transformed.status == "missing":
            return None
        loaded = read_load(self.workspace.load(name))
        if not transformed or not loaded:
            raise StagesError(
                f"`{name}` is not loaded yet", f"run: stages load {name}", tables=[name]
            )
        require_whole(self.workspace.transform(name), transformed.parts, f"stages transform {name}")
        require_whole(self.workspace.load(name), [loaded.ids], f"stages load {name}")
        write_manifest(self.workspace.transform(name), transformed)
        write_manifest(self.workspace.load(name), loaded)
        if has_other_form(self.workspace, self.table, transformed):
            raise StagesError(
                f"`{name}` in convex/schema.ts has changed since it was transformed",
                f"run: stages transform {name}",
            )
        self.fields = staged_shapes(self.workspace, self.schema, name)
        progress.start("verify", name, self.options.documents(loaded))
        self._relate()
        counts = dict.fromkeys(("verified", *KINDS), 0)
        counts["verified"] = pair(self.connection, self.fields)
        self._find_differences()
        references: dict[str, ReferenceCounts] = {}
        if not self.sample:
            changed = stale(self.workspace, self.plan, self.table, transformed)
            if changed:
                progress.note(f"  {name}: references are not counted, {changed} has changed")
            else:
                references = count_references(
                    self.connection, self.workspace, self.table, self.fields
                )
            self.convex.forget_fields(name)
        counts |= self._count_differences()
        proof = Proof(counts=counts, references=references)
        # A sample that finds nothing wrong does not replace the proof of the whole table.
        if proof.wrong or not self.sample:
            reader = self.connection.sql(f"FROM {DIFFERENCES} ORDER BY ALL").to_arrow_reader()
            write_parquet(self.workspace.verify(name), reader.schema, reader)
            write_proof(self.workspace, name, loaded, proof)
        differences = [f"{counts[kind]:,} {kind}" for kind in KINDS if counts[kind]]
        sample = f" of a sample of {self.sample:,}" if self.sample else ""
        sentence = ", ".join([f"{counts['verified']:,} verified{sample}", *differences])
        progress.done("verify", name, sentence, **counts, references=references)
        if counts["mismatched"]:
            progress.note(
                f"  {name}: load has recorded other documents than the ledger; ask the ledger "
                f"again with: stages load --restart {name}"
            )
        return proof

    def _relate(self) -> None:
        """Make `unsent_keys`, `staged`, `owned`, `local_ids` and `read_back`, which the other steps
        use."""
        run = self.connection.execute
        unsent = self.workspace.load_rejects(self.table.name)
        local = file_sql(self.workspace.ids(self.table.name))
        run(
            f"CREATE OR REPLACE TEMP VIEW {LOCAL_IDS} AS "
            f"SELECT source_id, convex_id AS document_id FROM read_parquet({local})"
        )
        owned = (
            f"SELECT source_id, document_id FROM {self.convex.ledger()} "
            f'WHERE "table" = {text_sql(self.table.name)}'
        )
        run(f"CREATE OR REPLACE TEMP TABLE {OWNED} AS {owned}")
        run(f"CREATE OR REPLACE TEMP TABLE {UNSENT_KEYS} (source_id VARCHAR)")
        # A load that was killed leaves no such file, or one with a truncated line.
        if unsent.exists():
            run(f"INSERT INTO {UNSENT_KEYS} SELECT sourceId FROM {load_rejects_sql(unsent)}")
        sent = ", ".join(
            f"coalesce({name_sql(shape.name)}, 'null') AS {name_sql(shape.name)}"
            for shape in self.fields.values()
            if shape.kind == "json" and null_is_sent(shape, self.table.keep_null)
        )
        bound = bound_sql(
            self.workspace, self.plan, self.table, self.fields, ids=f"FROM {LOADED_IDS}"
        )
        replaced = f" REPLACE ({sent})" if sent else ""
        # A document that could not be sent may have been loaded earlier, in another form.
        never_sent = f"{UNSENT_KEYS} ANTI JOIN {OWNED} USING (source_id)"
        staged = (
            f"SELECT *{replaced} FROM ({bound}) s ANTI JOIN (FROM {never_sent}) u "
            "ON u.source_id = s._source_id"
        )
        only = None
        if self.sample:
            run(
                f"CREATE OR REPLACE TEMP TABLE {SAMPLED_KEYS} AS SELECT _source_id AS source_id "
                f"FROM ({staged}) ORDER BY md5(_source_id), _source_id LIMIT {self.sample}"
            )
            staged += f" SEMI JOIN {SAMPLED_KEYS} t ON t.source_id = s._source_id"
            run(f"DELETE FROM {OWNED} WHERE source_id NOT IN (FROM {SAMPLED_KEYS})")
            only = f"SELECT document_id FROM {OWNED}"
        run(f"CREATE OR REPLACE TEMP VIEW {STAGED} AS {staged}")
        documents = self.convex.documents(self.table.name, self.fields, only)
        run(f"CREATE OR REPLACE TEMP VIEW {READ_BACK} AS FROM {documents}")

    def _find_differences(self) -> None:
        """Make `differences` between the documents."""

        def ids(table: str, referred: str) -> str:
            return self.convex.ids(table, referred if self.sample else None)

        sql = differences_sql(self.fields, ids, whole=not self.sample)
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {DIFFERENCES} AS {sql}")

    def _count_differences(self) -> dict[str, int]:
        counted = f"SELECT kind, count(*) FROM {DIFFERENCES} GROUP BY 1"
        return dict(self.connection.execute(counted).fetchall())
