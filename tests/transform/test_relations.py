"""The relations of the transform: each is declared, once, with the modules that use it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.sql import Relation
from stages.transform import relations

PACKAGE = Path(relations.__file__).parent
MODULES = sorted(PACKAGE.glob("*.py"))
DECLARED = {name: value for name, value in vars(relations).items() if isinstance(value, Relation)}
CREATED = re.compile(r"\bCREATE (?:OR REPLACE )?(?:TEMP )?(?:TABLE|VIEW) (?:main\.)?(\S+)")


def texts(module: Path) -> Iterator[str]:
    """String literals of a module, with `{expression}` where an f-string has one."""
    nodes = list(ast.walk(ast.parse(module.read_text("utf-8"))))
    inside = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                f"{{{ast.unparse(part.value)}}}"
                if isinstance(part, ast.FormattedValue)
                else str(ast.literal_eval(part))
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in inside:
            yield str(node.value)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_every_relation_is_declared(module: Path) -> None:
    created = [name for text in texts(module) for name in CREATED.findall(text)]
    named = [re.match(r"\{(\w+)(\.of\(.+\))?\}", name) for name in created]
    # A view over an extract is what a model names, and no relation of the transform.
    undeclared = [
        name
        for name, match in zip(created, named, strict=True)
        if not name.startswith("extract.") and (match is None or match[1] not in DECLARED)
    ]
    assert not undeclared


@pytest.mark.parametrize("name", DECLARED)
def test_a_declaration_names_the_modules_that_use_the_relation(name: str) -> None:
    users = set()
    for module in MODULES:
        tree = ast.parse(module.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == relations.__name__:
                users |= {module.stem for alias in node.names if alias.name == name}
    relation = DECLARED[name]
    assert users == {*relation.writers, *relation.readers}


def test_no_two_relations_have_the_same_name() -> None:
    names = [relation.name for relation in DECLARED.values()]
    assert len(names) == len(set(names)) > 20
