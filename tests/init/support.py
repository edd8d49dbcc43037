"""Projects of the tests' own: a source in a sandbox of its own, and a convex/ folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages import sandbox
from stages.init.run import InitOptions, InitResult, init
from stages.progress import Silent
from stages.project.settings import Secret, Source
from tests.support.command_line import ROOT
from tests.support.project_copies import edit

HERE = Path(__file__).parent
MIGRATIONS = Path(".planning/migrations")


@contextmanager
def sandbox_at(root: Path) -> Iterator[None]:
    """Commands and calls use the sandbox in this folder."""
    before = os.environ.get("STAGES_SANDBOX")
    os.environ["STAGES_SANDBOX"] = str(root)
    try:
        yield
    finally:
        if before is None:
            del os.environ["STAGES_SANDBOX"]
        else:
            os.environ["STAGES_SANDBOX"] = before


def source_of(state: sandbox.State, *, rest: bool = False) -> Source:
    """The sandbox' source as settings give it; over REST only, where that is asked for."""
    supabase = state.source
    return Source(
        ref=supabase.ref,
        url=supabase.url,
        key=Secret(supabase.service_role_key),
        db_url=None if rest else Secret(supabase.db_url),
    )


def copy_project(name: str, folder: Path) -> Path:
    """One of the projects beside this file, with the packages that its types need."""
    shutil.copytree(HERE / name, folder)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return folder


def run_init(project: Path, source: Source, **options: object) -> InitResult:
    return init(project, source, InitOptions(**options), Silent())  # type: ignore[arg-type]


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
          "lib": ["ES2023", "dom"], "types": [], "skipLibCheck": true,
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


def model(project: Path, name: str) -> str:
    return (project / MIGRATIONS / "models" / f"{name}.sql").read_text("utf-8")
