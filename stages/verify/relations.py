"""The temporary DuckDB tables and views that pass rows between the steps of a verify.

They live as long as the connection. `read back {}` and `loaded_ids` are made once; the others are
rebuilt for each table.
"""

from __future__ import annotations

from stages.sql import Relation

# ── read from Convex ────────────────────────────────────────────────────────────────────────

READ_BACK_TABLE = Relation(
    name="read back {}",
    columns=("_id", "…"),
    meaning="a document of one table, or a row of the ledger",
)
REFERRED_DOCUMENTS = Relation(
    name="referred {}",
    columns=("_id",),
    meaning="a document that a sample refers to, numbered by the look-up",
)
DECODED = Relation(
    name="decoded",
    columns=READ_BACK_TABLE.columns,
    meaning="a document that has just come, a column a field",
)

# ── what is compared ────────────────────────────────────────────────────────────────────────

LOADED_IDS = Relation(
    name="loaded_ids",
    columns=("target", "source_id", "convex_id"),
    meaning="the document of a source key, by the ledger; of a reference table, by its keys",
)
LOCAL_IDS = Relation(
    name="local_ids",
    columns=("source_id", "document_id"),
    meaning="what load has recorded of one table, which the ledger is asked about",
)
UNSENT_KEYS = Relation(
    name="unsent_keys",
    columns=("source_id",),
    meaning="a document that load could not send; an older form of it may be in Convex",
)
SAMPLED_KEYS = Relation(
    name="sampled_keys",
    columns=("source_id",),
    meaning="a document of the sample",
)
STAGED = Relation(
    name="staged",
    columns=("_source_id", "…"),
    meaning="a document as it is staged, its references bound; without those never sent",
)
OWNED = Relation(
    name="owned",
    columns=("source_id", "document_id"),
    meaning="a row of the ledger",
)
READ_BACK = Relation(
    name="read_back",
    columns=("_id", "…"),
    meaning="a document as Convex has it, with the same fields",
)

# ── what is found ───────────────────────────────────────────────────────────────────────────

PAIRED = Relation(
    name="paired",
    columns=("source_id", "document_id", "same"),
    meaning="a staged document with its own in Convex, and whether their hashes are equal",
)
DIFFERING_STAGED = Relation(
    name="differing_staged",
    columns=("source_id", "document_id", "_source_id", "…"),
    meaning="a staged document whose hash differs",
)
CHANGED_DOCUMENTS = Relation(
    name="changed_documents",
    columns=("source_id", "document_id", "fields"),
    meaning="a document that is not as staged, and which fields differ",
)
DIFFERENCES = Relation(
    name="differences",
    columns=("kind", "source_id", "document_id", "fields"),
    meaning="a difference of any kind",
)

# ── references ──────────────────────────────────────────────────────────────────────────────

SOURCE_REFERENCES = Relation(
    name="source_references",
    columns=("source_id", "…"),
    meaning="a row of the model, and how many references each of its fields holds",
)
REJECTED_KEYS = Relation(
    name="rejected_keys",
    columns=("source_id",),
    meaning="a row that is not in Convex as it is now: rejected by transform, or not sent by load",
)
REFERENCE_ACCOUNTS = Relation(
    name="reference_accounts",
    columns=("source_id", "rejected", "…"),
    meaning="a row of the model, and how many references of each field it has, has in Convex, and "
    "had made null",
)
