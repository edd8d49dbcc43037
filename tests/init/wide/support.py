"""Wide schemas: what init leaves to a person, what it pairs, and the documents after the answers.

A folder beside this file is a project: its source (data/sandbox), its convex/schema.ts, the
documents that a person expects (expected.sql: queries over the source, which know nothing of init),
and what that person answers to init (answers.toml).
"""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from stages.decisions import Todo, TodoKind, todos
from stages.project.plan_reader import load_plan
from stages.project.settings import Source
from stages.state.workspace import Workspace
from stages.views import connect
from tests.init.support import MIGRATIONS
from tests.support.command_line import ROOT

HERE = Path(__file__).parent
Documents = dict[str, dict[str, Any]]  # source key → document
# What expected.sql calls, besides functions of its own.
FUNCTIONS = """
CREATE SCHEMA expected;
SET LOCAL search_path = public, expected;
CREATE FUNCTION expected.ms(moment timestamptz) RETURNS bigint
  LANGUAGE sql RETURN floor(extract(epoch FROM moment) * 1000);
CREATE FUNCTION expected.ref(target text, key anyelement) RETURNS text
  LANGUAGE sql AS $$ SELECT target || ':' || key::text $$;
CREATE FUNCTION expected.pair(VARIADIC parts text[]) RETURNS text
  LANGUAGE sql RETURN '["' || array_to_string(parts, '","') || '"]';
"""


@dataclass(frozen=True, kw_only=True)
class Wide:
    """One of the projects after `init`, with its rows extracted. `columns`: how many each table
    of the source has; `expected`: the documents of each Convex table."""

    name: str
    project: Path
    source: Source
    todos: tuple[Todo, ...]
    columns: Mapping[str, int]
    expected: Mapping[str, Documents]

    @property
    def workspace(self) -> Workspace:
        return Workspace(project=self.project, data=self.project / "data", target="test")

    def left(self, kind: TodoKind) -> list[Todo]:
        return [todo for todo in self.todos if todo.kind == kind]


def copy_project(name: str, folder: Path) -> Path:
    """A project as it is before init has seen it."""
    ignored = shutil.ignore_patterns("expected.sql", "answers.toml")
    shutil.copytree(HERE / name, folder, ignore=ignored)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return folder


def expected_documents(name: str, db_url: str) -> dict[str, Documents]:
    """Convex table → its documents, by the queries of expected.sql; fields without nulls."""
    before, *queries = re.split(r"^-- (\w+)\n", _read(name, "expected.sql"), flags=re.MULTILINE)
    documents = {}
    with psycopg.connect(db_url) as connection:
        connection.execute(FUNCTIONS)
        connection.execute(before)
        for table, query in zip(queries[::2], queries[1::2], strict=True):
            sql = f"SELECT to_jsonb(q) FROM ({query.strip().rstrip(';')}) q"
            rows = [row[0] for row in connection.execute(sql.encode())]
            documents[table] = {str(row.pop("_source_id")): _present(row) for row in rows}
        connection.rollback()
    return documents


def columns_of_source(db_url: str, schemas: tuple[str, ...]) -> dict[str, int]:
    """`schema.table` → how many columns it has."""
    with psycopg.connect(db_url) as connection:
        rows = connection.execute(
            "SELECT table_schema || '.' || table_name, count(*) FROM information_schema.columns "
            "WHERE table_schema = ANY (%s) GROUP BY 1",
            [list(schemas)],
        ).fetchall()
    return dict(rows)


# ── what init wrote ─────────────────────────────────────────────────────────────────────────


def unanswered(wide: Wide) -> dict[str, Documents]:
    """What the models of init give before anybody answers, rejects included.

    As in the DuckDB shell: a value that can't be converted is null there.
    """
    plan = load_plan(wide.workspace.plan)
    documents = {}
    with connect(wide.workspace, plan, locked=False) as connection:
        for name, table in plan.tables.items():
            sql = wide.workspace.model(table.model).read_text("utf-8")
            documents[name] = _documents(connection, f"({sql})")
    return documents


def staged(wide: Wide) -> dict[str, Documents]:
    """The documents of the last transform."""
    plan = load_plan(wide.workspace.plan)
    with connect(wide.workspace, plan, locked=False) as connection:
        named = "SELECT * RENAME (source_id AS _source_id)"
        return {
            name: _documents(connection, f'({named} FROM transform."{name}")')
            for name in plan.tables
        }


def _documents(connection: Any, rows: str) -> Documents:
    of_rows = connection.execute(f"SELECT to_json(r) FROM {rows} r").fetchall()
    documents = [json.loads(row) for (row,) in of_rows]
    return {
        d["_source_id"]: _present({k: v for k, v in d.items() if k[0] != "_"}) for d in documents
    }


def _present(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}


