"""`load --dry-run`: what a load would do, by the acks or the ledger; nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stages.convex.schema import load_schema
from stages.load.forecast import as_text, forecast
from stages.progress import Silent
from stages.results import LoadForecast
from stages.state.durable import remove
from tests.load.project import Project
from tests.load.test_once import PEOPLE, PETS, TEAMS, stage_all


def forecast_all(project: Project) -> LoadForecast:
    return forecast(
        project.workspace,
        project.plan,
        load_schema(project.workspace),
        project.target,
        ("teams", "people", "pets"),
        None,
        Silent(),
    )


def did(result: LoadForecast) -> dict[str, tuple[int, int, int]]:
    return {
        name: (each.inserted, each.replaced, each.unchanged) for name, each in result.tables.items()
    }


def test_before_the_first_load_all_is_inserted_and_nothing_written(project: Project) -> None:
    stage_all(project)
    result = forecast_all(project)
    assert did(result) == {"teams": (3, 0, 0), "people": (12, 0, 0), "pets": (60, 0, 0)}
    assert project.host.pages("migrationLedger") == []
    assert not (project.workspace.target_folder / "load").exists()
    assert result.total.batches == 3
    assert "pets" in as_text(result) and "min at 4 MiB/s" in as_text(result)


def test_sizes_are_those_of_what_is_sent_and_stored(project: Project) -> None:
    """Against the documents themselves, by Convex' size rule; people have an index."""
    stage_all(project)
    result = forecast_all(project).tables
    project.load()

    def size(document: dict[str, Any]) -> int:
        plain = {k: v for k, v in document.items() if not k.startswith("_")}
        return 63 + sum(len(name) + 1 + 2 + len(value) for name, value in plain.items())

    stored = {
        table: sum(size(d) for d in project.host.pages(table)) for table in ("pets", "people")
    }
    rows = [r for r in project.host.pages("migrationLedger") if r["table"]]
    ledger = {table: sum(size(row) for row in rows if row["table"] == table) for table in stored}
    assert result["pets"].stored == stored["pets"] + 2 * ledger["pets"]
    # The digests of a cycle's incomplete documents have a mark, until they are completed.
    expected_bytes = 2 * stored["people"] + 2 * ledger["people"]
    assert abs(result["people"].stored - expected_bytes) < 0.1 * expected_bytes
    assert result["pets"].written == stored["pets"] + ledger["pets"]


def test_afterwards_only_what_has_changed(project: Project) -> None:
    stage_all(project).load()
    assert forecast_all(project).total.unchanged == len(TEAMS) + len(PEOPLE) + len(PETS)
    project.stage("teams", {**TEAMS, "t1": {"name": "Renamed"}, "t9": {"name": "New"}})
    before = project.host.pages("migrationLedger")
    expected = {"teams": (1, 1, 2), "people": (0, 0, 12), "pets": (0, 0, 60)}
    assert did(forecast_all(project)) == expected
    # Without acks the ledger is asked, with the same answer.
    for table in ("teams", "people"):
        remove(project.workspace.load(table) / "acks.jsonl")
    assert did(forecast_all(project)) == expected
    assert project.host.pages("migrationLedger") == before


def test_a_fresh_data_folder_agrees_with_the_load_that_follows(
    make: Callable[[str], Project],
) -> None:
    stage_all(make("one")).load()
    other = stage_all(make("other"))
    expected = {"teams": (0, 0, 3), "people": (0, 0, 12), "pets": (0, 0, 60)}
    assert did(forecast_all(other)) == expected
    loaded = other.load().tables
    assert {
        name: tuple(each.counts[did] for did in ("inserted", "replaced", "unchanged"))
        for name, each in loaded.items()
    } == expected
