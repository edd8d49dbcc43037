"""`Migration`: one project, one data folder, one target; each stage is one complete call.

The only place that composes stages, and where every gate is: the lock, the identity of source and
target, consent, the limit of rejects, the reference tables, the views and the report. The command
line is one client of it; a script, a notebook and an orchestrator's task are others.

Nothing here prompts or prints, and nothing is left behind in the process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

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
from stages.inspection import Inspection, Tables, table_names
from stages.options import command_of, refuse_mixed, refuse_unclear, require_choice
from stages.progress import note_retry
from stages.project.plan_reader import load_plan
from stages.project.settings import load_source, resolve_target
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
from stages.state.stage_times import StageTimer

if TYPE_CHECKING:
    from stages.convex.client import Channel
    from stages.extract.forecast import Forecast
    from stages.extract.transport import Via
    from stages.init.run import InitResult
    from stages.sandbox import State
    from stages.state.imports import Mode

What = Literal["staged", "target", "ledger", "all"]


class Migration(Inspection):
    """A project that is open. Opening reads files only; a call connects when it needs to.

    `project` is the folder with `.planning/` and `convex/`; `data` is where staged files are kept,
    by default `data/` in it. `target` names a deployment: an entry of `[targets]` in the plan, or a
    sandbox; by default the environment's STAGES_TARGET, then the plan's `default_target`.
    `environment` takes the place of the process's environment and `.env.local`. `on_event` gets
    every Event of a call, from the thread that it happens in. With `check_files` a call reads all
    staged files that it needs, and not only those that were written to since.

    Names of tables are a source's or a target's, or a glob such as `ari_*`: one, or several; none
    means all.

    Every call can be repeated. Errors are StagesError: UserError (something must be changed first),
    Stopped (what is done is kept, a retry continues), Shortfall (by `raise_if_wrong` only).
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
        """Read source tables, and what Convex has in the reference tables, to Parquet.

        `sample` rows a table, and those that they refer to; `max_snapshot` is in seconds. With
        `fail_if_moved`, a source that has moved since it was read makes the result fall short.
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
        with self._writing("extract"):
            settings = self._announced_settings(staged=False)
            timer = StageTimer(self.workspace, "extract")
            result = extract(self.workspace, self.plan, settings.source, options, self.progress)
            require_target(self.workspace, settings.target)
            schema = self._schema()
            noted = note_retry(self.progress)
            with Deployment(settings.target, on_retry=noted) as deployment:
                extract_references(
                    self.workspace, self.plan, schema, deployment, self.progress, restart=restart
                )
            seconds = timer.stop()
            refresh(self.workspace, self.plan)
            moved = sources_moved(self.workspace, result.tables)
            if moved:
                self._write_report(settings.target, seconds)
            if result.transport == "rest":
                self.progress.note(
                    "read over REST, which has no snapshot: rows may be of different moments"
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
        return Extracted(
            complete=self.hint,
            transport=result.transport,
            tables=tables_extracted,
            moved={name: each.what for name, each in moved.items()},
            fail_if_moved=fail_if_moved,
        )

    def forecast_extract(
        self, tables: Tables = (), *, exclude: Tables = (), via: Via = "auto"
    ) -> list[Forecast]:
        """Rows, bytes and seconds of each source, without reading or writing anything."""
        from stages.extract.forecast import forecast
        from stages.extract.run import ExtractOptions

        with self._errors("extract"):
            options = ExtractOptions(
                tables=table_names(tables), exclude=table_names(exclude), via=via
            )
            source = self.settings().source
            return forecast(self.plan, source, self.workspace, options, self.progress)

    def transform(self, tables: Tables = (), *, restart: bool = False) -> Transformed:
        """Turn the extract into documents, rejects and changes, by the models and checks."""
        from stages.transform.run import TransformOptions, transform

        options = TransformOptions(tables=table_names(tables), restart=restart)
        with self._writing("transform"):
            self._announce_staged()
            timer = StageTimer(self.workspace, "transform")
            result = transform(self.workspace, self.plan, self._schema(), options, self.progress)
            timer.stop()
        names = TableTransformed.__dataclass_fields__
        return Transformed(
            complete=self.hint,
            tables={
                table: TableTransformed(**{name: getattr(manifest, name) for name in names})
                for table, manifest in result.tables.items()
            },
            over_limit=tuple(result.over_limit),
            failed={table: self.hint(reason) for table, reason in result.failed.items()},
        )

    def explain_transform(self, tables: Tables = ()) -> dict[str, str]:
        """Convex table → the SQL that makes and checks its documents. Nothing is written."""
        return self._shown(tables, explain=True, limit=None)

    def preview_transform(self, tables: Tables = (), *, limit: int) -> dict[str, list[Any]]:
        """Convex table → its first documents, as a transform would stage them."""
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

        A table that has documents of which the ledger knows nothing is refused, until it is said
        what they are: the same rows (`adopt`; `adopt_by` names a field that holds source keys), or
        others, to stay beside these (`beside_existing`). Each table's answer is kept.

        `max_rate`: at most so much a second, `2MiB`, `500docs`, or both. `consent` is asked before
        a production deployment is written to, and before documents are deleted (`prune`, `mode`
        replace): its name, or a function that gets the Question.
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
        with self._writing("load"):
            settings = self._announced_settings(staged=True)
            timer = StageTimer(self.workspace, "load")
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
            seconds = timer.stop()
            self._write_report(settings.target, seconds)
        return Loaded(
            complete=self.hint,
            tables={
                table: TableLoaded(status=manifest.status, **manifest.counts)
                for table, manifest in result.tables.items()
            },
            failed={table: self.hint(reason) for table, reason in result.failed.items()},
        )

    def forecast_load(self, tables: Tables = (), *, through: Channel | None = None) -> LoadForecast:
        """What a load would send, and what it would come to. Nothing is written to Convex."""
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
        """Write the ZIP that `npx convex import` takes, with the table numbers of the deployment
        if the settings name one. Nothing is sent. `mode` is that of the command that is named for
        the next step; `load(through="import")` is the one after it, which writes the ledger."""
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
        """Read Convex back and compare it with what is staged; with `source`, also look whether the
        source has moved. `sample` documents a table, always the same ones."""
        from stages.extract.drift import source_drift
        from stages.verify.run import VerifyOptions, verify

        moved: dict[str, tuple[str, ...]] = {}
        names = table_names(tables)
        with self._writing("verify"):
            settings = self._announced_settings(staged=True)
            timer = StageTimer(self.workspace, "verify")
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
            seconds = timer.stop()
            self._write_report(settings.target, seconds)
        return Verified(
            complete=self.hint,
            tables={name: TableVerified(**proof.counts) for name, proof in result.tables.items()},
            differences={
                name: proof.differences
                for name, proof in result.tables.items()
                if proof.differences
            },
            moved=moved,
            folder=self.workspace.verify("…").parent,
        )

    # ── the way back ────────────────────────────────────────────────────────────────────────

    def rollback(
        self, tables: Tables = (), *, force: bool = False, consent: Consent = None
    ) -> RolledBack:
        """Delete from Convex what the ledger lists, children first.

        Documents that the app has changed are kept, unless `force`. `consent` is asked first: True
        will do, but for production the deployment's name.
        """
        from stages.rollback import RollbackOptions, rollback

        command = command_of("rollback", tables, force=force)
        with self._writing("rollback"):
            settings = self._announced_settings(staged=True)
            timer = StageTimer(self.workspace, "rollback")

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
            seconds = timer.stop()
            self._write_report(settings.target, seconds)
        return RolledBack(
            complete=self.hint,
            tables=removals,
        )

    def clean(self, what: What = "staged", *, consent: Consent = None) -> list[str]:
        """Remove staged files (`staged`, or `target`: this target's only), the `ledger` in Convex,
        or `all` of it. Returns what only a person can remove.

        No document in Convex is touched. Nothing can be verified, rolled back or loaded again once
        the ledger is empty.
        """
        from stages.clean import clear_ledger, hand_steps, remove_all, staged_files, target_files

        with self._errors("clean"):
            require_choice("what", what, ("staged", "target", "ledger", "all"))
        with self._writing("clean"):
            if what in ("ledger", "all"):
                settings = self.settings()
                action = (
                    f"empty the ledger of {settings.target.label}: nothing loaded can be "
                    "verified, rolled back or loaded again after that"
                )
                require_consent(consent, deletion(settings.target, action, f"clean --{what}"))
                clear_ledger(self.workspace, self.plan, settings.target, self.progress)
            if what != "ledger":
                files = (target_files if what == "target" else staged_files)(self.workspace)
                listed = ", ".join(str(file) for file in files) or "nothing"
                if what != "all" or callable(consent):
                    option = "--target-folder" if what == "target" else f"--{what}"
                    question = Question(
                        action=f"remove {listed}",
                        deployment=consent if isinstance(consent, str) else "",
                        by_name=False,
                        hint=f"agree with: stages clean {option} --yes",
                    )
                    require_consent(consent, question)
                remove_all(files)
        return (
            [self.hint(step) for step in hand_steps(self.plan)] if what in ("ledger", "all") else []
        )

    def renew_sandbox(self, state: State) -> None:
        """Remove what is staged of a sandbox that is gone, once another one has started."""
        from stages.clean import renew_sandbox_files

        with self._writing("clean"):
            renew_sandbox_files(self.workspace, state)

    # ── the beginning ───────────────────────────────────────────────────────────────────────

    def init(
        self,
        *,
        write_schema: bool = False,
        case: str | None = None,
        renames: Sequence[str] = (),
        references: Sequence[str] = (),
        schemas: Sequence[str] = ("public",),
        via: Via = "auto",
        http_action: bool = False,
        update: bool = False,
    ) -> InitResult:
        """Write a migration for this project: plan, models and loading functions, from the source's
        catalog and convex/schema.ts, which is executed. No existing file is changed."""
        from stages.init.run import InitOptions, init

        options = InitOptions(
            write_schema=write_schema,
            case=cast("Any", case),
            renames=tuple(renames),
            references=tuple(references),
            schemas=tuple(schemas),
            via=via,
            http_action=http_action,
            update=update,
        )
        with self._errors("init"):
            file = self.project / ".planning" / "migrations" / "plan.toml"
            plan = load_plan(file) if update and file.exists() else None
            target = self.named_target or (plan.default_target if plan else None)
            if target is not None:
                target = resolve_target(self.project, plan, target, self.environment)
            source = load_source(self.project, plan, target, self.environment)
            self.progress.note(f"{source.label} → {self.project}")
            return init(self.project, source, options, self.progress)

    # ── what the calls share ────────────────────────────────────────────────────────────────

    def _shown(self, tables: Tables, *, explain: bool, limit: int | None) -> dict[str, Any]:
        from stages.transform.run import TransformOptions, transform

        options = TransformOptions(tables=table_names(tables), explain=explain, limit=limit)
        with self._writing("transform"):
            self._announce_staged()
            result = transform(self.workspace, self.plan, self._schema(), options, self.progress)
        return result.shown

    def _refuse_rejects(self, accept_rejects: bool) -> None:
        """Raise TooManyRejects where more was rejected than the plan allows."""
        from stages.project.reject_limits import staged_over_limit

        passed = staged_over_limit(self.workspace, self.plan)
        if passed and not accept_rejects:
            raise TooManyRejects(
                passed,
                "see why with: stages rejects; or load all the same with --accept-rejects",
            )
