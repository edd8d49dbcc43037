"""An assessment for a terminal: what matters for a decision, then a line per table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from stages.assess.assessment import VERDICTS, AssessedTable, Assessment, Risk
from stages.assess.risks import RULES
from stages.duration import duration
from stages.layout import counted

WIDTH = 100
# The width of a table's line.
LINE = 140
SHOWN = 3
# What a risk is based on, the most certain first.
BASES = ("catalog", "sample", "statistics", "name")
# Short forms of counterparts that are too long for one line.
BRIEF = {
    "policy": "a check in each function that reads or writes",
    "trigger": "in the mutations that write",
    "webhook": "an action that the mutation schedules",
    "function": "a query, mutation or action, where it is still used",
    "unique": "look up by an index before inserting",
    "check": "validators cover types and literals; the rest is code",
    "cascade": "the mutation that deletes also deletes what depends on it",
    "generated column": "the mutation that writes computes it",
    "sequence": "Convex makes an _id; or keep a counter in a document",
    "full-text index": ".searchIndex() and withSearchIndex()",
    "vector index": ".vectorIndex() and ctx.vectorSearch() in an action",
    "other index": "a field that holds the expression, with an index; or nothing",
    "inheritance": "a table for each, or one with a field for the kind",
    "partition": "one table: the parent is read with all of them",
    "file policy": "a function that checks the caller and returns the URL",
    "realtime": "every query is live: useQuery() in place of a channel",
    "row security": "every public function checks who calls it",
}
# Short forms of headings that are too long for their column.
SHORT_HEADINGS = {
    "Expression indexes, partial indexes, and indexes of other methods": "other indexes",
    "Full-text and trigram indexes": "full-text indexes",
}
PARTIAL = (
    "read over REST: policies, triggers, functions, cron jobs, constraints, indexes and sizes "
    "can't be seen there, so a table may need more than its verdict says; set SUPABASE_DB_URL to "
    "see all"
)


def as_text(assessment: Assessment) -> str:
    """All of it, as text."""
    lines = [*_head(assessment)]
    lines += _section("to rebuild by hand", _rebuild(assessment))
    lines += _section("problems in the data", _problems(assessment))
    lines += _section("what it costs", _cost(assessment))
    lines += _section("other facts", _else(assessment))
    lines += _section("not looked at", [w for s in assessment.skipped for w in _wrapped(s)])
    lines += ["", *_tables(assessment)]
    return "\n".join(lines)


def _head(assessment: Assessment) -> Iterator[str]:
    tables = assessment.tables
    sizes = [table.bytes for table in tables if table.bytes is not None]
    known = f", {bytes_text(sum(sizes))}" if sizes else ""
    yield (
        f"Supabase {assessment.source}: {counted(len(tables), 'table')} in "
        f"{', '.join(assessment.schemas)}, {_rows(assessment)}{known}"
    )
    if assessment.partial:
        yield from _wrapped(PARTIAL)
    yield verdict_counts(assessment)


def _rows(assessment: Assessment) -> str:
    tables = assessment.tables
    known = [table.rows for table in tables if table.rows is not None]
    if tables and not known:
        return "rows unknown"
    some = f" in {len(known)} of them" if len(known) < len(tables) else ""
    return f"{counted(sum(known), 'row')}{some}"


def verdict_counts(assessment: Assessment) -> str:
    """`3 ready · 1 unknown · 4 need decisions · 5 need work · 0 not possible`; `unknown` only if
    there are any."""
    words = {
        "ready": "ready", "unknown": "unknown", "decisions": "need decisions", "work": "need work",
        "not possible": "not possible",
    }  # fmt: skip
    counts = assessment.verdicts
    return " · ".join(f"{counts[v]} {words[v]}" for v in VERDICTS if counts[v] or v != "unknown")


def _section(title: str, lines: Iterable[str]) -> list[str]:
    body = [f"  {line}" for line in lines]
    return ["", title, *body] if body else []


def _rebuild(assessment: Assessment) -> Iterator[str]:
    for each in assessment.rebuild:
        instead = BRIEF.get(each.kind, each.counterpart)
        yield _cut(f"{each.count:>5}  {_short(each.heading):<26}  {instead}", WIDTH)


def _short(heading: str) -> str:
    short = SHORT_HEADINGS.get(heading, heading)
    return short if short.startswith("CHECK") else f"{short[0].lower()}{short[1:]}"


def grouped(risks: Iterable[Risk]) -> dict[str, list[Risk]]:
    """Rule → its risks, the most serious rule first."""
    by_rule: dict[str, list[Risk]] = {}
    for rule in RULES:
        for risk in risks:
            if risk.rule == rule:
                by_rule.setdefault(rule, []).append(risk)
    return by_rule


def _problems(assessment: Assessment) -> Iterator[str]:
    for rule, risks in grouped(assessment.risks).items():
        places = [
            f"{_bare(each.table)}.{column}" if column else _bare(each.table)
            for each in risks
            for column in each.columns or ("",)
        ]
        shown = ", ".join(places[:SHOWN]) + (
            f", {len(places) - SHOWN} more" * (len(places) > SHOWN)
        )
        basis = min((each.basis for each in risks), key=BASES.index)
        yield _cut(f"{basis:<10}  {RULES[rule].short}: {shown}", WIDTH)


def _cost(assessment: Assessment) -> Iterator[str]:
    cost = assessment.cost
    yield (
        f"{counted(cost.documents, 'document')} of {bytes_text(cost.document_bytes)}; "
        f"{bytes_text(cost.stored_bytes)} stored, with indexes and ledger"
    )
    yield f"writing: {rates_text(cost.minutes)}"
    yield (
        f"reading: {seconds_text(cost.reading_seconds)} over "
        f"{'REST' if assessment.partial else 'Postgres'}; "
        f"{counted(cost.calls, 'function call')} to load through functions"
    )
    if unknown := uncounted(assessment):
        yield unknown
    first, *more = cost.why
    yield from _wrapped(f"recommended: {recommended(assessment)}: {first}")
    for each in more:
        yield from _wrapped(each)


def recommended(assessment: Assessment) -> str:
    """The recommended way to load, in words."""
    return "through an import" if assessment.cost.road == "import" else "through functions"


def uncounted(assessment: Assessment) -> str:
    """What the cost leaves out, in words; empty if it is complete."""
    unknown = sum(table.rows is None for table in assessment.tables)
    return f"without {counted(unknown, 'table')} whose rows are unknown" if unknown else ""


def rates_text(by_rate: Mapping[str, float]) -> str:
    """`12 min at 4 MiB/s · …`, up to the first rate that takes less than a minute."""
    parts = []
    for rate, number in by_rate.items():
        parts.append(f"{minutes_text(number)} at {rate}")
        if number < 1:
            break
    return " · ".join(parts)


def _else(assessment: Assessment) -> Iterator[str]:
    tables = assessment.tables
    if len(tables) > 1:
        by_size = {t.name: t.bytes or t.stored_bytes for t in tables}
        known = [(name, size) for name, size in by_size.items() if size is not None]
        known.sort(key=lambda each: (-each[1], each[0]))
        sizes = [f"{_bare(name)} {bytes_text(size)}" for name, size in known[:SHOWN]]
        where = "largest in Convex" if assessment.partial else "largest tables"
        if sizes:
            yield from _wrapped(f"{where}: {', '.join(sizes)}")
    if assessment.large_columns:
        sizes = [
            f"{_bare(each.table)}.{each.column} {bytes_text(each.bytes)}"
            for each in assessment.large_columns[:SHOWN]
        ]
        yield from _wrapped(f"largest columns: {', '.join(sizes)}")
    empty = [_bare(t.name) for t in tables if t.rows == 0 and t.rows_are == "counted"]
    if empty:
        yield _cut(f"empty: {', '.join(empty)}", WIDTH)
    idle = [_bare(table.name) for table in tables if table.idle and table.rows]
    if idle:
        since = assessment.statistics_since or "statistics began"
        yield _cut(f"not written to since {since}: {', '.join(idle)}", WIDTH)
    unused = [f"{_bare(t.name)}.{column}" for t in tables for column in t.empty_columns]
    if unused:
        yield _cut(f"columns without a value: {', '.join(unused)}", WIDTH)
    unknown = [_bare(table.name) for table in tables if table.analyzed is False and table.rows]
    if unknown:
        yield _cut(f"never analyzed, so without statistics: {', '.join(unknown)}", WIDTH)
    yield from buckets_text(assessment)
    yield from users_text(assessment)


def buckets_text(assessment: Assessment) -> Iterator[str]:
    """A line about storage."""
    buckets = assessment.buckets
    if not buckets:
        return
    public = sum(bucket.public for bucket in buckets)
    files = [bucket.files for bucket in buckets if bucket.files is not None]
    size = sum(bucket.bytes or 0 for bucket in buckets)
    stored = f", {counted(sum(files), 'file')} of {bytes_text(size)}" if files else ""
    yield f"storage: {counted(len(buckets), 'bucket')} ({public} public){stored}"


def users_text(assessment: Assessment) -> Iterator[str]:
    """Lines about users: how they sign in, and which of them need attention."""
    users = assessment.users
    if users is None:
        return
    if not users.users:
        yield "users: none in Supabase Auth"
        return
    parts = [counted(users.users, "user")]
    if users.providers:
        parts.append("by " + ", ".join(f"{name} {n:,}" for name, n in users.providers.items()))
    if users.passwords:
        kinds = ", ".join(f"{name} {n:,}" for name, n in users.passwords.items())
        parts.append(f"passwords: {kinds}")
    states = {
        "anonymous": users.anonymous, "banned": users.banned, "deleted": users.deleted,
        "by SSO": users.sso, "with a second factor": users.mfa,
        "who share an e-mail": users.same_email,
    }  # fmt: skip
    some = [f"{n:,} {name}" for name, n in states.items() if n]
    yield from _wrapped("users: " + "; ".join([*parts, *([", ".join(some)] if some else [])]))


def _tables(assessment: Assessment) -> Iterator[str]:
    names = {table.name: _bare(table.name) for table in assessment.tables}
    wide = max([len(name) for name in names.values()] + [5])
    yield f"{'verdict':<12}  {'table':<{wide}}  {'rows':>12}  {'size':>9}  why"
    for table in assessment.tables:
        rows = rows_text(table, "~")
        size = bytes_text(table.bytes) if table.bytes is not None else ""
        why = " · ".join(table.reasons) or "-"
        line = f"{table.verdict:<12}  {names[table.name]:<{wide}}  {rows:>12}  {size:>9}  {why}"
        yield _cut(line, LINE)


def rows_text(table: AssessedTable, about: str) -> str:
    """`27`, `~8,000`, or `?` if unknown."""
    if table.rows is None:
        return "?"
    return f"{about if table.rows_are == 'estimated' else ''}{table.rows:,}"


def _bare(name: str) -> str:
    """A table's name; the schema `public` is left out."""
    return name.removeprefix("public.")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def _wrapped(text: str) -> list[str]:
    import textwrap

    first, *more = textwrap.wrap(text, WIDTH, break_on_hyphens=False)
    return [first, *(f"  {line}" for line in more)]


# ── figures ─────────────────────────────────────────────────────────────────────────────────


def bytes_text(size: int) -> str:
    """`512 B`, `3.4 MiB`."""
    number = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:,.0f} {unit}" if unit == "B" or number >= 100 else f"{number:,.1f} {unit}"


def minutes_text(minutes: float) -> str:
    """`under a minute`, `12 min`, `3 h 20 min`."""
    return "under a minute" if minutes < 1 else duration(minutes * 60)


def seconds_text(seconds: float) -> str:
    """At least `1 s`."""
    return duration(max(seconds, 1))
