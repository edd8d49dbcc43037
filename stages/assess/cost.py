"""What the move costs: documents, bytes, minutes, calls; and whether functions or an import fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from stages.assess.assessment import Cost
from stages.assess.sampling import TableSample
from stages.assess.structure import TableFacts
from stages.convex.cost import RECORD_BYTES, batches, ledger_bytes, minutes_at, stored_bytes
from stages.duration import duration
from stages.extract.forecast import seconds_to_read
from stages.init.catalog import CatalogTable
from stages.init.schema_text import index_columns
from stages.init.secrets import open_columns
from stages.limits import EMPTY_DOCUMENT_BYTES

# MiB per second that a deployment can write: the smallest class, the next one, dedicated ones.
# Source: Convex's documentation of limits.
RATES = (4, 8, 32, 64)
# Assumed for a column, or a key, of unknown size.
UNKNOWN_BYTES = 24
# What a free deployment may store.
FREE_BYTES = 500_000_000
# If writing takes longer than this at the lowest rate, an import is recommended.
LONG_MINUTES = 60.0


@dataclass(frozen=True, kw_only=True)
class TableCost:
    """A table in Convex. Bytes are those of all its rows, except `document`, which is of one."""

    documents: int
    document: int
    written: int
    stored: int
    calls: int
    seconds: float


def table_cost(
    table: CatalogTable,
    facts: TableFacts,
    rows: int,
    sample: TableSample | None,
    rows_per_second: float,
) -> TableCost:
    """The cost of one table, from its sample, else from the statistics of its columns."""
    document = sample.document if sample and sample.looked else _by_statistics(table, facts)
    sizes = sample.sizes if sample else {}
    key = sum(sizes.get(name, UNKNOWN_BYTES) for name in table.row_key) or UNKNOWN_BYTES
    documents, ledger = rows * document, ledger_bytes(table.name, rows, rows * key)
    return TableCost(
        documents=rows,
        document=document,
        written=documents + ledger,
        stored=stored_bytes(documents, ledger, len(index_columns(table))),
        calls=batches(rows, documents + rows * (key + RECORD_BYTES)),
        seconds=seconds_to_read(rows, facts.bytes, rows_per_second),
    )


def _by_statistics(table: CatalogTable, facts: TableFacts) -> int:
    widths = [
        (1 - facts.columns[name].null_fraction) * (len(name) + 1 + facts.columns[name].average)
        if name in facts.columns
        else len(name) + 1 + UNKNOWN_BYTES
        for name in (column.name for column in open_columns(table))
    ]
    return EMPTY_DOCUMENT_BYTES + round(sum(widths))


def whole_cost(costs: Iterable[TableCost], cycles: int) -> Cost:
    """All tables together; `cycles` is the number of cycles that only an import can load."""
    all_costs = list(costs)
    written = sum(each.written for each in all_costs)
    stored = sum(each.stored for each in all_costs)
    minutes = minutes_at(written, RATES)
    calls = sum(each.calls for each in all_costs)
    road, why = _road(minutes[f"{RATES[0]} MiB/s"], cycles)
    if stored > FREE_BYTES:
        why.append(
            f"{stored / 1e9:,.1f} GB are stored, with indexes and ledger: a free deployment has "
            f"{FREE_BYTES / 1e9:g} GB"
        )
    return Cost(
        documents=sum(each.documents for each in all_costs),
        document_bytes=sum(each.documents * each.document for each in all_costs),
        written_bytes=written,
        stored_bytes=stored,
        calls=calls,
        minutes=minutes,
        reading_seconds=sum(each.seconds for each in all_costs),
        road=road,
        why=tuple(why),
    )


def _road(minutes: float, cycles: int) -> tuple[Literal["functions", "import"], list[str]]:
    if cycles:
        return "import", [
            "tables refer to one another in a cycle in which every reference is required: only an "
            "import, which writes all rows at once, can load them"
        ]
    if minutes > LONG_MINUTES:
        return "import", [
            f"{duration(minutes * 60)} at the lowest rate: an import replaces all tables or none, "
            "and keeps creation times; later changes are loaded through functions"
        ]
    return "functions", [
        "it can be stopped, repeated, verified and rolled back row by row, even while the "
        "application is live; --through import would keep creation times"
    ]
