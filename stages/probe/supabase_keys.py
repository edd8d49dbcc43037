"""What a service key opens, in which headers, and what the Auth service lists about users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

from stages.errors import StagesError
from stages.extract.auth_api import NO_SUCH_USER, PER_PAGE, USERS_PATH
from stages.extract.catalog import Reading, resolve_reading
from stages.extract.key_check import TABLES, Opened, prove_key
from stages.extract.rest_responses import ErrorResponse, Response, error_for
from stages.probe.asking import CONNECT, SILENCE, Answer, Form, Odd, Unanswered, number_in
from stages.probe.checks import Checks, NotChecked, Seen
from stages.probe.project import BUCKETS, REST, Project
from stages.tls import trusted

AUTH = "Supabase 1: auth"
# How the result of a key check begins if the server is at fault.
UNABLE = ("does not answer", "does not work")
CHECKS: Checks[Project] = Checks()


@dataclass(frozen=True)
class Api:
    """One of the three APIs, and a request that any service key may make there."""

    name: str
    path: str
    params: Mapping[str, str]


REST_API = Api("tables", REST, {})
AUTH_API = Api("Auth", USERS_PATH, {"page": "1", "per_page": "1"})
STORAGE_API = Api("Storage", BUCKETS, {})
APIS = (REST_API, AUTH_API, STORAGE_API)


def not_served(answer: Answer) -> bool:
    """Whether the gateway does not serve this API, as on a stack without it."""
    return answer.status == 404 and not answer.body_code


def _open(project: Project, api: Api, form: Form) -> Answer:
    answer = project.ask(api.path, api.params, form=form)
    if not_served(answer) and api is not REST_API:
        raise NotChecked(f"{api.name} is not served: 404 without a code")
    return answer


def _opened_to(project: Project, api: Api, form: Form) -> Seen:
    answer = _open(project, api, form)
    return Seen(answer.said, answer.status == 200)


def _bearer_too(project: Project, api: Api) -> Seen:
    if not project.asking.key_is_secret:
        raise NotChecked("the key is a JWT, which is always sent as a bearer too")
    return _opened_to(project, api, "bearer too")


# ── which headers open what ─────────────────────────────────────────────────────────────────


@CHECKS.of(AUTH)
def tables_open_to_our_headers(project: Project) -> Seen:
    """The tables open to `apikey` alone with an `sb_secret_` key, and to `apikey` and `Bearer`
    with a JWT."""
    return _opened_to(project, REST_API, "ours")


@CHECKS.of(AUTH)
def tables_take_a_secret_key_as_bearer_too(project: Project) -> Seen:
    """The tables open to an `sb_secret_` key that is sent as `apikey` and as `Bearer`."""
    return _bearer_too(project, REST_API)


@CHECKS.of(AUTH)
def auth_opens_to_our_headers(project: Project) -> Seen:
    """Auth lists users to `apikey` alone with an `sb_secret_` key, and to `apikey` and `Bearer`
    with a JWT."""
    return _opened_to(project, AUTH_API, "ours")


@CHECKS.of(AUTH)
def auth_takes_a_secret_key_as_bearer_too(project: Project) -> Seen:
    """Auth lists users to an `sb_secret_` key that is sent as `apikey` and as `Bearer`."""
    return _bearer_too(project, AUTH_API)


@CHECKS.of(AUTH)
def storage_opens_to_our_headers(project: Project) -> Seen:
    """Storage lists buckets to `apikey` alone with an `sb_secret_` key, and to `apikey` and
    `Bearer` with a JWT."""
    return _opened_to(project, STORAGE_API, "ours")


@CHECKS.of(AUTH)
def storage_takes_a_secret_key_as_bearer_too(project: Project) -> Seen:
    """Storage lists buckets to an `sb_secret_` key that is sent as `apikey` and as `Bearer`."""
    return _bearer_too(project, STORAGE_API)


@CHECKS.of(AUTH)
def vendor_client_opens_all(project: Project) -> Seen:
    """The vendor's own client opens tables, Auth and Storage with the key."""
    reading = _any_reading(project)
    with httpx.Client(timeout=httpx.Timeout(SILENCE, connect=CONNECT), verify=trusted()) as http:
        opened = list(prove_key(project.source, reading, http))
    silent = [each.api for each in opened if each.detail.startswith(UNABLE)]
    if silent:
        raise Unanswered(f"{', '.join(silent)}: no answer that proves anything")
    return Seen(", ".join(map(_in_short, opened)), all(each.ok for each in opened))


