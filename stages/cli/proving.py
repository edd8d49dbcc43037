"""Proof that what was moved is there, and the way back."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from stages.cli.context import (
    Context,
    cli,
    json_option,
    pass_context,
    progress_of,
    tables_argument,
    tell_findings,
)
from stages.errors import Shortfall, UserError
from stages.settings import Settings


@cli.command()
@tables_argument
@click.option("--source", is_flag=True, help="Count the source again, and compare it too.")
@click.option("--sample", metavar="N", type=click.IntRange(1),
              help="Only N documents a table, always the same ones.")  # fmt: skip
@click.option("--final", is_flag=True,
              help="Only look whether functions or secrets of the migration are left.")  # fmt: skip
@json_option
@pass_context
def verify(
    context: Context,
    tables: tuple[str, ...],
    source: bool,
    sample: int | None,
    final: bool,
    as_json: bool,
) -> None:
    """Read Convex back and compare it with what is staged.

    TABLE is a source or a target name, or a glob such as 'ari_*'; all where none is given.
    """
    from stages.checkpoint import writing
    from stages.convex.schema import load_schema
    from stages.extract.standing import standing
    from stages.report import write_report
    from stages.verify.run import VerifyOptions
    from stages.verify.run import verify as run

    if final:
        if tables or source or sample:
            raise UserError("--final looks at no table", "run it alone: stages verify --final")
        _verify_final(context, as_json)
        return
    began = time.monotonic()
    moved = []
    paths, plan = context.paths, context.plan
    with progress_of(as_json) as progress, writing(paths):
        settings = context.settings()
        context.announce(settings, progress)
        if source:
            stood = standing(paths, plan, settings.source, tables, progress)
            for name, now in stood.items():
                told = ", ".join(now.moved) or "unchanged"
                progress.done("source", name, told, rows=now.rows, moved=now.moved)
            moved = [f"{name}: {', '.join(now.moved)}" for name, now in stood.items() if now.moved]
        schema = load_schema(paths)
        options = VerifyOptions(tables=tables, sample=sample)
        result = run(paths, plan, schema, settings.target, options, progress)
        write_report(paths, plan, settings.target, time.monotonic() - began)
    if result.wrong:
        raise Shortfall(
            "Convex differs from what is staged: " + "; ".join(result.wrong),
            f"the rows are in {paths.verify('…').parent}/<table>.parquet",
        )
    if moved:
        raise Shortfall(
            "the source has moved since it was extracted: " + "; ".join(moved),
            "move what is new with: stages extract --restart, stages transform, stages load",
        )


def yes_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--yes`, or for a production deployment `--yes NAME`."""
    return click.option(
        "--yes", metavar="[NAME]", is_flag=False, flag_value="", default=None,
        help="Do not ask; a production deployment wants its name here.",
    )(command)  # fmt: skip


@cli.command()
@tables_argument
@click.option("--force", is_flag=True, help="Delete what the app has changed since, too.")
@yes_option
@json_option
@pass_context
def rollback(
    context: Context, tables: tuple[str, ...], force: bool, yes: str | None, as_json: bool
) -> None:
    """Delete from Convex what was loaded, children first.

    TABLE is a source or a target name, or a glob such as 'ari_*'; all where none is given.
    Documents that the app has changed since are kept.
    """
    from stages.checkpoint import writing
    from stages.convex.schema import load_schema
    from stages.report import write_report
    from stages.rollback import RollbackOptions
    from stages.rollback import rollback as run

    began = time.monotonic()
    paths, plan = context.paths, context.plan
    with progress_of(as_json) as progress, writing(paths):
        settings = context.settings()
        context.announce(settings, progress)

        def confirm(documents: Mapping[str, int]) -> None:
            listed = ", ".join(f"{rows:,} of {name}" for name, rows in documents.items())
            _confirm(settings, f"delete from {settings.target.label}: {listed}", yes)

        options = RollbackOptions(tables=tables, force=force)
        schema = load_schema(paths)
        found = run(paths, plan, schema, settings.target, options, confirm, progress)
        if not found:
            progress.note("nothing is loaded")
        write_report(paths, plan, settings.target, time.monotonic() - began)
    kept = [f"{told.kept:,} of {name}" for name, told in found.items() if told.kept]
    if kept:
        raise Shortfall(
            f"documents that the app has changed are kept: {', '.join(kept)}; what they refer to "
            "is gone where its table was rolled back",
            "delete them too with: stages rollback --force",
        )


@cli.command()
@click.option("--staged", "what", flag_value="staged", default=True,
              help="All staged files, of all targets.")  # fmt: skip
@click.option("--target-folder", "what", flag_value="target", help="This target's folder only.")
@click.option("--ledger", "what", flag_value="ledger",
              help="The ledger in Convex; the documents stay.")  # fmt: skip
@click.option("--all", "what", flag_value="all", help="The ledger, then all staged files.")
@yes_option
@pass_context
def clean(context: Context, what: str, yes: str | None) -> None:
    """Remove staged files, or the ledger, and tell what only you can remove.

    Nothing is deleted in Supabase, and no document in Convex.
    """
    from stages.checkpoint import writing
    from stages.clean import clear_ledger, hand_steps, remove_all, staged_files, target_files

    paths, plan = context.paths, context.plan
    with progress_of(False) as progress, writing(paths):
        if what in ("ledger", "all"):
            settings = context.settings()
            _confirm(
                settings,
                f"empty the ledger of {settings.target.label}: nothing loaded can be verified, "
                "rolled back or loaded again after that",
                yes,
            )
            clear_ledger(paths, plan, settings.target, progress)
        if what != "ledger":
            files = target_files(paths) if what == "target" else staged_files(paths)
            listed = ", ".join(str(file) for file in files) or "nothing"
            if yes is None:
                click.confirm(f"remove {listed}?", abort=True, err=True)
            remove_all(files)
    if what in ("ledger", "all"):
        click.echo("left for you, where it is there:")
        for step in hand_steps(plan):
            click.echo(f"  - {step}")


def _confirm(settings: Settings, what: str, yes: str | None) -> None:
    """Ask before something is deleted. Raises UserError where nobody may be asked."""
    target = settings.target
    if yes not in (None, "", target.deployment):
        raise UserError(
            f"`{yes}` is not the name of the deployment, which is {target.deployment}",
            "tables come before --yes",
        )
    if target.production and yes != target.deployment:
        if yes is None and sys.stdin.isatty():
            yes = click.prompt(f"{what}\n{target.deployment} is a production deployment; "
                               "type its name", err=True)  # fmt: skip
        if yes != target.deployment:
            raise UserError(
                f"{what}: `{target.deployment}` is a production deployment",
                f"say so with: --yes {target.deployment}",
            )
    elif yes is None:
        click.confirm(f"{what}?", abort=True, err=True)


def _verify_final(context: Context, as_json: bool) -> None:
    from stages.verify.final import look_finally

    if not tell_findings(look_finally(context.plan, context.settings().target), as_json):
        raise Shortfall(
            "something of the migration is left that others may use",
            "mend what is WRONG, then: stages verify --final",
        )
