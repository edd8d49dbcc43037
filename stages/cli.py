"""The commands: each parses, calls one function, prints, and ends with a code.

0 done · 1 done, but something falls short · 2 wrong usage, settings or plan · 3 stopped before the
end, run again to go on. stdout is data; stderr is progress and people.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, cast

import click

from stages.errors import Shortfall, StagesError, UserError
from stages.paths import Paths
from stages.plan import Plan, load_plan
from stages.progress import Bars, JsonLines, Lines, Progress
from stages.settings import Settings, load_settings, read_environment, resolve_target

Command = TypeVar("Command", bound=Callable[..., Any])


class Context:
    """What every command needs, made when first asked for."""

    def __init__(self, project: Path, data: Path | None, target: str | None) -> None:
        self.project = project.resolve()
        self._data = data
        self._target = target
        self._plan: Plan | None = None
        self.environment = read_environment(self.project)

    @property
    def plan(self) -> Plan:
        if self._plan is None:
            self._plan = load_plan(self.project / ".planning" / "migrations" / "plan.toml")
        return self._plan

    @property
    def target(self) -> str:
        return resolve_target(self.project, self.plan, self._target, self.environment)

    @property
    def paths(self) -> Paths:
        data = (self._data or self.project / "data").resolve()
        return Paths(project=self.project, data=data, target=self.target)

    def settings(self) -> Settings:
        return load_settings(self.project, self.plan, self.target, self.environment)

    def announce(self, settings: Settings, progress: Progress) -> None:
        """The first line of a stage names source and target."""
        progress.note(f"{settings.source.label} → {settings.target.label} (target {self.target})")
        self._tell_age(progress)

    def announce_staged(self, progress: Progress) -> None:
        """The same for a stage that reaches neither: whose files these are."""
        from stages.checkpoint import read_json

        source = (read_json(self.paths.source) or {}).get("ref", "not read yet")
        target = (read_json(self.paths.identity) or {}).get("deployment", "not read yet")
        progress.note(f"Supabase {source} → Convex {target} (target {self.target})")
        self._tell_age(progress)

    def _tell_age(self, progress: Progress) -> None:
        from stages.status import staged_age

        age = staged_age(self.paths, self.plan)
        if age:
            progress.note(age)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96})
@click.option(
    "--project", type=click.Path(file_okay=False, path_type=Path), default=Path(),
    help="The folder with .planning/ and convex/. Default: here.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), default=None,
    help="Where staged files are kept. Default: data/ in the project.",
)  # fmt: skip
@click.option("--target", default=None, help="Which deployment: [targets.NAME] of the plan.")
@click.version_option(package_name="stages")
@click.pass_context
def cli(context: click.Context, project: Path, data: Path | None, target: str | None) -> None:
    """Move an application from Supabase to Convex: extract, transform, load.

    Each stage writes checkpointed files under data/, can be stopped at any time, and goes on where
    it was when it is run again.
    """
    context.obj = Context(project, data, target)


tables_argument = click.argument("tables", metavar="[TABLE]...", nargs=-1)
json_option = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")


def pass_context(command: Command) -> Command:
    """Hand the Context to a command as its first argument."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        return command(click.get_current_context().obj, *args, **options)

    return cast("Command", run)


@contextmanager
def _progress(as_json: bool) -> Iterator[Progress]:
    if as_json:
        yield JsonLines()
    elif sys.stderr.isatty():
        with Bars() as bars:
            yield bars
    else:
        yield Lines()


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


# ── the three stages ────────────────────────────────────────────────────────────────────────


