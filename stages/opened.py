"""An open project: its plan, target, files and settings, and what every call on it does first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from stages.errors import FileError, StagesError, Stopped, Transient
from stages.events import Emitter, Event, OnEvent
from stages.hints import Invocation
from stages.machine import is_interrupt, stopped_by_machine
from stages.project.plan import Plan
from stages.project.plan_reader import load_plan
from stages.project.settings import (
    Settings,
    convex_is_sandbox,
    load_settings,
    load_source,
    note_readable,
    read_environment,
    resolve_target,
    unused_settings,
)
from stages.stage_run import StageRun, Tally, recorded
from stages.state.workspace import Workspace, plan_file

if TYPE_CHECKING:
    from stages.convex.schema import Schema
    from stages.progress import Progress
    from stages.project.settings import Source, Target
    from stages.state.stage_times import TimedStage


class OpenProject:
    """What `Migration` is opened with, and what its calls share: the lock, errors with complete
    commands in their hints, and the first lines of a stage."""

    def __init__(
        self,
        project: str | Path = ".",
        *,
        data: str | Path | None = None,
        target: str | None = None,
        environment: Mapping[str, str] | None = None,
        on_event: OnEvent | None = None,
        check_files: bool = False,
    ) -> None:
        self.project = Path(project).expanduser().resolve()
        self.environment = (
            read_environment(self.project) if environment is None else dict(environment)
        )
        self.reads_file = environment is None
        self._check_files = check_files
        self._data = Path(data).expanduser().resolve() if data else None
        self.named_target = target or self.environment.get("STAGES_TARGET") or None
        self._invocation = Invocation(
            project=None if self.project == Path.cwd() else self.project,
            data=self._data,
            target=self.named_target,
        )
        self._on_event: OnEvent = on_event or (lambda event: None)
        self._tally = Tally()
        self.progress: Progress = Emitter(self._counted, self._invocation.complete)

    # ── the open project ────────────────────────────────────────────────────────────────────

    @cached_property
    def plan(self) -> Plan:
        """plan.toml. Raises UserError if it is missing or wrong."""
        with self._errors():
            return load_plan(plan_file(self.project))

    @property
    def plan_if_any(self) -> Plan | None:
        """plan.toml, or None if the project has none yet."""
        return self.plan if plan_file(self.project).exists() else None

    @cached_property
    def target(self) -> str:
        """The target's name. Raises UserError if it is in neither the plan nor the sandbox."""
        with self._errors():
            return resolve_target(self.project, self.plan, self.named_target, self.environment)

    @property
    def convex_is_sandbox(self) -> bool:
        """Whether the target's Convex is a sandbox; also for a project without a plan."""
        return convex_is_sandbox(
            self.project, self.plan_if_any, self.named_target, self.environment
        )

    @cached_property
    def workspace(self) -> Workspace:
        """Every file and folder of this migration."""
        data = self._data or self.project / "data"
        with self._errors():
            default = resolve_target(self.project, self.plan, None, self.environment)
        return Workspace(
            project=self.project,
            data=data,
            target=self.target,
            is_default_target=self.target == default,
        )

    def settings(self) -> Settings:
        """Source and target from the environment; starts the sandbox if it is used."""
        with self._errors():
            readable = note_readable(self.project) if self.reads_file else None
            if readable:
                self.progress.note(readable)
            return load_settings(
                self.project, self.plan, self.target, self.environment, self.progress
            )

    def _source_alone(self) -> Source:
        """The source from the environment, for a project that may have no plan yet."""
        return self._source_of(self.plan_if_any)

    def _source_of(self, plan: Plan | None) -> Source:
        target = self.named_target or (plan.default_target if plan else None)
        if target is not None:
            target = resolve_target(self.project, plan, target, self.environment)
        return load_source(self.project, plan, target, self.environment, self.progress)

    def reopened(self) -> Self:
        """Open the same project, target and data folder again, rereading plan and settings."""
        return type(self)(
            self.project,
            data=self._data,
            target=self.named_target,
            environment=None if self.reads_file else self.environment,
            on_event=self._on_event,
            check_files=self._check_files,
        )

    def hint(self, text: str) -> str:
        """Add this run's --project, --data and --target to each `stages` command in the text."""
        return self._invocation.complete(text)

    # ── shared by the calls ─────────────────────────────────────────────────────────────────

    @contextmanager
    def _errors(self, stage: str = "") -> Iterator[None]:
        """Complete errors with full commands in hints, full paths, and the stage that stopped;
        errors that a retry can continue from become Stopped."""
        try:
            yield
        except Transient as error:
            raise self._complete(error.stopped(error.hint), stage) from error
        except StagesError as error:
            self._complete(error, stage)
            raise
        except Exception as error:  # DuckDB's errors share no narrower class with Python's
            if is_interrupt(error):
                raise KeyboardInterrupt from None
            # A broken pipe comes from the reader of the events, not from the disk.
            stopped = stopped_by_machine(error, self._data or self.project / "data")
            if stopped is None:
                raise
            raise self._complete(stopped, stage) from error

    def _complete(self, error: StagesError, stage: str) -> StagesError:
        """Add to an error what only the open project knows; idempotent."""
        error.hint = error.hint and self.hint(error.hint)
        if isinstance(error, FileError):
            error.file = self.project / ".planning" / "migrations" / error.file
        if isinstance(error, Stopped):
            error.stage = error.stage or stage
        return error

    @contextmanager
    def _writing(self, stage: str) -> Iterator[None]:
        from stages.state.lock import data_lock

        with self._errors(stage), data_lock(self.workspace, stage):
            if self._check_files:
                from stages.state.integrity import forget_stats

                forget_stats(self.workspace)
            yield

    @contextmanager
    def _recorded(self, stage: TimedStage) -> Iterator[StageRun]:
        """As `_writing`, for a stage that adds a line to the history."""
        with self._writing(stage):
            self._tally = Tally()
            with recorded(self.workspace, stage, self._tally, self.progress) as run:
                yield run

    def _counted(self, event: Event) -> None:
        self._tally.add(event)
        self._on_event(event)

    def _schema(self) -> Schema:
        from stages.convex.schema import load_schema

        return load_schema(self.workspace)

    def _announced_settings(self, *, staged: bool) -> Settings:
        """Return the settings, and print the first line of a stage, which names source and target.

        A stage that works on staged rows names their source, whatever the settings say now.
        """
        settings = self.settings()
        source = f"Supabase {self._staged_source()}" if staged else settings.source.label
        unused = unused_settings(settings, self.plan, self.environment)
        self.progress.note(
            f"{source} → {settings.target.label} (target {self.target})"
            + (f"; not used with this target: {', '.join(unused)}" if unused else "")
        )
        self._note_age()
        return settings

    def _staged_source(self) -> str:
        from stages.state.identity import SourceIdentity
        from stages.state.records import read_whole

        stored = read_whole(SourceIdentity, self.workspace.source, self.progress.note)
        return (stored and stored.ref) or "not read yet"

    def _announce_staged(self) -> None:
        """As `_announced_settings`, for a stage that connects to neither: names both by files."""
        from stages.state.identity import TargetIdentity
        from stages.state.records import read_whole

        source = self._staged_source()
        stored = read_whole(TargetIdentity, self.workspace.identity, self.progress.note)
        target = (stored and stored.deployment) or "not asked yet"
        self.progress.note(f"Supabase {source} → Convex {target} (target {self.target})")
        self._note_age()

    def _write_report(self, target: Target, seconds: float) -> None:
        """Write the report after a stage that took `seconds`, or say why a fuller one is kept."""
        from stages.report.build import write_report

        kept = write_report(self.workspace, self.plan, target, seconds)
        if kept:
            self.progress.note(f"the existing report is kept: {kept.message}; {kept.hint}")

    def _note_age(self) -> None:
        from stages.status import staged_age

        age = staged_age(self.workspace, self.plan)
        if age:
            self.progress.note(age)
