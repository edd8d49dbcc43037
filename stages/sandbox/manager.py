"""The sandbox as a whole: what is running, what must be started, and how everything is stopped."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import string
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stages.errors import UserError
from stages.progress import Progress, Silent
from stages.sandbox.deployments import (
    host_service,
    host_targets,
    read_deployment,
    remove_seed,
    start_host,
    wait_for_host,
)
from stages.sandbox.postgres import PLATFORM_SQL, Postgres, binary, variables
from stages.sandbox.service import Service
from stages.sandbox.state import (
    Running,
    SandboxDeployment,
    SandboxSource,
    State,
    is_present,
    locked,
    read_json,
    root_of,
    write_private,
)

KEY_SECONDS = 10 * 365 * 24 * 60 * 60  # as long as Supabase's legacy keys are valid
# SQL files below this size in bytes are read by every command to see whether they have changed.
LARGE = 32 << 20
MAX_ROWS = 1000  # of one REST response, as in a new Supabase project


def up(
    project: Path,
    targets: Iterable[str] = ("sandbox",),
    progress: Progress | None = None,
    *,
    renew: bool = False,
    push: bool = False,
) -> State:
    """Start what is not running: Postgres, the REST gateway, and a Convex host for each target.

    Services that are running stay as they are, including hosts of other targets; stopped ones come
    back with their data. If convex/ has changed since a host started, or with `push`, the host is
    restarted and keeps its documents; it keeps serving if the new convex/ can't be loaded. With
    `renew`, a host that is not running, or whose documents no longer fit schema.ts, discards its
    documents and becomes a new deployment. Returns once everything serves. Pushes, packages that
    are installed first, and parts of a dump that were skipped are noted on `progress`.

    Raises UserError for a missing program, SQL that fails, a module of convex/ that the migration
    needs and that can't be loaded, or documents that schema.ts no longer accepts; StagesError for a
    service that does not start.
    """
    root, progress = root_of(project), progress or Silent()
    with locked(root):
        starts = _read_source(root) is None
        if starts:
            progress.start("sandbox", "Supabase")
        source, database = _start_database(project, root, progress)
        gateway = _start_gateway(root, source, database)
        hosts = [
            start_host(project, root, database, target, progress, renew=renew, push=push)
            for target in targets
        ]
        gateway.wait_for_addresses()
        if starts:
            progress.done("sandbox", "Supabase", "")
        for host, started in hosts:
            wait_for_host(host, progress if started else Silent())
        state = _read_state(root)
    if not isinstance(state, State):
        raise gateway.failure("stopped as soon as it had started")
    return state


def deploy(
    project: Path,
    target: str,
    progress: Progress | None = None,
    *,
    renew: bool = False,
    push: bool = False,
) -> SandboxDeployment:
    """Start only a Convex host, for a source that is not a sandbox; it starts without documents.

    Raises the same errors as `up`.
    """
    root, progress = root_of(project), progress or Silent()
    with locked(root):
        host, started = start_host(project, root, None, target, progress, renew=renew, push=push)
        return wait_for_host(host, progress if started else Silent())


def down(project: Path) -> None:
    """Stop every service, and return when they have ended. Rows and documents stay."""
    root = root_of(project)
    if is_present(root):
        with locked(root):
            _stop(root)


def status(project: Path) -> Running | None:
    """What is running, without starting anything: a State if both Supabase services are; None if
    nothing is."""
    root = root_of(project)
    if not is_present(root):
        return None
    with locked(root):
        return _read_state(root)


def reset(project: Path) -> None:
    """Stop every service, and delete everything: the next sandbox is a new source."""
    root = root_of(project)
    if is_present(root):
        with locked(root):
            _stop(root)
            shutil.rmtree(root)


def psql(state: State) -> tuple[Path, dict[str, str]]:
    """psql's path, and the environment with which it opens the sandbox's database as its owner."""
    return binary(state.root, "psql"), variables(state.source.db_url)


# ── Supabase ────────────────────────────────────────────────────────────────────────────────


def _start_database(
    project: Path, root: Path, progress: Progress
) -> tuple[dict[str, Any], Postgres]:
    """Start the database, creating it if necessary; returns the source's record, which is written
    once the database is complete, and the server."""
    files = _sql_files(project)
    fingerprint = _fingerprint(files)
    source = read_json(root / "source.json")
    if source is not None:
        if source["fingerprint"] != fingerprint:
            raise UserError(
                f"the sandbox's database was made from other SQL than {project / 'data/sandbox'} "
                "has",
                "stages sandbox reset, which makes a new source from the SQL",
            )
        database = _database(root, source)
        database.start()
        return source, database
    if not files:
        progress.note(
            f"{project / 'data/sandbox'} has no .sql file, so the sandbox's database has no tables"
        )
    source = _new_source() | {"fingerprint": fingerprint}
    database = _database(root, source)
    database.create()
    database.start()
    passwords = source["passwords"]
    try:
        logins = {
            "authenticator": passwords["authenticator"],
            _direct_role(source): passwords["direct"],
        }
        database.install(logins, files, progress)
    except UserError:
        database.stop()
        raise
    write_private(root / "source.json", json.dumps(source))
    return source, database


def _sql_files(project: Path) -> list[Path]:
    """The project's own SQL, in the order in which it runs."""
    files = (project / "data" / "sandbox").glob("*.sql")
    return sorted(file for file in files if file.name != "convex.sql")


