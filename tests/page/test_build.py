"""The contents of the page: everything adds up, and what can't be read is named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from stages import Migration, StagesError
from stages.page.model import Flow, Page
from stages.progress import Silent
from stages.stage_run import Tally, recorded
from stages.state.failures import record_failure
from stages.state.journal import Journal
from stages.state.lock import data_lock
from stages.state.manifests import Counted, read_extract, write_manifest
from stages.state.records import write_record
from stages.state.running import Running
from stages.state.workspace import manifest_file
from tests.page.support import CHANGED, REJECTED, keep_schema, opened
from tests.support.tiny_project import STRING, Small


def adds_up(flow: Flow) -> bool:
    """Whether every source row and every document is counted exactly once."""
    rows = flow.filtered + flow.documents + flow.rejected + flow.dropped
    documents = flow.loaded + flow.refused + flow.conflict + flow.held_back + flow.not_sent
    return (flow.source or 0) == rows and flow.documents == documents


# ── the twelve tables ───────────────────────────────────────────────────────────────────────


def test_every_row_of_the_twelve_tables_is_somewhere(moved: Migration) -> None:
    page = moved.page()
    for table in page.tables:
        assert adds_up(table.flow), table.name
        lost = sum(loss.rows for loss in table.losses)
        assert lost == table.flow.rejected + table.flow.dropped, table.name
    assert adds_up(page.flow)
    assert (page.flow.source, page.flow.documents, page.flow.loaded) == (848, 770, 770)
    assert page.flow.verified == 770 and page.flow.wrong == 0
    assert sum(group.rows for group in page.reject_groups) == page.flow.rejected
    assert len(page.rejects) == page.flow.rejected


def test_the_twelve_tables_stand_where_status_says(moved: Migration) -> None:
    page, status = moved.page(), moved.status()
    assert (page.verdict, page.finished) == (status.verdict, status.finished)
    assert [table.name for table in page.tables] == list(status.tables)
    states = {name: cell.state for name, cell in page.tables[0].stages.items()}
    assert states == dict.fromkeys(("extract", "transform", "load", "verify"), "complete")
    missing = page.tables[-1]
    assert missing.name == "formTemplates" and missing.stages["transform"].text == "missing"
    assert missing.stages["extract"].why == "the source has no such table"


def test_the_map_has_every_field_and_what_makes_it(moved: Migration) -> None:
    mapped = {table.table: table for table in moved.page().map}
    fields = {field.name: field for field in mapped["webinarRegistrations"].fields}
    webinar = fields["webinar_id"]
    assert (webinar.type, webinar.columns) == ('v.id("webinars")', ["webinar_id"])
    assert webinar.sql == "ref('webinars', webinar_id) AS webinar_id" and webinar.converted
    assert webinar.rejected == 5
    assert [change.rule for change in fields["registered_at"].changes] == ["below_millisecond"]
    assert mapped["webinarRegistrations"].columns["registered_at"] == "timestamptz"
    title = next(field for field in mapped["articles"].fields if field.name == "title")
    assert title.columns == ["title"] and not title.converted
    assert {table.table: table.problem for table in mapped.values() if table.problem} == {
        "formTemplates": "convex/schema.ts has no table `formTemplates`"
    }
    # The planner is asked which columns are read.
    assert {table.source: table.unread for table in mapped.values() if table.unread} == {}


def test_the_graph_has_order_and_orphans(moved: Migration) -> None:
    graph = moved.page().graph
    level = {node.name: node.level for node in graph.nodes}
    assert all(level[edge.source] > level[edge.target] for edge in graph.edges)
    assert {node.name for node in graph.nodes if node.kind == "reference"} == {
        "ariConversations", "contacts", "workspaces",
    }  # fmt: skip
    (edge,) = (e for e in graph.edges if (e.source, e.field) == ("articles", "workspace_id"))
    assert (edge.target, edge.required, edge.bound, edge.orphans) == ("workspaces", True, 34, 1)
    assert graph.cycles == []


def test_runs_are_those_of_this_target(moved: Migration) -> None:
    runs = moved.page().history
    assert [run.command for run in runs] == ["extract", "transform", "load", "verify"]
    assert all(run.outcome == "done" and run.target == moved.target for run in runs)
    assert sum(runs[2].rows.values()) == 770 and runs[2].bytes > 0


def test_it_is_json_and_comes_back(moved: Migration) -> None:
    page = moved.page(values=True)
    again = msgspec.json.decode(msgspec.json.encode(page), type=Page)
    assert msgspec.json.encode(again) == msgspec.json.encode(page)


def test_rules_are_explained(moved: Migration) -> None:
    page = moved.page()
    named = {group.rule for group in page.reject_groups} | {row.rule for row in page.changes}
    assert named <= page.rules.keys()
    assert not [rule.fix for rule in page.rules.values() if re.search(r"\{\w+\}", rule.fix)]


# ── values and settings ─────────────────────────────────────────────────────────────────────


def test_without_values_no_value_is_in_it(small_page: Migration) -> None:
    without = msgspec.json.encode(small_page.page()).decode()
    with_values = msgspec.json.encode(small_page.page(values=True)).decode()
    assert REJECTED in with_values and CHANGED in with_values and '"new":"unnamed"' in with_values
    assert REJECTED not in without and CHANGED not in without and '"new":null' in without
    assert '"source_id":"p2"' in without


def test_why_a_table_failed_holds_no_value_either(small: Small, small_page: Migration) -> None:
    """Whether it quotes one in its first part, or behind what stages says itself."""
    reason = (
        f"the model can't take 'a: {REJECTED}\n': Conversion Error: \"{REJECTED}\" is no number"
    )
    record_failure(small.workspace, "transform", "people", reason, None)
    pages = [msgspec.json.encode(small_page.page(values=each)).decode() for each in (False, True)]
    assert "the model can't take '…'" in pages[0] and REJECTED not in pages[0]
    assert f"the model can't take 'a: {REJECTED}\\n': Conversion Error" in pages[1]


def test_the_history_holds_no_value(small: Small) -> None:
    with (
        pytest.raises(StagesError),
        recorded(small.workspace, "transform", Tally(), Silent()),
    ):
        raise StagesError(f"the model can't take '{REJECTED}': no number: {REJECTED}")
    (line,) = small.workspace.history.read_text("utf-8").splitlines()
    assert json.loads(line)["message"] == "the model can't take '…'"


def test_settings_are_named_and_secrets_are_not_shown(small: Small, small_page: Migration) -> None:
    secret = "sb_secret_" + "geheim" * 4
    page = opened(
        small,
        SUPABASE_URL="https://me:geheim@abc.supabase.co/x",
        SUPABASE_SERVICE_ROLE_KEY=secret,
        SMALL_URL="https://happy-otter-123.convex.cloud",
        CONVEX_DEPLOY_KEY="prod:happy-otter-123|geheim",
    ).page(values=True)
    settings = {setting.name: setting for setting in page.settings}
    assert settings["SUPABASE_URL"].shown == "abc.supabase.co"
    assert settings["SMALL_URL"].shown == "happy-otter-123.convex.cloud"
    assert settings["SUPABASE_SERVICE_ROLE_KEY"].secret
    assert settings["SUPABASE_SERVICE_ROLE_KEY"].where == "environment"
    assert settings["MIGRATION_SECRET"].where is None
    assert "geheim" not in msgspec.json.encode(page).decode()


def test_where_a_setting_was_found(small_page: Migration, monkeypatch: pytest.MonkeyPatch) -> None:
    project = small_page.project
    (project / ".env.local").write_text("SUPABASE_URL=https://a.supabase.co\nSMALL_URL=x\n")
    monkeypatch.setenv("SMALL_URL", "https://b.convex.cloud")
    found = Migration(project, target=small_page.target).page().settings
    where = {setting.name: setting.where for setting in found if setting.where}
    assert where == {"SUPABASE_URL": ".env.local", "SMALL_URL": "environment"}


# ── before the end, and with damage ─────────────────────────────────────────────────────────


def test_a_project_that_has_not_begun(small: Small) -> None:
    small.write("plan.toml", "[tables.a]\nsource = 'a'\n[targets.small]\nconvex_url = 'X'\n")
    page = opened(small).page()
    assert page.flow == Flow(source=None)
    assert {cell.state for cell in page.tables[0].stages.values()} == {"none"}
    assert page.map[0].problem and page.graph.nodes == () and page.problems == []


def test_causes_come_first_and_name_what_follows(small_page: Migration) -> None:
    cause, symptom = small_page.page(values=True).reject_groups
    assert (cause.table, cause.field, cause.rule, cause.rows) == ("people", "age", "not_int64", 1)
    assert [(each.table, each.rows) for each in cause.because] == [("pets", 1)]
    assert (symptom.table, symptom.rule) == ("pets", "parent_rejected")
    assert symptom.follows_from == ["people"]
    assert REJECTED in cause.reasons[0]


def test_a_load_that_is_under_way(small: Small, small_page: Migration) -> None:
    """Shows what is acknowledged so far; only files are read, and another process has the lock."""
    workspace = small.workspace
    with data_lock(workspace), Journal(workspace.acks("people")) as journal:
        journal.append([{"sourceId": "p1", "documentId": "d", "did": "inserted", "digest": ""}])
        write_record(workspace.running, Running(command="load", pid=1, since="2026-01-01"))
        page = small_page.page()
    assert page.running and (page.running.command, page.running.pid) == ("load", 1)
    assert page.next.startswith("nothing now: load is running (pid 1)")
    people = page.tables[0]
    assert (people.stages["load"].state, people.stages["load"].text) == ("running", "1 of 2")
    assert (people.flow.loaded, people.flow.not_sent) == (1, 1)
    assert adds_up(people.flow)


def test_a_load_that_was_killed(small: Small, small_page: Migration) -> None:
    with Journal(small.workspace.acks("people")) as journal:
        journal.append([{"sourceId": "p1", "documentId": "d", "did": "inserted", "digest": ""}] * 5)
    people = small_page.page().tables[0]
    assert (people.stages["load"].state, people.stages["load"].text) == ("partial", "2 of 2")
    assert adds_up(people.flow)


def test_a_field_that_nothing_makes_is_on_the_map(small_page: Migration) -> None:
    pets = small_page.page().map[1]
    colour = next(field for field in pets.fields if field.name == "colour")
    assert (colour.type, colour.optional) == ("v.optional(v.string())", True)
    assert (colour.sql, colour.columns, colour.converted) == ("", [], False)


@pytest.mark.parametrize("what", ["rejects", "changes"])
def test_a_damaged_file_is_named_and_the_rest_is_there(
    small: Small, small_page: Migration, what: str
) -> None:
    file = getattr(small.workspace, what)("people")
    file.write_bytes(file.read_bytes()[:-9])
    page = small_page.page()
    assert page.problems and all("stages" in problem for problem in page.problems)
    assert f"{what} can't be read" in page.problems[0]
    # What DuckDB says may quote a value; it names the file at least.
    assert not any(file.name in problem for problem in page.problems)
    assert page.tables[0].flow.documents == 2
    assert not getattr(page, what)


def test_a_missing_model_is_a_problem_of_its_table(small: Small, small_page: Migration) -> None:
    small.workspace.model("models/pets.sql").unlink()
    people, pets = small_page.page().map
    assert people.problem is None and people.fields
    assert pets.problem == "there is no model models/pets.sql" and not pets.fields


def test_a_damaged_schema_and_not_carried(small: Small, small_page: Migration) -> None:
    small.workspace.not_carried.write_text("# Triggers\n", "utf-8")
    assert small_page.page().not_carried == "# Triggers\n"
    small.workspace.not_carried.write_bytes(b"\xff\xfe\x00")
    small.tables[0]["documentType"]["value"]["name"]["fieldType"] = {"type": "new"}
    keep_schema(small)
    page = small_page.page()
    assert any("`new`" in problem for problem in page.problems)
    assert page.tables[0].flow.documents == 2


def test_a_damaged_manifest_is_a_sentence_as_in_status(small: Small, small_page: Migration) -> None:
    from stages import StagesError

    manifest_file(small.workspace.transform("people")).write_text("{", "utf-8")
    with pytest.raises(StagesError, match="is damaged") as error:
        small_page.page()
    assert "stages" in (error.value.hint or "")


def test_the_assessment_is_there_once_it_was_kept(small: Small, small_page: Migration) -> None:
    assert small_page.page().assessment is None
    small.workspace.assessment.write_text('{"score": 1}', "utf-8")
    assert small_page.page().assessment == {"score": 1}


def test_the_page_writes_nothing(small: Small, small_page: Migration) -> None:
    def files() -> dict[Path, int]:
        return {f: f.stat().st_mtime_ns for f in small.workspace.data.rglob("*") if f.is_file()}

    before = files()
    small_page.page(values=True)
    assert files() == before


def test_rows_that_are_filtered_dropped_or_made_by_the_model(small: Small) -> None:
    """Every kind of row in a flow, before anything is loaded."""
    small.write(
        "plan.toml",
        "[tables.people]\nsource = 'people'\n[tables.cities]\nsource = 'people'\n"
        "grain = 'derived'\n[targets.small]\nconvex_url = 'X'\n",
    )
    small.model("people", "SELECT key(id) AS _source_id, city FROM extract.people WHERE id <> 4")
    small.write(
        "models/people.drop.sql",
        "SELECT key(id) AS _source_id, 'a test' AS reason FROM extract.people WHERE id = 4",
    )
    small.model("cities", "SELECT DISTINCT city AS _source_id, city AS name FROM extract.people")
    small.schema("people", {"city": STRING})
    small.schema("cities", {"name": STRING})
    cities = ["Bern", "Bern", None, "Ulm"]
    small.extract("people", pa.table({"id": [1, 2, 3, 4], "city": cities}), ["id"])
    folder = small.workspace.extract("people")
    manifest = read_extract(folder)
    assert manifest
    manifest.counted = Counted(filtered=3)
    write_manifest(folder, manifest)
    page = opened(small).page()
    assert (page.flow.source, page.flow.filtered) == (7, 3)
    small.model("cities", "SELECT DISTINCT city AS _source_id, city AS name FROM extract.people "
                "WHERE city IS NOT NULL")  # fmt: skip
    small.transform()
    people, cities_table = opened(small).page().tables
    flow = people.flow
    assert (flow.source, flow.filtered, flow.documents) == (7, 3, 2)
    assert (flow.rejected, flow.dropped, flow.not_sent) == (1, 1, 2)
    assert adds_up(flow)
    assert {loss.rule for loss in people.losses} == {"required_null", "dropped_on_purpose"}
    assert (cities_table.grain, cities_table.flow.source, cities_table.flow.documents) == (
        "derived", 2, 2,
    )  # fmt: skip
    assert adds_up(cities_table.flow)
