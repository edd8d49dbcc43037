"""The temporary DuckDB tables that pass rows between functions of this package.

They live as long as the connection. Load, verify and rollback read `ledger_rows` and
`change_results` too.
"""

from __future__ import annotations

from stages.sql import Relation

ARRIVED = Relation(
    name="arrived",
    columns=("document",),
    meaning="a document that has just come from Convex, as JSON",
)
REQUESTED_IDS = Relation(
    name="requested_ids",
    columns=("n", "element"),
    meaning="an id whose document is to be read, as JSON",
)
LEDGER_ROWS = Relation(
    name="ledger_rows",
    columns=("table", "source_id", "document_id", "digest"),
    meaning="a row of the deployment's ledger, its epoch left out",
)
CHANGE_RECORDS = Relation(
    name="change_records",
    columns=("n", "element"),
    meaning="a record for `adopt` or `remove`, as JSON",
)
CHANGE_RESULTS = Relation(
    name="change_results",
    columns=("source_id", "did"),
    meaning="what `adopt` or `remove` did with a record",
)

# ── canonical forms: the requested table, and working tables whose names begin with its own ─

CANONICAL_JSON = Relation(
    name="canonical_json",
    columns=("text", "canonical", "size", "problem"),
    meaning="a JSON text of any field, and its canonical form",
)
CANONICAL = Relation(
    name="{}",
    columns=("text", "canonical", "size", "problem"),
    meaning="a JSON text and its canonical form, under a name that the caller gives",
)
CANONICAL_TEXTS = Relation(
    name="{}_texts",
    columns=("text",),
    meaning="a text that fits no layout so far",
)
CANONICAL_DOCS = Relation(
    name="{}_docs",
    columns=("doc", "text"),
    meaning="a text that is taken apart, numbered",
)
CANONICAL_NODES = Relation(
    name="{}_nodes",
    columns=("doc", "id", "parent", "key", "type", "leaf"),
    meaning="a value inside of a text, at any depth",
)
CANONICAL_LEVEL = Relation(
    name="{}_level_{}",
    columns=CANONICAL_NODES.columns,
    meaning="a value of one depth",
)
CANONICAL_FOLDED = Relation(
    name="{}_folded_{}",
    columns=("doc", "id", "parent", "key", "canonical", "size", "depth", "problem"),
    meaning="a value of one depth, with the canonical form of all that is in it",
)
