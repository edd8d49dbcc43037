"""How the command line agrees: by --yes, or on the terminal."""

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
        help="Do not ask; a production deployment wants its name here.",
    )(command)


def consent_of(yes: str | None) -> Consent:
    """What `--yes` says; without it, a question."""
    return ask if yes is None else yes or True


def consent_by_name(yes: str | None) -> Consent:
    """The same for a command that only asks for names: nobody types one into a pipe."""
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
        click.echo(err=True)  # behind the question
        if was_interrupted():
            raise
        raise ConsentRequired(question) from None  # there is nobody to ask
