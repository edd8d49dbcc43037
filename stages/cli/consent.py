"""How the user consents on the command line: with --yes, or on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from stages.cli.signals import was_interrupted
from stages.consent import Consent, ConsentRequired, Question


def yes_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--yes`, or for a production deployment `--yes NAME`."""
    return click.option(
        "--yes",
        metavar="[NAME]",
        is_flag=False,
        flag_value="",
        default=None,
        help="Do not ask; for a production deployment, give its name.",
    )(command)


def consent_of(yes: str | None) -> Consent:
    """The consent that `--yes` gives; without it, the function that asks."""
    return ask if yes is None else yes or True


def consent_by_name(yes: str | None) -> Consent:
    """As `consent_of`, for commands that only ask for names: without a terminal, don't ask."""
    return consent_of(yes) if yes is not None or sys.stdin.isatty() else None


def ask(question: Question) -> bool:
    """Ask on the terminal: for a plain yes, or for the deployment's name."""
    if not question.by_name:
        return _confirm(question)
    if not sys.stdin.isatty():
        raise ConsentRequired(question)
    typed = click.prompt(
        f"{question.action}; type its name, {question.deployment}",
        default="",
        err=True,
        show_default=False,
    )
    return bool(typed == question.deployment)


def _confirm(question: Question) -> bool:
    try:
        return click.confirm(f"{question.action}?", err=True)
    except click.Abort:
        click.echo(err=True)  # end the line of the question
        if was_interrupted():
            raise
        raise ConsentRequired(question) from None  # there is nobody to ask
