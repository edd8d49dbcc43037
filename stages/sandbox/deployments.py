"""The sandbox's Convex: one host process per target, and the documents that it keeps."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

from stages.convex.module_problem import module_problem
from stages.errors import StagesError, UserError
from stages.progress import Progress
from stages.project.plan_reader import load_plan
from stages.sandbox.host_program import host_program
from stages.sandbox.postgres import Postgres
from stages.sandbox.service import START_SECONDS, Service, environment
from stages.sandbox.state import SandboxDeployment, read_json, write_private
from stages.state.fingerprints import fingerprint, hash_file
from stages.state.workspace import functions_folder, plan_file, require_target_name

# How a host's message begins if it can't start: because of kept documents, or a module.
UNFIT = "unfit documents: "
UNLOADABLE = "unloadable module: "
PUSHED = "pushed"  # the field of a host's config with the digest of its convex/
# Suffixes of modules, by the rules of a push, and of files they may import without a loader.
PUSHED_FILE = re.compile(r"\.([cm]?[jt]sx?|json)")


class UnfitDocuments(UserError):
    """A host can't start with the kept documents."""


def start_host(
    project: Path,
    root: Path,
    database: Postgres | None,
    target: str,
    progress: Progress,
    *,
    renew: bool = False,
    push: bool = False,
) -> tuple[Service, bool]:
    """Return the host of a target, and whether it was started now: the running one, a stopped one
    that is started again, or one with a new deployment.

    If convex/ has changed since the host started, or with `push`, it is restarted and keeps its
    documents; the old one serves until the new one is known to load. If documents do not fit the
    new schema, it goes on serving, or with `push`, UserError is raised. With `renew`, documents are
    discarded if the host is not running, or if they no longer fit the schema.
    """
    service = host_service(root, target)
    folder = functions_folder(project).resolve()
    if not folder.is_dir():
        raise UserError(f"the project has no folder {folder}", "run from the project's folder")
    pushed = convex_digest(folder)
    modules = _modules(project)
    runs = service.is_alive()
    if runs:
        had = read_json(service.config) or {}
        same = had.get(PUSHED) == pushed and set(modules) <= set(had.get("modules", modules))
        if same and not push:
            return service, False
        progress.note(f"pushing {folder.name}/ to the sandbox's Convex (target {target})")
    node = shutil.which("node")
    if node is None:
        raise UserError(
            "there is no node on the PATH, and the sandbox's Convex runs in it",
            "install Node.js 20 or newer",
        )
    program = host_program(progress)
    command = [node, "--import", "tsx", str(program.main)]
    config = {
        "convex": str(folder),
        "modules": modules,
        PUSHED: pushed,
        "seed": None,
        "documents": str(_documents(service)),
        "ready": str(service.ready),
    }
    if runs:
        try:
            _check(service, command, program.folder, _deployment(service, target) | config)
            renew = False
        except UnfitDocuments as error:
            if not renew and push:
                raise
            if not renew:
                # As with a real deployment: what was pushed before still serves, for a rollback.
                run = f"stages --target {target}"
                progress.note(
                    f"{folder.name}/ is not pushed, and the previous version serves: "
                    f"{error.message}\n  → change schema.ts, or roll back and push again: "
                    f"{run} rollback && {run} sandbox push"
                )
                return service, False
    if database and (renew or not _documents(service).exists()):
        config["seed"] = _write_seed(project, database, service)
    service.stop()
    if renew:
        _forget(service)
    write_private(service.config, json.dumps(_deployment(service, target) | config))
    service.start([*command, str(service.config)], cwd=program.folder)
    return service, True


