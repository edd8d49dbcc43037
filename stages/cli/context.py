"""What the commands share: the group with its options, the context, progress, printing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from stages.progress import Bars, JsonLines, Lines, Progress
from stages.project.plan import Plan, load_plan
from stages.project.settings import Settings, load_settings, read_environment, resolve_target
from stages.state.workspace import Workspace

if TYPE_CHECKING:
    from stages.check import CheckResult

Command = TypeVar("Command", bound=Callable[..., Any])


class Context:
    """What every command needs, made when first asked for."""

    def __init__(self, project: Path, data: Path | None, target: str | None) -> None:
        self.project = project.resolve()
        self._data = data
        self.target_named = target
        self._plan: Plan | None = None
        self.environment = read_environment(self.project)

    @property
    def plan(self) -> Plan:
        if self._plan is None:
            self._plan = load_plan(self.project / ".planning" / "migrations" / "plan.toml")
        return self._plan

    @property
    def target(self) -> str:
        return resolve_target(self.project, self.plan, self.target_named, self.environment)

    @property
    def workspace(self) -> Workspace:
        data = (self._data or self.project / "data").resolve()
        return Workspace(project=self.project, data=data, target=self.target)

    def settings(self) -> Settings:
        return load_settings(self.project, self.plan, self.target, self.environment)

    def announce(self, settings: Settings, progress: Progress) -> None:
        """The first line of a stage names source and target."""
        progress.note(f"{settings.source.label} → {settings.target.label} (target {self.target})")
        self._note_age(progress)

    def announce_staged(self, progress: Progress) -> None:
        """The same for a stage that reaches neither: whose files these are."""
        from stages.state.durable import read_json

        source = (read_json(self.workspace.source) or {}).get("ref", "not read yet")
        target = (read_json(self.workspace.identity) or {}).get("deployment", "not read yet")
        progress.note(f"Supabase {source} → Convex {target} (target {self.target})")
        self._note_age(progress)

    def _note_age(self, progress: Progress) -> None:
        from stages.status import staged_age

        age = staged_age(self.workspace, self.plan)
        if age:
            progress.note(age)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96})
@click.option(
    "--project",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The folder with .planning/ and convex/. Default: here.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Where staged files are kept. Default: data/ in the project.",
)
@click.option("--target", default=None, help="Which deployment: [targets.NAME] of the plan.")
@click.version_option(package_name="supabase-to-convex")
@click.pass_context
def cli(context: click.Context, project: Path, data: Path | None, target: str | None) -> None:
    """Move an application from Supabase to Convex: extract, transform, load.

    Each stage writes checkpointed files under data/, can be stopped at any time, and goes on where
    it was when it is run again.
    """
    context.obj = Context(project, data, target)


tables_argument = click.argument("tables", metavar="[TABLE]...", nargs=-1)
json_option = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
via_option = click.option(
    "--via",
    type=click.Choice(["auto", "postgres", "rest"]),
    default="auto",
    help="How to reach Supabase. auto: Postgres if SUPABASE_DB_URL is set.",
)


def pass_context(command: Command) -> Command:
    """Hand the Context to a command as its first argument."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        return command(click.get_current_context().obj, *args, **options)

    return cast("Command", run)


@contextmanager
def progress_of(as_json: bool) -> Iterator[Progress]:
    if as_json:
        yield JsonLines()
    elif sys.stderr.isatty():
        with Bars() as bars:
            yield bars
    else:
        yield Lines()


def print_check_results(results: Iterable[CheckResult], as_json: bool) -> bool:
    """Print what was looked at, as it comes; returns whether all is well."""
    listed = []
    for result in results:
        listed.append(result)
        if not as_json:
            click.echo(f"{'ok   ' if result.ok else 'WRONG'} {result.name}: {result.detail}")
            if not result.ok and result.hint:
                click.echo(f"      → {result.hint}")
    if as_json:
        print_json([{"name": r.name, "ok": r.ok, "told": r.detail, "hint": r.hint} for r in listed])
    return all(result.ok for result in listed)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
