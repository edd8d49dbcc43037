"""The wheel, installed where no checkout is, and a project with packages of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from stages.project.plan import SETTING_NAMES
from tests.support.command_line import ROOT

MODULES = ROOT / "node_modules"
BUILD = """
import sys
from hatchling.build import build_sdist, build_wheel
print({"wheel": build_wheel, "sdist": build_sdist}[sys.argv[1]](sys.argv[2]))
"""
KEPT = ROOT / ".venv-installed"


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


def build(what: str, folder: Path, checkout: Path = ROOT, **environment: str) -> Path:
    """The `wheel` or `sdist` of this checkout, or of what an sdist holds, without network."""
    built = subprocess.run(
        [sys.executable, "-c", BUILD, what, str(folder)],
        cwd=checkout,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / built.stdout.split()[-1]


def install(wheel: Path, folder: Path) -> Installed:
    """An environment with the wheel and the packages of the locks, which a user's pip would bring.

    `make` keeps one without the wheel, and makes it anew when a lock has changed. It lies in the
    checkout, whose node_modules Node would find from there; so the wheel goes into a copy.
    """
    subprocess.run(["make", "--silent", f"{KEPT.name}/.ready"], cwd=ROOT, check=True)
    shutil.copytree(KEPT, folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run(
        [
            str(python), "-m", "pip", "install", "-qq", "--no-deps", "--no-index",
            "--disable-pip-version-check", str(wheel),
        ],
        check=True,
    )  # fmt: skip
    return Installed(python, folder)


def install_convex(project: Path) -> None:
    """A package.json with `convex`, and node_modules that hold it and what it depends on."""
    version = json.loads((MODULES / "convex" / "package.json").read_text("utf-8"))["version"]
    package = {"name": "shop", "private": True, "dependencies": {"convex": version}}
    (project / "package.json").write_text(json.dumps(package), "utf-8")
    for name in ("convex", "esbuild", "@esbuild"):
        shutil.copytree(MODULES / name, project / "node_modules" / name, symlinks=True)
