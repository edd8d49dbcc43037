"""Where every byte lives. No other module builds a path under data/ or .planning/."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stages.errors import FileError, UserError


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The folders of one project, one data folder and one target."""

    project: Path
    data: Path
    target: str
    # Whether the plan and the environment choose this target by default.
    is_default_target: bool = True

    # ── the user's files ────────────────────────────────────────────────────────────────────
    @property
    def migrations(self) -> Path:
        """`.planning/migrations/`"""
        return self.project / ".planning" / "migrations"

    @property
    def plan(self) -> Path:
        """`.planning/migrations/plan.toml`"""
        return plan_file(self.project)

    @cached_property
    def convex(self) -> Path:
        """`convex/`: the folder of schema.ts, unless convex.json names another as `functions`"""
        return functions_folder(self.project)

    @property
    def not_carried(self) -> Path:
        """`.planning/migrations/not-carried.md`"""
        return self.migrations / "not-carried.md"

    @property
    def baseline(self) -> Path:
        """`.planning/migrations/init.json`: source, schema and texts as init knew and wrote them"""
        return self.migrations / "init.json"

    def model(self, name: str) -> Path:
        """`.planning/migrations/models/articles.sql`"""
        return self.migrations / name

    # ── shared by all targets ───────────────────────────────────────────────────────────────
    @property
    def lock(self) -> Path:
        """`data/.lock`, held by flock while a command writes"""
        return self.data / ".lock"

    @property
    def scratch(self) -> Path:
        """`data/tmp/`: spill and unfinished files; emptied when a writer starts"""
        return self.data / "tmp"

    @property
    def running(self) -> Path:
        """`data/tmp/running.json`: which command is writing here, and its process"""
        return self.scratch / "running.json"

    def query_spill(self, process: int) -> Path:
        """`data/query-4711.tmp`: what does not fit into memory of a query of the user; without the
        lock, so each process has its own"""
        return self.data / f"query-{process}.tmp"

    def query_spills(self) -> list[Path]:
        """Those that were left behind by a kill, and those in use."""
        return list(self.data.glob("query-*.tmp"))

    @property
    def database(self) -> Path:
        """`data/stages.duckdb`: views only"""
        return self.data / "stages.duckdb"

    @property
    def database_sql(self) -> Path:
        """`data/stages.sql`: the SQL that made it, so that it is only rebuilt for other SQL"""
        return self.database.with_suffix(".sql")

    @property
    def sql_history(self) -> Path:
        """`data/sql-history`: what was typed at the prompt of `stages sql`"""
        return self.data / "sql-history"

    @property
    def spill(self) -> Path:
        """`data/tmp/spill/`: what DuckDB spills for the holder of the lock"""
        return self.scratch / "spill"

    def passed(self, table: str) -> Path:
        """`data/tmp/articles.parquet`: rows that passed their checks, while others are examined"""
        return self.scratch / f"{table}.parquet"

    def changed(self, table: str) -> Path:
        """`data/tmp/articles.changes.parquet`: changes of documents that are not in place yet"""
        return self.scratch / f"{table}.changes.parquet"

    @property
    def opening(self) -> Path:
        """`data/tmp/ui.html`: leads a browser to the live page, so that no command line has to"""
        return self.scratch / "ui.html"

    @property
    def source(self) -> Path:
        """`data/source.json`: which source the rows are from"""
        return self.data / "source.json"

    @property
    def extracts(self) -> Path:
        """`data/extract/`"""
        return self.data / "extract"

    @property
    def next_extracts(self) -> Path:
        """`data/extract.next/`: what `extract --restart` reads, until it is swapped in"""
        return self.data / "extract.next"

    @property
    def restarted(self) -> Path:
        """`data/extract.next/tables.json`: which tables are read there"""
        return self.next_extracts / "tables.json"

    @property
    def extract_failures(self) -> Path:
        """`data/extract-failures.json`: why sources could not be read"""
        return self.data / "extract-failures.json"

    @property
    def extract_times(self) -> Path:
        """`data/extract-times.json`: when the extract started and ended"""
        return self.data / "extract-times.json"

    @property
    def history(self) -> Path:
        """`data/history.jsonl`: a line for each finished command, of all targets"""
        return self.data / "history.jsonl"

    @property
    def assessment(self) -> Path:
        """`data/assessment.json`: what `assess --keep` found"""
        return assessment_file(self.data)

    def extract(self, source: str) -> Path:
        """`data/extract/articles/`: manifest.json, schema.parquet, part-00000.parquet …"""
        return self.extracts / source

    @property
    def targets(self) -> Path:
        """`data/targets/`"""
        return self.data / "targets"

    # ── one target ──────────────────────────────────────────────────────────────────────────
    @property
    def target_folder(self) -> Path:
        """`data/targets/production/`"""
        return self.targets / self.target

    @property
    def identity(self) -> Path:
        """`data/targets/production/target.json`: which deployment, and its ledger's epoch"""
        return self.target_folder / "target.json"

    @property
    def failures(self) -> Path:
        """`…/failures.json`: why tables failed in transform and load, until they succeed"""
        return self.target_folder / "failures.json"

    @property
    def times(self) -> Path:
        """`…/times.json`: when each stage started and ended"""
        return self.target_folder / "times.json"

    @property
    def reported(self) -> Path:
        """`…/report.json`: the digest of the report that was last written from here"""
        return self.target_folder / "report.json"

    @property
    def schema(self) -> Path:
        """`data/targets/production/schema.json`: convex/schema.ts as Convex exports it"""
        return self.target_folder / "schema.json"

    @property
    def references(self) -> Path:
        """`data/targets/production/reference/`"""
        return self.target_folder / "reference"

    def reference(self, table: str) -> Path:
        """`data/targets/production/reference/workspaces/`: same files as an extract"""
        return self.references / table

    @property
    def transforms(self) -> Path:
        """`data/targets/production/transform/`"""
        return self.target_folder / "transform"

    def transform(self, table: str) -> Path:
        """`…/transform/articles/`: documents, rejects and changes.parquet, manifest.json"""
        return self.transforms / table

    def documents(self, table: str) -> Path:
        """`…/transform/articles/documents.parquet`: one row per document"""
        return self.transform(table) / "documents.parquet"

    def rejects(self, table: str) -> Path:
        """`…/transform/articles/rejects.parquet`: one row per source row without a document"""
        return self.transform(table) / "rejects.parquet"

    def changes(self, table: str) -> Path:
        """`…/transform/articles/changes.parquet`: one row per changed value"""
        return self.transform(table) / "changes.parquet"

    @property
    def keys(self) -> Path:
        """`…/transform/_keys/`: what the key models decided"""
        return self.transforms / "_keys"

    def known_keys(self, reference: str) -> Path:
        """`…/transform/_keys/workspaces.parquet`: source key → document"""
        return self.keys / f"{reference}.parquet"

    def unknown_keys(self, reference: str) -> Path:
        """`…/transform/_keys/workspaces.rejects.parquet`: source keys without a document"""
        return self.keys / f"{reference}.rejects.parquet"

    def keys_manifest(self, reference: str) -> Path:
        """`…/transform/_keys/workspaces.json`: what the two files were made from"""
        return self.keys / f"{reference}.json"

    @property
    def sides(self) -> Path:
        """`…/transform/_sides.json`: rows and orphans of the side files that the plan names"""
        return self.transforms / "_sides.json"

    @property
    def loads(self) -> Path:
        """`…/load/`"""
        return self.target_folder / "load"

    def load(self, table: str) -> Path:
        """`…/load/articles/`: manifest.json, and the files below"""
        return self.loads / table

    def acks(self, table: str) -> Path:
        """`…/load/articles/acks.jsonl`: what Convex answered, one line per document"""
        return self.load(table) / "acks.jsonl"

    def load_rejects(self, table: str) -> Path:
        """`…/load/articles/rejects.jsonl`: what Convex refused, and what was held back"""
        return self.load(table) / "rejects.jsonl"

    def ids(self, table: str) -> Path:
        """`…/load/articles/ids.parquet`: source key → document"""
        return self.load(table) / "ids.parquet"

    def conflicts(self, table: str) -> Path:
        """`…/load/articles/conflicts.parquet`: documents that the app has changed, if any"""
        return self.load(table) / "conflicts.parquet"

    def removed(self, table: str) -> Path:
        """`…/load/articles/removed.parquet`: loaded and no longer staged, if any"""
        return self.load(table) / "removed.parquet"

    def gone(self, table: str) -> Path:
        """`…/load/articles/gone.parquet`: parents that were deleted in Convex, if any"""
        return self.load(table) / "gone.parquet"

    @property
    def imports(self) -> Path:
        """`…/import/`: snapshot.zip and manifest.json of the last `load --through import`"""
        return self.target_folder / "import"

    @property
    def snapshot(self) -> Path:
        """`…/import/snapshot.zip`: what is sent"""
        return self.imports / "snapshot.zip"

    @property
    def minted_ids(self) -> Path:
        """`…/import/ids/`: ids of tables that the import brings, while its file is written"""
        return self.imports / "ids"

    @property
    def handed_over(self) -> Path:
        """`…/import/file.json`: the last file of `--to`, which somebody imports by hand, and its
        tables; until they are loaded"""
        return self.imports / "file.json"

    @property
    def exports(self) -> Path:
        """`…/exports/`: what Convex held before an import replaced it"""
        return self.target_folder / "exports"

    def export(self, started: int) -> Path:
        """`…/exports/before-1700000000000000000.zip`: one export, named by Convex' time of it"""
        return self.exports / f"before-{started}.zip"

    @property
    def verifies(self) -> Path:
        """`…/verify/`"""
        return self.target_folder / "verify"

    def verify(self, table: str) -> Path:
        """`…/verify/articles.parquet`: one row per difference"""
        return self.verifies / f"{table}.parquet"

    def verified_of(self, table: str) -> Path:
        """`…/verify/articles.json`: which load was checked, and where its references lead"""
        return self.verifies / f"{table}.json"

    @property
    def probe(self) -> Path:
        """`…/probe.json`: what `check --probe` is making in Convex, until it is removed"""
        return self.target_folder / "probe.json"

    @property
    def rolled_back(self) -> Path:
        """`…/rollback.json`: tables whose rollback has begun and not ended"""
        return self.target_folder / "rollback.json"

    @property
    def verified(self) -> Path:
        """`…/verify/manifest.json`: counts of the last verify, by table"""
        return manifest_file(self.verifies)


