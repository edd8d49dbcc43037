"""The text of a model, and of a key model, with a TODO wherever the user must decide or check."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from stages.convex.values import shape
from stages.decisions import TodoKind, comment
from stages.init.catalog import Catalog, CatalogColumn, CatalogTable
from stages.init.conversion import PADDED, Doubt, Value, convert, family
from stages.init.defaults import default_for
from stages.init.names import is_change, is_creation, looks_like_time, sql_name, words
from stages.init.pairs import Pair, Paired, Pairing
from stages.init.reference import References, is_reference, is_required, key_sql
from stages.sql import text_sql


def model_text(paired: Paired, catalog: Catalog, pairing: Pairing) -> str:
    """One SELECT with a column for each field, in the schema's order."""
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
        columns += [
            ([], _whole(column))
            for column in paired.table.columns.values()
            if column.name not in paired.secrets
        ]
        what = f"the documents of {paired.target} may have any form: is this the right one?"
        loose += comment("check", what)
    loose += _not_taken(paired)
    text = ["SELECT"]
    for number, (lines, sql) in enumerate(columns):
        text += [f"    {line}" for line in lines]
        text.append(f"    {sql}{',' if number < len(columns) - 1 else ''}")
    text += [f"    {line}" for line in loose]
    # Commented-out choices may need it too.
    alias = " s" if any(re.search(r"[ (]s\.", line) for line in text) else ""
    text.append(f"FROM extract.{sql_name(paired.source)}{alias}")
    return "\n".join(text) + "\n"


def _source_id(table: CatalogTable) -> str:
    if table.row_key:
        return key_sql([sql_name(table.columns[name].staged) for name in table.row_key])
    # A column of the source's view: the row's hash, and its number among identical rows.
    return "_key"


def _whole(column: CatalogColumn) -> str:
    value = convert(column, {"type": "any"})
    return f"{value.sql} AS {sql_name(column.staged)}"


def _field(paired: Paired, pair: Pair, references: References) -> tuple[list[str], str | None]:
    """Comment lines and SQL of one field; the SQL is None if the model leaves the field out."""
    name = pair.field.name
    required = is_required(pair)
    if not pair.columns:
        return _without_source(paired, pair), null_sql(pair) if required else None
    if is_reference(pair):
        value = references.value(paired, pair)
    else:
        value = convert(pair.columns[0], pair.field.validator)
        value.doubts = [_as_seen(doubt, pair.columns[0], paired) for doubt in value.doubts]
    if any(column.name in paired.secrets for column in pair.columns):
        return _secret(paired, pair, value, required)
    if value.sql is None and required:
        # This rejects the row instead of breaking the model: what init writes must run unedited.
        value.sql = null_sql(pair)
        kind: TodoKind = "decide"
    else:
        kind = "check"
    lines = [
        line
        for doubt in value.doubts
        for line in _doubt_lines(name, doubt, pair, doubt.kind or kind)
    ]
    if pair.why and kind == "check" and value.sql is not None:
        column = ", ".join(column.name for column in pair.columns)
        other_unit = [f"{value.sql} / 100 AS {sql_name(name)}"] if "says cents" in pair.why else []
        lines = [*comment("check", f"{column} → {name}: {pair.why}", *other_unit), *lines]
    if kind == "check" and required and not all(column.not_null for column in pair.columns):
        lines += _null(paired, pair, value)
    return lines, value.sql


def _as_seen(doubt: Doubt, column: CatalogColumn, paired: Paired) -> Doubt:
    """Reduce the doubt about char(n) padding to a note if all values so far fill the length."""
    padded = re.fullmatch(r"char(?:acter)?\((\d+)\)", column.declared)
    seen = paired.rows.columns.get(column.name)
    full = (
        doubt.what == PADDED.format(column.declared)
        and padded is not None
        and paired.rows.whole
        and seen is not None
        and all(len(value) == int(padded[1]) for value in seen.values)
    )
    return replace(doubt, kind="note") if full else doubt


def _secret(
    paired: Paired, pair: Pair, value: Value, required: bool
) -> tuple[list[str], str | None]:
    """A field whose column looks like a secret: it is not extracted unless the user asks for it."""
    what = (
        f"{pair.columns[0].name} looks like a secret, and is not extracted: to take it, remove it "
        f"from exclude in [sources.{paired.source}] of plan.toml"
    )
    choices = [] if value.sql is None else [f"{value.sql} AS {sql_name(pair.field.name)}"]
    lines = comment("decide" if required else "check", what, *choices)
    return lines, null_sql(pair) if required else None


def null_sql(pair: Pair) -> str:
    """NULL of the field's type, so that each row is rejected by itself."""
    return f"NULL::{shape('', pair.field).sql}"


def _doubt_lines(name: str, doubt: Doubt, pair: Pair, kind: TodoKind) -> list[str]:
    choices = [f"{choice} AS {sql_name(name)}" for choice in doubt.choices]
    column = pair.columns[0].name if pair.columns else name
    whose = name if column == name else f"{column} → {name}"
    return comment(kind, f"{whose}: {doubt.what}", *choices, *doubt.advice)


