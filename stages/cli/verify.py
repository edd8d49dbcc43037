"""`stages verify`."""

from __future__ import annotations

import time

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
    from stages.convex.schema import load_schema
    from stages.extract.drift import source_drift
    from stages.report.build import write_report
    from stages.state.lock import data_lock
    from stages.verify.run import VerifyOptions
    from stages.verify.run import verify as run

    if final:
        if tables or source or sample:
            raise UserError("--final looks at no table", "run it alone: stages verify --final")
        _verify_final(context, as_json)
        return
    began = time.monotonic()
    moved = []
    workspace, plan = context.workspace, context.plan
    with progress_of(as_json) as progress, data_lock(workspace):
        settings = context.settings()
        context.announce(settings, progress)
        if source:
            stood = source_drift(workspace, plan, settings.source, tables, progress)
            for name, now in stood.items():
                told = ", ".join(now.moved) or "unchanged"
                progress.done("source", name, told, rows=now.rows, moved=now.moved)
            moved = [f"{name}: {', '.join(now.moved)}" for name, now in stood.items() if now.moved]
        schema = load_schema(workspace)
        options = VerifyOptions(tables=tables, sample=sample)
        result = run(workspace, plan, schema, settings.target, options, progress)
        write_report(workspace, plan, settings.target, time.monotonic() - began)
    if result.wrong:
        raise Shortfall(
            "Convex differs from what is staged: " + "; ".join(result.wrong),
            f"the rows are in {workspace.verify('…').parent}/<table>.parquet",
        )
    if moved:
        raise Shortfall(
            "the source has moved since it was extracted: " + "; ".join(moved),
            "move what is new with: stages extract --restart, stages transform, stages load",
        )


def _verify_final(context: Context, as_json: bool) -> None:
    from stages.verify.final import check_final

    if not tell_findings(check_final(context.plan, context.settings().target), as_json):
        raise Shortfall(
            "something of the migration is left that others may use",
            "mend what is WRONG, then: stages verify --final",
        )
