"""Ledger rows for existing documents that match staged rows, from an import or another script.

A document matches a row if it has the id that an import mints from the row's key, if a field that
the caller names holds that key, or if the two are equal and no others are. Nothing is guessed: if a
match is ambiguous, nothing of the table is adopted or loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stages.convex.ledger_ops import change_all
from stages.convex.relations import CHANGE_RECORDS, CHANGE_RESULTS
from stages.errors import TableFailed
from stages.load.context import TableContext
from stages.load.existing_rows import read_existing, read_staged
from stages.load.likeness import minted_ids_sql
from stages.load.relations import (
    ADOPTED_ROWS,
    EXISTING_ROWS,
    FIRM_PAIRS,
    LIKE_PAIRS,
    STAGED_ROWS,
)
from stages.load.settle import write_ids_only
from stages.sql import file_sql, first_row, text_sql
from stages.state.answers import Answer
from stages.state.identity import keep_answer
from stages.state.parts import write_parquet

SHOWN = 5
# The digest of a document that differs from what is staged: no record has it, so a load replaces
# the document.
OTHER = "adopted"


def adopt(
    tables: Sequence[TableContext],
    deferred: Mapping[str, frozenset[str]],
    by: Mapping[str, str | None],
) -> None:
    """Adopt the documents of the tables of one group, parents first; a load then sends differences.

    `deferred` are the fields that refer to documents of the group without an id yet, `by` the
    fields that hold source keys. Raises TableFailed if no document of a table matches a staged row,
    or a match is ambiguous. The answers are kept, so that the run after a kill does the same again.
    """
    for table in tables:
        _match(table, deferred.get(table.name, frozenset()), by[table.name])
    for table in tables:
        answer = Answer(what="adopt", by=by[table.name])
        keep_answer(table.load.workspace, table.name, answer)
    for table in tables:
        _write_ledger(table)
    for table in tables:
        answer = Answer(what="adopt", by=by[table.name], done=True)
        keep_answer(table.load.workspace, table.name, answer)


def _match(table: TableContext, leave: frozenset[str], by: str | None) -> None:
    """Create the temporary table `adopted rows <table>`, and its ids.parquet."""
    connection = table.load.connection
    relation = ADOPTED_ROWS.of(table.name)
    existing = read_existing(table, leave, by)
    _pair_firmly(table)
    _refuse_ambiguous(
        table,
        f"SELECT source_id FROM {FIRM_PAIRS} GROUP BY 1 HAVING count(*) > 1 UNION "
        f"SELECT source_id FROM {FIRM_PAIRS} SEMI JOIN (SELECT convex_id FROM {FIRM_PAIRS} "
        "GROUP BY 1 HAVING count(*) > 1) USING (convex_id)",
    )
    (firm,) = first_row(connection, f"SELECT count(*) FROM {FIRM_PAIRS}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {relation} AS FROM {FIRM_PAIRS}")
    if firm < existing:
        _pair_alike(table, leave)
        _refuse_ambiguous(table, f"SELECT source_id FROM {LIKE_PAIRS} WHERE NOT sure")
        connection.execute(f"INSERT INTO {relation} SELECT source_id, convex_id FROM {LIKE_PAIRS}")
    if not first_row(connection, f"SELECT count(*) FROM {relation}")[0]:
        raise TableFailed(
            f"none of the {existing:,} documents of `{table.name}` is one of the rows to be loaded"
            + (f", by `{by}` or otherwise" if by else ""),
            f"name the field that holds the source key: stages load {table.name} --adopt "
            "--adopt-by FIELD; or leave them as they are: stages load "
            f"{table.name} --beside-existing",
        )
    reader = connection.sql(f"FROM {relation} ORDER BY source_id").to_arrow_reader()
    ids = write_parquet(table.ids, reader.schema, reader)
    write_ids_only(table.folder, table.table, table.load.deployment.channel, ids)


def _pair_firmly(table: TableContext) -> None:
    """Create the temporary table `firm_pairs`."""
    rows, connection = EXISTING_ROWS.of(table.name), table.load.connection
    pairs = [
        f"SELECT s._source_id AS source_id, e._id AS convex_id FROM {rows} e "
        f"JOIN read_parquet({file_sql(table.staged)}) s ON s._source_id = e.by_key"
    ]
    some_id = connection.execute(f"SELECT _id FROM {rows} LIMIT 1").fetchall()
    minted = minted_ids_sql(table, some_id[0][0]) if some_id else None
    if minted:
        pairs.append(
            f"SELECT m.source_id, e._id FROM {rows} e JOIN ({minted}) m ON m.convex_id = e._id"
        )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {FIRM_PAIRS} AS {' UNION '.join(pairs)}")


def _pair_alike(table: TableContext, leave: frozenset[str]) -> None:
    """Create the temporary table `like_pairs`, of what is in no firm pair."""
    read_staged(table, leave)
    staged = (
        f"SELECT hash, count(*) AS n, min(source_id) AS source_id FROM {STAGED_ROWS} "
        f"ANTI JOIN {FIRM_PAIRS} USING (source_id) GROUP BY 1"
    )
    existing = (
        f"SELECT likeness AS hash, count(*) AS n, min(_id) AS convex_id "
        f"FROM {EXISTING_ROWS.of(table.name)} e ANTI JOIN {FIRM_PAIRS} p ON p.convex_id = e._id "
        "GROUP BY 1"
    )
    table.load.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {LIKE_PAIRS} AS SELECT source_id, convex_id, "
        f"s.n = 1 AND e.n = 1 AS sure FROM ({staged}) s JOIN ({existing}) e USING (hash)"
    )


def _refuse_ambiguous(table: TableContext, keys: str) -> None:
    listed = table.load.connection.execute(f"SELECT * FROM ({keys}) ORDER BY 1").fetchall()
    if listed:
        names = ", ".join(row[0] for row in listed[:SHOWN])
        raise TableFailed(
            f"`{table.name}` has more than one document that may be the same row, or more than one "
            f"row that may be the same document, {len(listed):,} times; such as for the rows "
            f"{names}{', …' if len(listed) > SHOWN else ''}; nothing of it was adopted or loaded",
            "remove the duplicates, or name the field that holds the source key: "
            f"stages load {table.name} --adopt --adopt-by FIELD",
        )


def _write_ledger(table: TableContext) -> None:
    """Write the ledger rows, with the digest of the staged record if the document equals it."""
    load, rows = table.load, EXISTING_ROWS.of(table.name)
    read_staged(table, frozenset())
    records = (
        'SELECT a.source_id AS "sourceId", a.convex_id AS "documentId", '
        f"CASE WHEN s.hash = e.whole THEN r.digest ELSE {text_sql(OTHER)} END AS digest "
        f"FROM {ADOPTED_ROWS.of(table.name)} a JOIN {rows} e ON e._id = a.convex_id "
        f"LEFT JOIN {STAGED_ROWS} s USING (source_id) "
        f"LEFT JOIN ({table.binding().records()}) r ON r._source_id = a.source_id"
    )
    adopted = 0
    for count in change_all(
        load.connection, load.deployment, f"{load.plan.module}:adopt", table.name, records
    ):
        adopted += count
        load.progress.advance(table.name, count)
    differ, others = first_row(
        load.connection,
        f"SELECT (SELECT count(*) FROM {CHANGE_RECORDS} "
        f"WHERE element ->> '$.digest' = {text_sql(OTHER)}), "
        f"(SELECT count(*) FROM {rows}) - (SELECT count(*) FROM {ADOPTED_ROWS.of(table.name)})",
    )
    taken = _list_taken(table)
    load.progress.note(
        f"  {table.name}: {adopted:,} existing documents adopted, {differ:,} of them differ from "
        f"what is staged; {others:,} others stay as they are{taken}"
    )


def _list_taken(table: TableContext) -> str:
    """Documents that the ledger has as others, or that are gone since they were read; in words."""
    counts = table.load.connection.execute(
        f"SELECT did, count(*) FROM {CHANGE_RESULTS} WHERE did IN ('taken', 'missing') "
        "GROUP BY 1 ORDER BY 1"
    ).fetchall()
    words = {"taken": "are other documents according to the ledger", "missing": "no longer exist"}
    return "".join(f"; {count:,} {words[did]}" for did, count in counts)
