"""Parts, manifests, identity and the lock: the only writer of state.

Every write has the same order: temporary name → fsync → rename → fsync of the folder; and a part
is named in a manifest only after that. So a reader sees a whole file or none, and a writer that
was killed can do its last step again from any point.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from stages.ahead import ahead
from stages.errors import StagesError, Stopped, UserError
from stages.paths import Paths, manifest

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_ROWS = 122_880
ROW_GROUP_BYTES = 4 << 20
# What encoding takes, several times its rows, stays with the thread that did it: one does all.
_ENCODER = ThreadPoolExecutor(max_workers=1)

Manifest = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One closed, immutable Parquet file. `first` and `last` are source keys, where known."""

    file: str
    rows: int
    bytes: int
    sha256: str
    first: list[str] | None = None
    last: list[str] | None = None


# ── the lock ────────────────────────────────────────────────────────────────────────────────


@contextmanager
def writing(paths: Paths) -> Iterator[None]:
    """Hold the data folder: one writer at a time. The lock dies with its process.

    Raises Stopped where another command holds it; UserError where the folder can't be written.
    """
    os.umask(0o077)
    try:
        paths.scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = paths.lock.open("a")
    except OSError as error:
        raise UserError(
            f"{paths.data} can't be written: {error.strerror}", "choose another with --data DIR"
        ) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stopped(
                f"another stages command is writing to {paths.data}",
                "wait for it to end, then run this again; look on with: stages status",
            ) from None
        for leftover in paths.scratch.iterdir():
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        yield


# ── JSON ────────────────────────────────────────────────────────────────────────────────────


