"""Key models: which Convex document each source key of a reference table stands for.

A key model is one SELECT of testimonies: source_id, convex_id, rule. A key is known if all its
testimonies name the same document; if they disagree, it is rejected, and none is picked.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from stages.errors import FileError
from stages.project.models import read_model
from stages.project.plan import Plan, ReferenceTable
from stages.rules import Rule
from stages.sql import first_row, name_sql
from stages.state.fingerprints import fingerprint
from stages.state.integrity import describe_damage
from stages.state.manifests import KeysManifest, Part
from stages.state.parts import write_parquet
from stages.state.records import read_whole, write_record
from stages.state.workspace import Workspace
from stages.transform.columns_read import columns_of
from stages.transform.models import Inputs, describe, key_sql
from stages.transform.relations import DECIDED_KEYS, JUDGED_KEYS, TESTIMONY
from stages.views import keys_view

if TYPE_CHECKING:
    import duckdb

COLUMNS = ("source_id", "convex_id", "rule")


def run_keys(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    plan: Plan,
    inputs: Inputs,
    report: Callable[[str, str, KeysManifest], None],
) -> None:
    """Bring every key model's results up to date; `report(table, sentence, manifest)` for each."""
    for reference in plan.references.values():
        if reference.keys is None:
            continue
        model = read_model(workspace, reference.keys)
        made_from = fingerprint(model.text, inputs.of(connection, model))
        file = workspace.keys_manifest(reference.name)
        manifest = read_whole(KeysManifest, file)
        same = manifest is not None and manifest.made_from == made_from
        damaged = describe_damage(workspace.keys, manifest.parts) if manifest and same else ""
        if manifest is None or not same or damaged:
            inputs.make_views(connection, model)
            manifest = _decide_keys(connection, workspace, plan, reference, model.text)
            manifest.made_from = made_from
            write_record(file, manifest)
            sentence = f"{damaged + ', made again: ' if damaged else ''}"
            sentence += f"{manifest.known:,} keys known, {manifest.rejected:,} not"
        else:
            write_record(file, manifest)
            sentence = "fresh"
        connection.execute("CREATE SCHEMA IF NOT EXISTS keys")
        for statement in keys_view(workspace, reference.name):
            connection.execute(statement)
        inputs.add_keys(reference.name, manifest)
        report(reference.name, sentence, manifest)


def _decide_keys(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    plan: Plan,
    reference: ReferenceTable,
    sql: str,
) -> KeysManifest:
    """Decide which keys are known, and write both files; return a manifest without `made_from`."""
    columns = describe(connection, str(reference.keys), sql)
    if tuple(columns) != COLUMNS:
        raise FileError(
            f"{reference.keys} gives the columns {', '.join(columns)}",
            f"a key model gives {', '.join(COLUMNS)}",
            file=str(reference.keys),
            tables=[reference.name],
        )
    _make_decided(connection, workspace, reference, sql)
    (stray,) = first_row(
        connection,
        f"SELECT min(source_id) FROM {JUDGED_KEYS} ANTI JOIN {DECIDED_KEYS} USING (source_id)",
    )
    if stray is not None:
        raise FileError(
            f"{reference.keys} names the key {stray}, which {reference.source} does not have",
            "the model's source_id is the source's own key; see key() in the macros",
            file=str(reference.keys),
            tables=[reference.name],
        )
    known = f"SELECT source_id, convex_id, rule FROM {DECIDED_KEYS} WHERE problem IS NULL"
    rejects = (
        f"SELECT source_id, problem AS rule, reason FROM {DECIDED_KEYS} WHERE problem IS NOT NULL"
    )
    parts = [
        _write(connection, workspace.known_keys(reference.name), known),
        _write(connection, workspace.unknown_keys(reference.name), rejects),
    ]
    counts = connection.execute(
        f"SELECT problem, count(*) FROM {DECIDED_KEYS} WHERE problem IS NOT NULL "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return KeysManifest(
        made_from="",
        table=reference.name,
        reads=columns_of(connection, plan.sources, [sql]),
        known=parts[0].rows,
        rejected=parts[1].rows,
        rules=dict(counts),
        parts=parts,
    )


def _make_decided(
    connection: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    reference: ReferenceTable,
    sql: str,
) -> None:
    """Create `decided_keys` for the source's keys, from the testimonies that `sql` returns."""
    assert reference.source is not None
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {TESTIMONY} AS SELECT DISTINCT source_id::VARCHAR AS "
        f"source_id, convex_id::VARCHAR AS convex_id, rule::VARCHAR AS rule FROM ({sql}) "
        "WHERE convex_id IS NOT NULL"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {JUDGED_KEYS} AS SELECT source_id, "
        "count(DISTINCT convex_id) AS documents, min(convex_id) AS convex_id, "
        "string_agg(DISTINCT rule, '+' ORDER BY rule) AS rule, "
        "string_agg(rule || ' says ' || convex_id, ', ' ORDER BY rule, convex_id) AS said, "
        "max(per_rule) AS per_rule "
        "FROM (SELECT *, count(*) OVER (PARTITION BY source_id, rule) AS per_rule "
        f"FROM {TESTIMONY}) "
        "GROUP BY source_id"
    )
    documents = f"(SELECT DISTINCT _id FROM reference.{name_sql(reference.name)})"
    source = key_sql(workspace, reference.source)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {DECIDED_KEYS} AS "
        "SELECT s.source_id, j.convex_id, j.rule, CASE "
        f"WHEN j.source_id IS NULL THEN '{Rule.NO_MATCH}' "
        f"WHEN j.documents > 1 AND j.per_rule > 1 THEN '{Rule.AMBIGUOUS}' "
        f"WHEN j.documents > 1 THEN '{Rule.WITNESSES_DISAGREE}' "
        f"WHEN r._id IS NULL THEN '{Rule.NO_DOCUMENT}' END AS problem, "
        "CASE WHEN j.source_id IS NULL THEN 'nothing in Convex matches it' "
        "WHEN j.documents > 1 THEN j.said "
        "WHEN r._id IS NULL THEN j.convex_id || ' does not exist' END AS reason "
        f"FROM (SELECT DISTINCT {source} AS source_id "
        f"FROM extract.{name_sql(reference.source)}) s "
        f"LEFT JOIN {JUDGED_KEYS} j USING (source_id) "
        f"LEFT JOIN {documents} r ON r._id = j.convex_id"
    )


def _write(connection: duckdb.DuckDBPyConnection, file: Path, sql: str) -> Part:
    reader = connection.sql(f"{sql} ORDER BY source_id").to_arrow_reader()
    return write_parquet(file, reader.schema, reader)
