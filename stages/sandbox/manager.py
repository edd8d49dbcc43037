"""The sandbox as a whole: what runs, what must be started, and how all of it ends."""

from __future__ import annotations

import hashlib
import json
import re
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
from stages.sandbox.host_program import host_program
from stages.sandbox.postgres import PLATFORM_SQL, Postgres
from stages.sandbox.service import Service
from stages.sandbox.state import (
    SandboxDeployment,
    SandboxSource,
    State,
    is_present,
    locked,
    read_json,
    root_of,
    write_private,
)
from stages.state.workspace import functions_folder

KEY_SECONDS = 10 * 365 * 24 * 60 * 60  # as long as Supabase's legacy keys are good
MAX_ROWS = 1000  # of one answer of the REST side, as a new Supabase project has it


def up(
    project: Path, targets: Iterable[str] = ("sandbox",), progress: Progress | None = None
) -> State:
    """Start what does not run: Postgres, the REST gateway, and a Convex host for each target.

    What runs already stays as it is, hosts of other targets too. Returns once all of it serves.
    `progress` hears when packages are installed first.
    Raises UserError for a missing program or SQL that fails, StagesError for a service that does
    not start.
    """
    root = root_of(project)
    with locked(root):
        source, database = _start_database(project, root)
        gateway = _start_gateway(root, source, database)
        hosts = [
            _start_host(project, root, database, target, progress or Silent()) for target in targets
        ]
        for service in (gateway, *hosts):
            service.wait_for_addresses()
        state = _read_state(root)
    if state is None:
        raise gateway.failure("stopped as soon as it had started")
    return state


def down(project: Path) -> None:
    """Stop every service, and return when it is gone. The database's rows stay."""
    root = root_of(project)
    if is_present(root):
        with locked(root):
            _stop(root)


def status(project: Path) -> State | None:
    """What runs, without starting anything; None unless both Supabase services do."""
    root = root_of(project)
    if not is_present(root):
        return None
    with locked(root):
        return _read_state(root)


def reset(project: Path) -> None:
    """Stop every service, and delete all that the sandbox has: the next one is another source."""
    root = root_of(project)
    if is_present(root):
        with locked(root):
            _stop(root)
            shutil.rmtree(root)


# ── Supabase ────────────────────────────────────────────────────────────────────────────────


def _start_database(project: Path, root: Path) -> tuple[dict[str, Any], Postgres]:
    """The source's record, which is written when its database is complete, and the server."""
    files = _sql_files(project)
    fingerprint = _fingerprint(files)
    source = read_json(root / "source.json")
    if source is not None:
        if source["fingerprint"] != fingerprint:
            raise UserError(
                f"the sandbox's database was made by other SQL than {project / 'data/sandbox'} has",
                "stages sandbox reset, which makes a new source of the SQL",
            )
        database = _database(root, source)
        database.start()
        return source, database
    source = _new_source() | {"fingerprint": fingerprint}
    database = _database(root, source)
    database.create()
    database.start()
    passwords = source["passwords"]
    try:
        database.install(
            {
                "authenticator": passwords["authenticator"],
                _direct_role(source): passwords["direct"],
            },
            files,
        )
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
    digest = hashlib.sha256()
    for file in (PLATFORM_SQL, *files):
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode() + content)
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
    """The user name that Supabase's pooler takes."""
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
        service.stop()  # the database is at another port now
    write_private(service.config, json.dumps(config))
    service.start([sys.executable, "-m", "stages.sandbox.gateway", str(service.config)], cwd=root)
    return service


def _gateway(root: Path) -> Service:
    return Service(root=root, name="gateway")


# ── Convex ──────────────────────────────────────────────────────────────────────────────────


