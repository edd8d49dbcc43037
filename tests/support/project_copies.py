"""A copy of the shipped project, for tests that edit its plan, models or reports."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

from tests.support.command_line import ROOT, Stages


def copy_planning(folder: Path) -> None:
    """A copy of the shipped plan and models, without reports, not even half-written ones."""
    reports = shutil.ignore_patterns("*data-migration-report*", "*SUMMARY*")
    shutil.copytree(ROOT / ".planning", folder / ".planning", ignore=reports)


def copy_project(folder: Path) -> Path:
    """A copy with plan and models to edit, without reports; convex/ and the sample are linked.

    STAGES_SANDBOX is set in tests, so a copy uses the tests' shared sandbox.
    """
    copy_planning(folder)
    (folder / "convex").symlink_to(ROOT / "convex")
    (folder / "data").mkdir()
    (folder / "data" / "sandbox").symlink_to(ROOT / "data" / "sandbox")
    return folder


def copy_data(extracted: Path, folder: Path) -> Path:
    """Copy extracted and transformed data, as a starting point."""
    shutil.copytree(extracted, folder)
    return folder


def edit(file: Path, old: str, new: str) -> None:
    """Replace text that occurs exactly once; fail otherwise."""
    text = file.read_text("utf-8")
    assert text.count(old) == 1, f"{file} has {text.count(old)} times: {old}"
    file.write_text(text.replace(old, new), "utf-8")


def edit_plan(project: Path, old: str, new: str) -> None:
    edit(project / ".planning" / "migrations" / "plan.toml", old, new)


def edit_model(project: Path, name: str, old: str, new: str) -> None:
    edit(project / ".planning" / "migrations" / "models" / f"{name}.sql", old, new)


@functools.cache
def loaded_once(extracted: Path) -> Stages:
    """Everything done once per session, in its own deployment; read-only."""
    folder = extracted.parent / "loaded"
    stages = Stages(
        copy_data(extracted, folder / "data"), "sandbox-loaded", copy_project(folder / "project")
    )
    for stage in ("extract", "transform", "load", "verify"):
        stages.run(stage)
    return stages