def _check(service: Service, command: list[str], folder: Path, config: dict[str, Any]) -> None:
    """Raise the error with which a host with this config would fail, while the current one runs."""
    file = service.root / f"{service.name}.next.json"
    write_private(file, json.dumps(config))
    try:
        checked = subprocess.run(
            [*command, str(file), "--check"],
            cwd=folder, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=START_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise StagesError(
            f"{config['convex']} did not load within {START_SECONDS:.0f} seconds",
            "look for what schema.ts, http.ts or a module of the plan waits for",
        ) from None
    finally:
        file.unlink()
    if checked.returncode != 0:
        last = next(iter(checked.stderr.strip().splitlines()[-1:]), "it gave no reason")
        raise _refusal(service, checked.stderr, config["convex"]) or StagesError(last)


def wait_for_host(service: Service, progress: Progress) -> SandboxDeployment:
    """Wait until the deployment serves; if it has no HTTP actions, note why on `progress`.

    Raises UserError if it can't start with the kept documents, or if schema.ts or a module that the
    migration calls can't be loaded.
    """
    progress.start("sandbox", "Convex")
    try:
        service.wait_for_addresses()
    except StagesError as error:
        folder = (read_json(service.config) or {}).get("convex", service.root)
        raise _refusal(service, service.read_log(), folder) or error from None
    deployment = read_deployment(service)
    if deployment is None:
        raise service.failure("stopped as soon as it had started")
    progress.done("sandbox", "Convex", "")
    if deployment.unrouted:
        progress.note(f"the sandbox serves no HTTP action: {deployment.unrouted}")
    return deployment


def _refusal(service: Service, log: str, convex: str) -> UserError | None:
    """The error in a host's log if it can't start with the documents or a module of `convex`."""
    for line in log.splitlines():
        if line.startswith(UNFIT):
            target = service.name.removeprefix("convex-")
            change = "change schema.ts, or " if "schema.ts" in line else ""
            return UnfitDocuments(
                line.removeprefix(UNFIT),
                f"{change}forget the documents with: stages --target {target} sandbox up --renew",
            )
        if line.startswith(UNLOADABLE):
            problem = json.loads(line.removeprefix(UNLOADABLE))
            return module_problem(Path(problem["file"]), Path(convex), problem)
    return None


def read_deployment(service: Service) -> SandboxDeployment | None:
    """The deployment that a host serves; None if it is not serving."""
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
        unrouted=addresses.get("unrouted"),
    )


def host_service(root: Path, target: str) -> Service:
    """The process of a target's host. Raises UserError if the target's name is invalid."""
    require_target_name(target)
    return Service(root=root, name=f"convex-{target}")


def host_targets(root: Path) -> list[str]:
    """The targets that have or had a host."""
    return sorted(path.name[len("convex-") : -len(".lock")] for path in root.glob("convex-*.lock"))


def remove_seed(service: Service) -> None:
    """Remove the seed of a stopped host: its documents are kept in another file."""
    _seed(service).unlink(missing_ok=True)


def _modules(project: Path) -> list[str]:
    """The modules of the plan's functions; if no plan can be read, the one that init writes."""
    try:
        plan = load_plan(plan_file(project))
    except UserError:  # the code that needs the plan reports the error
        return ["stages"]
    functions = (table.function for table in plan.tables.values())
    return sorted({plan.module, *(function.partition(":")[0] for function in functions)})


def convex_digest(folder: Path) -> str:
    """A digest of the modules in a convex folder, and of the files there that they may import."""
    files = (
        file
        for file in sorted(folder.rglob("*"))
        if PUSHED_FILE.fullmatch(file.suffix) and "node_modules" not in file.parts
    )
    return fingerprint(
        [[str(file.relative_to(folder)), hash_file(file)] for file in files if file.is_file()]
    )


def _deployment(service: Service, target: str) -> dict[str, Any]:
    """Name, admin key and environment of the kept deployment, or of a new one."""
    kept = read_json(_record(service))
    if kept is None:
        _forget(service)  # a new deployment must not get the documents of another
        name = f"{target}-{secrets.token_hex(3)}"
        kept = {
            "name": name,
            "adminKey": f"{name}|{secrets.token_hex(32)}",
            "env": {"MIGRATION_SECRET": secrets.token_hex(24)},
        }
        write_private(_record(service), json.dumps(kept))
    return kept


def _forget(service: Service) -> None:
    """Discard the deployment and its documents, so that the next one starts empty."""
    for file in (_documents(service), _record(service)):
        file.unlink(missing_ok=True)


def _record(service: Service) -> Path:
    return service.root / f"{service.name}.deployment.json"


def _documents(service: Service) -> Path:
    return service.root / f"{service.name}.documents.jsonl"


def _seed(service: Service) -> Path:
    return service.root / f"{service.name}.seed.jsonl"


def _write_seed(project: Path, database: Postgres, service: Service) -> str | None:
    """Write the documents that Convex has before the migration, made by data/sandbox/convex.sql."""
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
