"""The checks of a probe: one function for each thing that stages expects of a server.

A check's docstring is the expectation, in one sentence: it is printed, and appears in the docs. Its
section is its heading in docs/explanation/real-servers.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from stages.convex.client import OtherAnswer
from stages.errors import StagesError, Transient
from stages.probe.findings import Finding, Verdict

Subject = TypeVar("Subject")
WordsOf = Callable[[StagesError], str]


@dataclass(frozen=True)
class Seen:
    """What a check saw. `as_expected` is None for a measurement, which has no expected result."""

    words: str
    as_expected: bool | None


class NotChecked(Exception):
    """This check can't be made here. The message says why."""


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """One expectation, and the function that checks whether a server meets it."""

    section: str
    look: Callable[[Subject], Seen]

    @property
    def name(self) -> str:
        return self.look.__name__.replace("_", "-")

    @property
    def expected(self) -> str:
        return " ".join((self.look.__doc__ or "").split())


class Checks(Generic[Subject]):
    """The checks of one side, in the order in which they run."""

    def __init__(self) -> None:
        self._checks: list[Check[Subject]] = []

    def of(self, section: str) -> Callable[[Callable[[Subject], Seen]], Callable[[Subject], Seen]]:
        """Return a decorator that registers a function of the subject as a check of a section."""

        def add(look: Callable[[Subject], Seen]) -> Callable[[Subject], Seen]:
            self._checks.append(Check(section, look))
            return look

        return add

    def __iter__(self) -> Iterator[Check[Subject]]:
        return iter(self._checks)

    def run(self, subject: Subject, words_of: WordsOf) -> Iterator[Finding]:
        """Run the checks one by one: an error in one does not stop the others."""
        for check in self:
            yield examine(check, subject, words_of)


def examine(check: Check[Subject], subject: Subject, words_of: WordsOf) -> Finding:
    """Run one check. `words_of` turns an error into text that may be shown."""
    verdict: Verdict
    try:
        seen = check.look(subject)
    except NotChecked as reason:
        verdict, words = "not checked", str(reason)
    except OtherAnswer as error:
        verdict, words = "differs", words_of(error)
    except Transient as error:
        verdict, words = "failed", words_of(error)
    except StagesError as error:
        verdict, words = "differs", words_of(error)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        # Checks assume that responses have the expected form.
        verdict, words = "differs", "an answer of another form"
    else:
        verdict, words = _verdict(seen.as_expected), seen.words
    return Finding(
        section=check.section,
        name=check.name,
        expected=check.expected,
        verdict=verdict,
        seen=words,
    )


def not_asked(check: Check[Subject]) -> Finding:
    """The finding for a check of a server that has not answered."""
    return Finding(
        section=check.section,
        name=check.name,
        expected=check.expected,
        verdict="not checked",
        seen="it gave no answer to an earlier request",
    )


def _verdict(as_expected: bool | None) -> Verdict:
    if as_expected is None:
        return "measured"
    return "confirmed" if as_expected else "differs"


def measured(words: str) -> Seen:
    return Seen(words, None)


def seconds_of(call: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.monotonic()
    call()
    return time.monotonic() - began


def median(numbers: Iterable[float]) -> float:
    """The median of an odd number of values."""
    ordered = sorted(numbers)
    return ordered[len(ordered) // 2]
