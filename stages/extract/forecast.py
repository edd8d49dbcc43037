"""`extract --dry-run`: rows, bytes and time of each source, without reading it."""

from __future__ import annotations

from dataclasses import dataclass

from stages.extract.catalog import resolve_reading
from stages.extract.restart import Restart
from stages.extract.run import ExtractOptions
from stages.extract.transport import open_reader
from stages.progress import Progress
from stages.project.plan import Plan
from stages.project.settings import Source
from stages.state.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What an extract would read of one source. Seconds are a guess from rows and bytes.

    Bytes are None where the source does not give them: over REST, and of views.
    """

    table: str
    rows: int
    bytes: int | None
    seconds: float


def forecast(
    plan: Plan, source: Source, workspace: Workspace, options: ExtractOptions, progress: Progress
) -> list[Forecast]:
    """What an extract with these options would read, table by table."""
    entries = plan.select_sources(options.tables, options.exclude)
    forecasts = []
    with open_reader(plan, source, options.via, Restart(workspace), progress) as reader:
        catalog = reader.catalog()
        session = reader.session()
        try:
            for entry in entries:
                relation = catalog.get((entry.schema, entry.table))
                if relation is None:
                    continue
                reading = resolve_reading(entry, relation)
                size = session.size(reading)
                # A guess where each row is a response of its own.
                pace = reader.rows_per_second if reader.count_unit(reading) == "rows" else 200
                forecasts.append(
                    Forecast(
                        table=entry.name,
                        rows=size.rows,
                        bytes=size.bytes,
                        seconds=max(size.rows / pace, (size.bytes or 0) / 150e6),
                    )
                )
        finally:
            session.close()
    return forecasts
