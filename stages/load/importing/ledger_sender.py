"""After an import: ledger rows for its documents, in batches, as if these had been sent."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from json.encoder import encode_basestring as text

from stages.convex import ids
from stages.convex.client import Deployment
from stages.convex.ledger_ops import change
from stages.errors import TableFailed
from stages.load.batches import Batch
from stages.load.functions import Sent
from stages.load.pace import Pace


@dataclass(frozen=True)
class LedgerSender:
    """Accepts batches like a Sender. Safe to use from several threads."""

    deployment: Deployment
    function: str
    table: str
    number: int
    pace: Pace

    def send(self, batch: Batch) -> Sent:
        """Write ledger rows for existing documents, under the ids that were minted.

        Raises TableFailed for a document that does not exist, or that the ledger has as another.
        """
        self.pace.wait(len(batch), 0)
        began = time.monotonic()
        records = [
            {
                "sourceId": key,
                "digest": digest,
                "documentId": ids.mint(self.number, self.table, key),
            }
            for key, digest in zip(batch.source_ids, batch.digests, strict=True)
        ]
        results = change(self.deployment, self.function, self.table, records)
        failures = Counter(r["did"] for r in results if r["did"] in ("missing", "taken"))
        for did, rows in failures.items():
            first = next(r["sourceId"] for r in results if r["did"] == did)
            raise TableFailed(
                f"{rows:,} documents of `{self.table}`, such as {first}, "
                + (
                    "were imported and no longer exist"
                    if did == "missing"
                    else "are already in the ledger, as other documents"
                ),
                "see the documents with: npx convex data "
                f"{self.table}; or import again with: --restart --mode replace",
            )
        self.pace.took(len(batch), time.monotonic() - began)
        lines = [
            f'{{"sourceId": {text(r["sourceId"])}, "documentId": "{r["documentId"]}", '
            f'"did": "inserted", "digest": "{r["digest"]}"}}\n'
            for r in records
        ]
        return Sent(done=Counter(inserted=len(lines)), acks=["".join(lines)])
