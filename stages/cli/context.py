"""What the commands share: the group with its options, the context, progress, printing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from stages.events import Event, OnEvent, to_progress
from stages.progress import Bars, JsonLines, Lines, Progress

if TYPE_CHECKING:
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
        """The project that the options name; `project` where the command names its folder."""
        from stages.migration import Migration

        return Migration(
            project or self.project,
            data=self.data,
            target=self.target,
            on_event=on_event,
            check_files=self.check_files,
        )

    @contextmanager
    def reporting(self, *, as_json: bool = False) -> Iterator[Migration]:
        """The same, with its events on stderr, or as JSON lines on stdout."""
        with progress_of(as_json) as progress:
            yield self.migration(to_progress(progress))


@click.group(
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 96,
        # click takes nothing out of what is printed: there is no colour, and stages.terminal
        # escapes what would steer a terminal.
        "color": True,
    }
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
    help="Which deployment: [targets.NAME] of the plan, or a sandbox. Default: STAGES_TARGET, then "
    "default_target of the plan.",
)
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


def _check_files(context: click.Context, _: click.Parameter, chosen: bool) -> None:
    context.obj.check_files = chosen


check_files_option = click.option(
    "--check-files",
    is_flag=True,
    expose_value=False,
    callback=_check_files,
    help="Read every staged file, and not only those that were written to since.",
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


def print_note(event: Event) -> None:
    """Print what a person should read on stderr, and nothing else."""
    if event.kind == "note":
        click.echo(event.text, err=True)


def print_check(event: Event) -> None:
    """Print one result of a check as it comes."""
    print_note(event)
    if event.kind != "done":
        return
    click.echo(f"{'ok   ' if event.facts['ok'] else 'WRONG'} {event.table}: {event.text}")
    if not event.facts["ok"] and event.facts["hint"]:
        click.echo(f"      → {event.facts['hint']}")


def print_checked(checked: Checked) -> None:
    """Print all results of a check as JSON."""
    print_json(
        [{"name": r.name, "ok": r.ok, "told": r.detail, "hint": r.hint} for r in checked.results]
    )


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
