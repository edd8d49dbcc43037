"""One target table: from its model to documents, rejects and changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stages.checkpoint import (
    Manifest,
    damages,
    fingerprint,
    make_folder,
    part_entry,
    read_manifest,
    remove,
    write_manifest,
    write_parquet,
    write_zero_rows,
)
from stages.convex.schema import Schema
from stages.convex.values import Shape, name_sql, shapes, text_sql
from stages.duck import first_row
from stages.errors import Shortfall, TableFailed, UserError
from stages.inputs import checked_by, staged_inputs
from stages.paths import Paths
from stages.plan import Plan, TargetTable
from stages.transform.account import Account, Keys, account, require_ids
from stages.transform.changes import changes_sql
from stages.transform.checked import checked_sql
from stages.transform.circles import Circle
from stages.transform.compile import Compiled, compile_field, documents_schema
from stages.transform.creation import is_ordered, ordered_sql, with_order
from stages.transform.drops import drop_model
from stages.transform.guards import guarded
from stages.transform.in_order import OutOfOrder, begins_in_order, in_order
from stages.transform.json_values import column_sql, make_json_values
from stages.transform.keys import known_documents_sql, known_sql
from stages.transform.models import (
    Inputs,
    Model,
    code_hash,
    describe,
    hold_keyless,
    key_sql,
    read_model,
    sql_errors,
)
from stages.transform.planned import refuse_fields, with_values
from stages.transform.reads import columns_read
from stages.transform.references import edges_sql, listed_refs, make_orphans, refuse_rules, rule_of
from stages.transform.syntax import column_lines, parse
from stages.transform.unique import find_collisions, reject_collisions
from stages.transform.urls import class_urls

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# Rows that go from DuckDB to Parquet at once.
BATCH = 30_720
FILES = ("documents.parquet", "rejects.parquet", "changes.parquet")
REJECTS = ("source_id", "field", "rule", "reason", "row", "others")
CHANGES = ("source_id", "field", "rule", "old", "new")
REJECTS_SQL = (
    "SELECT r.source_id, r.field, r.rule, r.reason, to_json(k.row)::VARCHAR AS row, r.others "
    "FROM rejected r JOIN keyed k USING (source_id) ORDER BY r.source_id"
)


class TableRun:
    """One target table: from its model to its three files."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        paths: Paths,
        plan: Plan,
        schema: Schema,
        table: TargetTable,
        inputs: Inputs,
    ) -> None:
        self.connection = connection
        self.paths = paths
        self.plan = plan
        self.schema = schema
        self.table = table
        self.inputs = inputs
        # Of the tables that refer to one another in a circle with this one, and to itself.
        self.circle: Circle | None = None
        self.folder = paths.transform(table.name)
        self.source = read_manifest(paths.extract(table.source)) or {}

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
        model = read_model(self.paths, self.table.model)
        made_from = self.made_from(model)
        if self.circle:
            made_from = fingerprint(made_from, self.circle.made_from())
        damaged = ""
        if manifest and not restart and manifest["made_from"] == made_from:
            damaged = damages(self.folder, manifest["parts"])
            if not damaged:
                # What changed and made no difference, such as a comment, is not told again.
                inputs = staged_inputs(self.paths, self.plan, self.table)
                write_manifest(self.folder, {**manifest, "inputs": inputs})
                return manifest, "fresh"
        manifest = {
            "table": self.table.name, "source": self.table.source, "status": "complete",
            "made_from": made_from, "inputs": staged_inputs(self.paths, self.plan, self.table),
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
        """All that the three files depend on, but the other tables of a circle."""
        together = self.circle.tables if self.circle else ()
        parents = {
            name: (read_manifest(self.paths.transform(name)) or {}).get("parts")
            for name in self._referred()
            if name in self.plan.tables and name not in together
        }
        keys = {
            name: self.inputs.content(f"keys.{name}")
            for name in self._referred()
            if name in self.plan.references
        }
        drops = drop_model(self.paths, self.table)
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
        return self._checked(self._prepare(read_model(self.paths, self.table.model)))

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
        keys = self._check(model, fields)
        self._refuse_failing_orphans(fields)
        if not self.circle:
            find_collisions(self.connection, self.table)
        reject_collisions(self.connection, self.table)
        found = self._account(keys)
        self._let_go()
        # Before anything is written: the plan may name what is not there.
        documents, changes = self._documents_sql(fields), self._changes_sql(model, fields)
        schema = with_order(self.table, documents_schema(fields))
        make_folder(self.folder)
        write_zero_rows(self.folder, schema)
        parts = [
            self._write_documents(documents, schema),
            self._write(FILES[1], REJECTS_SQL if found.rejects else "", _texts(REJECTS)),
            self._write(FILES[2], changes, _texts(CHANGES)),
        ]  # fmt: skip
        manifest = {
            "source_rows": found.source_rows,
            "documents": parts[0]["rows"],
            "rejects": parts[1]["rows"],
            "dropped": found.dropped,
            "changes": parts[2]["rows"],
            "rules": self._counts(parts[1]),
            "changed": self._counts(parts[2]),
            "reads": columns_read(self.connection, self.paths, self.plan, self.table, model),
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

    def _let_go(self) -> None:
        """Free what `checked` was made from: each is as large as the table itself."""
        self.connection.execute("DROP TABLE IF EXISTS canonical")
        if self.table.grain == "row":
            self.connection.execute("DROP TABLE IF EXISTS model_rows")

    def _prepare(self, model: Model) -> dict[str, Compiled]:
        """Run the model into `modelled`, and make what its checks are joined to."""
        self.inputs.make_views(self.connection)
        compiled = self.circle.prove(self) if self.circle else self.run_model(model)
        for target in self._referred():
            self._know(target, model)
        self._make_orphans(compiled)
        return compiled

    def run_model(self, model: Model) -> dict[str, Compiled]:
        """The view `modelled`, the values that go by way of JSON, and `keyed`."""
        hold_keyless(self.connection, self.paths, self.table.source)
        types = describe(self.connection, model.name, model.text)
        given = [name for name in types if name != "_source_id"]
        fields = shapes(self.table.name, self.schema.fields(self.table.name, given))
        refuse_fields(self.plan.file, self.table, fields)
        parsed = parse(self.connection, model.text)
        lines = column_lines(model.text, parsed)
        self._refuse_columns(model, types, fields, lines)
        text, model = model.text, with_values(model, self.table, types)
        types |= {name: "VARCHAR" for name in self.table.values if name in types}
        compiled = {
            name: compile_field(_at(model, lines, name), shape, types.get(name))
            for name, shape in fields.items()
        }
        compiled = guarded(compiled, text, parsed, types, self.schema.tables[self.table.name])
        columns = ["_source_id::VARCHAR AS _source_id"]
        for name in given:
            column = compiled[name].column or "NULL"
            if compiled[name].json:
                column = f"list_transform([{column}], lambda j: {column_sql('j')})[1]"
            columns.append(f"{column} AS {name_sql(name)}")
        run = self.connection.execute
        rows = f"SELECT {', '.join(columns)} FROM ({model.text})"
        with sql_errors(model.name):
            # DuckDB takes no view of what it can't take apart, such as PIVOT.
            if parsed is None or self._read_again(compiled):
                run(f"CREATE OR REPLACE TEMP TABLE model_rows AS {rows}")
                rows = "FROM model_rows"
            run(f"CREATE OR REPLACE TEMP VIEW modelled AS {rows}")
        make_json_values(self.connection, compiled)
        self._key_source()
        return compiled

    def _read_again(self, compiled: Mapping[str, Compiled]) -> bool:
        """Whether anything but `checked` reads `modelled`, so that it is worth to be stored."""
        apart = any(f.json or listed_refs(f) for f in compiled.values())
        return apart or self.circle is not None or self.table.grain == "derived"

    def _check(self, model: Model, fields: Mapping[str, Compiled]) -> Keys:
        """Make `checked`, and hold its keys against those of the source."""
        with sql_errors(model.name):
            self.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE checked AS {self._checked(fields)}"
            )
        return require_ids(self.connection, model, self.table)

    def prove_own(self, together: tuple[str, ...]) -> dict[str, Compiled]:
        """For a circle: this table's rows into `own`, their references to `together` into `edges`;
        see references.settle. What its checks would say of these references is left out."""
        model = read_model(self.paths, self.table.model)
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
        keys = self._check(model, compiled)
        find_collisions(self.connection, self.table)
        reject_collisions(self.connection, self.table)
        self._account(keys)
        run(
            f"INSERT INTO own SELECT {text_sql(f'{self.table.name}:')} || source_id, rule, field "
            "FROM (SELECT _source_id AS source_id, NULL AS rule, NULL AS field FROM checked "
            "WHERE len(_failures) = 0 UNION ALL SELECT source_id, rule, field FROM rejected)"
        )
        return compiled

    def _make_orphans(self, compiled: Mapping[str, Compiled]) -> None:
        make_orphans(self.connection, compiled, self._sources())

    def _refuse_columns(
        self,
        model: Model,
        types: Mapping[str, str],
        fields: Mapping[str, Shape],
        lines: Mapping[str, int],
    ) -> None:
        if "_source_id" not in types:
            raise UserError(
                f"{model.name} has no column `_source_id`",
                'add the key of its source row, such as: "key"(id) AS _source_id',
            )
        for name in types:
            if name != "_source_id" and name not in fields:
                raise UserError(
                    f"{_at(model, lines, name)} has the column `{name}`, and {self.table.name} in "
                    "convex/schema.ts has no such field",
                    f"remove it from the model, or add the field; there are: {', '.join(fields)}",
                )
        if self.schema.document(self.table.name)["type"] == "any":
            for name in fields:
                if not re.fullmatch(r"(?![$_])[ !#-\[\]-~]{1,1024}", name):
                    raise UserError(
                        f"{model.name} has the column `{name}`, which can't be a field's name",
                        "a name is printable ASCII, and does not begin with $ or _",
                    )
        refuse_rules(self.plan, self.table, fields)

    def _know(self, target: str, model: Model) -> None:
        """`known <target>`: every key that may be referred to, and those that may not, and why."""
        if target in self.plan.references:
            if self.plan.references[target].keys is None:
                raise UserError(
                    f"{model.name} refers to `{target}`, which has no key model in the plan",
                    f"add keys and source to [reference.{target}]",
                )
            sql = known_sql(self.paths, target)
        elif self.circle and target in self.circle.tables:
            return  # the circle has made it
        elif target in self.plan.tables:
            sql = known_documents_sql(self.paths, target)
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
        key = key_sql(self.paths, self.table.source)
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
                "SELECT count(*), min(f.reason) FROM (SELECT unnest(_failures) AS f FROM checked) "
                "WHERE f.field = ? AND f.rule NOT IN ('required_null')",
                [place.path],
            )
            if row[0]:
                raise Shortfall(
                    f"{self.table.name}.{place.path}: {row[0]:,} references have no target "
                    f"({row[1]})",
                    "the plan says fail for this field; mend the source, or say reject",
                )

    def _account(self, keys: Keys) -> Account:
        drops = drop_model(self.paths, self.table)
        return account(self.connection, self.table, drops, keys)

    # ── the three files ─────────────────────────────────────────────────────────────────────

    def _documents_sql(self, fields: Mapping[str, Compiled]) -> str:
        columns = ["_source_id"]
        for name, compiled in fields.items():
            column = name_sql(name)
            as_text = compiled.shape.sql == "JSON"
            columns.append(f"{column}::VARCHAR AS {column}" if as_text else column)
        documents = f"SELECT {', '.join(columns)} FROM checked WHERE len(_failures) = 0"
        if not is_ordered(self.table):
            return documents
        plan_file = self.plan.file
        return ordered_sql(self.connection, plan_file, self.table, self._key() or "", documents)

    def _changes_sql(self, model: Model, fields: Mapping[str, Compiled]) -> str:
        key, parsed = self._key(), parse(self.connection, model.text)
        compared = list(fields.values())
        return changes_sql(self.connection, self.plan.file, self.table, key, compared, parsed)

    def _key(self) -> str | None:
        """SQL of the source's key; None where documents are not source rows (derived)."""
        return None if self.table.grain == "derived" else key_sql(self.paths, self.table.source)

    def _write_documents(self, sql: str, schema: pa.Schema) -> dict[str, Any]:
        if not is_ordered(self.table) and begins_in_order(self.connection, sql):
            # A single thread gives the rows of a table as they lie there.
            self.connection.execute("SET threads = 1")
            try:
                with self.connection.sql(sql).to_arrow_reader(BATCH) as reader:
                    part = write_parquet(self.folder / FILES[0], schema, in_order(reader))
                return part_entry(part)
            except OutOfOrder:
                pass
            finally:
                self.connection.execute("RESET threads")
        if not is_ordered(self.table):
            sql += " ORDER BY _source_id"
        return self._write(FILES[0], sql, schema)

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


def _texts(names: Iterable[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([pa.field(name, pa.string()) for name in names])


def _at(model: Model, lines: Mapping[str, int], column: str) -> str:
    """The model, and the line of one of its columns where that is known."""
    line = lines.get(column.lower())
    return f"{model.name}, line {line}" if line else model.name
