"""The relations of the transform: each is declared, once, with the modules that use it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from stages.transform import relations
from tests.support.relations import declared_relations, sql_texts

PACKAGE = Path(relations.__file__).parent
# columns_read has a database of its own, with the names of what is staged.
MODULES = [file for file in sorted(PACKAGE.glob("*.py")) if file.stem != "columns_read"]
DECLARED = declared_relations(relations)
CREATED = re.compile(r"\bCREATE (?:OR REPLACE )?(?:TEMP )?(?:TABLE|VIEW) (?:main\.)?(\S+)")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_every_relation_is_declared(module: Path) -> None:
    created = [name for text in sql_texts(module) for name in CREATED.findall(text)]
    named = [re.match(r"\{(\w+)(\.of\(.+\))?\}", name) for name in created]
    # A view over an extract is what a model names, and no relation of the transform.
    undeclared = [
        name
        for name, match in zip(created, named, strict=True)
        if not name.startswith(("extract.", "as_text."))
        and (match is None or match[1] not in DECLARED)
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
