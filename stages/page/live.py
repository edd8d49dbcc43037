"""What the live page asks for: the page itself, more rows, everything about one row."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from stages.inspection import Inspection
from stages.page.build import Asked, Memo, build_page
from stages.page.model import ROWS_OF_GROUP, Page
from stages.page.rows import Wanted, change_page, reject_page
from stages.page.setting_names import settings_found
from stages.report.build import own_commands


def asked_of(project: Inspection, *, values: bool, live: bool, memo: Memo | None = None) -> Asked:
    """What a page of an open project is made from. Commands in a file name no folder of this
    machine."""
    workspace = project.workspace
    found = settings_found(
        project.plan, project.target, project.environment, given=not project.reads_file
    )
    return Asked(
        workspace=workspace,
        plan=project.plan,
        settings=found,
        complete=project.hint if live else own_commands(workspace).complete,
        values=values,
        live=live,
        most=ROWS_OF_GROUP,
        memo=memo or Memo(),
    )


class LivePage:
    """A project that is read repeatedly: plan and settings are read again each time."""

    def __init__(self, reopen: Callable[[], Inspection]) -> None:
        self._reopen = reopen
        self._memo = Memo()
        # One at a time: slow work is done once, and memory is not used twice.
        self._making, self._looking = threading.Lock(), threading.Lock()

    def page(self) -> Page:
        """The page as it is now, with values."""
        with self._making:
            asked = asked_of(self._reopen(), values=True, live=True, memo=self._memo)
            return build_page(asked)

    def rejects(self, wanted: Wanted) -> dict[str, Any]:
        """How many rejects match, and a page of them."""
        project = self._reopen()
        with self._looking:
            total, rows = reject_page(project.workspace, project.plan, wanted)
        return {"total": total, "rows": rows}

    def changes(self, wanted: Wanted) -> dict[str, Any]:
        """The same for changes."""
        project = self._reopen()
        with self._looking:
            total, rows = change_page(project.workspace, project.plan, wanted)
        return {"total": total, "rows": rows}

    def row(self, table: str, key: str, *, convex: bool) -> dict[str, Any]:
        """What `stages show` knows about a row. Raises UserError if there is none."""
        return self._reopen().show(table, key, convex=convex).to_json()

    def hint(self, text: str) -> str:
        """The text, with its commands completed."""
        return self._reopen().hint(text)


def page_tag(page: Page) -> str:
    """The page's ETag, equal for pages that differ only in the time at which they were made."""
    same = msgspec.structs.replace(page, made="")
    return f'"{hashlib.sha256(msgspec.json.encode(same)).hexdigest()[:32]}"'
