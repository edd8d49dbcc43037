"""The text of a model, and of a key model, with a TODO wherever a person must decide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stages.init.catalog import Catalog, CatalogColumn, CatalogTable
from stages.init.conversion import Doubt, Value, convert, family, union_members
from stages.init.defaults import default_sql
from stages.init.names import looks_like_time, sql_name, words
from stages.init.pairing import Pair, Paired, Pairing
from stages.init.reference import References, is_reference, key_sql
from stages.sql import text_sql

WIDTH = 96
TODO = "-- TODO "
MORE = "--   "


@dataclass(frozen=True, kw_only=True)
class Todo:
    """One decision that is left to a person; `line` counts from 1, in `file`."""

    file: str
    line: int
    what: str
    choices: tuple[str, ...] = ()


def todos(file: str, text: str) -> list[Todo]:
    """The TODOs in a text that this module made, with their lines."""
    decisions: list[Todo] = []
    lines = [line.strip() for line in text.splitlines()]
    for number, line in enumerate(lines, 1):
        for sign in ("-- ", "# "):
            if not line.startswith(f"{sign}TODO "):
                continue
            what, choices = [line.removeprefix(f"{sign}TODO ")], []
            for line_after in lines[number:]:
                if line_after.startswith(f"{sign}  or: "):
                    choices.append(line_after.removeprefix(f"{sign}  or: "))
                elif line_after.startswith(f"{sign}  ") and not choices:
                    what.append(line_after.removeprefix(sign).strip())
                else:
                    break
            decisions.append(
                Todo(file=file, line=number, what=" ".join(what), choices=tuple(choices))
            )
    return decisions


def model_text(paired: Paired, catalog: Catalog, pairing: Pairing) -> str:
    """One SELECT: a column a field, in the schema's order."""
    references = References(catalog=catalog, pairing=pairing)
    columns: list[tuple[list[str], str]] = [([], f"{_source_id(paired.table)} AS _source_id")]
    loose: list[str] = []
    for name, pair in paired.fields.items():
        lines, sql = _field(paired, pair, references)
        if sql is None:
            loose += lines
        else:
            alias = "" if sql == sql_name(name) else f" AS {sql_name(name)}"
            columns.append((lines, f"{sql}{alias}"))
    if paired.whole:
        columns += [([], _whole(column)) for column in paired.table.columns.values()]
        loose += _todo(f"the documents of {paired.target} may have any form: is this the one?")
    loose += _not_taken(paired)
    text = ["SELECT"]
    for number, (lines, sql) in enumerate(columns):
        text += [f"    {line}" for line in lines]
        text.append(f"    {sql}{',' if number < len(columns) - 1 else ''}")
    text += [f"    {line}" for line in loose]
    alias = " s" if any(" = s." in sql for _, sql in columns) else ""
    text.append(f"FROM extract.{sql_name(paired.source)}{alias}")
    return "\n".join(text) + "\n"


def _source_id(table: CatalogTable) -> str:
    if table.row_key:
        return key_sql([sql_name(table.columns[name].staged) for name in table.row_key])
    # Of its view: each row's hash, and its number among its equals.
    return "_key"


def _whole(column: CatalogColumn) -> str:
    value = convert(column, {"type": "any"})
    return f"{value.sql} AS {sql_name(column.staged)}"


def _field(paired: Paired, pair: Pair, references: References) -> tuple[list[str], str | None]:
    """Comment lines and SQL of one field; no SQL where the model can't have it yet."""
    name = pair.field.name
    if not pair.columns:
        return _without_source(paired, pair), None
    if is_reference(pair):
        value = references.value(paired, pair)
    else:
        value = convert(pair.columns[0], pair.field.validator)
    lines = [line for doubt in value.doubts for line in _doubt_lines(name, doubt, pair)]
    if value.sql is not None and _may_be_rejected(pair):
        lines += _required(paired, pair, value)
    return lines, value.sql


def _doubt_lines(name: str, doubt: Doubt, pair: Pair) -> list[str]:
    choices = [f"{choice} AS {sql_name(name)}" for choice in doubt.choices]
    column = pair.columns[0].name if pair.columns else name
    whose = name if column == name else f"{column} → {name}"
    return _todo(f"{whose}: {doubt.what}", *choices, *doubt.advice)


def _may_be_rejected(pair: Pair) -> bool:
    """Whether the field takes neither null nor nothing, and a column may be null."""
    kinds = {member["type"] for member in union_members(pair.field.validator)}
    takes_null = "any" in kinds or len(union_members(pair.field.validator)) < len(
        pair.field.members()
    )
    return not (pair.field.optional or takes_null) and not all(c.not_null for c in pair.columns)


def _required(paired: Paired, pair: Pair, value: Value) -> list[str]:
    column, name = pair.columns[0], sql_name(pair.field.name)
    choices = []
    kinds = {member["type"] for member in union_members(pair.field.validator)}
    default = None if is_reference(pair) else default_sql(column, next(iter(kinds), ""))
    if default is not None:
        choices.append(f"coalesce({value.sql}, {default}) AS {name}")
    elif _is_time(column) and paired.created and paired.created != column.name:
        created = convert(paired.table.columns[paired.created], pair.field.validator)
        choices.append(f"coalesce({value.sql}, {created.sql}) AS {name}")
    what = ", ".join(c.name for c in pair.columns if not c.not_null)
    return _todo(f"{what} may be null, the field is required: such a row is rejected", *choices)