def read_json(path: Path) -> Manifest | None:
    """A manifest, or None where there is none yet."""
    try:
        loaded: Manifest = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise StagesError(
            f"{path} is damaged: it is not JSON", f"remove its folder {path.parent} and run again"
        ) from None
    return loaded


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a manifest durably; a file that would not change is not touched."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """Write a small text file durably; a file that would not change is not touched."""
    if path.exists() and path.read_text("utf-8") == text:
        return
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as handle:
        handle.write(text)
        _sync(handle)
    publish(temporary, path)


def make_folder(folder: Path) -> None:
    """Make a private folder, and its parents."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def publish(temporary: Path, final: Path) -> None:
    """Give a synced file its name, durably."""
    temporary.replace(final)
    sync_folder(final.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(handle: IO[Any]) -> None:
    handle.flush()
    os.fsync(handle.fileno())


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


# ── fingerprints ────────────────────────────────────────────────────────────────────────────


def fingerprint(*values: object) -> str:
    """sha256 over values that JSON can hold: what a result was made from."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def content_hash(parts: Iterable[Mapping[str, Any]]) -> str:
    """One hash for a list of parts, from their own."""
    return fingerprint([part["sha256"] for part in parts])


def damage(folder: Path, part: Mapping[str, Any]) -> str | None:
    """What is wrong with a part, in a few words; None where it is whole."""
    file = folder / part["file"]
    if not file.exists():
        return "is missing"
    if file.stat().st_size != part["bytes"]:
        return f"has {file.stat().st_size} bytes instead of {part['bytes']}"
    if hash_file(file) != part["sha256"]:
        return "has other content than its manifest says"
    return None


def damages(folder: Path, parts: Iterable[Mapping[str, Any]]) -> str:
    """What is wrong with any of these parts, by name; empty where all are whole."""
    return " and ".join(f"{file} {wrong}" for file, wrong in _damaged(folder, parts))


def require_whole(folder: Path, parts: Iterable[Mapping[str, Any]], redo: str) -> None:
    """Check parts before they are used. Raises StagesError naming the part and the way out."""
    for file, wrong in _damaged(folder, parts):
        raise StagesError(f"{folder / file} {wrong}", f"make it again with: {redo}")


def _damaged(folder: Path, parts: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """(file, what is wrong), in the order of the parts; large ones are read side by side."""
    there = list(parts)
    large = len(there) > 1 and sum(part["bytes"] for part in there) > ROW_GROUP_BYTES
    with ThreadPoolExecutor(os.cpu_count() if large else 1) as pool:
        look = pool.map if large else map
        for part, wrong in zip(there, look(partial(damage, folder), there), strict=True):
            if wrong:
                yield part["file"], wrong


# ── Parquet ─────────────────────────────────────────────────────────────────────────────────


class PartWriter:
    """Writes one Parquet file; `close` gives it its name and says what is in it.

    Row groups are cut at exact sizes and all options are fixed, so that the same rows in the same
    order give the same bytes, however they arrived.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        make_folder(path.parent)
        self.path = path
        self.schema = schema
        self.rows = 0
        self._temporary = path.with_name(f".{path.name}.tmp")
        self._handle = self._temporary.open("wb")
        self._writer = pq.ParquetWriter(
            self._handle,
            schema,
            version="2.6",
            # Twice the bytes of zstd in a third of the time, here and at every later reading.
            compression="lz4",
            use_dictionary=False,
            # A column of a row group is one page, so that no byte hangs on how its rows came.
            data_page_size=1 << 30,
            store_schema=False,
            write_statistics=[f.name for f in schema if _has_bounds(f.type)],
        )
        self._group: list[pa.Table] = []
        self._group_rows = 0
        self._group_bytes = 0

    def write(self, table: pa.Table) -> None:
        """Add rows; they must have the writer's schema.

        A row group ends with the row that fills it, whatever tables the rows come in.
        """
        self.rows += table.num_rows
        sizes = _running_sizes(table)
        start, before = 0, 0
        while start < table.num_rows:
            end = self._end_of_group(sizes, start, before)
            size = sizes[end - 1].as_py()
            self._group.append(table.slice(start, end - start))
            self._group_rows += end - start
            self._group_bytes += size - before
            start, before = end, size
            if self._group_rows >= ROW_GROUP_ROWS or self._group_bytes >= ROW_GROUP_BYTES:
                self._flush()

    def _end_of_group(self, sizes: pa.Array, start: int, before: int) -> int:
        """The row after the one that fills the open group, or the end of the table."""
        import pyarrow.compute as pc

        most = min(len(sizes), start + ROW_GROUP_ROWS - self._group_rows)
        full = before + ROW_GROUP_BYTES - self._group_bytes
        if sizes[most - 1].as_py() < full:
            return most
        reached = pc.greater_equal(sizes.slice(start, most - start), full)
        return start + int(pc.index(reached, True).as_py()) + 1

    def written_bytes(self) -> int:
        """Bytes on disk and waiting, for deciding when a part is full."""
        return int(self._handle.tell()) + self._group_bytes

    def _flush(self) -> None:
        if self._group:
            _ENCODER.submit(self._encode).result()
        self._group_rows = self._group_bytes = 0

    def _encode(self) -> None:
        import pyarrow as pa

        group = pa.concat_tables(self._group)
        self._writer.write_table(group, row_group_size=max(group.num_rows, 1))
        self._group = []

    def close(self, *, first: list[str] | None = None, last: list[str] | None = None) -> Part:
        """Finish the file: it gets its name, and is durable when this returns."""
        import pyarrow as pa

        self._flush()
        self._writer.close()
        # What the rows of a dozen writers took would else stay with as many threads.
        pa.default_memory_pool().release_unused()
        _sync(self._handle)
        self._handle.close()
        digest = hash_file(self._temporary)
        size = self._temporary.stat().st_size
        publish(self._temporary, self.path)
        return Part(
            file=self.path.name, rows=self.rows, bytes=size, sha256=digest, first=first, last=last
        )

    def abandon(self) -> None:
        """Leave nothing behind."""
        # An interrupt ends our waiting for the encoder, not what it is at.
        _ENCODER.submit(self._writer.close).result()
        self._handle.close()
        self._temporary.unlink(missing_ok=True)


def _running_sizes(table: pa.Table) -> pa.Array:
    """Bytes of all rows up to and with each row; a column at a time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    fixed = 0
    total = pa.nulls(table.num_rows, pa.int64()).fill_null(0)
    for column in table.combine_chunks().columns:
        if not column.num_chunks:
            continue
        array = column.chunk(0)
        if isinstance(array.type, pa.BaseExtensionType):
            array = array.storage
        if pa.types.is_list(array.type):
            total = pc.add(total, _ends_of_items(array))
        elif pa.types.is_string(array.type) or pa.types.is_binary(array.type):
            total = pc.add(total, _ends(array))
        else:
            fixed += max(array.type.bit_width // 8, 1)
    rows = pc.cumulative_sum(pa.nulls(table.num_rows, pa.int64()).fill_null(fixed))
    return pc.add(total, rows)


def _offsets(array: pa.Array) -> pa.Array:
    """Where the values of a column of variable length begin, and the last one ends."""
    import pyarrow as pa

    buffers = [None, array.buffers()[1]]
    return pa.Array.from_buffers(pa.int32(), len(array) + 1, buffers, offset=array.offset)


def _ends(array: pa.Array) -> pa.Array:
    """Where each value ends, from the column's own beginning."""
    import pyarrow as pa
    import pyarrow.compute as pc

    offsets = _offsets(array)
    return pc.subtract(offsets.slice(1), offsets[0]).cast(pa.int64())


def _ends_of_items(lists: pa.Array) -> pa.Array:
    """The same for lists, in bytes of their items."""
    import pyarrow as pa
    import pyarrow.compute as pc

    items = lists.values
    if not (pa.types.is_string(items.type) or pa.types.is_binary(items.type)):
        return pc.multiply(_ends(lists), max(items.type.bit_width // 8, 1))
    at_ends = _offsets(items).take(_offsets(lists))
    return pc.subtract(at_ends.slice(1), at_ends[0]).cast(pa.int64())


def write_parquet(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Part:
    """Write a whole Parquet file, durably. On any error nothing is left behind.

    Columns come in the schema's order; an extension type's column may come as its storage.
    """
    import pyarrow as pa

    writer = PartWriter(path, schema)
    try:
        with closing(ahead(batches, most=ROW_GROUP_BYTES)) as coming:
            for batch in coming:
                arrays = [
                    _as_type(array, field.type)
                    for array, field in zip(batch.columns, schema, strict=True)
                ]
                writer.write(pa.Table.from_arrays(arrays, schema=schema))
    except BaseException:
        writer.abandon()
        raise
    return writer.close()


def _has_bounds(kind: pa.DataType) -> bool:
    """Whether a column may have its bounds in the file. DuckDB 2.0.0 answers `IS NULL`,
    `IS DISTINCT FROM` and coalesce() wrongly for a text whose bounds are equal, as if it had no
    nulls; and isnan() for floats with bounds, as if none were NaN."""
    import pyarrow as pa

    storage = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    is_text = pa.types.is_string(storage) or pa.types.is_binary(storage)
    return not (is_text or pa.types.is_floating(storage))


def _as_type(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if array.type == wanted:
        return array
    if isinstance(wanted, pa.BaseExtensionType):
        storage = array.storage if isinstance(array.type, pa.BaseExtensionType) else array
        return pa.ExtensionArray.from_storage(wanted, storage.cast(wanted.storage_type))
    return array.cast(wanted)


def write_zero_rows(folder: Path, schema: pa.Schema) -> None:
    """`schema.parquet`: lets views exist before the first part does. Untouched if it is right."""
    path = folder / "schema.parquet"
    if not path.exists():
        write_parquet(path, schema, [])
        return
    aside = write_parquet(path.with_name("schema.aside"), schema, [])
    if aside.sha256 == hash_file(path):
        (folder / aside.file).unlink()
    else:
        publish(folder / aside.file, path)


def part_entry(part: Part) -> dict[str, Any]:
    """A part as its manifest holds it; unknown keys are left out."""
    return {name: value for name, value in asdict(part).items() if value is not None}


# ── JSON lines ──────────────────────────────────────────────────────────────────────────────


class Journal:
    """An append-only file of JSON lines; a line is durable once `append` or `write` returns.

    A line that a kill cut short is dropped when the file is opened again.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._handle = path.open("a+b")
        size = self._handle.seek(0, os.SEEK_END)
        if size:
            self._handle.truncate(self._end_of_last_line(size))

    def _end_of_last_line(self, size: int) -> int:
        end = size
        while end > 0:
            start = max(0, end - 65536)
            self._handle.seek(start)
            newline = self._handle.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
        return 0

    def append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Add lines in one write, then fsync."""
        self.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))

    def write(self, text: str) -> None:
        """Add whole lines that are JSON already, in one write, then fsync."""
        self._handle.write(text.encode())
        _sync(self._handle)

    def close(self) -> None:
        self._handle.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# ── identity ────────────────────────────────────────────────────────────────────────────────


def require_identity(path: Path, seen: Mapping[str, Any], what: str, ways: str) -> Manifest:
    """Compare who is there with who was there; the first time, write it down.

    A value that only one side knows is learned, not a difference. Raises UserError with both
    values and the two ways on.
    """
    stored = read_json(path) or {}
    for name, value in seen.items():
        if value is not None and stored.get(name) not in (None, value):
            raise UserError(
                f"{path.parent} belongs to {what} `{stored[name]}`, the settings name `{value}` "
                f"({name})",
                ways,
            )
    merged = {**stored, **{name: value for name, value in seen.items() if value is not None}}
    write_json(path, merged)
    return merged


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of one table's folder, or None."""
    return read_json(manifest(folder))


def write_manifest(folder: Path, value: Mapping[str, Any]) -> None:
    """Write the manifest of one table's folder, durably."""
    write_json(manifest(folder), value)
