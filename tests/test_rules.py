"""Rules have one registry: the code names no other and uses all; the page of rules lists them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.errors import UserError
from stages.project.plan_reader import load_plan
from stages.rejects import list_rejects
from stages.rules import Rule, known_rule
from stages.state.workspace import Workspace
from stages.transform.culprits import MACROS, REASONS
from tests.docs.rules_page import PAGE, page
from tests.support.command_line import ROOT

PACKAGE = ROOT / "stages"
# Where rows are rejected and values changed, and what is made of it.
FILES = [
    file
    for place in ("convex", "extract", "transform", "load", "verify", "report", "*.py")
    for file in sorted(PACKAGE.glob(place if place.endswith(".py") else f"{place}/**/*.py"))
    if file.name != "rules.py"
]
MACRO_FILE = PACKAGE / "transform" / "sql" / "macros.sql"
# A name where a rule stands in SQL, such as 'name: reason', rule = 'name' or 'name' AS rule.
WRITTEN = re.compile(
    r"'([a-z]+(?:_[a-z]+)*): |\brule'?(?: =|:| <>| (?:NOT )?IN \() ?'([a-z_]+)'|"
    r"'([a-z_]+)' AS rule\b"
)
# Words that mean nothing else.
WORDS = re.compile(rf"\b(?:{'|'.join(rule for rule in Rule if '_' in rule)})\b")
# The counts of a load, and a relation, have the names of their rules.
COUNTED = {Rule.HELD_BACK}


def texts(file: Path) -> Iterator[str]:
    """Every text of a module, and the parts of its f-strings, but for docstrings."""
    tree = ast.parse(file.read_text("utf-8"))
    docstrings = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node not in docstrings:
            yield str(node.value)
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(value, ast.Constant) and getattr(key, "value", None) == "rule":
                    yield f"'rule': '{value.value!s}'"


def bare(text: str) -> set[str]:
    """Names of rules that a text of the code holds by themselves."""
    written = {name for match in WRITTEN.finditer(text) for name in match.groups() if name}
    return (written | set(WORDS.findall(text))) - COUNTED


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("THEN 'nesting: deeper' END", "nesting"),
        ("{'field': '', 'rule': 'new_rule', 'old': x}", "new_rule"),
        ("WHERE rule = 'refused'", "refused"),
        ("WHERE f.rule NOT IN ('lost')", "lost"),
        ("coalesce(k.rule, 'orphan_nulled')", "orphan_nulled"),
        ("SELECT 'gone' AS rule", "gone"),
        ("not_unique", "not_unique"),
    ],
)
def test_a_bare_name_is_found(text: str, name: str) -> None:
    assert bare(text) == {name}


def test_the_code_names_rules_by_the_registry() -> None:
    assert len(FILES) > 120
    assert not [
        f"{file.relative_to(ROOT)}: {name}"
        for file in FILES
        for text in texts(file)
        for name in sorted(bare(text))
    ]


def test_the_macros_name_no_other_rule() -> None:
    named = set(re.findall(r"no_value\('(\w+)'", MACRO_FILE.read_text("utf-8")))
    by_macro = {rule for rules in MACROS.values() for rule in rules}
    # The cast of pg_vector fails in DuckDB's own words.
    assert named == by_macro - {Rule.INVALID_VECTOR}
    # A cast to JSON fails by itself.
    assert by_macro == set(REASONS) - {Rule.INVALID_JSON}


def test_every_rule_is_used() -> None:
    used = {
        node.attr
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Rule"
    }
    assert used == set(Rule.__members__)


def test_a_rule_is_found_by_its_name() -> None:
    assert [known_rule(rule.value) for rule in Rule] == list(Rule)
    assert known_rule("Orphan") is known_rule("no_such_rule") is None


def test_each_rule_says_where_to_fix_it() -> None:
    for rule in Rule:
        fix = rule.where_to_fix(model="M", table="T", plan="P", drops="D")
        assert fix and "{" not in fix, rule
        for words in (rule.meaning, rule.cause):
            assert words and not words.endswith("."), rule


def test_the_page_is_the_registry_s() -> None:
    """`make docs` writes it."""
    assert PAGE.read_text("utf-8") == page()
    assert [f"\n### {rule}\n" in page() for rule in Rule] == [True] * len(Rule)


@pytest.mark.parametrize(
    ("rule", "message", "hint"),
    [
        ("orphans", "is it `orphan`?", "held_back, inexact_interval"),
        ("Orphan", "is it `orphan`?", "held_back, inexact_interval"),
        ("zzz", "there is no rule `zzz`", "held_back, inexact_interval"),
        ("null_filled", "a rule of changes", "from changes where rule = 'null_filled'"),
    ],
)
def test_an_unknown_rule_is_refused(tmp_path: Path, rule: str, message: str, hint: str) -> None:
    workspace = Workspace(project=ROOT, data=tmp_path, target="sandbox")
    plan = load_plan(workspace.plan)
    with pytest.raises(UserError) as error:
        list_rejects(workspace, plan, plan.tables.values(), rule)
    assert message in error.value.message and hint in str(error.value.hint)
    assert error.value.exit_code == 2
