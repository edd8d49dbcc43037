"""docs/how-to/rehearse.md: its commands run on the shop, with the user's own database.

`make docs` rewrites their output; a test compares.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.migrations.page import BLOCK, fill
from tests.support.command_line import ROOT

PAGE = ROOT / "docs" / "how-to" / "rehearse.md"


def page(shop: Path, db_url: str) -> str:
    """The page with the output of its commands, in a copy of the migrated shop without its data.

    `db_url` is the user's own database, here that of a sandbox; it is written to .env.local.
    """
    project = shop.with_name("rehearsed")
    ignored = shutil.ignore_patterns("data")
    shutil.copytree(shop, project, symlinks=True, ignore=ignored)
    settings = project / ".env.local"
    settings.write_text(f"SUPABASE_DB_URL={db_url}\n", "utf-8")
    settings.chmod(0o600)
    return BLOCK.sub(lambda block: fill(block, project), PAGE.read_text("utf-8"))
