"""Parts: immutable Parquet files; the same rows in the same order give the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from stages.errors import StagesError
from stages.prefetch import prefetch
from stages.state.durable import make_folder, open_private, publish, sync_file
from stages.state.fingerprints import hash_file
from stages.state.manifests import FileStat, Part
from stages.state.row_sizes import running_sizes
from stages.state.workspace import form_file

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_ROWS = 122_880
ROW_GROUP_BYTES = 4 << 20
# The memory of encoding, several times that of its rows, stays with the thread: one does it all.
_ENCODER = ThreadPoolExecutor(max_workers=1)


class PartWriter:
    """Writes one Parquet file; `close` gives it its name and returns its Part.

    Row groups are cut at exact sizes and all options are fixed, so that the same rows in the same
    order give the same bytes, however they arrived.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        make_folder(path.parent)
        self.path = path
        self.schema = schema
        self.rows = 0
        self._temporary = path.with_name(f".{path.name}.tmp")
        open_private(self._temporary, "wb").close()
        # Arrow's own file object. A Python file would be written to once more when a failed writer
        # is freed; an error there replaces the one being raised, and that ends the interpreter
        # (pyarrow 26, SafeCallIntoPython).
        self._handle = pa.OSFile(str(self._temporary), "wb")
        try:
            self._writer = pq.ParquetWriter(
                self._handle,
                schema,
                version="2.6",
                # Twice the bytes of zstd in a third of the time, here and in every later read.
                compression="lz4",
                use_dictionary=False,
                # A column of a row group is one page, so that no byte depends on how rows arrived.
                data_page_size=1 << 30,
                store_schema=False,
                write_statistics=[f.name for f in schema if _has_bounds(f.type)],
            )
        except OSError:
            self._temporary.unlink()
            raise
        self._group: list[pa.Table] = []
        self._group_rows = 0
        self._group_bytes = 0

    def write(self, table: pa.Table) -> None:
        """Add rows; they must have the writer's schema.

        A row group ends with the row that fills it, whatever tables the rows come in.
        """
        self.rows += table.num_rows
        sizes = running_sizes(table)
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
        """Bytes on disk and pending, to decide when a part is full."""
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
        # Otherwise the memory for the rows of a dozen writers would stay with as many threads.
        pa.default_memory_pool().release_unused()
        self._handle.close()
        with self._temporary.open("rb+") as handle:
            sync_file(handle)
        digest = hash_file(self._temporary)
        size = self._temporary.stat().st_size
        publish(self._temporary, self.path)
        return Part(
            file=self.path.name,
            rows=self.rows,
            bytes=size,
            sha256=digest,
            stat=FileStat.of(self.path.stat()),
            first=first,
            last=last,
        )

    def abandon(self) -> None:
        """Leave nothing behind, even on a full disk: closing writes too."""
        try:
            # An interrupt ends the wait for the encoder, not the encoder's work.
            with suppress(OSError):
                _ENCODER.submit(self._writer.close).result()
            self._writer.is_open = False  # else it tries again when it is freed
            with suppress(OSError):
                self._handle.close()
        finally:
            self._temporary.unlink(missing_ok=True)


def write_parquet(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Part:
    """Write a whole Parquet file, durably. On any error nothing is left behind.

    Columns come in the schema's order; an extension type's column may come as its storage.
    """
    import pyarrow as pa

    writer = PartWriter(path, schema)
    try:
        with closing(prefetch(batches, most=ROW_GROUP_BYTES)) as coming:
            for batch in coming:
                arrays = [
                    _as_type(array, field.type)
                    for array, field in zip(batch.columns, schema, strict=True)
                ]
                writer.write(pa.Table.from_arrays(arrays, schema=schema))
        return writer.close()
    except BaseException:
        writer.abandon()
        raise


def publish_part(part: Part, file: Path, final: Path) -> Part:
    """Move a written file into place; return the part with its new name."""
    publish(file, final)
    # Renaming a file changes its ctime too.
    return structs.replace(part, file=final.name, stat=FileStat.of(final.stat()))


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


def is_form(folder: Path) -> bool:
    """Whether a folder's `schema.parquet` exists and can be read."""
    return _form(folder) is not None


def read_form(folder: Path, redo: str) -> pa.Schema:
    """The schema of a folder's rows. Raises StagesError with the command that makes it again."""
    schema = _form(folder)
    if schema is None:
        raise StagesError(
            f"{form_file(folder)} is missing or damaged", f"make it again with: {redo}"
        )
    return schema


def _form(folder: Path) -> pa.Schema | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(form_file(folder))
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError) as error:
        # For an invalid footer, Arrow raises OSError without an errno.
        if isinstance(error, OSError) and error.errno:
            raise
        return None


def write_zero_rows(folder: Path, schema: pa.Schema) -> None:
    """`schema.parquet`: lets views exist before the first part does. Untouched if it is right."""
    path = form_file(folder)
    if not path.exists():
        write_parquet(path, schema, [])
        return
    aside = write_parquet(path.with_name("schema.aside"), schema, [])
    if aside.sha256 == hash_file(path):
        (folder / aside.file).unlink()
    else:
        publish(folder / aside.file, path)
