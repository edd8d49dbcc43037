"""The wheel moves the shop of docs/tutorial.md, in a folder that knows of no checkout."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.init.support import spread_ledger
from tests.installed.support import Installed, build, install, install_convex
from tests.migrations.support import HERE, finish
from tests.support.command_line import ROOT

PACKAGE = ROOT / "stages"
SANDBOX = ("--target", "sandbox")
DOCUMENTS = {
    "addresses": 2, "customers": 3, "brands": 2, "products": 4, "orders": 3, "orderLines": 4,
    "remarks": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that Postgres' own account may enter, and that no checkout is above."""
    folder = Path(tempfile.mkdtemp(prefix="stages-installed-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    return build("wheel", place)


@pytest.fixture(scope="module")
def installed(wheel: Path, place: Path) -> Iterator[Installed]:
    environment = install(wheel, place)
    environment.variables["STAGES_SANDBOX"] = str(place / "box")
    yield environment
    environment.run(*SANDBOX, "sandbox", "reset", cwd=place)


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("stages/")}
    # Of the page it has what was built.
    web = PACKAGE / "page" / "web"
    files = (file for file in PACKAGE.rglob("*") if file.is_file() and web not in file.parents)
    source = {
        f"stages/{file.relative_to(PACKAGE).as_posix()}"
        for file in files
        if "__pycache__" not in file.parts
    }
    assert packed == source
    assert {Path(name).suffix for name in packed} >= {".sql", ".ts", ".mjs", ".json"}
    assert {"stages/page/assets/page.js", "stages/page/assets/page.css"} <= packed


def test_a_wheel_of_the_sdist_needs_no_node(wheel: Path, place: Path) -> None:
    """The sdist carries the page as it was built."""
    with tarfile.open(build("sdist", place)) as archive:
        archive.extractall(place / "sdist", filter="data")
    (checkout,) = (place / "sdist").iterdir()
    again = build("wheel", place / "sdist", checkout, PATH="")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert set(one.namelist()) == set(other.namelist())
        for name in ("page.js", "page.css"):
            assert one.read(f"stages/page/assets/{name}") == other.read(
                f"stages/page/assets/{name}"
            )


def test_stages_comes_from_the_wheel_alone(installed: Installed, place: Path) -> None:
    folder = installed.evaluate("stages.__file__", place)
    assert folder.startswith(str(place / "venv"))
    assert str(ROOT) not in json.loads(
        installed.evaluate("__import__('json').dumps(sys.path)", place)
    )


def test_a_project_is_moved_end_to_end(installed: Installed, place: Path) -> None:
    shop = place / "shop"
    shutil.copytree(HERE / "shop", shop, ignore=shutil.ignore_patterns("finished"))
    install_convex(shop)

    def stages(*command: str, code: int = 0) -> str:
        done = installed.run(*SANDBOX, *command, cwd=shop, code=code)
        assert str(ROOT) not in done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "written  convex/stages.ts" in stages("init", ".", "--http-action")
    spread_ledger(shop)
    finish("shop", shop)

    # The sandbox's Convex needs packages that are nobody's yet: they are installed, once.
    assert stages("check").count("installing the sandbox's npm packages") == 1
    assert "5 rows" in stages("extract")
    assert "3 documents, 2 rejected" in stages("transform")
    assert "3 sent: 3 inserted" in stages("load")
    assert "4 verified" in stages("verify")
    status = json.loads(installed.run(*SANDBOX, "status", "--json", cwd=shop).stdout)
    verified = {name: table["verify"]["verified"] for name, table in status["tables"].items()}
    assert verified == DOCUMENTS
    rows = installed.run(
        *SANDBOX, "sql", "--json", "SELECT count(*) AS n FROM rejects", cwd=shop
    ).stdout
    assert json.loads(rows) == [{"n": 8}]
    stages("report")
    report = shop / ".planning" / "migrations" / "data-migration-report.sandbox.json"
    assert json.loads(report.read_text("utf-8"))["tables"]["customers"]["migrated"] == 3

    # What is handed in by name, as a notebook does it.
    joined = installed.evaluate(
        "stages.Migration('.', target='sandbox').sql('SELECT count(*), any_value(rate) FROM "
        "extract.orders, prices', tables={'prices': __import__('pandas').DataFrame("
        "{'rate': [3]})}).fetchall()",
        shop,
    )
    assert joined == "[(5, 3)]"

    # The convex that came with the engine takes no part in this.
    assert list((place / "cache" / "stages").glob("*/node_modules/convex"))
    shutil.rmtree(shop / "node_modules")
    assert "the package `convex` is not installed" in stages("check", code=2)

    # The page is built already, and made of files alone.
    nothing = replace(installed, variables={**installed.variables, "PATH": ""})
    nothing.run(*SANDBOX, "report", "--html", "page.html", cwd=shop)
    assert '"documents":3' in (shop / "page.html").read_text("utf-8")
