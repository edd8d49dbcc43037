"""The manifest of one table's folder, by stage. A part counts only once its manifest names it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import field

from stages.state.records import Record, read_record, write_record
from stages.state.workspace import manifest_file

Transport = Literal["postgres", "rest"]
Key = list[str]
Counts = dict[str, int]


class FileStat(msgspec.Struct, array_like=True, frozen=True):
    """Times (ns) and inode of a file when its content last matched its hash. While they are the
    same, nobody has written to it."""

    mtime: int
    ctime: int
    inode: int

    @classmethod
    def of(cls, seen: os.stat_result) -> FileStat:
        return cls(seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


class Part(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One closed, immutable Parquet file. `first` and `last` are source keys, where known."""

    file: str
    rows: int
    bytes: int
    sha256: str
    stat: FileStat | None = None
    first: Key | None = None
    last: Key | None = None


class ExtractPart(Part, kw_only=True):
    """A part of an extract: its place in its span, whether it must be read again, and the number of
    rows whose floats are unproven."""

    span: int
    number: int
    lost: bool = False
    unproven: int = 0


class SpanEntry(msgspec.Struct, kw_only=True):
    """A range of keys: from after `after` to `until`. `read`: it was read to its end."""

    after: Key | None
    until: Key | None
    read: bool = False


class Snapshot(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the rows are consistent with: a Postgres snapshot, by its name, or nothing (REST)."""

    kind: Literal["exported", "none"]
    snapshot: str | None = None
    transactions: str | None = None
    xmin: str | None = None
    lsn: str | None = None
    at: str | None = None


class Counted(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the source counted before and after reading, in units of `of`; `filtered` are rows that
    `where` leaves out."""

    before: int | None = None
    after: int | None = None
    of: str = "rows"
    filtered: int | None = None


class Column(msgspec.Struct, kw_only=True):
    """A staged column and its type at the source."""

    name: str
    postgres: str


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What has changed at the source since, in a few words each, and when this was first seen (ISO
    8601, UTC)."""

    seen: str
    what: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.what)} (seen {self.seen})"


class ExtractManifest(Record, kw_only=True):
    """A source as it was read. `key` and `columns` are as staged; for a table that the source does
    not have, only the status counts. `expected`: about how many rows there will be, while it is
    being read."""

    table: str
    status: Literal["reading", "complete", "missing"]
    transport: Transport
    spec: str | None = None
    columns: list[Column] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    json: list[str] = field(default_factory=list)
    key: list[str] | None = None
    # What the rows depend on besides the table; None if nobody has looked.
    depends_on: dict[str, Any] | None = None
    where: str | None = None
    sample: int | None = None
    rows: int = 0
    expected: int | None = None
    counted: Counted = field(default_factory=Counted)
    snapshots: list[Snapshot] = field(default_factory=list)
    spans: list[SpanEntry] = field(default_factory=list)
    parts: list[ExtractPart] = field(default_factory=list)
    moving: bool = False
    unproven: int = 0
    finished: str | None = None
    moved: Moved | None = None

    @classmethod
    def way_on(cls, file: Path) -> str:
        return f"read the table again with: stages extract {file.parent.name}"


class ReferenceManifest(Record, kw_only=True):
    """What Convex has in a reference table."""

    table: str
    status: Literal["complete"]
    deployment: str | None = None
    spec: str | None = None
    rows: int
    finished: str | None = None
    parts: list[Part]

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "read it again with: stages extract"


class RuleCount(msgspec.Struct, kw_only=True):
    """Rows by field and rule."""

    field: str
    rule: str
    rows: int


class TransformManifest(Record, kw_only=True):
    """A table's documents, rejects and changes, in that order in `parts`, and what they were made
    from. `dropped` rows count as rejects too."""

    table: str
    source: str
    status: Literal["complete", "missing"]
    made_from: str | None
    inputs: dict[str, str | None] = field(default_factory=dict)
    source_rows: int
    documents: int
    rejects: int
    dropped: int = 0
    changes: int
    rules: list[RuleCount] = field(default_factory=list)
    changed: list[RuleCount] = field(default_factory=list)
    reads: dict[str, list[str]] = field(default_factory=dict)
    urls: list[dict[str, Any]] = field(default_factory=list)
    parts: list[Part]

    @classmethod
    def way_on(cls, file: Path) -> str:
        return f"make it again with: stages transform {file.parent.name}"


class KeysManifest(Record, kw_only=True):
    """What a key model decided: keys that are known, and rejected ones, by rule."""

    made_from: str
    table: str
    reads: dict[str, list[str]] = field(default_factory=dict)
    known: int
    rejected: int
    rules: Counts
    parts: list[Part]

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "make it again with: stages transform"


class LoadManifest(Record, kw_only=True):
    """What became of a table's documents. `content` is the hash of the documents that were sent."""

    table: str
    source: str
    status: Literal["complete", "partial"]
    made_from: str
    channel: str
    content: str
    documents: int
    counts: Counts
    ids: Part

    @classmethod
    def way_on(cls, file: Path) -> str:
        return f"make it again from the acks next to it with: stages load {file.parent.name}"


def read_extract(folder: Path) -> ExtractManifest | None:
    """The manifest of an extract's folder, or None."""
    return read_record(ExtractManifest, manifest_file(folder))


def read_reference(folder: Path) -> ReferenceManifest | None:
    """The manifest of a reference table's folder, or None."""
    return read_record(ReferenceManifest, manifest_file(folder))


def read_transform(folder: Path) -> TransformManifest | None:
    """The manifest of a transformed table's folder, or None."""
    return read_record(TransformManifest, manifest_file(folder))


def read_keys(file: Path) -> KeysManifest | None:
    """The manifest of a key model's files, or None."""
    return read_record(KeysManifest, file)


def read_load(folder: Path) -> LoadManifest | None:
    """The manifest of a loaded table's folder, or None."""
    return read_record(LoadManifest, manifest_file(folder))


def write_manifest(folder: Path, manifest: Record) -> None:
    """Write the manifest of one table's folder, durably."""
    write_record(manifest_file(folder), manifest)
