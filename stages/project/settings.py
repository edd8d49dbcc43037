"""Environment and .env.local → one frozen Settings. Secrets never show in a repr or a message."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from stages.errors import UserError
from stages.project.plan import SETTING_NAMES, Plan

if TYPE_CHECKING:
    from stages.progress import Progress
    from stages.sandbox import State

# What pyproject.toml of this repository says, and no other project does.
DISTRIBUTION = "supabase-to-convex"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
MINIMUM_SECRET = 32
ENCRYPTED = {"require", "verify-ca", "verify-full"}
NO_DB_URL = "SUPABASE_DB_URL is not a postgresql:// address"
DB_URL_HINT = "copy it from the project's Connect page; percent-encode the password"
# Targets that are sandbox deployments, unless the plan has an entry of that name.
SANDBOX = re.compile(r"sandbox(-.*)?")


@dataclass(frozen=True)
class Secret:
    """A value that passes through, and is shown to nobody."""

    _value: str

    def reveal(self) -> str:
        """The value itself; call it only where it goes on the wire."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__


@dataclass(frozen=True, kw_only=True)
class Source:
    """One Supabase project, by REST, by direct Postgres, or both."""

    ref: str
    url: str | None
    key: Secret | None
    db_url: Secret | None
    sandbox: bool = False

    @property
    def label(self) -> str:
        return f"Supabase {self.ref}"


@dataclass(frozen=True, kw_only=True)
class Target:
    """One Convex deployment, and the channels that the settings open."""

    name: str
    deployment: str
    url: str
    site_url: str | None
    admin_key: Secret | None
    secret: Secret | None
    production: bool = False
    sandbox: bool = False

    @property
    def label(self) -> str:
        return f"Convex {self.deployment}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a command needs to reach both sides."""

    source: Source
    target: Target


def resolve_target(
    project: Path, plan: Plan | None, target: str | None, environ: Mapping[str, str]
) -> str:
    """The name of the target folder: the one that was named, else the plan's `default_target`, else
    `sandbox` where that is used.

    Raises UserError for a name that neither the plan nor the sandbox knows.
    """
    target = target or (plan.default_target if plan else None)
    if target is None:
        return "sandbox" if _uses_sandbox(project, plan, None, environ) else "default"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", target):
        raise UserError(f"`{target}` is not a target's name: letters, digits, - and _ only")
    known = plan.targets if plan else {}
    if target != "default" and target not in known and not SANDBOX.fullmatch(target):
        raise UserError(
            f"the plan has no [targets.{target}]",
            "add it to plan.toml with the environment variables that it is to use, or run with "
            "--target sandbox",
        )
    return target


def read_environment(project: Path) -> dict[str, str]:
    """.env.local below the process environment, which wins."""
    from dotenv import dotenv_values

    file = {k: v for k, v in dotenv_values(project / ".env.local").items() if v}
    return {**file, **os.environ}


def load_settings(
    project: Path,
    plan: Plan,
    target: str,
    environ: Mapping[str, str],
    progress: Progress | None = None,
) -> Settings:
    """Settings for one target; starts the sandbox where it is the one to use.

    Raises UserError where a setting is missing, wrong, or names two projects at once.
    """
    if _uses_sandbox(project, plan, target, environ):
        return _sandbox(project, target, progress)
    names = _names(plan, target)
    source = _source(environ, names)
    return Settings(source=source, target=_target(environ, names, target))


def load_source(
    project: Path, plan: Plan | None, target: str | None, environ: Mapping[str, str]
) -> Source:
    """The source alone, for a project that may have no plan yet; no deployment is needed.

    Starts the sandbox' source where that is the one to use. Raises UserError as `load_settings`.
    """
    if _uses_sandbox(project, plan, target, environ):
        from stages import sandbox

        return _sandbox_source(sandbox.up(project, []))
    return _source(environ, _names(plan, target or "default"))


def _names(plan: Plan | None, target: str) -> dict[str, str]:
    """Setting → environment variable, as `[targets.NAME]` of the plan renames it."""
    names = {name: name for name in SETTING_NAMES}
    if plan is None:
        return names
    if target in plan.targets:
        names |= {key.upper(): variable for key, variable in plan.targets[target].items()}
    return names


def _uses_sandbox(
    project: Path, plan: Plan | None, target: str | None, environ: Mapping[str, str]
) -> bool:
    if target is not None and plan is not None and target in plan.targets:
        return False
    if target is not None and SANDBOX.fullmatch(target):
        return True
    return not any(environ.get(name) for name in SETTING_NAMES) and _is_this_repository(project)


def _is_this_repository(project: Path) -> bool:
    """Whether the project is the one that stages ships: a checkout, wherever stages runs from."""
    try:
        settings = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    described = settings.get("project")
    return isinstance(described, dict) and described.get("name") == DISTRIBUTION


