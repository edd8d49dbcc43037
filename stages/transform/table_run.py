"""One target table: from its model to documents, rejects and changes, unless these are fresh."""

from __future__ import annotations

from msgspec import structs

from stages.layout import counted
from stages.project.freshness import staged_inputs
from stages.project.models import Model
from stages.state.durable import remove
from stages.state.fingerprints import fingerprint
from stages.state.integrity import describe_damage
from stages.state.manifests import TransformManifest, write_manifest
from stages.state.records import read_whole
from stages.state.workspace import manifest_file
from stages.transform.checked_rows import checked_rows_sql, split_checked_rows
from stages.transform.cycles import Cycle
from stages.transform.known_keys import make_known, refuse_unplanned
from stages.transform.made_from import made_from
from stages.transform.models import RowFailed
from stages.transform.references import make_orphans
from stages.transform.relations import CANONICAL, ISOLATED, MODEL_ROWS
from stages.transform.run_model import CompiledModel, run_model
from stages.transform.staged_files import write_files
from stages.transform.table_context import TableContext


class TableRun:
    """One target table, and the cycle that it is in; one that refers to itself has a cycle too."""

    def __init__(self, context: TableContext, cycle: Cycle | None) -> None:
        self.context = context
        self.cycle = cycle

    def bring_up_to_date(self, *, restart: bool) -> tuple[TransformManifest, str]:
        """Return the manifest, and one sentence on what was done."""
        context, table = self.context, self.context.table
        damaged = ""

        def note(damage: str) -> None:
            nonlocal damaged
            damaged = damage

        manifest = read_whole(TransformManifest, manifest_file(context.folder), note)
        if context.missing:
            return self._record_missing(manifest)
        model = context.read_model()
        made_of = self._made_from(model)
        if manifest and not restart and manifest.made_from == made_of:
            damaged = describe_damage(context.folder, manifest.parts)
            if not damaged:
                # A change that made no difference, such as a comment, is not reported again.
                manifest.inputs = staged_inputs(context.workspace, context.plan, table)
                write_manifest(context.folder, manifest)
                return manifest, "fresh"
        manifest = structs.replace(
            self._make_files(model),
            made_from=made_of,
            inputs=staged_inputs(context.workspace, context.plan, table),
        )
        write_manifest(context.folder, manifest)
        return manifest, _sentence(manifest, damaged)

    def explain(self) -> str:
        """The SQL that checks the table; nothing is written."""
        if self.context.missing:
            return "-- missing at the source"
        return checked_rows_sql(self.context, self._prepare(self.context.read_model()))

    def _made_from(self, model: Model) -> str:
        if not self.cycle:
            return made_from(self.context, model, ())
        own = made_from(self.context, model, self.cycle.tables)
        return fingerprint(own, self.cycle.made_from())

    def _record_missing(self, manifest: TransformManifest | None) -> tuple[TransformManifest, str]:
        context, table = self.context, self.context.table
        if manifest is None or manifest.status != "missing":
            remove(context.folder)
            manifest = TransformManifest(
                table=table.name, source=table.source, status="missing", made_from=None,
                source_rows=0, documents=0, rejects=0, changes=0, parts=[],
            )  # fmt: skip
            write_manifest(context.folder, manifest)
        return manifest, "missing: the source has no such table"

    def _make_files(self, model: Model) -> TransformManifest:
        try:
            return self._write_rows(self._prepare(model))
        except RowFailed:
            # In a cycle the model's rows are stored, and isolated at that point.
            if self.cycle:
                raise
            return self._write_rows(self._prepare(model, isolate=True))

    def _write_rows(self, compiled: CompiledModel) -> TransformManifest:
        with split_checked_rows(self.context, compiled) as rows:
            self._drop_intermediates()
            return write_files(self.context, compiled, rows, in_cycle=self.cycle is not None)

    def _prepare(self, model: Model, *, isolate: bool = False) -> CompiledModel:
        """Run the model into `modelled`, and create what its checks are joined to."""
        context = self.context
        context.inputs.make_views(context.connection, model, context.drop_model())
        if self.cycle:
            compiled = self.cycle.prove(context)
            make_known(context, self.cycle.tables)
        else:
            compiled = run_model(context, model, in_cycle=False, isolate=isolate)
            make_known(context)
        make_orphans(context.connection, compiled.fields, context.target_sources())
        refuse_unplanned(context, compiled.fields)
        return compiled

    def _drop_intermediates(self) -> None:
        """Free what the rows were made from: each is as large as the table itself."""
        for relation in (CANONICAL, ISOLATED):
            self.context.connection.execute(f"DROP TABLE IF EXISTS {relation}")
        if self.context.table.grain == "row":
            self.context.connection.execute(f"DROP TABLE IF EXISTS {MODEL_ROWS}")


def _sentence(manifest: TransformManifest, damaged: str) -> str:
    sentence = f"{damaged + ', made again: ' if damaged else ''}"
    sentence += counted(manifest.documents, "document")
    if manifest.rejects > manifest.dropped:
        sentence += f", {manifest.rejects - manifest.dropped:,} rejected"
    if manifest.dropped:
        sentence += f", {manifest.dropped:,} dropped on purpose"
    if manifest.changes:
        sentence += f", {counted(manifest.changes, 'change')}"
    return sentence
