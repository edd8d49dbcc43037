"""A project with a plan, staged tables, and a deployment with its functions."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages.convex.client import Deployment
from stages.convex.schema import load_schema
from stages.convex.values import shapes
from stages.init.typescript import loading_functions
from stages.load import run
from stages.load.run import LoadOptions, LoadResult
from stages.progress import Silent
from stages.project.freshness import staged_inputs
from stages.project.plan import Plan
from stages.project.plan_reader import load_plan
from stages.project.settings import Target
from stages.state.lock import data_lock
from stages.state.manifests import TransformManifest, write_manifest
from stages.state.parts import write_parquet
from stages.state.workspace import Workspace
from tests.faults.support import KEY, Host
from tests.support.command_line import ROOT

HERE = Path(__file__).resolve().parent
TABLES = ("teams", "people", "pets")
REFERENCES = {"lead": "people", "manager": "people", "team": "teams", "owner": "people"}
Row = Mapping[str, Any]


class Notes(Silent):
    """Keeps the messages of a run."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def note(self, text: str) -> None:
        self.messages.append(text)

    def done(self, stage: str, table: str, result: str, **facts: Any) -> None:
        self.messages.append(f"{table}: {result}")


def make_convex(folder: Path) -> Path:
    """convex/ of such a project: our modules, beside a schema and functions of its own."""
    convex = folder / "convex"
    shutil.copytree(ROOT / "convex", convex)
    (convex / "http.ts").unlink()
    for name in ("schema.ts", "app.ts"):
        shutil.copy(HERE / name, convex / name)
    (convex / "migrate.ts").write_text(loading_functions(("teams", "people", "pets"), ()), "utf-8")
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return convex


@dataclass
class Project:
    """One data folder before a deployment; `address` may be that of a proxy."""

    folder: Path
    host: Host
    data: str = "data"
    address: str = ""
    key: str = KEY
    notes: Notes = field(default_factory=Notes)

    @property
    def workspace(self) -> Workspace:
        return Workspace(project=self.folder, data=self.folder / self.data, target="default")

    @property
    def plan(self) -> Plan:
        if not self.workspace.plan.exists():
            self.workspace.plan.parent.mkdir(parents=True)
            self.workspace.plan.write_text(
                "".join(f"[sources.{t}]\n[tables.{t}]\nsource = '{t}'\n" for t in TABLES)
            )
        return load_plan(self.workspace.plan)

    @property
    def target(self) -> Target:
        return self.host.target(self.address, self.key)

    def stage(self, table: str, rows: Mapping[str, Row], rejects: Sequence[str] = ()) -> None:
        """Write what transform would have: references as `table:key`, by source key."""
        schema = load_schema(self.workspace)
        fields = shapes(table, schema.fields(table))
        columns: dict[str, list[Any]] = {"_source_id": sorted(rows)}
        for name in fields:
            values = [rows[key].get(name) for key in columns["_source_id"]]
            if name in REFERENCES:
                values = [v if v is None else f"{REFERENCES[name]}:{v}" for v in values]
            columns[name] = values
        table_rows = pa.table({n: pa.array(v, pa.string()) for n, v in columns.items()})
        folder = self.workspace.transform(table)
        part = write_parquet(
            folder / "documents.parquet", table_rows.schema, table_rows.to_batches()
        )
        refused = pa.table(
            {"source_id": pa.array(list(rejects), pa.string())}
            | {n: pa.array(["x"] * len(rejects), pa.string()) for n in ("field", "rule", "reason")}
        )
        write_parquet(folder / "rejects.parquet", refused.schema, refused.to_batches())
        write_manifest(
            folder,
            TransformManifest(
                table=table,
                source=table,
                status="complete",
                made_from="",
                documents=len(rows),
                rejects=len(rejects),
                changes=0,
                source_rows=len(rows),
                parts=[part],
                inputs=staged_inputs(self.workspace, self.plan, self.plan.tables[table]),
            ),
        )

    def load(self, *tables: str, **options: Any) -> LoadResult:
        """A load in this process, of all tables that are staged."""
        self.notes.messages.clear()
        staged = tables or tuple(t for t in TABLES if self.workspace.transform(t).exists())
        with data_lock(self.workspace):
            return run.load(
                self.workspace,
                self.plan,
                load_schema(self.workspace),
                self.target,
                LoadOptions(tables=staged, **options),
                self.notes,
            )

    def messages(self) -> str:
        return "\n".join(self.notes.messages)

    def keys(self, table: str, name: str) -> list[str]:
        """Source keys of a file such as conflicts.parquet; none where there is none."""
        file = self.workspace.load(table) / f"{name}.parquet"
        return list(pq.read_table(file)["source_id"].to_pylist()) if file.exists() else []

    # ── what is in Convex ───────────────────────────────────────────────────────────────────

    def ledger(self, table: str) -> dict[str, dict[str, Any]]:
        rows = [row for row in self.host.pages("migrationLedger") if row["table"] == table]
        by_key = {row["sourceId"]: row for row in rows}
        assert len(by_key) == len(rows), "a source key has two rows"
        return by_key

    def documents(self, table: str) -> dict[str, dict[str, Any]]:
        """Source key → document, with source keys for ids; every document has its one owner."""
        keys = {row["documentId"]: key for name in TABLES for key, row in self.ledger(name).items()}
        pages = self.host.pages(table)
        assert len({keys[d["_id"]] for d in pages}) == len(pages)
        return {
            keys[d["_id"]]: {
                name: keys.get(value, f"gone {value}") if name in REFERENCES else value
                for name, value in d.items()
                if not name.startswith("_")
            }
            for d in pages
        }

    def mutate(self, function: str, args: dict[str, Any]) -> Any:
        with Deployment(self.target) as deployment:
            return deployment.mutation(function, args)

    def add(self, table: str, documents: Sequence[Row]) -> list[str]:
        """Insert documents as another program would; their ids."""
        ids: list[str] = self.mutate("app:add", {"table": table, "documents": list(documents)})
        return ids

    def change(self, table: str, key: str, **fields: Any) -> None:
        """Change a document as the application would."""
        document = self.ledger(table)[key]["documentId"]
        self.mutate("app:patch", {"documentId": document, "fields": fields})

    def delete(self, table: str, key: str) -> None:
        """Delete a document as the application would; its ledger row stays."""
        self.mutate("app:drop", {"documentId": self.ledger(table)[key]["documentId"]})
