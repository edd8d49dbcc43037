"""Each check of the HTTP APIs: confirmed on the stand-in, and seen to differ where it answers
otherwise."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest

from stages.probe import asking, supabase
from stages.probe.checks import Check, Checks
from stages.probe.findings import Finding
from stages.probe.project import Project
from stages.probe.run import all_checks
from stages.probe.source import probe_source, source_checks, words_of
from stages.probe.supabase_pages import NO_COLUMN, NO_TABLE
from stages.project.plan import Plan
from stages.project.plan_reader import load_plan
from stages.project.settings import Secret, Source
from stages.sandbox import State
from tests.probe.in_front import (
    BUCKET,
    PLANTED,
    Alter,
    Answer,
    InFront,
    Request,
    reply,
    when,
    with_body,
    with_header,
    with_status,
    with_values,
)
from tests.support.command_line import ROOT

CHECKS: dict[str, Check[Project]] = {
    check.name: check for checks in supabase.CHECKS for check in checks
}
MEASUREMENTS = {
    "how-long-a-request-takes",
    "how-small-a-page-is-on-the-wire",
    "how-far-the-clocks-are-apart",
}


def rest(request: Request) -> bool:
    return request.of("rest")


def auth(request: Request) -> bool:
    return request.of("auth")


def storage(request: Request) -> bool:
    return request.of("storage")


def root(request: Request) -> bool:
    return request.path == "/rest/v1/"


def listing(request: Request) -> bool:
    return request.method == "POST"


def asks_for(text: str) -> Any:
    return lambda request: rest(request) and text in request.query


def has(name: str, text: str) -> Any:
    return lambda request: text in request.headers.get(name, "")


def has_bearer(api: str) -> Any:
    return lambda request: request.of(api) and request.has_bearer


def head(request: Request) -> bool:
    return request.method == "HEAD"


def without_range_if_empty(request: Request, answer: Answer) -> Answer:
    empty = answer.body == b"[]"
    return with_header("content-range", None)(request, answer) if empty else answer


def users(**members: Any) -> Alter:
    """Listed users with these members besides."""
    return with_body(
        lambda page: (
            {**page, "users": [{**user, **members} for user in page["users"]]}
            if "users" in page
            else page
        )
    )


def files(change: Any) -> Alter:
    return when(listing, with_body(lambda page: {**page, "objects": change(page["objects"])}))


OTHERWISE: dict[str, Alter] = {
    "tables-open-to-our-headers": when(rest, reply(401)),
    "tables-take-a-secret-key-as-bearer-too": when(has_bearer("rest"), reply(401, "PGRST301")),
    "auth-opens-to-our-headers": when(auth, reply(403, "not_admin")),
    "auth-takes-a-secret-key-as-bearer-too": when(has_bearer("auth"), reply(401)),
    "storage-opens-to-our-headers": when(storage, reply(400, "InvalidJWT")),
    "storage-takes-a-secret-key-as-bearer-too": when(has_bearer("storage"), reply(400)),
    "vendor-client-opens-all": when(auth, reply(403, "not_admin")),
    "a-key-of-no-project-is-refused": when(has("apikey", "0" * 22), reply(403, "not_admin")),
    "a-request-without-a-key-is-refused": when(
        lambda request: "apikey" not in request.headers, reply(200, content=[])
    ),
    "a-bearer-that-is-no-jwt-is-refused": when(has_bearer("rest"), reply(200, content=[])),
    "a-browser-is-refused-a-secret-key": when(
        has("user-agent", "Mozilla"), reply(200, content=[])
    ),
    "what-the-key-may-read": when(asks_for("limit"), reply(406, "PGRST106")),
    "users-are-counted": with_header("x-total-count", None),
    "pages-of-users-have-the-size-asked-for": when(
        auth, with_body(lambda page: {**page, "users": page["users"][:1]})
    ),
    "identities-come-with-one-user-only": when(auth, users(identities=[{"id": PLANTED}])),
    "password-hashes-never-come": when(auth, users(secret={"of": ["$2a$10$" + PLANTED]})),
    "an-unknown-user-is-not-found": when(auth, reply(400, "validation_failed")),
    "a-long-page-is-cut-with-200": when(
        asks_for("limit=5000"), with_header("content-range", "0-4999/*")
    ),
    "a-page-says-how-many-rows-it-holds": when(
        asks_for("limit=2"), with_header("content-range", None)
    ),
    "an-empty-page-has-a-range": without_range_if_empty,
    "an-offset-past-the-count-is-out-of-range": when(
        asks_for("offset=2000000000"), reply(200, content=[])
    ),
    "a-head-counts-exactly": when(head, with_header("content-range", "0-0/77")),
    "keys-filter-and-order-in-quotes": when(asks_for(".desc"), with_body(lambda rows: rows[::-1])),
    "rows-have-places-and-versions": when(asks_for("ctid"), reply(400, "42703")),
    "a-missing-table-is-404": when(lambda r: NO_TABLE in r.path, reply(400, "42P01")),
    "a-head-has-its-error-code-in-a-header": when(head, with_header("proxy-status", None)),
    "a-missing-column-is-400": when(asks_for(NO_COLUMN), reply(400, "PGRST204")),
    "a-filter-that-is-none-is-400": when(asks_for("and=(&"), reply(200, content=[])),
    "a-schema-not-exposed-is-406": when(has("accept-profile", "auth"), reply(404, "PGRST205")),
    "a-long-request-line-passes": when(lambda r: len(r.query) > 5000, reply(414)),
    "the-time-zone-asked-for-is-honoured": with_header("preference-applied", None),
    "moments-come-in-the-time-zone-asked-for": when(
        has("prefer", "Kolkata"), with_values("2026-01-01T00:00:00+00:00")
    ),
    "a-row-hash-proves-the-digits-of-floats": when(asks_for("hash_record"), reply(404, "42883")),
    "bytes-are-printed-as-hex": when(asks_for("::bytea"), with_values(r"\000\377")),
    "intervals-are-printed-in-postgres-style": when(asks_for("::interval"), with_values("PT1H")),
    "moments-as-text-are-iso": when(asks_for("::text"), with_values("01/02/2026 00:00:00 UTC")),
    "casts-are-kept": when(asks_for("::text"), with_values(5)),
    "the-root-opens-to-a-service-key": when(root, reply(404, "PGRST126")),
    "the-version-is-one-that-was-measured": when(
        root, with_body(lambda document: {**document, "info": {"version": "11.2.0"}})
    ),
    "columns-are-listed-with-types-and-keys": when(
        root, with_body(lambda document: {**document, "definitions": {}})
    ),
    "connections-are-kept": with_header("connection", "close"),
    "buckets-are-listed": when(storage, reply(200, content=[{"name": PLANTED}])),
    "files-are-listed-flat-by-a-cursor": files(lambda found: [{"name": PLANTED}]),
    "a-page-of-files-has-1000-at-most": files(lambda found: [*found, {"name": PLANTED}]),
    "files-are-in-the-order-of-their-bytes": files(lambda found: found[::-1]),
    "files-are-listed-with-size-and-etag": files(
        lambda found: [{"name": each["name"]} for each in found]
    ),
    "a-part-of-a-file-is-206": when(has("range", "bytes"), with_status(200)),
    "the-etag-of-a-small-file-is-its-md5": when(storage, with_header("etag", '"0-2"')),
    "a-missing-file-is-400-with-404-inside": when(
        lambda r: f"/authenticated/{BUCKET}/" in r.path, reply(404, "NoSuchKey")
    ),
    "a-key-with-an-empty-folder-is-kept": when(lambda r: "//" in r.path, reply(400, "NoSuchKey")),
}  # fmt: skip


@pytest.fixture(autouse=True)
def as_it_is(front: InFront) -> Iterator[None]:
    """What a test has altered is not altered in the next one."""
    yield
    front.alter = lambda request, answer: answer


def look(name: str, source: Source, plan: Plan) -> Finding:
    """What one check finds."""
    only: Checks[Project] = Checks()
    only.of(CHECKS[name].section)(CHECKS[name].look)
    project = Project(source, plan)
    try:
        return next(only.run(project, words_of))
    finally:
        project.close()


def shows_nothing(finding: Finding, source: Source) -> bool:
    """Whether a finding's words hold nothing of the source."""
    assert source.url
    assert source.key
    port = source.url.rpartition(":")[2]
    hidden = [PLANTED, source.key.reveal(), source.ref, "127.0.0.1", port]
    return not any(text in finding.seen for text in hidden)


