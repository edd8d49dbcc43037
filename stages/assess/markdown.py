"""An assessment as Markdown: every risk and every name, to be read and kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stages.assess.assessment import Assessment, Rebuild
from stages.assess.risks import RULES
from stages.assess.text import (
    PARTIAL,
    buckets_text,
    bytes_text,
    grouped,
    minutes_text,
    recommended,
    rows_text,
    seconds_text,
    uncounted,
    users_text,
    verdict_counts,
)
from stages.layout import counted


def as_markdown(assessment: Assessment) -> str:
    """The whole document."""
    lines = [f"# Assessment of Supabase {assessment.source}", "", verdict_counts(assessment) + "."]
    if assessment.partial:
        lines += ["", f"**{_capital(PARTIAL)}.**"]
    lines += ["", "## Tables", "", *_tables(assessment)]
    lines += ["", "## Cost", "", *_cost(assessment)]
    if assessment.rebuild:
        lines += ["", "## To rebuild by hand", ""]
        for each in assessment.rebuild:
            lines += _rebuild(each)
        lines.pop()
    if assessment.risks:
        lines += ["", "## Problems in the data", ""]
        for rule, risks in grouped(assessment.risks).items():
            lines += [f"### {_capital(RULES[rule].short)}", ""]
            lines += [f"{_capital(RULES[rule].advice)}.", ""]
            lines += [
                f"- `{'`, `'.join(f'{each.table}.{c}' for c in each.columns) or each.table}`: "
                f"{each.text.partition(': ' + RULES[rule].advice)[0]} (by {each.basis})"
                for each in risks
            ]
            lines += [""]
        lines.pop()
    services = [*buckets_text(assessment), *(" ".join(w.split()) for w in users_text(assessment))]
    if services:
        lines += ["", "## Files and users", "", *(f"- {line}" for line in _joined(services))]
        lines += [
            f"- bucket `{bucket.name}`: {'public' if bucket.public else 'private'}"
            + (
                f", {counted(bucket.files, 'file')}, {bytes_text(bucket.bytes or 0)}"
                if bucket.files is not None
                else ""
            )
            for bucket in assessment.buckets or ()
        ]
    if assessment.skipped:
        lines += ["", "## Not looked at", "", *(f"- {each}" for each in assessment.skipped)]
    return "\n".join(lines) + "\n"


def _joined(lines: Iterable[str]) -> Iterator[str]:
    """Joins lines that were wrapped for a terminal."""
    whole = ""
    for line in lines:
        if line.startswith(("storage: ", "users: ")):
            if whole:
                yield whole
            whole = line
        else:
            whole += f" {line}"
    if whole:
        yield whole


def _tables(assessment: Assessment) -> Iterator[str]:
    yield "| verdict | table | rows | bytes | largest of the sample | why |"
    yield "|---|---|---:|---:|---:|---|"
    for table in assessment.tables:
        rows = rows_text(table, "about ")
        size = bytes_text(table.bytes) if table.bytes is not None else ""
        largest = bytes_text(table.largest_document) if table.largest_document else ""
        why = " · ".join(table.reasons).replace("|", "\\|")
        yield (f"| {table.verdict} | `{table.name}` | {rows} | {size} | {largest} | {why} |")


def _cost(assessment: Assessment) -> Iterator[str]:
    cost = assessment.cost
    yield f"- {counted(cost.documents, 'document')}, {bytes_text(cost.document_bytes)}"
    yield f"- stored with indexes and ledger: {bytes_text(cost.stored_bytes)}"
    for rate, number in cost.minutes.items():
        yield f"- written at {rate}: {minutes_text(number)}"
    yield f"- read: {seconds_text(cost.reading_seconds)}"
    yield f"- calls of functions: {cost.calls:,}"
    if unknown := uncounted(assessment):
        yield f"- {unknown}"
    yield f"- recommended: {recommended(assessment)}"
    yield from (f"  - {each}" for each in cost.why)


def _rebuild(rebuild: Rebuild) -> Iterator[str]:
    yield f"### {rebuild.heading} ({rebuild.count:,})"
    yield ""
    yield rebuild.counterpart
    yield ""
    on = ", ".join(f"`{name}` {n}" for name, n in rebuild.tables.items())
    if on:
        yield f"- on {on}"
    if rebuild.names:
        yield f"- {', '.join(f'`{name}`' for name in rebuild.names)}"
    yield ""


def _capital(text: str) -> str:
    """As a sentence begins, unless it begins with code, such as `v.int64()`."""
    if "(" in text.split(" ", 1)[0]:
        return text
    return f"{text[0].upper()}{text[1:]}"
