"""not-carried.md: what Postgres did by itself, and Convex will not."""

from __future__ import annotations

from collections.abc import Iterable

from stages.init.catalog import Behaviour, Catalog, table_name
from stages.init.pairs import Pairing

# Kind → heading, and what takes its place in Convex.
KINDS = {
    "row security": ("Row security", "Every public function must check who calls it."),
    "policy": ("Row-security policies", "Each is a check in the functions that read and write."),
    "trigger": ("Triggers", "What they did belongs in the mutations that write."),
    "function": ("Functions", "Each becomes a query, mutation or action, where it is still used."),
    "cron job": ("Cron jobs", "convex/crons.ts has such jobs."),
    "unique": ("Unique constraints", "Convex has none: look up by an index before inserting."),
    "check": ("CHECK constraints", "A validator covers types and literals only; the rest is code."),
    "exclusion": ("Exclusion constraints", "Look up by an index before inserting."),
    "cascade": (
        "Cascades",
        "Convex deletes one document at a time: what depends on it must be deleted, or changed, "
        "too.",
    ),
    "foreign key": (
        "Foreign keys",
        "v.id() checks the table of an id, not that its document exists.",
    ),
    "default": ("Defaults", "The mutation that inserts gives the value."),
    "index": (
        "Indexes",
        "Only plain indexes have a counterpart; text search and vectors have others.",
    ),
    "view": ("Views", "A query computes it."),
    "publication": ("Realtime publications", "Every query is live in Convex; nothing to do."),
}


def not_carried_text(catalog: Catalog, pairing: Pairing) -> str:
    """Markdown with a section for each kind: the table and the definition of each."""
    lines = [
        "# What is not carried over",
        "",
        "Postgres did this by itself. Convex does not, until somebody writes it.",
    ]
    if catalog.partial:
        lines += [
            "",
            "**Read over REST, which shows only defaults, enums and foreign keys of one column.** "
            "Policies, triggers, functions, cron jobs, unique and CHECK constraints, cascades, "
            "indexes and publications can't be seen there: run `stages init` with SUPABASE_DB_URL "
            "set to list them.",
        ]
    if pairing.without_target:
        lines += ["", "## Tables", "", "No Convex table takes their rows:", ""]
        lines += [f"- `{schema}.{name}`" for schema, name in pairing.without_target]
    everything = [*catalog.behaviour, *_defaults(catalog), *_keys(catalog), *_indexes(catalog)]
    for kind, (heading, instead) in KINDS.items():
        of_kind = [each for each in everything if each.kind == kind]
        if of_kind:
            lines += ["", f"## {heading}", "", instead, "", *_listed(of_kind)]
    return "\n".join(lines) + "\n"


def _listed(behaviour: Iterable[Behaviour]) -> list[str]:
    lines = []
    for each in behaviour:
        head = " · ".join(f"`{part}`" for part in (each.table, each.name) if part)
        text = each.definition.strip()
        if "\n" in text:
            fence = "````" if "```" in text else "```"
            lines += [f"- {head}", "", f"  {fence}sql"]
            lines += [f"  {line}".rstrip() for line in text.splitlines()]
            lines += [f"  {fence}", ""]
        else:
            lines.append(f"- {head}: `{text}`" if text else f"- {head}")
    return lines


def _defaults(catalog: Catalog) -> list[Behaviour]:
    return [
        Behaviour(
            kind="default",
            table=table_name(table.place),
            name=column.name,
            definition=column.default or f"generated ({column.declared})",
        )
        for table in catalog.tables.values()
        if table.schema in catalog.schemas
        for column in table.columns.values()
        if column.default is not None or column.generated
    ]


def _keys(catalog: Catalog) -> list[Behaviour]:
    """Foreign keys over REST, where Postgres's own list of them is not visible."""
    if not catalog.partial:
        return []
    return [
        Behaviour(
            kind="foreign key",
            table=table_name(table.place),
            name=key.columns[0],
            definition=key.definition,
        )
        for table in catalog.tables.values()
        for key in table.foreign_keys
    ]


def _indexes(catalog: Catalog) -> list[Behaviour]:
    return [
        Behaviour(
            kind="index",
            table=table_name(table.place),
            name=index.name,
            definition=index.definition,
        )
        for table in catalog.tables.values()
        if table.schema in catalog.schemas
        for index in table.indexes
        if not index.of_constraint and (not index.plain or not index.columns or index.unique)
    ]
