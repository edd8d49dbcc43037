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
    with host(folder / "host", state, convex, secret) as found:
        stages = Stages(
            folder / "data", "default", copy_project(folder / "project"), found.settings()
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
    found = findings(tmp_path, supabase, ROOT / "convex", secret, 1 if secret else 0)
    assert found["visitors"] == (True, "can call none of the functions")
    assert found["functions"] == (
        True, "19 of migrate.ts are still there, for the deploy key only",
    )  # fmt: skip
    if secret:
        assert found["secret"] == (False, "MIGRATION_SECRET is still set")
        assert found["HTTP action"][0] is False
    else:
        assert found["secret"] == (True, "not set")
        assert found["HTTP action"] == (True, "there, and closed")


def own_copy(folder: Path) -> Path:
    shutil.copytree(ROOT / "convex", folder / "host" / "convex")
    (folder / "host" / "node_modules").symlink_to(ROOT / "node_modules")
    return folder / "host" / "convex"


def test_a_public_function_is_wrong(supabase: sandbox.State, tmp_path: Path) -> None:
    convex = own_copy(tmp_path)
    migrate = convex / "migrate.ts"
    text = migrate.read_text("utf-8").replace("internalQuery(pageReader)", "query(pageReader)")
    migrate.write_text(text.replace("  internalQuery,\n", "  internalQuery,\n  query,\n"), "utf-8")
    found = findings(tmp_path, supabase, convex, None, 1)
    assert found["visitors"] == (False, "migrate:readPage answer without a key")
    assert found["functions"] == (False, "anybody may call migrate:readPage")
    assert found["secret"][0] and found["HTTP action"][0]


def test_nothing_is_left(supabase: sandbox.State, tmp_path: Path) -> None:
    convex = own_copy(tmp_path)
    for name in ("http", "migrate"):
        (convex / f"{name}.ts").unlink()
    found = findings(tmp_path, supabase, convex, None, 0)
    assert found == {
        "visitors": (True, "can call none of the functions"),
        "HTTP action": (True, "not there"),
        "functions": (True, "none is left"),
        "secret": (True, "not set"),
    }


def test_it_is_asked_alone(supabase: sandbox.State, tmp_path: Path) -> None:
    done = Stages(tmp_path / "data").run("verify", "--final", "--sample", "3", code=2)
    assert "run it alone: stages verify --final" in done.stderr
