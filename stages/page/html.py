"""The HTML of the page: one template for the live page and for the file."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stages.errors import UserError
from stages.page.model import Page

SCRIPT, STYLE = "page.js", "page.css"
# How every file that `report --html` writes begins.
HEAD = '<!doctype html>\n<html lang="en" data-made-by="stages">\n'
# Characters in the JSON that could end the element around it, or a line of script.
ESCAPED = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
ESCAPES = re.compile("|".join(ESCAPED))


@dataclass(frozen=True, kw_only=True)
class Assets:
    """The page's script and style, as they appear in the HTML."""

    script: str
    style: str


def assets_folder() -> Path:
    """The folder of the built page."""
    return Path(__file__).with_name("assets")


def read_assets() -> Assets:
    """The built page. Raises UserError if it is not built, as in a new checkout."""
    folder = assets_folder()
    try:
        script, style = ((folder / name).read_text("utf-8") for name in (SCRIPT, STYLE))
    except FileNotFoundError as error:
        raise UserError(
            f"the page is not built: {error.filename} is missing",
            "build it in the checkout of stages with: make setup",
        ) from None
    return Assets(
        script=_inside(script, "script"),
        style=_inside(style, "style"),
    )


def _inside(text: str, element: str) -> str:
    """The text, escaped so that it can't end its own element; strings in it mean the same."""
    return re.sub(f"</(?={element})", r"<\\/", text, flags=re.IGNORECASE)


def policy(assets: Assets, *, live: bool) -> str:
    """The Content-Security-Policy: only the page's own script and style, data: images, and for the
    live page its own server."""
    connect = "connect-src 'self'; " if live else ""
    return (
        f"default-src 'none'; script-src {_hash(assets.script)}; style-src {_hash(assets.style)}; "
        f"img-src data:; {connect}base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def page_json(page: Page) -> str:
    """The page as JSON that can stand in HTML."""
    return ESCAPES.sub(lambda match: ESCAPED[match[0]], msgspec.json.encode(page).decode())


def page_html(page: Page, assets: Assets) -> str:
    """The whole page, with its data."""
    allowed = html.escape(policy(assets, live=page.live))
    return (
        f'{HEAD}<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}">\n'
        '<meta name="referrer" content="no-referrer">\n<link rel="icon" href="data:,">\n'
        f"<title>{html.escape(page.plan)}: stages</title>\n"
        f"<style>{assets.style}</style>\n</head>\n<body>\n"
        '<div id="app"></div>\n'
        "<noscript>This page needs JavaScript. Without it, see: stages status, stages rejects, "
        "stages report.</noscript>\n"
        f'<script id="page-data" type="application/json">{page_json(page)}</script>\n'
        f'<script type="module">{assets.script}</script>\n</body>\n</html>\n'
    )
