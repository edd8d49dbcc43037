"""An open project: its plan, target, files and settings, and what every call on it does first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stages.errors import FileError, StagesError, Stopped, Transient
from stages.events import Emitter, OnEvent
from stages.hints import Invocation
from stages.machine import is_interrupt, stopped_by_machine
from stages.project.plan import Plan
from stages.project.plan_reader import load_plan
from stages.project.settings import (
    Settings,
    load_settings,
    note_readable,
    read_environment,
    resolve_target,
)
from stages.state.workspace import Workspace

if TYPE_CHECKING:
    from stages.convex.schema import Schema
    from stages.progress import Progress
    from stages.project.settings import Target


class OpenProject:
    """What `Migration` is opened with, and what its calls share: the lock, errors with whole
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
        self._reads_file = environment is None
        self._check_files = check_files
        self._data = Path(data).expanduser().resolve() if data else None
        self.named_target = target or self.environment.get("STAGES_TARGET") or None
        self._invocation = Invocation(
            project=None if self.project == Path.cwd() else self.project,
            data=self._data,
            target=self.named_target,
        )
        self._on_event: OnEvent = on_event or (lambda event: None)
        self.progress: Progress = Emitter(self._on_event, self._invocation.complete)

    # ── what is open ────────────────────────────────────────────────────────────────────────

    @cached_property
    def plan(self) -> Plan:
        """plan.toml. Raises UserError where it is missing or wrong."""
        with self._errors():
            return load_plan(self.project / ".planning" / "migrations" / "plan.toml")

    @cached_property
    def target(self) -> str:
        """The target's name. Raises UserError for one that neither plan nor sandbox knows."""
        with self._errors():
            return resolve_target(self.project, self.plan, self.named_target, self.environment)

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
        """Source and target as the environment has them; starts the sandbox where it is used."""
        with self._errors():
            readable = note_readable(self.project) if self._reads_file else None
            if readable:
                self.progress.note(readable)
            return load_settings(
                self.project, self.plan, self.target, self.environment, self.progress
            )

    def hint(self, text: str) -> str:
        """The text, with this run's --project, --data and --target in each `stages` command."""
        return self._invocation.complete(text)

    # ── what the calls share ────────────────────────────────────────────────────────────────

    @contextmanager
    def _errors(self, stage: str = "") -> Iterator[None]:
        """Errors leave with whole commands in their hints, whole paths, and the stage that stopped;
        where a retry continues, as Stopped."""
        try:
            yield
        except Transient as error:
            raise self._complete(error.stopped(error.hint), stage) from error
        except StagesError as error:
            self._complete(error, stage)
            raise
        except Exception as error:  # DuckDB's have no class in common with Python's
            if is_interrupt(error):
                raise KeyboardInterrupt from None
            # A broken pipe is of whoever reads the events, not of the disk.
            stopped = stopped_by_machine(error, self._data or self.project / "data")
            if stopped is None:
                raise
            raise self._complete(stopped, stage) from error

    def _complete(self, error: StagesError, stage: str) -> StagesError:
        """Add to an error what only the open project knows; a second time changes nothing."""
        error.hint = error.hint and self.hint(error.hint)
        if isinstance(error, FileError):
            error.file = self.project / ".planning" / "migrations" / error.file
        if isinstance(error, Stopped):
            error.stage = error.stage or stage
        return error

    @contextmanager
    def _writing(self, stage: str) -> Iterator[None]:
        from stages.state.lock import data_lock

        with self._errors(stage), data_lock(self.workspace):
            if self._check_files:
                from stages.state.integrity import forget_stats

                forget_stats(self.workspace)
            yield

    def _schema(self) -> Schema:
        from stages.convex.schema import load_schema

        return load_schema(self.workspace)

    def _announced_settings(self, *, staged: bool) -> Settings:
        """The settings; the first line of a stage names source and target.

        A stage that works with staged rows names their source, whatever the settings say now.
        """
        settings = self.settings()
        source = f"Supabase {self._staged_source()}" if staged else settings.source.label
        self.progress.note(f"{source} → {settings.target.label} (target {self.target})")
        self._note_age()
        return settings

    def _staged_source(self) -> str:
        from stages.state.identity import SourceIdentity
        from stages.state.records import read_whole

        stored = read_whole(SourceIdentity, self.workspace.source, self.progress.note)
        return (stored and stored.ref) or "not read yet"

    def _announce_staged(self) -> None:
        """The same for a stage that reaches neither: whose files these are."""
        from stages.state.identity import TargetIdentity
        from stages.state.records import read_whole

        source = self._staged_source()
        stored = read_whole(TargetIdentity, self.workspace.identity, self.progress.note)
        target = (stored and stored.deployment) or "not asked yet"
        self.progress.note(f"Supabase {source} → Convex {target} (target {self.target})")
        self._note_age()

    def _write_report(self, target: Target, seconds: float) -> None:
        """Write the report of a stage that took so long, or say why a fuller one is kept."""
        from stages.report.build import write_report

        kept = write_report(self.workspace, self.plan, target, seconds)
        if kept:
            self.progress.note(f"the report is kept: {kept.message}; {kept.hint}")

    def _note_age(self) -> None:
        from stages.status import staged_age

        age = staged_age(self.workspace, self.plan)
        if age:
            self.progress.note(age)