def _null(paired: Paired, pair: Pair, value: Value) -> list[str]:
    """Comment lines on what happens to a null in a column whose field is required."""
    column, name = pair.columns[0], sql_name(pair.field.name)
    choices = []
    default = None if is_reference(pair) else default_for(column, pair.field.validator)
    if default is not None:
        choices.append(f"coalesce({value.sql}, {default}) AS {name}")
    elif _is_time(column) and is_change(column.name) and paired.created not in (None, column.name):
        created = convert(paired.table.columns[paired.created], pair.field.validator)
        choices.append(f"coalesce({value.sql}, {created.sql}) AS {name}")
    nullable = [c.name for c in pair.columns if not c.not_null]
    what = ", ".join(nullable)
    if all(paired.rows.never_null(each) for each in nullable):
        return comment("note", f"{what} may be null, but is not in any row so far", *choices)
    return comment(
        "check", f"{what} may be null, the field is required: such a row is rejected", *choices
    )


def _without_source(paired: Paired, pair: Pair) -> list[str]:
    name, required = pair.field.name, is_required(pair)
    time = ""
    if looks_like_time(name):
        time = "; it looks like a time, which must come from the source, never from this run"
    choices = [_taken(paired, pair, near) for near in pair.close]
    if pair.elsewhere:
        choices.insert(0, f"{_elsewhere(pair)} AS {sql_name(name)}")
    choices += [f"{sql} AS {sql_name(name)}" for sql in _both_names(paired, pair)]
    if paired.created and time and (is_change(name) or is_creation(name)):
        column = paired.table.columns[paired.created]
        choices.append(f"{convert(column, pair.field.validator).sql} AS {sql_name(name)}")
    elif required:
        choices.append(f"… AS {sql_name(name)}")
    if pair.rivals:
        others = ", ".join(other for other in pair.rivals if other != name)
        what = f"{pair.close[0]} may be {name}" + (f", or {others}" if others else "")
        if name == min((name, *pair.rivals), key=list(paired.fields).index):
            return comment("decide", f"{what}: choose one", *choices)
        return comment("check", f"{what}: as you decide above", *choices)
    if required:
        return comment("decide", f"{name} has no source, every row is rejected{time}", *choices)
    # An unused column may be its source: the user can tell at a glance.
    kind: TodoKind = "check" if pair.close or pair.elsewhere else "note"
    return comment(kind, f"{name} (optional) has no source{time}", *choices)


def _elsewhere(pair: Pair) -> str:
    """SQL that looks the value up in auth.users, for the row's user."""
    assert pair.elsewhere is not None
    theirs = convert(pair.elsewhere.column, pair.field.validator, "p")
    key, parent = pair.elsewhere.key.columns[0], pair.elsewhere.key.parent_columns[0]
    return (
        f"(SELECT {theirs.sql} FROM extract.{sql_name(pair.elsewhere.source)} p "
        f"WHERE p.{sql_name(parent)} = s.{sql_name(key)})"
    )


def _both_names(paired: Paired, pair: Pair) -> list[str]:
    """SQL of a full name from first and last name, if both columns are still unused."""
    parts = {"_".join(words(near)): near for near in pair.close}
    both = [parts.get("first_name"), parts.get("last_name")]
    staged = [sql_name(paired.table.columns[near].staged) for near in both if near]
    return [f"concat_ws(' ', {', '.join(staged)})"] if len(staged) == 2 else []


def _taken(paired: Paired, pair: Pair, column: str) -> str:
    """SQL that makes the field from one column."""
    source = paired.table.columns[column]
    targets = list(pair.field.references())
    if is_reference(pair):
        return (
            f"ref({text_sql(targets[0])}, {sql_name(source.staged)}) AS {sql_name(pair.field.name)}"
        )
    return f"{convert(source, pair.field.validator).sql} AS {sql_name(pair.field.name)}"


def _not_taken(paired: Paired) -> list[str]:
    if not paired.unused or paired.whole:
        return []
    return comment(
        "note",
        f"no field takes {', '.join(paired.unused)}: dropped, unless convex/schema.ts gets a field",
    )


def _is_time(column: CatalogColumn) -> bool:
    return family(column) in ("time", "date")


# ── key models ──────────────────────────────────────────────────────────────────────────────


def key_model_text(paired: Paired, pairing: Pairing, references: Sequence[str]) -> str:
    """How to find the documents that Convex already has: by unique columns.

    The model uses the first way, and lists the others as comments. If there is none, the model
    finds nothing, and every row that refers to the table is rejected.
    """
    lookups = list(_find_lookups(paired, pairing, references)) if paired.table.row_key else []
    if lookups:
        what = f"{paired.target}: these documents already exist. Is this how to find them?"
        lines = comment("check", what)
    else:
        lines = comment(
            "decide",
            f"{paired.target}: no unique column of {paired.table.name} is a field of it; until "
            "this model finds documents, everything that refers to them is rejected",
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
            lines.append("-- or, in addition or instead:")
            lines += [f"--   {line}" for line in (["UNION ALL", *text])]
    return "\n".join(lines) + "\n"


def _find_lookups(
    paired: Paired, pairing: Pairing, references: Sequence[str]
) -> Iterable[tuple[str, list[str], list[str]]]:
    """(rule, joins, conditions) for each group of unique columns that all have a field."""
    by_column = {
        pair.columns[0].name: pair
        for pair in paired.fields.values()
        if len(pair.columns) == 1 and pair.columns[0].name not in paired.secrets
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
