"""Upload a file to a deployment, part by part, and follow its import to the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from stages.convex.snapshots import MOST_PARTS, PART_BYTES, Snapshots
from stages.errors import StagesError, Transient
from stages.layout import counted
from stages.progress import Progress, note_retry
from stages.retry import Backoff, retrying
from stages.state.imports import ImportManifest, Upload
from stages.state.integrity import require_whole
from stages.state.manifests import write_manifest
from stages.state.workspace import Workspace

UPLOADS = 5


class ImportFailed(StagesError):
    """The deployment has ended an import without success; the message says why."""


def upload(
    workspace: Workspace,
    snapshots: Snapshots,
    file: Path,
    state: ImportManifest,
    progress: Progress,
) -> ImportManifest:
    """Send the file, one part after the other; return the state `uploaded`.

    In the cloud, a failed part is sent again, and a killed run continues after the last part. A
    self-hosted deployment appends whatever arrives: if the answer to a part is lost, the upload
    starts from scratch, because the part may or may not have been stored.
    """
    again = "stages load --through import --restart"
    require_whole(workspace.imports, [state.file] if state.file else [], again)
    if not snapshots.parts_may_be_repeated:
        state = structs.replace(state, upload=None)

    def attempt() -> ImportManifest:
        nonlocal state
        session = state.upload or Upload(token=snapshots.start_upload())
        state = structs.replace(state, upload=session)
        try:
            _parts(workspace, snapshots, file, state, session, progress)
        except Transient:
            if not snapshots.parts_may_be_repeated:
                state = structs.replace(state, upload=None)
            raise
        state = structs.replace(state, upload=None)
        # If this answer is lost, that import waits for ever, unconfirmed; a retry begins another.
        import_id = snapshots.finish_upload(session.token, session.parts, state.mode)
        return structs.replace(state, status="uploaded", import_id=import_id)

    try:
        done = retrying(attempt, Backoff(attempts=UPLOADS), note_retry(progress))
    except Transient as error:
        raise error.stopped("run again: stages load --through import") from None
    write_manifest(workspace.imports, done)
    return done


def _parts(
    workspace: Workspace,
    snapshots: Snapshots,
    file: Path,
    state: ImportManifest,
    session: Upload,
    progress: Progress,
) -> None:
    """Send the parts that the session, which belongs to the state, does not have yet."""
    size = file.stat().st_size
    part_bytes = max(PART_BYTES, -(-size // MOST_PARTS))
    parts = session.parts
    total = max(1, -(-size // part_bytes))
    progress.start("upload", file.name, total, len(parts))
    with file.open("rb") as handle:
        handle.seek(len(parts) * part_bytes)
        for number in range(len(parts) + 1, total + 1):
            data = handle.read(part_bytes)
            parts.append(snapshots.upload_part(session.token, number, data))
            write_manifest(workspace.imports, state)
            progress.advance(file.name, 1, len(data))
    progress.done("upload", file.name, f"{size / 2**20:,.1f} MiB in {total:,} parts")


def follow(
    snapshots: Snapshots,
    import_id: str,
    confirm: Callable[[str, bool], None],
    progress: Progress,
) -> int:
    """Report the import's steps until it ends; return the number of documents that it wrote.

    `confirm` receives the deployment's question, and whether documents would be deleted. Raises
    ImportFailed with the deployment's message.
    """
    steps: tuple[str, ...] = ()
    words = ""
    for report in snapshots.states(import_id):
        if report.state == "completed":
            progress.note(f"  the deployment has written {counted(report.rows, 'document')}")
            return report.rows
        if report.state == "failed":
            raise ImportFailed(
                f"the import failed: {report.words}",
                "nothing was changed, unless the mode was append; fix the cause, then: "
                "stages load --through import",
            )
        if report.state == "waiting_for_confirmation":
            confirm(report.words, report.deletes)
        elif report.state == "in_progress":
            for step in report.steps[len(steps) :]:
                progress.note(f"  {step}")
            if report.words != words:
                progress.note(f"  {report.words}")
            steps, words = report.steps, report.words
    raise AssertionError("an import has an end")