def _fingerprint(files: Iterable[Path]) -> str:
    """A digest of a database's SQL files; of large ones, only the name, size and time count."""
    digest = hashlib.sha256()
    for file in (PLATFORM_SQL, *files):
        seen = file.stat()
        digest.update(f"{file.name} {seen.st_size}\n".encode())
        large = seen.st_size >= LARGE
        digest.update(f"{seen.st_mtime_ns}\n".encode() if large else file.read_bytes())
    return digest.hexdigest()


def _new_source() -> dict[str, Any]:
    """A new project's name, passwords and keys."""
    import jwt

    ref = "".join(secrets.choice(string.ascii_lowercase) for _ in range(20))
    jwt_secret = secrets.token_hex(32)
    issued = int(time.time())

    def sign(role: str) -> str:
        claims = {
            "iss": "supabase",
            "ref": ref,
            "role": role,
            "iat": issued,
            "exp": issued + KEY_SECONDS,
        }
        return jwt.encode(claims, jwt_secret, algorithm="HS256")

    return {
        "ref": ref,
        "passwords": {
            name: secrets.token_hex(24) for name in ("superuser", "authenticator", "direct")
        },
        "keys": {
            "jwt_secret": jwt_secret,
            "service_role_key": sign("service_role"),
            "anon_key": sign("anon"),
            "secret_key": f"sb_secret_{secrets.token_urlsafe(24)}",
            "publishable_key": f"sb_publishable_{secrets.token_urlsafe(24)}",
        },
    }


def _database(root: Path, source: dict[str, Any]) -> Postgres:
    return Postgres(root=root, password=source["passwords"]["superuser"])


def _direct_role(source: dict[str, Any]) -> str:
    """The user name for direct connections, in the form that Supabase's pooler uses."""
    return f"postgres.{source['ref']}"


def _start_gateway(root: Path, source: dict[str, Any], database: Postgres) -> Service:
    service = _gateway(root)
    config = {
        "dsn": database.url("authenticator", source["passwords"]["authenticator"]),
        **source["keys"],
        "schemas": ["public"],
        "max_rows": MAX_ROWS,
        "ready": str(service.ready),
    }
    if service.is_alive():
        if read_json(service.config) == config:
            return service
        service.stop()  # the database now has another port
    write_private(service.config, json.dumps(config))
    service.start([sys.executable, "-m", "stages.sandbox.gateway", str(service.config)], cwd=root)
    return service


def _gateway(root: Path) -> Service:
    return Service(root=root, name="gateway")


# ── the whole sandbox ───────────────────────────────────────────────────────────────────────


def _read_state(root: Path) -> Running | None:
    read = {target: read_deployment(host_service(root, target)) for target in host_targets(root)}
    deployments = {target: deployment for target, deployment in read.items() if deployment}
    source = _read_source(root)
    if source:
        return State(root=root, source=source, deployments=deployments)
    return Running(root=root, source=None, deployments=deployments) if deployments else None


def _read_source(root: Path) -> SandboxSource | None:
    """The Supabase side; None unless both services are running."""
    source = read_json(root / "source.json")
    gateway = _gateway(root)
    if source is None or not gateway.is_alive():
        return None
    database = _database(root, source)
    addresses = read_json(gateway.ready)
    if addresses is None or not database.service.is_alive():
        return None
    keys = source["keys"]
    return SandboxSource(
        ref=source["ref"],
        url=addresses["url"],
        service_role_key=keys["service_role_key"],
        anon_key=keys["anon_key"],
        secret_key=keys["secret_key"],
        publishable_key=keys["publishable_key"],
        db_url=database.url(_direct_role(source), source["passwords"]["direct"]),
    )


def _stop(root: Path) -> None:
    hosts = [host_service(root, target) for target in host_targets(root)]
    for service in (*hosts, _gateway(root)):
        service.stop()
        service.forget()
    for host in hosts:
        remove_seed(host)
    # Its port is remembered: the next start uses it again if it is free.
    Postgres(root=root, password="").stop()
