"""Find temporary tables and views in a package's SQL that its relations.py does not declare."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from stages.sql import Relation

CREATED = re.compile(r"\bTEMP(?:ORARY)? (?:TABLE|VIEW) (?:IF NOT EXISTS )?((?:\{[^}]*\}|[^\s({])+)")
EXPRESSION = re.compile(r"\{[^}]*\}|\d+$")
# `{ACKED}` or `{PRUNABLE_KEYS.of(name)}`; a variable of type Relation is named `relation`.
NAMED = re.compile(r"\{(\w+)(?:\.of\(.+\))?\}")


def declared_relations(module: ModuleType) -> dict[str, Relation]:
    """Constant name → relation."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Relation)}


def undeclared_relations(module: ModuleType) -> list[str]:
    """`file: name` of relations created in the package and not declared in its relations.py."""
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
    # Relations of `canonicalise` begin with a name given by its caller.
    names = {relation.name for relation in declared.values()}
    return name.startswith("{table}") and EXPRESSION.sub("{}", name) in names


def sql_texts(file: Path) -> Iterator[str]:
    """String literals of a module; f-strings with `{expression}` in place of values."""
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
