"""Transform does again what an edit made stale, that alone, and to the same bytes."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from stages.errors import StagesError
from stages.state.fingerprints import hash_file
from tests.support.project_copies import copy_data, copy_project, edit_plan, loaded_once
from tests.support.shipped_sample import TARGETS, Work, row_id


@pytest.fixture
def work(extracted: Path, tmp_path: Path) -> Work:
    return Work(copy_project(tmp_path / "project"), copy_data(extracted, tmp_path / "data"))


@pytest.fixture(scope="module")
def staged(extracted: Path, tmp_path_factory: pytest.TempPathFactory) -> Work:
    """The shipped migration as it is; to be looked at."""
    folder = tmp_path_factory.mktemp("staged")
    return Work(copy_project(folder / "project"), extracted)


def touched(work: Work) -> dict[str, tuple[int, str]]:
    return {
        str(file.relative_to(work.workspace.target_folder)): (
            file.stat().st_mtime_ns,
            hash_file(file),
        )
        for file in sorted(work.workspace.transforms.rglob("*"))
        if file.is_file()
    }


def test_a_second_run_touches_no_file(work: Work) -> None:
    work.transform()
    before = touched(work)
    work.transform()
    assert touched(work) == before


def test_an_edit_redoes_what_hangs_on_it_and_nothing_else(work: Work) -> None:
    work.transform()
    before = touched(work)
    work.model("webinars", "    title,", "    trim(title) || '!' AS title,")
    work.transform()
    after = touched(work)
    redone = {name.split("/")[1] for name in before if before[name] != after[name]}
    # Its children's rows refer to its keys.
    assert redone == {"webinars", "webinarRegistrations"}


@pytest.mark.parametrize(
    "rule",
    [
        'orphans = { payment_id = "reject" }',
        'orphans = { payment_id = "null" }\nfrom = {notes = "id"}',
    ],
)
def test_a_rule_of_the_plan_is_an_input(work: Work, rule: str) -> None:
    work.transform()
    before = touched(work)
    edit_plan(work.project, 'orphans = { payment_id = "null" }', rule)
    work.transform()
    after = touched(work)
    redone = {name.split("/")[1] for name in before if before[name] != after[name]}
    assert redone == {"ariAppointments"}


def test_the_same_rows_give_the_same_bytes(work: Work, staged: Work) -> None:
    work.transform(restart=True)
    for table in TARGETS.values():
        for name in ("documents", "rejects", "changes"):
            file = f"{name}.parquet"
            assert hash_file(work.workspace.transform(table) / file) == hash_file(
                staged.workspace.transform(table) / file
            ), (table, name)


def test_a_lost_file_is_made_again(work: Work) -> None:
    work.transform()
    file = work.workspace.transform("articles") / "rejects.parquet"
    content = hash_file(file)
    file.unlink()
    work.transform("articles")
    assert hash_file(file) == content


def test_a_damaged_part_is_told_and_not_read(work: Work) -> None:
    part = next(work.workspace.extract("articles").glob("part-*.parquet"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(StagesError, match="has other content than its manifest says") as error:
        work.transform("articles")
    assert error.value.hint == "make it again with: stages extract articles"


def test_documents_do_not_depend_on_the_target(extracted: Path, staged: Work) -> None:
    """References are source keys: another deployment's ids give the same bytes."""
    other = loaded_once(extracted)
    for table in TARGETS.values():
        assert hash_file(staged.workspace.transform(table) / "documents.parquet") == hash_file(
            other.target_folder / "transform" / table / "documents.parquet"
        )


def test_everything_staged_can_be_read_by_a_plain_duckdb(staged: Work) -> None:
    with duckdb.connect() as connection:
        pattern = f"{staged.workspace.transforms}/*/documents.parquet"
        rows = connection.execute(
            f"SELECT count(*) FROM read_parquet('{pattern}', union_by_name = true)"
        ).fetchall()
    assert rows == [(770,)]


@pytest.mark.parametrize(
    "sql",
    [
        "WITH m AS (SELECT * FROM side.more JOIN extract.articles USING (id)) {} SEMI JOIN m "
        "USING (id)",
        "{} WHERE id::VARCHAR IN (SELECT id::VARCHAR FROM Side.MORE)",
        "{} JOIN (PIVOT side.more ON n USING count(*) GROUP BY id) p USING (id)",
    ],
    ids=["beside a CTE", "in other letters", "in a PIVOT"],
)
def test_every_table_that_a_model_names_is_an_input(work: Work, sql: str) -> None:
    """However it is named: an edit of the side file makes the documents anew."""
    keys = [row_id("articles", n) for n in (1, 2, 3)]
    side = work.project / ".planning" / "migrations" / "more.csv"
    side.write_text("id,n\n" + "".join(f"{key},1\n" for key in keys[:2]))
    model = (work.project / ".planning" / "migrations" / "models" / "articles.sql").read_text()
    work.whole_model("articles", sql.format(model.strip().replace("key(id)", "key(articles.id)")))
    if "PIVOT" in sql:
        work.model("articles", "    id::VARCHAR", "    articles.id::VARCHAR")
    work.transform("articles")
    assert {d["_source_id"] for d in work.rows("articles", "documents")} == set(keys[:2])
    side.write_text("id,n\n" + "".join(f"{key},1\n" for key in keys))
    work.transform("articles")
    assert {d["_source_id"] for d in work.rows("articles", "documents")} == set(keys)
