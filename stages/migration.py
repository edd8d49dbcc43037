"""`Migration`: one project, one data folder, one target; each stage is one complete call.

The only place that composes stages, and the place of every gate: the lock, the identity of source
and target, consent, the reject limit, the reference tables, the views and the report. The command
line is one client of it; a script, a notebook and an orchestrator's task are others. Nothing here
prompts or prints, and no state is left behind in the process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stages.beginning import Beginning
from stages.consent import (
    Consent,
    Question,
    confirm_loss,
    confirm_prune,
    deletion,
    require_consent,
    require_production,
)
from stages.errors import TooManyRejects, UserError
from stages.options import (
    Tables,
    command_of,
    refuse_mixed,
    refuse_unclear,
    require_choice,
    table_names,
)
from stages.page.calls import PageCalls
from stages.progress import note_retry
from stages.results import (
    Extracted,
    Loaded,
    LoadForecast,
    RolledBack,
    TableExtracted,
    TableLoaded,
    TableTransformed,
    TableVerified,
    Transformed,
    Verified,
)

if TYPE_CHECKING:
    from stages.convex.client import Channel
    from stages.extract.forecast import Forecast
    from stages.extract.transport import Via
    from stages.sandbox import Running
    from stages.state.imports import Mode

What = Literal["staged", "target", "ledger", "all"]


class Migration(Beginning, PageCalls):
    """An open project. Opening reads files only; a call connects when it needs to.

    `project` is the folder with `.planning/` and `convex/`; `data` is where staged files are kept,
    by default the project's `data/`. `target` names a deployment: an entry of `[targets]` in the
    plan, or a sandbox; by default the environment's STAGES_TARGET, then the plan's
    `default_target`. `environment` replaces the process's environment and `.env.local`. `on_event`
    receives every Event of a call, in the thread where it happens. With `check_files`, a call
    checks all staged files that it needs, not only those modified since the last check.

    Table names are those of sources or targets, or globs such as `ari_*`: one or several; none
    means all.

    Every call can be repeated. Errors are StagesError: UserError (something must be changed first),
    Stopped (completed work is kept, a retry continues), Shortfall (only from `raise_if_wrong`).
    """

    # ── the stages ──────────────────────────────────────────────────────────────────────────

    def extract(
        self,
        tables: Tables = (),
        *,
        exclude: Tables = (),
        via: Via = "auto",
        jobs: int | None = None,
        restart: bool = False,
        sample: int | None = None,
        max_snapshot: float = 7200.0,
        fail_if_moved: bool = False,
    ) -> Extracted:
        """Read source tables, and the reference tables in Convex, into Parquet.

        `sample` limits the rows per table; rows that they refer to are added. `max_snapshot` is in
        seconds. With `fail_if_moved`, the result is wrong if the source has moved since it was
        read.
        """
        from stages.convex.client import Deployment
        from stages.convex.ledger import require_target
        from stages.extract.drift import sources_moved
        from stages.extract.reference import extract_references
        from stages.extract.run import ExtractOptions, extract
        from stages.views import refresh

        with self._errors("extract"):
            require_choice("via", via, ("auto", "postgres", "rest"))
        options = ExtractOptions(
            tables=table_names(tables),
            exclude=table_names(exclude),
            via=via,
            jobs=jobs,
            restart=restart,
            sample=sample,
            max_snapshot=max_snapshot,
        )
        with self._recorded("extract") as run:
            settings = self._announced_settings(staged=False)
            result = extract(self.workspace, self.plan, settings.source, options, self.progress)
            require_target(self.workspace, settings.target)
            schema = self._schema()
            noted = note_retry(self.progress)
            with Deployment(settings.target, on_retry=noted) as deployment:
                extract_references(
                    self.workspace, self.plan, schema, deployment, self.progress, restart=restart
                )
            seconds = run.stop()
            refresh(self.workspace, self.plan)
            moved = sources_moved(self.workspace, result.tables)
            if moved:
                self._write_report(settings.target, seconds)
            if result.transport == "rest":
                self.progress.note(
                    "read over REST, which has no snapshot: rows may be from different moments"
                )
            tables_extracted = {
                name: TableExtracted(
                    status=table["status"],
                    rows=table["rows"],
                    note=table.get("note", ""),
                    error=self.hint(table["error"]) if "error" in table else None,
                )
                for name, table in result.tables.items()
            }
            return run.judged(
                Extracted(
                    complete=self.hint,
                    transport=result.transport,
                    tables=tables_extracted,
                    moved={name: each.what for name, each in moved.items()},
                    fail_if_moved=fail_if_moved,
                )
            )

    def forecast_extract(
        self, tables: Tables = (), *, exclude: Tables = (), via: Via = "auto"
    ) -> list[Forecast]:
        """Estimate rows, bytes and seconds of each source. Reads no rows and writes nothing."""
        from stages.extract.forecast import forecast
        from stages.extract.run import ExtractOptions

        with self._errors("extract"):
            options = ExtractOptions(
                tables=table_names(tables), exclude=table_names(exclude), via=via
            )
            source = self.settings().source
            return forecast(self.plan, source, self.workspace, options, self.progress)

    def transform(self, tables: Tables = (), *, restart: bool = False) -> Transformed:
        """Turn the extract into documents, rejects and changes, using the models and checks."""
        from stages.transform.run import TransformOptions, transform

        options = TransformOptions(tables=table_names(tables), restart=restart)
        with self._recorded("transform") as run:
            self._announce_staged()
            result = transform(self.workspace, self.plan, self._schema(), options, self.progress)
            run.stop()
            names = TableTransformed.__dataclass_fields__
            return run.judged(
                Transformed(
                    complete=self.hint,
                    tables={
                        table: TableTransformed(**{name: getattr(manifest, name) for name in names})
                        for table, manifest in result.tables.items()
                    },
                    over_limit=tuple(result.over_limit),
                    failed={table: self.hint(reason) for table, reason in result.failed.items()},
                )
            )

    def explain_transform(self, tables: Tables = ()) -> dict[str, str]:
        """Return Convex table → the SQL that makes and checks its documents. Nothing is written."""
        return self._shown(tables, explain=True, limit=None)

    def preview_transform(self, tables: Tables = (), *, limit: int) -> dict[str, list[Any]]:
        """Return Convex table → its first documents, as a transform would stage them."""
        return self._shown(tables, explain=False, limit=limit)

    def load(
        self,
        tables: Tables = (),
        *,
        through: Channel | Literal["import"] | None = None,
        mode: Mode | None = None,
        restart: bool = False,
        overwrite: bool = False,
        prune: bool = False,
        adopt: bool = False,
        adopt_by: str | None = None,
        beside_existing: bool = False,
        max_rate: Sequence[str] = (),
        accept_rejects: bool = False,
        consent: Consent = None,
    ) -> Loaded:
        """Write the documents to Convex, each exactly once.

        A table with existing documents that are not in the ledger is refused until you say what
        they are: the same rows (`adopt`; `adopt_by` names a field that holds source keys), or
        other documents, to be kept alongside (`beside_existing`). The answer is kept per table.

        `max_rate` limits the rate per second: `2MiB`, `500docs`, or both. `consent` is needed
        before writing to a production deployment, and before documents are deleted (`prune`, or
        `mode` replace): the deployment's name, or a function that is given the Question.
        """
        from stages.convex.ledger import require_target
        from stages.load.pace import read_rate
        from stages.readiness import require_ready

        with self._errors("load"):
            require_choice("through", through, ("functions", "http-action", "import"))
            require_choice("mode", mode, ("require-empty", "append", "replace"))
            refuse_mixed(
                through, mode=mode, overwrite=overwrite, prune=prune, max_rate=tuple(max_rate),
                adopt=adopt, beside_existing=beside_existing,
            )  # fmt: skip
            refuse_unclear(adopt, adopt_by, beside_existing)
            rate = read_rate(max_rate)
        command = command_of(
            "load", tables, through=through, mode=mode, restart=restart, overwrite=overwrite,
            prune=prune, adopt=adopt, adopt_by=adopt_by, beside_existing=beside_existing,
        )  # fmt: skip
        with self._recorded("load") as run:
            settings = self._announced_settings(staged=True)
            target = settings.target
            require_production(consent, target, command)
            self._refuse_rejects(accept_rejects)
            schema = self._schema()
            require_target(self.workspace, target, anew=restart)
            chosen = [table.name for table in self.plan.select_tables(table_names(tables))]
            require_ready(self.plan, schema, target, chosen)
            if through == "import":
                from stages.load.importing.context import ImportOptions
                from stages.load.importing.run import import_tables

                importing = ImportOptions(
                    tables=table_names(tables),
                    mode=mode,
                    restart=restart,
                    confirm=confirm_loss(consent, target, command),
                )
                result = import_tables(
                    self.workspace, self.plan, schema, target, importing, self.progress
                )
            else:
                from stages.load.existing import Existing
                from stages.load.run import LoadOptions, load

                options = LoadOptions(
                    tables=table_names(tables),
                    through=through,
                    restart=restart,
                    overwrite=overwrite,
                    existing=Existing(adopt=adopt, by=adopt_by, beside=beside_existing),
                    rate=rate,
                    prune=confirm_prune(consent, target, command) if prune else None,
                )
                result = load(self.workspace, self.plan, schema, target, options, self.progress)
            seconds = run.stop()
            self._write_report(settings.target, seconds)
            return run.judged(
                Loaded(
                    complete=self.hint,
                    tables={
                        table: TableLoaded(status=manifest.status, **manifest.counts)
                        for table, manifest in result.tables.items()
                    },
                    failed={table: self.hint(reason) for table, reason in result.failed.items()},
                )
            )

    def forecast_load(self, tables: Tables = (), *, through: Channel | None = None) -> LoadForecast:
        """Estimate what a load would send and take. Nothing is written to Convex."""
        from stages.load.forecast import forecast

        with self._writing("load"):
            target = self._announced_settings(staged=True).target
            schema, names = self._schema(), table_names(tables)
            return forecast(
                self.workspace, self.plan, schema, target, names, through, self.progress
            )

    def write_import_file(
        self,
        file: str | Path,
        tables: Tables = (),
        *,
        mode: Mode | None = None,
        accept_rejects: bool = False,
    ) -> Path:
        """Write the ZIP file for `npx convex import`, with the deployment's table numbers if the
        settings name one. Nothing is sent. `mode` is used in the import command suggested as the
        next step; after it, `load(through="import")` writes the ledger."""
        from stages.load.importing.run import write_file

        path = Path(file).expanduser().absolute()
        with self._writing("load"):
            self._refuse_rejects(accept_rejects)
            try:
                target = self.settings().target
            except UserError as error:
                self.progress.note(f"  {error.message}")
                target = None
            schema, names = self._schema(), table_names(tables)
            write_file(self.workspace, self.plan, schema, target, names, path, mode, self.progress)
        return path

    def verify(
        self, tables: Tables = (), *, source: bool = False, sample: int | None = None
    ) -> Verified:
        """Read Convex back and compare it with the staged documents; with `source`, also check
        whether the source has moved. `sample` compares that many documents per table, always the
        same ones."""
        from stages.extract.drift import source_drift
        from stages.verify.run import VerifyOptions, verify

        moved: dict[str, tuple[str, ...]] = {}
        names = table_names(tables)
        with self._recorded("verify") as run:
            settings = self._announced_settings(staged=True)
            if source:
                drifts = source_drift(
                    self.workspace, self.plan, settings.source, names, self.progress
                )
                for name, drift in drifts.items():
                    facts = {"rows": drift.rows, "moved": drift.moved}
                    self.progress.done("source", name, drift.words, **facts)
                moved = {name: drift.moved for name, drift in drifts.items() if drift.moved}
            options = VerifyOptions(tables=names, sample=sample)
            schema, target = self._schema(), settings.target
            result = verify(self.workspace, self.plan, schema, target, options, self.progress)
            seconds = run.stop()
            self._write_report(settings.target, seconds)
            return run.judged(
                Verified(
                    complete=self.hint,
                    tables={
                        name: TableVerified(**proof.counts) for name, proof in result.tables.items()
                    },
                    differences={
                        name: proof.differences
                        for name, proof in result.tables.items()
                        if proof.differences
                    },
                    moved=moved,
                    folder=self.workspace.verify("…").parent,
                )
            )

    # ── undoing ─────────────────────────────────────────────────────────────────────────────

    def rollback(
        self, tables: Tables = (), *, force: bool = False, consent: Consent = None
    ) -> RolledBack:
        """Delete the documents in the ledger from Convex, children first.

        Documents that the app has changed are kept, unless `force`. `consent` is needed first: True
        is enough, but production needs the deployment's name.
        """
        from stages.rollback import RollbackOptions, rollback

        command = command_of("rollback", tables, force=force)
        with self._recorded("rollback") as run:
            settings = self._announced_settings(staged=True)

            def confirm(documents: Mapping[str, int]) -> None:
                listed = ", ".join(f"{rows:,} of {name}" for name, rows in documents.items())
                action = f"delete from {settings.target.label}: {listed}"
                require_consent(consent, deletion(settings.target, action, command))

            options = RollbackOptions(tables=table_names(tables), force=force)
            removals = rollback(
                self.workspace,
                self.plan,
                self._schema(),
                settings.target,
                options,
                confirm,
                self.progress,
            )
            if not removals:
                self.progress.note("nothing is loaded")
            seconds = run.stop()
            self._write_report(settings.target, seconds)
            return run.judged(RolledBack(complete=self.hint, tables=removals))

    def clean(self, what: What = "staged", *, consent: Consent = None) -> list[str]:
        """Remove staged files (`staged`, or `target` for this target's only), the `ledger` in
        Convex, or `all` of it. Returns the steps that must be done by hand.

        No document in Convex is touched. Once the ledger is empty, nothing can be verified, rolled
        back or loaded again.
        """
        from stages.clean import clear_ledger, hand_steps, remove_all, staged_files, target_files

        with self._errors("clean"):
            require_choice("what", what, ("staged", "target", "ledger", "all"))
        steps: list[str] = []
        with self._writing("clean"):
            if what in ("ledger", "all"):
                target = self.settings().target
                action = (
                    f"empty the ledger of {target.label}: nothing loaded can be "
                    "verified, rolled back or loaded again after that"
                )
                require_consent(consent, deletion(target, action, f"clean --{what}"))
                clear_ledger(self.workspace, self.plan, target, self.progress)
                steps = hand_steps(self.plan, target)
            if what != "ledger":
                files = (target_files if what == "target" else staged_files)(self.workspace)
                listed = ", ".join(str(file) for file in files) or "nothing"
                if what != "all" or callable(consent):
                    option = "--target-folder" if what == "target" else f"--{what}"
                    question = Question(
                        action=f"remove {listed}",
                        deployment=consent if isinstance(consent, str) else "",
                        by_name=False,
                        hint=f"confirm with: stages clean {option} --yes",
                    )
                    require_consent(consent, question)
                remove_all(files)
        return [self.hint(step) for step in steps]

    def renew_sandbox(self, running: Running) -> None:
        """Remove files staged from a sandbox that is gone, once a new one has started."""
        from stages.clean import renew_sandbox_files

        with self._writing("clean"):
            renew_sandbox_files(self.workspace, running)

    # ── shared by the calls ─────────────────────────────────────────────────────────────────

    def _shown(self, tables: Tables, *, explain: bool, limit: int | None) -> dict[str, Any]:
        from stages.transform.run import TransformOptions, transform

        options = TransformOptions(tables=table_names(tables), explain=explain, limit=limit)
        with self._writing("transform"):
            self._announce_staged()
            result = transform(self.workspace, self.plan, self._schema(), options, self.progress)
        return result.shown

    def _refuse_rejects(self, accept_rejects: bool) -> None:
        """Raise TooManyRejects if more was rejected than the plan allows, unless accepted."""
        from stages.project.reject_limits import staged_over_limit

        passed = staged_over_limit(self.workspace, self.plan)
        if passed and not accept_rejects:
            raise TooManyRejects(
                passed,
                "see why with: stages rejects; or load anyway with --accept-rejects",
            )
