"""The source as init reads it: its catalog, and what the first rows of its tables show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stages.init.catalog import Catalog, read_postgres, read_rest
from stages.init.evidence import Evidence, look_at_postgres, look_at_rest
from stages.progress import under_way

if TYPE_CHECKING:
    from stages.extract.transport import Via
    from stages.progress import Progress
    from stages.project.settings import Source


def read_source(
    source: Source, schemas: Sequence[str], via: Via, progress: Progress
) -> tuple[Catalog, Evidence]:
    """The catalog of these schemas and of Supabase's own tables, and the evidence."""
    from stages.extract.postgres import PostgresReader
    from stages.extract.rest_probe import find_printed_otherwise
    from stages.extract.transport import connect_source

    with connect_source(source, via, (*schemas, "auth"), progress) as reader:
        if isinstance(reader, PostgresReader):
            with under_way(progress, "catalog", ", ".join(schemas)):
                catalog = read_postgres(reader, schemas, parents=True)
            return catalog, look_at_postgres(reader, catalog.tables.values(), progress)
        progress.note(
            "read over REST, which shows columns, primary keys, foreign keys of one column, enums "
            "and defaults, and nothing else"
        )
        for problem in find_printed_otherwise(reader):
            progress.note(problem)
        with under_way(progress, "catalog", ", ".join(schemas)):
            catalog = read_rest(reader, schemas)
        return catalog, look_at_rest(reader, catalog.tables.values(), progress)
