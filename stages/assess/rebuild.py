"""What Postgres and Supabase do by themselves and Convex will not, with what takes its place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stages.assess.assessment import Rebuild, Verdict
from stages.init.catalog import Behaviour, Catalog, CatalogIndex, choices_of_check, table_name
from stages.init.not_carried import KINDS


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind in a list: its heading, what takes its place, and the least verdict of its tables."""

    heading: str
    counterpart: str
    verdict: Verdict | None = None


def _known(kind: str, verdict: Verdict | None = None, counterpart: str | None = None) -> Kind:
    heading, instead = KINDS[kind]
    return Kind(heading=heading, counterpart=counterpart or instead, verdict=verdict)


# First what mostly needs code, then what needs decisions, then what is only good to know.
ALL_KINDS = {
    "policy": _known("policy", "work"),
    "trigger": _known("trigger", "work"),
    "webhook": Kind(
        heading="Database webhooks",
        counterpart="The mutation that writes schedules an action, which calls fetch().",
        verdict="work",
    ),
    "function": _known("function"),
    "cron job": _known("cron job"),
    "unique": _known("unique"),
    "check": _known("check", "work"),
    "exclusion": _known("exclusion", "work"),
    "cascade": _known("cascade"),
    "generated column": Kind(
        heading="Generated columns",
        counterpart="The mutation that writes computes it; its values are moved as they are.",
        verdict="work",
    ),
    "sequence": Kind(
        heading="Sequences",
        counterpart="Convex makes an _id; a number that people see needs a counter in a document.",
    ),
    "view": _known("view"),
    "full-text index": Kind(
        heading="Full-text and trigram indexes",
        counterpart=".searchIndex() in schema.ts, and withSearchIndex() in a query.",
        verdict="decisions",
    ),
    "vector index": Kind(
        heading="Vector indexes",
        counterpart=".vectorIndex() in schema.ts, and ctx.vectorSearch() in an action.",
        verdict="decisions",
    ),
    "other index": Kind(
        heading="Expression indexes, partial indexes, and indexes of other methods",
        counterpart="A field that holds the expression, with an index of its own; or nothing.",
        verdict="decisions",
    ),
    "inheritance": Kind(
        heading="Inheritance",
        counterpart="A table for each, or one with a field for the kind: see `only` in the plan.",
        verdict="decisions",
    ),
    "partition": Kind(
        heading="Partitions",
        counterpart="One table: the parent is read with all its partitions.",
    ),
    "foreign table": Kind(
        heading="Foreign tables",
        counterpart="An action calls the other service.",
        verdict="decisions",
    ),
    "file policy": Kind(
        heading="Policies on stored files",
        counterpart="A file's URL is open to whoever has it: a function checks the caller, then "
        "returns it.",
    ),
    "realtime": Kind(
        heading="Realtime",
        counterpart="Every query is live in Convex: useQuery() in place of a channel.",
    ),
    "publication": _known("publication"),
    "extension": Kind(heading="Extensions", counterpart=""),
    "row security": _known("row security"),
}
WEBHOOK = re.compile(r"supabase_functions\.http_request|net\.http_", re.IGNORECASE)
METHOD = re.compile(r" USING (\w+) \(")
# Extension → what takes its place.
EXTENSIONS = {
    "http": "fetch() in an action",
    "pg_cron": "convex/crons.ts",
    "pg_net": "fetch() in an action",
    "pg_trgm": ".searchIndex()",
    "pgmq": "ctx.scheduler",
    "postgis": "the component @convex-dev/geospatial",
    "vector": ".vectorIndex()",
}
# Every Supabase project has these from the start: they say nothing about the application.
USUAL_EXTENSIONS = {"pg_graphql", "pg_stat_statements", "pgcrypto", "supabase_vault", "uuid-ossp"}


def rebuilt(catalog: Catalog, structure: Iterable[Behaviour]) -> tuple[Rebuild, ...]:
    """Each kind that occurs, with its count, tables and names."""
    by_kind: dict[str, list[Behaviour]] = {}
    for each in (*_of_catalog(catalog), *structure, *_of_indexes(catalog)):
        if each.kind != "extension" or each.name not in USUAL_EXTENSIONS:
            by_kind.setdefault(each.kind, []).append(each)
    return tuple(
        Rebuild(
            kind=kind,
            heading=known.heading,
            count=len(by_kind[kind]),
            counterpart=known.counterpart or _of_extensions(each.name for each in by_kind[kind]),
            tables=dict(Counter(each.table for each in by_kind[kind] if each.table)),
            names=tuple(dict.fromkeys(each.name for each in by_kind[kind] if each.name)),
            verdict=known.verdict,
        )
        for kind, known in ALL_KINDS.items()
        if kind in by_kind
    )


def _of_extensions(names: Iterable[str]) -> str:
    named = [f"{name}: {EXTENSIONS.get(name, 'none, see what uses it')}" for name in names]
    return f"{'; '.join(named)}."


def _of_catalog(catalog: Catalog) -> Iterator[Behaviour]:
    """Behaviour, by the kinds of this module; without `CHECK … IN (…)`, which a union covers."""
    for each in catalog.behaviour:
        kind = each.kind
        if kind == "trigger" and WEBHOOK.search(each.definition):
            kind = "webhook"
        elif kind == "publication" and each.name == "supabase_realtime":
            kind = "realtime"
        if kind in ALL_KINDS and not (kind == "check" and choices_of_check(each.definition)):
            # Row security has no name of its own.
            name = "" if kind == "row security" else each.name
            yield Behaviour(kind=kind, table=each.table, name=name, definition=each.definition)


def _of_indexes(catalog: Catalog) -> Iterator[Behaviour]:
    """Unique indexes without a constraint, and indexes that have another form in Convex."""
    for table in catalog.tables.values():
        if table.schema == "auth":
            continue
        for index in table.indexes:
            rule = "unique" if index.unique and not index.of_constraint else None
            for kind in filter(None, (rule, _kind_of_index(index))):
                yield Behaviour(
                    kind=kind,
                    table=table_name(table.place),
                    name=index.name,
                    definition=index.definition,
                )


def _kind_of_index(index: CatalogIndex) -> str | None:
    method = METHOD.search(index.definition)
    name = method[1] if method else "btree"
    if name in ("hnsw", "ivfflat"):
        return "vector index"
    if re.search(r"tsvector|_trgm_ops", index.definition) or name in ("gin", "rum"):
        # GIN also indexes arrays and JSON, but only text search has a counterpart in Convex.
        text = re.search(r"tsvector|_trgm_ops|_tsv|search|fts", index.definition)
        return "full-text index" if text else "other index"
    if index.unique or index.of_constraint or (index.plain and index.columns):
        return None
    return "other index"
