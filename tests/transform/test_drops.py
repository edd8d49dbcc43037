"""Rows that are left out on purpose, and rows that are no longer unique."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stages.rejects import list_rejects
from tests.support.tiny_project import STRING, Small, id_of

USERS = pa.table({
    "id": pa.array([1, 2, 3, 4, 5, 6], pa.int64()),
    "email": ["a@x", "A@x", "b@x", None, None, "test@x"],
    "team": ["red", "red", "blue", "red", "red", "blue"],
})  # fmt: skip
MODEL = "SELECT key(id) AS _source_id, lower(email) AS email, team FROM extract.users"


@pytest.fixture
def users(small: Small) -> Small:
    small.extract("users", USERS, ["id"])
    small.schema("users", {"email?": STRING, "team": STRING})
    small.write("plan.toml", "max_rejects = 0\n[tables.users]\n")
    small.model("users", MODEL)
    return small


# ── drops ───────────────────────────────────────────────────────────────────────────────────


def drop(users: Small, sql: str) -> None:
    users.write("models/users.drop.sql", sql)


def test_a_drop_is_a_reject_with_its_reason_and_needs_no_leave(users: Small) -> None:
    users.model("users", MODEL + " WHERE email NOT LIKE 'test%' OR email IS NULL")
    (over,) = users.transform().over_limit
    assert (over.table, over.rejects, over.rows, over.limit) == (None, 1, 6, 0)
    assert users.rejected("users") == {"6": ("", "dropped_by_model")}
    drop(users, "SELECT key(id) AS _source_id, 'a test account' AS reason FROM extract.users "
                "WHERE email LIKE 'test%'; -- as the team said")  # fmt: skip
    result = users.transform()
    assert result.over_limit == []
    (row,) = users.rows("users", "rejects")
    assert (row["rule"], row["reason"]) == ("dropped_on_purpose", "a test account")
    assert users.accounted("users")
    assert users.manifest("users")["dropped"] == 1
    assert users.transform().tables["users"].documents == 5


def test_a_drop_is_part_of_what_a_table_is_made_from(users: Small) -> None:
    users.model("users", MODEL + " WHERE id < 5")
    drop(users, "SELECT '5' AS _source_id, 'one' AS reason")
    users.transform()
    assert users.rejected("users") == {"5": ("", "dropped_on_purpose"),
                                       "6": ("", "dropped_by_model")}  # fmt: skip
    drop(users, "SELECT unnest(['5', '6']) AS _source_id, 'both' AS reason")
    users.transform()
    assert {rule for _, rule in users.rejected("users").values()} == {"dropped_on_purpose"}
    (users.workspace.migrations / "models/users.drop.sql").unlink()
    users.transform()
    assert {rule for _, rule in users.rejected("users").values()} == {"dropped_by_model"}


def test_a_child_of_a_dropped_row_is_told_why(users: Small) -> None:
    users.model("users", MODEL + " WHERE id <> 6")
    drop(users, "SELECT '6' AS _source_id, 'a test account' AS reason")
    users.extract("posts", pa.table({"id": [1, 2], "author": [1, 6]}), ["id"])
    users.schema("posts", {"author": id_of("users")})
    users.write("plan.toml", "[tables.users]\n[tables.posts]\n")
    users.model("posts", "SELECT key(id) AS _source_id, ref('users', author) AS author "
                         "FROM extract.posts")  # fmt: skip
    users.transform()
    (row,) = users.rows("posts", "rejects")
    assert (row["source_id"], row["rule"]) == ("2", "parent_rejected")
    assert "dropped_on_purpose" in row["reason"]


WRONG = [
    ("SELECT '1' AS _source_id, 'x' AS reason", "leaves out the _source_id 1, and models/users"),
    ("SELECT '9' AS _source_id, 'x' AS reason", "the _source_id 9, which is no key of users"),
    ("SELECT unnest(['6', '6']) AS _source_id, 'x' AS reason", "the _source_id 6 more than once"),
    ("SELECT '6' AS _source_id, '' AS reason", "a row without a _source_id or a reason"),
    ("SELECT NULL AS _source_id, 'x' AS reason", "a row without a _source_id or a reason"),
    ("SELECT '6' AS _source_id", "gives the columns _source_id"),
    ("SELECT '6' AS _source_id,\n nothing AS reason", "users.drop.sql, line 2"),
]


@pytest.mark.parametrize(("sql", "words"), WRONG, ids=[words for _, words in WRONG])
def test_refused_drops(users: Small, sql: str, words: str) -> None:
    users.model("users", MODEL + " WHERE id <> 6")
    drop(users, sql)
    message = users.fails().message
    assert message.startswith("models/users.drop.sql") and words in message


def test_a_derived_table_has_no_drops(users: Small) -> None:
    users.write("plan.toml", "[tables.users]\ngrain = 'derived'\n")
    drop(users, "SELECT '6' AS _source_id, 'x' AS reason")
    assert "users is derived" in users.fails().message


# ── uniqueness ──────────────────────────────────────────────────────────────────────────────


def test_all_that_collide_are_rejected_and_nulls_do_not(users: Small) -> None:
    users.write("plan.toml", "[tables.users]\nunique = [['email']]\n")
    users.transform()
    assert users.rejected("users") == {"1": ("email", "not_unique"), "2": ("email", "not_unique")}
    assert set(users.documents("users")) == {"3", "4", "5", "6"}
    reasons = {row["reason"] for row in users.rows("users", "rejects")}
    assert reasons == {"2 rows have the same email, the first is 1"}, "and never the value"
    assert users.accounted("users")


def test_several_fields_together(users: Small) -> None:
    users.model("users", MODEL.replace("lower(email)", "coalesce(lower(email), 'none')"))
    users.write("plan.toml", "[tables.users]\nunique = [['team', 'email']]\n")
    users.transform()
    assert set(users.rejected("users")) == {"1", "2", "4", "5"}
    assert users.rejected("users")["4"] == ("team, email", "not_unique")


def test_a_row_that_is_rejected_anyhow_collides_with_none(users: Small) -> None:
    users.model("users", MODEL.replace("team", "CASE WHEN id <> 2 THEN team END AS team"))
    users.write("plan.toml", "[tables.users]\nunique = [['email']]\n")
    users.transform()
    assert users.rejected("users") == {"2": ("team", "required_null")}


def test_unique_names_fields(users: Small) -> None:
    users.write("plan.toml", "[tables.users]\nunique = [['e_mail']]\n")
    message = users.fails().message
    assert message.startswith("plan.toml, line 2: ") and "unique names `e_mail`" in message


def test_rejects_names_the_file_to_edit(users: Small) -> None:
    users.write("plan.toml", "max_rejects = 9\n[tables.users]\nunique = [['email']]\n")
    users.model("users", MODEL + " WHERE id <> 6")
    drop(users, "SELECT '6' AS _source_id, 'a test account' AS reason")
    users.transform()
    groups = list_rejects(users.workspace, users.plan, users.plan.tables.values(), None)
    assert {group.rule: (group.rows, group.edit) for group in groups} == {
        "not_unique": (2, "models/users.sql, the source, or unique in [tables.users] of plan.toml"),
        "dropped_on_purpose": (1, "models/users.drop.sql"),
    }
