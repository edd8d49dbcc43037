"""Links between the pages work: the file exists, and the heading in it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, Stages

DOCS = ROOT / "docs"
# The first page of the site is README, and a list of the others.
SITE = DOCS / "site" / "index.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted({*DOCS.rglob("*.md")} - {SITE})]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
MOST_OF_README = 200


def anchors(page: Path) -> set[str]:
    """The headings of a page, as link anchors."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    found = []
    for link in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        path, _, anchor = link.partition("#")
        if re.match(r"https?:", link):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert not broken(page)


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A b\n[x](#a-b) [y](#c) [z](gone.md) `[w](code.md)`\n")
    assert broken(page) == ["#c", "gone.md"]


def test_the_site_has_every_page() -> None:
    """`make docs-site` makes it, by a generator that no test installs."""
    listed = re.findall(r"^\.\./(\S+\.md)$", SITE.read_text("utf-8"), re.MULTILINE)
    pages = [page.relative_to(DOCS).as_posix() for page in PAGES if page.is_relative_to(DOCS)]
    assert sorted(listed) == sorted(pages)


def test_every_page_is_reached_from_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = LINK.findall(CODE.sub("", page.read_text("utf-8")))
        waiting += [
            (page.parent / link.partition("#")[0]).resolve()
            for link in links
            if not re.match(r"https?:|#", link)
        ]
    assert set(PAGES) <= reached


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= MOST_OF_README


def test_what_readme_says_to_try_runs(extracted: Path) -> None:
    """Run those of the commands in `Five minutes` that only read."""
    text = (ROOT / "README.md").read_text("utf-8")
    block = text.partition("## Five minutes")[2].split("```")[1]
    lines = [line.partition(" #")[0].strip() for line in block.splitlines()]
    tried = [line for line in lines if line.startswith("stages ") and "rollback" not in line]
    assert len(tried) == 3
    for line in tried:
        words = shlex.split(line)
        assert words[:3] == ["stages", "--target", "sandbox"]
        assert Stages(extracted).run(*words[3:]).stdout
