"""Roll back: delete from Convex what the ledger says was loaded, children first.

The ledger says what exists, so a killed run can simply be run again. A table's local load record
is removed before its first document: from then on, a load sends the table again, rather than
assume that its documents exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.convex.client import Deployment
from stages.convex.ledger import require_epoch, require_target
from stages.convex.ledger_ops import change_all, ledger_sql, read_ledger, remove_sql
from stages.convex.relations import CHANGE_RESULTS, LEDGER_ROWS
from stages.convex.schema import Schema
from stages.errors import Transient, UserError
from stages.progress import Progress, note_retry
from stages.project.dependencies import dependency_groups
from stages.project.plan import Plan
from stages.project.settings import Target
from stages.results import TableRolledBack
from stages.sql import first_row
from stages.state.durable import remove
from stages.state.failures import forget_failures
from stages.state.rolled_back import record_begun, rollback_begun
from stages.state.workspace import Workspace
from stages.verify.record import forget_proof
from stages.views import connect, refresh

if TYPE_CHECKING:
    import duckdb

SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class RollbackOptions:
    """Options of a rollback. `force`: also delete documents that the app has changed."""

    tables: tuple[str, ...] = ()
    force: bool = False


def rollback(
    workspace: Workspace,
    plan: Plan,
    schema: Schema,
    target: Target,
    options: RollbackOptions,
    confirm: Callable[[Mapping[str, int]], None],
    progress: Progress,
) -> dict[str, TableRolledBack]:
    """Delete the documents of the chosen tables, and the local records of their load.

    `confirm` is given the tables and their document counts before anything is done, and raises to
    refuse. Raises UserError if a table that stays refers to one being removed, Stopped if the
    connection to the deployment was lost.
    """
    chosen = {table.name for table in plan.select_tables(options.tables)}
    require_target(workspace, target)

    connection = connect(workspace, plan, views=False)
    try:
        with Deployment(target, on_retry=note_retry(progress)) as deployment:
            require_epoch(workspace, deployment, plan.module, claim=False)
            read_ledger(connection, deployment, plan.module, progress)
            counted = f'SELECT "table", count(*) FROM {LEDGER_ROWS} GROUP BY 1 ORDER BY 1'
            listed = dict(connection.execute(counted).fetchall())
            _refuse_orphans(schema, chosen, listed)
            # In the plan's order: the order of a set differs between processes.
            groups = dependency_groups(schema, [name for name in plan.tables if name in chosen])
            order = [name for group in groups for name in group.tables]
            doomed = {
                name: listed.get(name, 0)
                for name in reversed(order)
                if name in listed or workspace.load(name).exists()
            }
            begun = rollback_begun(workspace, plan.tables)
            if doomed:
                confirm(doomed)
                record_begun(workspace, {*begun, *doomed})
            rolled_back = {}
            progress.begin("rollback", doomed)
            for name, documents in doomed.items():
                progress.start("rollback", name, documents)
                forget_proof(workspace, name)
                remove(workspace.load(name))
                forget_failures(workspace, "load", [name])
                rolled_back[name] = _remove(
                    connection, deployment, plan.module, name, options, progress
                )
            # Keep the other tables: an earlier run may have been killed in the middle of them.
            record_begun(workspace, set(begun) - chosen)
    except Transient as error:
        raise error.stopped("run again: stages rollback") from None
    finally:
        connection.close()
    refresh(workspace, plan)
    return rolled_back


def _refuse_orphans(schema: Schema, chosen: set[str], listed: Mapping[str, int]) -> None:
    """Raise UserError if a loaded table that stays refers to one being removed."""
    references = schema.references()
    going = chosen & listed.keys()
    staying: set[str] = set()
    while referring := {
        name
        for name in listed.keys() - chosen - staying
        if references.get(name, set()) & (going | staying)
    }:
        staying |= referring
    if staying:
        names = ", ".join(f"`{name}` ({listed[name]:,} documents)" for name in sorted(staying))
        raise UserError(
            f"documents that stay would refer to deleted ones: {names}",
            f"roll these back too: stages rollback {' '.join(sorted(going | staying))}",
            tables=sorted(staying),
        )


def _remove(
    connection: duckdb.DuckDBPyConnection,
    deployment: Deployment,
    module: str,
    table: str,
    options: RollbackOptions,
    progress: Progress,
) -> TableRolledBack:
    records = remove_sql(ledger_sql(table))
    for count in change_all(
        connection, deployment, f"{module}:remove", table, records, force=options.force
    ):
        progress.advance(table, count)
    counted = f"SELECT did, count(*) FROM {CHANGE_RESULTS} GROUP BY 1"
    did = dict(connection.execute(counted).fetchall())
    result = TableRolledBack(
        removed=did.get("removed", 0),
        kept=did.get("changed", 0),
        gone=did.get("gone", 0) + did.get("unknown", 0),
    )
    words = [f"{result.removed:,} removed"]
    if result.gone:
        words.append(f"{result.gone:,} gone already")
    if result.kept:
        keys = first_row(
            connection,
            "SELECT string_agg(source_id, ', ' ORDER BY source_id) FROM (SELECT source_id "
            f"FROM {CHANGE_RESULTS} WHERE did = 'changed' ORDER BY 1 LIMIT {SHOWN})",
        )[0]
        more = ", …" if result.kept > SHOWN else ""
        words.append(f"{result.kept:,} kept, since the app has changed them ({keys}{more})")
    progress.done("rollback", table, ", ".join(words), **vars(result))
    return result
