"""Batches through `bulkInsert…`, by the admin key or the HTTP action; what a refusal means.

A batch and its ledger rows commit in one transaction, so a batch may be sent again at any time.
"""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from stages.convex.client import Deployment, FunctionError
from stages.convex.pages import missing_function
from stages.errors import TableFailed
from stages.load.bind import Record
from stages.load.pace import Pace

# A document's own fault, in the words of argument validation, schema and size checks.
INVALID = re.compile(
    r"ArgumentValidation|SchemaEnforcement|does not match|Validator error|[Vv]alidation|"
    r"missing (?:the )?required|extra field|ValueTooLarge|Value is too large|too large|"
    r"TooNested|too deeply|ArrayTooLong|TooManyFields|InvalidDocument|not a valid|Invalid "
)
SAME_WORDS = 20


@dataclass
class Sent:
    """What came of a batch: acks as the journal holds them, rejects with Convex' words."""

    acks: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: Sent) -> Sent:
        self.acks += other.acks
        self.rejects += other.rejects
        return self


class Sender:
    """Sends one table's records. Safe to use from several threads."""

    def __init__(
        self, deployment: Deployment, function: str, pace: Pace, *, overwrite: bool
    ) -> None:
        self.deployment = deployment
        self.function = function
        self.pace = pace
        self.overwrite = overwrite
        self._lock = threading.Lock()
        self._callable = False
        self._last_words = ""
        self._same_words = 0

    def send(self, records: list[Record]) -> Sent:
        """Send a batch; one that is refused is halved until the bad document stands alone.

        Raises TableFailed for what is no document's fault, Transient for what may pass.
        """
        listed = ",".join(record.text for record in records)
        overwrite = ', "overwrite": true' if self.overwrite else ""
        began = time.monotonic()
        try:
            answer = self.deployment.call(
                "mutation", self.function, f'{{"records": [{listed}]{overwrite}}}'
            )
        except FunctionError as error:
            return self._refused(records, error)
        self.pace.took(len(records), time.monotonic() - began)
        return self._acknowledged(records, json.loads(answer)["value"])

    def _acknowledged(self, records: list[Record], value: Any) -> Sent:
        digests = {record.source_id: record.digest for record in records}
        results = value["results"]
        if len(results) != len(records) or any(r["sourceId"] not in digests for r in results):
            raise TableFailed(
                f"{self.function} answered {len(results)} results for {len(records)} records",
                "is another version of convex/migrate.ts deployed? see: stages check",
            )
        return Sent(
            acks=[
                {
                    "sourceId": result["sourceId"],
                    "documentId": result["documentId"],
                    "did": result["did"],
                    "digest": digests[result["sourceId"]],
                }
                for result in results
            ]
        )

    def _refused(self, records: list[Record], error: FunctionError) -> Sent:
        self._require_function()
        limit = error.over_limit
        if limit:
            self.pace.too_much(len(records))
        if len(records) > 1:
            middle = len(records) // 2
            return self.send(records[:middle]).add(self.send(records[middle:]))
        if limit or not INVALID.search(error.words):
            raise TableFailed(
                f"{self.function} failed for the document {records[0].source_id}: "
                f"{_first_line(error.words)}",
                "the words are not those of a bad document; see the deployment's log",
            )
        return self._reject(records[0], _first_line(error.words))

    def _require_function(self) -> None:
        """A missing function, a paused deployment and the like also come as function errors:
        before a first batch is halved, the function must take no records at all."""
        with self._lock:
            if self._callable:
                return
        try:
            self.deployment.call("mutation", self.function, '{"records": []}')
        except FunctionError as error:
            clear = missing_function(error, self.deployment)
            raise TableFailed(clear.message, clear.hint) from None
        with self._lock:
            self._callable = True

    def _reject(self, record: Record, words: str) -> Sent:
        with self._lock:
            # Words name values and ids; what they have in common is their beginning.
            same = words[:60] == self._last_words
            self._same_words = self._same_words + 1 if same else 1
            self._last_words = words[:60]
            if self._same_words >= SAME_WORDS:
                raise TableFailed(
                    f"{self.function} refused {SAME_WORDS} documents in a row with the same words: "
                    f"{words}",
                    "is convex/schema.ts here the one that is deployed? see: stages check",
                )
        return Sent(rejects=[{"sourceId": record.source_id, "rule": "refused", "reason": words}])


def _first_line(words: str) -> str:
    lines = [line for line in words.splitlines() if line and not line.startswith("[Request ID")]
    return " ".join(lines)[:500]
