"""The checks of whole rows, in one query over a model: what is staged, and what is rejected."""

from __future__ import annotations

from collections.abc import Mapping

from stages.convex.schema import Validator, members
from stages.convex.validators.check import problem_sql
from stages.convex.validators.marks import marked_sql, unmarked_sql
from stages.convex.validators.rewrite import Unorphan
from stages.convex.values import document_sql
from stages.limits import DOCUMENT_BYTES, EMPTY_DOCUMENT_BYTES
from stages.project.plan import TargetTable
from stages.rules import Rule
from stages.sql import name_sql, sum_sql, text_sql
from stages.transform.compile import Check, Compiled, simple_check
from stages.transform.references import json_join, known_as, rule_of
from stages.transform.relations import MODELLED, ORPHANS

# Separates a field's name from its problem; no name contains it.
SEPARATOR = "\x1f"
FAILURES = "STRUCT(field VARCHAR, rule VARCHAR, reason VARCHAR)[]"
CHANGED = 'STRUCT(field VARCHAR, rule VARCHAR, "old" VARCHAR)[]'


def checked_sql(
    compiled: Mapping[str, Compiled],
    table: TargetTable,
    document: Validator,
    sources: Mapping[str, str | None],
    *,
    isolated: bool = False,
) -> str:
    """SQL over `modelled m`: _source_id, staged fields, `_failures`, `_lost`.

    `_failures` lists why the row is rejected, as {field, rule, reason}; `_lost` the orphans that
    the plan turns to null or drops, as {field, rule, old}. `document` is the validator of the
    table's documents; `sources` maps reference targets to sources, for messages. `isolated`:
    `_failed` in `modelled` lists what has already failed; those fields are not checked further.
    """
    staged: list[str] = ["m._source_id"]
    joins: list[str] = []
    checks: list[Check] = []
    changed: list[str] = []
    for field in compiled.values():
        if field.json:
            joins.append(json_join(field))
        checks += field.checks
        value, reference_checks, changes = _checked_field(field, table, sources, joins)
        checks += reference_checks
        changed += changes
        staged.append(f"{value} AS {name_sql(field.shape.name)}")
    checks.append(_size(compiled))
    problems = [f"{text_sql(check.field + SEPARATOR)} || {check.problem}" for check in checks]
    failures = (
        f"CASE WHEN coalesce({', '.join(c.problem for c in checks)}) IS NULL THEN []::{FAILURES}\n"
        f"ELSE {_failures(problems)} END"
    )
    if isolated:
        fields = "list_transform(m._failed, lambda failed: failed.field)"
        of_others = f"lambda failure: NOT list_contains({fields}, failure.field)"
        others = f"list_filter({failures}, {of_others})"
        failures = f"list_concat(m._failed, {others})"
    sql = (
        f"SELECT {', '.join(staged)},\n"
        f"{failures} AS _failures,\n"
        f"{_concatenated(changed)} AS _lost\n"
        f"FROM {MODELLED} m " + "\n".join(joins)
    )
    return _of_one_member(sql, compiled, table, document)


def _failures(problems: list[str]) -> str:
    """SQL of {field, rule, reason} from those "field\\x1frule: reason" texts that are not NULL."""
    listed = ",\n    ".join(problems)
    parts = f"split_part(f, '{SEPARATOR}', 2)"
    return (
        f"list_transform(list_filter([\n    {listed}\n], lambda f: f IS NOT NULL), lambda f: "
        f"{{'field': split_part(f, '{SEPARATOR}', 1), 'rule': split_part({parts}, ': ', 1), "
        f"'reason': substr({parts}, strpos({parts}, ': ') + 2)}})"
    )


