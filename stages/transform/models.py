"""SQL models: reading them, what they read, and the mistakes that users make in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stages.convex.schema import Validator, is_system
from stages.convex.values import Shape
from stages.errors import FileError, Place, StagesError, TableFailed
from stages.limits import FIELD_NAME_LENGTH
from stages.machine import is_refusal
from stages.names import is_it, nearest
from stages.project.models import Model
from stages.project.plan import Plan, TargetTable
from stages.side_views import require_readable, side_contents
from stages.sql import name_sql, text_sql
from stages.state.fingerprints import content_hash
from stages.state.integrity import require_whole
from stages.state.manifests import (
    ExtractManifest,
    KeysManifest,
    Part,
    read_extract,
    read_reference,
    write_manifest,
)
from stages.state.parts import read_form
from stages.state.workspace import Preview, Workspace
from stages.transform.relations import KEYLESS_ROWS
from stages.transform.sql_ast import (
    named_references,
    parse,
    refuse_arrows,
    refuse_chance,
    refuse_results,
    tables,
)
from stages.views import KEYLESS, json_texts, make, statements, with_texts

if TYPE_CHECKING:
    import duckdb

# Printable ASCII without double quotes and backslashes, which a JSON path can't express.
FIELD_NAME = re.compile(rf"(?![$_])[ !#-\[\]-~]{{1,{FIELD_NAME_LENGTH}}}")
# How DuckDB's message begins if a value is at fault, not the query, the memory or a file.
OF_ROW = re.compile(r"(?:Conversion|Out of Range|Invalid Input|Invalid type|Mismatch Type) Error: ")


def describe(connection: duckdb.DuckDBPyConnection, name: str, sql: str) -> dict[str, str]:
    """Column → DuckDB type of a model, in order. Raises FileError with the line at fault."""
    parsed = parse(connection, sql)
    refuse_arrows(connection, name, sql, parsed)
    refuse_results(name, sql, parsed)
    with sql_errors(name):
        statements = len(connection.extract_statements(sql))
        if statements != 1:
            raise FileError(
                f"{name} has {statements} statements", "a model is one SELECT", file=name
            )
        rows = connection.execute(f"DESCRIBE {sql}").fetchall()
    refuse_chance(name, sql, parsed)
    return {row[0]: row[1] for row in rows}


def at(model: Model, lines: Mapping[str, int], column: str) -> Place:
    """The model, and the line of one of its columns if known."""
    return Place(model.name, lines.get(column.lower()))


def refuse_unknown_tables(model: Model, parsed: Any, known: Collection[str]) -> None:
    """Raise FileError if `ref` or `refs` names a table that is not among the `known`."""
    for name, line in named_references(model.text, parsed):
        if name in known:
            continue
        near = nearest(name, known)
        if is_system(name):
            raise FileError(
                f"{Place(model.name, line)}: ref names `{name}`, which is Convex' own, and has no "
                "source keys",
                "give the id itself, such as that of an uploaded file, without ref()",
                file=model.name,
                line=line,
            )
        raise FileError(
            f"{Place(model.name, line)}: ref names `{name}`, and neither the plan nor "
            "convex/schema.ts has such a table",
            f"did you mean {text_sql(near)}?" if near else f"it has: {', '.join(sorted(known))}",
            file=model.name,
            line=line,
        )


def refuse_columns(
    model: Model,
    table: TargetTable,
    document: Validator,
    columns: Collection[str],
    fields: Mapping[str, Shape],
    lines: Mapping[str, int],
) -> None:
    """Raise FileError unless a model's columns are `_source_id` and fields of its table.

    `lines` is column → line of the model, as `column_lines` finds them.
    """
    if "_source_id" not in columns:
        raise FileError(
            f"{model.name} has no column `_source_id`",
            'add the key of its source row, such as: "key"(id) AS _source_id',
            file=model.name,
            tables=[table.name],
        )
    for name in columns:
        if name != "_source_id" and name not in fields:
            place = at(model, lines, name)
            raise FileError(
                f"{place} has the column `{name}`, and {table.name} in "
                "convex/schema.ts has no such field",
                f"remove it from the model, or add the field; there are: {', '.join(fields)}",
                file=place.name,
                line=place.line,
                tables=[table.name],
            )
    if document["type"] == "any":
        for name in fields:
            if not FIELD_NAME.fullmatch(name):
                raise FileError(
                    f"{model.name} has the column `{name}`, which can't be a field's name",
                    "a name is printable ASCII, and does not begin with $ or _",
                    file=model.name,
                    line=lines.get(name.lower()),
                    tables=[table.name],
                )


class RowFailed(TableFailed):
    """A row of a model has a value that one of its expressions can't convert.

    `words` is DuckDB's message; `line` is the line that it names, or None.
    """

    def __init__(self, message: str, hint: str, *, words: str, line: int | None) -> None:
        super().__init__(message, hint)
        self.words = words
        self.line = line


class sql_errors:
    """Turn DuckDB's errors in a model into FileErrors with file and line, or into RowFailed if a
    row's value is at fault."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import duckdb

        if not isinstance(error, duckdb.Error) or is_refusal(error):
            return
        words = str(error)
        line = re.search(r"LINE (\d+):", words)
        place = Place(self.name, int(line[1]) if line else None)
        first = words.strip().partition("\n\nLINE ")[0]
        hint = f"try it with: stages sql < .planning/migrations/{shlex.quote(self.name)}"
        if of_row := OF_ROW.match(first):
            plain = first[of_row.end() :]
            raise RowFailed(f"{place}: {plain}", hint, words=plain, line=place.line) from None
        first = first.splitlines()[0].rstrip("!") + _meant(first)
        missing = re.search(r"Table with name (\S+) does not exist", first)
        if missing:
            hint = f"is `{missing[1]}` in [sources] or [reference] of the plan, and extracted?"
        raise FileError(f"{place}: {first}", hint, file=place.name, line=place.line) from None


