"""Environment and .env.local → one frozen Settings. Secrets never show in a repr or a message."""

from __future__ import annotations

import base64
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
from stages.names import is_it
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
from stages.state.workspace import require_target_name

if TYPE_CHECKING:
    from stages.progress import Progress
    from stages.sandbox import SandboxDeployment, State

# The name in the pyproject.toml of this repository, and of no other project.
DISTRIBUTION = "supabase-to-convex"
MINIMUM_SECRET = 32
# Targets that are sandbox deployments, unless the plan has an entry of that name.
SANDBOX_NAME = re.compile(r"sandbox(-.*)?")


@dataclass(frozen=True)
class Secret:
    """A value that is passed on, and never shown."""

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

    `production`: whether it is treated as a production deployment, as one of unknown kind is too;
    `certain` is then False.
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
    """The target's name: the given one, else the plan's `default_target`, else `sandbox` if that is
    used, else `default`.

    Raises UserError for a name that is neither in the plan nor a sandbox.
    """
    target = target or (plan.default_target if plan else None)
    if target is None:
        return "sandbox" if _uses_sandbox(project, plan, None, environ) else "default"
    require_target_name(target)
    known = plan.targets if plan else {}
    if target != "default" and target not in known and not names_sandbox(plan, target):
        raise UserError(
            f"the plan has no [targets.{target}]" + is_it(target, [*known, "sandbox"]),
            "add it to plan.toml with the environment variables that it is to use, or run with "
            "--target sandbox",
        )
    return target


def read_environment(project: Path) -> dict[str, str]:
    """The variables of .env.local and of the process environment, which wins. Raises FileError if
    .env.local can't be read."""
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
    """A sentence if other users of this machine can read .env.local, else None."""
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
    """Settings for one target; starts the sandbox if it is used.

    Raises UserError if a setting is missing or wrong, or if the settings name two projects.
    """
    if _uses_sandbox(project, plan, target, environ):
        return _sandbox(project, target, progress)
    names = setting_variables(plan, target)
    source = _source(environ, names)
    if plan.loads_into_sandbox(target):
        return Settings(source=source, target=_sandbox_deployment(project, target, progress))
    return Settings(source=source, target=_target(environ, names, target, plan.rehearsal))


def unused_settings(settings: Settings, plan: Plan, environ: Mapping[str, str]) -> list[str]:
    """Variables that are set and not used, because a sandbox takes their place."""
    unused = [
        variable
        for name, variable in setting_variables(plan, settings.target.name).items()
        if (settings.source if name.startswith("SUPABASE_") else settings.target).sandbox
    ]
    return [variable for variable in unused if environ.get(variable)]


def load_source(
    project: Path,
    plan: Plan | None,
    target: str | None,
    environ: Mapping[str, str],
    progress: Progress | None = None,
) -> Source:
    """The source alone, for a project that may have no plan yet; no deployment is needed.

    Starts the sandbox' source if it is used. Raises UserError like `load_settings`.
    """
    if _uses_sandbox(project, plan, target, environ):
        from stages import sandbox

        return _sandbox_source(sandbox.up(project, [], progress))
    return _source(environ, setting_variables(plan, target or "default"))


def setting_variables(plan: Plan | None, target: str) -> dict[str, str]:
    """Setting → environment variable, as `[targets.NAME]` of the plan renames it."""
    names = {name: name for name in SETTING_NAMES}
    if plan is None:
        return names
    renamed = plan.targets.get(target, {})
    return {name: renamed.get(name.lower(), variable) for name, variable in names.items()}


def names_sandbox(plan: Plan | None, target: str) -> bool:
    """Whether a target's name means a sandbox of both sides, and no entry of the plan."""
    return target not in (plan.targets if plan else ()) and bool(SANDBOX_NAME.fullmatch(target))


def convex_is_sandbox(
    project: Path, plan: Plan | None, target: str | None, environ: Mapping[str, str]
) -> bool:
    """Whether the Convex of a target (by default the plan's default target) is a sandbox."""
    target = target or (plan.default_target if plan else None)
    if plan and target and plan.loads_into_sandbox(target):
        return True
    return _uses_sandbox(project, plan, target, environ)


def _uses_sandbox(
    project: Path, plan: Plan | None, target: str | None, environ: Mapping[str, str]
) -> bool:
    if target is not None and plan is not None and target in plan.targets:
        return False
    if target is not None and names_sandbox(plan, target):
        return True
    return not any(environ.get(name) for name in SETTING_NAMES) and _is_this_repository(project)


def _is_this_repository(project: Path) -> bool:
    """Whether the project is a checkout of stages' own repository, wherever stages runs from."""
    try:
        settings = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    described = settings.get("project")
    return isinstance(described, dict) and described.get("name") == DISTRIBUTION


def _sandbox(project: Path, target: str, progress: Progress | None) -> Settings:
    from stages import sandbox

    state = sandbox.up(project, [target], progress)
    return Settings(
        source=_sandbox_source(state), target=sandbox_target(target, state.deployments[target])
    )


def _sandbox_deployment(project: Path, target: str, progress: Progress | None) -> Target:
    """A Convex on this machine, for a source that is not a sandbox."""
    from stages import sandbox

    return sandbox_target(target, sandbox.deploy(project, target, progress))


def sandbox_target(target: str, deployment: SandboxDeployment) -> Target:
    """A Convex on this machine as a target."""
    return Target(
        name=target,
        deployment=deployment.name,
        url=deployment.url,
        site_url=deployment.site_url,
        admin_key=Secret(deployment.admin_key),
        secret=Secret(deployment.migration_secret),
        sandbox=True,
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
            f"the settings name two Supabase projects: {seen}",
            "make them name the same project",
            settings=known,
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
            f"STAGES_MAX_SILENCE is {text!r}, which is not a number of seconds",
            "set it to the longest silence to wait for, in seconds, such as 60, or unset it",
            settings=["STAGES_MAX_SILENCE"],
        )
    return seconds


def check_key(key: str, name: str) -> str | None:
    """The project ref inside a key, if it has one; refuses keys that row security limits.

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
    """A JWT's payload, unverified: that is up to the server; this only reads what it claims."""
    parts = key.split(".")
    if len(parts) != 3:
        return None
    try:
        decoded = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


# ── Convex ──────────────────────────────────────────────────────────────────────────────────


def _target(
    environ: Mapping[str, str], names: Mapping[str, str], target: str, rehearsal: str
) -> Target:
    url_name, url = _first_set(environ, names, "CONVEX_URL", "CONVEX_SELF_HOSTED_URL")
    key_name, key = _first_set(environ, names, "CONVEX_DEPLOY_KEY", "CONVEX_SELF_HOSTED_ADMIN_KEY")
    secret = environ.get(names["MIGRATION_SECRET"])
    if not url:
        raise SettingError(
            f"{url_name} is not set, so there is no deployment to load to",
            f"write it to .env.local, or rehearse without a deployment: {rehearsal}",
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
    """Whether a deployment's kind is known: from its key, or because it is on this machine."""
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
