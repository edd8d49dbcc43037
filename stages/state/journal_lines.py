"""What a line of load's journals holds, for DuckDB, which reads them column-wise."""

from __future__ import annotations

import msgspec


class Ack(msgspec.Struct, kw_only=True):
    """acks.jsonl: what Convex answered for a document, and the digest that was sent."""

    sourceId: str
    documentId: str
    did: str
    digest: str


class LoadReject(msgspec.Struct, kw_only=True):
    """rejects.jsonl: a document that Convex has refused, or that was held back, and why."""

    sourceId: str
    rule: str
    reason: str


Line = type[Ack] | type[LoadReject]
DUCKDB_TYPES = {str: "VARCHAR"}


def columns_of(line: Line) -> dict[str, str]:
    """Column → DuckDB's type."""
    return {each.name: DUCKDB_TYPES[each.type] for each in msgspec.structs.fields(line)}


def columns_sql(line: Line) -> str:
    """The same in the form that read_json takes."""
    return "{" + ", ".join(f"{name}: '{kind}'" for name, kind in columns_of(line).items()) + "}"
