"""How commands ask before they change or delete what others use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from stages.errors import UserError
from stages.project.settings import Settings


def confirm_loss(settings: Settings, yes: str | None) -> Callable[[str], bool]:
    """How an import asks before documents are deleted: the deployment's name, as for --prune."""
    name = settings.target.deployment

    def confirm(words: str) -> bool:
        if yes is None and sys.stdin.isatty():
            typed = click.prompt(
                f"{words}; type its name, {name}", default="", err=True, show_default=False
            )
            return bool(typed == name)
        return yes == name

    return confirm


def confirm_prune(settings: Settings, yes: str | None) -> Callable[[Mapping[str, int]], bool]:
    """How --prune asks: the deployment's name, typed or given beforehand.

    Raises UserError where nobody can be asked, before anything is done.
    """
    name = settings.target.deployment
    if yes is None and not sys.stdin.isatty():
        raise UserError(
            f"--prune deletes documents of `{name}`",
            f"say so with: stages load --prune --yes {name}",
        )
    if yes is not None and yes != name:
        raise UserError(f"the deployment is `{name}`, not `{yes}`", f"say --yes {name}")

    def confirm(counts: Mapping[str, int]) -> bool:
        listing = ", ".join(f"{rows:,} of {table}" for table, rows in counts.items())
        if yes is not None:
            return True
        typed = click.prompt(
            f"documents to delete in {name}: {listing}; type its name",
            default="",
            err=True,
            show_default=False,
        )
        return bool(typed == name)

    return confirm


def require_consent(settings: Settings, yes: str | None) -> None:
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


def yes_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--yes`, or for a production deployment `--yes NAME`."""
    return click.option(
        "--yes",
        metavar="[NAME]",
        is_flag=False,
        flag_value="",
        default=None,
        help="Do not ask; a production deployment wants its name here.",
    )(command)


def confirm_deletion(settings: Settings, what: str, yes: str | None) -> None:
    """Ask before something is deleted. Raises UserError where nobody may be asked."""
    target = settings.target
    if yes not in (None, "", target.deployment):
        raise UserError(
            f"`{yes}` is not the name of the deployment, which is {target.deployment}",
            "tables come before --yes",
        )
    if target.production and yes != target.deployment:
        if yes is None and sys.stdin.isatty():
            yes = click.prompt(
                f"{what}\n{target.deployment} is a production deployment; type its name", err=True
            )
        if yes != target.deployment:
            raise UserError(
                f"{what}: `{target.deployment}` is a production deployment",
                f"say so with: --yes {target.deployment}",
            )
    elif yes is None:
        click.confirm(f"{what}?", abort=True, err=True)
