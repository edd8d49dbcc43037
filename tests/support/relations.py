"""Temporary tables and views of a package's SQL that its relations.py does not declare."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from stages.sql import Relation

CREATED = re.compile(r"\bTEMP(?:ORARY)? (?:TABLE|VIEW) (?:IF NOT EXISTS )?((?:\{[^}]*\}|[^\s({])+)")
EXPRESSION = re.compile(r"\{[^}]*\}|\d+$")
# `{ACKED}` and `{PRUNABLE_KEYS.of(name)}`; a variable of the type Relation is called so.
NAMED = re.compile(r"\{(\w+)(?:\.of\(.+\))?\}")


def declared_relations(module: ModuleType) -> dict[str, Relation]:
    """Constant → relation."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Relation)}


def undeclared_relations(module: ModuleType) -> list[str]:
    """`file: name` of what is created in the package beside its relations.py, and not in it."""
    assert module.__file__ is not None
    package = Path(module.__file__).parent
    return [
        f"{file.relative_to(package)}: {name}"
        for file in sorted(package.rglob("*.py"))
        for text in sql_texts(file)
        for name in CREATED.findall(text)
        if not _is_declared(name, declared_relations(module))
    ]


def _is_declared(name: str, declared: dict[str, Relation]) -> bool:
    constant = NAMED.fullmatch(name)
    if constant and constant[1] in {*declared, "relation"}:
        return True
    # Those of `canonicalise` begin with the name that its caller gives.
    names = {relation.name for relation in declared.values()}
    return name.startswith("{table}") and EXPRESSION.sub("{}", name) in names


def sql_texts(file: Path) -> Iterator[str]:
    """String literals of a module, with `{expression}` where an f-string has one."""
    nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
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
