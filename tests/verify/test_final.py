"""verify --final: nothing that others may use is left, as the deployment says and as it answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stages import sandbox
from tests.faults.support import SECRET, host
from tests.support.command_line import ROOT, Stages
from tests.support.project_copies import copy_project


def findings(
    folder: Path, state: sandbox.State, convex: Path, secret: str | None, code: int
) -> dict[str, tuple[bool, str]]:
    with host(folder / "host", state, convex, secret) as deployment:
        stages = Stages(
            folder / "data", "default", copy_project(folder / "project"), deployment.settings()
        )
        done = stages.run("verify", "--final", code=code)
        told = stages.run("verify", "--final", "--json", code=code)
        assert len(done.stdout.splitlines()) >= 4 and "visitors" in told.stdout
        assert not (folder / "data").exists(), "it needs no staged files, and makes none"
    return {
        line[6:].split(":")[0]: (line.startswith("ok"), line[6:].partition(": ")[2])
        for line in done.stdout.splitlines()
        if line[:5] in ("ok   ", "WRONG")
    }


@pytest.mark.parametrize("secret", [SECRET, None])
def test_a_secret_that_is_left_is_wrong(
    supabase: sandbox.State, tmp_path: Path, secret: str | None
) -> None:
    results = findings(tmp_path, supabase, ROOT / "convex", secret, 1 if secret else 0)
    assert results["visitors"] == (True, "can call none of the functions")
    assert results["functions"] == (
        True, "19 of migrate.ts are still there, for the deploy key only",
    )  # fmt: skip
    if secret:
        assert results["secret"] == (False, "MIGRATION_SECRET is still set")
        assert results["HTTP action"][0] is False
    else:
        assert results["secret"] == (True, "not set")
        assert results["HTTP action"] == (True, "served, but closed")


def own_copy(folder: Path) -> Path:
    shutil.copytree(ROOT / "convex", folder / "host" / "convex")
    (folder / "host" / "node_modules").symlink_to(ROOT / "node_modules")
    return folder / "host" / "convex"


def test_a_public_function_is_wrong(supabase: sandbox.State, tmp_path: Path) -> None:
    convex = own_copy(tmp_path)
    migrate = convex / "migrate.ts"
    text = migrate.read_text("utf-8").replace("internalQuery(pageReader)", "query(pageReader)")
    migrate.write_text(text.replace("  internalQuery,\n", "  internalQuery,\n  query,\n"), "utf-8")
    results = findings(tmp_path, supabase, convex, None, 1)
    assert results["visitors"] == (False, "migrate:readPage answer without a key")
    assert results["functions"] == (False, "anyone can call migrate:readPage")
    assert results["secret"][0] and results["HTTP action"][0]


def test_nothing_is_left(supabase: sandbox.State, tmp_path: Path) -> None:
    convex = own_copy(tmp_path)
    for name in ("http", "migrate"):
        (convex / f"{name}.ts").unlink()
    results = findings(tmp_path, supabase, convex, None, 0)
    assert results == {
        "visitors": (True, "can call none of the functions"),
        "HTTP action": (True, "not served"),
        "functions": (True, "none is left"),
        "secret": (True, "not set"),
    }


def test_it_is_asked_alone(supabase: sandbox.State, tmp_path: Path) -> None:
    done = Stages(tmp_path / "data").run("verify", "--final", "--sample", "3", code=2)
    assert "run it alone: stages verify --final" in done.stderr
