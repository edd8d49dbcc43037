"""Calls on an open project that show it as a page: its data, a file, a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stages.inspection import Inspection

if TYPE_CHECKING:
    from stages.page.file import PageFile
    from stages.page.model import Page
    from stages.page.server import PageServer


class PageCalls(Inspection):
    """The calls of Migration that make a page."""

    def page(self, *, values: bool = False) -> Page:
        """Everything that the page shows, from the files alone, even while another command runs.

        Without `values` it holds keys, rules and counts, but no value of a row.
        """
        from stages.page.build import build_page
        from stages.page.live import asked_of

        with self._errors("ui"):
            return build_page(asked_of(self, values=values, live=False))

    def write_page(self, file: str | Path, *, with_values: bool = False) -> PageFile:
        """Write the page as one file that needs no network and no server, private to its owner.

        If it would be larger than 3 MB, it is written with fewer rows; the result says how many.
        Raises UserError if the folder is missing, or the file exists and is not such a page.
        """
        from stages.page.file import write_page
        from stages.page.live import asked_of

        path = Path(file).expanduser().absolute()
        with self._errors("report"):
            return write_page(path, asked_of(self, values=with_values, live=False))

    def page_server(self, *, port: int = 0) -> PageServer:
        """A server for the page on 127.0.0.1, for those who have its token; port 0 means any free
        one. It shows values of rows. Use it in a `with` statement, which starts and stops it.

        It only reads: files, and from Convex one document on request. Raises UserError if the port
        is taken.
        """
        from stages.page.live import LivePage
        from stages.page.server import PageServer

        with self._errors("ui"):
            self.workspace  # noqa: B018  a project that can't be opened is refused here
            return PageServer(LivePage(self.reopened), port)
