"""Tables that refer to one another in a cycle, or to themselves: checked together."""

from __future__ import annotations

from collections.abc import Mapping

from stages.sql import text_sql
from stages.state.fingerprints import fingerprint
from stages.transform.checked_rows import split_checked_rows
from stages.transform.known_keys import make_known
from stages.transform.made_from import made_from
from stages.transform.reconcile import reconcile, require_ids
from stages.transform.references import edges_sql, make_known_in_cycle, make_orphans
from stages.transform.relations import CYCLE_EDGES, CYCLE_ROWS, FAILING, KNOWN, PASSED, REJECTED
from stages.transform.run_model import CompiledModel, run_model
from stages.transform.table_context import TableContext
from stages.transform.unique import find_collisions, reject_collisions


class Cycle:
    """The tables of one cycle; each depends on everything that any of them depends on."""

    def __init__(self, contexts: Mapping[str, TableContext]) -> None:
        self.tables = tuple(contexts)
        self._contexts = contexts
        self._proven = False

    def made_from(self) -> str:
        """Fingerprint of everything that any table of the cycle depends on."""
        return fingerprint(
            {
                name: made_from(context, context.read_model(), self.tables)
                for name, context in self._contexts.items()
                if not context.missing
            }
        )

    def prove(self, context: TableContext) -> CompiledModel:
        """Create `known <table>` for all tables of the cycle, once; run the model of `context`."""
        compiled = None
        if not self._proven:
            run = context.connection.execute
            run(
                f"CREATE OR REPLACE TEMP TABLE {CYCLE_ROWS} "
                "(ref VARCHAR, rule VARCHAR, field VARCHAR, reason VARCHAR)"
            )
            run(
                f"CREATE OR REPLACE TEMP TABLE {CYCLE_EDGES} "
                "(child VARCHAR, field VARCHAR, parent VARCHAR)"
            )
            for each in self._contexts.values():
                if not each.missing:
                    compiled = self._add_rows(each)
            make_known_in_cycle(
                context.connection, {name: c.table.source for name, c in self._contexts.items()}
            )
            self._proven = True
        if compiled is None or len(self.tables) > 1:
            compiled = run_model(context, context.read_model(), in_cycle=True)
        return compiled

    def _add_rows(self, context: TableContext) -> CompiledModel:
        """Add a table's rows to `cycle_rows`, their references within the cycle to `cycle_edges`.

        Its checks pass these references: make_known_in_cycle decides on them.
        """
        connection, table = context.connection, context.table
        compiled = run_model(context, context.read_model(), in_cycle=True)
        run = connection.execute
        run(f"INSERT INTO {CYCLE_EDGES} {edges_sql(table, compiled.fields, self.tables)}")
        for target in context.targets:
            if target in self.tables:
                run(
                    f"CREATE OR REPLACE TEMP TABLE {KNOWN.of(target)} AS "
                    "SELECT DISTINCT parent AS ref, NULL::VARCHAR AS rule, NULL::VARCHAR AS reason "
                    f"FROM {CYCLE_EDGES}"
                )
        make_known(context, self.tables)
        make_orphans(connection, compiled.fields, context.target_sources())
        with split_checked_rows(context, compiled, counts=False) as rows:
            keys = require_ids(connection, compiled.model, table, rows)
            find_collisions(connection, table)
            reject_collisions(connection, table)
            reconcile(connection, table, context.drop_model(), keys)
            prefix = text_sql(f"{table.name}:")
            run(
                f"INSERT INTO {CYCLE_ROWS} SELECT {prefix} || source_id, rule, field, reason "
                "FROM (SELECT _source_id AS source_id, NULL AS rule, NULL AS field, "
                f"NULL AS reason FROM {PASSED} "
                f"ANTI JOIN {FAILING} USING (_source_id) "
                f"UNION ALL SELECT source_id, rule, field, reason FROM {REJECTED})"
            )
        return compiled
