"""SUPABASE_DB_URL as libpq reads it: parse it, refuse what is unsafe, and enforce TLS."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from stages.errors import SettingError
from stages.project.endpoints import LOOPBACK, split_address

ENCRYPTED = {"require", "verify-ca", "verify-full"}
PLAIN = {"disable", "allow", "prefer"}
# Seconds; otherwise a host that drops packets would be waited for without end.
CONNECT_TIMEOUT = 15
DB_URL_HINT = "copy it from the project's Connect page; percent-encode the password"


def check_db_url(url: str, name: str) -> tuple[str | None, str]:
    """(project ref or None, host:port/database) of a connection string, as libpq reads it.

    Raises SettingError if libpq rejects it, if it names no server, or if it may send the data to
    another machine in plain text. No message shows a part of the password.
    """
    parts = read_db_url(url, name)
    hosts = _hosts(parts)
    if not hosts or any(host.startswith(("/", "@")) for host in hosts):
        raise _no_db_url(name, url)
    mode = parts.get("sslmode")
    if mode and mode not in ENCRYPTED | PLAIN:
        raise SettingError(
            f"{name} says sslmode={mode}, which libpq does not know",
            "use sslmode=require, or verify-full with the project's certificate",
            settings=[name],
        )
    if mode and mode not in ENCRYPTED and _is_remote(parts):
        raise SettingError(
            f"{name} says sslmode={mode}, which may send the data in plain text",
            "use sslmode=require, or verify-full with the project's certificate",
            settings=[name],
        )
    address = f"{hosts[0]}:{parts.get('port', '')}/{parts.get('dbname', '')}".rstrip("/")
    direct = re.fullmatch(r"db\.([a-z0-9]+)\.supabase\.(co|in|net|red)", hosts[0])
    pooled = re.fullmatch(r"[^.]+\.([a-z0-9]+)", parts.get("user", ""))
    match = direct or pooled
    return match[1] if match else None, address


def secure_db_url(url: str) -> str:
    """The address to connect to: with TLS unless it stays on this machine, and with a timeout."""
    parts = read_db_url(url)
    extra = []
    if not parts.get("sslmode") and _is_remote(parts):
        extra.append("sslmode=require")  # if there are two, libpq takes the last
    if "connect_timeout" not in parts:
        extra.append(f"connect_timeout={CONNECT_TIMEOUT}")
    return url + ("&" if "?" in url else "?") * bool(extra) + "&".join(extra)


def read_db_url(url: str, name: str = "SUPABASE_DB_URL") -> dict[str, str]:
    """The parameters of a connection string, by libpq's own parser.

    Raises SettingError if libpq would read another host than a person does, for example if the
    password is not percent-encoded: libpq prints what it takes for the host.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    split = split_address(url)
    outside = split is not None and "@" in url and "@" not in split.netloc
    if (
        split is None
        or split.scheme not in ("postgres", "postgresql")
        or url.count("@") > 1
        or outside
        or "#" in url
    ):
        raise _no_db_url(name, url)
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except ProgrammingError as error:
        # Only the name of a parameter is shown: the other reasons quote parts of the address.
        unknown = re.search(r'invalid URI query parameter: "([\w.-]+)"', str(error))
        if unknown:
            raise SettingError(
                f"{name} has the parameter `{unknown[1]}`, which libpq does not know",
                "leave it out: it is meant for another client",
                settings=[name],
            ) from None
        raise _no_db_url(name, url) from None
    port = parts.get("port", "").replace(",", "")
    several = "," in parts.get("host", "")
    if (port and not (port.isascii() and port.isdecimal())) or not (
        several or "host" in split.query or split.hostname == parts.get("host", "").lower()
    ):
        raise _no_db_url(name, url)
    return parts


def _no_db_url(name: str, url: str) -> SettingError:
    if _names_socket(url):
        return SettingError(
            f"{name} names a Unix socket, and stages connects to a host",
            "name the host: postgresql://USER:PASSWORD@127.0.0.1:5432/DATABASE",
            settings=[name],
        )
    return SettingError(f"{name} is not a postgresql:// address", DB_URL_HINT, settings=[name])


def _names_socket(url: str) -> bool:
    """Whether libpq would take the folder of a socket for the host."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        host = str(conninfo_to_dict(url).get("host", ""))
    except ProgrammingError:
        return False
    return any(each.startswith("/") for each in host.split(","))


def _hosts(parts: Mapping[str, str]) -> list[str]:
    """Every name and address that may be connected to. libpq adds PGHOSTADDR by itself."""
    address = parts.get("hostaddr") or os.environ.get("PGHOSTADDR", "")
    named = f"{parts.get('host', '')},{address}".split(",")
    return [name for name in named if name]


def _is_remote(parts: Mapping[str, str]) -> bool:
    # A service file may hold any address.
    return "service" in parts or not LOOPBACK.issuperset(_hosts(parts))
