"""Tables that refer to one another in a cycle, or to themselves: proven together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from stages.state.fingerprints import fingerprint
from stages.transform.models import read_model
from stages.transform.references import settle

if TYPE_CHECKING:
    import duckdb

    from stages.transform.compile import Compiled
    from stages.transform.table_run import TableRun


class Cycle:
    """The tables of one cycle; what one of them is made from, all are."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, runs: Mapping[str, TableRun]) -> None:
        self.connection = connection
        self.runs = runs
        self.tables = tuple(runs)
        self._proven = False

    def made_from(self) -> str:
        """Everything that any table of the cycle depends on."""
        there = {name: run for name, run in self.runs.items() if not run.missing}
        return fingerprint(
            {n: r.made_from(read_model(r.workspace, r.table.model)) for n, r in there.items()}
        )

    def prove(self, run: TableRun) -> dict[str, Compiled]:
        """Make `known <table>` for all tables of the cycle, once; run the model of one of them."""
        compiled = None
        if not self._proven:
            self.connection.execute(
                "CREATE OR REPLACE TEMP TABLE own (ref VARCHAR, rule VARCHAR, field VARCHAR)"
            )
            self.connection.execute(
                "CREATE OR REPLACE TEMP TABLE edges (child VARCHAR, field VARCHAR, parent VARCHAR)"
            )
            for each in self.runs.values():
                if not each.missing:
                    compiled = each.prove_own(self.tables)
            settle(self.connection, self.tables)
            self._proven = True
        if compiled is None or len(self.tables) > 1:
            compiled = run.run_model(read_model(run.workspace, run.table.model))
        return compiled