def http_only(source: Source) -> Source:
    return replace(source, db_url=None)


@pytest.mark.parametrize("kind", ["secret", "jwt"])
def test_everything_holds_on_the_stand_in(
    supabase: State, source: Source, plan: Plan, kind: str
) -> None:
    if kind == "jwt":
        source = replace(source, key=Secret(supabase.source.service_role_key))
    findings = list(probe_source(http_only(source), plan))
    assert [finding.name for finding in findings] == list(CHECKS)
    odd = [f"{f.name}: {f.seen}" for f in findings if f.verdict in ("differs", "failed")]
    assert not odd
    unseen = {finding.name for finding in findings if finding.verdict == "not checked"}
    assert unseen == (set() if kind == "secret" else {name for name in CHECKS if "secret" in name})
    assert {f.name for f in findings if f.verdict == "measured"} == MEASUREMENTS
    assert all(shows_nothing(finding, source) for finding in findings)


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_check_differs_where_the_server_answers_otherwise(
    front: InFront, source: Source, plan: Plan, name: str
) -> None:
    front.alter = OTHERWISE[name]
    finding = look(name, source, plan)
    assert finding.verdict == "differs", finding.seen
    assert shows_nothing(finding, source), finding.seen


def test_each_check_has_a_server_that_answers_otherwise() -> None:
    assert set(OTHERWISE) == set(CHECKS) - MEASUREMENTS


