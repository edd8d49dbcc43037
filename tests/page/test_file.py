"""The page as one file: complete, small, private, and without values unless requested."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from stages import Migration, UserError
from stages.page import file as page_file
from stages.page.html import page_json
from tests.page.support import CHANGED, MARKUP, REJECTED, SCRIPT
from tests.page.test_rows import many
from tests.support.command_line import Stages
from tests.support.tiny_project import Small


class Elements(HTMLParser):
    """The elements of a page: name, attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = [("", {}, "")]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(("", {}, ""))

    def handle_data(self, data: str) -> None:
        tag, attributes, text = self.found[-1]
        self.found[-1] = (tag, attributes, text + data)


def data_of(text: str) -> Any:
    """The JSON in a page."""
    found = Elements(text).found
    (data,) = (each for tag, attributes, each in found if attributes.get("id") == "page-data")
    return json.loads(data)


@pytest.mark.usefixtures("assets")
def test_a_file_without_values(small_page: Migration, tmp_path: Path) -> None:
    written = small_page.write_page(tmp_path / "page.html")
    text = written.file.read_text("utf-8")
    assert REJECTED not in text and CHANGED not in text and "unnamed'" in text  # in the model
    page = data_of(text)
    assert (page["values"], page["live"]) == (False, False)
    assert [row["source_id"] for row in page["rejects"]] == ["p2", "y"]
    assert written.file.stat().st_mode & 0o777 == 0o600
    assert (written.bytes, written.values) == (len(text.encode()), False)
    assert str(small_page.project) not in text


@pytest.mark.usefixtures("assets")
def test_a_file_with_values_holds_markup_as_text(small: Small, tmp_path: Path) -> None:
    migration = many(small, 2, text=MARKUP)
    text = migration.write_page(tmp_path / "page.html", with_values=True).file.read_text("utf-8")
    assert (
        MARKUP not in text and "alert(1)" in text and text.count("\u2028") == SCRIPT.count("\u2028")
    )
    assert any(MARKUP in row["reason"] for row in data_of(text)["rejects"])
    names = [tag for tag, _, _ in Elements(text).found]
    assert names.count("script") == 2 and names.count("style") == 1


@pytest.mark.usefixtures("assets")
def test_nothing_but_its_own_may_run_and_nothing_is_fetched(
    small_page: Migration, tmp_path: Path
) -> None:
    import base64
    import hashlib

    text = small_page.write_page(tmp_path / "page.html").file.read_text("utf-8")
    found = Elements(text).found
    (policy,) = (a["content"] for t, a, _ in found if a.get("http-equiv"))
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    assert "connect-src" not in rules
    (script,) = (each for tag, attributes, each in found if attributes.get("type") == "module")
    (style,) = (each for tag, _, each in found if tag == "style")
    for name, content in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"
    attributes = [(name, value) for _, a, _ in found for name, value in a.items()]
    assert [each for each in attributes if each[0] in ("src", "srcset", "action")] == []
    assert [value for name, value in attributes if name == "href"] == ["data:,"]


@pytest.mark.usefixtures("assets")
def test_it_is_cut_to_a_size_and_says_so(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = many(small, 1000)
    monkeypatch.setattr(page_file, "MOST_BYTES", 30_000)
    written = migration.write_page(tmp_path / "page.html", with_values=True)
    assert written.bytes <= 30_000 and written.fewer_rows
    page = data_of(written.file.read_text("utf-8"))
    assert page["rows_of_group"] == written.rows_of_group == len(page["rejects"])
    assert sum(group["rows"] for group in page["reject_groups"]) == 1000


@pytest.mark.usefixtures("assets")
def test_it_is_written_again_over_itself_and_over_nothing_else(
    small_page: Migration, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    small_page.write_page(file)
    small_page.write_page(file, with_values=True)
    assert data_of(file.read_text("utf-8"))["values"] is True
    other = tmp_path / "notes.html"
    other.write_text("<!doctype html><p>mine", "utf-8")
    with pytest.raises(UserError, match="was not written by stages"):
        small_page.write_page(other)
    assert other.read_text("utf-8").endswith("mine")
    with pytest.raises(UserError, match="does not exist") as error:
        small_page.write_page(tmp_path / "a b" / "page.html")
    assert error.value.hint == f"make it with: mkdir -p '{tmp_path}/a b'"
    with pytest.raises(UserError, match="is a folder"):
        small_page.write_page(tmp_path)


def test_a_page_that_is_not_built(assets: Path, small_page: Migration, tmp_path: Path) -> None:
    (assets / "page.css").unlink()
    with pytest.raises(UserError, match=r"not built: .*page\.css is missing") as error:
        small_page.write_page(tmp_path / "page.html")
    assert error.value.hint == "build it in the checkout of stages with: make setup"


@pytest.mark.usefixtures("assets")
def test_the_twelve_tables_in_one_small_file(moved: Migration, tmp_path: Path) -> None:
    written = moved.write_page(tmp_path / "page.html", with_values=True)
    assert written.bytes < 1_000_000 and not written.fewer_rows
    page = data_of(written.file.read_text("utf-8"))
    assert page["next"].startswith("nothing") and "--data" not in page["next"]


def test_no_text_ends_the_data(moved: Migration) -> None:
    text = page_json(moved.page(values=True))
    assert not re.search("[<>&\u2028\u2029]", text)


def test_options_that_mean_nothing(extracted: Path, tmp_path: Path) -> None:
    stages = Stages(extracted)
    assert "--with-values is for --html" in stages.run("report", "--with-values", code=2).stderr
    page = str(tmp_path / "page.html")
    assert "--replace is for" in stages.run("report", "--replace", "--html", page, code=2).stderr
