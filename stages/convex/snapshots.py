"""A deployment's snapshots: table numbers, import in parts, export. Source: what the CLI calls.

These endpoints and the `_system/` functions are those of `npx convex import` and `export`; they
need a deploy key that may import, export and view data.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stages.answers import read_whole
from stages.convex import ids
from stages.convex.client import Deployment, FunctionError
from stages.convex.expected import integer
from stages.convex.schema import Schema
from stages.errors import SettingError, StagesError
from stages.retry import retrying
from stages.state.durable import make_folder, open_private, publish
from stages.state.imports import Mode

WIRE_MODES: dict[Mode, str] = {
    "append": "append",
    "replace": "replace",
    "require-empty": "requireEmpty",
}
# A part must have at least 5 MiB, and there must be fewer than 10,000 parts.
PART_BYTES = 8 << 20
MOST_PARTS = 9_000
POLL_SECONDS = (0.2, 2.0)


def table_numbers(deployment: Deployment, schema: Schema, module: str) -> dict[str, int]:
    """Table → its number, for every table of the schema.

    Raises StagesError if a table has none: its schema is not pushed.
    """
    numbers = _mapping(deployment)
    for table in schema.tables:
        number = numbers.get(table) or _number_of_document(deployment, module, table)
        if number is None:
            raise StagesError(
                f"{deployment.target.label} has no number for the table `{table}`",
                f"push convex/ to it first: {deployment.target.push}",
            )
        numbers[table] = number
    return numbers


def assigned_numbers(schema: Schema) -> dict[str, int]:
    """The numbers that a new deployment assigns to the tables of the schema."""
    return {name: ids.FIRST_NUMBER + at for at, name in enumerate(sorted(schema.tables))}


def _mapping(deployment: Deployment) -> dict[str, int]:
    try:
        mapping = deployment.query("_system/frontend/getTableMapping", {"componentId": None})
    except FunctionError:  # undocumented, and may be removed
        return {}
    numbers: dict[str, int] = {}
    for number, table in mapping.items():
        if table in numbers:
            raise StagesError(
                f"{deployment.target.label} has two tables `{table}`: "
                f"{numbers[table]} and {number}",
                "wait until the import that is under way has ended, then run again",
            )
        numbers[table] = int(number)
    return numbers


def _number_of_document(deployment: Deployment, module: str, table: str) -> int | None:
    """A table's number, by the id of one of its documents; None if that can't be read."""
    args = {"table": table, "cursor": None, "numItems": 1}
    try:
        page = deployment.query(f"{module}:readPage", args)["page"]
        return ids.decode(page[0]["_id"])[0] if page else None
    except (FunctionError, ValueError):
        return None


@dataclass(frozen=True, kw_only=True)
class ImportState:
    """The state of an import. `words`: its question, progress, or failure; `rows`: those written.

    `deletes`: it asks for consent, since it would delete existing documents.
    """

    state: str
    words: str = ""
    steps: tuple[str, ...] = ()
    deletes: bool = False
    rows: int = 0


class UnknownImport(StagesError):
    """The deployment has no import of this id: it was reset, or the import is too old."""


class Snapshots:
    """Import and export of one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        if not deployment.target.admin_key:
            raise SettingError(
                "an import needs a deploy key",
                "set CONVEX_DEPLOY_KEY to a key that may import (deployment:backups:import)",
                settings=["CONVEX_DEPLOY_KEY"],
            )
        self.deployment = deployment

    # ── import ──────────────────────────────────────────────────────────────────────────────

    @property
    def parts_may_be_repeated(self) -> bool:
        """Whether a part may be sent twice: only the cloud's storage identifies parts by number; a
        self-hosted one appends."""
        return self.deployment.target.url.endswith(".convex.cloud")

    def start_upload(self) -> str:
        return self._post_for("uploadToken", "/api/import/start_upload")

    def upload_part(self, token: str, number: int, data: bytes) -> Any:
        """Upload a part; returns its token. Tried once: see `parts_may_be_repeated`."""
        path = f"/api/import/upload_part?uploadToken={quote(token, safe='')}&partNumber={number}"
        with self.deployment.request("POST", path, data, "application/octet-stream") as answer:
            return self._parsed(path, read_whole(answer))

    def finish_upload(self, token: str, parts: list[Any], mode: Mode) -> str:
        """Returns the id of the import, which waits to be confirmed."""
        what = {"tableName": None, "componentPath": None, "mode": WIRE_MODES[mode], "format": "zip"}
        body = {"import": what, "uploadToken": token, "partTokens": parts}
        return self._post_for("importId", "/api/import/finish_upload", body)

    def perform(self, import_id: str) -> None:
        """Confirm an import; harmless if it is already under way."""
        self._retrying(lambda: self._post("/api/perform_import", {"importId": import_id}))

    def cancel(self, import_id: str) -> None:
        self._retrying(lambda: self._post("/api/cancel_import", {"importId": import_id}))

    def state(self, import_id: str) -> ImportState:
        """The import's state. Raises UnknownImport if the deployment does not know the import."""
        report = self.deployment.query("_system/cli/queryImport", {"importId": import_id})
        if report is None:
            raise UnknownImport(
                f"{self.deployment.target.label} no longer knows the import {import_id}",
                "was it reset? start over with: stages load --through import --restart",
            )
        state = report["state"]
        words = [state.get(k) for k in ("message_to_confirm", "progress_message", "error_message")]
        return ImportState(
            state=state["state"],
            words="\n".join(w for w in words if w),
            steps=tuple(state.get("checkpoint_messages") or ()),
            deletes=state.get("require_manual_confirmation") is not False,
            rows=integer(state.get("num_rows_written", 0)),
        )

    def states(self, import_id: str) -> Iterator[ImportState]:
        """The same, polled with pauses, without end."""
        pause, longest = POLL_SECONDS
        while True:
            yield self.state(import_id)
            time.sleep(pause)
            pause = min(pause * 1.5, longest)

    def table_size(self, table: str) -> int:
        """The number of documents of a table."""
        args = {"tableName": table, "componentId": None}
        return integer(self.deployment.query("_system/frontend/tableSize", args))

    # ── export ──────────────────────────────────────────────────────────────────────────────

    def export(self, file_of: Callable[[int], Path]) -> Path:
        """Take a full export, without stored files, into `file_of` its timestamp; returns the file.

        Raises StagesError if it fails, or another one is under way.
        """
        self._post("/api/export/request/zip?includeStorage=false")
        pause, longest = POLL_SECONDS
        while True:
            export = self.deployment.query("_system/cli/exports:getLatest", {})
            if export is not None and export["state"] not in ("requested", "in_progress"):
                break
            time.sleep(pause)
            pause = min(pause * 1.5, longest)
        if export["state"] != "completed":
            raise StagesError(
                f"{self.deployment.target.label} could not export: {export['state']}",
                "nothing was changed; try again, or see the deployment's dashboard",
            )
        started = integer(export["start_ts"])
        file = file_of(started)
        self._retrying(lambda: self._download(f"/api/export/zip/{started}", file))
        return file

    def _download(self, path: str, file: Path) -> None:
        make_folder(file.parent)
        temporary = file.with_name(f".{file.name}.tmp")
        with (
            self.deployment.request("GET", path) as answer,
            open_private(temporary, "wb") as handle,
        ):
            for chunk in answer.iter_bytes(1 << 20):
                handle.write(chunk)
            handle.flush()
            os.fsync(handle.fileno())
        publish(temporary, file)

    def _retrying(self, call: Callable[[], object]) -> None:
        retrying(call, self.deployment.backoff, self.deployment.on_retry)

    def _post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        with self.deployment.request("POST", path, content) as answer:
            text = read_whole(answer)
        return self._parsed(path, text) if text else None

    def _post_for(self, member: str, path: str, body: dict[str, Any] | None = None) -> str:
        """A string member of the answer."""
        answer = self._post(path, body)
        value = answer.get(member) if isinstance(answer, dict) else None
        if not isinstance(value, str):
            raise self.deployment.no_answer(path.partition("?")[0])
        return value

    def _parsed(self, path: str, text: bytes) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise self.deployment.no_answer(path.partition("?")[0]) from None
