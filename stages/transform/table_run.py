"""One target table: from its model to documents, rejects and changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stages.convex.schema import Schema
from stages.convex.values import shapes
from stages.errors import Shortfall, TableFailed, UserError
from stages.project.freshness import checked_by, staged_inputs
from stages.project.plan import Plan, TargetTable
from stages.sql import first_row, name_sql, text_sql
from stages.state.durable import remove
from stages.state.fingerprints import fingerprint
from stages.state.integrity import describe_damage
from stages.state.manifests import Manifest, read_manifest, write_manifest
from stages.state.parts import part_entry, write_parquet, write_zero_rows
from stages.state.workspace import Workspace
from stages.transform.changes import changes_sql
from stages.transform.checked import checked_sql
from stages.transform.columns_read import columns_read
from stages.transform.compile import Compiled, compile_field, documents_schema
from stages.transform.cycles import Cycle
from stages.transform.drops import drop_model
from stages.transform.json_values import column_sql, make_json_values
from stages.transform.keys import known_documents_sql, known_sql
from stages.transform.lineage import goes_row_by_row
from stages.transform.load_order import is_ordered, ordered_sql, with_order
from stages.transform.macro_checks import add_macro_checks
from stages.transform.models import (
    Inputs,
    Model,
    at,
    code_hash,
    describe,
    hold_keyless,
    key_is_number,
    key_sql,
    read_model,
    refuse_columns,
    sql_errors,
)
from stages.transform.plan_checks import refuse_fields, with_values
from stages.transform.reconcile import Keys, Reconciliation, reconcile, require_ids
from stages.transform.references import edges_sql, listed_refs, make_orphans, refuse_rules, rule_of
from stages.transform.split_rows import BATCH, SplitRows, look_at, split_rows
from stages.transform.sql_ast import column_lines, parse
from stages.transform.unique import find_collisions, reject_collisions
from stages.transform.urls import class_urls

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

FILES = ("documents.parquet", "rejects.parquet", "changes.parquet")
REJECTS = ("source_id", "field", "rule", "reason", "row", "others")
CHANGES = ("source_id", "field", "rule", "old", "new")
REJECTS_SQL = (
    "SELECT r.source_id, r.field, r.rule, r.reason, to_json(k.row)::VARCHAR AS row, r.others "
    "FROM rejected r JOIN keyed k USING (source_id) ORDER BY "
)


class TableRun:
    """One target table: from its model to its three files."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        workspace: Workspace,
        plan: Plan,
        schema: Schema,
        table: TargetTable,
        inputs: Inputs,
    ) -> None:
        self.connection = connection
        self.workspace = workspace
        self.plan = plan
        self.schema = schema
        self.table = table
        self.inputs = inputs
        # Of the tables that refer to one another in a cycle with this one, and to itself.
        self.cycle: Cycle | None = None
        self.folder = workspace.transform(table.name)
        self.source = read_manifest(workspace.extract(table.source)) or {}

    @property
    def missing(self) -> bool:
        """Whether the source has no such table."""
        return bool(self.source["status"] == "missing")

    # ── freshness ───────────────────────────────────────────────────────────────────────────

    def bring_up_to_date(self, *, restart: bool) -> tuple[Manifest, str]:
        """The manifest, and what was done in one sentence."""
        manifest = read_manifest(self.folder)
        if self.missing:
            return self._missing(manifest)
        model = read_model(self.workspace, self.table.model)
        made_from = self.made_from(model)
        if self.cycle:
            made_from = fingerprint(made_from, self.cycle.made_from())
        damaged = ""
        if manifest and not restart and manifest["made_from"] == made_from:
            damaged = describe_damage(self.folder, manifest["parts"])
            if not damaged:
                # What changed and made no difference, such as a comment, is not told again.
                inputs = staged_inputs(self.workspace, self.plan, self.table)
                write_manifest(self.folder, {**manifest, "inputs": inputs})
                return manifest, "fresh"
        manifest = {
            "table": self.table.name, "source": self.table.source, "status": "complete",
            "made_from": made_from, "inputs": staged_inputs(self.workspace, self.plan, self.table),
            **self._run(model),
        }  # fmt: skip
        write_manifest(self.folder, manifest)
        sentence = f"{damaged + ', made again: ' if damaged else ''}"
        sentence += f"{manifest['documents']:,} documents"
        if manifest["rejects"] > manifest["dropped"]:
            sentence += f", {manifest['rejects'] - manifest['dropped']:,} rejected"
        if manifest["dropped"]:
            sentence += f", {manifest['dropped']:,} dropped on purpose"
        if manifest["changes"]:
            sentence += f", {manifest['changes']:,} changes"
        return manifest, sentence

    def _missing(self, manifest: Manifest | None) -> tuple[Manifest, str]:
        if manifest is None or manifest["status"] != "missing":
            remove(self.folder)
            manifest = {
                "table": self.table.name, "source": self.table.source, "status": "missing",
                "made_from": None, "source_rows": 0, "documents": 0, "rejects": 0, "dropped": 0,
                "changes": 0, "rules": [], "changed": [], "reads": {}, "urls": [], "parts": [],
            }  # fmt: skip
            write_manifest(self.folder, manifest)
        return manifest, "missing: the source has no such table"

    def made_from(self, model: Model) -> str:
        """All that the three files depend on, but the other tables of a cycle."""
        together = self.cycle.tables if self.cycle else ()
        parents = {
            name: (read_manifest(self.workspace.transform(name)) or {}).get("parts")
            for name in self._referred()
            if name in self.plan.tables and name not in together
        }
        keys = {
            name: self.inputs.content(f"keys.{name}")
            for name in self._referred()
            if name in self.plan.references
        }
        drops = drop_model(self.workspace, self.table)
        return fingerprint(
            model.text, code_hash(), parents, keys,
            self.inputs.of(self.connection, model),
            drops and [drops.text, self.inputs.of(self.connection, drops)],
            self.inputs.content(f"extract.{self.table.source}"),
            checked_by(self.schema.tables.get(self.table.name, {})),
            {**asdict(self.table), "function": None, "max_rejects": None},
        )  # fmt: skip

    def _referred(self) -> list[str]:
        return sorted(self.schema.references()[self.table.name])

    # ── the work ────────────────────────────────────────────────────────────────────────────

    def explain(self) -> str:
        """The SQL that checks the table; nothing is written."""
        if self.missing:
            return "-- missing at the source"
        return self._checked(self._prepare(read_model(self.workspace, self.table.model)))

    def first_documents(self, limit: int) -> list[dict[str, Any]]:
        """The first documents that are staged, as dictionaries."""
        file = self.folder / FILES[0]
        if not file.exists():
            return []
        rows = self.connection.sql(
            f"SELECT * FROM read_parquet({text_sql(str(file))}) LIMIT {limit}"
        ).to_arrow_table()
        documents: list[dict[str, Any]] = rows.to_pylist()
        return documents

    def _run(self, model: Model) -> dict[str, Any]:
        fields = self._prepare(model)
        with self._sifted(fields, model) as sifted:
            self._let_go()
            return self._stage(fields, model, sifted)

    def _let_go(self) -> None:
        """Free what the rows were made from: each is as large as the table itself."""
        self.connection.execute("DROP TABLE IF EXISTS canonical")
        if self.table.grain == "row":
            self.connection.execute("DROP TABLE IF EXISTS model_rows")

    def _stage(
        self, fields: Mapping[str, Compiled], model: Model, sifted: SplitRows
    ) -> dict[str, Any]:
        """Account for the rows, and give the three files their place."""
        keys = require_ids(self.connection, model, self.table, sifted)
        self._refuse_failing_orphans(fields)
        if not self.cycle:
            find_collisions(self.connection, self.table)
        collide = reject_collisions(self.connection, self.table)
        found = self._account(keys)
        # Before anything is in its place: the plan may name what is not there.
        as_it_is = sifted.ascends and not collide and not is_ordered(self.table)
        documents = "" if as_it_is else self._documents_sql(fields)
        changes = self._changes_sql(model, fields, sifted)
        schema = with_order(self.table, documents_schema(fields))
        write_zero_rows(self.folder, schema)
        parts = [
            part_entry(sifted.publish(self.folder / FILES[0]))
            if as_it_is
            else self._write(FILES[0], documents, schema)
        ]
        look_at(self.connection, self.folder / FILES[0])
        rejects = REJECTS_SQL + self._by_key("r.source_id") if found.rejects else ""
        parts += [
            self._write(FILES[1], rejects, _texts(REJECTS)),
            self._write(FILES[2], changes, _texts(CHANGES)),
        ]
        manifest = {
            "source_rows": found.source_rows,
            "documents": parts[0]["rows"],
            "rejects": parts[1]["rows"],
            "dropped": found.dropped,
            "changes": parts[2]["rows"],
            "rules": self._counts(parts[1]),
            "changed": self._counts(parts[2]),
            "reads": columns_read(self.connection, self.workspace, self.plan, self.table, model),
            "urls": class_urls(
                self.connection,
                self.table,
                (f.shape for f in fields.values()),
                self.folder / FILES[0],
            ),
            "parts": parts,
        }
        if self.table.grain == "row":
            accounted = manifest["documents"] + manifest["rejects"]
            if accounted != manifest["source_rows"]:
                raise TableFailed(
                    f"{self.table.name}: {manifest['source_rows']:,} source rows, but "
                    f"{accounted:,} documents and rejects",
                    "this is a defect of stages: please report it",
                )
        return manifest

    def _prepare(self, model: Model) -> dict[str, Compiled]:
        """Run the model into `modelled`, and make what its checks are joined to."""
        self.inputs.make_views(self.connection)
        compiled = self.cycle.prove(self) if self.cycle else self.run_model(model)
        for target in self._referred():
            self._know(target, model)
        self._make_orphans(compiled)
        return compiled

    def run_model(self, model: Model) -> dict[str, Compiled]:
        """The view `modelled`, the values that go by way of JSON, and `keyed`."""
        hold_keyless(self.connection, self.workspace, self.table.source)
        types = describe(self.connection, model.name, model.text)
        given = [name for name in types if name != "_source_id"]
        fields = shapes(self.table.name, self.schema.fields(self.table.name, given))
        refuse_fields(self.plan.file, self.table, fields)
        parsed = parse(self.connection, model.text)
        lines = column_lines(model.text, parsed)
        document = self.schema.document(self.table.name)
        refuse_columns(model, self.table, document, types, fields, lines)
        refuse_rules(self.plan, self.table, fields)
        text, model = model.text, with_values(model, self.table, types)
        types |= {name: "VARCHAR" for name in self.table.values if name in types}
        compiled = {
            name: compile_field(at(model, lines, name), shape, types.get(name))
            for name, shape in fields.items()
        }
        compiled = add_macro_checks(
            compiled, text, parsed, types, self.schema.tables[self.table.name]
        )
        columns = ["_source_id::VARCHAR AS _source_id"]
        for name in given:
            column = compiled[name].column or "NULL"
            if compiled[name].json:
                column = f"list_transform([{column}], lambda j: {column_sql('j')})[1]"
            columns.append(f"{column} AS {name_sql(name)}")
        run = self.connection.execute
        rows = f"SELECT {', '.join(columns)} FROM ({model.text})"
        with sql_errors(model.name):
            # What holds its rows together is left to all threads, and the one pass reads it; and
            # DuckDB takes no view of what it can't take apart, such as PIVOT.
            if self._read_again(compiled) or not goes_row_by_row(parsed):
                run(f"CREATE OR REPLACE TEMP TABLE model_rows AS {rows}")
                rows = "FROM model_rows"
            run(f"CREATE OR REPLACE TEMP VIEW modelled AS {rows}")
        make_json_values(self.connection, compiled)
        self._key_source()
        return compiled

    def _read_again(self, compiled: Mapping[str, Compiled]) -> bool:
        """Whether more than the one pass reads `modelled`, so that it is worth to be stored."""
        apart = any(f.json or listed_refs(f) for f in compiled.values())
        return apart or self.cycle is not None or self.table.grain == "derived"

    @contextmanager
    def _sifted(self, fields: Mapping[str, Compiled], model: Model) -> Iterator[SplitRows]:
        """The rows, parted into `passed` and `failing`; the file of what passed is gone after."""
        file = self.workspace.scratch / f"{self.table.name}.parquet"
        rows = f"SELECT {_staged(fields)}, _failures, _bent FROM ({self._checked(fields)})"
        try:
            with sql_errors(model.name):
                sifted = split_rows(
                    self.connection,
                    rows,
                    documents_schema(fields),
                    file,
                    numbers=self._numbers,
                    several=self.source["rows"] > BATCH,
                )
            yield sifted
        finally:
            file.unlink(missing_ok=True)

    def prove_own(self, together: tuple[str, ...]) -> dict[str, Compiled]:
        """For a cycle: this table's rows into `own`, their references to `together` into `edges`;
        see references.settle. What its checks would say of these references is left out."""
        model = read_model(self.workspace, self.table.model)
        compiled = self.run_model(model)
        run = self.connection.execute
        run(f"INSERT INTO edges {edges_sql(self.table, compiled, together)}")
        for target in self._referred():
            if target in together:
                run(
                    f"CREATE OR REPLACE TEMP TABLE {name_sql(f'known {target}')} AS "
                    "SELECT DISTINCT parent AS ref, NULL::VARCHAR AS rule, NULL::VARCHAR AS reason "
                    "FROM edges"
                )
            else:
                self._know(target, model)
        self._make_orphans(compiled)
        with self._sifted(compiled, model) as sifted:
            keys = require_ids(self.connection, model, self.table, sifted)
            find_collisions(self.connection, self.table)
            reject_collisions(self.connection, self.table)
            self._account(keys)
            prefix = text_sql(f"{self.table.name}:")
            run(
                f"INSERT INTO own SELECT {prefix} || source_id, rule, field "
                "FROM (SELECT _source_id AS source_id, NULL AS rule, NULL AS field FROM passed "
                "ANTI JOIN failing USING (_source_id) "
                "UNION ALL SELECT source_id, rule, field FROM rejected)"
            )
        return compiled

    def _make_orphans(self, compiled: Mapping[str, Compiled]) -> None:
        make_orphans(self.connection, compiled, self._sources())

    def _know(self, target: str, model: Model) -> None:
        """`known <target>`: every key that may be referred to, and those that may not, and why."""
        if target in self.plan.references:
            if self.plan.references[target].keys is None:
                raise UserError(
                    f"{model.name} refers to `{target}`, which has no key model in the plan",
                    f"add keys and source to [reference.{target}]",
                )
            sql = known_sql(self.workspace, target)
        elif self.cycle and target in self.cycle.tables:
            return  # the cycle has made it
        elif target in self.plan.tables:
            sql = known_documents_sql(self.workspace, target)
        else:
            raise UserError(
                f"{self.table.name} refers to `{target}`, which is neither in [tables] nor in "
                "[reference] of the plan",
                f"add [reference.{target}] with a key model, or [tables.{target}]",
            )
        name = name_sql(f"known {target}")
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}")

    def _key_source(self) -> None:
        """`keyed(source_id, row)`: what must be accounted for."""
        if self.table.grain == "derived":
            self.connection.execute(
                "CREATE OR REPLACE TEMP VIEW keyed AS "
                "SELECT m._source_id AS source_id, m AS row FROM modelled m"
            )
            return
        key = key_sql(self.workspace, self.table.source)
        self.connection.execute(
            f"CREATE OR REPLACE TEMP VIEW keyed AS SELECT {key} AS source_id, "
            f"s AS row FROM extract.{name_sql(self.table.source)} s"
        )

    def _checked(self, fields: Mapping[str, Compiled]) -> str:
        document = self.schema.document(self.table.name)
        return checked_sql(fields, self.table, document, self._sources())

    def _sources(self) -> dict[str, str | None]:
        """Reference target → its source."""
        sources: dict[str, str | None] = {t.name: t.source for t in self.plan.tables.values()}
        return sources | {r.name: r.source for r in self.plan.references.values()}

    def _refuse_failing_orphans(self, fields: Mapping[str, Compiled]) -> None:
        places = [place for field in fields.values() for place in field.shape.positions]
        for place in places:
            if rule_of(self.table, place) != "fail":
                continue
            row = first_row(
                self.connection,
                "SELECT count(*), min(f.reason) FROM (SELECT unnest(_failures) AS f FROM failing) "
                "WHERE f.field = ? AND f.rule NOT IN ('required_null')",
                [place.path],
            )
            if row[0]:
                raise Shortfall(
                    f"{self.table.name}.{place.path}: {row[0]:,} references have no target "
                    f"({row[1]})",
                    "the plan says fail for this field; mend the source, or say reject",
                )

    def _account(self, keys: Keys) -> Reconciliation:
        drops = drop_model(self.workspace, self.table)
        return reconcile(self.connection, self.table, drops, keys)

    # ── the three files ─────────────────────────────────────────────────────────────────────

    def _documents_sql(self, fields: Mapping[str, Compiled]) -> str:
        """SQL of the documents in order, for where the file of what passed is not that already."""
        documents = f"SELECT {_staged(fields)} FROM passed ANTI JOIN failing USING (_source_id)"
        if not is_ordered(self.table):
            return f"{documents} ORDER BY {self._by_key('_source_id')}"
        plan_file, key, by_key = self.plan.file, self._key() or "", self._by_key("d._source_id")
        return ordered_sql(self.connection, plan_file, self.table, key, documents, by_key)

    def _changes_sql(self, model: Model, fields: Mapping[str, Compiled], sifted: SplitRows) -> str:
        return changes_sql(
            self.connection,
            self.plan.file,
            self.table,
            self._key(),
            list(fields.values()),
            parse(self.connection, model.text),
            sifted.nulls,
            self._by_key("source_id"),
        )

    def _key(self) -> str | None:
        """SQL of the source's key; None where documents are not source rows (derived)."""
        return None if self.table.grain == "derived" else key_sql(self.workspace, self.table.source)

    @cached_property
    def _numbers(self) -> bool:
        """Whether the order of source keys is that of numbers."""
        return self.table.grain == "row" and key_is_number(self.workspace, self.table.source)

    def _by_key(self, column: str) -> str:
        """SQL to order by, of a column of source keys."""
        return f"{column}::BIGINT" if self._numbers else column

    def _write(self, name: str, sql: str, schema: pa.Schema) -> dict[str, Any]:
        """Write one of the files; empty SQL has no rows."""
        batches = self.connection.sql(sql).to_arrow_reader(BATCH) if sql else ()
        return part_entry(write_parquet(self.folder / name, schema, batches))

    def _counts(self, part: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Rows of a written file by field and rule, most first."""
        if not part["rows"]:
            return []
        relation = f"read_parquet({text_sql(str(self.folder / part['file']))})"
        rows = self.connection.execute(
            f"SELECT field, rule, count(*) FROM {relation} GROUP BY ALL ORDER BY 3 DESC, 1, 2"
        ).fetchall()
        return [{"field": row[0], "rule": row[1], "rows": row[2]} for row in rows]


def _staged(fields: Mapping[str, Compiled]) -> str:
    """SQL of the columns of documents.parquet."""
    columns = {name_sql(n): "::VARCHAR" if f.shape.sql == "JSON" else "" for n, f in fields.items()}
    return ", ".join(["_source_id", *(f"{n}{cast} AS {n}" for n, cast in columns.items())])


def _texts(names: Iterable[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field(name, pa.string()) for name in names])
