"""The wheel, installed where no checkout is, and a project with packages of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path

from stages.project.plan import SETTING_NAMES
from tests.support.command_line import ROOT

MODULES = ROOT / "node_modules"
BUILD = """
import sys
from flit_core.buildapi import build_wheel
print(build_wheel(sys.argv[1]))
"""
SITE = 'import sysconfig; print(sysconfig.get_path("purelib"))'


@dataclass(frozen=True)
class Installed:
    """An environment that has `stages` from the wheel, and no other way to it."""

    python: Path
    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """A user's: no settings, no PYTHONPATH, a home and a cache of its own."""
        hidden = {*SETTING_NAMES, "PYTHONPATH", "PYTHONHOME", "NODE_PATH", "VIRTUAL_ENV"}
        clean = {name: value for name, value in os.environ.items() if name not in hidden}
        return {**clean, "XDG_CACHE_HOME": str(self.home / "cache"), **self.variables}

    def run(self, *command: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run `stages …` in a folder, and check its exit code."""
        done = subprocess.run(
            [str(self.python.with_name("stages")), *command],
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def evaluate(self, expression: str, cwd: Path) -> str:
        """What Python in this environment prints of an expression."""
        return subprocess.run(
            [str(self.python), "-c", f"import stages, sys; print({expression})"],
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()


def build_wheel(folder: Path) -> Path:
    """The wheel of this checkout, without network."""
    built = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return folder / built.stdout.split()[-1]


def install(wheel: Path, folder: Path) -> Installed:
    """An environment with the wheel alone.

    What it depends on is the same as in this test's own environment, whose packages a .pth file
    adds. Python does not read the .pth files that lie there, so the checkout that one of them adds
    to the path is out of reach.
    """
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    here, there = (
        subprocess.check_output([str(each), "-c", SITE], text=True).strip()
        for each in (sys.executable, python)
    )
    subprocess.run(
        [
            sys.executable, "-m", "pip", "--python", str(python), "install", "-qq", "--no-deps",
            "--no-index", "--disable-pip-version-check", str(wheel),
        ],
        check=True,
    )  # fmt: skip
    (Path(there) / "dependencies.pth").write_text(f"{here}\n", "utf-8")
    return Installed(python, folder)


def install_convex(project: Path) -> None:
    """A package.json with `convex`, and node_modules that hold it and what it depends on."""
    version = json.loads((MODULES / "convex" / "package.json").read_text("utf-8"))["version"]
    package = {"name": "shop", "private": True, "dependencies": {"convex": version}}
    (project / "package.json").write_text(json.dumps(package), "utf-8")
    for name in ("convex", "esbuild", "@esbuild"):
        shutil.copytree(MODULES / name, project / "node_modules" / name, symlinks=True)
