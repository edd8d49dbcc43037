"""The tables of rules and kinds in docs/how-to/assess.md, generated from the code.

`make docs` rewrites them; a test compares.
"""

from __future__ import annotations

from stages.assess.rebuild import ALL_KINDS, EXTENSIONS
from stages.assess.risks import RULES
from tests.support.command_line import ROOT

PAGE = ROOT / "docs" / "how-to" / "assess.md"


def rules() -> str:
    """One line per rule, the most serious first."""
    lines = ["| rule | verdict | what, and what may be done |", "|---|---|---|"]
    for name, rule in RULES.items():
        lines.append(f"| `{name}` | {rule.verdict or '-'} | {rule.short}: {rule.advice} |")
    return "\n".join(lines) + "\n"


def kinds() -> str:
    """One line per kind, in the order in which they are printed."""
    lines = ["| kind | verdict of its tables | in Convex |", "|---|---|---|"]
    extensions = "; ".join(f"{name}: {instead}" for name, instead in EXTENSIONS.items())
    for name, kind in ALL_KINDS.items():
        counterpart = kind.counterpart or f"{extensions}; others: none."
        lines.append(f"| {kind.heading} (`{name}`) | {kind.verdict or '-'} | {counterpart} |")
    return "\n".join(lines) + "\n"


def filled(page: str) -> str:
    """The page with the current tables."""
    for name, text in (("rules", rules()), ("kinds", kinds())):
        begin, end = f"<!-- {name}: made by `make docs` -->\n", f"<!-- end of the {name} -->\n"
        start, stop = page.index(begin) + len(begin), page.index(end)
        page = f"{page[:start]}\n{text}\n{page[stop:]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
