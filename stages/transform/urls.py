"""URLs in the documents, by class: signed ones expire, public ones depend on the old storage.

Only text fields count whose own name, or whose source column's name in the plan, is like a URL's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.convex.values import Shape
from stages.project.plan import TargetTable
from stages.sql import file_sql, name_sql, text_sql

if TYPE_CHECKING:
    import duckdb

NAMED = re.compile(
    r"url|uri|href|link|src|avatar|image|img|photo|picture|pic|logo|icon|cover|banner|thumb|"
    r"attachment|file|media|video|audio",
    re.IGNORECASE,
)
# Supabase storage: `/storage/v1/object/sign/bucket/path?token=<JWT>`, images by `/render/image/`.
SIGNED = r"(?i)^https?://[^/?#]+/storage/v1/(?:object|render/image)/(?:upload/)?sign/"
PUBLIC = r"(?i)^https?://[^/?#]+/storage/v1/(?:object|render/image)/public/"
PRIVATE = r"(?i)^https?://[^/?#]+/storage/v1/"
EXTERNAL = r"(?i)^https?://"


def class_urls(
    connection: duckdb.DuckDBPyConnection,
    table: TargetTable,
    fields: Iterable[Shape],
    documents: Path,
) -> list[dict[str, Any]]:
    """{field, class, rows} of the documents' URLs, and for signed ones when the first and the last
    of them expire (`first_end`, `last_end`: UTC; null if no token says).

    Classes: `signed`, `public`, `private` (in the storage, but neither), `external`.
    """
    entries = []
    for shape in fields:
        names = (shape.name, table.lineage.get(shape.name, ""))
        if shape.sql != "VARCHAR" or shape.targets or not any(map(NAMED.search, names)):
            continue
        rows = connection.execute(_classes_sql(name_sql(shape.name), documents)).fetchall()
        for kind, count, first, last in rows:
            entry = {"field": shape.name, "class": kind, "rows": count}
            if kind == "signed":
                entry |= {"first_end": first, "last_end": last}
            entries.append(entry)
    return entries


def _classes_sql(column: str, documents: Path) -> str:
    """SQL of (class, rows, first end, last end), most rows first."""
    claims = "regexp_extract(url, '[?&]token=[^.&]+[.]([^.&]+)', 1)"
    payload = (
        f"rpad(translate({claims}, '-_', '+/'), ((length({claims}) + 3) // 4 * 4)::INTEGER, '=')"
    )
    ends = f"TRY(decode(from_base64({payload}))::JSON ->> '$.exp')"
    text = "strftime(make_timestamp({0} * 1000000), '%Y-%m-%dT%H:%M:%SZ')"
    return (
        "SELECT class, count(*), "
        f"{text.format('min(ends)')}, {text.format('max(ends)')} FROM ("
        f"SELECT class, CASE WHEN class = 'signed' THEN try_cast({ends} AS BIGINT) END AS ends "
        f"FROM (SELECT {column} AS url, CASE "
        f"WHEN regexp_matches({column}, {text_sql(SIGNED)}) THEN 'signed' "
        f"WHEN regexp_matches({column}, {text_sql(PUBLIC)}) THEN 'public' "
        f"WHEN regexp_matches({column}, {text_sql(PRIVATE)}) THEN 'private' "
        f"WHEN regexp_matches({column}, {text_sql(EXTERNAL)}) THEN 'external' END AS class "
        f"FROM read_parquet({file_sql(documents)})) WHERE class IS NOT NULL) "
        "GROUP BY class ORDER BY 2 DESC, 1"
    )
