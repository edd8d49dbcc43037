"""Check the addresses of both sides: https except on this machine, no keys, one deployment."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from stages.errors import SettingError

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
CONVEX_EXAMPLE = "https://<name>.convex.cloud"
SITE_EXAMPLE = "https://<name>.convex.site"
# What Supabase's client adds by itself.
API_PATH = re.compile(r"/(rest|auth|storage|graphql|functions)/v1\b")


def split_address(url: str) -> SplitResult | None:
    """The parts of an address; None if it is not one. A reason could show parts of a password."""
    try:
        parts = urlsplit(url)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def server_name(url: str) -> str:
    """host:port/database: the best name of a server that has no project ref."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or ''}{parts.path.rstrip('/')}"


def read_endpoint(url: str, name: str, example: str) -> SplitResult:
    """The parts of an http(s) address; `name` is the setting. Raises SettingError if it is not one,
    has a user or a password in it, or is plain http to another machine. No message shows these."""
    parts = split_address(url)
    if parts is None or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise SettingError(f"{name} is not an address such as {example}", settings=[name])
    if "@" in parts.netloc:
        raise SettingError(
            f"{name} has a user or a password in it",
            f"write the address alone, such as {example}; keys are settings of their own",
            settings=[name],
        )
    host = parts.hostname or ""
    if parts.scheme == "http" and host not in LOOPBACK:
        raise SettingError(
            f"{name} is not encrypted (http://{host})", "use https://", settings=[name]
        )
    return parts


def supabase_ref(url: str, name: str) -> str | None:
    """The project ref in SUPABASE_URL, None for a server that has none in its address.

    Raises SettingError if it is not the address of a project.
    """
    parts = read_endpoint(url, name, "https://<ref>.supabase.co")
    path = API_PATH.match(parts.path)
    if path:
        raise SettingError(
            f"{name} has the path {path[0]} in it",
            f"write the project's address alone: {parts.scheme}://{parts.netloc}",
            settings=[name],
        )
    match = re.fullmatch(r"([a-z0-9]{15,})\.supabase\.(co|in|net|red)", parts.hostname or "")
    return match[1] if match else None


def convex_addresses(url: str, name: str) -> tuple[str, str | None, str | None]:
    """(API address, site address, deployment name) of a .convex.cloud or .convex.site address.

    A self-hosted address has no name in it, and its site address is a setting of its own.
    """
    host = read_endpoint(url, name, CONVEX_EXAMPLE).hostname or ""
    match = _convex_name(host)
    if not match:
        return url.rstrip("/"), None, None
    stem = f"https://{match[1]}{match[2]}.convex"
    return f"{stem}.cloud", f"{stem}.site", match[1]


def site_address(url: str, name: str, api: str, derived: str | None, keyed: str | None) -> str:
    """Check CONVEX_SITE_URL, which the secret is sent to. `derived` is the site of a cloud
    deployment, `keyed` the name in the deploy key.

    Raises SettingError unless it meets the rules of CONVEX_URL and belongs to the same deployment:
    the same one by its name; self-hosted, this machine, the same host or another name of its
    domain.
    """
    host = (read_endpoint(url, name, SITE_EXAMPLE).hostname or "").lower()
    api_host = (urlsplit(api).hostname or "").lower()
    cloud = _convex_name(host)
    if derived:
        same = cloud is not None and convex_addresses(url, name)[1] == derived
        url, hint = derived, f"leave it out: the site of {api} is {derived}"
    elif cloud:
        same = cloud[1] == keyed
        url, hint = convex_addresses(url, name)[1] or url, "make both name one deployment"
    else:
        local = host in LOOPBACK and api_host in LOOPBACK
        same = local or host == api_host or bool(_domains(host) & _domains(api_host))
        hint = "set it to the address at which that deployment serves HTTP actions"
    if not same:
        raise SettingError(
            f"{name} is at {host}, which is not the deployment at {api_host}", hint, settings=[name]
        )
    return url.rstrip("/")


def _convex_name(host: str) -> re.Match[str] | None:
    return re.fullmatch(r"([a-z0-9-]+)((?:\.[a-z0-9-]+)*)\.convex\.(cloud|site)", host)


def _domains(host: str) -> set[str]:
    """The host and its parent domain, except for IP addresses and top-level domains."""
    parent = host.partition(".")[2]
    return {host, parent} if "." in parent and re.search(r"[a-z]$", host) else {host}
