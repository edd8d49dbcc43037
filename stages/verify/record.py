"""What a verify found, and for which load: another load makes it outdated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stages.state.durable import remove, write_json
from stages.state.fingerprints import fingerprint
from stages.state.manifests import LoadManifest
from stages.state.records import Record, read_whole, write_record
from stages.state.workspace import Workspace

KINDS = (
    "missing", "changed", "mismatched", "removed", "unowned", "duplicate", "dangling",
    "unaccounted",
)  # fmt: skip
WRONG = tuple(kind for kind in KINDS if kind not in ("removed", "unowned"))
Counts = Mapping[str, int]


class VerifiedTable(Record, kw_only=True):
    """verify/<table>.json: the load that was verified, and where its references went."""

    of: str
    references: dict[str, dict[str, int]]

    @classmethod
    def way_on(cls, file: Path) -> str:
        return f"make it again with: stages verify {file.stem}"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A table's counts by kind, and where its references went, by field."""

    counts: Counts
    references: Mapping[str, Counts]

    @property
    def differences(self) -> Counts:
        """The counts of what is wrong, by kind; kinds with none are left out."""
        return {kind: self.counts[kind] for kind in WRONG if self.counts.get(kind)}

    @property
    def wrong(self) -> list[str]:
        """The same as texts, such as `3 missing`."""
        return [f"{rows:,} {kind}" for kind, rows in self.differences.items()]


def write_proof(workspace: Workspace, table: str, loaded: LoadManifest, proof: Proof) -> None:
    """Record what a verify of this load found; if killed in between, the record looks outdated."""
    tables = {**_counts(workspace), table: dict(proof.counts)}
    write_json(workspace.verified, tables)
    references = {name: dict(counts) for name, counts in proof.references.items()}
    looked = VerifiedTable(of=_seen(loaded), references=references)
    write_record(workspace.verified_of(table), looked)


def read_counts(workspace: Workspace, table: str) -> Counts | None:
    """What the last verify of the table counted, for whatever load; None if there was none."""
    return _counts(workspace).get(table)


def read_proof(workspace: Workspace, table: str, loaded: LoadManifest | None) -> Proof | None:
    """The proof of this load; None if it does not exist, is of an older load, or is damaged."""
    counts = read_counts(workspace, table)
    looked = read_whole(VerifiedTable, workspace.verified_of(table))
    if not counts or not looked or not loaded or looked.of != _seen(loaded):
        return None
    return Proof(counts=counts, references=looked.references)


def forget_proof(workspace: Workspace, table: str) -> None:
    """Remove what verify wrote about a table."""
    stored = _counts(workspace)
    if stored.pop(table, None) is not None:
        write_json(workspace.verified, stored)
    remove(workspace.verified_of(table))
    remove(workspace.verify(table))


def _counts(workspace: Workspace) -> dict[str, dict[str, int]]:
    """Table → counts; a damaged file counts as not verified."""
    try:
        return msgspec.json.decode(workspace.verified.read_bytes(), type=dict[str, dict[str, int]])
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _seen(loaded: LoadManifest) -> str:
    # A prune changes only the number of documents that are no longer staged.
    return fingerprint(loaded.content, loaded.ids.sha256, loaded.counts["removed"])