def _any_reading(project: Project) -> Reading:
    for each in project.looked:
        if each.relation is not None and each.relation.columns and each.answer.status in (200, 206):
            try:
                return resolve_reading(each.entry, each.relation)
            except StagesError:
                continue
    raise NotChecked("the key reads no table of the plan")


def _in_short(opened: Opened) -> str:
    if opened.ok and opened.detail == "is not served here" and opened.api != TABLES:
        return f"{opened.api} is not served"
    return f"{opened.api} {'open' if opened.ok else 'closed'}"


# ── what is refused ─────────────────────────────────────────────────────────────────────────


@CHECKS.of(AUTH)
def a_key_of_no_project_is_refused(project: Project) -> Seen:
    """A key that no project has is refused: by tables and Auth with 401 and a JSON message without
    a `code`, which stages takes for a wrong key, and not for the failure of a table; by Storage
    with 400, 401 or 403."""
    return _refused(project, "wrong key")


@CHECKS.of(AUTH)
def a_request_without_a_key_is_refused(project: Project) -> Seen:
    """A request without a key is refused: by tables and Auth with 401 and a JSON message without a
    `code`, by Storage with 400, 401 or 403."""
    return _refused(project, "no key")


def _refused(project: Project, form: Form) -> Seen:
    seen, as_expected = [], True
    for api in APIS:
        answer = project.ask(api.path, api.params, form=form)
        if not_served(answer) and api is not REST_API:
            seen.append(f"{api.name} not served")
            continue
        if api is STORAGE_API:
            as_expected &= answer.status in (400, 401, 403)
        else:
            error = error_for(_response(answer), "")
            as_expected &= answer.status == 401 and not isinstance(error, ErrorResponse)
            as_expected &= _has_message(answer) and not answer.body_code
        seen.append(f"{api.name} {_refusal(answer)}")
    return Seen(", ".join(seen), as_expected)


def _refusal(answer: Answer) -> str:
    """Status, code and form of a refusal; the gateway's own code is in a header."""
    parts = [answer.said]
    if answer.headers.get("sb-error-code"):
        parts.append("and sb-error-code")
    if not answer.body:
        parts.append("and an empty body")
    elif not _has_message(answer):
        parts.append("without a message")
    return " ".join(parts)


def _has_message(answer: Answer) -> bool:
    try:
        return bool(answer.members().get("message"))
    except Odd:
        return False


def _response(answer: Answer) -> Response:
    return Response(status=answer.status, reason="", headers=answer.headers, body=answer.body)


@CHECKS.of(AUTH)
def a_browser_is_refused_a_secret_key(project: Project) -> Seen:
    """An `sb_secret_` key is refused with 401 where the User-Agent looks like a browser's."""
    if not project.asking.key_is_secret:
        raise NotChecked("the key is a JWT, which browsers may send")
    answer = _open(project, REST_API, "browser")
    return Seen(answer.said, answer.status == 401)


@CHECKS.of(AUTH)
def a_bearer_that_is_no_jwt_is_refused(project: Project) -> Seen:
    """A key with another `Bearer` that is no JWT is refused with 401."""
    answer = _open(project, REST_API, "odd bearer")
    return Seen(answer.said, answer.status == 401)


@CHECKS.of(AUTH)
def what_the_key_may_read(project: Project) -> Seen:
    """A table of the plan is read with 200, is missing with 404, or is not granted with 403 and
    42501; nothing else is answered."""
    counts = {"read": 0, "missing": 0, "not granted": 0}
    odd = []
    for each in project.looked:
        answer = each.answer
        if answer.status in (200, 206):
            counts["read"] += 1
        elif answer.status == 404 and answer.code in ("PGRST205", "42P01"):
            counts["missing"] += 1
        elif answer.status == 403 and answer.code == "42501":
            counts["not granted"] += 1
        else:
            odd.append(answer.said)
    if not project.looked:
        raise NotChecked("the plan has no table that PostgREST shows")
    words = [f"{count} {kind}" for kind, count in counts.items() if count]
    words += [f"{odd.count(said)} answered {said}" for said in sorted(set(odd))]
    return Seen(f"of {len(project.looked)} tables of the plan, {', '.join(words)}", not odd)


