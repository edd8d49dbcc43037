"""`extract --dry-run`: rows, bytes and time of each source, without reading it."""

from __future__ import annotations

from dataclasses import dataclass

from stages.extract.catalog import resolve_reading
from stages.extract.restart import Restart
from stages.extract.run import ExtractOptions
from stages.extract.transport import open_reader
from stages.progress import Progress, one_by_one
from stages.project.plan import Plan
from stages.project.settings import Source
from stages.state.workspace import Workspace

RESPONSES_PER_SECOND = 200
BYTES_PER_SECOND = 150e6


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What an extract would read from one source. Seconds are an estimate from rows and bytes.

    Bytes are None where the source does not report them: over REST, for views, and with a `where`.
    """

    table: str
    rows: int
    bytes: int | None
    seconds: float


def seconds_to_read(rows: int, size: int | None, rows_per_second: float) -> float:
    """The estimated time for `rows` rows of `size` bytes in all, at a reader's pace."""
    return max(rows / rows_per_second, (size or 0) / BYTES_PER_SECOND)


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
            for entry in one_by_one(progress, "extract", entries, lambda each: each.name):
                relation = catalog.get((entry.schema, entry.table))
                if relation is None:
                    continue
                reading = resolve_reading(entry, relation)
                size = session.size(reading)
                # A guess: these take one request per user.
                rated = reader.count_unit(reading) == "rows"
                pace = reader.rows_per_second if rated else RESPONSES_PER_SECOND
                forecasts.append(
                    Forecast(
                        table=entry.name,
                        rows=size.rows,
                        bytes=size.bytes,
                        seconds=seconds_to_read(size.rows, size.bytes, pace),
                    )
                )
        finally:
            session.close()
    return forecasts