def _meant(words: str) -> str:
    """`; is it `lower`?`, if DuckDB suggests a name close to the unknown one; else empty."""
    unknown = re.search(r'with name "?(\S+?)"? does not|column "([^"]+)" not found', words)
    named = re.search(r'(?:Did you mean|Candidate bindings:) (".*")', words)
    if not unknown or not named:
        return ""
    return is_it(unknown[1] or unknown[2], re.findall(r'"(?:\w+\.)?([^".]+)"', named[1]))


@dataclass
class Inputs:
    """Content of everything that a model may read, for freshness."""

    workspace: Workspace
    plan: Plan
    _known: dict[str, Any] = field(default_factory=dict)
    _viewed: bool = False
    _read: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name, content in side_contents(self.workspace, self.plan).items():
            self._known[f"side.{name}"] = content
        for name in self.plan.sources:
            extracted = read_extract(self.workspace.extract(name))
            found = extracted and _content(extracted.status, extracted.key, extracted.parts)
            self._known[f"extract.{name}"] = self._known[f"as_text.{name}"] = found
        for name in self.plan.references:
            there = read_reference(self.workspace.reference(name))
            self._known[f"reference.{name}"] = there and _content(there.status, None, there.parts)

    def make_views(self, connection: duckdb.DuckDBPyConnection, *models: Model | None) -> None:
        """Create all views on the first call; with many tables this takes time.

        Raises UserError if one of the models reads a side file that can't be read.
        """
        if not self._viewed:
            make(connection, statements(self.workspace, self.plan))
            self._viewed = True
        for model in models:
            parsed = model and parse(connection, model.text)
            named = tables(parsed) if parsed else ()
            self.require_sides(connection, [n[5:] for n in named if n.startswith("side.")])

    def require_sides(self, connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
        """Raise UserError if one of these side files can't be read; each is read once."""
        unread = {name.lower() for name in names} - self._read
        require_readable(connection, self.workspace, self.plan, unread)
        self._read.update(unread)

    def add_keys(self, name: str, manifest: KeysManifest) -> None:
        self._known[f"keys.{name}"] = content_hash(manifest.parts)

    def content(self, name: str) -> Any:
        """Content of one staged table, such as `extract.articles`; None if it does not exist."""
        return self._known.get(name)

    def of(self, connection: duckdb.DuckDBPyConnection, model: Model) -> dict[str, Any]:
        """Table → content, for the staged tables that a model names.

        All of them if DuckDB can't serialise the SQL (PIVOT, or an error that shows later).
        DuckDB's get_table_names is not used: it misses tables next to a CTE and a USING.
        """
        parsed = parse(connection, model.text)
        named = None if parsed is None else set(tables(parsed))
        return {
            name: content
            for name, content in sorted(self._known.items())
            if named is None or name.lower() in named
        }


def _content(status: str, key: list[str] | None, parts: Sequence[Part]) -> list[Any]:
    return [status, key, content_hash(parts)]


def require_extract(workspace: Workspace, name: str) -> ExtractManifest:
    """A source's manifest, its parts checked. Raises StagesError if it is incomplete."""
    manifest = read_extract(workspace.extract(name))
    if manifest is None:
        raise StagesError(
            f"`{name}` is not extracted yet", f"run: stages extract {name}", tables=[name]
        )
    if manifest.status == "reading":
        raise StagesError(
            f"`{name}` is only half extracted", f"run: stages extract {name}", tables=[name]
        )
    require_whole(workspace.extract(name), manifest.parts, f"stages extract {name}")
    if manifest.status != "missing":
        read_form(workspace.extract(name), f"stages extract {name}")
    if not isinstance(workspace, Preview):  # a preview writes nothing
        write_manifest(workspace.extract(name), manifest)
    return manifest


def key_sql(workspace: Workspace, source: str) -> str:
    """SQL of a source's key as one text, as the macro `key` builds it.

    A row without a key has `_key` in its view: its hash, and its number among identical rows.
    """
    key = _key(workspace, source)
    if not key:
        return KEYLESS
    texts = [f"key_text({name_sql(column)})" for column in key]
    return texts[0] if len(texts) == 1 else f"key_list([{', '.join(texts)}])"


def _key(workspace: Workspace, source: str) -> list[str]:
    """The staged key columns of a source; none if it has no key, or is not extracted."""
    manifest = read_extract(workspace.extract(source))
    return (manifest and manifest.key) or []


def key_is_number(workspace: Workspace, source: str) -> bool:
    """Whether a source's key is one integer, and so sorts as a number."""
    import pyarrow as pa

    key = _key(workspace, source)
    if len(key) != 1:
        return False
    schema = read_form(workspace.extract(source), f"stages extract {source}")
    return bool(pa.types.is_integer(schema.field(key[0]).type))


def hold_keyless(connection: duckdb.DuckDBPyConnection, workspace: Workspace, source: str) -> None:
    """Number the rows of a source without a key once, instead of each time its view is read."""
    if key_sql(workspace, source) != KEYLESS:
        return
    exists = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [KEYLESS_ROWS.plain_name(source)]
    ).fetchall()
    if not exists:
        rows, view = KEYLESS_ROWS.of(source), name_sql(source)
        schema = "as_text" if json_texts(workspace.extract(source)) else "extract"
        connection.execute(f"CREATE TABLE main.{KEYLESS_ROWS.of(source)} AS FROM {schema}.{view}")
        if schema == "extract":
            connection.execute(f"CREATE OR REPLACE VIEW extract.{view} AS FROM main.{rows}")
        else:
            connection.execute(f"CREATE OR REPLACE VIEW as_text.{view} AS FROM main.{rows}")


def source_rows(workspace: Workspace, source: str) -> str:
    """SQL of a source's rows that never fails: invalid json becomes a JSON string."""
    texts = json_texts(workspace.extract(source))
    if not texts:
        return f"FROM extract.{name_sql(source)}"
    form = "coalesce(try_cast({0} AS JSON), to_json({0}))"
    return with_texts(f"as_text.{name_sql(source)}", texts, form)
