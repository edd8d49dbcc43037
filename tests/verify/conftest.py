"""A deployment with an application's own functions, everything loaded to it and verified."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stages import sandbox
from stages.convex.client import Deployment
from stages.project.settings import Target
from tests.faults.support import Host, host
from tests.support.command_line import ROOT, Stages
from tests.support.project_copies import copy_project


@dataclass(frozen=True)
class Moved:
    """The command line, and the deployment as its application sees it."""

    stages: Stages
    host: Host

    @property
    def target(self) -> Target:
        return replace(self.host.target(), site_url=self.host.site_url)

    def call(self, function: str, **args: Any) -> Any:
        with Deployment(self.target) as deployment:
            return deployment.mutation(function, args)

    def insert(self, table: str, document: dict[str, Any]) -> str:
        fields = {k: v for k, v in document.items() if not k.startswith("_")}
        document_id: str = self.call("app:insert", table=table, document=fields)
        return document_id

    def edit(self, document: dict[str, Any], **fields: Any) -> None:
        self.call("app:edit", id=document["_id"], fields=fields)

    def drop(self, document_id: str) -> None:
        self.call("app:drop", id=document_id)

    def documents(self, table: str) -> dict[str, dict[str, Any]]:
        """Source key → document, by the ledger."""
        documents = {d["_id"]: d for d in self.host.pages(table)}
        return {
            row["sourceId"]: documents[row["documentId"]]
            for row in self.host.pages("migrationLedger")
            if row["table"] == table and row["documentId"] in documents
        }

    def ledger(self) -> dict[str, int]:
        """Rows of the ledger by table, without its epoch."""
        counted: dict[str, int] = {}
        for row in self.host.pages("migrationLedger"):
            if row["table"]:
                counted[row["table"]] = counted.get(row["table"], 0) + 1
        return counted

    def counts(self, table: str) -> dict[str, int]:
        """What the last verify counted, but for what is 0."""
        return {kind: n for kind, n in self.stages.manifest("verify")[table].items() if n}

    def differences(self, table: str) -> list[tuple[str, str | None, str]]:
        rows = pq.read_table(self.stages.target_folder / "verify" / f"{table}.parquet").to_pylist()
        return [(row["kind"], row["source_id"], row["fields"]) for row in rows]

    def references(self, table: str) -> dict[str, dict[str, int]]:
        text = (self.stages.target_folder / "verify" / f"{table}.json").read_text("utf-8")
        references: dict[str, dict[str, int]] = json.loads(text)["references"]
        return references

    def next(self) -> str:
        return str(self.stages.json("status")["next"])

    def documents_staged(self, table: str) -> int:
        return int(self.stages.manifest("transform", table)["documents"])


def own_functions(folder: Path) -> Path:
    """A copy of convex/ with the application's functions, which can be edited."""
    shutil.copytree(ROOT / "convex", folder / "convex")
    shutil.copy(Path(__file__).with_name("app.ts"), folder / "convex" / "app.ts")
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return folder / "convex"


@pytest.fixture(scope="session")
def deployed(supabase: sandbox.State, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    folder = tmp_path_factory.mktemp("proof")
    with host(folder / "host", supabase, own_functions(folder / "host")) as running:
        stages = Stages(
            folder / "data", "default", copy_project(folder / "project"), running.settings()
        )
        stages.run("extract")
        stages.run("transform")
        yield Moved(stages, running)


@pytest.fixture
def moved(deployed: Moved) -> Moved:
    """Everything loaded and verified, whatever the test before has taken back."""
    deployed.stages.run("load")
    if not deployed.next().startswith("nothing"):
        deployed.stages.run("verify")
    return deployed
