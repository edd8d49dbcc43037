"""`stages load` without the command line: `python -m tests.bench.children_load CONFIG`.

CONFIG: {folder, url, checkpoint, batch}. Without `checkpoint` no ack is written down; `batch` is
the most documents of one. Writes the moment in which the work began beside CONFIG.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from stages.convex.schema import Schema
from stages.load import run
from stages.progress import Silent
from stages.project.plan_reader import load_plan
from stages.project.settings import Secret, Target
from stages.state.durable import read_json
from stages.state.journal import Journal
from stages.state.lock import data_lock
from stages.state.workspace import Workspace


def paths_of(folder: Path) -> Workspace:
    return Workspace(project=folder / "project", data=folder / "data", target="bench")


def main(file: Path) -> None:
    config: dict[str, Any] = json.loads(file.read_text("utf-8"))
    workspace = paths_of(Path(config["folder"]))
    target = Target(
        name="bench", deployment="sink", url=config["url"], site_url=None,
        admin_key=Secret("sink|0"), secret=None,
    )  # fmt: skip
    if not config["checkpoint"]:
        Journal.write = lambda self, text: None  # type: ignore[method-assign]
    if config["batch"]:
        run.MOST_DOCUMENTS = config["batch"]  # type: ignore[attr-defined]
    exported = (read_json(workspace.schema) or {})["exported"]
    file.with_suffix(".began").write_text(str(time.time()))
    with data_lock(workspace):
        result = run.load(
            workspace,
            load_plan(workspace.plan),
            Schema(exported),
            target,
            run.LoadOptions(),
            Silent(),
        )
    if result.failed:
        sys.exit(f"failed: {result.failed}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
