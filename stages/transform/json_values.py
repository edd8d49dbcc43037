"""Fields that go through JSON: each distinct text is made canonical, checked and rewritten once.

Each such field gets `json of <field>(text, staged, size, problem, refs)`: the text from the model
(marked, see validators/marks.py), the canonical encoded JSON to stage, its size in Convex, what is
wrong as "rule: reason at path", and its references as {p, r}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stages.convex.canonical import canonicalise, place_inexact
from stages.convex.validators.alternatives import ANY
from stages.convex.validators.check import any_problem_sql, problem_sql
from stages.convex.validators.marks import ambiguous_sql, excess_sql, marked_sql, unmarked_sql
from stages.convex.validators.positions import REFS, refs_sql
from stages.convex.validators.rewrite import LongIntegers, Normalise
from stages.convex.values import ID_LENGTH, Shape
from stages.rules import Rule
from stages.sql import name_sql, text_sql
from stages.transform.compile import Compiled
from stages.transform.relations import CANONICAL, JSON_VALUES, MODELLED, STORED_JSON_VALUES

if TYPE_CHECKING:
    import duckdb

# The texts that stand for invalid JSON, and for JSON that can't be marked.
INVALID, AMBIGUOUS = "invalid", "ambiguous"
REASONS = {
    INVALID: f"{Rule.INVALID_JSON}: {Rule.INVALID_JSON.meaning}; an unpaired surrogate?",
    AMBIGUOUS: f"{Rule.TYPE_MISMATCH}: a text begins with U+F8FF, which stages keeps for itself",
}


def column_sql(text: str, shape: Shape) -> str:
    """SQL of the marked text of a field's JSON text; INVALID or AMBIGUOUS if it can't be marked."""
    integers = LongIntegers(shape.name, shape.validator)
    long = ""
    if integers.needed:
        # Rewrite long integers before they are read as floats.
        rewritten = (
            f"list_transform([({marked_sql(text)})::JSON], lambda v: {integers.sql('v')})[1]"
        )
        long = f"WHEN regexp_matches({text}, '[0-9]{{16}}') THEN {rewritten} "
    return (
        f"CASE WHEN {text} IS NULL THEN NULL WHEN NOT json_valid({text}) THEN '{INVALID}' "
        f"WHEN {ambiguous_sql(text)} THEN '{AMBIGUOUS}' {long}ELSE {marked_sql(text)} END"
    )


def make_json_values(
    connection: duckdb.DuckDBPyConnection, compiled: Mapping[str, Compiled]
) -> None:
    """Create `json of <field>`, from `modelled`, for each field that goes through JSON."""
    fields = [field.shape for field in compiled.values() if field.json]
    if not fields:
        return
    signs = ", ".join(text_sql(sign) for sign in REASONS)
    canonicalise(
        connection,
        CANONICAL.name,
        [
            f"SELECT {name_sql(s.name)} AS text FROM {MODELLED} WHERE {name_sql(s.name)} NOT IN "
            f"({signs})"
            for s in fields
        ],
    )
    place_inexact(connection, CANONICAL.name)
    for shape in fields:
        values = _values_sql(shape, fields)
        # A plain v.any() needs nothing more than its canonical form, so it is not stored again.
        if shape.validator != ANY:
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE {STORED_JSON_VALUES.of(shape.name)} AS {values}"
            )
            values = f"FROM {STORED_JSON_VALUES.of(shape.name)}"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {JSON_VALUES.of(shape.name)} AS {values}")


def _placed(shape: Shape) -> str:
    """SQL of the problem of a canonical form, with paths that begin with the field's name."""
    return f"replace(problem, ' at $', {text_sql(f' at {shape.name}')})"


def _values_sql(shape: Shape, fields: list[Shape]) -> str:
    signs = " UNION ALL ".join(
        f"SELECT {text_sql(sign)}, NULL, NULL, {text_sql(reason)}, NULL"
        for sign, reason in REASONS.items()
    )
    if shape.validator == ANY:
        return (
            f"SELECT text, {unmarked_sql('canonical')} AS staged, "
            f"(size - {excess_sql('canonical')})::BIGINT AS size, coalesce({_placed(shape)}, "
            f"{any_problem_sql('canonical', text_sql(shape.name))}) AS problem, "
            f"[]::{REFS} AS refs FROM {CANONICAL} UNION ALL {signs}"
        )
    texts = f"{CANONICAL} c"
    if len(fields) > 1:
        column = name_sql(shape.name)
        texts += f" SEMI JOIN {MODELLED} m ON m.{column} = c.text"
    given = (
        "SELECT c.text, c.size, c.problem, CASE WHEN c.problem IS NULL THEN "
        f"({marked_sql('c.canonical')})::JSON END AS v FROM {texts}"
    )
    absent = "false"
    if shape.optional and not shape.nullable:
        absent = "json_type(v) = 'NULL'"
    checked = (
        f"SELECT text, size, v, coalesce({_placed(shape)}, CASE WHEN v IS NOT NULL AND NOT "
        f"({absent}) THEN {problem_sql(shape.validator, 'v', text_sql(shape.name))} END) "
        f"AS problem FROM ({given})"
    )
    normalise = Normalise(shape.name, shape.validator)
    new = f"({normalise.sql('v')})::JSON" if normalise.needed else "v"
    rewritten = (
        f"SELECT text, size, problem, CASE WHEN problem IS NULL AND NOT ({absent}) THEN {new} END "
        f"AS v FROM ({checked})"
    )
    refs = f"[]::{REFS}"
    if shape.positions:
        refs = f"CASE WHEN v IS NOT NULL THEN {refs_sql(shape.name, shape.validator, 'v')} END"
    listed = f"SELECT text, size, problem, v, {refs} AS refs FROM ({rewritten})"
    unlike = "0"
    if shape.positions:
        # A reference is staged as t:<key>, which may be shorter or longer than its id.
        unlike = f"coalesce(list_sum(list_transform(refs, lambda x: {ID_LENGTH} - strlen(x.r))), 0)"
    return (
        f"SELECT text, {unmarked_sql('v::VARCHAR')} AS staged, "
        f"(CASE WHEN v IS NOT NULL THEN size - {excess_sql('v::VARCHAR')} + {unlike} END)::BIGINT "
        f"AS size, problem, refs FROM ({listed}) UNION ALL {signs}"
    )
