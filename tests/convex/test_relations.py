"""The temporary tables and views of `stages.convex`: each is declared once."""

from __future__ import annotations

from stages.convex import relations
from stages.load import relations as load_relations
from stages.verify import relations as verify_relations
from tests.support.relations import declared_relations, undeclared_relations


def test_every_relation_is_declared() -> None:
    assert undeclared_relations(relations) == []


def test_no_two_relations_have_the_same_name() -> None:
    names = [relation.name for relation in declared_relations(relations).values()]
    assert len(names) == len(set(names))


def test_no_relation_has_the_name_of_one_of_another_package() -> None:
    packages = [
        {relation.name for relation in declared_relations(module).values()}
        for module in (relations, load_relations, verify_relations)
    ]
    assert len(set().union(*packages)) == sum(map(len, packages))
