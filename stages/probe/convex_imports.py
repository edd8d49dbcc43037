"""What stages expects of a deployment's import: one row by it, and what its files may look like."""

from __future__ import annotations

import io
import os
import time
import zipfile
from collections.abc import Sequence

from msgspec import structs

from stages.convex import ids
from stages.convex.snapshots import ImportState
from stages.errors import StagesError, Transient
from stages.probe.checks import Checks, NotChecked, Seen, measured
from stages.probe.deployment import ProbedDeployment, allowed, table_numbers
from stages.probe.sample import export_line
from stages.state.probes import read_probe, write_probe

CHECKS = Checks[ProbedDeployment]()

# Seconds that an import of one row may take.
PATIENCE = 60.0
# A time that is not now, in milliseconds, with a fraction.
CREATED = 1_600_000_000_000.25


@CHECKS.of("Convex 7: import")
def one_row_is_imported(convex: ProbedDeployment) -> Seen:
    """An import appends one row: it asks for confirmation, reports one document at its end, and
    keeps the id and the creation time that the file gives."""
    sample, table = convex.sample, convex.sample.table.name
    number = table_numbers(convex).get(table)
    if number is None:
        raise NotChecked("its table has no number")
    # An id must never be reused.
    document = ids.encode(number, os.urandom(16))
    line = export_line(convex.workspace, convex.plan, sample, document, CREATED)
    written = read_probe(convex.workspace)
    documents = {**written.documents, document: table}
    write_probe(convex.workspace, structs.replace(written, documents=documents))
    import_id = _send(convex, [_archive(table, line)])
    asked = _wait(convex, import_id, {"waiting_for_confirmation"})
    if asked.deletes:
        convex.snapshots.cancel(import_id)
        raise StagesError("it would delete documents, and nothing was to be deleted")
    convex.snapshots.perform(import_id)
    done = _wait(convex, import_id, {"completed"})
    (read,) = convex.read(convex.any_channel, [document])
    if read is None:
        raise StagesError("the import ended, but there is no document with its id")
    kept = read["_id"] == document and float(read["_creationTime"]) == CREATED
    same = {k: v for k, v in read.items() if not k.startswith("_")} == sample.documents[0]
    words = "id and time kept" if kept else "another id or time"
    return Seen(
        f"{done.rows} document; {words}; {'as sent' if same else 'another document'}",
        done.rows == 1 and kept and same,
    )


@CHECKS.of("Convex 7: import")
def whether_a_small_part_may_come_first(convex: ProbedDeployment) -> Seen:
    """Whether a part under 5 MiB may be followed by another; stages never sends one."""
    archive = _archive(convex.sample.table.name, b"")
    # Check that uploads work at all, so that a failure below is due to the small part.
    _require_uploads(convex)
    try:
        import_id = _send(convex, [archive[:10], archive[10:]])
    except Transient:
        raise
    except StagesError as error:
        if "answered 400 " not in error.message:
            raise
        return measured("it may not")
    state = _wait(convex, import_id, {"waiting_for_confirmation", "failed"})
    return measured("it may" if state.state != "failed" else "it is accepted, but the import fails")


@CHECKS.of("Convex 7: import")
def whether_lines_may_be_empty(convex: ProbedDeployment) -> Seen:
    """Whether a file of documents may have an empty line; stages never writes one."""
    import_id = _send(convex, [_archive(convex.sample.table.name, b"\n\n")])
    state = _wait(convex, import_id, {"waiting_for_confirmation", "failed"})
    return measured("they may not" if state.state == "failed" else "they may")


def _require_uploads(convex: ProbedDeployment) -> None:
    """Upload a single first part; raises if that fails."""
    snapshots = convex.snapshots
    token = allowed(snapshots.start_upload)
    snapshots.upload_part(token, 1, b"a part of an upload that is never finished")


def _archive(table: str, lines: bytes) -> bytes:
    """A snapshot of one table."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{table}/generated_schema.jsonl", b'"uniform"\n')
        archive.writestr(f"{table}/documents.jsonl", lines)
    return content.getvalue()


def _send(convex: ProbedDeployment, parts: Sequence[bytes]) -> str:
    """Upload an import, record it, and return its id. Raises NotChecked if the key may not."""
    snapshots = convex.snapshots
    token = allowed(snapshots.start_upload)
    tokens = [snapshots.upload_part(token, n, part) for n, part in enumerate(parts, 1)]
    import_id = snapshots.finish_upload(token, tokens, "append")
    written = read_probe(convex.workspace)
    imports = [*written.imports, import_id]
    write_probe(convex.workspace, structs.replace(written, imports=imports))
    return import_id


def _wait(convex: ProbedDeployment, import_id: str, wanted: set[str]) -> ImportState:
    """Wait until the import is in one of these states."""
    deadline = time.monotonic() + PATIENCE
    for state in convex.snapshots.states(import_id):
        if state.state in wanted:
            return state
        if state.state == "failed":
            raise StagesError("the import failed")
        if time.monotonic() > deadline:
            raise NotChecked(f"the import is not done after {PATIENCE:.0f} s ({state.state})")
    raise AssertionError("an import has an end")
