"""Send batches to `bulkInsert…`, with the admin key or the HTTP action, and judge refusals.

A batch and its ledger rows commit in one transaction, so a batch may be sent again at any time.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from json.encoder import encode_basestring as text
from typing import Any

from stages.convex.client import Deployment, FunctionError
from stages.convex.pages import missing_function
from stages.errors import TableFailed
from stages.load.batches import Batch
from stages.load.pace import Pace
from stages.rules import Rule

# Messages of argument validation, schema and size checks: the document itself is at fault.
INVALID = re.compile(
    r"ArgumentValidation|SchemaEnforcement|does not match|Validator error|[Vv]alidation|"
    r"missing (?:the )?required|extra field|ValueTooLarge|Value is too large|too large|"
    r"TooNested|too deeply|ArrayTooLong|TooManyFields|InvalidDocument|not a valid|Invalid "
)
PAUSED = re.compile(r"\b(?:paused|disabled)\b")
SAME_WORDS = 20
# What a loading function may report to have done with a document.
DID = {"inserted", "replaced", "unchanged", "conflict"}


@dataclass
class Sent:
    """The outcome of a batch: documents by what was done with them, lines for the journal of acks,
    and rejects with Convex' message; `size` is the bytes of their records."""

    done: Counter[str] = field(default_factory=Counter)
    acks: list[str] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    size: int = 0

    def add(self, other: Sent) -> Sent:
        self.done += other.done
        self.acks += other.acks
        self.rejects += other.rejects
        self.size += other.size
        return self


class Sender:
    """Sends one table's records. Safe to use from several threads."""

    def __init__(
        self,
        deployment: Deployment,
        function: str,
        pace: Pace,
        *,
        overwrite: bool = False,
    ) -> None:
        self.deployment = deployment
        self.function = function
        self.pace = pace
        self._tail = b"]"
        if overwrite:
            self._tail += b', "overwrite": true'
        self._lock = threading.Lock()
        self._callable = False
        self._last_words = ""
        self._same_words = 0

    def send(self, batch: Batch) -> Sent:
        """Send a batch at the pace; a refused batch is halved until the bad document is alone.

        Raises TableFailed for what is no document's fault, Transient for what may pass.
        """
        args = b"".join((b'{"records": [', batch.records(), self._tail, b"}"))
        try:
            # Only the request happens in the slot, so that the answer frees it immediately.
            with self.pace.slot():
                self.pace.wait(len(batch), batch.size)
                began = time.monotonic()
                answer = self.deployment.call("mutation", self.function, args)
                self.pace.took(len(batch), time.monotonic() - began)
        except FunctionError as error:
            return self._refused(batch, error)
        return self._acknowledged(batch, json.loads(answer)["value"]["results"])

    def _acknowledged(self, batch: Batch, results: list[dict[str, str]]) -> Sent:
        try:
            keys = [result["sourceId"] for result in results]
            done = Counter(each["did"] for each in results)
            # The only work done per document: as plain text it is four times as fast.
            lines = [
                f'{{"sourceId": {text(each["sourceId"])}, "documentId": '
                f'{text(each["documentId"])}, "did": "{each["did"]}", "digest": "{digest}"}}\n'
                for each, digest in zip(results, batch.digests, strict=False)
            ]
        except (KeyError, TypeError):
            done = Counter([""])
        if not done.keys() <= DID:
            # Whatever part of the batch was stored, the ledger shows it when it is sent again.
            raise self.deployment.no_answer(self.function)
        if keys != batch.source_ids:
            raise TableFailed(
                f"{self.function} answered {len(results)} results for {len(batch)} records, or "
                "for others",
                "is another version of convex/ deployed? see: stages check",
            )
        return Sent(done=done, acks=["".join(lines)], size=batch.size)

    def _refused(self, batch: Batch, error: FunctionError) -> Sent:
        self._require_function()
        limit = error.over_limit
        if limit:
            self.pace.too_much(len(batch))
        if len(batch) > 1:
            first, second = batch.halves()
            return self.send(first).add(self.send(second))
        if limit or not INVALID.search(error.words):
            raise TableFailed(
                f"{self.function} failed for the document {batch.source_ids[0]}: "
                f"{_first_line(error.words)}",
                "this does not look like a document error; see the deployment's log",
            )
        return self._reject(batch.source_ids[0], _first_line(error.words))

    def _require_function(self) -> None:
        """Before a first batch is halved, require that the function accepts an empty one: a missing
        function, a paused deployment and the like are function errors too."""
        with self._lock:
            if self._callable:
                return
        try:
            self.deployment.call("mutation", self.function, b'{"records": []}')
        except FunctionError as error:
            raise _no_fault_of_documents(error, self.deployment) from None
        with self._lock:
            self._callable = True

    def _reject(self, source_id: str, words: str) -> Sent:
        with self._lock:
            # Messages name values and ids; what they have in common is their beginning.
            same = words[:60] == self._last_words
            self._same_words = self._same_words + 1 if same else 1
            self._last_words = words[:60]
            if self._same_words >= SAME_WORDS:
                raise TableFailed(
                    f"{self.function} refused {SAME_WORDS} documents in a row with the same "
                    f"message: {words}",
                    "is convex/schema.ts here the one that is deployed? see: stages check",
                )
        return Sent(rejects=[{"sourceId": source_id, "rule": Rule.REFUSED, "reason": words}])


def _no_fault_of_documents(error: FunctionError, deployment: Deployment) -> TableFailed:
    """The error for a function that fails even without records."""
    if PAUSED.search(error.words):
        return TableFailed(
            f"{deployment.target.label} runs no functions: {_first_line(error.words)}",
            "resume it in its settings on the dashboard, then run again: stages load",
        )
    clear = missing_function(error, deployment)
    return TableFailed(clear.message, clear.hint)


def _first_line(words: str) -> str:
    lines = [line for line in words.splitlines() if line and not line.startswith("[Request ID")]
    return " ".join(lines)[:500]
