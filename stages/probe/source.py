"""The source side of a probe: over HTTP and directly, depending on the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from urllib.parse import urlsplit

from stages.errors import StagesError
from stages.probe import postgres, postgres_roles, supabase
from stages.probe.asking import Odd, Unanswered
from stages.probe.checks import Check
from stages.probe.database import Database, Lost, Refused
from stages.probe.findings import Finding
from stages.probe.project import Project
from stages.project.connection_string import read_db_url
from stages.project.plan import Plan
from stages.project.settings import Source

DIRECT = (postgres.CHECKS, postgres_roles.CHECKS)
# Errors whose messages contain nothing from a server.
OWN_WORDS = (Odd, Unanswered, Refused, Lost)


def probe_source(source: Source, plan: Plan) -> Iterator[Finding]:
    """Yield the finding of each check as it is made. Reads only, and changes nothing.

    Each side ends within its time budget, plus the time of one last request.
    """
    hidden = _hidden(source)
    if source.url and source.key:
        with closing(Project(source, plan)) as project:
            for checks in supabase.CHECKS:
                for finding in checks.run(project, words_of):
                    yield _without(finding, hidden)
    if source.db_url:
        with closing(Database(source, plan)) as database:
            for direct in DIRECT:
                for finding in direct.run(database, words_of):
                    yield _without(finding, hidden)


def source_checks() -> Iterator[Check[Project] | Check[Database]]:
    """All checks of the source, in the order in which they run."""
    for checks in supabase.CHECKS:
        yield from checks
    for direct in DIRECT:
        yield from direct


def words_of(error: StagesError) -> str:
    """What may be shown of an error: the message only if it is our own text."""
    return error.message if isinstance(error, OWN_WORDS) else "an answer that can't be read"


def _hidden(source: Source) -> set[str]:
    """Text that no finding may show, whatever a server returns."""
    hidden = {source.ref}
    if source.key:
        hidden.add(source.key.reveal())
    if source.url:
        hidden.add(urlsplit(source.url).netloc)
    if source.db_url:
        parts = read_db_url(source.db_url.reveal())
        hidden |= {parts.get(name, "") for name in ("host", "hostaddr", "password")}
    return {text for text in hidden if len(text) > 3}


def _without(finding: Finding, hidden: set[str]) -> Finding:
    seen = finding.seen
    for text in hidden:
        seen = seen.replace(text, "…")
    return replace(finding, seen=seen)
