"""The DuckDB temporary tables through which the steps of a load pass rows to each other.

They live as long as the connection, and are created again for each table of the load.
"""

from __future__ import annotations

from stages.sql import Relation

# ── what Convex has acknowledged ────────────────────────────────────────────────────────────

ACK_LINES = Relation(
    name="ack_lines",
    columns=("sourceId", "documentId", "did", "digest", "n"),
    meaning="a line of acks.jsonl, numbered",
)
REPEATED_KEYS = Relation(
    name="repeated_keys",
    columns=("sourceId",),
    meaning="a source key with more than one line of acks.jsonl",
)
ACKED = Relation(
    name="acked",
    columns=("source_id", "document_id", "did", "digest"),
    meaning="the last answer for a source key; keys whose documents were taken back are left out",
)
ACKED_DOCUMENTS = Relation(
    name="acked_documents",
    columns=("source_id", "convex_id", "did", "staged", "rejected"),
    meaning="a document that was acknowledged, and whether its key is staged or rejected now",
)

# ── what is not sent, or refused ────────────────────────────────────────────────────────────

HELD_BACK = Relation(
    name="held_back",
    columns=("_source_id", "unbound"),
    meaning="a document that waits for an id, and the first reference without one",
)
REFUSED_KEYS = Relation(
    name="refused_keys",
    columns=("source_id",),
    meaning="a document that Convex has refused",
)

# ── proof that ids belong to existing documents ─────────────────────────────────────────────

PROVEN_IDS = Relation(
    name="proven_ids",
    columns=("target", "convex_id", "present"),
    meaning="an id that was asked for in this run, and whether its document exists",
)
PENDING_KEYS = Relation(
    name="pending_keys",
    columns=("_source_id",),
    meaning="a document that is to be sent",
)
REFERRED_IDS = Relation(
    name="referred_ids",
    columns=("target", "source_id", "convex_id"),
    meaning="an id that pending documents are to be bound with",
)
UNPROVEN_IDS = Relation(
    name="unproven_ids",
    columns=("convex_id",),
    meaning="such an id of one table that was not asked for yet",
)
ABSENT_IDS = Relation(
    name="absent_ids",
    columns=REFERRED_IDS.columns,
    meaning="such an id whose document does not exist any more",
)

# ── pruning ─────────────────────────────────────────────────────────────────────────────────

UNSTAGED_ROWS = Relation(
    name="unstaged_rows",
    columns=("source_id", "document_id"),
    meaning="a row of the ledger whose source key is not staged",
)
PRUNABLE = Relation(
    name="prunable",
    columns=("table", "source_id", "document_id"),
    meaning="such a row of any table that is not rejected either: its document may be deleted",
)
REFERRERS = Relation(
    name="referrers",
    columns=("table", "document_id", "parent_id"),
    meaning="a document in Convex that names a prunable one",
)
KEPT_PARENTS = Relation(
    name="kept_parents",
    columns=("document_id",),
    meaning="a prunable document that a document that stays refers to",
)

# ── documents that a table had before its first load ────────────────────────────────────────

SAMPLED_DOCUMENTS = Relation(
    name="sampled_documents",
    columns=("document",),
    meaning="one of the first documents of a table that the ledger does not know, as JSON",
)
EXISTING_FIELDS = Relation(
    name="existing_fields",
    columns=("_id", "_keys", "_by", "…"),
    meaning="an existing document, a column a field; the names of its fields; the text of one",
)
EXISTING_ROWS = Relation(
    name="existing rows {}",
    columns=("_id", "likeness", "whole", "by_key"),
    meaning="an existing document's hashes, without and with what a cycle defers; a field's text",
)
STAGED_FIELDS = Relation(
    name="staged_fields",
    columns=("_source_id", "…"),
    meaning="a staged document whose references have ids, a column a field",
)
STAGED_ROWS = Relation(
    name="staged_rows",
    columns=("source_id", "hash"),
    meaning="the same as a hash that an equal existing document has too",
)
FIRM_PAIRS = Relation(
    name="firm_pairs",
    columns=("source_id", "convex_id"),
    meaning="a staged row and an existing document with its minted id, or with its key in a field",
)
LIKE_PAIRS = Relation(
    name="like_pairs",
    columns=("source_id", "convex_id", "sure"),
    meaning="such a pair of equal content; sure where neither equals anything else",
)
ADOPTED_ROWS = Relation(
    name="adopted rows {}",
    columns=("source_id", "convex_id"),
    meaning="an existing document that is this staged row, and no other",
)
