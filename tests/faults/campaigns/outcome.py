"""The outcome of a campaign: the faults that landed, and the damage they did."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults.support import LEDGER, PLAN, TABLES, Host

Content = Mapping[str, Any]
CODES = (0, 1, 2, 3)
# Crashes of Python, of native libraries such as Arrow, and of DuckDB.
CRASHES = re.compile(r"Traceback \(most recent|Fatal Python error|terminate called|INTERNAL Error")
TAIL = 1500


@dataclass
class Outcome:
    """One line of the table. `problems` say what is wrong, and what reproduces it."""

    campaign: str
    case: str
    landed: int = 0
    lost: int = 0
    doubled: int = 0
    altered: int = 0
    tracebacks: int = 0
    stuck: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not self.problems

    def note(self, problem: str) -> None:
        """Record a problem and print it immediately, since a campaign takes long."""
        self.problems.append(problem)
        sys.stderr.write(f"WRONG {self.campaign}, {self.case}: {problem}\n")

    def ran(self, ran: subprocess.CompletedProcess[str], fault: str) -> bool:
        """Check that a command ended with one of our exit codes and without a traceback."""
        words = ran.stdout + ran.stderr
        if CRASHES.search(words) or ran.returncode not in CODES:
            self.tracebacks += 1
            self.note(f"{fault}: ended with {ran.returncode}\n{words[-TAIL:]}")
            return False
        return True

    def require_done(self, ran: subprocess.CompletedProcess[str], fault: str) -> bool:
        """Check that the command, run again undisturbed, succeeded."""
        if self.ran(ran, fault) and ran.returncode:
            self.stuck += 1
            words = (ran.stdout + ran.stderr)[-TAIL:]
            self.note(f"{fault}: the next run ends with {ran.returncode}\n{words}")
        return ran.returncode == 0

    def compare(self, quiet: Content, rows: Iterable[tuple[str, Any]], fault: str) -> bool:
        """Compare rows by key with those of a quiet run."""
        listed = list(rows)
        counts = Counter(key for key, _ in listed)
        lost = quiet.keys() - counts.keys()
        doubled = [k for k, n in counts.items() if n > 1 or k not in quiet]
        altered = [k for k, row in listed if k in quiet and row != quiet[k]]
        self.lost += len(lost)
        self.doubled += len(doubled)
        self.altered += len(altered)
        if lost or doubled or altered:
            self.note(
                f"{fault}: lost {sorted(lost)[:3]}, doubled {doubled[:3]}, altered {altered[:3]}"
            )
        return not (lost or doubled or altered)

    def line(self) -> str:
        cells = (self.landed, self.lost, self.doubled, self.altered, self.tracebacks, self.stuck)
        return f"| {self.campaign} | {self.case} | {' | '.join(str(cell) for cell in cells)} |"


def table_of(outcomes: Iterable[Outcome]) -> str:
    """All outcomes as a Markdown table."""
    head = "| campaign | case | landed | lost | doubled | altered | tracebacks | stuck |"
    return "\n".join((head, "|---|---|--:|--:|--:|--:|--:|--:|", *(o.line() for o in outcomes)))


def content(deployment: Host) -> list[tuple[str, Any]]:
    """Every document of the plan's tables and references, as (key, content).

    A key is `table:source key` from the ledger, `table#number` for a reference table, or `table?id`
    if the document is not in the ledger; ids are replaced by these keys. A ledger row without a
    document counts as a document of None.
    """
    keys: dict[str, list[str]] = {}
    for row in deployment.pages(LEDGER):
        if row["table"]:
            keys.setdefault(row["documentId"], []).append(f"{row['table']}:{row['sourceId']}")
    pages = {table: deployment.pages(table) for table in (*TABLES, *PLAN.references)}
    names = {identifier: listed[0] for identifier, listed in keys.items()}
    for table in PLAN.references:
        for number, document in enumerate(pages[table]):
            names[document["_id"]] = f"{table}#{number}"
    rows: list[tuple[str, Any]] = []
    there = set()
    for table, documents in pages.items():
        for document in documents:
            there.add(document["_id"])
            named = {
                name: names.get(value, value) if isinstance(value, str) else value
                for name, value in document.items()
                if name not in ("_id", "_creationTime")
            }
            name = names.get(document["_id"], f"{table}?{document['_id']}")
            rows += [(key, named) for key in keys.get(document["_id"], [name])]
    rows += [(key, None) for i, listed in keys.items() if i not in there for key in listed]
    return rows
