"""Side files, in the plan's folder, as SQL views: `side.<file's name>`.

Every column of a CSV or JSON file is text unless the plan declares its type: guessing from the
values would turn `1.10` and `1.1` into the same key. A Parquet file has its own types.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.errors import FileError, UserError
from stages.machine import is_refusal
from stages.names import twins
from stages.project.plan import Plan
from stages.project.plan_entries import entry_error
from stages.project.text_files import is_utf_16, read_text_file, require_utf_8
from stages.report.files import is_report
from stages.sql import file_sql, name_sql, text_sql
from stages.state.fingerprints import fingerprint, hash_file
from stages.state.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

DELIMITERS = ",;\t|"
# The maximum length of a header line.
HEAD_BYTES = 1 << 20


def side_files(workspace: Workspace, plan: Plan) -> dict[str, Path]:
    """Name → CSV, JSON or Parquet file in the plan's folder, except reports and the baseline that
    init writes."""
    files = {}
    for file in sorted(workspace.migrations.glob("*")):
        if file.suffix not in (".csv", ".json", ".parquet"):
            continue
        if file != workspace.baseline and not is_report(workspace, plan, file):
            files[re.sub(r"\W", "_", file.stem)] = file
    return files


def side_contents(workspace: Workspace, plan: Plan) -> dict[str, str]:
    """Name → fingerprint of the view's contents: the file, and the plan's types."""
    return {
        name: fingerprint(hash_file(file), _types(plan, name))
        for name, file in side_files(workspace, plan).items()
    }


def side_views(workspace: Workspace, plan: Plan) -> Iterator[str]:
    """SQL of a view for each file; one that can't be read raises its error when queried."""
    for name, file in side_files(workspace, plan).items():
        try:
            rows = side_sql(plan, name, file)
        except UserError as error:
            rows = f'SELECT error({text_sql(str(error))}) AS "this file can\'t be read"'
        yield f"CREATE OR REPLACE VIEW side.{name_sql(name)} AS {rows}"


def require_readable(
    connection: duckdb.DuckDBPyConnection, workspace: Workspace, plan: Plan, names: Iterable[str]
) -> None:
    """Read each of these side files, given their names in lower case.

    Raises UserError that names the file, and the line or value if known.
    """
    import duckdb

    wanted = set(names)
    for name, file in side_files(workspace, plan).items() if wanted else ():
        if name.lower() not in wanted:
            continue
        rows = side_sql(plan, name, file)
        typed = ", ".join(f"count({name_sql(column)})" for column in _types(plan, name))
        try:
            connection.execute(f"SELECT {typed or 'count(*)'} FROM ({rows})").fetchall()
        except duckdb.Error as error:
            if is_refusal(error):
                raise
            words = " ".join(str(error).partition("\n\n")[0].partition("\nPossible")[0].split())
            raise FileError(
                f"{file.name} can't be read: {words}",
                f"fix the line or value, or the entry [side.{name}] of {plan.file}",
                file=file,
            ) from None


def side_sql(plan: Plan, name: str, file: Path) -> str:
    """SQL of a file's rows. Raises UserError for a file that can't be read."""
    reader = {".csv": _csv, ".json": _json, ".parquet": _parquet}[file.suffix]
    columns, rows = reader(file)
    _refuse_names(file, columns)
    types = _types(plan, name)
    for column in types:
        if column not in columns:
            raise entry_error(
                plan.file,
                f"side.{name}",
                f"[side.{name}] types names `{column}`, and {file.name} has no such column",
                f"types.{column}",
                f"it has: {', '.join(columns)}",
            )
    selected = [
        f"({value})::{types[column]} AS {name_sql(column)}"
        if column in types
        else f"{value} AS {name_sql(column)}"
        for column, value in columns.items()
    ]
    return f"SELECT {', '.join(selected)} FROM {rows}"


