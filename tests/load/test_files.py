"""Ids of files, which Convex has already, go through as they are."""

from __future__ import annotations

from stages.convex.ids import encode
from tests.load.project import Project

PHOTO = encode(540, bytes(range(16)))


def test_the_id_of_a_file_is_loaded_as_it_is(project: Project) -> None:
    project.stage("teams", {"t": {"name": "T"}})
    project.stage("people", {"p": {"name": "P", "team": "t"}})
    pets = {"a": {"owner": "p", "kind": "cat", "photo": PHOTO}, "b": {"owner": "p", "kind": "dog"}}
    project.stage("pets", pets)
    assert not project.load().failed
    assert project.documents("pets") == pets
    assert project.load().tables["pets"].counts["inserted"] == 2
    assert project.documents("pets") == pets
