"""The DuckDB tables and views through which the steps of a transform pass rows to each other.

They live as long as the connection. A relation with a name such as `known {}` is created once for
each table or field that completes its name.
"""

from __future__ import annotations

from stages.sql import Relation

# ── from a model's rows to rows that are checked ────────────────────────────────────────────

KEYLESS_ROWS = Relation(
    name="rows of {}",
    columns=("_key", "…"),
    meaning="a row of a source without a key, numbered among its equals",
    writers=("models",),
    readers=("models",),
)
MODEL_ROWS = Relation(
    name="model_rows",
    columns=("_source_id", "…"),
    meaning="a row of the model, stored because it is read more than once",
    writers=("run_model",),
    readers=("run_model", "table_run"),
)
ISOLATED = Relation(
    name="isolated",
    columns=("_source_id", "…", "_failed"),
    meaning="a row of a model that has failed, NULL in columns that fail in it, and the reasons",
    writers=("isolate",),
    readers=("isolate", "run_model", "table_run"),
)
MODELLED = Relation(
    name="modelled",
    columns=("_source_id", "…"),
    meaning="a row of the model, its columns as the fields take them first",
    writers=("run_model",),
    readers=("run_model", "json_values", "references", "checked", "known_keys"),
)
KEYED = Relation(
    name="keyed",
    columns=("source_id", "row"),
    meaning="a row that must be accounted for: of the source, or of a derived model",
    writers=("run_model",),
    readers=("reconcile", "drops", "staged_files"),
)
CANONICAL = Relation(
    name="canonical",
    columns=("text", "canonical", "size", "problem"),
    meaning="a JSON text of any field, and its canonical form",
    writers=("json_values",),
    readers=("json_values", "table_run"),
)
JSON_VALUES = Relation(
    name="json of {}",
    columns=("text", "staged", "size", "problem", "refs"),
    meaning="a JSON text of one field, as it is staged, and the references in it",
    writers=("json_values",),
    readers=("compile", "references"),
)
STORED_JSON_VALUES = Relation(
    name="values of {}",
    columns=JSON_VALUES.columns,
    meaning="the same, stored where its validator makes it dear to compute",
    writers=("json_values",),
    readers=("json_values",),
)
KNOWN = Relation(
    name="known {}",
    columns=("ref", "rule", "reason"),
    meaning="a key that may be referred to, or with a rule, one that may not",
    writers=("known_keys", "cycles", "references"),
    readers=("references",),
)
ORPHANS = Relation(
    name="orphans of {}",
    columns=("_source_id", "refs"),
    meaning="a row whose field has references inside that have no target",
    writers=("references",),
    readers=("checked", "known_keys"),
)

BESIDE = Relation(
    name="beside {}",
    columns=("_source_id", "…"),
    meaning="what is beside the rows of a SELECT, by its number, of a model that has failed",
    writers=("changes",),
    readers=("changes",),
)

# ── rows that are split ─────────────────────────────────────────────────────────────────────

PASSED = Relation(
    name="passed",
    columns=("_source_id", "…"),
    meaning="a document: a row without a failure",
    writers=("split_rows",),
    readers=("reconcile", "unique", "changes", "staged_files", "cycles"),
)
FAILING = Relation(
    name="failing",
    columns=("_source_id", "_failures"),
    meaning="a row that fails, and each reason why",
    writers=("split_rows", "unique", "references"),
    readers=("changes", "checked_rows", "cycles", "reconcile", "staged_files"),
)
CHANGED_VALUES = Relation(
    name="changed_values",
    columns=("_source_id", "_lost"),
    meaning="a row that passes, and its orphans that became null or were dropped",
    writers=("split_rows", "unique"),
    readers=("changes",),
)
SPLIT_BATCH = Relation(
    name="split_batch",
    columns=("_source_id", "value"),
    meaning="a row of the batch that is just added to `failing` or `changed_values`",
    writers=("split_rows",),
    readers=("split_rows",),
)
COLLISIONS = Relation(
    name="collisions of {}",
    columns=("_source_id", "failures"),
    meaning="a row of a table that has the same values as another where the plan says unique",
    writers=("unique",),
    readers=("unique",),
)
MODEL_KEYS = Relation(
    name="model_keys",
    columns=("_source_id",),
    meaning="the key of a row that the model gives, whether it passes or fails",
    writers=("reconcile",),
    readers=("reconcile", "drops"),
)
DROPPED = Relation(
    name="dropped",
    columns=("source_id", "reason"),
    meaning="a row that is left out on purpose",
    writers=("drops",),
    readers=("drops", "reconcile"),
)
REJECTED = Relation(
    name="rejected",
    columns=("source_id", "field", "rule", "reason", "others"),
    meaning="a row that is no document, with its first reason and the others",
    writers=("reconcile",),
    readers=("staged_files", "cycles"),
)

# ── cycles ──────────────────────────────────────────────────────────────────────────────────

CYCLE_ROWS = Relation(
    name="cycle_rows",
    columns=("ref", "rule", "field", "reason"),
    meaning="a row of any table of the cycle; its rule is NULL where it passes its own checks",
    writers=("cycles",),
    readers=("references",),
)
CYCLE_EDGES = Relation(
    name="cycle_edges",
    columns=("child", "field", "parent"),
    meaning="a reference from a row of the cycle to another, without which it is rejected",
    writers=("cycles",),
    readers=("cycles", "references"),
)
REJECTED_IN_CYCLE = Relation(
    name="rejected_in_cycle",
    columns=("ref", "rule", "field", "reason", "parent"),
    meaning="a row of the cycle that is rejected, and why; its parent if that is the reason",
    writers=("references",),
    readers=("references",),
)

# ── key models and side files ───────────────────────────────────────────────────────────────

TESTIMONY = Relation(
    name="testimony",
    columns=("source_id", "convex_id", "rule"),
    meaning="what one rule of a key model says of a source key",
    writers=("keys",),
    readers=("keys",),
)
JUDGED_KEYS = Relation(
    name="judged_keys",
    columns=("source_id", "documents", "convex_id", "rule", "said", "per_rule"),
    meaning="a source key with all its testimonies",
    writers=("keys",),
    readers=("keys",),
)
DECIDED_KEYS = Relation(
    name="decided_keys",
    columns=("source_id", "convex_id", "rule", "problem", "reason"),
    meaning="a key of the source: its document, or the problem with it",
    writers=("keys",),
    readers=("keys",),
)
SIDE_ORPHANS = Relation(
    name="side_orphans",
    columns=("key",),
    meaning="a key of a side file that the source does not have",
    writers=("side_files",),
    readers=("side_files",),
)