def _refuse_names(file: Path, columns: Iterable[str]) -> None:
    """Raise FileError for names that DuckDB can't take: empty, or differing only in case."""
    columns = list(columns)
    if not all(columns):
        raise FileError(f"{file.name} leaves a column without a name", f"edit {file}", file=file)
    if two := twins(columns):
        raise FileError(
            f"{file.name} has the columns `{two[0]}` and `{two[1]}`, which differ only in case",
            f"rename one of them in {file}",
            file=file,
        )


def _types(plan: Plan, name: str) -> Mapping[str, str]:
    return plan.sides[name].types if name in plan.sides else {}


def _parquet(file: Path) -> tuple[dict[str, str], str]:
    """Return column → its SQL, and the SQL of the rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(file).names
    except pa.ArrowInvalid as error:
        raise FileError(
            f"{file.name} is not a Parquet file: {error}", f"write it again: {file}", file=file
        ) from None
    return {name: name_sql(name) for name in names}, f"read_parquet({file_sql(file.resolve())})"


def _csv(file: Path) -> tuple[dict[str, str], str]:
    """As `_parquet`; an empty field is NULL, a quoted one the empty string."""
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    utf_16 = is_utf_16(head)
    if not utf_16:
        require_utf_8(file)
    text = head.decode("utf-16" if utf_16 else "utf-8-sig", errors="ignore")
    delimiter = max(DELIMITERS, key=lambda each: len(_first_line(text, each)))
    names = _first_line(text, delimiter)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if not names or repeated:
        reason = f"names `{repeated[0]}` twice" if repeated else "can't be read"
        raise FileError(
            f"{file.name}, line 1: the first line names the columns, and it {reason}",
            f"edit {file}",
            file=file,
            line=1,
        )
    listed = ", ".join(f"{text_sql(name)}: 'VARCHAR'" for name in names)
    rows = (
        f"read_csv({file_sql(file.resolve())}, auto_detect = false, header = true, "
        f"delim = {text_sql(delimiter)}, quote = '\"', escape = '\"', allow_quoted_nulls = false, "
        f"encoding = '{'utf-16' if utf_16 else 'utf-8'}', columns = {{{listed}}})"
    )
    return {name: name_sql(name) for name in names}, rows


def _first_line(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error:  # such as a quote that is never closed
        return []


def _json(file: Path) -> tuple[dict[str, str], str]:
    """As `_parquet`, for a list of objects; a flat object becomes rows of `key` and `value`."""
    with file.open("rb") as stream:
        if is_utf_16(stream.read(2)):
            require_utf_8(file)  # DuckDB reads JSON only in UTF-8
    path = file_sql(file.resolve())
    try:
        parsed: Any = json.loads(read_text_file(file))
    except json.JSONDecodeError as error:
        raise FileError(
            f"{file.name}, line {error.lineno}: this is not JSON: {error.msg}",
            f"edit {file}",
            file=file,
            line=error.lineno,
        ) from None
    if isinstance(parsed, dict) and not any(isinstance(v, dict | list) for v in parsed.values()):
        content = "ltrim(t.content, chr(65279))::JSON"  # without a byte-order mark
        rows = f"(SELECT e.key, e.value FROM read_text({path}) t, json_each({content}) e)"
        return {"key": "key", "value": "value ->> '$'"}, rows
    rows_of = parsed if isinstance(parsed, list) else []
    names = dict.fromkeys(name for item in rows_of if isinstance(item, dict) for name in item)
    if not names or not all(isinstance(item, dict) for item in rows_of):
        raise FileError(
            f"{file.name} is neither a list of objects nor an object of plain values",
            f"edit {file}",
            file=file,
        )
    listed = ", ".join(f"{text_sql(name)}: 'JSON'" for name in names)
    rows = f"read_json({path}, format = 'array', columns = {{{listed}}})"
    return {name: f"{name_sql(name)} ->> '$'" for name in names}, rows