@cli.command()
@tables_argument
@click.option("--exclude", metavar="TABLE", multiple=True, help="Leave out; may be repeated.")
@click.option(
    "--via",
    type=click.Choice(["auto", "postgres", "rest"]),
    default="auto",
    help="How to reach Supabase. auto: Postgres if SUPABASE_DB_URL is set.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 16),
    help="Connections side by side. Default: 2 (Postgres, never more than 4), 8 (REST).",
)
@click.option("--restart", is_flag=True, help="Read anew, aside, and swap at the end.")
@click.option("--dry-run", is_flag=True, help="Tell rows, bytes and minutes; read nothing.")
@click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(1),
    help="Only N rows a table, and the rows that they refer to.",
)
@click.option(
    "--max-snapshot",
    metavar="MINUTES",
    type=click.FloatRange(min=0, min_open=True),
    default=120,
    show_default=True,
    help="Let go of a snapshot that is older.",
)
@json_option
@pass_context
def extract(context: Context, as_json: bool, dry_run: bool, **chosen: Any) -> None:
    """Dump source tables, and what Convex has already, to Parquet.

    TABLE is a source or a target name, or a glob such as 'ari_*'; all where none is given.
    """
    from stages.checkpoint import writing
    from stages.convex.client import Deployment
    from stages.convex.ledger import require_target
    from stages.convex.schema import load_schema
    from stages.extract.reference import extract_references
    from stages.extract.run import ExtractOptions, forecast
    from stages.extract.run import extract as run
    from stages.views import refresh

    chosen["max_snapshot"] *= 60.0
    options = ExtractOptions(**chosen)
    paths, plan = context.paths, context.plan
    if dry_run:
        source = context.settings().source
        _tell_forecast(forecast(plan, source, paths, options, Lines()), paths.data, as_json)
        return
    with _progress(as_json) as progress, writing(paths):
        settings = context.settings()
        context.announce(settings, progress)
        result = run(paths, plan, settings.source, options, progress)
        require_target(paths, settings.target)
        schema = load_schema(paths)
        with Deployment(settings.target) as deployment:
            extract_references(paths, plan, schema, deployment, progress, restart=options.restart)
        refresh(paths, plan)
        if result.transport == "rest":
            progress.note("read over REST, which has no snapshot: rows may be of different moments")
    if result.failed:
        raise Shortfall(
            f"not read: {', '.join(result.failed)}", "mend the cause, then: stages extract"
        )


def _tell_forecast(found: list[Any], data: Path, as_json: bool) -> None:
    import shutil

    free = shutil.disk_usage(data if data.exists() else data.parent).free
    if as_json:
        _print_json({"tables": [vars(each) for each in found], "disk_free": free})
        return
    for each in found:
        click.echo(
            f"{each.table:<28} {each.rows:>14,} rows {each.bytes / 2**20:>10,.1f} MiB "
            f"{each.seconds / 60:>8,.1f} min"
        )
    click.echo(
        f"{sum(e.rows for e in found):,} rows, {sum(e.bytes for e in found) / 2**20:,.1f} MiB at "
        f"the source, about {sum(e.seconds for e in found) / 60:,.1f} min; "
        f"{free / 2**30:,.1f} GiB are free here"
    )


