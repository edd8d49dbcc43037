"""docs/explanation/real-servers.md: every check of a probe, and what real servers have shown.

`make docs` rewrites the list; a test compares.
"""

from __future__ import annotations

import re
from itertools import groupby

from stages.probe.run import all_checks
from tests.docs.rules_page import wrap
from tests.support.command_line import ROOT

PAGE = ROOT / "docs" / "explanation" / "real-servers.md"
LISTED = re.compile(r"(?<=<!-- checks -->\n).*?(?=<!-- end -->)", re.DOTALL)


def page() -> str:
    """The page with the current checks."""
    lines = []
    for section, checks in groupby(all_checks(), key=lambda check: check.section):
        lines += [f"\n### {section}\n"]
        lines += [wrap(f"- `{check.name}`: {check.expected}", "  ") for check in checks]
    return LISTED.sub(lambda _: "\n".join(lines) + "\n\n", PAGE.read_text("utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
