"""Calls that inspect an open project without changing staged files: assess, check, probe, status,
rejects, show, report, SQL. Only probe writes to a deployment, and removes what it wrote."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stages.errors import StagesError, UserError
from stages.events import Event
from stages.opened import OpenProject
from stages.options import Tables, require_choice, table_names
from stages.results import Checked, CheckResult, Probed, Report

if TYPE_CHECKING:
    import duckdb

    from stages.assess.assessment import Assessment
    from stages.extract.transport import Via
    from stages.rejects import RejectGroup
    from stages.show.shown import Shown
    from stages.sql_session import SqlSession
    from stages.standing import Status


class Inspection(OpenProject):
    """The calls that inspect a project."""

    def assess(
        self,
        *,
        schemas: Sequence[str] = ("public",),
        via: Via = "auto",
        seconds: float = 60.0,
        keep: bool = False,
    ) -> Assessment:
        """Examine the source before anything is decided: what moves, what must be rebuilt, which
        problems its data will have in Convex, and what it will cost.

        Needs no plan, no convex/ folder and no deployment. Writes nothing, unless `keep` saves the
        result for the page, in data/assessment.json. Stops looking after `seconds`; the result
        names what was left out.
        """
        from stages.assess.run import AssessOptions, assess
        from stages.state.durable import write_json
        from stages.state.workspace import assessment_file

        with self._errors("assess"):
            require_choice("via", via, ("auto", "postgres", "rest"))
            options = AssessOptions(schemas=table_names(schemas), via=via, seconds=seconds)
            source = self._source_alone()
            self.progress.note(f"looking at {source.label}, {seconds:g} seconds at most")
            assessment = assess(source, options, self.progress)
            if keep:
                file = assessment_file(self._data or self.project / "data")
                write_json(file, assessment.as_json())
                self.progress.note(f"kept in {file}; see it with: stages ui")
            return assessment

    def check(self) -> Checked:
        """Check settings, connections, permissions, models, and what is deployed."""
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

    def probe(self) -> Probed:
        """Find out whether the deployment and the source behave as stages expects.

        On a development deployment three staged documents are written, read back and removed, and
        some more to measure speed; from the source only a little is read. The next probe removes
        what an interrupted one left behind. Raises UserError for a production deployment.
        """
        from stages.convex.ledger import require_target
        from stages.convex.schema import Schema, export_schema
        from stages.probe.run import probe

        with self._writing("probe"):
            settings = self._announced_settings(staged=False)
            require_target(self.workspace, settings.target)
            schema = Schema(export_schema(self.workspace.convex))
            findings = []
            for finding in probe(self.workspace, self.plan, schema, settings):
                findings.append(finding)
                self.progress.done("probe", finding.name, finding.seen, finding=finding)
        return Probed(complete=self.hint, findings=tuple(findings))

    def status(self) -> Status:
        """Return the state of each table, read from local files only, what another process is
        doing, and what to run next."""
        from stages.status import status_now

        with self._errors("status"):
            return status_now(self.workspace, self.plan, self.hint)

    def rejects(
        self, tables: Tables = (), *, rule: str | None = None, examples: int | None = 3
    ) -> list[RejectGroup]:
        """Return what transform and load rejected, by table, field and rule, causes first.

        `examples` is how many source keys and reasons to give per group; None for all. Raises
        UserError for a `rule` that does not exist.
        """
        from stages.rejects import list_rejects, readable

        with self._errors("rejects"), readable():
            chosen = self.plan.select_tables(table_names(tables))
            groups = list_rejects(self.workspace, self.plan, chosen, rule, examples)
            return [dataclasses.replace(group, edit=self.hint(group.edit)) for group in groups]

    def reject_rows(
        self, tables: Tables = (), *, rule: str | None = None
    ) -> duckdb.DuckDBPyRelation:
        """Return every row that transform and load rejected: table, stage, source_id, field, rule,
        reason. Raises UserError for a `rule` that does not exist."""
        from stages.rejects import readable, rejects_sql, require_rule
        from stages.sql import open_duckdb

        with self._errors("rejects"), readable():
            if rule is not None:
                require_rule(rule)
            chosen = self.plan.select_tables(table_names(tables))
            ordered = f'{rejects_sql(self.workspace, chosen, rule)} ORDER BY "table", source_id'
            return open_duckdb().sql(ordered)

    def not_transformed(self, tables: Tables = ()) -> list[str]:
        """Return the Convex tables that have not been transformed yet."""
        from stages.rejects import not_transformed

        with self._errors("rejects"):
            return not_transformed(self.workspace, self.plan.select_tables(table_names(tables)))

    def show(self, table: str, key: str, *, convex: bool = True) -> Shown:
        """Trace one row by its source key or Convex id: source values, what made each field,
        changes, rejects, references both ways, and its current document in Convex.

        `table` is a target, a reference table or a source. Without `convex` only files are read;
        if Convex can't be asked, the result says why. Raises UserError if the row or the table
        does not exist.
        """
        from stages.show.run import show

        with self._errors("show"):
            shown = show(self.workspace, self.plan, table, key, self.hint)
            if shown.convex_id is None:
                return dataclasses.replace(shown, not_asked="it has no Convex id yet")
            if not convex:
                return dataclasses.replace(shown, not_asked="only files were to be read")
            from stages.show.convex import document_now

            try:
                now = document_now(self.plan, self.workspace, self.settings().target, shown)
            except StagesError as error:
                return dataclasses.replace(shown, not_asked=error.message)
            return dataclasses.replace(shown, now=now)

    def report(self, *, replace: bool = False) -> Report:
        """Rewrite this target's two report files, and return them.

        Raises UserError if another data folder has written a report with more in it than this one
        would have, unless `replace` is set.
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

        The files can only be read. The schemas are extract, as_text, reference, side, keys,
        transform, bound and load; the views rejects and changes cover all tables. `tables`: name →
        pandas or Arrow table to join with; SQL sees no other variable. The relation is lazy: fetch
        it with `to_arrow_table()`, `df()`, `fetchall()`. Raises UserError for SQL that DuckDB
        rejects, and for anything that does more than read these files.
        """
        return self.sql_session(tables=tables).relation(query)

    def sql_session(self, *, tables: Mapping[str, Any] | None = None) -> SqlSession:
        """Open a session to run several queries, or a script of statements; see SqlSession."""
        from stages.sql_session import SqlSession

        return SqlSession(self.workspace, self.plan, lambda: self._errors("sql"), tables)

    def verify_final(self) -> Checked:
        """Check whether functions or secrets of the migration are left that others could use."""
        from stages.verify.final import check_final

        with self._errors("verify"):
            return self._checked(
                lambda: check_final(self.plan, self.settings().target),
                "parts of the migration are left that others can use",
                "fix what is WRONG, then: stages verify --final",
            )

    def _checked(
        self, look: Callable[[], Iterable[CheckResult]], shortfall: str, hint: str
    ) -> Checked:
        """Emit each result as an event as soon as it is known, and return all of them."""
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
