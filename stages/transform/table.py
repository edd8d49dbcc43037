"""One target table: from its model to documents, rejects and changes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.checkpoint import (
    Manifest,
    damages,
    fingerprint,
    hash_file,
    make_folder,
    part_entry,
    read_manifest,
    remove,
    write_manifest,
    write_parquet,
    write_zero_rows,
)
from stages.convex.canonical import canonicalise
from stages.convex.schema import Schema
from stages.convex.values import Shape, name_sql, shapes, text_sql
from stages.duck import first_row
from stages.errors import Shortfall, TableFailed, UserError
from stages.inputs import staged_inputs
from stages.paths import Paths
from stages.plan import Plan, TargetTable
from stages.transform.changes import changes_sql
from stages.transform.compile import Compiled, checked_sql, compile_field
from stages.transform.keys import known_sql
from stages.transform.models import Inputs, Model, describe, key_sql, read_model, sql_errors
from stages.views import macros, make_once

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

HERE = Path(__file__).parent
CONVEX = ("values", "canonical", "layouts")
# Rows that go from DuckDB to Parquet at once.
BATCH = 30_720
FILES = ("documents.parquet", "rejects.parquet", "changes.parquet")


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
        self.folder = paths.transform(table.name)
        self.source = read_manifest(paths.extract(table.source)) or {}

    # ── freshness ───────────────────────────────────────────────────────────────────────────

    def bring_up_to_date(self, *, restart: bool) -> tuple[Manifest, str]:
        """The manifest, and what was done in one sentence."""
        manifest = read_manifest(self.folder)
        if self.source["status"] == "missing":
            return self._missing(manifest)
        model = read_model(self.paths, self.table.model)
        made_from = self._made_from(model)
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
        if manifest["rejects"]:
            sentence += f", {manifest['rejects']:,} rejected"
        if manifest["changes"]:
            sentence += f", {manifest['changes']:,} changes"
        return manifest, sentence

    def _missing(self, manifest: Manifest | None) -> tuple[Manifest, str]:
        if manifest is None or manifest["status"] != "missing":
            remove(self.folder)
            manifest = {
                "table": self.table.name, "source": self.table.source, "status": "missing",
                "made_from": None, "source_rows": 0, "documents": 0, "rejects": 0, "changes": 0,
                "rules": [], "changed": [], "parts": [],
            }  # fmt: skip
            write_manifest(self.folder, manifest)
        return manifest, "missing: the source has no such table"

    def _made_from(self, model: Model) -> str:
        """All that the three files depend on."""
        parents = {
            name: (read_manifest(self.paths.transform(name)) or {}).get("parts")
            for name in self._referred()
            if name in self.plan.tables
        }
        keys = {
            name: self.inputs.content(f"keys.{name}")
            for name in self._referred()
            if name in self.plan.references
        }
        return fingerprint(
            model.text, code_hash(), parents, keys,
            self.inputs.of(self.connection, model),
            self.inputs.content(f"extract.{self.table.source}"),
            self.schema.tables.get(self.table.name, {}).get("documentType"),
            self.table.grain, dict(self.table.orphans), self.table.keep_null,
            dict(self.table.lineage),
        )  # fmt: skip

    def _referred(self) -> list[str]:
        fields = self.schema.fields(self.table.name).values()
        return sorted({name for each in fields for name in each.references()})

    # ── the work ────────────────────────────────────────────────────────────────────────────

    def explain(self) -> str:
        """The SQL that checks the table; nothing is written."""
        if self.source["status"] == "missing":
            return "-- missing at the source"
        return self._checked(self._prepare(read_model(self.paths, self.table.model)))

    def first_documents(self, limit: int) -> list[dict[str, Any]]:
        """The first documents as dictionaries; nothing is written."""
        if self.source["status"] == "missing":
            return []
        fields = self._prepare(read_model(self.paths, self.table.model))
        checked = self._checked(fields)
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE checked AS {checked}")
        names = ", ".join(["_source_id", *(name_sql(name) for name in fields)])
        rows = self.connection.sql(
            f"SELECT {names} FROM checked WHERE len(_failures) = 0 ORDER BY _source_id "
            f"LIMIT {limit}"
        ).to_arrow_table()
        documents: list[dict[str, Any]] = rows.to_pylist()
        return documents

    def _run(self, model: Model) -> dict[str, Any]:
        fields = self._prepare(model)
        with sql_errors(model.name):
            self.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE checked AS {self._checked(fields)}"
            )
        self._let_go()
        self._refuse_failing_orphans(fields)
        self._account()
        make_folder(self.folder)
        write_zero_rows(self.folder, _documents_schema(fields))
        parts = [self._documents(fields), self._rejects(), self._changes(fields)]
        manifest = {
            "source_rows": self._count("SELECT count(*) FROM keyed"),
            "documents": parts[0]["rows"],
            "rejects": parts[1]["rows"],
            "changes": parts[2]["rows"],
            "rules": self._counts(parts[1]),
            "changed": self._counts(parts[2]),
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
            self.connection.execute("DROP TABLE IF EXISTS modelled")

    def _prepare(self, model: Model) -> dict[str, Compiled]:
        """Run the model into `modelled`, and make what its checks are joined to."""
        make_once(self.connection, self.paths, self.plan)
        fields = shapes(self.table.name, self.schema.fields(self.table.name))
        types = describe(self.connection, model.name, model.text)
        self._refuse_columns(model, types, fields)
        compiled = {
            name: compile_field(model.name, shape, types.get(name))
            for name, shape in fields.items()
        }
        columns = ["_source_id::VARCHAR AS _source_id"]
        texts = []
        for name, kind in types.items():
            column = name_sql(name)
            if name == "_source_id":
                continue
            if fields[name].kind == "any":
                as_json = column if kind == "JSON" else f"to_json({column})"
                columns.append(f"CASE WHEN {column} IS NOT NULL THEN {as_json}::VARCHAR END "
                               f"AS {column}")  # fmt: skip
                texts.append(f"SELECT {column} AS text FROM modelled")
            else:
                columns.append(column)
        with sql_errors(model.name):
            self.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE modelled AS SELECT {', '.join(columns)} "
                f"FROM ({model.text})"
            )
        self._refuse_ids(model)
        if texts:
            canonicalise(self.connection, "canonical", texts)
        for target in self._referred():
            self._know(target, model)
        self._key_source(model)
        return compiled

    def _refuse_columns(
        self, model: Model, types: Mapping[str, str], fields: Mapping[str, Shape]
    ) -> None:
        if "_source_id" not in types:
            raise UserError(
                f"{model.name} has no column `_source_id`",
                'add the key of its source row, such as: "key"(id) AS _source_id',
            )
        for name in types:
            if name != "_source_id" and name not in fields:
                raise UserError(
                    f"{model.name} has the column `{name}`, and {self.table.name} in "
                    "convex/schema.ts has no such field",
                    f"remove it from the model, or add the field; there are: {', '.join(fields)}",
                )
        for name, rule in self.table.orphans.items():
            if name not in fields or fields[name].kind != "id":
                raise UserError(
                    f"plan.toml: [tables.{self.table.name}] orphans names `{name}`, which is no "
                    "reference", f"edit {self.plan.file}",
                )  # fmt: skip
            if rule == "null" and fields[name].required:
                raise UserError(
                    f"plan.toml: [tables.{self.table.name}] orphans turns `{name}` to null, and "
                    "convex/schema.ts requires it", f"use reject or fail in {self.plan.file}",
                )  # fmt: skip

    def _refuse_ids(self, model: Model) -> None:
        """`_source_id` is not null and unique."""
        row = first_row(
            self.connection,
            "SELECT count(*) - count(_source_id), "
            "(SELECT min(_source_id) FROM (SELECT _source_id FROM modelled WHERE _source_id IS NOT "
            "NULL GROUP BY _source_id HAVING count(*) > 1)) FROM modelled",
        )
        if row[0]:
            raise UserError(
                f"{model.name} gives {row[0]:,} rows without a _source_id",
                "does an outer join leave it null?",
            )
        if row[1] is not None:
            raise UserError(
                f"{model.name} gives the _source_id {row[1]} more than once",
                "does a join match twice? join on what is unique",
            )

    def _know(self, target: str, model: Model) -> None:
        """`known <target>`: every key that may be referred to, and those that may not, and why."""
        if target in self.plan.references:
            if self.plan.references[target].keys is None:
                raise UserError(
                    f"{model.name} refers to `{target}`, which has no key model in the plan",
                    f"add keys and source to [reference.{target}]",
                )
            sql = known_sql(self.paths, target)
        elif target == self.table.name:
            raise UserError(
                f"{self.table.name} refers to itself, which can't be loaded yet",
                "leave that field out of the model",
            )
        elif target in self.plan.tables:
            sql = _known_documents(self.paths, target)
        else:
            raise UserError(
                f"{self.table.name} refers to `{target}`, which is neither in [tables] nor in "
                "[reference] of the plan",
                f"add [reference.{target}] with a key model, or [tables.{target}]",
            )
        name = name_sql(f"known {target}")
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}")

    def _key_source(self, model: Model) -> None:
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
        stray = first_row(
            self.connection,
            "SELECT min(_source_id) FROM modelled "
            "ANTI JOIN keyed ON keyed.source_id = modelled._source_id",
        )
        if stray[0] is not None:
            raise UserError(
                f"{model.name} gives the _source_id {stray[0]}, which is no key of "
                f"{self.table.source}",
                'use the key of the source row, or say grain = "derived" in the plan',
            )

    def _checked(self, fields: Mapping[str, Compiled]) -> str:
        sources: dict[str, str | None] = {t.name: t.source for t in self.plan.tables.values()}
        sources |= {r.name: r.source for r in self.plan.references.values()}
        return checked_sql(fields, self.table.orphans, sources)

    def _refuse_failing_orphans(self, fields: Mapping[str, Compiled]) -> None:
        failing = [name for name, rule in self.table.orphans.items() if rule == "fail"]
        for name in failing:
            row = first_row(
                self.connection,
                "SELECT count(*), min(f.reason) FROM (SELECT unnest(_failures) AS f FROM checked) "
                "WHERE f.field = ? AND f.rule NOT IN ('required_null')",
                [name],
            )
            if row[0]:
                raise Shortfall(
                    f"{self.table.name}.{name}: {row[0]:,} references have no target ({row[1]})",
                    "the plan says fail for this field; mend the source, or say reject",
                )

    def _account(self) -> None:
        """`rejected`: failures, and source rows that the model leaves out."""
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE rejected AS "
            "SELECT _source_id AS source_id, _failures[1].field AS field, "
            "_failures[1].rule AS rule, _failures[1].reason AS reason, "
            "to_json(_failures[2:])::VARCHAR AS others "
            "FROM checked WHERE len(_failures) > 0 UNION ALL "
            "SELECT k.source_id, '', 'dropped_by_model', 'the model leaves this row out', '[]' "
            "FROM keyed k ANTI JOIN checked c ON c._source_id = k.source_id"
        )

    # ── the three files ─────────────────────────────────────────────────────────────────────

    def _documents(self, fields: Mapping[str, Compiled]) -> dict[str, Any]:
        columns = ["_source_id"]
        for name, compiled in fields.items():
            column = name_sql(name)
            as_text = compiled.shape.sql == "JSON"
            columns.append(f"{column}::VARCHAR AS {column}" if as_text else column)
        return self._write(
            FILES[0],
            f"SELECT {', '.join(columns)} FROM checked WHERE len(_failures) = 0 "
            "ORDER BY _source_id",
            _documents_schema(fields),
        )

    def _rejects(self) -> dict[str, Any]:
        return self._write(
            FILES[1],
            "SELECT r.source_id, r.field, r.rule, r.reason, to_json(k.row)::VARCHAR AS row, "
            "r.others FROM rejected r JOIN keyed k USING (source_id) ORDER BY r.source_id",
        )

    def _changes(self, fields: Mapping[str, Compiled]) -> dict[str, Any]:
        source = None if self.table.grain == "derived" else key_sql(self.paths, self.table.source)
        return self._write(
            FILES[2], changes_sql(self.connection, self.table, source, list(fields.values()))
        )

    def _write(self, name: str, sql: str, schema: pa.Schema | None = None) -> dict[str, Any]:
        reader = self.connection.sql(sql).to_arrow_reader(BATCH)
        part = write_parquet(self.folder / name, schema or reader.schema, reader)
        return part_entry(part)

    def _count(self, sql: str) -> int:
        return int(first_row(self.connection, sql)[0])

    def _counts(self, part: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Rows of a written file by field and rule, most first."""
        if not part["rows"]:
            return []
        relation = f"read_parquet({text_sql(str(self.folder / part['file']))})"
        rows = self.connection.execute(
            f"SELECT field, rule, count(*) FROM {relation} GROUP BY ALL ORDER BY 3 DESC, 1, 2"
        ).fetchall()
        return [{"field": row[0], "rule": row[1], "rows": row[2]} for row in rows]


