"""docs/how-to/assess.md lists every rule and kind; tests/migrations covers its commands' output."""

from __future__ import annotations

from tests.docs.assess_page import PAGE, filled


def test_the_page_lists_the_rules_and_kinds_of_today() -> None:
    page = PAGE.read_text("utf-8")
    assert filled(page) == page, "make docs"
