"""Shared by the commands: the group with its options, the context, progress, printing."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from stages.cli.completion import complete_tables, complete_targets
from stages.cli.signals import drawn_by
from stages.errors import RERUN, StagesError, Stopped
from stages.events import Event, OnEvent, to_progress
from stages.progress import Bars, JsonLines, Lines, Shown
from stages.terminal import raw_stream

if TYPE_CHECKING:
    from stages.layout import Line
    from stages.migration import Migration
    from stages.results import Checked

Command = TypeVar("Command", bound=Callable[..., Any])


class Context:
    """The global options, and the project that they open."""

    def __init__(self, project: Path, data: Path | None, target: str | None) -> None:
        self.project = project
        self.data = data
        self.target = target
        self.check_files = False

    def migration(self, on_event: OnEvent | None = None, project: Path | None = None) -> Migration:
        """Open the project that the options name, or `project` if the command names a folder."""
        from stages.migration import Migration

        return Migration(
            project or self.project,
            data=self.data,
            target=self.target,
            on_event=on_event,
            check_files=self.check_files,
        )

    @contextmanager
    def working(self, project: Path | None = None) -> Iterator[Migration]:
        """As `migration`, with events on stderr; stdout is left to the command's output."""
        with shown_progress() as progress:
            yield self.migration(to_progress(progress), project)

    @contextmanager
    def reporting(self, stage: str = "", *, as_json: bool = False) -> Iterator[Migration]:
        """As `migration`, with events on stderr, or as JSON lines on stdout; at the end of a
        `stage`, also its result and what to run next."""
        with shown_progress(as_json=as_json) as progress:
            migration = self.migration(to_progress(progress))
            try:
                yield migration
            except StagesError as error:
                progress.stopped(error)
                raise
            except KeyboardInterrupt:
                progress.stopped(Stopped("stopped", RERUN))
                raise
            if stage:
                standing = migration.status()
                verdict = "" if standing.finished else standing.verdict
                progress.summary(stage, verdict, standing.next)


@click.group(
    invoke_without_command=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 96,
        # Keep click from stripping anything: there are no colours, and stages.terminal escapes
        # control characters.
        "color": True,
    },
)
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
@click.option(
    "--target",
    default=None,
    shell_complete=complete_targets,
    help="Which deployment: [targets.NAME] of the plan, or a sandbox. Default: STAGES_TARGET, then "
    "default_target of the plan.",
)
@click.version_option(package_name="supabase-to-convex")
@click.pass_context
def cli(context: click.Context, project: Path, data: Path | None, target: str | None) -> None:
    """Move an application from Supabase to Convex: extract, transform, load.

    Each stage writes checkpointed files under data/, can be stopped at any time, and continues
    where it left off. Without a command, stages shows where this project stands and what comes
    next.
    """
    context.obj = Context(project, data, target)
    if context.invoked_subcommand is None:
        _print_next(context)


def _print_next(context: click.Context) -> None:
    """Print the project's next step, or the help if there is no project here."""
    from stages.state.workspace import plan_file

    migration = context.obj.migration()
    if not plan_file(migration.project).exists():
        click.echo(context.get_help())
        click.echo(
            "\nThere is no plan here. Write one with: stages init DIR; or name its folder: "
            "--project DIR"
        )
        return
    standing = migration.status()
    click.echo(f"{standing.verdict}\nnext: {standing.next}")
    click.echo(migration.hint("see each table with: stages status"))


tables_argument = click.argument(
    "tables", metavar="[TABLE]...", nargs=-1, shell_complete=complete_tables
)
json_option = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
schema_option = click.option(
    "--schema",
    "schemas",
    metavar="NAME",
    multiple=True,
    help="A schema of Postgres to look into. May be repeated. Default: public.",
)
via_option = click.option(
    "--via",
    type=click.Choice(["auto", "postgres", "rest"]),
    default="auto",
    help="How to reach Supabase. auto: Postgres if SUPABASE_DB_URL is set.",
)


def one_form(as_json: bool, other: object, option: str) -> None:
    """Raise UsageError if --json is combined with another output format."""
    if as_json and other:
        raise click.UsageError(f"--json and {option} are two forms of one output: use one")


def _check_files(context: click.Context, _: click.Parameter, chosen: bool) -> None:
    context.obj.check_files = chosen


check_files_option = click.option(
    "--check-files",
    is_flag=True,
    expose_value=False,
    callback=_check_files,
    help="Check the hash of every staged file, not only of changed ones.",
)


def pass_context(command: Command) -> Command:
    """Hand the Context to a command as its first argument."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        return command(click.get_current_context().obj, *args, **options)

    return cast("Command", run)


@contextmanager
def shown_progress(*, as_json: bool = False) -> Iterator[Shown]:
    """Progress on stderr, or as JSON lines on stdout."""
    if as_json:
        shown: Shown = JsonLines()
    else:
        shown = Bars() if sys.stderr.isatty() else Lines()
    with shown, drawn_by(shown):
        yield shown


def print_note(event: Event) -> None:
    """Print notes on stderr, and ignore other events."""
    if event.kind == "note":
        click.echo(event.text, err=True)


def print_check(event: Event) -> None:
    """Print one result of a check as soon as it is known."""
    print_note(event)
    # A sandbox may be started for the check; its events are not results.
    if (event.kind, event.stage) != ("done", "check"):
        return
    click.echo(f"{'ok   ' if event.facts['ok'] else 'WRONG'} {event.table}: {event.text}")
    if not event.facts["ok"] and event.facts["hint"]:
        click.echo(f"      → {event.facts['hint']}")


def print_checked(checked: Checked) -> None:
    """Print all results of a check as JSON."""
    print_json([asdict(result) for result in checked.results])


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def screen_width() -> int | None:
    """The width of the terminal on stdout; None if it is a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_lines(lines: Iterable[Line]) -> None:
    """Print lines on stdout, with styles if it is a terminal and NO_COLOR is not set."""
    from stages.layout import plain

    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        click.echo(plain(lines))
        return
    from stages.styled import print_styled

    print_styled(lines, raw_stream(sys.stdout))