def _sandbox(project: Path, target: str, progress: Progress | None) -> Settings:
    from stages import sandbox

    state = sandbox.up(project, [target], progress)
    deployment = state.deployments[target]
    return Settings(
        source=_sandbox_source(state),
        target=Target(
            name=target,
            deployment=deployment.name,
            url=deployment.url,
            site_url=deployment.site_url,
            admin_key=Secret(deployment.admin_key),
            secret=Secret(deployment.migration_secret),
            sandbox=True,
        ),
    )


def _sandbox_source(state: State) -> Source:
    return Source(
        ref=state.source.ref,
        url=state.source.url,
        key=Secret(state.source.service_role_key),
        db_url=Secret(state.source.db_url),
        sandbox=True,
    )


# ── Supabase ────────────────────────────────────────────────────────────────────────────────


def _source(environ: Mapping[str, str], names: Mapping[str, str]) -> Source:
    url = environ.get(names["SUPABASE_URL"])
    key = environ.get(names["SUPABASE_SERVICE_ROLE_KEY"])
    db_url = environ.get(names["SUPABASE_DB_URL"])
    if not db_url and not (url and key):
        raise UserError(
            "no source is set: SUPABASE_DB_URL, or SUPABASE_URL with SUPABASE_SERVICE_ROLE_KEY",
            "write them to .env.local, or try the sandbox: stages --target sandbox check",
        )
    refs: dict[str, str | None] = {}
    address = _address(url) if url and _split(url) else ""
    if url and key:
        refs["SUPABASE_URL"] = _ref_of_url(url)
        claim = check_key(key, names["SUPABASE_SERVICE_ROLE_KEY"])
        if claim:
            refs["SUPABASE_SERVICE_ROLE_KEY"] = claim
    if db_url:
        refs["SUPABASE_DB_URL"], server = check_db_url(db_url)
        address = address or server
    known = {name: ref for name, ref in refs.items() if ref}
    if len(set(known.values())) > 1:
        seen = ", ".join(f"{name} is of {ref}" for name, ref in known.items())
        raise UserError(f"the settings name two Supabase projects: {seen}", "make them name one")
    ref = next(iter(known.values()), None) or address
    return Source(
        ref=ref,
        url=url.rstrip("/") if url and key else None,
        key=Secret(key) if url and key else None,
        db_url=Secret(db_url) if db_url else None,
    )


def _address(url: str) -> str:
    """host:port/database: the best name of a server that has no project ref."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or ''}{parts.path.rstrip('/')}"


def _split(url: str) -> SplitResult | None:
    """An address taken apart; None for what is none. The reasons would show parts of a password."""
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _ref_of_url(url: str) -> str | None:
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https"):
        raise UserError("SUPABASE_URL is not an address such as https://<ref>.supabase.co")
    host = parts.hostname or ""
    match = re.fullmatch(r"([a-z0-9]{15,})\.supabase\.(co|in|net|red)", host)
    if parts.scheme == "http" and host not in LOOPBACK:
        raise UserError(f"SUPABASE_URL is not encrypted (http://{host})", "use https://")
    return match[1] if match else None


def check_db_url(url: str) -> tuple[str | None, str]:
    """(project ref or None, host:port/database) of a connection string, as libpq reads it.

    Raises UserError for one that libpq does not take, that names no server, or that may send the
    data to another machine in plain text. No message shows a part of the password.
    """
    parts = read_db_url(url)
    hosts = [name for key in ("host", "hostaddr") for name in parts.get(key, "").split(",") if name]
    if not hosts or any(name.startswith("/") for name in hosts):
        raise UserError(NO_DB_URL, DB_URL_HINT)
    mode = parts.get("sslmode")
    if not LOOPBACK.issuperset(hosts) and mode and mode not in ENCRYPTED:
        raise UserError(
            f"SUPABASE_DB_URL says sslmode={mode}, which may send the data in plain text",
            "use sslmode=require, or verify-full with the project's certificate",
        )
    address = f"{hosts[0]}:{parts.get('port', '')}/{parts.get('dbname', '')}".rstrip("/")
    direct = re.fullmatch(r"db\.([a-z0-9]+)\.supabase\.(co|in|net|red)", hosts[0])
    pooled = re.fullmatch(r"[^.]+\.([a-z0-9]+)", parts.get("user", ""))
    match = direct or pooled
    return match[1] if match else None, address


def read_db_url(url: str) -> dict[str, str]:
    """The parameters of a connection string, by libpq's own parser.

    Raises UserError where it would read another host than people do, such as for a password that is
    not percent-encoded: libpq prints what it takes for the host.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    split = _split(url)
    outside = split is not None and "@" in url and "@" not in split.netloc
    if (
        split is None
        or split.scheme not in ("postgres", "postgresql")
        or url.count("@") > 1
        or outside
    ):
        raise UserError(NO_DB_URL, DB_URL_HINT)
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except ProgrammingError as error:
        # Only the name of a parameter is shown: the other reasons quote parts of the address.
        name = re.search(r'invalid URI query parameter: "(\w+)"', str(error))
        if name:
            raise UserError(
                f"SUPABASE_DB_URL has the parameter `{name[1]}`, which libpq does not know",
                "leave it out: it is meant for another client",
            ) from None
        raise UserError(NO_DB_URL, DB_URL_HINT) from None
    port = parts.get("port", "").replace(",", "")
    several = "," in parts.get("host", "")
    if (port and not (port.isascii() and port.isdecimal())) or not (
        several or "host" in split.query or split.hostname == parts.get("host", "").lower()
    ):
        raise UserError(NO_DB_URL, DB_URL_HINT)
    return parts


