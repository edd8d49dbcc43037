"""Calls on an open project that change nothing but its own report: status, rejects, report, SQL."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stages.errors import UserError
from stages.events import Event
from stages.opened import OpenProject
from stages.results import Checked, CheckResult, Report
from stages.sql import query_errors

if TYPE_CHECKING:
    import duckdb

    from stages.rejects import RejectGroup
    from stages.status import Status

Tables = Sequence[str]


def table_names(tables: Tables) -> tuple[str, ...]:
    """The names that a call was given; a text is one name, not its letters."""
    return (tables,) if isinstance(tables, str) else tuple(tables)


class Inspection(OpenProject):
    """What can be looked at."""

    def check(self) -> Checked:
        """Look at settings, connections, rights, models, and what is deployed."""
        from stages.check.run import check
        from stages.convex.schema import Schema, export_schema

        with self._errors("check"):
            settings = self.settings()
            schema = Schema(export_schema(self.workspace.convex))
            return self._checked(
                lambda: check(self.workspace, self.plan, schema, settings),
                "not everything is ready",
                "fix what is WRONG, as the arrows say",
            )

    def status(self) -> Status:
        """Where each table stands, from the files alone, and what to run next."""
        from stages.status import status

        with self._errors("status"):
            return status(self.workspace, self.plan, self.hint)

    def rejects(self, tables: Tables = (), *, rule: str | None = None) -> list[RejectGroup]:
        """What was rejected by transform and load, by table, field and rule, with examples.

        Raises UserError for a `rule` that does not exist.
        """
        from stages.rejects import list_rejects

        with self._errors("rejects"):
            chosen = self.plan.select_tables(table_names(tables))
            groups = list_rejects(self.workspace, self.plan, chosen, rule)
            return [dataclasses.replace(group, edit=self.hint(group.edit)) for group in groups]

    def report(self, *, replace: bool = False) -> Report:
        """Write this target's two files of the report again, and return them.

        Raises UserError where another data folder has written a report that holds more than this
        one does, unless `replace`.
        """
        from stages.report.build import write_report
        from stages.report.files import read_report, report_files

        with self._errors("report"):
            kept = write_report(self.workspace, self.plan, None, 0.0, replace=replace)
            if kept:
                raise UserError(kept.message, kept.hint)
            file, summary = report_files(self.workspace, self.plan)
            return Report(
                figures=read_report(file) or {},
                markdown=summary.read_text("utf-8"),
                file=file,
                summary=summary,
            )

    def sql(
        self, query: str, *, tables: Mapping[str, Any] | None = None
    ) -> duckdb.DuckDBPyRelation:
        """Run SQL over the staged files.

        It can only read them. The schemas are extract, as_text, reference, side, keys, transform,
        bound and load; the views rejects and changes hold all tables. `tables`: name → pandas or
        Arrow table to join with; SQL sees no other variable. The relation is lazy: take it with
        `to_arrow_table()`, `df()`, `fetchall()`. Raises UserError for what DuckDB does not take,
        and for what does more than read these files.
        """
        from stages.reading import confine, require_reading
        from stages.side_views import side_files
        from stages.views import connect

        with self._errors("sql"):
            connection = connect(self.workspace, self.plan, locked=False)
            with query_errors('see the tables with: stages sql "show all tables"'):
                for name, table in (tables or {}).items():
                    connection.register(name, table)
                confine(
                    connection,
                    (self.workspace.extracts, self.workspace.target_folder),
                    [f.resolve() for f in side_files(self.workspace, self.plan).values()],
                )
                require_reading(connection, query)
                relation = connection.sql(query)
            if relation is None:
                raise UserError("the query holds no statement", 'such as: stages sql "show tables"')
            return relation

    def verify_final(self) -> Checked:
        """Look whether functions or secrets of the migration are left that others may use."""
        from stages.verify.final import check_final

        with self._errors("verify"):
            return self._checked(
                lambda: check_final(self.plan, self.settings().target),
                "something of the migration is left that others may use",
                "fix what is WRONG, then: stages verify --final",
            )

    def _checked(
        self, look: Callable[[], Iterable[CheckResult]], shortfall: str, hint: str
    ) -> Checked:
        """Each result as an event when it is there, and all of them."""
        results = []
        for each in look():
            result = dataclasses.replace(each, hint=each.hint and self.hint(each.hint))
            facts = {"ok": result.ok, "hint": result.hint}
            results.append(result)
            self._on_event(
                Event(
                    kind="done", stage="check", table=result.name, text=result.detail, facts=facts
                )
            )
        return Checked(complete=self.hint, results=tuple(results), shortfall=shortfall, hint=hint)
