"""docs/reference/files.md: every file and folder that stages writes, from the docstrings of
stages/state/workspace.py.

`make docs` rewrites it; a test compares.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.support.command_line import ROOT

PAGE = ROOT / "docs" / "reference" / "files.md"
SOURCE = ROOT / "stages" / "state" / "workspace.py"
HEAD = """# Files

`make docs` makes this page from `stages/state/workspace.py`. `…` is `data/targets/<target>`.

- Staged files hold production data: files are 0600, folders 0700. Nothing below `data/` is
  committed but its README and the sandbox's SQL.
- A JSON file has a `format` number: older ones are read, newer ones refused.
- `manifest.json` says what the files beside it are, what they were made from, and their hashes.
- Parquet files can be read with `stages sql`, DuckDB or any reader of Parquet, also while a stage
  is running. `stages clean` removes them.

| file or folder | holds |
|---|---|
"""


def places() -> Iterator[tuple[str, str]]:
    """(path, contents) of each documented file or folder."""
    for node in ast.walk(ast.parse(SOURCE.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef):
            words = " ".join((ast.get_docstring(node) or "").split())
            named = re.fullmatch(r"`([^`]+)`[:,] (.*)", words)
            if named:
                yield named[1], named[2].rstrip(".")


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"| `{place}` | {what} |\n" for place, what in places())


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
