"""What could not be read over REST is unknown: not empty, not ready, and not waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from stages import AssessedTable, Assessment
from stages.assess.markdown import as_markdown
from stages.assess.run import AssessOptions, assess
from stages.assess.text import as_text
from stages.errors import Stopped
from stages.progress import Silent
from stages.project.settings import Secret, Source
from tests.extract.stub import Answer, Request, Stub, error, serving


@pytest.fixture
def stub() -> Iterator[Stub]:
    """The API of a source with the tables `rows` and `others`."""
    with serving() as stub:
        define(stub, "rows", "others")
        yield stub


def define(stub: Stub, *tables: str) -> None:
    definition = stub.document()["definitions"]["rows"]
    document = {"definitions": dict.fromkeys(tables, definition)}
    stub.document = lambda: document  # type: ignore[method-assign]


def is_others(request: Request) -> bool:
    return request.table == "others"


def look(stub: Stub, seconds: float = 60) -> Assessment:
    source = Source(ref="ref", url=stub.url, key=Secret("sb_secret_x"), db_url=None)
    return assess(source, AssessOptions(seconds=seconds), Silent())


def others(assessment: Assessment) -> AssessedTable:
    (found,) = [each for each in assessment.tables if each.name == "public.others"]
    return found


def requests(stub: Stub) -> int:
    return sum(map(is_others, stub.requests))


def test_a_table_that_is_refused_is_unknown(stub: Stub) -> None:
    stub.always(error(403, "42501", "permission denied for table others"), is_others)
    seen = look(stub)
    table = others(seen)
    assert (table.rows, table.rows_are, table.verdict) == (None, "unknown", "unknown")
    assert table.reasons == ("no row was looked at",) and table.stored_bytes is None
    assert dict(seen.verdicts) == {
        "ready": 1, "unknown": 1, "decisions": 0, "work": 0, "not possible": 0,
    }  # fmt: skip
    # Without a count the stub's rows are as many as it gave.
    assert seen.cost.documents == 200 and seen.cost.calls == 1
    text, markdown = as_text(seen), as_markdown(seen)
    assert "2 tables in public, 200 rows in 1 of them" in text
    assert "1 ready · 1 unknown · 0 need decisions" in text and "empty:" not in text
    assert "  without 1 table whose rows are unknown" in text.splitlines()
    assert "a sample of others: the API gave no rows" in text
    assert [line.split()[:3] for line in text.splitlines()[-2:]] == [
        ["unknown", "others", "?"], ["ready", "rows", "200"],
    ]  # fmt: skip
    assert "| unknown | `public.others` | ? |" in markdown


def test_without_time_all_are_unknown_and_all_are_named(stub: Stub) -> None:
    seen = look(stub, 1e-9)
    assert {each.rows for each in seen.tables} == {None}
    assert seen.verdicts["unknown"] == 2 and seen.verdicts["ready"] == 0
    text = " ".join(as_text(seen).split())
    assert "2 tables in public, rows unknown" in text and "empty:" not in text
    assert "for: users, storage buckets, a sample of others, a sample of rows" in text


def test_a_column_that_looks_like_a_secret_is_not_asked_for(stub: Stub) -> None:
    plain = stub.document()["definitions"]["rows"]
    secret = {"properties": {**plain["properties"], "api_key": {"format": "text"}}}
    definitions = {"rows": plain, "others": secret}
    stub.document = lambda: {"definitions": definitions}  # type: ignore[method-assign]
    seen = look(stub)
    assert others(seen).empty_columns == ()
    selected = {request.table: request.params["select"] for request in stub.pages}
    assert selected == {"rows": "*", "others": '"id","v"'}


def test_a_table_that_asks_to_wait_is_not_waited_for(stub: Stub) -> None:
    stub.always(Answer(status=503, headers={"Retry-After": "60"}), is_others)
    assert others(look(stub)).verdict == "unknown"
    assert requests(stub) == 1


def test_a_server_that_is_silent_is_asked_once(stub: Stub) -> None:
    end = threading.Event()

    def be_silent(request: Request) -> None:
        if is_others(request):
            end.wait()

    stub.script = be_silent
    try:
        seen = look(stub, 2)
    finally:
        end.set()
    assert others(seen).verdict == "unknown" and requests(stub) == 1
    assert "a sample of others" in seen.skipped[-1]


def test_a_lost_connection_ends_it(stub: Stub) -> None:
    stub.always(Answer(cut=-1), is_others)
    with pytest.raises(Stopped, match="did not answer") as stopped:
        look(stub, 10)
    assert stopped.value.exit_code == 3 and "stages assess" in str(stopped.value)


def test_what_was_not_looked_at_is_named_to_the_end(stub: Stub) -> None:
    tables = [f"a_table_of_some_length_{n}" for n in range(20)]
    define(stub, *tables)
    lines = as_text(look(stub, 1e-9)).splitlines()
    assert max(map(len, lines)) <= 104
    text = " ".join(" ".join(lines).split())
    assert all(f"a sample of {name}" in text for name in tables)
