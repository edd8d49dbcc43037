"""Environment and .env.local → one frozen Settings. Secrets never show in a repr or a message."""

from __future__ import annotations

import base64
import binascii
import io
import json
import os
import re
import shlex
import stat
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stages.errors import FileError, SettingError, UserError
from stages.project.connection_string import check_db_url
from stages.project.endpoints import (
    LOOPBACK,
    convex_addresses,
    server_name,
    site_address,
    supabase_ref,
)
from stages.project.plan import SETTING_NAMES, Plan
from stages.project.text_files import read_text_file

if TYPE_CHECKING:
    from stages.progress import Progress
    from stages.sandbox import State

# What pyproject.toml of this repository says, and no other project does.
DISTRIBUTION = "supabase-to-convex"
MINIMUM_SECRET = 32
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


# Seconds; see stages.extract.line.
MAX_SILENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Source:
    """One Supabase project, by REST, by direct Postgres, or both."""

    ref: str
    url: str | None
    key: Secret | None
    db_url: Secret | None
    sandbox: bool = False
    # Seconds without a byte from Postgres, after which a connection counts as lost.
    max_silence: float = MAX_SILENCE

    @property
    def label(self) -> str:
        return f"Supabase {self.ref}"


@dataclass(frozen=True, kw_only=True)
class Target:
    """One Convex deployment, and the channels that the settings open.

    `production`: whether it is treated as one, which a deployment of unknown kind is, too; then
    `certain` is False.
    """

    name: str
    deployment: str
    url: str
    site_url: str | None
    admin_key: Secret | None
    secret: Secret | None
    production: bool = False
    certain: bool = True
    sandbox: bool = False

    @property
    def label(self) -> str:
        return f"Convex {self.deployment}"

    @property
    def push(self) -> str:
        """The command that pushes convex/ to it, for a hint."""
        if self.sandbox:
            return "stages sandbox push"
        return "npx convex deploy (dev: npx convex dev --once)"


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
    """.env.local below the process environment, which wins. Raises FileError for one that can't be
    read."""
    from dotenv import dotenv_values

    file = project / ".env.local"
    try:
        text = read_text_file(file)
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise FileError(
            f".env.local can't be read: {error.strerror}",
            f"see: ls -l {shlex.quote(str(file))}",
            file=file,
        ) from None
    given = {k: v for k, v in dotenv_values(stream=io.StringIO(text)).items() if v}
    return {**given, **os.environ}


def note_readable(project: Path) -> str | None:
    """A sentence where .env.local can be read by other users of this machine."""
    file = project / ".env.local"
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return None
    if not mode & (stat.S_IRGRP | stat.S_IROTH):
        return None
    return (
        f"other users of this machine can read {file} (mode {mode:o}), and it may hold keys: "
        f"chmod 600 {shlex.quote(str(file))}"
    )


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
        wanted = [
            names[n] for n in ("SUPABASE_DB_URL", "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY")
        ]
        raise SettingError(
            f"no source is set: {wanted[0]}, or {wanted[1]} with {wanted[2]}",
            "write them to .env.local, or try the sandbox: stages --target sandbox check",
            settings=wanted,
        )
    refs: dict[str, str | None] = {}
    address = ""
    if url:
        ref = supabase_ref(url, names["SUPABASE_URL"])
        address = server_name(url)
        if key:
            name = names["SUPABASE_SERVICE_ROLE_KEY"]
            refs[names["SUPABASE_URL"]] = ref
            refs[name] = check_key(key, name)
    if db_url:
        name = names["SUPABASE_DB_URL"]
        refs[name], server = check_db_url(db_url, name)
        address = address or server
    known = {name: ref for name, ref in refs.items() if ref}
    if len(set(known.values())) > 1:
        seen = ", ".join(f"{name} is of {ref}" for name, ref in known.items())
        raise SettingError(
            f"the settings name two Supabase projects: {seen}", "make them name one", settings=known
        )
    ref = next(iter(known.values()), None) or address
    return Source(
        ref=ref,
        url=url.rstrip("/") if url and key else None,
        key=Secret(key) if url and key else None,
        db_url=Secret(db_url) if db_url else None,
        max_silence=_max_silence(environ),
    )


