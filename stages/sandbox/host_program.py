"""The Convex host as a program: its TypeScript, and a folder with the npm packages that it imports.

In a checkout, these are the checkout's own node_modules. Elsewhere they are installed once into the
user's cache, from the lock file next to the TypeScript, which is copied there too, since Node looks
for packages in the folders above a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import stages.convex
from stages.errors import UserError
from stages.progress import Progress

HOST = Path(__file__).with_name("host")
# The same bundler loads modules of convex/ and exports schema.ts.
BUNDLER = Path(stages.convex.__file__).with_name("bundle.mjs")
PACKAGE, LOCK = HOST / "package.json", HOST / "package-lock.json"


@dataclass(frozen=True, kw_only=True)
class HostProgram:
    """`main` is the file that Node runs, in `folder`, whose node_modules it uses."""

    folder: Path
    main: Path


def host_program(progress: Progress) -> HostProgram:
    """The program, with its packages installed if necessary, which is noted on `progress` first.

    Raises UserError if npm is missing or fails.
    """
    checkout = _checkout()
    if checkout is not None:
        return HostProgram(folder=checkout, main=HOST / "main.ts")
    folder = cache_folder() / f"sandbox-{_digest([PACKAGE, LOCK])}"
    _make(folder, lambda new: _install(new, folder, progress))
    sources = sorted(HOST.glob("*.ts"))
    programs = folder / f"host-{_digest([*sources, BUNDLER])}"
    _make(programs, lambda new: _copy(sources, new))
    return HostProgram(folder=folder, main=programs / "sandbox" / "host" / "main.ts")


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/stages`, or else `~/.cache/stages`."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore relative paths.
    if configured.startswith("/"):
        return Path(configured) / "stages"
    try:
        return Path.home() / ".cache" / "stages"
    except RuntimeError:  # no HOME, and a user unknown to the system
        raise UserError(
            "there is no home folder to keep the sandbox's host in",
            "name a folder for it: export XDG_CACHE_HOME=/var/tmp/cache",
        ) from None


def _checkout() -> Path | None:
    """The nearest parent folder whose node_modules have every package in the pinned version."""
    pins: dict[str, str] = json.loads(PACKAGE.read_text("utf-8"))["dependencies"]
    for folder in HOST.parents:
        modules = folder / "node_modules"
        if all(_version(modules / name) == version for name, version in pins.items()):
            return folder
    return None


def _version(package: Path) -> str | None:
    try:
        version = json.loads((package / "package.json").read_text("utf-8"))["version"]
    except (OSError, ValueError, KeyError):
        return None
    return str(version)


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def _make(folder: Path, fill: Callable[[Path], object]) -> None:
    """Create a folder atomically: fill it under another name, then rename it."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        fill(new)
        try:
            new.rename(folder)
        except OSError:
            if not folder.exists():  # otherwise another process was first, with the same content
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _copy(sources: Iterable[Path], new: Path) -> None:
    """Copy the TypeScript and the bundler that it imports, in the package's folder structure."""
    host, convex = new / "sandbox" / "host", new / "convex"
    host.mkdir(parents=True)
    convex.mkdir()
    for file in sources:
        shutil.copy(file, host)
    shutil.copy(BUNDLER, convex)


def _install(new: Path, folder: Path, progress: Progress) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            "npm is not on the PATH, and the sandbox's Convex needs packages of it",
            "install Node.js 20 or newer, with npm",
        )
    progress.note(f"installing the sandbox's npm packages into {folder}, once")
    for file in (PACKAGE, LOCK):
        shutil.copy(file, new)
    options = (
        "--prefer-offline",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    )
    ran = subprocess.run(
        [npm, "ci", *options], cwd=new, capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        lines = [line.removeprefix("npm error ").strip() for line in ran.stderr.splitlines()]
        reasons = (line for line in lines if line and not line.startswith(("code ", "errno ")))
        reason = next(reasons, "no reason given")
        raise UserError(
            f"the sandbox's npm packages can't be installed: {reason}",
            "check that npm reaches its registry (npm ping), and rerun the command",
        )
