"""Where the Convex host finds its npm packages: in the checkout, or installed once in the cache."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from stages.errors import UserError
from stages.progress import Silent
from stages.sandbox import host_program as module
from stages.sandbox.host_program import HOST, cache_folder, host_program
from tests.support.command_line import ROOT


class Notes(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The host's files in a folder with no node_modules above; the cache is another one."""
    host = tmp_path / "site-packages" / "host"
    shutil.copytree(HOST, host)
    monkeypatch.setattr(module, "HOST", host)
    monkeypatch.setattr(module, "PACKAGE", host / "package.json")
    monkeypatch.setattr(module, "LOCK", host / "package-lock.json")
    monkeypatch.setattr(module, "_checkout", lambda: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return host


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for npm that fills node_modules, and writes down its arguments."""
    log = tmp_path / "npm.log"
    script = tmp_path / "bin" / "npm"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "$@" >> {log}\n/bin/mkdir node_modules\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent))
    return script


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return content


def test_a_checkout_uses_its_own_packages() -> None:
    notes = Notes()
    program = host_program(notes)
    assert (program.folder, program.main) == (ROOT, HOST / "main.ts")
    assert notes.texts == []


def test_its_pins_are_those_of_the_checkout() -> None:
    pins = read(ROOT / "package.json")["dependencies"]
    ours = read(HOST / "package.json")["dependencies"]
    assert ours.items() <= pins.items()
    assert read(HOST / "package-lock.json")["packages"][""]["dependencies"] == ours
    locked = read(ROOT / "package-lock.json")["packages"]
    for name, package in read(HOST / "package-lock.json")["packages"].items():
        if name:
            assert package["integrity"] == locked[name]["integrity"], "make lock"
            assert "resolved" not in package


def test_elsewhere_they_are_installed_once(elsewhere: Path, npm: Path, tmp_path: Path) -> None:
    notes = Notes()
    program = host_program(notes)
    assert host_program(notes) == program
    assert program.folder.parent == tmp_path / "cache" / "stages" == cache_folder()
    assert notes.texts == [f"installing the sandbox's npm packages into {program.folder}, once"]
    assert len((tmp_path / "npm.log").read_text().splitlines()) == 1
    assert {file.name for file in program.main.parent.iterdir()} == {
        file.name for file in HOST.glob("*.ts")
    }
    # Other TypeScript needs no other packages; another lock does.
    (elsewhere / "main.ts").write_text("// newer\n")
    newer = host_program(notes)
    assert newer.folder == program.folder and newer.main.read_text() == "// newer\n"
    assert len(notes.texts) == 1
    (elsewhere / "package-lock.json").write_text("{}")
    assert host_program(notes).folder != program.folder
    assert len(notes.texts) == 2


def test_what_npm_could_not_install_leaves_nothing(elsewhere: Path, npm: Path) -> None:
    npm.write_text(
        "#!/bin/sh\necho 'npm error code E1' >&2\necho 'npm error so it is' >&2\nexit 1\n"
    )
    with pytest.raises(UserError, match="can't be installed: so it is"):
        host_program(Notes())
    assert list(cache_folder().iterdir()) == []
    npm.unlink()
    with pytest.raises(UserError, match="npm is not on the PATH"):
        host_program(Notes())


def test_other_versions_above_are_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    modules = tmp_path / "node_modules"
    for name, version in read(HOST / "package.json")["dependencies"].items():
        (modules / name).mkdir(parents=True)
        (modules / name / "package.json").write_text(json.dumps({"version": version}))
    monkeypatch.setattr(module, "HOST", tmp_path / "site-packages" / "host")
    assert module._checkout() == tmp_path
    (modules / "convex-test" / "package.json").write_text('{"version": "0.0.1"}')
    assert module._checkout() != tmp_path


def test_no_home_folder_is_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a user whom the system does not know, as in a container."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(UserError, match="there is no home folder") as error:
        cache_folder()
    assert "XDG_CACHE_HOME" in str(error.value.hint)
