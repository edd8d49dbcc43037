"""docs/reference/rules.md: every rule of stages/rules.py, under its own heading.

`make docs` rewrites it; a test compares.
"""

from __future__ import annotations

import textwrap

from stages.rules import Rule
from tests.support.command_line import ROOT

PAGE = ROOT / "docs" / "reference" / "rules.md"
PARTS = {
    "reject": (
        "Rejects",
        "A row that becomes no document, with field, rule and reason. `stages rejects` lists them, "
        "`stages rejects --rule NAME` those of one rule.",
    ),
    "change": (
        "Changes",
        "A value that differs from the source in a document, with old and new: "
        '`stages sql "from changes"`.',
    ),
    "failure": ("Failures", "A whole table; `stages status` and `stages rejects` name it."),
}


def page() -> str:
    """The whole page."""
    lines = [
        "# Rules",
        "",
        "Every rule by which stages rejects a row or changes a value, as staged files, "
        "`stages rejects` and the",
        "report name it. `make docs` makes this page from `stages/rules.py`.",
        "",
    ]
    for kind, (title, words) in PARTS.items():
        lines += [f"## {title}", "", wrap(words), ""]
        for rule in Rule:
            if rule.kind == kind:
                lines += [f"### {rule}", "", *about(rule), ""]
    return "\n".join(lines[:-1]) + "\n"


def about(rule: Rule) -> list[str]:
    """What a rule means, its cause, where to fix it, and which stage finds it."""
    facts = {
        "Cause": rule.cause,
        "Fix": rule.where_to_fix_any(),
        "Found by": rule.stage,
    }
    listed = [wrap(f"- {name}: {fact}.", "  ") for name, fact in facts.items()]
    return [wrap(f"{capital(rule.meaning)}."), "", *listed]


def capital(words: str) -> str:
    return words[0].upper() + words[1:]


def wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
