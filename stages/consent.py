"""Consent: the one way to ask before doing something that needs the user's agreement.

A caller of the API answers in advance, or passes a function; the command line's function asks on
the terminal. Nothing here prompts or prints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stages.errors import StagesError, UserError
from stages.project.settings import Target


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the user is asked to agree to.

    `action` is a clause that names it, such as `delete from Convex shop: 3 of orders`. With
    `by_name`, the user must give the name of the `deployment`: this applies to a production
    deployment, and whenever documents of an app would be lost. Otherwise a plain yes is enough.
    `hint` is the command that agrees in advance.
    """

    action: str
    deployment: str
    by_name: bool
    hint: str


class ConsentRequired(UserError):
    """Consent is needed and was not given: nothing was done. `question` is what to agree to."""

    question: Question

    def __init__(
        self, question: Question, message: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message or question.action, hint or question.hint)
        self.question = question


class Declined(StagesError):
    """The user was asked and said no: nothing was done. `question` is what was asked."""

    exit_code = 3
    question: Question

    def __init__(self, question: Question) -> None:
        super().__init__("the answer was no: nothing was done")
        self.question = question


# None or False: no consent. True: a plain yes. A string: the deployment's name. A function: asks.
Consent = Callable[[Question], bool] | str | bool | None


def require_consent(consent: Consent, question: Question) -> None:
    """Return if `consent` agrees. Raises ConsentRequired if nobody could be asked or the name is
    that of another deployment, Declined if the answer is no."""
    if callable(consent):
        if not consent(question):
            raise Declined(question)
        return
    if isinstance(consent, str) and consent != question.deployment:
        raise ConsentRequired(
            question,
            f"{question.action}: its deployment is `{question.deployment}`, not `{consent}`",
            f"{question.hint} (tables come before --yes)",
        )
    if consent is None or consent is False or (consent is True and question.by_name):
        raise ConsentRequired(question)


def require_production(consent: Consent, target: Target, command: str) -> None:
    """Ask before `stages <command>` writes to a production deployment; do nothing for others."""
    name = target.deployment
    if target.production:
        require_consent(
            consent,
            Question(
                action=_standing(target),
                deployment=name,
                by_name=True,
                hint=f"confirm with: stages {command} --yes {name}",
            ),
        )


def _standing(target: Target) -> str:
    if target.certain:
        return f"`{target.deployment}` is a production deployment"
    return f"`{target.deployment}` may be a production deployment, as no deploy key says otherwise"


def deletion(target: Target, action: str, command: str) -> Question:
    """Return the question to ask before `stages <command>` deletes something in a deployment."""
    if not target.production:
        return Question(
            action=action,
            deployment=target.deployment,
            by_name=False,
            hint=f"confirm with: stages {command} --yes",
        )
    return Question(
        action=f"{action}: {_standing(target)}",
        deployment=target.deployment,
        by_name=True,
        hint=f"confirm with: stages {command} --yes {target.deployment}",
    )


def confirm_loss(consent: Consent, target: Target, command: str) -> Callable[[str], None]:
    """Return a function with which an import asks before documents are deleted.

    It takes the loss as a clause, and raises as `require_consent` does. The answer must be the
    deployment's name, for any kind of deployment.
    """
    name = target.deployment

    def confirm(loss: str) -> None:
        hint = f"confirm with: stages {command} --yes {name}"
        require_consent(consent, Question(action=loss, deployment=name, by_name=True, hint=hint))

    return confirm


def confirm_prune(
    consent: Consent, target: Target, command: str
) -> Callable[[Mapping[str, int]], bool]:
    """Return a function with which a prune asks, given the number of documents by table.

    The answer must be the deployment's name, for any kind of deployment. Raises ConsentRequired
    before anything is done if nobody can be asked.
    """
    name = target.deployment
    hint = f"confirm with: stages {command} --yes {name}"

    def question(action: str) -> Question:
        return Question(action=action, deployment=name, by_name=True, hint=hint)

    if not callable(consent):
        require_consent(consent, question(f"--prune deletes documents of `{name}`"))

    def agrees(documents: Mapping[str, int]) -> bool:
        listed = ", ".join(f"{rows:,} of {table}" for table, rows in documents.items())
        asked = question(f"documents to delete in {name}: {listed}")
        return consent(asked) if callable(consent) else True

    return agrees
