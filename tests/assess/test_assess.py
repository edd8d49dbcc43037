"""A hundred tables, looked at directly and over REST."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from stages import AssessedTable, Assessment, Risk
from stages.assess.assessment import VERDICTS
from stages.assess.markdown import as_markdown
from stages.assess.run import AssessOptions, assess
from stages.assess.text import as_text
from stages.progress import Silent
from stages.project.settings import Secret, Source
from tests.extract.support import Database


def table(assessment: Assessment, name: str) -> AssessedTable:
    (found,) = [each for each in assessment.tables if each.name == f"public.{name}"]
    return found


def risks(assessment: Assessment, rule: str) -> dict[str, tuple[str, int | None, int | None]]:
    """`table.column` → what it rests on, how many show it of how many."""
    return {
        ".".join([each.table.removeprefix("public."), *each.columns]): (
            each.basis, each.seen, each.looked,
        )
        for each in assessment.risks
        if each.rule == rule
    }  # fmt: skip


def rebuild(assessment: Assessment, kind: str) -> tuple[int, dict[str, int]]:
    """How many there are, and on which tables how many."""
    (found,) = [each for each in assessment.rebuild if each.kind == kind]
    return found.count, {n.removeprefix("public."): c for n, c in found.tables.items()}


# ── what is there ───────────────────────────────────────────────────────────────────────────


def test_a_hundred_tables_are_counted_and_measured(directly: Assessment) -> None:
    assert len(directly.tables) == 101
    assert (directly.format, directly.transport, directly.partial) == (1, "postgres", False)
    assert directly.skipped == ()
    plain = table(directly, "plain_7")
    assert (plain.rows, plain.rows_are, plain.key, plain.columns) == (3, "counted", ("id",), 3)
    assert plain.bytes and plain.index_bytes and plain.analyzed
    # A document of three fields, by Convex' own measure: 63 and each name, 1 and the value.
    assert plain.document_bytes == 63 + (3 + 38) + (6 + 2 + 8) + (5 + 9)
    assert table(directly, "logs").rows == 60, "partitions are their parent's"
    assert (table(directly, "animals").rows, table(directly, "dogs").rows) == (1, 2)
    names = {each.name for each in directly.tables}
    assert not names & {"public.logs_2024", "public.few", "public.fewer"}
    many = table(directly, "many")
    assert (many.rows, many.rows_are, many.sampled) == (8000, "estimated", 1000)
    assert many.empty_columns == ("nothing",)
    uncounted = table(directly, "uncounted")
    assert uncounted.rows_are == "estimated" and not uncounted.analyzed
    assert 7_000 < (uncounted.rows or 0) < 11_000, "by the rows of a few pages"
    assert not table(directly, "never_analyzed").analyzed
    assert table(directly, "promos").idle and not table(directly, "labels").idle
    assert {each.column for each in directly.large_columns[:2]} == {"word"}


def test_what_the_data_will_meet_is_counted(directly: Assessment) -> None:
    def found(rule: str) -> dict[str, tuple[str, int | None, int | None]]:
        return risks(directly, rule)

    assert found("documents_too_large") == {"all_large": ("sample", 2, 2)}
    assert found("document_too_large") == {"some_large": ("sample", 1, 9)}
    assert found("array_too_long") == {
        "json_values.j": ("sample", 1, 8), "long_lists.list": ("sample", 1, 3),
        "many.list": ("statistics", None, None),
    }  # fmt: skip
    assert found("json_key_refused") == {
        "json_values.j": ("sample", 3, 8), "json_values.text_json": ("sample", 1, 8),
    }  # fmt: skip
    assert found("json_too_deep") == {"json_values.j": ("sample", 1, 8)}
    assert found("json_too_many_fields") == {"json_values.j": ("sample", 1, 8)}
    assert found("inexact_number") == {
        "json_values.j": ("sample", 1, 8), "json_values.text_json": ("sample", 1, 8),
        "long_lists.prices": ("sample", 1, 3), "numbers.odd": ("sample", 1, 4),
        "numbers.price": ("sample", 2, 4),
    }  # fmt: skip
    assert found("integer_beyond_float64") == {
        "long_lists.numbers": ("sample", 1, 3), "numbers.large": ("sample", 2, 4),
        "many.n": ("statistics", None, None),
    }  # fmt: skip
    assert found("infinite_date") == {
        "moments.day": ("sample", 1, 3), "moments.at": ("sample", 1, 3),
        "many.day": ("statistics", None, None),
    }  # fmt: skip
    assert found("date_before_christ") == {
        "moments.day": ("sample", 1, 3), "moments.plain": ("sample", 1, 3),
    }  # fmt: skip
    assert found("too_many_columns") == {"wide": ("catalog", None, None)}
    assert set(found("no_key")) == {"keyless", "dogs", "wide"}
    assert found("secret_name") == {"users.password_hash.api_key": ("name", None, None)}
    assert found("personal_name") == {"users.email": ("name", None, None)}


def test_references_are_proven_by_their_values(directly: Assessment) -> None:
    assert risks(directly, "implicit_reference") == {
        "invoices.customer_id": ("sample", 17, 20), "invoices.customer_slug": ("sample", 20, 20),
        "invoices.created_by": ("sample", 20, 20), "invoices.label_ids": ("sample", 20, 20),
    }  # fmt: skip
    texts = [each.text for each in directly.risks if "customer_slug" in each.columns]
    assert texts[0].startswith("refers to public.customers.slug, and no foreign key says so")
    assert risks(directly, "orphans") == {"visits.customer": ("sample", 1, 2)}
    assert set(risks(directly, "required_cycle")) == {"eggs", "hens", "nodes"}


def test_what_postgres_does_is_listed_with_its_counterpart(directly: Assessment) -> None:
    assert rebuild(directly, "policy") == (2, {"ruled": 2})
    assert rebuild(directly, "trigger") == (1, {"ruled": 1})
    assert rebuild(directly, "webhook") == (1, {"ruled": 1})
    assert rebuild(directly, "check") == (1, {"ruled": 1}), "IN (…) is a union of literals"
    assert rebuild(directly, "exclusion") == (1, {"ruled": 1})
    assert rebuild(directly, "unique") == (2, {"customers": 1, "ruled": 1})
    assert rebuild(directly, "cascade") == (1, {"visits": 1})
    assert rebuild(directly, "generated column") == (2, {"pages": 1, "ruled": 1})
    assert rebuild(directly, "sequence") == (1, {"pages": 1})
    assert rebuild(directly, "full-text index") == (1, {"pages": 1})
    assert rebuild(directly, "vector index") == (1, {"pages": 1})
    assert rebuild(directly, "other index") == (1, {"pages": 1})
    assert rebuild(directly, "partition") == (2, {"logs": 2})
    assert rebuild(directly, "inheritance") == (1, {"animals": 1})
    assert rebuild(directly, "realtime") == (2, {"labels": 1, "pages": 1})
    assert rebuild(directly, "row security") == (1, {"ruled": 1})
    for kind in ("function", "cron job", "file policy", "extension"):
        assert rebuild(directly, kind) == (1, {}), kind
    assert rebuild(directly, "view")[0] == 2
    (extension,) = [each for each in directly.rebuild if each.kind == "extension"]
    assert (extension.names, extension.counterpart) == (("vector",), "vector: .vectorIndex().")


def test_verdicts_are_the_worst_of_the_reasons(directly: Assessment) -> None:
    verdicts = {each.name.removeprefix("public."): each.verdict for each in directly.tables}
    assert verdicts["wide"] == verdicts["all_large"] == "not possible"
    assert verdicts["ruled"] == verdicts["json_values"] == verdicts["some_large"] == "work"
    for name in ("numbers", "moments", "keyless", "invoices", "visits", "hens", "users", "animals"):
        assert verdicts[name] == "decisions", name
    assert verdicts["plain_1"] == verdicts["logs"] == verdicts["customers"] == "ready"
    assert table(directly, "customers").reasons == ("1 unique rule",)
    assert table(directly, "json_values").reasons[:2] == (
        "arrays over 8,192 items (j)", "JSON keys that Convex refuses (j, text_json)",
    )  # fmt: skip
    assert dict(directly.verdicts) == {
        "ready": 82, "unknown": 0, "decisions": 11, "work": 6, "not possible": 2,
    }  # fmt: skip
    order = [each.verdict for each in directly.tables]
    assert order == sorted(order, key=VERDICTS.index, reverse=True)


def test_users_and_files_are_counted(directly: Assessment) -> None:
    users = directly.users
    assert users is not None
    assert dataclasses.asdict(users) == {
        "users": 9, "counted": 9, "providers": {"email": 4, "google": 3},
        "passwords": {
            "bcrypt": 3, "none": 2, "argon2": 1, "encrypted": 1, "firebase scrypt": 1, "other": 1,
        },
        "confirmed": 4, "anonymous": 1, "banned": 1, "deleted": 1, "sso": 1, "mfa": 1,
        "same_email": 2,
    }  # fmt: skip
    assert directly.buckets is not None
    assert [dataclasses.astuple(each) for each in directly.buckets] == [
        ("avatars", True, 2, 1000), ("empty", False, 0, 0), ("invoices", False, 1, 0),
    ]  # fmt: skip


def test_the_cost_is_that_of_the_documents(directly: Assessment) -> None:
    cost = directly.cost
    assert cost.documents == sum(each.rows or 0 for each in directly.tables)
    assert cost.stored_bytes == sum(each.stored_bytes or 0 for each in directly.tables)
    assert list(cost.minutes) == ["4 MiB/s", "8 MiB/s", "32 MiB/s", "64 MiB/s"]
    assert cost.minutes["4 MiB/s"] == pytest.approx(cost.written_bytes / 2**20 / 4 / 60)
    assert cost.calls >= len([each for each in directly.tables if each.rows])
    assert cost.road == "import" and "cycle" in cost.why[0]


# ── over REST ───────────────────────────────────────────────────────────────────────────────


def test_rest_says_what_it_can_and_no_more(directly: Assessment, over_rest: Assessment) -> None:
    assert over_rest.partial and over_rest.transport == "rest"
    assert over_rest.rebuild == () and over_rest.statistics_since is None
    for rule in (
        "document_too_large", "json_key_refused", "json_too_deep", "json_too_many_fields",
        "inexact_number", "date_before_christ", "documents_too_large", "required_cycle",
        "no_key", "secret_name",
    ):  # fmt: skip
        assert risks(over_rest, rule) == risks(directly, rule), rule
    for name in ("json_values", "numbers", "moments", "some_large", "plain_3"):
        assert table(over_rest, name).rows == table(directly, name).rows
        sizes = table(over_rest, name).document_bytes, table(directly, name).document_bytes
        assert sizes[0] == pytest.approx(sizes[1], rel=0.1), name
    assert "invoices.label_ids" in risks(over_rest, "implicit_reference")
    users = over_rest.users
    assert users is not None and users.passwords is None
    assert (users.users, users.banned, users.anonymous, users.same_email) == (9, 1, 1, 2)
    assert dict(users.providers) == {"email": 9, "google": 4}
    assert "read over REST" in as_text(over_rest)


# ── what is shown ───────────────────────────────────────────────────────────────────────────


def test_no_value_of_a_row_is_shown(directly: Assessment, over_rest: Assessment) -> None:
    """Each kind of value in the source has a canary."""
    for each in (directly, over_rest):
        shown = as_text(each) + as_markdown(each) + json.dumps(each.as_json())
        assert "canary" not in shown.lower()
        assert "9007199254740993" not in shown


def test_one_screen_and_a_line_a_table(directly: Assessment, over_rest: Assessment) -> None:
    for each in (directly, over_rest):
        lines = as_text(each).splitlines()
        assert len(lines) - len(each.tables) <= 70
        assert max(map(len, lines)) <= 140
        assert lines[-len(each.tables)].startswith("not possible")


def test_markdown_names_everything(directly: Assessment) -> None:
    text = as_markdown(directly)
    assert "V.int64" not in text and "\nv.int64() (a bigint in JavaScript), or text.\n" in text
    for each in directly.tables:
        assert f"`{each.name}`" in text
    for kind in directly.rebuild:
        assert kind.heading in text and kind.counterpart in text
        assert all(f"`{name}`" in text for name in kind.names)
    assert "\n\n\n" not in text
    assert "- bucket `avatars`: public, 2 files, 1,000 B" in text
    assert "`public.invoices.customer_id`: refers to public.customers.id" in text


def test_json_has_the_documented_fields(directly: Assessment) -> None:
    data = json.loads(json.dumps(directly.as_json()))
    assert list(data) == [field.name for field in dataclasses.fields(Assessment)]
    assert list(data["tables"][0]) == [field.name for field in dataclasses.fields(AssessedTable)]
    assert list(data["risks"][0]) == [field.name for field in dataclasses.fields(Risk)]


# ── rights ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def limited(database: Database) -> Iterator[Source]:
    """A role that may read two tables, one of them with row security, and a part of a third."""
    database.admin.execute(
        """
        CREATE ROLE assess_limited LOGIN PASSWORD 'limited';
        GRANT USAGE ON SCHEMA public TO assess_limited;
        GRANT SELECT ON public.moments, public.ruled TO assess_limited;
        GRANT SELECT (id, email, token_count) ON public.users TO assess_limited
        """
    )
    url = database.url("assess_limited", "limited")
    yield dataclasses.replace(database.source, url=None, db_url=Secret(url))
    database.admin.execute("DROP OWNED BY assess_limited; DROP ROLE assess_limited")


def test_what_may_not_be_read_is_said(limited: Source) -> None:
    seen: Any = assess(limited, AssessOptions(), Silent())
    unread = {each.table for each in seen.risks if each.rule == "unreadable"}
    assert "public.moments" not in unread
    assert {"public.ruled", "public.plain_1"} <= unread
    assert table(seen, "plain_1").verdict == "not possible"
    assert risks(seen, "infinite_date")["moments.day"] == ("sample", 1, 3)
    assert seen.users is None
    assert any(each.startswith("users: ") for each in seen.skipped)


def test_a_column_that_looks_like_a_secret_is_not_read(limited: Source) -> None:
    """The role has no right to read them; all else of the table is looked at."""
    seen = assess(limited, AssessOptions(), Silent())
    users = table(seen, "users")
    assert (users.rows, users.rows_are, users.sampled) == (20, "counted", 20)
    assert users.document_bytes == 63 + (3 + 38) + (6 + 2 + 8) + (12 + 9)
    assert users.empty_columns == ()
    assert risks(seen, "secret_name") == {"users.password_hash.api_key": ("name", None, None)}
