"""What git leaves out by the lines that init writes, or says to add: asked of git itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stages.init.git_ignore import missing_lines, text

OUT = ("data/stages.duckdb", "data/extract/posts/manifest.json", "data/sandbox/dump.sql",
       ".env.local")  # fmt: skip
IN = ("data/sandbox/10_schema.sql", ".planning/migrations/plan.toml", "convex/stages.ts")


def ignored(folder: Path, rules: str) -> set[str]:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".gitignore").write_text(rules)
    for name in (*OUT, *IN):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    ran = subprocess.run(
        ["git", "check-ignore", *OUT, *IN], cwd=folder, capture_output=True, text=True, check=False
    )
    return set(ran.stdout.splitlines())


@pytest.mark.parametrize(
    "existing",
    [
        "",
        "node_modules\n",
        "/data/\n.env.local\n",
        "data\n*.local\n",
        "data/*\n!data/sandbox\n",
        "/data/\n!/data/\n/data/*\n",
    ],
)
def test_samples_stay_in_and_staged_data_out(tmp_path: Path, existing: str) -> None:
    added = "".join(f"{line}\n" for line in missing_lines(existing))
    assert ignored(tmp_path, existing + added) == set(OUT)
    assert missing_lines(existing + added) == ()


def test_what_init_writes_needs_no_line_more(tmp_path: Path) -> None:
    assert ignored(tmp_path, text()) == set(OUT)
    assert missing_lines(text()) == ()
