"""Values that the server does not print exactly over REST, reported before a plan is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stages.errors import TableFailed
from stages.extract import auth_tables
from stages.extract.catalog import resolve_reading
from stages.extract.rest import RestReader
from stages.extract.rest_floats import FloatsUnproven
from stages.extract.rest_settings import OtherSetting, depends_on_settings
from stages.project.plan import SourceTable


def find_printed_otherwise(reader: RestReader) -> Iterator[str]:
    """An error message with its fix for the first table of each kind, judged by its first rows.

    A setting is the same for all tables, so the others would add nothing.
    """
    seen: set[type[TableFailed]] = set()
    session = reader.session()
    for place, relation in reader.catalog().items():
        if place in auth_tables.TABLES or not any(map(depends_on_settings, relation.columns)):
            continue
        entry = SourceTable(name=relation.name, schema=relation.schema, table=relation.name)
        try:
            session.probe(resolve_reading(entry, replace(relation, key_ordered=True)))
        except (FloatsUnproven, OtherSetting) as error:
            if type(error) not in seen:
                seen.add(type(error))
                yield str(error)
        except TableFailed:
            continue  # `check` reports what can't be read at all