@pytest.mark.parametrize("status", [503, 540])
def test_a_server_that_is_not_able_to_answer_proves_nothing(
    front: InFront, source: Source, plan: Plan, status: int
) -> None:
    front.alter = when(rest, reply(status))
    finding = look("tables-open-to-our-headers", source, plan)
    assert (finding.verdict, finding.seen) == ("failed", str(status))


@pytest.mark.parametrize(
    "alter",
    [
        reply(200, content=PLANTED),
        reply(200, content=[PLANTED]),
        reply(200, content={PLANTED: PLANTED}),
        reply(400, "an odd code"),
        lambda request, answer: replace(answer, body=PLANTED.encode()),
        lambda request, answer: replace(answer, body=b"[" * 5000),
        lambda request, answer: replace(
            answer, headers=dict.fromkeys(answer.headers, PLANTED)
        ),
        lambda request, answer: replace(
            answer, headers=dict.fromkeys(answer.headers, "9" * 5000)
        ),
    ],
    ids=["a text", "texts", "odd members", "an odd code", "no JSON", "too deep", "odd headers",
         "long numbers"],
)  # fmt: skip
def test_no_answer_breaks_a_probe_or_is_shown(
    front: InFront, source: Source, plan: Plan, alter: Alter
) -> None:
    front.alter = alter
    findings = list(probe_source(http_only(source), plan))
    assert len(findings) == len(CHECKS)
    assert "differs" in {finding.verdict for finding in findings}
    shown = [finding for finding in findings if not shows_nothing(finding, source)]
    assert not shown


def test_what_the_vendor_client_can_not_ask_proves_nothing(
    front: InFront, source: Source, plan: Plan
) -> None:
    front.alter = when(has("x-client-info", "supabase"), reply(502))
    finding = look("vendor-client-opens-all", source, plan)
    assert finding.verdict == "failed", finding.seen
    assert "Auth" in finding.seen


def test_a_missing_code_of_a_head_is_no_difference_in_version_12(
    front: InFront, source: Source, plan: Plan
) -> None:
    older = when(root, with_body(lambda document: {**document, "info": {"version": "12.2"}}))
    bare = when(head, with_header("proxy-status", None))
    front.alter = lambda request, answer: older(request, bare(request, answer))
    assert look("a-head-has-its-error-code-in-a-header", source, plan).verdict == "confirmed"


def test_a_server_that_hangs_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, source: Source, plan: Plan
) -> None:
    monkeypatch.setattr(asking, "SILENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        first, *others = probe_source(replace(http_only(source), url=url), plan)
    assert first.verdict == "failed" and re.fullmatch(r"no answer within \d s", first.seen)
    assert {(f.verdict, f.seen) for f in others} == {
        ("not checked", "the project does not answer")
    }  # fmt: skip


def test_a_probe_ends_with_its_time(
    monkeypatch: pytest.MonkeyPatch, source: Source, plan: Plan
) -> None:
    project = Project(source, plan, budget=0)
    try:
        findings = [f for checks in supabase.CHECKS for f in checks.run(project, words_of)]
    finally:
        project.close()
    assert {f.verdict for f in findings} == {"failed"}
    assert "no time left" in findings[0].seen


def test_a_plan_without_rows_leaves_out_what_needs_them(source: Source, plan: Plan) -> None:
    empty = f"{PLANTED}_empty"
    findings = list(
        probe_source(
            http_only(source), replace(plan, sources={empty: plan.sources[empty]})
        )
    )  # fmt: skip
    unseen = {finding.seen for finding in findings if finding.verdict == "not checked"}
    assert "no table of the plan has rows that the key reads" in unseen
    assert not [f for f in findings if f.verdict in ("differs", "failed")]


def test_nothing_differs_on_the_sandbox(supabase: State) -> None:
    """With the shipped plan, on both sides. There is no Storage."""
    there = supabase.source
    source = Source(
        ref=there.ref, url=there.url, key=Secret(there.secret_key), db_url=Secret(there.db_url)
    )
    findings = list(probe_source(source, load_plan(ROOT / ".planning/migrations/plan.toml")))
    assert [finding.name for finding in findings] == [check.name for check in source_checks()]
    odd = [f"{f.name}: {f.seen}" for f in findings if f.verdict in ("differs", "failed")]
    assert not odd
    unseen = {finding.seen for finding in findings if finding.verdict == "not checked"}
    assert "Storage is not served: 404 without a code" in unseen


def test_names_and_expectations_can_be_printed() -> None:
    checks = list(source_checks())
    named = {(check.section, check.name) for check in (*all_checks(), *checks)}
    assert len({name for _, name in named}) == len(named)
    sections = [section for section, _ in groupby(check.section for check in checks)]
    assert len(set(sections)) == len(sections)  # each is one list on the page
    for check in checks:
        assert re.fullmatch(r"[A-Z`].*\.", check.expected), check.name
        assert re.fullmatch(r"(Supabase|Auth|Storage) \d: [\w ]+", check.section)
