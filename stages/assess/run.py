"""`stages assess`: looks at everything, and judges it. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stages.assess.assessment import (
    FORMAT,
    VERDICTS,
    AssessedTable,
    Assessment,
    Bucket,
    LargeColumn,
    Rebuild,
    Risk,
    Users,
)
from stages.assess.budget import Budget, Queries
from stages.assess.cost import TableCost, table_cost, whole_cost
from stages.assess.over_rest import RestLook, distinct_values, look_at
from stages.assess.rebuild import rebuilt
from stages.assess.references import Included, candidates, likely, look_up, required_cycles
from stages.assess.risks import (
    catalog_risks,
    cycle_risks,
    reference_risks,
    sample_risks,
    statistics_risks,
    unseen_risks,
)
from stages.assess.sampling import TableSample, count_tables, sample_tables
from stages.assess.schemas import require_exposed, require_schemas
from stages.assess.services import read_buckets, read_services, read_users
from stages.assess.structure import TableFacts, read_structure
from stages.assess.verdicts import judge
from stages.errors import Stopped, Transient, UserError
from stages.init.catalog import (
    Behaviour,
    Catalog,
    CatalogTable,
    Place,
    read_postgres,
    read_rest,
    table_name,
)
from stages.init.schema_text import index_columns
from stages.progress import one_by_one, under_way

if TYPE_CHECKING:
    from stages.extract.postgres import PostgresReader
    from stages.extract.rest import RestReader
    from stages.extract.transport import Via
    from stages.progress import Progress
    from stages.project.settings import Source

# The limit for one query.
QUERY_SECONDS = 5.0
# The limit for one catalog query, or over REST for the whole catalog, without which assess fails.
CATALOG_SECONDS = 30.0
SECONDS = 60.0
LARGE_COLUMNS = 10
# What is moved as a table; views become queries.
TABLE_KINDS = ("r", "p")
AGAIN = "nothing is written; run again: stages assess"


@dataclass(frozen=True, kw_only=True)
class AssessOptions:
    """The options of the command line; `seconds` is the limit for everything."""

    schemas: tuple[str, ...] = ("public",)
    via: Via = "auto"
    seconds: float = SECONDS


@dataclass(kw_only=True)
class Looked:
    """Everything that was seen of a source, before it is judged."""

    catalog: Catalog
    tables: list[CatalogTable]
    rows_per_second: float
    facts: Mapping[Place, TableFacts] = field(default_factory=dict)
    behaviour: tuple[Behaviour, ...] = ()
    statistics_since: str | None = None
    # (how many, whether they were counted); tables of unknown size are left out.
    rows: dict[Place, tuple[int, bool]] = field(default_factory=dict)
    samples: dict[Place, TableSample] = field(default_factory=dict)
    included: list[Included] = field(default_factory=list)
    buckets: tuple[Bucket, ...] | None = None
    users: Users | None = None

    def facts_of(self, table: CatalogTable) -> TableFacts:
        """Sizes and counters; all unknown over REST."""
        return self.facts.get(table.place, TableFacts())


def assess(source: Source, options: AssessOptions, progress: Progress) -> Assessment:
    """Look at a source within the time limit, and judge it."""
    from stages.extract.postgres import PostgresReader
    from stages.extract.transport import connect_source

    schemas = tuple(dict.fromkeys(options.schemas))
    try:
        with connect_source(source, options.via, (*schemas, "auth"), progress) as reader:
            budget = Budget(options.seconds)
            if isinstance(reader, PostgresReader):
                looked = _look_directly(reader, schemas, budget, progress)
            else:
                looked = _look_over_rest(reader, schemas, budget, progress)
            transport = reader.transport
    except Stopped as error:
        error.hint = AGAIN
        raise
    except Transient as error:
        raise error.stopped(AGAIN) from error
    risks = _risks(looked, schemas)
    rebuild = rebuilt(looked.catalog, looked.behaviour)
    costs = {
        table.place: table_cost(
            table,
            looked.facts_of(table),
            looked.rows[table.place][0],
            looked.samples.get(table.place),
            looked.rows_per_second,
        )
        for table in looked.tables
        if table.place in looked.rows
    }
    tables = _tables(looked, risks, rebuild, costs)
    cycles = {f.text for f in risks if f.rule == "required_cycle"}
    return Assessment(
        format=FORMAT,
        source=source.ref,
        transport=transport,
        partial=looked.catalog.partial,
        seconds=budget.spent,
        schemas=schemas,
        statistics_since=looked.statistics_since,
        verdicts={
            verdict: sum(table.verdict == verdict for table in tables) for verdict in VERDICTS
        },
        tables=tables,
        large_columns=_large_columns(looked),
        rebuild=rebuild,
        risks=risks,
        buckets=looked.buckets,
        users=looked.users,
        cost=whole_cost(costs.values(), len(cycles)),
        skipped=budget.skipped,
    )


def _look_directly(
    reader: PostgresReader, schemas: tuple[str, ...], budget: Budget, progress: Progress
) -> Looked:
    timeout = round(CATALOG_SECONDS * 1000)
    reader.rows(f"SELECT set_config('statement_timeout', '{timeout}', true) AS kept")
    try:
        require_schemas(reader, schemas)
        with under_way(progress, "assess", "catalog"):
            catalog = read_postgres(reader, schemas)
    except Stopped as error:
        if "statement timeout" not in error.message:
            raise
        raise UserError(
            f"a query of the catalog took longer than {CATALOG_SECONDS:g} s",
            "run again when the server is less busy: stages assess",
        ) from None
    session = reader.session()
    try:
        queries = Queries(session, budget, QUERY_SECONDS)
        return _look(queries, catalog, schemas, reader, progress)
    finally:
        session.close()


def _look(
    queries: Queries,
    catalog: Catalog,
    schemas: tuple[str, ...],
    reader: PostgresReader,
    progress: Progress,
) -> Looked:
    with under_way(progress, "assess", "statistics"):
        structure = read_structure(queries, schemas)
    views = {each.table for each in catalog.behaviour if each.kind == "view"}
    tables = [
        table
        for table in catalog.tables.values()
        if table.schema in schemas and _is_table(table, structure.tables.get(table.place), views)
    ]
    # The largest first: these matter most if time runs out.
    tables.sort(key=lambda t: -(structure.tables.get(t.place, TableFacts()).bytes or 0))
    looked = Looked(
        catalog=catalog,
        tables=tables,
        rows_per_second=reader.rows_per_second,
        facts=structure.tables,
        behaviour=structure.behaviour,
        statistics_since=structure.statistics_since,
    )
    with under_way(progress, "assess", "Auth and Storage"):
        services = read_services(queries)
        looked.users = read_users(queries, services)
        looked.buckets = read_buckets(queries, services)
    with under_way(progress, "assess", "samples"):
        looked.rows = count_tables(queries, tables, structure.tables)
        looked.samples = sample_tables(queries, tables, structure.tables, looked.rows)
    with under_way(progress, "assess", "references"):
        pairs = [pair for pair in candidates(catalog, schemas) if pair.table.place in looked.rows]
        looked.included = look_up(queries, pairs, structure.tables, looked.rows)
    return looked


def _is_table(table: CatalogTable, facts: TableFacts | None, views: Collection[str]) -> bool:
    """Whether it is moved as a table; judged by the catalog if its sizes could not be read."""
    if facts is not None:
        return facts.kind in TABLE_KINDS
    return not table.virtual and table_name(table.place) not in views


def _look_over_rest(
    reader: RestReader, schemas: tuple[str, ...], budget: Budget, progress: Progress
) -> Looked:
    reader.limit(lambda: CATALOG_SECONDS - budget.spent)
    with under_way(progress, "assess", "catalog"):
        catalog = read_rest(reader, schemas)
    require_exposed(reader, schemas)
    look = RestLook(reader, budget)
    tables = sorted(
        (table for table in catalog.tables.values() if table.schema in schemas),
        key=lambda table: table.place,
    )
    looked = Looked(catalog=catalog, tables=tables, rows_per_second=reader.rows_per_second)
    looked.users, looked.buckets = look.users(), look.buckets()
    pairs = candidates(catalog, schemas)
    for table in one_by_one(progress, "assess", tables, lambda each: each.name):
        answer = look.rows(table)
        if answer is None:
            continue
        total, rows = answer
        # If one request returned all rows, they are counted.
        looked.rows[table.place] = (total, total == len(rows))
        if rows:
            looked.samples[table.place] = look_at(table, rows)
        # Look up now: the rows are not kept beyond this table.
        for pair in pairs:
            if pair.table is table and rows:
                included = look.look_up(pair, distinct_values(pair.column, rows))
                looked.included += [included] if included else []
    return looked


def _risks(looked: Looked, schemas: Iterable[str]) -> tuple[Risk, ...]:
    found: list[Risk] = []
    for table in looked.tables:
        facts, sample = looked.facts_of(table), looked.samples.get(table.place)
        found += catalog_risks(table, facts, partial=looked.catalog.partial)
        found += statistics_risks(table, facts, sample)
        found += sample_risks(table, sample)
        found += unseen_risks(table, facts, sample, looked.rows.get(table.place))
    found += reference_risks(likely(looked.included))
    found += cycle_risks(required_cycles(looked.catalog, schemas), looked.catalog.tables)
    return tuple(found)


def _tables(
    looked: Looked,
    risks: tuple[Risk, ...],
    rebuild: tuple[Rebuild, ...],
    costs: Mapping[Place, TableCost],
) -> tuple[AssessedTable, ...]:
    """The worst first; for the same verdict the one with more reasons, then the larger one."""
    tables = []
    for table in looked.tables:
        name = table_name(table.place)
        facts, sample = looked.facts_of(table), looked.samples.get(table.place)
        rows, counted = looked.rows.get(table.place, (None, False))
        verdict, reasons = judge(name, risks, rebuild)
        cost = costs.get(table.place)
        tables.append(
            AssessedTable(
                name=name,
                verdict=verdict,
                reasons=reasons,
                rows=rows,
                rows_are="unknown" if rows is None else "counted" if counted else "estimated",
                columns=len(table.columns),
                key=table.row_key,
                bytes=facts.bytes,
                index_bytes=facts.index_bytes,
                analyzed=facts.analyzed,
                idle=None if facts.writes is None else facts.writes == 0,
                sampled=sample.looked if sample else 0,
                document_bytes=sample.document if sample else None,
                largest_document=sample.largest if sample else None,
                indexes=len(index_columns(table)),
                stored_bytes=cost.stored if cost else None,
                empty_columns=_empty_columns(facts, sample, rows),
            )
        )
    tables.sort(
        key=lambda t: (-VERDICTS.index(t.verdict), -len(t.reasons), -(t.bytes or 0), t.name)
    )
    return tuple(tables)


def _empty_columns(
    facts: TableFacts, sample: TableSample | None, rows: int | None
) -> tuple[str, ...]:
    """Columns without any value, as far as the planner and the sample know."""
    if sample is None or not sample.looked or rows is None:
        return ()
    whole = sample.looked >= rows
    return tuple(
        sorted(
            name
            for name in sample.absent
            if whole or (name in facts.columns and facts.columns[name].null_fraction >= 1)
        )
    )


def _large_columns(looked: Looked) -> tuple[LargeColumn, ...]:
    sizes: Counter[tuple[str, str]] = Counter()
    for table in looked.tables:
        sample, (rows, _) = (
            looked.samples.get(table.place),
            looked.rows.get(table.place, (0, False)),
        )
        for column, size in (sample.sizes if sample else {}).items():
            sizes[table_name(table.place), column] += size * rows
    return tuple(
        LargeColumn(table=table, column=column, bytes=size)
        for (table, column), size in sizes.most_common(LARGE_COLUMNS)
        if size
    )
