"""The report to read, in Markdown."""

from __future__ import annotations

from typing import Any

from stages.report.notes import summary_lines
from stages.state.answers import Answer

COUNTED = ("source", "migrated", "skipped", "not_loaded")


def summary_text(report: dict[str, Any]) -> str:
    """The report to read, in Markdown."""
    tables = report["tables"]
    totals = {k: sum(t[k] for t in tables.values()) for k in COUNTED}
    lines = [
        f"# Data migration: {report['plan']}",
        "",
        f"**{_sentence(report['verdict'])}** Next: {report['next']}",
        "",
        f"From Supabase {report['source'] or '(not read yet)'}, snapshot: {report['snapshot']}.",
        f"To {report['target'] or 'no deployment yet'}, at {report['timestamp']}, with stages "
        f"{report['version']}.",
        "",
        "| stage | started | ended |",
        "|---|---|---|",
        *(
            f"| {stage} | {times['started']} | {times['ended']} |"
            for stage, times in report["stages"].items()
        ),
        "",
        "| source | target | status | source rows | migrated | skipped | not loaded | verified |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for name, entry in tables.items():
        verified = entry.get("verified")
        lines.append(
            f"| {name} | {entry['target']} | {entry['status']} | {entry['source']:,} | "
            f"{entry['migrated']:,} | {entry['skipped']:,} | {entry['not_loaded']:,} | "
            f"{format(verified['verified'], ',') if verified else '–'} |"
        )
    lines += [
        f"| **all** | | | {totals['source']:,} | {totals['migrated']:,} | "
        f"{totals['skipped']:,} | {totals['not_loaded']:,} | |",
        "",
        "## Why rows were skipped",
        "",
    ]
    skipped = [
        f"- {name}: {reason}: {rows:,}"
        for name, entry in tables.items()
        for reason, rows in entry["reasons"].items()
    ]
    lines += skipped or ["No row was skipped."]
    lines += ["", "## Values changed by rules", ""]
    changed = [
        f"- {name}: {change}: {rows:,}"
        for name, entry in tables.items()
        for change, rows in entry.get("changes", {}).items()
    ]
    lines += changed or ["No value was changed."]
    lines += ["", "## Where references went", ""]
    references = [
        f"| {name} | {field} | {entry['source']:,} | {entry['bound']:,} | {entry['nulled']:,} | "
        f"{entry['rejected']:,} |"
        for name, table_entry in tables.items()
        for field, entry in (table_entry.get("references") or {}).items()
    ]
    if references:
        lines += [
            "| source | field | not null | bound | made null | rejected |",
            "|---|---|---:|---:|---:|---:|",
            *references,
        ]
    else:
        lines.append("Not counted yet: stages verify does.")
    meanings = report.get("rules", {})
    if meanings:
        lines += ["", "## What the rules mean", ""]
        lines += [f"- `{rule}`: {meaning}" for rule, meaning in meanings.items()]
    existing = [
        f"- {entry['target']}: {Answer(**entry['existing']).words}"
        for entry in tables.values()
        if entry.get("existing")
    ]
    if existing:
        lines += ["", "## Documents from before the first load", "", *existing]
    errors = [f"- {name}: {e}" for name, entry in tables.items() for e in entry["errors"]]
    if errors:
        lines += ["", "## Errors", "", *errors]
    return "\n".join([*lines, *summary_lines(report)]) + "\n"


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
