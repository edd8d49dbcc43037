"""What a REST side can answer instead of rows: told, retried, and never taken for data."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import answers
from stages.errors import StagesError, Stopped, Transient, UserError
from stages.extract import rest, rest_client, table_extract
from stages.project.settings import Secret, Source, check_key
from stages.retry import Backoff, retrying
from tests.extract.stub import TOTAL, Answer, Request, Stub, error, serving
from tests.extract.support import Database, Project

KEY = "sb_secret_that_no_message_shows"
TIMEOUT = error(500, "57014", "canceling statement due to statement timeout")


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as server:
        yield server


@pytest.fixture
def project(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of the stub's rows, which waits for no backoff of its own."""
    quick = functools.partial(retrying, backoff=Backoff(attempts=4, first=0.001, longest=0.01))
    monkeypatch.setattr(rest_client, "retrying", quick)
    source = Source(ref="stub", url=stub.url, key=Secret(KEY), db_url=None)
    stubbed = Project(tmp_path, source)
    stubbed.plan(rows={})
    return stubbed


def is_page(request: Request) -> bool:
    return request.is_page


def is_second_page(request: Request) -> bool:
    return request.is_page and "and" in request.params


def is_root(request: Request) -> bool:
    return not request.table


def is_count(request: Request) -> bool:
    return request.method == "HEAD"


def assert_all(project: Project) -> None:
    assert project.column("rows", "id") == list(range(1, TOTAL + 1))
    assert project.column("rows", "v") == [f"v{i}" for i in range(1, TOTAL + 1)]


