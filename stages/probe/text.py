"""Findings as Markdown, to be pasted into an issue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from stages.probe.findings import Finding


def heading_of(section: str) -> str:
    return f"\n### {section}\n"


def line_of(finding: Finding) -> str:
    verdict = "not checked here" if finding.verdict == "not checked" else finding.verdict
    return f"- **{verdict}** {finding.expected} *{finding.seen}*"


def summary_of(findings: Iterable[Finding]) -> str:
    """The number of findings by verdict, as text."""
    counts = Counter(finding.verdict for finding in findings)
    listed = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    return f"{counts.total()} checks: {listed}"
