"""`stages show`: a row by either of its keys, where its values came from and what became of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from stages import Migration, UserError
from tests.docs import show_page
from tests.support.command_line import Stages
from tests.support.project_copies import edit_model, loaded_once
from tests.support.shipped_sample import row_id

REGISTRATION = row_id("webinar_registrations", 1)
# A child of a rejected parent, and the parent.
CHILD, PARENT = row_id("webinar_registrations", 267), row_id("webinars", 22)


@pytest.fixture
def loaded(extracted: Path) -> Stages:
    return loaded_once(extracted)


def shown(stages: Stages, table: str, key: str) -> dict[str, Any]:
    result: dict[str, Any] = stages.json("show", table, key)
    return result


def test_the_page_shows_what_is_printed(loaded: Stages) -> None:
    there = show_page.PAGE.read_text("utf-8")
    assert show_page.without_ids(show_page.filled(loaded)) == show_page.without_ids(there)


def test_a_document_from_source_to_convex(loaded: Stages) -> None:
    found = shown(loaded, "webinarRegistrations", REGISTRATION)
    row = {each["column"]: each["value"] for each in found["row"]}
    assert row["id"] == REGISTRATION
    fields = {each["name"]: each for each in found["fields"]}
    assert fields["webinar_id"]["lines"] == [
        {"first": 3, "last": 3, "text": "ref('webinars', webinar_id) AS webinar_id"}
    ]
    assert fields["webinar_id"]["columns"] == ["webinar_id"]
    assert found["document"]["webinar_id"] == f"webinars:{row['webinar_id']}"
    (webinar,) = [each for each in found["references"] if each["field"] == "webinar_id"]
    assert webinar["source_id"] == row["webinar_id"] and webinar["state"] == "document"
    # The ids are those that Convex has.
    assert found["bound"]["webinar_id"] == found["now"]["webinar_id"] == webinar["convex_id"]
    assert found["now"]["_id"] == found["convex_id"]
    assert found["differs"] == [] and found["rejects"] == [] and found["loaded"] == "inserted"


def test_by_its_convex_id_and_by_its_source(loaded: Stages) -> None:
    by_key = shown(loaded, "webinarRegistrations", REGISTRATION)
    assert shown(loaded, "webinar_registrations", by_key["convex_id"]) == by_key
    assert shown(loaded, "webinarRegistrations", REGISTRATION.upper()) == by_key


def test_references_are_followed_both_ways(loaded: Stages) -> None:
    child = shown(loaded, "webinarRegistrations", REGISTRATION)
    parent = next(r["source_id"] for r in child["references"] if r["table"] == "webinars")
    (referrers,) = shown(loaded, "webinars", parent)["referrers"]
    counted = loaded.sql(
        "select count(*) AS n, min(source_id) AS first from transform.webinarRegistrations "
        f"where webinar_id = 'webinars:{parent}'"
    )
    assert referrers["rows"] == counted[0]["n"] > 1
    assert referrers["first"][0] == counted[0]["first"]
    workspace = next(r for r in child["references"] if r["table"] == "workspaces")
    known = shown(loaded, "workspaces", workspace["source_id"])
    assert known["kind"] == "reference" and known["convex_id"] == workspace["convex_id"]
    assert known["model"] == "keys/workspaces.sql" and known["now"]["_id"] == known["convex_id"]
    fields = {f"{r['table']}.{r['field']}" for r in known["referrers"]}
    assert {"articles.workspace_id", "webinarRegistrations.workspace_id"} <= fields


def test_a_rejected_row_and_what_it_takes_along(loaded: Stages) -> None:
    parent = shown(loaded, "webinars", PARENT)
    assert parent["document"] is parent["bound"] is parent["convex_id"] is None
    assert [(r["field"], r["rule"]) for r in parent["rejects"]] == [("created_at", "required_null")]
    assert parent["rejects"][0]["edit"].startswith("models/webinars.sql")
    given = {each["name"]: each["given"] for each in parent["fields"]}
    assert given["created_at"] is None and given["title"]
    (referrers,) = parent["referrers"]
    assert (referrers["rows"], referrers["rejected"] > 0) == (0, True)
    child = shown(loaded, "webinarRegistrations", CHILD)
    (reference,) = [r for r in child["references"] if r["table"] == "webinars"]
    assert reference["source_id"] == PARENT and reference["state"] == "rejected: required_null"


def test_a_change_has_old_and_new(loaded: Stages) -> None:
    (row,) = loaded.sql(
        "select source_id, field, old, new from changes where \"table\" = 'articles' "
        "and rule = 'below_millisecond' order by all limit 1"
    )
    changes = shown(loaded, "articles", row["source_id"])["changes"]
    assert {**row, "rule": "below_millisecond"} in [
        {**change, "source_id": row["source_id"]} for change in changes
    ]


def test_a_source_that_is_only_read(loaded: Stages) -> None:
    """It becomes no document here; the reference table that it belongs to knows its id."""
    (row,) = loaded.sql("select id::VARCHAR AS id from extract.contacts order by id limit 1")
    found = shown(loaded, "contacts", row["id"])
    assert found["kind"] == "reference" and found["row"][0]["value"] == row["id"]


def test_no_such_row(loaded: Stages) -> None:
    other = shown(loaded, "webinars", PARENT)["source_id"]
    elsewhere = loaded.run("show", "articles", other, code=2).stderr
    assert f"articles has no row with the key or Convex id `{other}`; webinars has one" in elsewhere
    assert f"stages show webinars {other}" in elsewhere
    slip = REGISTRATION[:-1] + ("0" if REGISTRATION[-1] != "0" else "1")
    assert f"is it `{REGISTRATION}`?" in loaded.run(
        "show", "webinarRegistrations", slip, code=2
    ).stderr  # fmt: skip
    several = loaded.run("show", "ari*", "x", code=2).stderr
    assert "a row is of one" in several and "ariPayments" in several


def test_the_key_of_a_hint_can_be_pasted(small_keys: Migration) -> None:
    with pytest.raises(UserError) as error:
        small_keys.show("pets", "a 'b", convex=False)
    assert error.value.hint == """show it with: stages --target small show people 'a '"'"'b'"""


def test_offline_asks_nobody(loaded: Stages) -> None:
    text = loaded.run("show", "webinarRegistrations", REGISTRATION, "--offline").stdout
    assert "Convex was not asked: only files were to be read" in text


def test_convex_that_does_not_answer_hides_nothing_else(unreachable: Migration) -> None:
    found = unreachable.show("articles", "k1")
    assert found.source_id == row_id("articles", 1) and found.row and found.document
    assert found.now is None and "127.0.0.1:9" in (found.not_asked or "")


def test_a_document_of_two_passes_was_inserted(unreachable: Migration) -> None:
    """The second one only completes what the first has made."""
    file = unreachable.workspace.acks("articles")
    first = json.loads(file.read_text("utf-8"))
    passes = ({"digest": "pending:d"}, {"digest": "d", "did": "replaced"})
    file.write_text("".join(f"{json.dumps(first | each)}\n" for each in passes), "utf-8")
    assert unreachable.show("articles", row_id("articles", 1), convex=False).loaded == "inserted"


def test_an_edited_model_is_said(transformed: Migration) -> None:
    edit_model(transformed.project, "articles", "    title,\n", "    upper(title) AS title,\n")
    found = transformed.show("articles", row_id("articles", 1), convex=False)
    assert found.stale == "its model"
    (title,) = [field for field in found.fields if field.name == "title"]
    assert title.lines[0].text == "upper(title) AS title"


def test_values_steer_no_terminal(loaded: Stages) -> None:
    """And stand on one line each."""
    done = loaded.run("show", "webinars", row_id("webinars", 2))
    assert re.search(r'^  description +text +"Agenda:\\n', done.stdout, re.MULTILINE)
    assert all(not line.startswith("- ") for line in done.stdout.splitlines())
