"""The state of a sandbox, as its users see it, and its folder."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.errors import UserError


@dataclass(frozen=True, kw_only=True)
class SandboxSource:
    """The Supabase side: REST at `url`, direct Postgres at `db_url`. A restart keeps `ref`."""

    ref: str
    url: str
    service_role_key: str = field(repr=False)
    anon_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    publishable_key: str = field(repr=False)
    db_url: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class SandboxDeployment:
    """One Convex deployment. A restart keeps `name` and the documents.

    `unrouted` is why it has no HTTP actions, if convex/http.ts can't be loaded.
    """

    name: str
    url: str
    site_url: str
    admin_key: str = field(repr=False)
    migration_secret: str = field(repr=False)
    unrouted: str | None = None


@dataclass(frozen=True, kw_only=True)
class Running:
    """The running parts of a sandbox: `deployments` by target. `source` is None if only these are
    running, with the user's own source."""

    root: Path
    source: SandboxSource | None
    deployments: Mapping[str, SandboxDeployment]


@dataclass(frozen=True, kw_only=True)
class State(Running):
    """A sandbox with its Supabase."""

    source: SandboxSource


def root_of(project: Path) -> Path:
    """The folder of a project's sandbox: STAGES_SANDBOX, or else one derived from its path alone.

    It is not in TMPDIR, which may differ between shells, nor in a private folder, which the account
    that Postgres runs as could not enter.
    """
    configured = os.environ.get("STAGES_SANDBOX")
    if configured:
        return Path(configured).absolute()
    digest = hashlib.sha256(os.fsencode(project.resolve())).hexdigest()[:8]
    parent = Path("/var/tmp")
    if not parent.is_dir():
        parent = Path(tempfile.gettempdir())
    return parent / f"stages-{os.getuid()}-{digest}"


def is_present(root: Path) -> bool:
    """Whether there is a sandbox at `root`. Raises UserError if we must not use `root`."""
    try:
        status = root.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise UserError(
            f"{root} is not a folder of yours",
            "set STAGES_SANDBOX to a folder that does not exist yet",
        )
    if (root / ".lock").exists():
        return True
    if any(root.iterdir()):
        # `reset` deletes the whole folder, so it must not contain anything else.
        raise UserError(
            f"{root} holds something other than a sandbox",
            "set STAGES_SANDBOX to an empty folder, or to one that does not exist yet",
        )
    return False


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Create `root` and hold its lock, which also excludes other processes."""
    while True:
        is_present(root)
        # If root starts it, Postgres' own account must pass through this folder, but not list it.
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o711 if os.geteuid() == 0 else 0o700)
        descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(descriptor, root / ".lock"):
                yield
                return
            # A `reset` deleted the folder while this process was waiting: start over.
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def write_private(path: Path, content: str) -> None:
    """Write a file atomically, readable by its owner only."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    temporary.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is no file."""
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return content
