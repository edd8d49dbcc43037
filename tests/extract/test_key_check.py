"""The key is proven with the vendor's own client: on the stand-in, and on a stub for Storage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import jwt
import pytest

from stages.extract.catalog import Reading
from stages.extract.key_check import prove_key
from stages.extract.types import Column
from stages.project.settings import Secret, Source
from stages.sandbox import State
from tests.support.serving import LocalServer, QuietHandler, served

ARTICLES = Reading(
    source="articles",
    schema="public",
    name="articles",
    columns=(Column(name="id", type="uuid"),),
    key=("id",),
    where=None,
)


def source(state: State) -> Source:
    return Source(
        ref="here", url=state.source.url, key=Secret(state.source.service_role_key), db_url=None
    )


def test_a_service_key_opens_what_the_stand_in_serves(supabase: State) -> None:
    """Storage is not part of the stand-in, which is no fault of the key."""
    opened = {each.api: (each.ok, each.detail) for each in prove_key(source(supabase), ARTICLES)}
    assert opened == {
        "tables": (True, "reads articles"),
        "Auth": (True, "lists users"),
        "Storage": (True, "is not served here"),
    }


def test_a_key_of_another_project_is_refused_by_name(supabase: State) -> None:
    forged = jwt.encode({"role": "service_role", "ref": "x" * 20}, "x" * 32)
    opened = list(prove_key(replace(source(supabase), key=Secret(forged)), ARTICLES))
    assert [each.ok for each in opened[:2]] == [False, False]
    assert all(each.detail.startswith("refuses the key: ") for each in opened[:2])
    assert forged not in str(opened)


@contextmanager
def answering(status: int, body: object) -> Iterator[str]:
    """A server that gives one answer to everything."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self.reply(status, json.dumps(body).encode(), [("Content-Type", "application/json")])

    with served(LocalServer(Handler)) as server:
        yield server.url


NO_SUCH_API = {"statusCode": "404", "error": "Not found", "message": "no"}
REFUSED = {"statusCode": "403", "error": "Unauthorized", "message": "Invalid Compact JWS"}


@pytest.mark.parametrize(
    ("status", "body", "ok", "detail"),
    [
        (200, [], True, "lists buckets: 0"),
        (404, NO_SUCH_API, True, "is not served here"),
        (403, REFUSED, False, "refuses the key: Invalid Compact JWS (403)"),
        (200, None, False, "answers what its own client can't read"),
    ],
)
def test_what_storage_says(
    supabase: State, status: int, body: object, ok: bool, detail: str
) -> None:
    with answering(status, body) as url:
        (storage,) = (e for e in prove_key(replace(source(supabase), url=url), ARTICLES)
                      if e.api == "Storage")  # fmt: skip
    assert (storage.ok, storage.detail) == (ok, detail)
