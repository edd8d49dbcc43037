"""Load one table: check whether anything is to be done, then bind, send and settle."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from stages.load.context import TableContext
from stages.load.send import BatchSender, send_pending
from stages.load.settle import DID, recount_removed, settle
from stages.state.fingerprints import fingerprint
from stages.state.integrity import find_damage, require_whole
from stages.state.manifests import LoadManifest, read_load, write_manifest
from stages.state.records import read_whole
from stages.state.workspace import manifest_file


@dataclass(frozen=True)
class TableLoad:
    """One table of a load; in a cycle, `deferred` are the fields that its second pass binds.

    `sender` receives the batches instead of the table's own function.
    """

    context: TableContext
    deferred: frozenset[str] = field(default_factory=frozenset)
    sender: BatchSender | None = None

    @property
    def name(self) -> str:
        return self.context.name

    def first_pass(self) -> str:
        """Send what has no id yet, without the deferred fields; return a sentence on it."""
        if self._fresh() is not None:
            return "first pass: fresh"
        binding = self.context.binding(self.deferred)
        sent = send_pending(self.context, binding, self.sender)
        # The content is left empty: a kill between the passes must not look like the end.
        settle(self.context, binding, self.deferred, made_from="", content="", first_pass=True)
        return f"first pass: {sent.total():,} sent"

    def bring_up_to_date(self) -> tuple[LoadManifest, str]:
        """Return the manifest, and one sentence on what was done."""
        manifest = self._fresh()
        if manifest is not None:
            return manifest, "fresh, nothing to send"
        made_from = self._made_from()
        binding = self.context.binding()
        sent = send_pending(self.context, binding, self.sender)
        manifest = settle(
            self.context,
            binding,
            self.deferred,
            made_from=made_from,
            content=self.context.content,
        )
        return manifest, _sentence(sent, manifest.counts)

    def recount(self, manifest: LoadManifest) -> LoadManifest:
        """The manifest after a prune; what was settled stays the same."""
        return recount_removed(self.context, manifest)

    def _made_from(self) -> str:
        table = self.context.table
        return fingerprint(
            self.context.content,
            self._parents(),
            table.function,
            table.keep_null,
            self.context.load.epoch,
        )

    def _fresh(self) -> LoadManifest | None:
        """The manifest, if it is complete and nothing that it was made from has changed."""
        # A damaged one is made again, from the acks.
        manifest = read_whole(LoadManifest, manifest_file(self.context.folder))
        if (
            manifest
            and manifest.made_from == self._made_from()
            and manifest.status == "complete"
            and self.context.acks.exists()
            and not find_damage(self.context.folder, manifest.ids)
            and not (self.context.load.overwrite and manifest.counts.get("conflict"))
        ):
            write_manifest(self.context.folder, manifest)
            return manifest
        return None

    def _parents(self) -> dict[str, Any]:
        """Hashes of the ids that this table's references are bound to."""
        load = self.context.load
        ids: dict[str, Any] = {}
        for target in sorted(load.schema.references().get(self.name, ())):
            folder = load.workspace.load(target)
            manifest = read_load(folder) if target in load.plan.tables else None
            # A table's own ids are made again from its acks, when it is settled.
            if manifest and target != self.name:
                require_whole(folder, [manifest.ids], f"stages load {target}")
                write_manifest(folder, manifest)
            ids[target] = manifest and manifest.ids.sha256
        return ids


def _sentence(sent: Counter[str], counts: dict[str, int]) -> str:
    """What this run did, and then what all runs have brought into Convex, or not."""
    done = ", ".join(f"{sent[name]:,} {name}" for name in DID if sent[name])
    others = {name: counts[name] for name in ("refused", "held_back", "removed") if counts[name]}
    left = "".join(f", {count:,} {name.replace('_', ' ')}" for name, count in others.items())
    in_convex = sum(counts[name] for name in DID)
    return f"{sent.total():,} sent{': ' if done else ''}{done} ({in_convex:,} in Convex{left})"