# ── users ───────────────────────────────────────────────────────────────────────────────────


def _users(project: Project, page: int, size: int) -> tuple[list[dict[str, Any]], str]:
    """A page of users, and the header with their total."""
    answer = project.ask(USERS_PATH, {"page": str(page), "per_page": str(size)})
    if not_served(answer):
        raise NotChecked("Auth is not served: 404 without a code")
    if answer.status != 200:
        raise Odd(answer.said)
    users = answer.members().get("users")
    if not isinstance(users, list) or not all(isinstance(user, dict) for user in users):
        raise Odd("200, without a list of users")
    return users, answer.headers.get("x-total-count", "")


def _first_user(project: Project) -> tuple[dict[str, Any], dict[str, Any]]:
    """One user as listed, and as fetched individually."""
    users, _ = _users(project, 1, 1)
    if not users:
        raise NotChecked("there are no users")
    alone = project.ask(f"{USERS_PATH}/{quote(str(users[0].get('id')), safe='')}")
    if alone.status != 200:
        raise Odd(f"a listed user is answered with {alone.said}")
    return users[0], alone.members()


@CHECKS.of(AUTH)
def users_are_counted(project: Project) -> Seen:
    """The list of users has their number as `x-total-count`."""
    _, total = _users(project, 1, 1)
    if (users := number_in(total)) is None:
        return Seen("no number in x-total-count", False)
    return Seen(f"{users:,} users", True)


@CHECKS.of(AUTH)
def pages_of_users_have_the_size_asked_for(project: Project) -> Seen:
    """A page of users has as many as were asked for with `per_page`, up to 500, and the page past
    the last one is empty."""
    _, text = _users(project, 1, 1)
    total = number_in(text)
    if not total:
        raise NotChecked("there are no users that are counted")
    size = PER_PAGE if total > 50 else max(1, total - 1)
    users, _ = _users(project, 1, size)
    past, _ = _users(project, total + 2, size)
    words = f"{size} of {total:,} asked for, {len(users)} came; past the end, {len(past)}"
    return Seen(words, len(users) == min(size, total) and not past)


@CHECKS.of(AUTH)
def identities_come_with_one_user_only(project: Project) -> Seen:
    """Users in a list come without identities, and one user alone with a list of them."""
    listed, alone = _first_user(project)
    in_list = "with" if listed.get("identities") else "without"
    has_list = isinstance(alone.get("identities"), list)
    words = f"in the list {in_list} identities, alone with{'' if has_list else 'out'} a list"
    return Seen(words, in_list == "without" and has_list)


@CHECKS.of(AUTH)
def password_hashes_never_come(project: Project) -> Seen:
    """No user comes with `encrypted_password`, or with a text that looks like a hash."""
    found = sum(map(_holds_hash, _first_user(project)))
    return Seen("a hash came" if found else "none, in a list and alone", not found)


def _holds_hash(value: Any) -> bool:
    if isinstance(value, dict):
        return "encrypted_password" in value or any(map(_holds_hash, value.values()))
    if isinstance(value, list):
        return any(map(_holds_hash, value))
    return isinstance(value, str) and value.startswith(("$2a$", "$2b$", "$2y$", "$argon2"))


@CHECKS.of(AUTH)
def an_unknown_user_is_not_found(project: Project) -> Seen:
    """A user who does not exist is answered with 404 and `user_not_found`."""
    answer = project.ask(f"{USERS_PATH}/{uuid4()}")
    if not_served(answer):
        raise NotChecked("Auth is not served: 404 without a code")
    return Seen(answer.said, answer.status == 404 and answer.code in NO_SUCH_USER)