# ── timeouts ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("answer", [TIMEOUT, Answer(status=544, body=b"<html>timeout</html>")])
def test_timeout_makes_pages_smaller(stub: Stub, project: Project, answer: Answer) -> None:
    stub.always(answer, lambda request: request.is_page and request.limit > 100)
    assert project.extract().failed == []
    assert_all(project)
    limits = [request.limit for request in stub.pages]
    assert limits[:4] == [rest.PAGE, rest.PAGE // 4, rest.PAGE // 16, rest.PAGE // 64]
    # A size that was good stays; and a page that timed out is not asked for as it was.
    assert set(limits[3:]) == {rest.PAGE // 64}


def test_a_page_of_too_many_bytes_is_asked_for_smaller(
    stub: Stub, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MOST_BYTES", 5_000)  # the API's root is smaller
    assert project.extract().failed == []
    assert_all(project)
    assert len({request.limit for request in stub.pages}) > 1
    monkeypatch.setattr(rest, "LEAST_PAGE", rest.PAGE)
    assert project.extract(restart=True).failed == ["rows"]
    assert "too large to be read over REST" in project.heard.text


def test_timeout_of_the_smallest_page_fails_its_table(stub: Stub, project: Project) -> None:
    stub.always(TIMEOUT, is_page)
    result = project.extract()
    assert result.failed == ["rows"]
    assert "takes longer than the server allows" in result.tables["rows"]["error"]
    assert "statement_timeout" in result.tables["rows"]["error"]
    assert stub.pages[-1].limit == rest.LEAST_PAGE
    assert not project.files("rows")


@pytest.mark.parametrize("when", [is_count, is_root])
def test_timeout_of_count_or_root_is_told(stub: Stub, project: Project, when: object) -> None:
    stub.always(TIMEOUT, is_count if when is is_count else is_root)
    try:
        message = project.extract().tables["rows"]["error"]
    except StagesError as raised:
        message = str(raised)
    assert "takes longer than the server allows" in message
    assert "SUPABASE_DB_URL" in message


# ── what may pass by itself ─────────────────────────────────────────────────────────────────

PASSING = {
    "rate limit": error(429, None, "Too many requests"),
    "pool": error(504, "PGRST003", "Timed out acquiring connection from connection pool."),
    "restart": error(503, "57P01", "terminating connection due to administrator command"),
    "internal": error(500, "XX000", "internal error"),
    "gateway": Answer(status=502, body=b"<html><h1>502 Bad Gateway</h1></html>"),
    "cloudflare": Answer(status=522, body=b"error code: 522"),
    "no answer": Answer(cut=-1),
}
BODIES = {
    "cut in a row": b'[{"id":1,"v":"a"}, \n {"id":2,"v":',
    "cut after a row": b'[{"id":1,"v":"a"}',
    "cut inside": b'[{"id":1,"v":"]',
    "html": b"<html>a page of somebody else</html>",
    "nothing": b"",
    "object": b'{"id":1,"v":"a"}',
    "null": b"null",
    "number": b"7",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "no rows": b"[1, 2]",
    "another column": b'[{"id":1,"v":"a","w":1}]',
    "another type": b'[{"id":"one","v":"a"}]',
    "no utf-8": b'[{"id":1,"v":"\xff\xfe"}]',
}
DAMAGED = {
    **{name: Answer(body=body) for name, body in BODIES.items()},
    "fewer rows": Answer(body=b'[{"id":1,"v":"a"}]', headers={"Content-Range": "0-99/*"}),
    "none of its rows": Answer(body=b"[]", headers={"Content-Range": "0-99/*"}),
    "an end without a count": Answer(body=b"[]"),
    "short": Answer(body=b'[{"id":1,"v":"a"}] ' + b" " * 900, cut=17),
    "cut gzip": Answer(
        body=gzip.compress(b'[{"id":1,"v":"a"}, \n {"id":2,"v":"b"}]')[:-16],
        headers={"Content-Encoding": "gzip"},
    ),
    "no number of seconds": Answer(status=429, headers={"Retry-After": "\u00b2"}),
    "no gzip": Answer(body=b"[]", headers={"Content-Encoding": "gzip"}),
}
NO_ROOTS = {"no definitions": Answer(body=b'{"definitions": {"rows": 7}}')}


@pytest.mark.parametrize("kind", [*PASSING, *DAMAGED])
def test_what_passes_is_asked_again_and_never_data(stub: Stub, project: Project, kind: str) -> None:
    stub.cap = 100
    stub.once((PASSING | DAMAGED)[kind], is_second_page)
    assert project.extract().failed == [], project.heard.text
    assert_all(project)
    filters = [page.params.get("and") for page in stub.pages]
    assert filters[1] == filters[2], "the page was not asked for again"


@pytest.mark.parametrize("kind", [*PASSING, *DAMAGED])
def test_what_stays_stops_the_run(stub: Stub, project: Project, kind: str) -> None:
    stub.cap = 100
    stub.always((PASSING | DAMAGED)[kind], is_second_page)
    with pytest.raises(Stopped) as stopped:
        project.extract()
    assert stopped.value.exit_code == 3
    assert stopped.value.hint == "completed work is kept; run again: stages extract"
    assert KEY not in str(stopped.value)
    manifest = project.manifest("rows")
    assert (manifest["status"], manifest["parts"]) == ("reading", [])
    assert not project.files("rows")

    stub.script = lambda request: None
    project.extract()
    assert_all(project)


@pytest.mark.parametrize(
    "kind", [*PASSING, "html", "nothing", "no utf-8", "cut gzip", "null", "deep", "no definitions"]
)
def test_root_that_fails_is_asked_again(stub: Stub, project: Project, kind: str) -> None:
    answer = (PASSING | DAMAGED | NO_ROOTS)[kind]
    stub.once(answer, is_root)
    assert project.extract().failed == []
    assert_all(project)
    stub.always(answer, is_root)
    with pytest.raises(Transient) as raised:
        project.extract()
    assert raised.value.exit_code == 3
    assert raised.value.hint


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for(stub: Stub, project: Project, status: int) -> None:
    answer = error(status, None, "slow down")
    stub.once(Answer(status=status, body=answer.body, headers={"Retry-After": "1"}), is_page)
    project.extract()
    assert_all(project)
    first, second = stub.pages[:2]
    assert 1.0 <= second.at - first.at < 10


# ── what does not pass ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (error(401, "PGRST303", "JWT expired"), "JWT expired"),
        (error(401, "PGRST301", "Expected 3 parts in JWT; got 1"), "Expected 3 parts in JWT"),
        (error(401, None, "Legacy API keys are disabled"), "Legacy API keys are disabled"),
        (error(401, None, "Invalid API key", "Double check your API key."), "Double check"),
        (error(401, None, "Invalid API key", "Only the `service_role` API key can be used for "
               "this endpoint."), "Only the `service_role` API key"),
        (error(403, None, "Invalid API key", "Only the `service_role` API key can be used for "
               "this endpoint."), "Only the `service_role` API key"),
        (Answer(status=401), "Unauthorized"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("when", ["root", "page"])
def test_key_that_is_refused(
    stub: Stub, project: Project, answer: Answer, words: str, when: str
) -> None:
    stub.always(answer, is_root if when == "root" else is_page)
    with pytest.raises(StagesError) as raised:
        project.extract()
    assert "refused SUPABASE_SERVICE_ROLE_KEY" in raised.value.message
    assert words in raised.value.message
    assert "copy the key of this project again" in (raised.value.hint or "")
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (error(403, "42501", "permission denied for table rows"), "403 for public.rows: "
         "permission denied", "grant SELECT"),
        (error(404, "PGRST205", "Could not find the table"), "404 for public.rows", "schema cache"),
        (error(406, "PGRST106", "Invalid schema: public"), "406 for public.rows", "exposed"),
        (error(400, "42703", "column rows.v does not exist"), "column rows.v does not exist",
         "stages check"),
        (error(400, "PGRST100", "failed to parse"), "PGRST100", "stages check"),
        (Answer(status=404, body=b"<html>not here</html>"), "404 for public.rows", "stages check"),
        (Answer(status=301, headers={"Location": "https://elsewhere"}), "301", "stages check"),
    ],
)  # fmt: skip
def test_error_of_one_table(
    stub: Stub, project: Project, answer: Answer, words: str, hint: str
) -> None:
    stub.always(answer, is_page)
    result = project.extract()
    sentence, arrow, way = result.tables["rows"]["error"].partition("\n  → ")
    assert words in sentence
    assert arrow
    assert hint in way
    assert len(stub.pages) == 1, "what does not pass was asked again"
    assert not project.files("rows")


@pytest.mark.parametrize(
    ("answer", "words", "hint"),
    [
        (error(402, None, "exceeded the free plan's quota"), "402", "dashboard"),
        (error(540, None, "project paused"), "540: project paused", "dashboard"),
        (error(404, "PGRST126", "Root endpoint metadata is disabled"), "PGRST126", "OpenAPI root"),
        (Answer(status=404, body=b"<html>not here</html>"), "404 for the API's root", "check"),
    ],
)
def test_error_of_the_whole_source(
    stub: Stub, project: Project, answer: Answer, words: str, hint: str
) -> None:
    stub.always(answer, is_root)
    with pytest.raises(StagesError) as raised:
        project.extract()
    assert words in raised.value.message
    assert hint in (raised.value.hint or "")
    assert len(stub.requests) == 1


def test_schema_that_is_not_exposed(stub: Stub, project: Project) -> None:
    """The root of another schema is refused: each of its tables says so, the others are read."""
    project.plan(rows={}, hidden={"table": "private.hidden"})
    refused = error(406, "PGRST106", "Invalid schema: private", "Only public is exposed")
    roots = iter([refused, None])  # the schemas in their order
    stub.script = lambda request: (
        next(roots) if is_root(request) else refused if request.table == "hidden" else None
    )
    result = project.extract()
    assert result.failed == ["hidden"]
    assert "Only public is exposed" in result.tables["hidden"]["error"]
    assert "exposed schemas" in result.tables["hidden"]["error"]
    assert_all(project)


def test_table_that_the_api_has_not_noticed_yet(stub: Stub, project: Project) -> None:
    stub.always(Answer(body=json.dumps({"definitions": {}}).encode()), is_root)
    message = project.extract().tables["rows"]["error"]
    assert "its columns are not listed" in message
    assert "reload schema" in message


# ── short pages ─────────────────────────────────────────────────────────────────────────────


def test_silent_cap_ends_nothing(stub: Stub, project: Project) -> None:
    stub.cap = 7
    assert project.extract().failed == []
    assert_all(project)
    assert len(stub.pages) == -(-TOTAL // 7) + 1


def test_short_page_in_the_middle_ends_nothing(stub: Stub, project: Project) -> None:
    stub.cap = 100
    stub.once(stub.page(stub.rows[100:101]), is_second_page)
    assert project.extract().failed == []
    assert_all(project)


def test_answers_that_never_change_end_the_table(stub: Stub, project: Project) -> None:
    """Such as those of a cache that does not look at the query."""
    stub.always(stub.page(stub.rows[:50]), is_page)
    assert "the same rows again" in project.extract().tables["rows"]["error"]
    assert len(stub.pages) == 2
    assert not project.files("rows")


@pytest.mark.parametrize("lost", [0, 150, TOTAL - 1])
def test_rows_that_are_lost_are_noticed(stub: Stub, project: Project, lost: int) -> None:
    """The count before and after is the proof."""
    whole = list(stub.rows)

    def script(request: Request) -> Answer | None:
        stub.rows = whole if request.method == "HEAD" else whole[:lost] + whole[lost + 1 :]
        return None

    stub.script = script
    outcome = project.extract().tables["rows"]
    assert outcome["status"] == "failed"
    assert f"public.rows has {TOTAL} rows, but {TOTAL - 1} were read" in outcome["error"]
    assert "--restart" in outcome["error"]
    assert project.manifest("rows")["status"] == "reading"


def test_no_count_is_no_proof(stub: Stub, project: Project) -> None:
    stub.always(Answer(headers={"Content-Range": "0-0/*"}), is_count)
    assert "gave no count" in project.extract().tables["rows"]["error"]


@pytest.mark.parametrize(
    ("head", "get", "words"),
    [
        (Answer(status=403), error(403, "42501", "permission denied for table users"), "grant"),
        (Answer(status=500), TIMEOUT, "takes longer than the server allows"),
        (Answer(status=404), error(404, "42P01", "relation does not exist"), "42P01"),
    ],
)
def test_count_that_fails_without_a_code(
    stub: Stub, project: Project, head: Answer, get: Answer, words: str
) -> None:
    """As of PostgREST 12, or behind an edge that strips Proxy-Status: a HEAD has no body, so that
    a GET is to say what it is. It is the table's failure, and no wrong key."""
    stub.script = lambda request: (
        head
        if is_count(request)
        else get
        if request.table and "order" not in request.params
        else None
    )
    assert words in project.extract().tables["rows"]["error"]


@pytest.mark.parametrize("after", [TOTAL + 5, TOTAL - 1])
def test_fewer_rows_than_at_either_count(stub: Stub, project: Project, after: int) -> None:
    """Rows came or went meanwhile, which is no reason for these to be missing."""
    counts = iter([TOTAL, after])
    whole = list(stub.rows)

    def script(request: Request) -> Answer | None:
        stub.rows = whole[:100] + whole[105:]
        if is_count(request):
            return Answer(headers={"Content-Range": f"0-0/{next(counts)}"})
        return None

    stub.script = script
    outcome = project.extract().tables["rows"]
    assert outcome["status"] == "failed"
    assert f"had {TOTAL:,} rows before and {after:,} after" in outcome["error"]


def test_an_inferred_key_that_is_not_unique(stub: Stub, project: Project) -> None:
    stub.rows[50] = {"id": 50, "v": "again"}
    assert "is not unique" in project.extract().tables["rows"]["error"]


def test_error_of_a_table_is_shown_once(
    stub: Stub, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although many workers meet it in their gaps of that table."""
    monkeypatch.setattr(table_extract, "LEAST_SPLIT", 1)
    monkeypatch.setattr(rest.RestSession, "split", lambda *_: [[str(n)] for n in (30, 60, 90)])
    stub.always(error(403, "42501", "permission denied"), is_page)
    project.extract(jobs=4)
    assert project.heard.text.count("permission denied") == 1


# ── keys, at the stand-in ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["anon_key", "publishable_key"])
def test_keys_that_row_security_limits_are_named(
    database: Database, rest: str, tmp_path: Path, kind: str
) -> None:
    """By the settings, before anything is asked; and by the server, where these let it pass."""
    key = database.secrets[kind]
    with pytest.raises(UserError, match="row security would hide rows") as refused:
        check_key(key, "SUPABASE_SERVICE_ROLE_KEY")
    assert kind.removesuffix("_key") in refused.value.message
    source = Source(ref="local", url=rest, key=Secret(key), db_url=None)
    project = Project(tmp_path, source)
    project.plan(rows={})
    with pytest.raises(StagesError, match="Only the `service_role` API key"):
        project.extract()


def test_secret_key_reads_as_the_service_role_does(
    database: Database, rest: str, tmp_path: Path
) -> None:
    database.sql(
        "CREATE TABLE public.by_secret (id int PRIMARY KEY);INSERT INTO public.by_secret VALUES (1)"
    )
    key = Secret(database.secrets["secret_key"])
    project = Project(tmp_path, Source(ref="local", url=rest, key=key, db_url=None))
    project.plan(by_secret={})
    assert project.extract().failed == []
    assert project.column("by_secret", "id") == [1]
    database.sql("DROP TABLE public.by_secret")
