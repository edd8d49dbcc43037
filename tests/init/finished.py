"""The shipped models beside those that init writes for their source: the diff on the page of init.

`make docs` writes it anew; a test compares.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from difflib import unified_diff
from pathlib import Path

from stages import sandbox
from stages.init.options import InitOptions
from stages.init.run import init
from stages.progress import Silent
from stages.project.settings import Secret, Source

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "init.md"
BEGIN, END = "<!-- diff: made by `make docs` -->\n", "<!-- end of the diff -->\n"
REFERENCES = ("workspaces", "contacts", "ariConversations")


def diff(state: sandbox.State, folder: Path) -> str:
    """A unified diff without context: less the comments of init, which the choices answer."""
    (folder / "convex").mkdir(parents=True)
    for name in ("schema.ts", "stagesTables.ts"):
        shutil.copy(ROOT / "convex" / name, folder / "convex")
    supabase = state.source
    source = Source(ref=supabase.ref, url=None, key=None, db_url=Secret(supabase.db_url))
    init(folder, source, InitOptions(references=REFERENCES), Silent())
    lines: list[str] = []
    for file in sorted((ROOT / ".planning" / "migrations" / "models").glob("*.sql")):
        written = folder / ".planning" / "migrations" / "models" / file.name
        one = re.sub(r"^ *-- .*\n", "", written.read_text("utf-8"), flags=re.MULTILINE)
        two = file.read_text("utf-8")
        name = f"models/{file.name}"
        lines += unified_diff(
            one.splitlines(keepends=True), two.splitlines(keepends=True), name, name, n=0
        )
    return "".join(line for line in lines if not line.startswith(("@@", "---")))


def section(text: str) -> str:
    """The page with this diff in it."""
    page = PAGE.read_text("utf-8")
    before, after = page.index(BEGIN) + len(BEGIN), page.index(END)
    return f"{page[:before]}\n```diff\n{text}```\n\n{page[after:]}"


def main() -> None:
    state = sandbox.up(ROOT, [])
    folder = Path(tempfile.mkdtemp(prefix="stages-docs-"))
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    try:
        PAGE.write_text(section(diff(state, folder / "project")), "utf-8")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
