"""A database of the tests' own in the sandbox's server, and projects that extract from it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from stages.extract import postgres, rest, table_extract
from stages.extract.results import ExtractResult
from stages.extract.run import ExtractOptions
from stages.extract.run import extract as run_extract
from stages.extract.transport import Via
from stages.project.plan import Plan
from stages.project.plan_reader import load_plan
from stages.project.settings import Secret, Source
from stages.sandbox import State
from stages.state.manifests import ExtractManifest, read_extract
from stages.state.workspace import Workspace, manifest_file
from tests.support import forked_python

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "extract_tests"
SCHEMAS = ["public", "torture", "names", "other", "big"]
TRANSPORTS: tuple[Via, ...] = ("postgres", "rest")
# What a second look says where nothing has moved: REST has no row versions.
UNMOVED = {"postgres": "unchanged", "rest": "kept"}
# Tables of some thousand rows are cut into several spans and many parts.
SMALL = (
    (table_extract, "PART_ROWS", 1000),
    (table_extract, "LEAST_SPLIT", 1),
    (postgres, "BATCH_BYTES", 8000),
    (rest, "PAGE", 500),
)


@dataclass(frozen=True, kw_only=True)
class Database:
    """Two ways in: as the tables' owner, and as the superuser. `source` is what extract gets."""

    admin: psycopg.Connection
    owner: psycopg.Connection
    source: Source
    secrets: Mapping[str, Any] = field(repr=False)

    def sql(self, text: str) -> None:
        """One or more statements, as the owner."""
        self.owner.execute(text.encode())

    def rows(self, text: str) -> list[tuple[Any, ...]]:
        return self.owner.execute(text.encode()).fetchall()

    def one(self, text: str) -> Any:
        return self.rows(text)[0][0]

    def url(self, user: str, password: str) -> str:
        """The same database for another login role."""
        assert self.source.db_url is not None
        parts = urlsplit(self.source.db_url.reveal())
        address = f"{user}:{password}@{parts.hostname}:{parts.port}"
        return urlunsplit(parts._replace(netloc=address))


def of_database(url: str) -> str:
    """A URI of the sandbox's server, with the tests' database in it."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{DATABASE}"))


@contextmanager
def database(supabase: State) -> Iterator[Database]:
    """A database as Supabase makes them, without any table; dropped at the end."""
    kept = json.loads((supabase.root / "source.json").read_text("utf-8"))
    secrets = json.loads((supabase.root / "gateway.json").read_text("utf-8"))
    parts = urlsplit(supabase.source.db_url)
    login = f"supabase_admin:{kept['passwords']['superuser']}@{parts.hostname}:{parts.port}"
    server = urlunsplit(parts._replace(netloc=login))
    with psycopg.connect(server, autocommit=True) as maker:
        _stop_autovacuum(maker)
        maker.execute(f"CREATE DATABASE {DATABASE} OWNER postgres".encode())
        try:
            with (
                psycopg.connect(of_database(server), autocommit=True) as admin,
                psycopg.connect(of_database(server), autocommit=True) as owner,
            ):
                owner.execute("SET SESSION AUTHORIZATION postgres")
                owner.execute("SET timezone = 'UTC'; SET extra_float_digits = 1")
                schemas = "; ".join(f"CREATE SCHEMA {name}" for name in SCHEMAS[1:])
                owner.execute(
                    f"""
                    ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO service_role;
                    ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT USAGE ON SCHEMAS
                      TO service_role;
                    GRANT USAGE ON SCHEMA public TO service_role; {schemas};
                    CREATE SCHEMA extensions
                    """.encode()
                )
                admin.execute("CREATE EXTENSION vector SCHEMA extensions")
                source = Source(
                    ref=supabase.source.ref,
                    url=None,
                    key=Secret(supabase.source.service_role_key),
                    db_url=Secret(of_database(supabase.source.db_url)),
                )
                yield Database(admin=admin, owner=owner, source=source, secrets=secrets)
        finally:
            maker.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())


def _stop_autovacuum(maker: psycopg.Connection[Any]) -> None:
    """Its processes are counted among the server's connections, and come and go."""
    maker.execute("ALTER SYSTEM SET autovacuum = off")
    maker.execute("SELECT pg_reload_conf()")
    left = "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'autovacuum%'"
    while maker.execute(left).fetchone() != (0,):
        time.sleep(0.02)


def make_rows(database: Database, rows: int, *, width: int) -> None:
    """Make the table big.rows, whose texts are its keys, so many times."""
    database.sql(
        f"""
        CREATE TABLE big.rows (id int PRIMARY KEY, t text);
        INSERT INTO big.rows SELECT i, repeat(i::text, {width}) FROM generate_series(1, {rows}) i;
        ANALYZE big.rows
        """
    )


