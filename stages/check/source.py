"""The source: our role there, and whether every table of the plan can be read."""

from __future__ import annotations

from collections.abc import Iterator

from stages.errors import TableFailed
from stages.extract import auth_tables
from stages.extract.beside import tables_beside
from stages.extract.catalog import Reading, resolve_reading
from stages.extract.misspelt import misspelt
from stages.extract.reader import Reader
from stages.project.plan import Plan
from stages.project.settings import Source
from stages.readiness import guarded
from stages.results import CheckResult


def check_source(plan: Plan, source: Source, readings: dict[str, Reading]) -> Iterator[CheckResult]:
    """Check each transport in the settings. What can be read is added to `readings`, by source."""
    if source.db_url:
        yield from guarded("Postgres", lambda: _postgres(plan, source, readings))
    if source.url:
        yield from guarded("REST", lambda: _rest(plan, source, readings))


def _postgres(plan: Plan, source: Source, readings: dict[str, Reading]) -> Iterator[CheckResult]:
    from stages.extract.postgres import PostgresReader

    reader = PostgresReader(source)
    try:
        role = reader.role()
        yield CheckResult(
            "Postgres",
            role["bypass"],
            f"{source.label}, as {role['name']}"
            + ("" if role["bypass"] else ", which row security limits"),
            "use a role with BYPASSRLS, such as postgres of the project",
        )
        yield from _tables("Postgres", plan, reader, readings)
    finally:
        reader.close()


def _rest(plan: Plan, source: Source, readings: dict[str, Reading]) -> Iterator[CheckResult]:
    from stages.extract.key_check import prove_key
    from stages.extract.rest import RestReader

    reader = RestReader(source, {entry.schema for entry in plan.sources.values()})
    try:
        yield CheckResult("REST", True, f"{source.label}, with a service key")
        readable: dict[str, Reading] = {}
        yield from _tables("REST", plan, reader, readable)
        for name, reading in readable.items():
            readings.setdefault(name, reading)
        # The API does not serve the tables of Auth.
        served = (each for each in readable.values() if each.place not in auth_tables.TABLES)
        first = next(served, None)
        for opened in prove_key(source, first) if first else ():
            yield CheckResult(
                f"key for {opened.api}",
                opened.ok,
                opened.detail,
                "copy the service_role or sb_secret_ key again from the project's API settings",
            )
    finally:
        reader.close()


def _tables(
    transport: str, plan: Plan, reader: Reader, readings: dict[str, Reading]
) -> Iterator[CheckResult]:
    """Read one row or a few of each table. A missing table is reported; it is not a failure if the
    plan says `report` and other tables exist."""
    catalog = reader.catalog()
    missing, failed = [], []
    session = reader.session()
    try:
        for entry in plan.sources.values():
            relation = catalog.get((entry.schema, entry.table))
            try:
                if relation is not None:
                    reading = resolve_reading(entry, relation)
                    if reader.transport == "postgres" or reading.place not in auth_tables.TABLES:
                        session.probe(reading)
                    readings[entry.name] = reading
                elif reader.is_missing(entry.schema, entry.table):
                    missing.append(entry)
                else:
                    raise TableFailed(
                        f"{entry.schema}.{entry.table} can be read, but its columns are not listed",
                        "reload the API's schema cache: notify pgrst, 'reload schema'",
                    )
            except TableFailed as error:
                failed.append(CheckResult(f"source {entry.name}", False, error.message, error.hint))
    finally:
        session.close()
    found = len(plan.sources) - len(missing)
    detail = f"{found} of {len(plan.sources)} sources exist"
    refused = [slip for entry in missing if (slip := misspelt(plan, entry, catalog))]
    if missing:
        detail += f"; missing: {', '.join(entry.name for entry in missing)}"
    if beside := tables_beside(plan, catalog):
        detail += f"; {beside}"
    fatal = not found or any(entry.on_missing == "fail" for entry in missing)
    yield CheckResult(
        f"{transport} tables",
        not fatal,
        detail,
        "create them, or edit [sources] of the plan; does the address name the right project?",
    )
    for slip in refused:
        yield CheckResult(f"{transport} tables", False, slip.message, slip.hint)
    yield from failed
