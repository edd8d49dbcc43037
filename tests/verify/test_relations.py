"""The temporary tables and views of `stages.verify`: each is declared once."""

from __future__ import annotations

from stages.verify import relations
from tests.support.relations import declared_relations, undeclared_relations


def test_every_relation_is_declared() -> None:
    assert undeclared_relations(relations) == []


def test_no_two_relations_have_the_same_name() -> None:
    names = [relation.name for relation in declared_relations(relations).values()]
    assert len(names) == len(set(names))