@cache
def code_hash() -> str:
    """Of the code and the macros that make documents; read once a process."""
    code = [hash_file(file) for file in sorted(HERE.glob("*.py"))]
    code += [hash_file(HERE.parent / "convex" / f"{n}.py") for n in CONVEX]
    return fingerprint(macros(), code)


def _known_documents(paths: Paths, target: str) -> str:
    """`known` of a table of this plan: its documents, and its rejects, which take children along.

    A table that is missing at the source has neither: everything that refers to it is an orphan.
    """
    manifest = read_manifest(paths.transform(target))
    if not manifest or not manifest["parts"]:
        return "SELECT '' AS ref, NULL::VARCHAR AS rule, NULL::VARCHAR AS reason WHERE false"
    documents = text_sql(str(paths.transform(target) / FILES[0]))
    rejects = text_sql(str(paths.transform(target) / FILES[1]))
    prefix = text_sql(f"{target}:")
    return (
        f"SELECT {prefix} || _source_id AS ref, NULL::VARCHAR AS rule, NULL::VARCHAR AS reason "
        f"FROM read_parquet({documents}) UNION ALL "
        f"SELECT {prefix} || source_id, 'parent_rejected', {prefix} || source_id || "
        f"' is rejected: ' || rule || ' ' || field FROM read_parquet({rejects})"
    )


def _documents_schema(fields: Mapping[str, Compiled]) -> pa.Schema:
    """The form of documents.parquet: from the Convex schema, never from the data."""
    import pyarrow as pa

    types = {
        "VARCHAR": pa.string(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(),
        "BIGINT": pa.int64(), "BLOB": pa.binary(), "JSON": pa.json_(),
    }  # fmt: skip
    columns = [pa.field("_source_id", pa.string(), nullable=False)]
    for name, compiled in fields.items():
        shape = compiled.shape
        base = types[shape.sql.removesuffix("[]")]
        kind = pa.list_(base) if shape.sql.endswith("[]") else base
        columns.append(pa.field(name, kind, nullable=not shape.required or shape.kind == "any"))
    return pa.schema(columns)