def differences(
    actual: Mapping[str, Documents], expected: Mapping[str, Documents]
) -> Iterator[tuple[str, str, str, Any, Any]]:
    """(table, key, field, actual, expected) of all values that are not the same."""
    for table in expected:
        ours = actual.get(table, {})
        for key in {*ours, *expected[table]}:
            one, other = ours.get(key, {}), expected[table].get(key, {})
            for name in sorted({*one, *other}):
                if one.get(name) != other.get(name):
                    yield table, key, name, one.get(name), other.get(name)


def marked(text: str) -> dict[str, set[TodoKind]]:
    """Field → the kinds of the comments that stand above its line, or speak of it without one."""
    kinds: dict[str, set[TodoKind]] = {}
    lines = text.splitlines()
    for todo in todos("", text):
        named = {match[1] for choice in todo.choices if (match := re.search(r" AS (\w+)$", choice))}
        after = next((line for line in lines[todo.line :] if not line.strip().startswith("--")), "")
        if not after.startswith("FROM "):
            named = {field_of(after)}
        for name in named:
            kinds.setdefault(name, set()).add(todo.kind)
    return kinds


def field_of(line: str) -> str:
    """The field that a line of a model gives; "" for a comment."""
    if line.strip().startswith("--"):
        return ""
    return re.sub(r'^.* AS |["\s,]', "", line)


def unmarked(wide: Wide, actual: Mapping[str, Documents]) -> set[tuple[str, str]]:
    """(table, field) whose values are not those expected, and of which nothing is asked."""
    wrong = {
        (table, name)
        for table, documents in wide.expected.items()
        for name in _wrong(actual.get(table, {}), documents)
    }
    asked = {
        (table, name)
        for table in wide.expected
        if (file := wide.workspace.model(f"models/{table}.sql")).exists()
        for name, kinds in marked(file.read_text("utf-8")).items()
        if kinds & {"decide", "check"}
    }
    return wrong - asked


def _wrong(actual: Documents, expected: Documents) -> Iterator[str]:
    """The fields that differ. The documents of a table without a key have none in common yet, so
    that only the values are compared."""
    keyed = bool(actual.keys() & expected.keys())

    def values(documents: Documents, name: str) -> list[tuple[str, str]]:
        return sorted(
            (key if keyed else "", json.dumps(each.get(name))) for key, each in documents.items()
        )

    names = {name for each in (*actual.values(), *expected.values()) for name in each}
    yield from (name for name in names if values(actual, name) != values(expected, name))


# ── what a person answers ───────────────────────────────────────────────────────────────────


def answer(wide: Wide) -> None:
    """Write the answers of answers.toml over decisions and checks, and over nothing else."""
    answers = tomllib.loads(_read(wide.name, "answers.toml"))
    for table, fields in answers.get("models", {}).items():
        file = wide.workspace.model(f"models/{table}.sql")
        text = file.read_text("utf-8")
        for name, sql in fields.items():
            text = _answered(text, f"{table}.{name}", name, sql)
        file.write_text(text, "utf-8")
    file = wide.project / MIGRATIONS / "plan.toml"
    text = file.read_text("utf-8")
    for source, entries in answers.get("sources", {}).items():
        for name, value in entries.items():
            text = _entered(text, source, name, json.dumps(value))
    file.write_text(text, "utf-8")


def _answered(text: str, where: str, name: str, sql: str) -> str:
    """The line of a field with this SQL, its comment taken off."""
    lines = text.splitlines()
    if name != "_source_id":  # asked in the plan, with the key
        assert marked(text).get(name, set()) & {"decide", "check"}, f"{where} is not asked"
    line = next((n for n, line in enumerate(lines) if field_of(line) == name), None)
    answered = f'    {sql} AS "{name}"'
    if line is None:
        last = max(
            n for n, line in enumerate(lines) if line.startswith("    ") and "--" not in line
        )
        lines[last] = f"{lines[last]},"
        lines.insert(last + 1, answered)
    else:
        comma = "," if lines[line].endswith(",") else ""
        first = line
        while lines[first - 1].strip().startswith("--"):
            first -= 1
        lines[first : line + 1] = [f"{answered}{comma}"]
    return "".join(f"{line}\n" for line in lines)


def _entered(text: str, source: str, name: str, value: str) -> str:
    """[sources.SOURCE] with this entry, which a comment there asks for."""
    header = f"[sources.{source}]\n"
    before, found, after = text.partition(header)
    assert found, f"plan.toml has no {header}"
    entry, blank, rest = after.partition("\n\n")
    assert "TODO " in entry, f"nothing is asked in {header}"
    entry = re.sub(rf"^{name} = .*\n?", "", f"{entry}\n", flags=re.MULTILINE)
    return f"{before}{header}{entry}{name} = {value}{blank}{rest}"


def _read(name: str, file: str) -> str:
    return (HERE / name / file).read_text("utf-8")
