"""macros.sql, the rules that each macro fails by, what a column keeps through them, and the page
about them say the same."""

from __future__ import annotations

import re

from stages.transform.culprits import MACROS, REASONS, SECOND
from stages.transform.lineage import FORMS
from stages.views import macros
from tests.support.command_line import ROOT

# Functions of DuckDB that keep a value, too.
OF_DUCKDB = {"lower", "trim", "nullif"}
# Macros for other macros, and for keys of more than eight columns: no model's value is theirs.
HELPERS = {
    "no_value", "iso_year", "iso_text", "offset_ms", "clock_ms", "interval_us", "key_text",
    "key_list", "significant", "is_money", "without_bounds", "array_items",
}  # fmt: skip
# Fail by DuckDB's own cast, which says no rule.
BY_CAST = {"pg_vector": {"invalid_vector"}}


def declared() -> dict[str, str]:
    """Macro → its SQL, without comments."""
    text = re.sub(r"^ *--.*$", "", macros(), flags=re.MULTILINE)
    parts = re.split(r'CREATE OR REPLACE MACRO "?(\w+)"?', text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rules_of(name: str, bodies: dict[str, str]) -> set[str]:
    """The rules that a macro fails by, itself or by another that it calls."""
    body = bodies[name]
    rules = set(re.findall(r"no_value\('(\w+)'", body)) | BY_CAST.get(name, set())
    for called in bodies:
        if called not in (name, "no_value") and re.search(rf"\b{called}\(", body):
            rules |= rules_of(called, bodies)
    return rules


def test_each_macro_fails_by_the_rules_that_are_looked_for() -> None:
    bodies = declared()
    fail = {name: rules for name in bodies if (rules := rules_of(name, bodies))}
    looked_for = {name: {rule.value for rule in rules} for name, rules in MACROS.items()}
    assert {name: rules for name, rules in fail.items() if name not in HELPERS} == looked_for
    assert {name for name, rules in MACROS.items() if len(rules) > 1} == set(SECOND)
    assert {rule for rules in MACROS.values() for rule in rules} <= set(REASONS)


def test_each_macro_keeps_its_value_in_another_form() -> None:
    assert declared().keys() - HELPERS == FORMS - OF_DUCKDB
    assert declared().keys() >= HELPERS


def test_each_macro_is_on_the_page() -> None:
    page = (ROOT / "docs" / "reference" / "models.md").read_text("utf-8")
    assert not [name for name in declared().keys() - HELPERS if f"{name}(" not in page]
