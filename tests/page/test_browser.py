"""The page in a real browser, driven by Node's test runner: tests/page/browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from stages import Migration
from tests.support.command_line import ROOT

TESTS = "tests/page/browser/page.test.ts"


def test_the_page_in_a_browser(moved: Migration, small_page: Migration, tmp_path: Path) -> None:
    """Made-up pages with every state, and real ones: for the twelve tables, and for some people."""
    pages = {}
    with ExitStack() as running:
        for name, migration in {"twelve tables": moved, "people": small_page}.items():
            file = tmp_path / f"{name}.html"
            migration.write_page(file, with_values=True)
            pages[f"{name}, as a file"] = file.as_uri()
            pages[f"{name}, live"] = running.enter_context(migration.page_server()).address
        done = subprocess.run(
            ["node", "--import", "tsx", "--test", TESTS],
            cwd=ROOT,
            env={**os.environ, "STAGES_PAGES": json.dumps(pages), "PYTHON": sys.executable},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