@dataclass(frozen=True, kw_only=True)
class Preview(Workspace):
    """The same paths, except for what transform writes: a copy in `data/tmp/preview/`."""

    @property
    def transforms(self) -> Path:
        """`data/tmp/preview/`"""
        return self.scratch / "preview"


def plan_file(project: Path) -> Path:
    """`.planning/migrations/plan.toml`"""
    return project / ".planning" / "migrations" / "plan.toml"


def require_target_name(name: str) -> None:
    """Raise UserError unless a target's name can be that of a folder."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise UserError(f"`{name}` is not a target's name: letters, digits, - and _ only")


def assessment_file(data: Path) -> Path:
    """What `assess --keep` writes, also for a project that has no plan yet."""
    return data / "assessment.json"


def functions_folder(project: Path) -> Path:
    """The folder of a project's functions and schema: `convex/`, unless convex.json names another.

    Raises UserError if convex.json can't be read.
    """
    file = project / "convex.json"
    try:
        text = file.read_text("utf-8")
        return project / str(json.loads(text).get("functions", "convex"))
    except FileNotFoundError:
        return project / "convex"
    except OSError as error:
        raise FileError(f"{file} can't be read: {error.strerror}", file=file) from None
    except (ValueError, AttributeError, RecursionError) as error:
        raise FileError(
            f"{file} is not as Convex writes it: {error}", f"edit {file}", file=file
        ) from None


# ── in the folder of an extract, a reference table or a transform ───────────────────────────────
ROWS = "*.parquet"  # all rows of an extract: its parts, and the file without rows


def manifest_file(folder: Path) -> Path:
    """The manifest of one table's folder."""
    return folder / "manifest.json"


def form_file(folder: Path) -> Path:
    """`schema.parquet`: the columns, without rows."""
    return folder / "schema.parquet"


def part_file(folder: Path, span: int = 0, number: int = 0) -> Path:
    """`part-00003.parquet`; a span that needs more parts goes on with `part-00003-001.parquet`."""
    return folder / (
        f"part-{span:05}.parquet" if number == 0 else f"part-{span:05}-{number:03}.parquet"
    )


def part_files(folder: Path, *, unfinished: bool = False) -> list[Path]:
    """The part files that exist, whether or not the manifest lists them."""
    return list(folder.glob("part-*" if unfinished else "part-*.parquet"))


def records_under(folder: Path) -> Iterator[Path]:
    """All JSON files in a folder and its subfolders."""
    return folder.glob("**/*.json")


def damaged_file(file: Path) -> Path:
    """`target.json.damaged`: a file that can't be read, kept for you to look at."""
    return file.with_name(f"{file.name}.damaged")
