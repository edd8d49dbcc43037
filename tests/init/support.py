"""Projects of the tests' own: a source in a sandbox of its own, and a convex/ folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from stages import sandbox
from stages.init.options import InitOptions
from stages.init.result import InitResult
from stages.init.run import init
from stages.progress import Silent
from stages.project.settings import Secret, Source
from tests.support.command_line import ROOT
from tests.support.project_copies import edit

HERE = Path(__file__).parent
MIGRATIONS = Path(".planning/migrations")


def source_of(state: sandbox.State, *, rest: bool = False) -> Source:
    """The sandbox' source as settings give it; over REST only, where that is asked for."""
    supabase = state.source
    return Source(
        ref=supabase.ref,
        url=supabase.url,
        key=Secret(supabase.service_role_key),
        db_url=None if rest else Secret(supabase.db_url),
    )


def source_settings(state: sandbox.State) -> dict[str, str]:
    """The environment of a command that reads the sandbox' source, and knows of no deployment."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SUPABASE_", "CONVEX_"))}
    return {**kept, "SUPABASE_DB_URL": state.source.db_url}


def copy_project(name: str, folder: Path) -> Path:
    """One of the projects beside this file, with the packages that its types need."""
    shutil.copytree(HERE / name, folder)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return folder


def run_init(project: Path, source: Source, **options: object) -> InitResult:
    return init(project, source, InitOptions(**options), Silent())  # type: ignore[arg-type]


@contextmanager
def blog_tables(state: sandbox.State) -> Iterator[psycopg.Connection]:
    """The tables of blog/, in a schema of their own, for a test to change."""
    with psycopg.connect(state.source.db_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS blog CASCADE")
        connection.execute((HERE / "blog" / "source.sql").read_bytes())
        try:
            yield connection
        finally:
            connection.execute("DROP SCHEMA blog CASCADE")


def blog_project(folder: Path) -> Path:
    """The project of blog/, as somebody has it who has spread the ledger into schema.ts."""
    (folder / "convex").mkdir(parents=True)
    shutil.copy(HERE / "blog" / "schema.ts", folder / "convex" / "schema.ts")
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return folder


def files_of(folder: Path) -> dict[Path, bytes]:
    """Every file of a folder, to see that none has changed."""
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def spread_ledger(project: Path) -> None:
    """What init tells a person to do to schema.ts."""
    schema = project / "convex" / "schema.ts"
    edit(
        schema,
        'from "convex/values";\n',
        'from "convex/values";\nimport { stagesTables } from "./stagesTables";\n',
    )
    text = schema.read_text("utf-8").rstrip()
    assert text.endswith("});")
    schema.write_text(f"{text.removesuffix('});')}  ...stagesTables,\n}});\n", "utf-8")


def typecheck(project: Path) -> str:
    """What tsc has to say about convex/, as strict as can be."""
    config = project / "tsconfig.check.json"
    config.write_text(
        """{"compilerOptions": {"strict": true, "noUncheckedIndexedAccess": true, "noEmit": true,
          "noUnusedLocals": true, "noUnusedParameters": true, "verbatimModuleSyntax": true,
          "module": "ESNext", "moduleResolution": "Bundler", "target": "ESNext",
          "lib": ["ES2021", "dom"], "types": [], "skipLibCheck": true,
          "paths": {"@shared/*": ["./shared/*"]}},
          "include": ["convex/**/*"], "exclude": ["convex/_generated"]}"""
    )
    ran = subprocess.run(
        [str(ROOT / "node_modules" / ".bin" / "tsc"), "-p", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout + ran.stderr


def model_file(project: Path, name: str) -> Path:
    return project / MIGRATIONS / "models" / f"{name}.sql"


def model(project: Path, name: str) -> str:
    return model_file(project, name).read_text("utf-8")
