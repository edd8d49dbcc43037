"""Migrate a copy of one of the projects next to this file, and read its documents back.

`finished/` has only the files that a user edited after `stages init`; they replace init's.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from stages import sandbox
from stages.convex.client import Deployment
from stages.project.settings import sandbox_target
from tests.init.support import MIGRATIONS
from tests.support.command_line import ROOT, Stages
from tests.support.sandboxes import sandbox_at

HERE = Path(__file__).parent
# Options that a user gives to init if the names alone are not enough.
OPTIONS = {
    "shop": (),
    "site": (),
    "app": (
        "--schema", "public", "--schema", "storage", "--rename", "objects=files",
        "--rename", "objects.bucket_id=files.bucket", "--rename", "objects.name=files.path",
        "--rename", "objects.created_at=files.uploadedAt",
    ),
}  # fmt: skip
Document = dict[str, Any]


def copy_project(name: str, folder: Path) -> Path:
    """Copy the project as it is before stages is used."""
    shutil.copytree(HERE / name, folder, ignore=shutil.ignore_patterns("finished"))
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return folder


def finish(name: str, project: Path) -> str:
    """Replace init's files by the edited ones; returns the diff, without comments."""
    lines: list[str] = []
    for file in sorted(f for f in (HERE / name / "finished").rglob("*") if f.is_file()):
        path = file.relative_to(HERE / name / "finished").as_posix()
        written = project / MIGRATIONS / path
        before = written.read_text("utf-8") if written.exists() else ""
        after = file.read_text("utf-8")
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(after, "utf-8")
        lines += unified_diff(
            _bare(before).splitlines(keepends=True), _bare(after).splitlines(keepends=True),
            path, path, n=2 if path.endswith(".toml") else 0,
        )  # fmt: skip
    return "".join(line for line in lines if not line.startswith(("@@", "---")))


def _bare(text: str) -> str:
    return re.sub(r"^ *(--|#) .*\n", "", text, flags=re.MULTILINE)


@dataclass(frozen=True)
class Moved:
    """A project whose documents are in Convex."""

    stages: Stages
    sandbox: Path

    def counts(self, what: str) -> dict[str, int]:
        """Table → a count such as `documents` or `verified`, from the last run."""
        if what in ("documents", "rejects", "changes"):
            folder = self.stages.target_folder / "transform"
            names = [each.name for each in folder.iterdir() if not each.name.startswith("_")]
            return {name: self.stages.manifest("transform", name)[what] for name in names}
        return {name: counts[what] for name, counts in self.stages.manifest("verify").items()}

    def rejects(self) -> dict[str, tuple[str, str]]:
        """Rejects: `table:key` → (field, rule)."""
        rows = self.stages.sql('SELECT "table", source_id, field, rule FROM rejects')
        return {f"{r['table']}:{r['source_id']}": (r["field"], r["rule"]) for r in rows}

    def changes(self) -> set[tuple[str, str, str]]:
        """Changes: (`table:key`, field, rule)."""
        rows = self.stages.sql('SELECT "table", source_id, field, rule FROM changes')
        return {(f"{r['table']}:{r['source_id']}", r["field"], r["rule"]) for r in rows}

    def read_back(self) -> dict[str, Document]:
        """`table:key` → the document from Convex, with ids replaced by `table:key`."""
        ids: dict[str, str] = {}
        for file in sorted((self.stages.target_folder / "load").glob("*/ids.parquet")):
            for row in pq.read_table(file).to_pylist():
                ids[row["convex_id"]] = f"{file.parent.name}:{row['source_id']}"
        documents = {}
        with deployment(self) as convex:
            for table in self.counts("documents"):
                page = convex.query(
                    "stages:readPage", {"table": table, "cursor": None, "numItems": 100}
                )
                for document in page["page"]:
                    text = json.dumps(document)
                    for convex_id, name in ids.items():
                        text = text.replace(json.dumps(convex_id), json.dumps(name))
                    content = json.loads(text)
                    documents[content.pop("_id")] = content
        return documents


@contextmanager
def deployment(moved: Moved) -> Iterator[Deployment]:
    """The sandbox's deployment for the target."""
    with sandbox_at(moved.sandbox):
        state = sandbox.status(moved.stages.project)
    assert state
    name = moved.stages.target
    with Deployment(sandbox_target(name, state.deployments[name])) as convex:
        yield convex
