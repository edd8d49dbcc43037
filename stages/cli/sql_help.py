"""The commands of `stages sql`: .help with useful queries, .tables and .macros."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stages.errors import UserError
from stages.layout import Cell, Line, aligned, line
from stages.names import is_it
from stages.sql import short_name_sql, text_sql
from stages.sql_session import SqlSession

NAMES = {
    ".help": "this page",
    ".tables": "the views, and what each holds",
    ".tables VIEW": "the columns of a view",
    ".macros": "the macros that models use",
    ".exit": "leave; so does Ctrl-D",
}
VIEWS = (
    "SELECT schema_name, view_name, coalesce(comment, '') FROM duckdb_views() "
    "WHERE NOT internal ORDER BY schema_name, view_name"
)
COLUMNS = (
    "SELECT column_name, data_type, coalesce(comment, '') FROM duckdb_columns() "
    "WHERE schema_name = {0} AND table_name = {1} ORDER BY column_index"
)
MACROS = (
    "SELECT function_name || '(' || array_to_string(parameters, ', ') || ')', comment "
    "FROM duckdb_functions() WHERE NOT internal AND comment IS NOT NULL "
    "ORDER BY function_name, len(parameters)"
)


@dataclass(frozen=True)
class View:
    """A view of the database, and its comment."""

    schema: str
    name: str
    comment: str

    @property
    def sql(self) -> str:
        """Its name in SQL."""
        schema = "" if self.schema == "main" else f"{self.schema}."
        return f"{schema}{short_name_sql(self.name)}"


@dataclass(frozen=True, kw_only=True)
class Query:
    """A query to paste, its purpose, and the views that it reads."""

    purpose: str
    sql: str
    views: tuple[str, ...]


def is_command(text: str) -> bool:
    return text.lstrip().startswith(".")


def answer(session: SqlSession, text: str) -> list[Line]:
    """The output of a command such as `.tables`. Raises UserError if it does not exist."""
    name, *arguments = text.strip().rstrip("; ").split(maxsplit=1)
    if name == ".help":
        return list(_help(session))
    if name == ".tables":
        return _columns(session, arguments[0].strip()) if arguments else _tables(session)
    if name == ".macros":
        return aligned([(Cell(m), Cell(words, "dim")) for m, words in _rows(session, MACROS)])
    if name == ".exit":
        return []
    raise UserError(f"there is no command `{name}`{is_it(name, NAMES)}", "see .help")


def views_of(session: SqlSession) -> list[View]:
    """All views, by schema and name."""
    return [View(*row) for row in _rows(session, VIEWS)]


def useful_queries(session: SqlSession) -> list[Query]:
    """The queries whose views exist, about a loaded table if there is one."""
    views = [view.sql for view in views_of(session)]
    staged = [view.partition(".")[2] for view in views if view.startswith("transform.")]
    loaded = [table for table in staged if f"load.{table}" in views]
    table = next(iter([*loaded, *staged]), "")
    source = next((view for view in views if view.startswith("extract.")), "")
    keys = next((view for view in views if view.startswith("keys.")), "")
    queries = [
        Query(
            purpose="values, nulls and bounds of each column",
            sql=f"summarize {source};",
            views=(source,),
        ),
        Query(
            purpose="rejects by rule, most frequent first",
            sql='select "table", field, rule, count(*) as n from rejects group by all '
            "order by n desc;",
            views=("rejects",),
        ),
        Query(
            purpose="rejected rows, with their values",
            sql='select "table", source_id, reason, "row" from rejects limit 5;',
            views=("rejects",),
        ),
        Query(
            purpose="what conversions changed",
            sql='select "table", field, rule, count(*) as n, min(old) as old, min(new) as new '
            "from changes group by all order by n desc;",
            views=("changes",),
        ),
        Query(
            purpose="documents as they are staged, with references as table:source_id",
            sql=f"from transform.{table} limit 5;",
            views=(f"transform.{table}",),
        ),
        Query(
            purpose="documents as they are sent, with Convex ids",
            sql=f"from bound.{table} limit 5;",
            views=(f"bound.{table}",),
        ),
        Query(
            purpose="which document in Convex a source row is",
            sql=f"select source_id, convex_id from load.{table} limit 5;",
            views=(f"load.{table}",),
        ),
        Query(
            purpose="documents that are staged and not in Convex yet",
            sql=f"from transform.{table} anti join load.{table} using (source_id);",
            views=(f"transform.{table}", f"load.{table}"),
        ),
        Query(
            purpose="how documents that Convex has already were found",
            sql=f"select rule, count(*) as n from {keys} group by all;",
            views=(keys,),
        ),
    ]
    return [query for query in queries if set(query.views) <= set(views)]


def _help(session: SqlSession) -> Iterator[Line]:
    yield line(
        "A statement ends with ; and may have many lines. Tab completes names, Ctrl-C stops."
    )
    yield line("It only reads; temporary tables, views and macros may be made.")
    yield line("")
    yield from aligned((Cell(name, "head"), Cell(words)) for name, words in NAMES.items())
    yield line("")
    queries = useful_queries(session)
    yield line("Useful queries:" if queries else "Nothing is staged yet: see stages status")
    for query in queries:
        yield line(f"  {query.purpose}", "dim")
        yield line(f"    {query.sql}")


def _tables(session: SqlSession) -> list[Line]:
    return aligned((Cell(v.sql), Cell(v.comment, "dim")) for v in views_of(session))


def _columns(session: SqlSession, name: str) -> list[Line]:
    views = {view.sql: view for view in views_of(session)}
    view = next((view for sql, view in views.items() if sql.lower() == name.lower()), None)
    if view is None:
        raise UserError(f"there is no view `{name}`{is_it(name, views)}", "see .tables")
    columns = _rows(session, COLUMNS.format(text_sql(view.schema), text_sql(view.name)))
    return aligned((Cell(name), Cell(kind), Cell(words, "dim")) for name, kind, words in columns)


def _rows(session: SqlSession, query: str) -> list[tuple[str, ...]]:
    with session.errors():
        rows: list[tuple[str, ...]] = session.relation(query).fetchall()
        return rows