def _without_source(paired: Paired, pair: Pair) -> list[str]:
    name = pair.field.name
    need = "optional" if pair.field.optional else "required"
    time = ""
    if looks_like_time(name):
        time = "; it looks like a time, which must come from the source, never from this run"
    choices = [
        f"stages init --rename {paired.table.name}.{near}={paired.target}.{name}"
        for near in pair.close
    ]
    if paired.created and time:
        column = paired.table.columns[paired.created]
        choices.append(f"{convert(column, pair.field.validator).sql} AS {sql_name(name)}")
    elif not pair.field.optional:
        choices.append(f"… AS {sql_name(name)}")
    return _todo(f"{name} ({need}) has no source{time}", *choices)


def _not_taken(paired: Paired) -> list[str]:
    if not paired.unused or paired.whole:
        return []
    return _todo(
        f"no field takes {', '.join(paired.unused)}: dropped, unless convex/schema.ts gets a field"
    )


def _is_time(column: CatalogColumn) -> bool:
    return family(column) in ("time", "date")


def _todo(what: str, *choices: str) -> list[str]:
    wrapped = textwrap.wrap(what, WIDTH - len(TODO) - 4, break_long_words=False)
    return [
        TODO + wrapped[0],
        *(MORE + line for line in wrapped[1:]),
        *(f"{MORE}or: {' '.join(choice.split())}" for choice in choices),
    ]


# ── key models ──────────────────────────────────────────────────────────────────────────────


def key_model_text(paired: Paired, pairing: Pairing, references: Sequence[str]) -> str:
    """How the documents that Convex has already are found: by columns that are unique.

    The first way is taken, the others are choices. Where there is none, the model finds nothing, so
    that all rows which refer to the table are rejected.
    """
    lookups = list(_find_lookups(paired, pairing, references)) if paired.table.row_key else []
    lines = _todo(
        f"{paired.target}: these documents are there already. Is this how they are found?"
        if lookups
        else f"{paired.target}: nothing that is unique in {paired.table.name} is a field of it; "
        "until this model finds documents, all that refers to them is rejected"
    )
    source = f"extract.{sql_name(paired.source)}"
    named = [f"s.{sql_name(paired.table.columns[n].staged)}" for n in paired.table.row_key]
    key = key_sql(named) if named else "s._key"
    if not lookups:
        lines += [
            f"SELECT {key} AS source_id, NULL::VARCHAR AS convex_id, 'none' AS rule",
            f"FROM {source} s",
            "WHERE false",
        ]
        return "\n".join(lines) + "\n"
    for number, (rule, joins, conditions) in enumerate(lookups):
        text = [
            f"SELECT {key} AS source_id, c._id AS convex_id, {text_sql(rule)} AS rule",
            f"FROM {source} s",
            *joins,
            f"JOIN reference.{sql_name(paired.target)} c",
            f"  ON {' AND '.join(conditions)}",
        ]
        if number == 0:
            lines += text
        else:
            lines.append("-- or, besides or instead:")
            lines += [f"--   {line}" for line in (["UNION ALL", *text])]
    return "\n".join(lines) + "\n"


def _find_lookups(
    paired: Paired, pairing: Pairing, references: Sequence[str]
) -> Iterable[tuple[str, list[str], list[str]]]:
    """(rule, joins, conditions) for each group of unique columns that are fields too."""
    by_column = {
        pair.columns[0].name: pair for pair in paired.fields.values() if len(pair.columns) == 1
    }
    former = [paired.table.row_key] if len(paired.table.row_key) == 1 else []
    for columns in [*paired.table.unique, *former]:
        joins: list[str] = []
        conditions: list[str] = []
        for column in columns:
            pair = by_column.get(column)
            lookup = pair and _condition(pair, pairing, references, len(joins))
            if not lookup:
                break
            joins += lookup[0]
            conditions.append(lookup[1])
        else:
            rule = " and ".join(_short(column) for column in columns)
            yield rule, joins, conditions


def _condition(
    pair: Pair, pairing: Pairing, references: Sequence[str], number: int
) -> tuple[list[str], str] | None:
    column, name = pair.columns[0], sql_name(pair.field.name)
    if is_reference(pair):
        targets = list(pair.field.references())
        parent = pairing.tables.get(targets[0])
        if len(targets) > 1 or parent is None or targets[0] not in references:
            return None
        alias = f"k{number + 1}"
        key = f"key(s.{sql_name(column.staged)})"
        join = f"JOIN keys.{sql_name(targets[0])} {alias} ON {alias}.source_id = {key}"
        return [join], f"c.{name} = {alias}.convex_id"
    value = convert(column, pair.field.validator, "s")
    if value.sql is None or value.doubts:
        return None
    return [], f"c.{name} = {value.sql}"


def _short(column: str) -> str:
    parts = words(column)
    return " ".join(parts[:-1] if len(parts) > 1 and parts[-1] == "id" else parts) or column
