"""What `stages rejects` prints: causes before what follows from them, and counts of the rest."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pytest

from stages import Migration, StagesError
from stages.layout import plain
from stages.reject_lines import as_lines, as_text
from stages.rejects import RejectGroup, readable
from tests.support.command_line import Stages
from tests.support.project_copies import loaded_once
from tests.support.tiny_project import STRING, Small, id_of, union


@pytest.fixture
def board(small: Small, monkeypatch: pytest.MonkeyPatch) -> Migration:
    """Tasks, some of them parts of others; comments on tasks; likes of comments."""
    small.write(
        "plan.toml",
        "max_rejects = '100%'\n[targets.small]\nconvex_url = 'SMALL_URL'\n"
        + "".join(f"[tables.{t}]\nsource = '{t}'\n" for t in ("tasks", "comments", "likes")),
    )
    small.schema("tasks", {"status": union("open", "done"), "whole?": id_of("tasks")})
    small.schema("comments", {"task": id_of("tasks"), "by": STRING})
    small.schema("likes", {"comment": id_of("comments")})
    small.model(
        "tasks",
        "SELECT key(id) AS _source_id, status, ref('tasks', whole) AS whole FROM extract.tasks",
    )
    small.model(
        "comments",
        "SELECT key(id) AS _source_id, ref('tasks', task) AS task, \"by\" FROM extract.comments",
    )
    small.model(
        "likes",
        "SELECT key(id) AS _source_id, ref('comments', comment) AS comment FROM extract.likes",
    )
    small.extract("tasks", pa.table({
        "id": [f"t{n}" for n in range(9)],
        "status": ["wont_do", "wont_do", "later", "open", "open", "done", "done", "open", "open"],
        # t3 is a part of t0, t4 of t3: both go with t0. t7 is a part of t5, which stays.
        "whole": pa.array([None, None, None, "t0", "t3", None, None, "t5", "t99"], pa.string()),
    }), ["id"])  # fmt: skip
    small.extract("comments", pa.table({
        "id": [f"c{n}" for n in range(5)],
        "task": ["t0", "t4", "t5", "t6", "t2"],
        "by": pa.array(["a", "b", "c", None, "e"], pa.string()),
    }), ["id"])  # fmt: skip
    small.extract("likes", pa.table({
        "id": ["l0", "l1", "l2", "l3"],
        "comment": ["c0", "c1", "c2", "c3"],
    }), ["id"])  # fmt: skip
    monkeypatch.chdir(small.workspace.project)
    return Migration(target="small", environment={})


@pytest.fixture
def fallen(board: Migration, small: Small) -> Migration:
    small.transform()
    return board


def group(groups: list[RejectGroup], table: str, rule: str) -> RejectGroup:
    (found,) = [each for each in groups if (each.table, each.rule) == (table, rule)]
    return found


def test_a_cause_counts_all_that_follows_from_it(fallen: Migration) -> None:
    groups = fallen.rejects()
    cause = groups[0]
    assert (cause.table, cause.field, cause.rule, cause.rows) == (
        "tasks", "status", "not_in_union", 3
    )  # fmt: skip
    # t3 and t4 by way of t0; c0, c1 and c4 on such tasks; l0 and l1 on these comments.
    assert cause.because == {"comments": 3, "likes": 2, "tasks": 2}
    assert group(groups, "comments", "required_null").because == {"likes": 1}
    assert group(groups, "tasks", "orphan").because == {}
    symptom = group(groups, "likes", "parent_rejected")
    assert [(c.table, c.rule, c.rows) for c in symptom.caused_by] == [
        ("tasks", "not_in_union", 2), ("comments", "required_null", 1),
    ]  # fmt: skip
    kinds = [each.is_symptom for each in groups]
    assert kinds == sorted(kinds)


def test_the_rows_of_causes_and_symptoms_are_all_rejects(fallen: Migration) -> None:
    groups = fallen.rejects()
    assert sum(each.rows for each in groups) == len(fallen.reject_rows().fetchall()) == 13
    causes = [each for each in groups if not each.is_symptom]
    assert sum(each.rows + sum(each.because.values()) for each in causes) == 13


def test_the_text_has_causes_first_and_their_values(fallen: Migration) -> None:
    lines = as_text(fallen.rejects()).splitlines()
    assert lines[:5] == [
        "13 rows are rejected: 5 by themselves, 8 because of others",
        "tasks.status: not_in_union: 3 (transform); 7 more are rejected because of them: "
        "3 comments, 2 likes, 2 tasks",
        "    2 rows: wont_do is not one of the schema's literals (t0, t1)",
        "    t2: later is not one of the schema's literals",
        "    → models/tasks.sql, the source, or convex/schema.ts",
    ]
    assert lines[-2] == (
        "likes.comment: parent_rejected: 3 (transform), because of "
        "tasks.status (not_in_union, 2), comments.by (required_null, 1)"
    )


def test_what_is_asked_for_alone_keeps_its_cause(fallen: Migration) -> None:
    groups = fallen.rejects(["comments"])
    assert {each.table for each in groups} == {"comments"}
    symptom = group(groups, "comments", "parent_rejected")
    assert [(c.table, c.field) for c in symptom.caused_by] == [("tasks", "status")]


def test_what_is_not_shown_is_counted(fallen: Migration) -> None:
    (cause,) = fallen.rejects(["tasks"], rule="not_in_union", examples=1)
    text = as_text([cause])
    assert "(t0, …)" in text and "    and 1 row with 1 other reason" in text
    (whole,) = fallen.rejects(["tasks"], rule="not_in_union", examples=None)
    assert "(t0, t1)" in as_text([whole]) and "other reason" not in as_text([whole])
    many = [cause] * 20
    some = plain(as_lines(many, complete=fallen.hint))
    assert "and 8 more groups of 24 rows: stages --target small rejects --all" in some
    assert "more groups" not in plain(as_lines(many, all_=True))


def test_what_load_has_refused_and_held_back(fallen: Migration) -> None:
    """The journals of a load, as it writes them."""
    for table, lines in {
        "tasks": [("t5", "refused", "Convex says no")],
        "comments": [("c2", "held_back", "tasks:t5 has no id: it was not loaded")],
        "likes": [
            ("l2", "held_back", "comments:c2 has no id: it was not loaded"),
            ("l9", "held_back", "comments:c9 is not in Convex any more"),
        ],
    }.items():
        file = fallen.workspace.load_rejects(table)
        file.parent.mkdir(parents=True)
        file.write_text("".join(
            json.dumps({"sourceId": key, "rule": rule, "reason": reason}) + "\n"
            for key, rule, reason in lines
        ), "utf-8")  # fmt: skip
    groups = fallen.rejects()
    refused = group(groups, "tasks", "refused")
    assert refused.stage == "load" and refused.because == {"comments": 1, "likes": 1}
    held = group(groups, "likes", "held_back")
    assert held.rows == 2 and [c.rule for c in held.caused_by] == ["refused"]
    assert "the cause of 1 is not among the current rejects" in as_text([held])


@pytest.mark.parametrize("damage", ["emptied", "cut", "overwritten"])
def test_a_damaged_file_is_named(fallen: Migration, damage: str) -> None:
    """With the command that makes it again, and for rows as for groups."""
    file = fallen.workspace.rejects("comments")
    data = file.read_bytes()
    damaged = {
        "emptied": b"",
        "cut": data[:-7],
        "overwritten": data[:4] + bytes(len(data) - 12) + data[-8:],
    }
    file.write_bytes(damaged[damage])
    again = f"make it again with: {fallen.hint('stages transform --check-files')}"
    for read in (fallen.rejects, lambda: fallen.reject_rows().fetchall()):
        with pytest.raises(StagesError) as error, readable(fallen.hint):
            read()
        assert error.value.hint == again


def test_before_anything_is_transformed(board: Migration) -> None:
    assert board.rejects() == []
    assert board.not_transformed() == ["tasks", "comments", "likes"]
    assert plain(as_lines([], board.not_transformed(), complete=board.hint)) == (
        "nothing is transformed yet; run: stages --target small transform"
    )


def test_every_row_in_each_format(extracted: Path) -> None:
    loaded = loaded_once(extracted)
    rows = loaded.sql('select * exclude (row, others) from rejects order by "table", source_id')
    asked = ["rejects", "--format"]
    lines = loaded.run(*asked, "jsonl").stdout.splitlines()
    listed = [json.loads(each) for each in lines]
    assert [{k: v for k, v in row.items() if k != "stage"} for row in listed] == rows
    assert json.loads(loaded.run(*asked, "json").stdout) == listed
    assert list(csv.DictReader(io.StringIO(loaded.run(*asked, "csv").stdout))) == listed
    table = loaded.run(*asked, "table", "--rule", "orphan").stdout
    assert table.count("│ orphan ") == sum(row["rule"] == "orphan" for row in rows)
    assert Stages(loaded.data, loaded.target, loaded.project).run(
        "rejects", "webinars", "--format", "json", "--rule", "too_large"
    ).stdout == "[]\n"  # fmt: skip


def test_a_rule_is_explained_where_it_is_asked_for(extracted: Path) -> None:
    loaded = loaded_once(extracted)
    lines = loaded.run("rejects", "--rule", "orphan").stdout.splitlines()
    assert lines[0] == "orphan: the reference names a row that does not exist"
    assert lines[1].startswith("usual cause: ") and "rules.md#orphan" in lines[1]
    assert "usual cause" not in loaded.run("rejects").stdout
