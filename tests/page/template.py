"""The HTML that stages writes around a page's data, for pages that a test in the browser makes up.

`python -m tests.page.template` prints it as JSON, live and as a file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from stages.page.html import page_html, read_assets


@dataclass
class Empty:
    """What the template itself takes of a page."""

    live: bool
    plan: str = "made up"


def templates() -> dict[str, str]:
    """`live` and `file` → HTML whose data is to be replaced."""
    assets = read_assets()
    pages = {"live": Empty(live=True), "file": Empty(live=False)}
    return {name: page_html(cast("Any", page), assets) for name, page in pages.items()}


if __name__ == "__main__":
    print(json.dumps(templates()))  # noqa: T201