@cli.command()
@tables_argument
@click.option("--restart", is_flag=True, help="Do it again, fresh or not.")
@click.option("--explain", is_flag=True, help="Print the checking SQL; write nothing.")
@click.option("--limit", type=click.IntRange(1), help="Print so many documents; write nothing.")
@json_option
@pass_context
def transform(
    context: Context,
    tables: tuple[str, ...],
    restart: bool,
    explain: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """Turn the extract into Convex documents and rejects, by SQL models and checks.

    TABLE is a source or a target name, or a glob such as 'ari_*'; all where none is given.
    """
    from stages.checkpoint import writing
    from stages.convex.schema import load_schema
    from stages.transform.run import TransformOptions
    from stages.transform.run import transform as run

    options = TransformOptions(tables=tables, restart=restart, limit=limit, explain=explain)
    with _progress(as_json) as progress, writing(context.paths):
        context.announce_staged(progress)
        schema = load_schema(context.paths)
        result = run(context.paths, context.plan, schema, options, progress)
    for name, shown in result.shown.items():
        if explain and as_json:
            click.echo(json.dumps({"table": name, "sql": shown}))
        elif explain:
            click.echo(f"-- {name}\n{shown};\n")
        else:
            for document in shown:
                click.echo(json.dumps(document, ensure_ascii=False, default=str))
    if result.over_limit:
        raise Shortfall(
            "more rejects than the plan allows: " + "; ".join(result.over_limit),
            "see why with: stages rejects; then edit a model, the source, or max_rejects",
        )


@cli.command()
@tables_argument
@click.option("--through", type=click.Choice(["functions", "http-action"]), default=None,
              help="The door. Default: functions where there is a deploy key.")  # fmt: skip
@click.option("--restart", is_flag=True, help="Forget the acks, and ask Convex' ledger.")
@click.option("--overwrite", is_flag=True, help="Write over documents that the app has changed.")
@click.option("--accept-rejects", is_flag=True, help="Load although rejects are over the limit.")
@click.option("--yes", metavar="NAME", help="The name of the production deployment, as consent.")
@json_option
@pass_context
def load(
    context: Context,
    tables: tuple[str, ...],
    through: str | None,
    restart: bool,
    overwrite: bool,
    accept_rejects: bool,
    yes: str | None,
    as_json: bool,
) -> None:
    """Write the documents to Convex, each exactly once.

    TABLE is a source or a target name, or a glob such as 'ari_*'; all where none is given.
    """
    from stages.checkpoint import read_manifest, writing
    from stages.convex.client import Door
    from stages.convex.schema import load_schema
    from stages.load.run import LoadOptions
    from stages.load.run import load as run
    from stages.report import write_report
    from stages.transform.run import over_limit

    began = time.monotonic()
    with _progress(as_json) as progress, writing(context.paths):
        settings = context.settings()
        context.announce(settings, progress)
        _require_consent(settings, yes)
        manifests = {
            table.name: manifest
            for table in context.plan.tables.values()
            if (manifest := read_manifest(context.paths.transform(table.name)))
        }
        over = over_limit(context.plan, manifests)
        if over and not accept_rejects:
            raise Shortfall(
                "more rejects than the plan allows: " + "; ".join(over),
                "see why with: stages rejects; or load all the same with --accept-rejects",
            )
        schema = load_schema(context.paths)
        options = LoadOptions(
            tables=tables, through=cast("Door | None", through), restart=restart,
            overwrite=overwrite,
        )  # fmt: skip
        result = run(context.paths, context.plan, schema, settings.target, options, progress)
        write_report(context.paths, context.plan, settings.target, time.monotonic() - began)
    partial = [name for name, told in result.tables.items() if told["status"] != "complete"]
    if result.failed or partial:
        raise Shortfall(
            f"not all is loaded: {', '.join([*result.failed, *partial])}",
            "see why with: stages rejects; then run again: stages load",
        )


def _require_consent(settings: Settings, yes: str | None) -> None:
    """A production deployment asks for its name to be typed."""
    target = settings.target
    if not target.production or yes == target.deployment:
        return
    if yes is None and sys.stdin.isatty():
        yes = click.prompt(
            f"{target.deployment} is a production deployment; type its name", err=True
        )
    if yes != target.deployment:
        raise UserError(
            f"`{target.deployment}` is a production deployment",
            f"say so with: stages load --yes {target.deployment}",
        )


# ── looking ─────────────────────────────────────────────────────────────────────────────────


@cli.command()
@json_option
@pass_context
def check(context: Context, as_json: bool) -> None:
    """Look at settings, connections, rights, and the deployment's functions and schema."""
    from stages.check import check as run
    from stages.convex.schema import Schema, export_schema

    settings = context.settings()
    schema = Schema(export_schema(context.paths.convex))
    findings = []
    for finding in run(context.paths, context.plan, schema, settings):
        findings.append(finding)
        if not as_json:
            click.echo(f"{'ok   ' if finding.ok else 'WRONG'} {finding.name}: {finding.told}")
            if not finding.ok and finding.hint:
                click.echo(f"      → {finding.hint}")
    if as_json:
        _print_json([vars(finding) for finding in findings])
    if not all(finding.ok for finding in findings):
        raise Shortfall("not everything is ready", "mend what is WRONG, then: stages check")


@cli.command()
@tables_argument
@json_option
@pass_context
def verify(context: Context, tables: tuple[str, ...], as_json: bool) -> None:
    """Read Convex back and compare it with what is staged."""
    from stages.checkpoint import writing
    from stages.convex.schema import load_schema
    from stages.report import write_report
    from stages.verify import verify as run

    began = time.monotonic()
    with _progress(as_json) as progress, writing(context.paths):
        settings = context.settings()
        context.announce(settings, progress)
        schema = load_schema(context.paths)
        result = run(context.paths, context.plan, schema, settings.target, tables, progress)
        write_report(context.paths, context.plan, settings.target, time.monotonic() - began)
    if result.wrong:
        raise Shortfall(
            "Convex differs from what is staged: " + "; ".join(result.wrong),
            f"the rows are in {context.paths.verify('…').parent}/<table>.parquet",
        )


@cli.command()
@json_option
@pass_context
def status(context: Context, as_json: bool) -> None:
    """Tell where each table stands, and what to run next; reads only files."""
    from stages.status import as_text
    from stages.status import status as run

    told = run(context.paths, context.plan)
    if as_json:
        _print_json(told)
    else:
        click.echo(as_text(told))


@cli.command()
@click.argument("tables", metavar="[TABLE]...", nargs=-1)
@click.option("--rule", help="Only this rule.")
@json_option
@pass_context
def rejects(context: Context, tables: tuple[str, ...], rule: str | None, as_json: bool) -> None:
    """Show what fell out at transform and at load, by rule, and where to edit."""
    from stages.rejects import as_text, list_rejects

    chosen = context.plan.select_tables(tables)
    groups = list_rejects(context.paths, context.plan, chosen, rule)
    if as_json:
        _print_json(groups)
    else:
        click.echo(as_text(groups))


@cli.command()
@json_option
@pass_context
def report(context: Context, as_json: bool) -> None:
    """Write the report and the summary again, and print the summary."""
    from stages.checkpoint import read_json
    from stages.report import write_report

    paths, plan = context.paths, context.plan
    write_report(paths, plan, None, 0.0)
    if as_json:
        _print_json(read_json(paths.project / plan.report_json))
    else:
        click.echo((paths.project / plan.report_summary).read_text("utf-8"), nl=False)


@cli.command()
@click.argument("query", required=False)
@json_option
@pass_context
def sql(context: Context, query: str | None, as_json: bool) -> None:
    """Run SQL over the staged files; without QUERY, over what stdin holds.

    The schemas are extract, reference, side, keys, transform, bound and load; the views rejects
    and changes hold all tables.
    """
    import duckdb

    from stages.views import connect

    text = query if query is not None else sys.stdin.read()
    with connect(context.paths, context.plan, temporary=False) as connection:
        try:
            result = connection.sql(text)
            if result is None:
                return
            if as_json:
                _print_json(result.to_arrow_table().to_pylist())
            else:
                result.show(max_width=200)
        except duckdb.Error as error:
            raise UserError(
                str(error).strip(), 'see the tables with: stages sql "show all tables"'
            ) from None


@cli.command()
@click.option("--staged", "what", flag_value="staged", default=True,
              help="All staged files, of all targets.")  # fmt: skip
@click.option("--target-folder", "what", flag_value="target", help="This target's folder only.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_context
def clean(context: Context, what: Literal["staged", "target"], yes: bool) -> None:
    """Remove staged files; nothing is deleted in Supabase or Convex."""
    from stages.checkpoint import writing
    from stages.clean import remove_all as run
    from stages.clean import staged_files, target_files

    paths = context.paths
    files = staged_files(paths) if what == "staged" else target_files(paths)
    if not yes:
        click.confirm(
            f"remove {', '.join(str(f) for f in files) or 'nothing'}?", abort=True, err=True
        )
    with writing(paths):
        run(files)


# ── the sandbox ─────────────────────────────────────────────────────────────────────────────


@cli.group()
def sandbox() -> None:
    """A whole Supabase and a whole Convex on this machine, for trying and testing."""


@sandbox.command()
@click.option("--renew", is_flag=True,
              help="Remove target folders of sandbox deployments that are gone.")  # fmt: skip
@json_option
@pass_context
def up(context: Context, renew: bool, as_json: bool) -> None:
    """Start what does not run yet."""
    from stages import sandbox as machine
    from stages.clean import renew_sandbox_targets

    target = context._target or "sandbox"
    state = machine.up(context.project, [target])
    if renew:
        renew_sandbox_targets(context.paths, state)
    _tell_sandbox(state, as_json)


@sandbox.command()
@pass_context
def down(context: Context) -> None:
    """Stop all of it. What Postgres holds is kept; Convex' state is in memory, and goes."""
    from stages import sandbox as machine

    machine.down(context.project)


@sandbox.command("status")
@json_option
@pass_context
def sandbox_status(context: Context, as_json: bool) -> None:
    """Tell what runs; starts nothing."""
    from stages import sandbox as machine

    _tell_sandbox(machine.status(context.project), as_json)


@sandbox.command()
@pass_context
def reset(context: Context) -> None:
    """Stop all of it and delete what it holds; the next one is made anew."""
    from stages import sandbox as machine

    machine.reset(context.project)


def _tell_sandbox(state: Any, as_json: bool) -> None:
    if as_json:
        told = state and {
            "source": {"ref": state.source.ref, "url": state.source.url},
            "deployments": {
                name: {"name": d.name, "url": d.url, "site_url": d.site_url}
                for name, d in state.deployments.items()
            },
        }
        _print_json(told)
    elif state is None:
        click.echo("the sandbox is not running")
    else:
        click.echo(f"Supabase {state.source.ref} at {state.source.url}")
        for name, deployment in state.deployments.items():
            click.echo(f"Convex {deployment.name} at {deployment.url} (target {name})")


# ── the door ────────────────────────────────────────────────────────────────────────────────


def main() -> NoReturn:
    """The console script: errors as sentences, and the exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = cli.main(standalone_mode=False) or 0
    except click.exceptions.Abort:
        _end("stopped; run the same command again to go on", 3)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except StagesError as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:
        _end("stopped; run the same command again to go on", 3)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        told = f"{error.strerror or error}: {error.filename or 'the disk'}"
        _end(f"{told}\n  → mend that; what is done is kept, run the same command again", 3)
    sys.exit(code if isinstance(code, int) else 0)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _end(text: str, code: int) -> NoReturn:
    click.echo(f"stages: {text}", err=True)
    sys.exit(code)
