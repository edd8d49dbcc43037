"""The staged files as SQL views: for the shell (data/stages.duckdb), and for the stages' own SQL.

Only views and macros, over absolute paths; the files are authoritative, and the database can be
deleted at any time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from stages.convex.ids import source_uuid_macro
from stages.convex.validators.marks import marked_sql, unmarked_sql
from stages.convex.validators.positions import refs_sql
from stages.convex.validators.rewrite import Bind
from stages.convex.values import Shape
from stages.project.plan import Plan, TargetTable
from stages.project.staged_schema import staged_shapes, staged_with_references
from stages.side_views import side_views
from stages.sql import file_sql, folder_sql, name_sql, open_duckdb, text_sql
from stages.state.durable import make_folder, publish, write_text
from stages.state.journal_lines import Ack, LoadReject, columns_sql
from stages.state.manifests import ExtractManifest
from stages.state.parts import is_form, read_form
from stages.state.records import read_whole
from stages.state.workspace import ROWS, Workspace, form_file, manifest_file
from stages.view_comments import COMMENT, with_comments

if TYPE_CHECKING:
    import duckdb

# The column that identifies rows in the view of a source without a key.
KEYLESS = '"_key"'
SCHEMAS = ("extract", "as_text", "reference", "side", "keys", "transform", "bound", "load")
BOUND_VIEW = "CREATE OR REPLACE VIEW bound."
# DuckDB's memory limit before it spills; the process takes about 300 MiB more.
MEMORY = "640MB"
# In the shell, a value that a macro can't convert becomes NULL instead of an error, so that a model
# still shows its other rows; no stage reads that database.
NULL_FOR_NO_VALUE = (
    "CREATE OR REPLACE MACRO no_value(rule, given) AS NULL::BIGINT",
    "CREATE OR REPLACE MACRO pg_vector(literal) AS try_cast(literal AS DOUBLE[])",
)


def macros() -> str:
    """The macros that models use, as SQL."""
    folder = resources.files("stages.transform").joinpath("sql")
    return folder.joinpath("macros.sql").read_text("utf-8")


def connect(
    workspace: Workspace, plan: Plan, *, locked: bool = True, views: bool = True
) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB with all macros and, with `views`, the views.

    It spills to data/tmp, which belongs to the holder of the lock; without the lock (`locked` is
    False), to a folder of this process.
    """
    connection = (
        open_duckdb(spill=workspace.spill, memory=MEMORY)
        if locked
        else open_duckdb(spill=workspace.query_spill(os.getpid()))
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(values())
    shown = statements(workspace, plan, null_for_no_value=not locked)
    make(connection, shown if views else [macros()])
    return connection


def make(connection: duckdb.DuckDBPyConnection, sql: Iterable[str]) -> bool:
    """Run the statements, skipping views of damaged files, and bound views of files that were
    staged for another schema.ts. Returns whether none was skipped.

    DuckDB opens a file to create its view. Code that needs the file checks its hash or freshness
    and reports it; nothing else should stop because of it.
    """
    import duckdb

    whole = True
    for statement in sql:
        try:
            connection.execute(statement)
        except (duckdb.InvalidInputException, duckdb.IOException, duckdb.PermissionException):
            whole = False
        except (duckdb.BinderException, duckdb.CatalogException):
            # A view that was not created can't be commented on.
            if not statement.startswith((BOUND_VIEW, COMMENT)):
                raise
            whole = False
        except duckdb.Error as error:
            # DuckDB raises the base class for a damaged Parquet footer.
            if type(error) is not duckdb.Error:
                raise
            whole = False
    return whole


def values() -> str:
    """The macros for Convex values, as SQL."""
    return resources.files("stages.convex").joinpath("values.sql").read_text("utf-8")


def statements(
    workspace: Workspace, plan: Plan, *, null_for_no_value: bool = False
) -> Iterator[str]:
    """Yield SQL that creates every macro, schema and view whose files exist.

    JSON text that DuckDB can't parse is an error when the view's column is read, or NULL with
    `null_for_no_value`.
    """
    yield macros()
    yield source_uuid_macro()
    for schema in SCHEMAS:
        yield f"CREATE SCHEMA IF NOT EXISTS {schema}"
    for name in plan.sources:
        yield from _over(workspace.extract(name), "extract", name, null_for_no_value)
    for name in plan.references:
        yield from _over(workspace.reference(name), "reference", name)
    yield from side_views(workspace, plan)
    for name in plan.references:
        yield from keys_view(workspace, name)
    for table in plan.tables.values():
        yield from documents_view(workspace, table.name)
    yield from _shared_view(plan, "rejects", workspace.rejects)
    yield from _shared_view(plan, "changes", workspace.changes)
    for table in plan.tables.values():
        acks = workspace.acks(table.name)
        if acks.exists():
            yield (
                f"CREATE OR REPLACE VIEW load.{name_sql(table.name)} AS SELECT sourceId AS "
                f"source_id, documentId AS convex_id, did, digest FROM {acks_sql(acks)}"
            )
    yield from _load_rejects_view(plan, workspace)
    yield from _bound_views(workspace, plan)


def statements_for_people(workspace: Workspace, plan: Plan) -> Iterator[str]:
    """As `statements`, with NULL for JSON that DuckDB can't parse, and with comments."""
    yield from with_comments(statements(workspace, plan, null_for_no_value=True))


def refresh(workspace: Workspace, plan: Plan) -> None:
    """Rebuild data/stages.duckdb if its SQL has changed: in a temporary file, then renamed."""

    views = statements(workspace, plan, null_for_no_value=True)
    sql = [*with_comments([*views, *NULL_FOR_NO_VALUE])]
    text = ";\n".join(sql) + ";\n"
    source = workspace.database_sql
    if workspace.database.exists() and source.exists() and source.read_bytes() == text.encode():
        return
    make_folder(workspace.scratch)
    aside = workspace.scratch / workspace.database.name
    aside.unlink(missing_ok=True)
    with open_duckdb() as connection:
        connection.execute(f"ATTACH {text_sql(str(aside))} AS staged (STORAGE_VERSION 'v1.0.0')")
        connection.execute("USE staged")
        whole = make(connection, sql)
        connection.execute("USE memory")
        connection.execute("DETACH staged")
    aside.chmod(0o600)  # DuckDB created it with the umask, inside a private folder
    publish(aside, workspace.database)
    write_text(source, text if whole else "")


def _over(folder: Path, schema: str, name: str, null_for_no_value: bool = False) -> Iterator[str]:
    """The view of a folder's rows; if they hold JSON as text, also `as_text.<source>`."""
    if form_file(folder).exists():
        files = f"read_parquet({folder_sql(folder, ROWS)})"
        rows = _numbered(folder, files) if schema == "extract" else f"FROM {files}"
        if not rows:
            return
        texts = json_texts(folder)
        if texts:
            yield f"CREATE OR REPLACE VIEW as_text.{name_sql(name)} AS {rows}"
            cast = "try_cast({0} AS JSON)" if null_for_no_value else "{0}::JSON"
            rows = with_texts(f"as_text.{name_sql(name)}", texts, cast)
        yield f"CREATE OR REPLACE VIEW {schema}.{name_sql(name)} AS {rows}"


def json_texts(folder: Path) -> list[str]:
    """The columns of an extract that hold JSON as text."""
    manifest = read_whole(ExtractManifest, manifest_file(folder))
    return manifest.json if manifest else []


def with_texts(rows: str, texts: Iterable[str], form: str) -> str:
    """SQL of a relation with some columns replaced by the expression `form`, `{0}` the column."""
    columns = ", ".join(f"{form.format(name_sql(c))} AS {name_sql(c)}" for c in texts)
    return f"SELECT * REPLACE ({columns}) FROM {rows}"


def _numbered(folder: Path, files: str) -> str:
    """SQL of rows; if they have no key, with `_key`: their hash, and a number among equal rows.

    Equal rows are interchangeable, so it doesn't matter which gets which number. Returns "" if the
    form, which lists the columns to hash, is damaged: the code that needs the rows reports it.
    """
    import pyarrow as pa

    stored = read_whole(ExtractManifest, manifest_file(folder))
    if not stored or stored.status == "missing" or stored.key != []:
        return f"FROM {files}"
    if not is_form(folder):
        return ""
    texts = [
        # Only timestamps have a text that depends on the time zone.
        f"coalesce(epoch_us({name_sql(field.name)})::VARCHAR, {name_sql(field.name)}::VARCHAR)"
        if pa.types.is_timestamp(field.type)
        else f"{name_sql(field.name)}::VARCHAR"
        for field in read_form(folder, f"stages extract {folder.name}")
    ]
    digest = f"md5(to_json([{', '.join(texts)}])::VARCHAR)"
    number = f"row_number() OVER (PARTITION BY {KEYLESS})"
    return (
        f"SELECT * REPLACE ({KEYLESS} || '-' || {number} AS {KEYLESS}) "
        f"FROM (SELECT *, {digest} AS {KEYLESS} FROM {files})"
    )


def keys_view(workspace: Workspace, name: str) -> Iterator[str]:
    """`keys.<reference table>`: source_id, convex_id, rule."""
    file = workspace.known_keys(name)
    if file.exists():
        yield (
            f"CREATE OR REPLACE VIEW keys.{name_sql(name)} AS FROM read_parquet({file_sql(file)})"
        )


def documents_view(workspace: Workspace, table: str) -> Iterator[str]:
    """`transform.<table>`: the documents, or an empty view of their columns if there are none yet.

    Columns: source_id, and one per field; a field named source_id becomes `source_id_1`.
    """
    for file in (workspace.documents(table), form_file(workspace.transform(table))):
        if file.exists():
            yield (
                f"CREATE OR REPLACE VIEW transform.{name_sql(table)} AS "
                f"{_named_key(f'read_parquet({file_sql(file)})')}"
            )
            return


def _named_key(documents: str) -> str:
    """SQL of documents with their key renamed to `source_id`, as in every view."""
    return f"SELECT _source_id AS source_id, * EXCLUDE (_source_id) FROM {documents}"


def _shared_view(plan: Plan, name: str, file_of: Callable[[str], Path]) -> Iterator[str]:
    """One view of all tables' `rejects` or `changes`."""
    selects = [
        f'SELECT {text_sql(table.name)} AS "table", * FROM read_parquet({file_sql(file)})'
        for table in plan.tables.values()
        if (file := file_of(table.name)).exists()
    ]
    if selects:
        yield f"CREATE OR REPLACE VIEW {name} AS " + " UNION ALL ".join(selects)


def _load_rejects_view(plan: Plan, workspace: Workspace) -> Iterator[str]:
    """`load_rejects`: what load could not put into Convex, of all tables in one view."""
    selects = [
        f'SELECT {text_sql(table.name)} AS "table", sourceId AS source_id, rule, reason '
        f"FROM {load_rejects_sql(file)}"
        for table in plan.tables.values()
        if (file := workspace.load_rejects(table.name)).exists()
    ]
    if selects:
        yield "CREATE OR REPLACE VIEW load_rejects AS " + " UNION ALL ".join(selects)


def acks_sql(file: Path) -> str:
    """SQL of a table function that reads acks.jsonl; a line cut short by a kill is left out."""
    return (
        f"read_json({file_sql(file)}, format = 'newline_delimited', ignore_errors = true, "
        f"columns = {columns_sql(Ack)})"
    )


def load_rejects_sql(file: Path) -> str:
    """As `acks_sql`, for a load's rejects.jsonl."""
    return (
        f"read_json({file_sql(file)}, format = 'newline_delimited', ignore_errors = true, "
        f"columns = {columns_sql(LoadReject)})"
    )


# ── documents with ids ──────────────────────────────────────────────────────────────────────


def ids_sql(workspace: Workspace, plan: Plan, targets: Iterable[str]) -> str:
    """SQL of (target, source_id, convex_id) for the tables that are referred to."""
    selects = [
        "SELECT NULL::VARCHAR AS target, NULL::VARCHAR AS source_id, "
        "NULL::VARCHAR AS convex_id WHERE false"
    ]
    for target in sorted(targets):
        file = workspace.known_keys(target) if target in plan.references else workspace.ids(target)
        if file.exists():
            selects.append(
                f"SELECT {text_sql(target)}, source_id, convex_id "
                f"FROM read_parquet({file_sql(file)})"
            )
    return " UNION ALL ".join(selects)


def ledger_ids_sql(workspace: Workspace, plan: Plan, ledger: str) -> str:
    """As `ids_sql`, for all tables, from the ledger: `ledger` is a relation of its rows."""
    loaded = ", ".join(["NULL", *map(text_sql, plan.tables)])
    referenced = ids_sql(workspace, plan, plan.references)
    return (
        'SELECT "table" AS target, source_id, document_id AS convex_id '
        f'FROM {ledger} WHERE "table" IN ({loaded}) UNION ALL {referenced}'
    )


def bound_sql(
    workspace: Workspace,
    plan: Plan,
    table: TargetTable,
    fields: Mapping[str, Shape],
    deferred: Container[str] = (),
    ids: str | None = None,
) -> str:
    """SQL of a table's documents with Convex ids for references; NULL if not yet known.

    Columns: _source_id, the fields, `_unbound`: the references that have no id yet, and
    `_incomplete`. Fields in `deferred` are left out for now: NULL, or an empty array if required;
    a document that has a value there is incomplete. `ids` is SQL of (target, source_id, convex_id);
    by default what load has recorded, except documents that it found deleted.
    """
    bound = {s.name for s in fields.values() if s.positions} - {
        s.name for s in fields.values() if s.name in deferred
    }
    columns, joins, unbound, withs = ["d._source_id"], [], [], []
    left_out = ["false"]
    for shape in fields.values():
        column = f"d.{name_sql(shape.name)}"
        if shape.name in deferred:
            value = "'[]'" if shape.required else "NULL"
            value = "[]" if shape.required and shape.item else value
            columns.append(f"{value}::{shape.sql} AS {name_sql(shape.name)}")
            left_out.append(f"{column} IS DISTINCT FROM {value}::{shape.sql}")
        elif shape.name not in bound:
            columns.append(column)
        elif shape.kind == "id":
            alias = name_sql(f"id of {shape.name}")
            columns.append(f"{alias}.convex_id AS {name_sql(shape.name)}")
            joins.append(f"LEFT JOIN ids AS {alias} ON {alias}.ref = {column}")
            missing = f"{column} IS NOT NULL AND {alias}.convex_id IS NULL"
            unbound.append(f"CASE WHEN {missing} THEN [{column}] END")
        else:
            alias = name_sql(f"ids of {shape.name}")
            withs.append(f"{alias} AS ({_ids_of_rows(shape)})")
            joins.append(f"LEFT JOIN {alias} ON {alias}._source_id = d._source_id")
            unbound.append(f"{alias}.unbound")
            columns.append(
                f"CASE WHEN {alias}._source_id IS NULL THEN {column} "
                f"WHEN len({alias}.unbound) = 0 THEN {_bound_value(shape, column, f'{alias}.ids')} "
                f"END AS {name_sql(shape.name)}"
            )
    listed = ", ".join(f"coalesce({each}, [])" for each in unbound)
    columns.append(f"flatten([{listed}]::VARCHAR[][]) AS _unbound")
    columns.append(f"({' OR '.join(left_out)}) AS _incomplete")
    documents = file_sql(workspace.documents(table.name))
    targets = {t for s in fields.values() if s.name in bound for t in s.targets}
    heads = [f"documents AS (FROM read_parquet({documents}))"]
    if ids is None:
        ids = f"FROM ({ids_sql(workspace, plan, targets)})"
        gone = workspace.gone(table.name)
        if gone.exists():
            ids += f" ANTI JOIN read_parquet({file_sql(gone)}) USING (convex_id)"
    heads.append(f"ids AS (SELECT target || ':' || source_id AS ref, convex_id FROM ({ids}))")
    return (
        f"WITH {', '.join([*heads, *withs])} SELECT {', '.join(columns)} "
        f"FROM documents d {' '.join(joins)}"
    )


def _ids_of_rows(shape: Shape) -> str:
    """SQL of (_source_id, ids, unbound) for rows with references inside a list or JSON."""
    column = name_sql(shape.name)
    if shape.item:
        refs = f"SELECT _source_id, unnest({column}) AS r FROM documents"
    else:
        value = f"SELECT _source_id, ({marked_sql(f'{column}::VARCHAR')})::JSON AS v FROM documents"
        listed = refs_sql(shape.name, shape.validator, "v")
        refs = (
            f"SELECT _source_id, unnest({listed}, recursive := true) FROM ({value}) "
            "WHERE v IS NOT NULL"
        )
    return (
        "SELECT _source_id, map_from_entries(list({'k': r, 'v': convex_id})) AS ids, "
        "coalesce(list(r ORDER BY r) FILTER (convex_id IS NULL), []) AS unbound "
        f"FROM (SELECT DISTINCT u._source_id, u.r, i.convex_id FROM ({refs}) u "
        "LEFT JOIN ids i ON i.ref = u.r) GROUP BY _source_id"
    )


def _bound_value(shape: Shape, column: str, ids: str) -> str:
    """SQL of a list or JSON with its references replaced by ids from a MAP."""
    if shape.item:
        return f"list_transform({column}, lambda r: {ids}[r])"
    marked = f"({marked_sql(f'{column}::VARCHAR')})::JSON"
    bind = Bind(shape.name, shape.validator, ids)
    return f"list_transform([{marked}], lambda v: {unmarked_sql(bind.sql('v'))})[1]::JSON"


def _bound_views(workspace: Workspace, plan: Plan) -> Iterator[str]:
    schema = staged_with_references(workspace, plan)
    if not schema:
        return
    for table in plan.tables.values():
        staged = workspace.documents(table.name).exists()
        if staged and table.name in schema.tables:
            fields = staged_shapes(workspace, schema, table.name)
            yield (
                f"{BOUND_VIEW}{name_sql(table.name)} AS "
                f"{_named_key(f'({bound_sql(workspace, plan, table, fields)})')}"
            )