@contextmanager
def gateway(database: Database, folder: Path, **changes: Any) -> Iterator[str]:
    """The address of a REST stand-in in front of the tests' database."""
    config = {
        **database.secrets,
        "dsn": of_database(database.secrets["dsn"]),
        "schemas": SCHEMAS,
        "ready": str(folder / "ready.json"),
        **changes,
    }
    path = folder / "gateway.json"
    path.write_text(json.dumps(config), "utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.sandbox.gateway", str(path)], cwd=ROOT
    )
    try:
        ready = Path(config["ready"])
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert process.poll() is None, "the stand-in ended before it served"
            assert time.monotonic() < deadline, "the stand-in does not serve"
            time.sleep(0.02)
        yield json.loads(ready.read_text("utf-8"))["url"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


class Heard:
    """A progress that keeps what was said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def begin(self, stage: str, tables: Mapping[str, int | None]) -> None: ...
    def start(self, stage: str, table: str, total: int | None = None, kept: int = 0) -> None: ...
    def advance(self, table: str, rows: int, size: int = 0) -> None: ...

    def done(self, stage: str, table: str, result: str, **facts: Any) -> None:
        self.notes.append(f"{table}: {result}")

    @property
    def text(self) -> str:
        return "\n".join(self.notes)


@dataclass
class Project:
    """A plan that names sources, a data folder, and what extract said last."""

    folder: Path
    source: Source
    heard: Heard = field(default_factory=Heard)

    @property
    def workspace(self) -> Workspace:
        return Workspace(project=self.folder, data=self.folder / "data", target="test")

    def plan(self, **sources: Mapping[str, Any]) -> Plan:
        """Write plan.toml with these sources, each with a table of the same name, and read it."""
        lines = []
        for name, entry in sources.items():
            lines += [f"[tables.{name}]", f"[sources.{name}]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
        file = self.workspace.plan
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines), "utf-8")
        return load_plan(file)

    def extract(self, via: Via = "auto", **options: Any) -> ExtractResult:
        """Run the stage with the plan that was written last."""
        self.heard = Heard()
        chosen_options = ExtractOptions(via=via, **options)
        return run_extract(
            self.workspace, load_plan(self.workspace.plan), self.source, chosen_options, self.heard
        )

    def manifest(self, name: str) -> dict[str, Any]:
        """The file's content, as anybody would read it."""
        file = manifest_file(self.workspace.extract(name))
        assert file.exists(), f"{name} was not read"
        manifest: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return manifest

    def extracted(self, name: str) -> ExtractManifest:
        """The same as the stages read it."""
        manifest = read_extract(self.workspace.extract(name))
        assert manifest is not None, f"{name} was not read"
        return manifest

    def parts(self, name: str) -> list[Path]:
        """Files of one table, in key order."""
        return [
            self.workspace.extract(name) / part["file"] for part in self.manifest(name)["parts"]
        ]

    def table(self, name: str) -> pa.Table:
        """All rows of one table, in key order."""
        schema = pq.read_schema(self.workspace.extract(name) / "schema.parquet")
        parts = [pq.read_table(part) for part in self.parts(name)]
        return pa.concat_tables([schema.empty_table(), *parts])

    def column(self, table: str, name: str) -> list[Any]:
        values: list[Any] = self.table(table).column(name).to_pylist()
        return values

    def describe(self, name: str) -> list[tuple[str, str]]:
        """What DESCRIBE says, of each part and of the file without rows, which are all the same."""
        files = [self.workspace.extract(name) / "schema.parquet", *self.parts(name)]
        descriptions = [
            [
                row[:2]
                for row in duckdb.execute("DESCRIBE FROM read_parquet(?)", [str(file)]).fetchall()
            ]
            for file in files
        ]
        assert all(each == descriptions[0] for each in descriptions)
        return cast("list[tuple[str, str]]", descriptions[0])

    def files(self, name: str) -> dict[str, tuple[int, int, bytes]]:
        """Every part on disk: inode, time of its last change, content."""
        return {
            file.name: (file.stat().st_ino, file.stat().st_mtime_ns, file.read_bytes())
            for file in sorted(self.workspace.extract(name).glob("part-*"))
        }


def with_rest(source: Source, url: str) -> Source:
    """The same source with an address of its REST side."""
    return replace(source, url=url)


def run_killed(
    project: Project, folder: Path, *, close: int = 0, swap: int = 0, **options: Any
) -> None:
    """Extract in another process, which must die of SIGKILL at the step that is named."""
    source = project.source
    assert source.key is not None
    assert source.db_url is not None
    config = {
        "folder": str(project.folder),
        "options": options,
        "close": close,
        "swap": swap,
        "source": {
            "ref": source.ref,
            "url": source.url,
            "key": source.key.reveal(),
            "db_url": source.db_url.reveal(),
        },
    }
    path = folder / "killed.json"
    path.write_text(json.dumps(config), "utf-8")
    done = forked_python.run(
        ["-m", "tests.extract.killed", str(path)], cwd=ROOT, env=os.environ, timeout=120
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


# Two tables of one name in two schemas, and one of a single row.
PLAIN_TABLES = """
  CREATE TABLE names.keyed (id int PRIMARY KEY, name text,
    twice int GENERATED ALWAYS AS (id * 2) STORED, hidden text DEFAULT 'do-not-read');
  INSERT INTO names.keyed SELECT i, 'n' || i FROM generate_series(1, 200) i;
  CREATE TABLE other.keyed (id int PRIMARY KEY, elsewhere text);
  INSERT INTO other.keyed VALUES (1, 'other');
  CREATE TABLE names.single (id uuid PRIMARY KEY, v text);
  INSERT INTO names.single VALUES (gen_random_uuid(), 'only');
"""
