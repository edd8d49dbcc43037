"""The functions that init writes pass tsc, and load documents of every form on the mock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from stages import StagesError, sandbox
from stages.convex.client import Deployment, FunctionError
from stages.convex.ledger import ask_epoch, require_tables
from stages.project.settings import Secret
from tests.faults.support import SECRET, host
from tests.init.support import run_init, source_of, spread_ledger, typecheck
from tests.support.project_copies import edit

KEY = "torture|abc"


@contextmanager
def deployment(project: Path, folder: Path) -> Iterator[Deployment]:
    """The project's functions, on the mock."""
    with host(folder / "host", None, project / "convex") as running:
        target = replace(running.target(), site_url=running.site_url, secret=Secret(SECRET))
        with Deployment(target) as client:
            yield client
        with Deployment(target, channel="http-action") as client:
            assert client.query("stages:readPage", PAGE)["isDone"]


PAGE = {"table": "events", "cursor": None, "numItems": 10}


def test_the_functions_pass_tsc_and_load_documents_of_every_form(
    torture: sandbox.State, project: Path, tmp_path: Path
) -> None:
    result = run_init(project, source_of(torture), http_action=True)
    assert {"convex/stages.ts", "convex/stagesTables.ts", "convex/stagesHttp.ts"} <= set(
        result.written
    )
    # The lines to add are not there yet.
    assert "migrationLedger" in typecheck(project)
    spread_ledger(project)
    assert typecheck(project) == ""
    later = project / "convex" / "later.ts"  # what the lib of convex 1.17 does not have is found
    later.write_text('export const has = Object.hasOwn({}, "a");\n', "utf-8")
    assert "hasOwn" in typecheck(project)
    later.unlink()
    with deployment(project, tmp_path) as client:
        for function, document in (
            ("bulkInsertEvents", {"kind": "sale", "at": 1, "amount": 2}),
            ("bulkInsertBlobs", {"any": ["thing"]}),
            ("bulkInsertNotes", {"body": "x"}),
        ):
            records = [{"sourceId": "1", "digest": "d", "document": document}]
            counts = client.mutation(f"stages:{function}", {"records": records})
            assert counts["inserted"] == 1
            assert client.mutation(f"stages:{function}", {"records": records})["unchanged"] == 1
        page = client.query("stages:readPage", PAGE)["page"]
        assert [each["amount"] for each in page] == [2.0]
        args = {"table": "events", "records": [{"sourceId": "1"}]}
        assert client.mutation("stages:remove", args)["removed"] == 1
        assert client.mutation("stages:epoch", {})["epoch"] is None


def test_only_the_tables_of_the_plan_can_be_reached(
    torture: sandbox.State, project: Path, tmp_path: Path
) -> None:
    """By the admin key and by the HTTP action: what else the app keeps is closed."""
    schema = project / "convex" / "schema.ts"
    edit(schema, "  plans: def", "  sessions: defineTable({ token: v.string() }),\n  plans: def")
    run_init(project, source_of(torture), http_action=True, references=("categories",))
    spread_ledger(project)
    assert typecheck(project) == ""
    with deployment(project, tmp_path) as client:
        tables = client.mutation("stages:epoch", {})["tables"]
        assert "sessions" not in tables
        assert (tables["categories"], tables["events"]) == (False, True)
        channels: tuple[Literal["functions", "http-action"], ...] = ("functions", "http-action")
        for channel in channels:
            with Deployment(client.target, channel) as other:
                for table, calls in {
                    "sessions": ("readPage", "readDocuments", "findMissing", "adopt", "remove"),
                    "categories": ("adopt", "remove"),
                }.items():
                    for call in calls:
                        with pytest.raises(FunctionError) as error:
                            ask(other, call, table)
                        assert error.value.code == "UnknownTable"
                for function in ("bulkInsertSessions", "bulkInsertCategories"):
                    with pytest.raises(StagesError):
                        other.mutation(f"stages:{function}", {"records": []})
                assert ask(other, "findMissing", "categories") == {"missing": []}
        answer = ask_epoch(client, "stages")
        require_tables(client, answer, ["events"], ["categories", "events"])
        with pytest.raises(StagesError, match="plan without `categories`, `sessions`") as unknown:
            require_tables(client, answer, ["categories", "events"], ["sessions"])
        assert unknown.value.hint and "stages init --update" in unknown.value.hint


ARGS: dict[str, dict[str, Any]] = {
    "readPage": {"cursor": None, "numItems": 1},
    "readDocuments": {"ids": []},
    "findMissing": {"documentIds": []},
    "adopt": {"records": []},
    "remove": {"records": []},
}


def ask(client: Deployment, function: str, table: str) -> Any:
    kind = client.mutation if function in ("adopt", "remove") else client.query
    return kind(f"stages:{function}", {"table": table, **ARGS[function]})


def test_without_the_option_there_is_no_route(torture: sandbox.State, project: Path) -> None:
    result = run_init(project, source_of(torture))
    assert not {f.name for f in (project / "convex").iterdir()} & {"http.ts", "stagesHttp.ts"}
    shutil.rmtree(project / ".planning")
    (project / "convex" / "http.ts").write_text("// mine\n")
    result = run_init(project, source_of(torture), http_action=True)
    assert (project / "convex" / "http.ts").read_text() == "// mine\n"
    (route,) = [each for each in result.add if each.file == "convex/http.ts"]
    assert any('httpChannel("stages", stages)' in line for line in route.lines)


def test_the_folder_that_convex_json_names(torture: sandbox.State, project: Path) -> None:
    (project / "src").mkdir()
    shutil.move(project / "convex", project / "src" / "functions")
    (project / "convex.json").write_text('{"functions": "src/functions/"}')
    schema = project / "src" / "functions" / "schema.ts"
    schema.write_text(schema.read_text().replace("../shared", "../../shared"))
    tsconfig = schema.with_name("tsconfig.json")
    tsconfig.write_text(tsconfig.read_text().replace("../shared", "../../shared"))
    result = run_init(project, source_of(torture), http_action=True)
    assert {"src/functions/stages.ts", "src/functions/stagesTables.ts"} <= set(result.written)
    assert "src/functions/schema.ts" in [each.file for each in result.add]
    assert not (project / "convex").exists()
