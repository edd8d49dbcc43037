"""What documents cost in Convex: bytes stored and written, minutes, calls."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from stages.convex.ledger_ops import LEDGER_ROW_BYTES

# Documents per request to the loading functions. Each takes up to four of the 4,096 read intervals
# of a transaction.
MOST_DOCUMENTS = 1000
# Bytes of the request's records; a ledger row is written with each.
MOST_BYTES = 3_500_000
# Bytes of a record around its document: {"sourceId":"","digest":"…","document":},
RECORD_BYTES = 106


def ledger_bytes(table: str, documents: int, key_bytes: int) -> int:
    """Bytes of these documents' ledger rows; their source keys have `key_bytes` in all."""
    return key_bytes + (LEDGER_ROW_BYTES + len(table)) * documents


def stored_bytes(documents: int, ledger: int, indexes: int) -> int:
    """Bytes stored: those of documents with a copy in each index, and of ledger rows with one."""
    return documents * (1 + indexes) + 2 * ledger


def minutes_at(written: int, rates: Iterable[int]) -> dict[str, float]:
    """`4 MiB/s` → minutes to write `written` bytes of documents and ledger rows."""
    return {f"{rate} MiB/s": written / rate / 2**20 / 60 for rate in rates}


def batches(documents: int, sent: int) -> int:
    """Calls of the loading functions for `documents` documents, of `sent` bytes in all."""
    return max(ceil(documents / MOST_DOCUMENTS), ceil(sent / MOST_BYTES))