def _start_host(
    project: Path, root: Path, database: Postgres, target: str, progress: Progress
) -> Service:
    """A Convex host for one target: the one that runs, or a new deployment."""
    service = _host(root, target)
    if service.is_alive():
        return service
    node = shutil.which("node")
    if node is None:
        raise UserError(
            "there is no node on the PATH, and the sandbox's Convex runs in it",
            "install Node.js 20 or newer",
        )
    folder = functions_folder(project).resolve()
    if not folder.is_dir():
        raise UserError(f"the project has no folder {folder}", "run from the project's folder")
    program = host_program(progress)
    name = f"{target}-{secrets.token_hex(3)}"
    config = {
        "name": name,
        "convex": str(folder),
        "adminKey": f"{name}|{secrets.token_hex(32)}",
        "env": {"MIGRATION_SECRET": secrets.token_hex(24)},
        "seed": _write_seed(project, database, service),
        "ready": str(service.ready),
    }
    write_private(service.config, json.dumps(config))
    # Whose path aliases hold in the project's own modules.
    aliases = folder / "tsconfig.json"
    service.start(
        [node, "--import", "tsx", str(program.main), str(service.config)],
        cwd=program.folder,
        variables={"TSX_TSCONFIG_PATH": str(aliases)} if aliases.exists() else None,
    )
    return service


def _host(root: Path, target: str) -> Service:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", target):
        raise UserError(f"`{target}` is not a target's name: letters, digits, - and _ only")
    return Service(root=root, name=f"convex-{target}")


def _targets(root: Path) -> list[str]:
    return sorted(path.name[len("convex-") : -len(".lock")] for path in root.glob("convex-*.lock"))


def _seed(service: Service) -> Path:
    return service.root / f"{service.name}.seed.jsonl"


def _write_seed(project: Path, database: Postgres, service: Service) -> str | None:
    """The documents that Convex has before the migration, as data/sandbox/convex.sql makes them."""
    query = project / "data" / "sandbox" / "convex.sql"
    if not query.exists():
        return None
    import psycopg

    try:
        with database.connect() as connection:
            rows = connection.execute(query.read_bytes()).fetchall()
    except psycopg.Error as error:
        raise UserError(f"{query}: {error}", f"edit {query}") from None
    write_private(_seed(service), "".join(f"{line}\n" for _, line in sorted(rows)))
    return str(_seed(service))


# ── all of it ───────────────────────────────────────────────────────────────────────────────


def _read_state(root: Path) -> State | None:
    source = read_json(root / "source.json")
    gateway = _gateway(root)
    if source is None or not gateway.is_alive():
        return None
    database = _database(root, source)
    addresses = read_json(gateway.ready)
    if addresses is None or not database.service.is_alive():
        return None
    keys = source["keys"]
    deployments = {target: _read_deployment(_host(root, target)) for target in _targets(root)}
    return State(
        root=root,
        source=SandboxSource(
            ref=source["ref"],
            url=addresses["url"],
            service_role_key=keys["service_role_key"],
            anon_key=keys["anon_key"],
            secret_key=keys["secret_key"],
            publishable_key=keys["publishable_key"],
            db_url=database.url(_direct_role(source), source["passwords"]["direct"]),
        ),
        deployments={
            target: deployment for target, deployment in deployments.items() if deployment
        },
    )


def _read_deployment(service: Service) -> SandboxDeployment | None:
    """The deployment that a host serves; None when it does not."""
    config = read_json(service.config)
    addresses = read_json(service.ready)
    if config is None or addresses is None or not service.is_alive():
        return None
    return SandboxDeployment(
        name=config["name"],
        url=addresses["url"],
        site_url=addresses["siteUrl"],
        admin_key=config["adminKey"],
        migration_secret=config["env"]["MIGRATION_SECRET"],
    )


def _stop(root: Path) -> None:
    hosts = [_host(root, target) for target in _targets(root)]
    for service in (*hosts, _gateway(root)):
        service.stop()
        service.forget()
    for host in hosts:
        _seed(host).unlink(missing_ok=True)
    # Its port is kept: the next start takes it again if it is free.
    Postgres(root=root, password="").stop()
