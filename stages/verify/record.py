"""What a verify found, and which load it looked at: another load makes it old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stages.state.durable import read_json, remove, write_json
from stages.state.fingerprints import fingerprint
from stages.state.manifests import Manifest
from stages.state.workspace import Workspace

KINDS = (
    "missing", "changed", "mismatched", "removed", "unowned", "duplicate", "dangling",
    "unaccounted",
)  # fmt: skip
WRONG = tuple(kind for kind in KINDS if kind not in ("removed", "unowned"))
Counts = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A table's counts by kind, and where its references went, by field."""

    counts: Counts
    references: Mapping[str, Counts]

    @property
    def differences(self) -> Counts:
        """What must not be, by kind; without the kinds that there are none of."""
        return {kind: self.counts[kind] for kind in WRONG if self.counts.get(kind)}

    @property
    def wrong(self) -> list[str]:
        """The same in a few words each."""
        return [f"{rows:,} {kind}" for kind, rows in self.differences.items()]


def write_proof(workspace: Workspace, table: str, loaded: Manifest, proof: Proof) -> None:
    """Write down what a verify of this load found; killed in between, it looks like an old one."""
    write_json(
        workspace.verified, {**(read_json(workspace.verified) or {}), table: dict(proof.counts)}
    )
    write_json(
        workspace.verified_of(table), {"of": _seen(loaded), "references": dict(proof.references)}
    )


def read_proof(workspace: Workspace, table: str, loaded: Manifest | None) -> Proof | None:
    """The proof of this load; None where there is none, or only one of an older load."""
    counts = (read_json(workspace.verified) or {}).get(table)
    looked = read_json(workspace.verified_of(table))
    if not counts or not looked or not loaded or looked["of"] != _seen(loaded):
        return None
    return Proof(counts=counts, references=looked["references"])


def forget_proof(workspace: Workspace, table: str) -> None:
    """Remove what verify wrote about a table."""
    stored = read_json(workspace.verified) or {}
    if stored.pop(table, None) is not None:
        write_json(workspace.verified, stored)
    remove(workspace.verified_of(table))
    remove(workspace.verify(table))


def _seen(loaded: Manifest) -> str:
    # A prune changes nothing but the number of documents that are not staged any more.
    removed = loaded["counts"]["removed"]
    return fingerprint(loaded["content"], loaded["ids"]["sha256"], removed)
