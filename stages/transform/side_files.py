"""Side files that the plan ties to a source: keys that the source does not have are orphans."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stages.errors import UserError
from stages.project.plan import Plan, SideFile
from stages.project.plan_entries import entry_error
from stages.side_views import side_files
from stages.sql import first_row, name_sql
from stages.state.fingerprints import fingerprint
from stages.state.records import read_whole, write_record
from stages.state.sides import SideFigures, SidesFile
from stages.state.workspace import Workspace
from stages.transform.models import Inputs, key_sql
from stages.transform.relations import SIDE_ORPHANS

if TYPE_CHECKING:
    import duckdb

SHOWN = 3


def check_sides(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    plan: Plan,
    inputs: Inputs,
    report: Callable[[str, str, dict[str, Any]], None],
) -> None:
    """Compare every `[side.NAME]` with its source; `report(name, sentence, figures)` for each.

    The figures are kept in `workspace.sides`; if neither file nor source has changed, they are not
    compared or reported again. Raises UserError for orphans, unless the plan says report.
    """
    before = (read_whole(SidesFile, workspace.sides) or SidesFile()).sides
    figures: dict[str, SideFigures] = {}
    for side in plan.sides.values():
        if not side.of:
            continue
        made_from = fingerprint(
            vars(side), inputs.content(f"side.{side.name}"), inputs.content(f"extract.{side.of}")
        )
        known = before.get(side.name)
        if known and known.made_from == made_from:
            figures[side.name] = known
            continue
        inputs.make_views(connection)
        inputs.require_sides(connection, [side.name])
        rows, orphans, examples = _orphans(connection, workspace, plan, side)
        if orphans and side.orphans == "fail":
            raise UserError(
                f"side.{side.name} names {orphans:,} of {rows:,} keys that {side.of} does not "
                f"have: {', '.join(examples)}{' …' if orphans > len(examples) else ''}",
                f'fix the file, or say orphans = "report" in [side.{side.name}] of {plan.file}',
            )
        figures[side.name] = SideFigures(made_from=made_from, rows=rows, orphans=orphans)
        words = f"{rows:,} keys, {orphans:,} of them not in {side.of}"
        report(side.name, words, {"rows": rows, "orphans": orphans})
    if figures or before:
        write_record(workspace.sides, SidesFile(sides=figures))


def _orphans(
    connection: duckdb.DuckDBPyConnection, workspace: Workspace, plan: Plan, side: SideFile
) -> tuple[int, int, list[str]]:
    """(rows, orphans, examples). A row without a key is an orphan."""
    if side.name not in side_files(workspace, plan):
        raise entry_error(
            plan.file,
            "side",
            f"[side.{side.name}] has no file beside the plan",
            side.name,
            f"there are: {', '.join(side_files(workspace, plan)) or 'none'}",
        )
    keys = f"side.{name_sql(side.name)}"
    _require_column(connection, plan, side, "keys", side.keys, keys)
    source = f"extract.{name_sql(side.of)}"
    known = key_sql(workspace, side.of)
    if side.of_column:
        _require_column(connection, plan, side, "of_column", side.of_column, source)
        known = f"key_text({name_sql(side.of_column)})"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {SIDE_ORPHANS} AS SELECT k AS key FROM "
        f"(SELECT key_text({name_sql(side.keys)}) AS k FROM {keys}) "
        f"ANTI JOIN (SELECT {known} AS k FROM {source}) s USING (k)"
    )
    rows = first_row(connection, f"SELECT count(*) FROM {keys}")[0]
    orphans = first_row(connection, f"SELECT count(*) FROM {SIDE_ORPHANS}")[0]
    examples = connection.execute(
        f"SELECT DISTINCT coalesce(key, 'NULL') FROM {SIDE_ORPHANS} ORDER BY 1 LIMIT {SHOWN}"
    ).fetchall()
    return rows, orphans, [row[0] for row in examples]


def _require_column(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    side: SideFile,
    entry: str,
    column: str,
    relation: str,
) -> None:
    columns = [row[0] for row in connection.execute(f"DESCRIBE FROM {relation}").fetchall()]
    if column not in columns:
        raise entry_error(
            plan.file,
            f"side.{side.name}",
            f"[side.{side.name}] {entry} names `{column}`, and {relation} has no such column",
            entry,
            f"it has: {', '.join(columns)}",
        )
