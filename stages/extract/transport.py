"""Which transport an extract uses: decided once, before the first row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from stages.errors import SettingError, Transient, UserError
from stages.extract.reader import Reader
from stages.extract.restart import Restart
from stages.progress import Progress
from stages.project.plan import Plan
from stages.project.settings import Source
from stages.state.manifests import ExtractManifest
from stages.state.records import read_whole
from stages.state.workspace import manifest_file

if TYPE_CHECKING:
    from stages.extract.postgres import PostgresReader
    from stages.extract.rest import RestReader

Via = Literal["auto", "postgres", "rest"]


@contextmanager
def open_reader(
    plan: Plan, source: Source, via: Via, restart: Restart, progress: Progress
) -> Iterator[Reader]:
    """The reader for this run, closed at its end.

    A half-read table keeps its transport; otherwise `auto` uses Postgres if it is configured and
    answers. Raises UserError if the settings lack what `via` needs.
    """
    half = _half_read(plan, restart)
    if half and via not in ("auto", half[1]):
        raise UserError(
            f"`{half[0]}` is half read over {half[1]}, and {via} may see other rows",
            f"continue with --via {half[1]}, or start over with --restart",
        )
    schemas = {entry.schema for entry in plan.sources.values()}
    with connect_source(source, half[1] if half else via, schemas, progress) as reader:
        yield reader


@contextmanager
def connect_source(
    source: Source, via: Via, schemas: Iterable[str], progress: Progress
) -> Iterator[PostgresReader | RestReader]:
    """A reader over the transport `via`, closed at the end; `schemas` are those that REST reads.

    Raises UserError if the settings lack what `via` needs.
    """
    reader: PostgresReader | RestReader
    if via == "rest" or (via == "auto" and not source.db_url):
        reader = _rest(source, schemas)
    elif via == "postgres" or not source.url:
        reader = _postgres(source)
    else:
        try:
            reader = _postgres(source)
        except Transient as error:
            progress.note(f"{error.message}; reading over REST, which has no snapshot")
            reader = _rest(source, schemas)
    try:
        yield reader
    finally:
        reader.close()


def _half_read(plan: Plan, restart: Restart) -> tuple[str, Via] | None:
    for name in plan.sources:
        # A damaged one is read again, over either transport.
        manifest = read_whole(ExtractManifest, manifest_file(restart.folder(name)))
        if manifest and manifest.status == "reading" and manifest.parts:
            return name, manifest.transport
    return None


def _postgres(source: Source) -> PostgresReader:
    from stages.extract.postgres import PostgresReader

    if not source.db_url:
        raise SettingError(
            "there is no SUPABASE_DB_URL for --via postgres",
            "set it, or use --via rest",
            settings=["SUPABASE_DB_URL"],
        )
    return PostgresReader(source)


def _rest(source: Source, schemas: Iterable[str]) -> RestReader:
    from stages.extract.rest import RestReader

    if not source.url:
        raise SettingError(
            "there are no SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY for --via rest",
            "set them, or use --via postgres",
            settings=["SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"],
        )
    return RestReader(source, schemas)
