"""No key or password of a trigger, a cron job or a default is in what init writes."""

from __future__ import annotations

import pytest

from stages.init.redaction import without_secrets
from tests.init.drifting import Blog
from tests.init.support import files_of

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f'headers := \'{{"Authorization": "Bearer {JWT}"}}\'', '"Bearer [hidden]"'),
        (f"'{JWT}'::text", "'[hidden]'::text"),
        ("'sb_secret_a1b2-c3'", "'[hidden]'"),
        ("'sk_live_0a1B2c'", "'[hidden]'"),
        ("'postgresql://app:s3cret@db.example/x'", "'postgresql://app:[hidden]@db.example/x'"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, hidden: str) -> None:
    assert hidden in without_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "((a)::jsonb @> (b)::jsonb)", "CHECK (email ~ '^[^@]+@[^@]+$'::text)", "'draft'::text",
        "nextval('orders_id_seq'::regclass)", "'https://shop.example/a:b@c'",
    ],
)  # fmt: skip
def test_anything_else_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_a_webhook_s_key_is_in_no_file(blog: Blog) -> None:
    blog.alter(
        "CREATE FUNCTION blog.call() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER hook AFTER INSERT ON blog.posts FOR EACH ROW "
        f"EXECUTE FUNCTION blog.call('https://shop.example', 'Bearer {JWT}')",
        f"ALTER TABLE blog.posts ADD COLUMN kept text DEFAULT '{JWT}'",
    )
    blog.run(apply=True)
    texts = [data.decode(errors="replace") for data in files_of(blog.folder).values()]
    assert not any(JWT in text for text in texts)
    assert any("Bearer [hidden]" in text for text in texts)