def _max_silence(environ: Mapping[str, str]) -> float:
    text = environ.get("STAGES_MAX_SILENCE") or str(MAX_SILENCE)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise SettingError(
            f"STAGES_MAX_SILENCE is {text!r}, which is no number of seconds",
            "set it to seconds without a byte from Postgres, such as 60, or not at all",
            settings=["STAGES_MAX_SILENCE"],
        )
    return seconds


def check_key(key: str, name: str) -> str | None:
    """The project ref inside a key, where it has one; refuses keys that row security limits.

    Source: Supabase's key kinds; an anon key answers 200 with no rows instead of an error.
    """
    if key.startswith("sb_secret_"):
        return None
    if key.startswith("sb_publishable_"):
        raise SettingError(
            f"{name} is a publishable key: row security would hide rows",
            "use the sb_secret_… key of the project's API settings",
            settings=[name],
        )
    claims = _claims(key)
    if claims is None:
        raise SettingError(
            f"{name} is neither an sb_secret_… key nor a JWT",
            "copy the service_role key from the project's API settings",
            settings=[name],
        )
    role = claims.get("role")
    if role != "service_role":
        raise SettingError(
            f"{name} is a key of the role `{role}`: row security would hide rows",
            "use the service_role key of the project's API settings",
            settings=[name],
        )
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires < time.time():
        raise SettingError(
            f"{name} has expired", "make a new key in the project's API settings", settings=[name]
        )
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
    url_name, url = _first_set(environ, names, "CONVEX_URL", "CONVEX_SELF_HOSTED_URL")
    key_name, key = _first_set(environ, names, "CONVEX_DEPLOY_KEY", "CONVEX_SELF_HOSTED_ADMIN_KEY")
    secret = environ.get(names["MIGRATION_SECRET"])
    if not url:
        raise SettingError(
            f"{url_name} is not set, so there is no deployment to load to",
            "write it to .env.local, or try the sandbox: stages --target sandbox check",
            settings=[url_name],
        )
    if not key and not secret:
        raise SettingError(
            f"neither {key_name} nor {names['MIGRATION_SECRET']} is set",
            "make a deploy key on the deployment's settings page",
            settings=[key_name, names["MIGRATION_SECRET"]],
        )
    if secret and len(secret) < MINIMUM_SECRET:
        raise SettingError(
            f"{names['MIGRATION_SECRET']} is shorter than {MINIMUM_SECRET} characters",
            "make one with: openssl rand -hex 32",
            settings=[names["MIGRATION_SECRET"]],
        )
    site_name = names["CONVEX_SITE_URL"]
    api, site, named = convex_addresses(url, url_name)
    kind, keyed = deployment_of_key(key, key_name) if key else ("", None)
    if named and keyed and named != keyed:
        raise SettingError(
            f"the deploy key is of `{keyed}`, the address of `{named}`",
            f"make {url_name} and {key_name} name one deployment",
            settings=[url_name, key_name],
        )
    given = environ.get(site_name)
    if given:
        site = site_address(given, site_name, api, site, keyed)
    certain = _is_certain(kind, api, cloud=named is not None)
    return Target(
        name=target,
        deployment=keyed or named or server_name(url),
        url=api,
        site_url=site,
        admin_key=Secret(key) if key else None,
        secret=Secret(secret) if secret else None,
        production=kind == "prod" or not certain,
        certain=certain,
    )


def _is_certain(kind: str, api: str, *, cloud: bool) -> bool:
    """Whether the kind of a deployment is known: by its key, or since it is on this machine."""
    if kind == "self-hosted":
        return not cloud
    return kind in ("prod", "dev", "preview") or (urlsplit(api).hostname or "") in LOOPBACK


def _first_set(
    environ: Mapping[str, str], names: Mapping[str, str], *settings: str
) -> tuple[str, str | None]:
    """(variable, value) of the first of some settings that is set; else the first, and None."""
    for setting in settings:
        if value := environ.get(names[setting]):
            return names[setting], value
    return names[settings[0]], None


def deployment_of_key(key: str, name: str) -> tuple[str, str | None]:
    """(kind, deployment name) of a deploy key: `prod:name|secret`, or `name|hex` self-hosted."""
    head, bar, _ = key.partition("|")
    if not bar:
        raise SettingError(
            "the deploy key has no `|` in it",
            "copy it whole, as prod:<deployment>|<secret>",
            settings=[name],
        )
    kind, colon, name = head.partition(":")
    if not colon:
        return "self-hosted", head
    return kind, name if kind in ("prod", "dev") else None
