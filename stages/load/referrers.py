"""Which documents in Convex refer to those that a prune would delete, and so keep them.

Only Convex knows: documents that were rejected since, that the app has changed, or that the app
created refer to others too, and none of these is staged.
"""

from __future__ import annotations

from collections.abc import Sequence

from stages.convex.pages import read_pages
from stages.convex.relations import LEDGER_ROWS
from stages.load.context import LoadContext
from stages.load.relations import KEPT_PARENTS, PRUNABLE, REFERRERS
from stages.sql import first_row

# An id in JSON text, at any depth. A plain string that equals an id counts too: keeping a document
# without need does less harm than a reference to nothing.
ID_IN_JSON = '"([0-9a-z]{31,37})"'
SHOWN = 5


def keep_parents(load: LoadContext, tables: Sequence[str]) -> None:
    """Remove from `prunable` what a remaining document refers to, and report what is kept.

    `tables` are those with prunable documents. Reads every document of the tables that may refer
    to them.
    """
    _read_referrers(load, tables)
    load.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {KEPT_PARENTS} AS "
        "WITH RECURSIVE kept(document_id) AS ("
        f"SELECT parent_id FROM {REFERRERS} r "
        f"ANTI JOIN {PRUNABLE} p ON p.document_id = r.document_id "
        "UNION "
        f"SELECT r.parent_id FROM {REFERRERS} r JOIN kept k ON k.document_id = r.document_id) "
        "SELECT DISTINCT document_id FROM kept"
    )
    for name in tables:
        _note_kept(load, name)
    load.connection.execute(
        f"DELETE FROM {PRUNABLE} WHERE document_id IN (SELECT document_id FROM {KEPT_PARENTS})"
    )


def _read_referrers(load: LoadContext, tables: Sequence[str]) -> None:
    """Create the temporary table `referrers`."""
    load.connection.execute(
        f'CREATE OR REPLACE TEMP TABLE {REFERRERS} ("table" VARCHAR, document_id VARCHAR, '
        "parent_id VARCHAR)"
    )
    known = {*load.plan.tables, *load.plan.references}
    for name, targets in sorted(load.schema.references().items()):
        parents = sorted(targets.intersection(tables))
        if not parents:
            continue
        if name not in known:
            load.progress.note(
                f"  {name}: its documents may refer to {', '.join(parents)}, and were not looked "
                "at: the plan does not name the table"
            )
            continue
        load.progress.start("prune", name)
        for arrived in read_pages(
            load.connection, load.deployment, load.plan.module, name, load.progress
        ):
            load.connection.execute(
                f"INSERT INTO {REFERRERS} SELECT DISTINCT ?, document_id, parent_id FROM "
                "(SELECT document ->> '$._id' AS document_id, "
                f"unnest(regexp_extract_all(document::VARCHAR, '{ID_IN_JSON}', 1)) AS parent_id "
                f"FROM {arrived}) SEMI JOIN {PRUNABLE} p ON p.document_id = parent_id "
                "WHERE parent_id <> document_id",
                [name],
            )


def _note_kept(load: LoadContext, table: str) -> None:
    """Report the documents of a table that are kept, and the first that refer to them."""
    kept, keys = first_row(
        load.connection,
        "WITH kept AS (SELECT source_id FROM "
        f'{PRUNABLE} SEMI JOIN {KEPT_PARENTS} USING (document_id) WHERE "table" = $1) '
        "SELECT (SELECT count(*) FROM kept), (SELECT string_agg(source_id, ', ' ORDER BY "
        f"source_id) FROM (SELECT source_id FROM kept ORDER BY 1 LIMIT {SHOWN}))",
        [table],
    )
    if not kept:
        return
    referring, names = first_row(
        load.connection,
        "WITH referring AS (SELECT DISTINCT r.\"table\" || ' ' || "
        f"coalesce(l.source_id, r.document_id) AS name FROM {REFERRERS} r "
        f'JOIN {PRUNABLE} p ON p.document_id = r.parent_id AND p."table" = $1 '
        f"SEMI JOIN {KEPT_PARENTS} k ON k.document_id = p.document_id "
        f'LEFT JOIN {LEDGER_ROWS} l ON l."table" = r."table" AND l.document_id = r.document_id) '
        "SELECT (SELECT count(*) FROM referring), (SELECT string_agg(name, ', ' ORDER BY name) "
        f"FROM (SELECT name FROM referring ORDER BY 1 LIMIT {SHOWN}))",
        [table],
    )
    load.progress.note(
        f"  {table}: {kept:,} kept, since documents that stay refer to them: "
        f"{keys}{', …' if kept > SHOWN else ''} (see {names}{', …' if referring > SHOWN else ''})"
    )
