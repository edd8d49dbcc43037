"""Builds the page (stages/page/web) into stages/page/assets when a wheel or an sdist is built.

An sdist carries what was built, so that a wheel of it needs no Node. An editable install builds
nothing: `make setup` does, once it has installed the npm packages.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAMES = ("page.js", "page.css")


class PageBuild(BuildHookInterface):  # type: ignore[type-arg]
    """What hatchling calls before it builds."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page where it is missing, or older than what it is made of."""
        root = Path(self.root)
        if version != "editable" and not is_built(root):
            build(root)


def is_built(root: Path) -> bool:
    """Whether the page is as new as its sources and the lock of its packages."""
    assets = [root / "stages" / "page" / "assets" / name for name in NAMES]
    if not all(asset.exists() for asset in assets):
        return False
    sources = [file for file in (root / "stages" / "page" / "web").rglob("*") if file.is_file()]
    changed = max(file.stat().st_mtime for file in (*sources, root / "package-lock.json"))
    return min(asset.stat().st_mtime for asset in assets) >= changed


def build(root: Path) -> None:
    """Run the page's build, with the packages of package-lock.json."""
    script = Path("stages", "page", "web", "build.mjs")
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise SystemExit(
            "the page of stages is built with node and npm, which are not on the PATH: install "
            "Node.js 20 or newer, or install stages from its wheel"
        )
    if not (root / "node_modules").is_dir():
        command = [npm, "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=root, check=True)
    subprocess.run([node, str(script)], cwd=root, check=True)