def _checked_field(
    field: Compiled, table: TargetTable, sources: Mapping[str, str | None], joins: list[str]
) -> tuple[str, list[Check], list[str]]:
    """(staged value, checks of references, SQL of lists of changes) of a field."""
    shape = field.shape
    if not shape.positions or field.column is None:
        return field.value, [], []
    if shape.kind == "id":
        return _checked_column(field, table, sources, joins)
    alias = ORPHANS.of(shape.name)
    joins.append(f"LEFT JOIN {alias} ON {alias}._source_id = m._source_id")
    checks = []
    changes = []
    rules = {place.path: rule_of(table, place) for place in shape.positions}
    for number, place in enumerate(shape.positions):
        here = f"list_filter({alias}.refs, lambda o: o.p = {number})"
        rule = rules[place.path]
        if rule in ("reject", "fail"):
            first = f"{here}[1]"
            checks.append(
                Check(field=place.path, problem=f"({first}.rule || ': ' || {first}.reason)")
            )
            continue
        name = text_sql(Rule.ORPHAN_NULLED if rule == "null" else Rule.ORPHAN_DROPPED)
        changes.append(
            f"list_transform({here}, lambda o: "
            f"{{'field': {text_sql(place.path)}, 'rule': {name}, 'old': o.r}})"
        )
    if not changes:
        return field.value, checks, []
    orphans = f"{alias}.refs"
    if not field.json:
        kept = f"list_filter({field.value}, lambda r: NOT list_contains(list_transform("
        kept += f"{orphans}, lambda o: o.r), r))"
        value = f"CASE WHEN {orphans} IS NULL THEN {field.value} ELSE {kept} END"
        return value, checks, changes
    unorphan = Unorphan(
        shape.name,
        shape.validator,
        orphans,
        frozenset(path for path, rule in rules.items() if rule == "null"),
        frozenset(path for path, rule in rules.items() if rule == "drop"),
    )
    # Bind the value to one name, because the walk reads it many times.
    marked = f"({marked_sql(field.value)})::JSON"
    text = f"list_transform([{marked}], lambda v: {unmarked_sql(unorphan.sql('v'))})[1]"
    return f"CASE WHEN {orphans} IS NULL THEN {field.value} ELSE {text} END", checks, changes


def _checked_column(
    field: Compiled, table: TargetTable, sources: Mapping[str, str | None], joins: list[str]
) -> tuple[str, list[Check], list[str]]:
    shape = field.shape
    known = name_sql(f"known of {shape.name}")
    joins.append(f"LEFT JOIN {known_as(shape.targets)} AS {known} ON {known}.ref = {field.value}")
    orphan = f"{field.value} IS NOT NULL AND ({known}.ref IS NULL OR {known}.rule IS NOT NULL)"
    (place,) = shape.positions
    if rule_of(table, place) == "null":
        lost = (
            f"CASE WHEN {orphan} THEN [{{'field': {text_sql(shape.name)}, "
            f"'rule': '{Rule.ORPHAN_NULLED}', 'old': {field.value}}}] END"
        )
        return f"CASE WHEN NOT ({orphan}) THEN {field.value} END", [], [lost]
    nowhere = " or ".join(sources.get(target) or target for target in shape.targets)
    reason = f"coalesce({known}.reason, {field.value} || {text_sql(f' is not in {nowhere}')})"
    problem = (
        f"CASE WHEN {orphan} THEN coalesce({known}.rule, '{Rule.ORPHAN}') || ': ' || {reason} END"
    )
    return field.value, [Check(field=shape.name, problem=problem)], []


def _size(compiled: Mapping[str, Compiled]) -> Check:
    sizes = [
        f"coalesce({len(name) + 1} + {field.size}, 0)"
        for name, field in compiled.items()
        if field.column is not None
    ]
    size = sum_sql([str(EMPTY_DOCUMENT_BYTES), *sizes])
    words = text_sql(f"the document has more than {DOCUMENT_BYTES:,} bytes")
    return simple_check("", Rule.TOO_LARGE, f"{size} > {DOCUMENT_BYTES}", words)


def _concatenated(lists: list[str]) -> str:
    if not lists:
        return f"[]::{CHANGED}"
    return f"flatten([{', '.join(f'coalesce({each}, [])' for each in lists)}])::{CHANGED}"


def _of_one_member(
    sql: str, compiled: Mapping[str, Compiled], table: TargetTable, document: Validator
) -> str:
    """SQL that also checks that one member of a union of objects accepts the row as sent."""
    if len(members(document)) < 2 or document["type"] == "any":
        return sql
    shapes = {name: field.shape for name, field in compiled.items()}
    sent = marked_sql(document_sql(shapes, table.keep_null))
    whole_problem = problem_sql(document, "d", text_sql("the document"))
    problem = f"list_transform([({sent})::JSON], lambda d: {whole_problem})[1]"
    failure = _failures([f"'{SEPARATOR}' || {problem}"])
    return (
        f"SELECT * REPLACE (CASE WHEN len(_failures) > 0 THEN _failures ELSE {failure} END "
        f"AS _failures) FROM ({sql})"
    )