def check_key(key: str, name: str) -> str | None:
    """The project ref inside a key, where it has one; refuses keys that row security limits.

    Source: Supabase's key kinds; an anon key answers 200 with no rows instead of an error.
    """
    if key.startswith("sb_secret_"):
        return None
    if key.startswith("sb_publishable_"):
        raise UserError(
            f"{name} is a publishable key: row security would hide rows",
            "use the sb_secret_… key of the project's API settings",
        )
    claims = _claims(key)
    if claims is None:
        raise UserError(
            f"{name} is neither an sb_secret_… key nor a JWT",
            "copy the service_role key from the project's API settings",
        )
    role = claims.get("role")
    if role != "service_role":
        raise UserError(
            f"{name} is a key of the role `{role}`: row security would hide rows",
            "use the service_role key of the project's API settings",
        )
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires < time.time():
        raise UserError(f"{name} has expired", "make a new key in the project's API settings")
    ref = claims.get("ref")
    return ref if isinstance(ref, str) else None


def _claims(key: str) -> dict[str, object] | None:
    """A JWT's payload, unverified: the server does that; we only read what it says of itself."""
    parts = key.split(".")
    if len(parts) != 3:
        return None
    try:
        decoded = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, UnicodeDecodeError, json.JSONDecodeError):
        return None
    return decoded if isinstance(decoded, dict) else None


# ── Convex ──────────────────────────────────────────────────────────────────────────────────


def _target(environ: Mapping[str, str], names: Mapping[str, str], target: str) -> Target:
    hosted = environ.get(names["CONVEX_SELF_HOSTED_URL"])
    url = environ.get(names["CONVEX_URL"]) or hosted
    key = environ.get(names["CONVEX_DEPLOY_KEY"]) or environ.get(
        names["CONVEX_SELF_HOSTED_ADMIN_KEY"]
    )
    secret = environ.get(names["MIGRATION_SECRET"])
    if not url:
        raise UserError(
            f"{names['CONVEX_URL']} is not set, so there is no deployment to load to",
            "write it to .env.local, or try the sandbox: stages --target sandbox check",
        )
    if not key and not secret:
        raise UserError(
            f"neither {names['CONVEX_DEPLOY_KEY']} nor {names['MIGRATION_SECRET']} is set",
            "make a deploy key on the deployment's settings page",
        )
    if secret and len(secret) < MINIMUM_SECRET:
        raise UserError(
            f"{names['MIGRATION_SECRET']} is shorter than {MINIMUM_SECRET} characters",
            "make one with: openssl rand -hex 32",
        )
    api, site, named = convex_addresses(url)
    site = environ.get(names["CONVEX_SITE_URL"]) or site
    kind, keyed = deployment_of_key(key) if key else ("", None)
    if named and keyed and named != keyed:
        raise UserError(
            f"the deploy key is of `{keyed}`, the address of `{named}`",
            f"make {names['CONVEX_URL']} and {names['CONVEX_DEPLOY_KEY']} name one deployment",
        )
    return Target(
        name=target,
        deployment=keyed or named or _address(url),
        url=api,
        site_url=site.rstrip("/") if site else None,
        admin_key=Secret(key) if key else None,
        secret=Secret(secret) if secret else None,
        production=kind == "prod",
    )


def convex_addresses(url: str) -> tuple[str, str | None, str | None]:
    """(API address, site address, deployment name) of a .convex.cloud or .convex.site address.

    A self-hosted address has no name in it, and its site address is a setting of its own.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https"):
        raise UserError("CONVEX_URL is not an address such as https://<name>.convex.cloud")
    host = parts.hostname or ""
    if parts.scheme == "http" and host not in LOOPBACK:
        raise UserError(f"CONVEX_URL is not encrypted (http://{host})", "use https://")
    match = re.fullmatch(r"([a-z0-9-]+)((?:\.[a-z0-9-]+)*)\.convex\.(cloud|site)", host)
    if not match:
        return url.rstrip("/"), None, None
    stem = f"https://{match[1]}{match[2]}.convex"
    return f"{stem}.cloud", f"{stem}.site", match[1]


def deployment_of_key(key: str) -> tuple[str, str | None]:
    """(kind, deployment name) of a deploy key: `prod:name|secret`, or `name|hex` self-hosted."""
    head, bar, _ = key.partition("|")
    if not bar:
        raise UserError(
            "the deploy key has no `|` in it", "copy it whole, as prod:<deployment>|<secret>"
        )
    kind, colon, name = head.partition(":")
    if not colon:
        return "self-hosted", head
    return kind, name if kind in ("prod", "dev") else None
