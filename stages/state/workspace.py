"""Where every byte lives. No other module builds a path under data/ or .planning/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stages.errors import FileError


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The folders of one project, one data folder and one target."""

    project: Path
    data: Path
    target: str
    # Whether the plan and the environment choose this target by themselves.
    is_default_target: bool = True

    # ── the user's files ────────────────────────────────────────────────────────────────────
    @property
    def migrations(self) -> Path:
        """`.planning/migrations/`"""
        return self.project / ".planning" / "migrations"

    @property
    def plan(self) -> Path:
        """`.planning/migrations/plan.toml`"""
        return self.migrations / "plan.toml"

    @cached_property
    def convex(self) -> Path:
        """`convex/`, or what convex.json calls `functions`: the folder of schema.ts"""
        return functions_folder(self.project)

    @property
    def not_carried(self) -> Path:
        """`.planning/migrations/not-carried.md`"""
        return self.migrations / "not-carried.md"

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

    def query_spill(self, process: int) -> Path:
        """`data/query-4711.tmp`: what a query of the user's does not fit into memory; without the
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
        """`data/stages.sql`: the SQL that made it, so that it is made anew only for other SQL"""
        return self.database.with_suffix(".sql")

    @property
    def spill(self) -> Path:
        """`data/tmp/spill/`: what DuckDB does not hold in memory, of the holder of the lock"""
        return self.scratch / "spill"

    def passed(self, table: str) -> Path:
        """`data/tmp/articles.parquet`: rows that passed their checks, while others are looked at"""
        return self.scratch / f"{table}.parquet"

    def changed(self, table: str) -> Path:
        """`data/tmp/articles.changes.parquet`: changes of documents that are not in place yet"""
        return self.scratch / f"{table}.changes.parquet"

    @property
    def source(self) -> Path:
        """`data/source.json`: whose rows these are"""
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
        """`…/failures.json`: why tables failed in transform and load, until they don't"""
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
        """`…/transform/articles/documents.parquet`: one row a document"""
        return self.transform(table) / "documents.parquet"

    def rejects(self, table: str) -> Path:
        """`…/transform/articles/rejects.parquet`: one row a source row that is no document"""
        return self.transform(table) / "rejects.parquet"

    def changes(self, table: str) -> Path:
        """`…/transform/articles/changes.parquet`: one row a value that was changed"""
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
        """`…/load/articles/acks.jsonl`: what Convex answered, a line a document"""
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
        """`…/load/articles/removed.parquet`: loaded, and not staged any more, if any"""
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
        """`…/exports/`: what was in Convex before an import that replaced it"""
        return self.target_folder / "exports"

    def export(self, started: int) -> Path:
        """`…/exports/before-1700000000000000000.zip`, by the time that Convex gives it"""
        return self.exports / f"before-{started}.zip"

    @property
    def verifies(self) -> Path:
        """`…/verify/`"""
        return self.target_folder / "verify"

    def verify(self, table: str) -> Path:
        """`…/verify/articles.parquet`: one row a difference"""
        return self.verifies / f"{table}.parquet"

    def verified_of(self, table: str) -> Path:
        """`…/verify/articles.json`: which load was looked at, and where its references went"""
        return self.verifies / f"{table}.json"

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
    """The same places, but for what transform makes: a copy in `data/tmp/preview/`."""

    @property
    def transforms(self) -> Path:
        """`data/tmp/preview/`"""
        return self.scratch / "preview"


def functions_folder(project: Path) -> Path:
    """The folder of a project's functions and schema: `convex/`, unless convex.json names another.

    Raises UserError where convex.json can't be read.
    """
    file = project / "convex.json"
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return project / "convex"
    try:
        return project / str(json.loads(text).get("functions", "convex"))
    except (ValueError, AttributeError) as error:
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
    """The parts that are there, listed in the manifest or not."""
    return list(folder.glob("part-*" if unfinished else "part-*.parquet"))


def records_under(folder: Path) -> Iterator[Path]:
    """All JSON files of a folder, and of those in it."""
    return folder.glob("**/*.json")


def damaged_file(file: Path) -> Path:
    """`target.json.damaged`: where a file that can't be read is kept, for a person to look at."""
    return file.with_name(f"{file.name}.damaged")
