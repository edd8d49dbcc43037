"""The Plan: what plan.toml says, as plan_reader.py reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import Literal

from stages.errors import UserError
from stages.names import is_it

Orphan = Literal["reject", "null", "fail", "drop"]
# The value of `convex` in `[targets.NAME]` that means a deployment on this machine.
SANDBOX = "sandbox"
# The settings that `[targets.NAME]` may rename; in lower case there.
SETTING_NAMES = (
    "SUPABASE_URL",
    "SUPABASE_SERVICE_ROLE_KEY",
    "SUPABASE_DB_URL",
    "CONVEX_URL",
    "CONVEX_DEPLOY_KEY",
    "CONVEX_SELF_HOSTED_URL",
    "CONVEX_SELF_HOSTED_ADMIN_KEY",
    "CONVEX_SITE_URL",
    "MIGRATION_SECRET",
)


@dataclass(frozen=True, kw_only=True)
class SourceTable:
    """`[sources.NAME]`: one table or view of the source, as `extract.NAME`."""

    name: str
    schema: str
    table: str
    key: tuple[str, ...] = ()
    where: str | None = None
    only: bool = False
    exclude: tuple[str, ...] = ()
    as_text: tuple[str, ...] = ()
    include_secrets: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    on_missing: Literal["report", "fail"] = "report"
    # Whether the plan sets this itself, so that a name close to another one is no misspelling.
    says_on_missing: bool = False
    floats: Literal["15 digits"] | None = None


@dataclass(frozen=True, kw_only=True)
class ReferenceTable:
    """`[reference.NAME]`: a table that Convex already has; `keys` finds its ids by source key."""

    name: str
    source: str | None = None
    keys: str | None = None


@dataclass(frozen=True, kw_only=True)
class TargetTable:
    """`[tables.NAME]`: one Convex table to load, its source, its model and its rules.

    `creation_time` and `order_by` name columns of the source (grain row) or fields (derived).
    `values` maps texts from the model to others, by field; `unique` lists groups of fields whose
    combined values may occur only once.
    """

    name: str
    source: str
    model: str
    function: str
    grain: Literal["row", "derived"] = "row"
    orphans: Mapping[str, Orphan] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    keep_null: tuple[str, ...] = ()
    lineage: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unique: tuple[tuple[str, ...], ...] = ()
    creation_time: str | None = None
    order_by: tuple[str, ...] = ()
    max_rejects: str | int | None = None

    @property
    def full_name(self) -> str:
        """`source→target`, which is unique."""
        return f"{self.source}→{self.name}"

    @property
    def drops(self) -> str:
        """The file, next to the model, of rows that are left out on purpose."""
        return self.model.removesuffix(".sql") + ".drop.sql"


@dataclass(frozen=True, kw_only=True)
class SideFile:
    """`[side.NAME]`: the types of a file's columns, and the source whose keys it holds.

    `types` is column → DuckDB type; other columns of a CSV or JSON file are text. `keys` is the
    file's column; `of` the source, `of_column` its column if that is not its key; `orphans` what a
    key without a row means. If only types are given, the others keep their defaults.
    """

    name: str
    types: Mapping[str, str] = field(default_factory=dict)
    keys: str = ""
    of: str = ""
    of_column: str | None = None
    orphans: Literal["fail", "report"] = "fail"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The whole migration, checked as far as possible without the source or the schema.

    `module` is the file of convex/ that holds the loading functions.
    """

    file: Path
    name: str
    module: str
    sources: Mapping[str, SourceTable]
    references: Mapping[str, ReferenceTable]
    tables: Mapping[str, TargetTable]
    sides: Mapping[str, SideFile]
    targets: Mapping[str, Mapping[str, str]]
    report_json: str
    report_summary: str
    max_rejects: str | int = 0
    default_target: str | None = None

    @property
    def rehearsal(self) -> str:
        """The command, or the line of the plan, that needs no deployment."""
        for name in self.targets:
            if self.loads_into_sandbox(name):
                return f"stages --target {name} check"
        return 'add [targets.rehearsal] with convex = "sandbox" to the plan'

    def loads_into_sandbox(self, target: str) -> bool:
        """Whether a target takes its source from the settings, and loads into a sandbox Convex."""
        return self.targets.get(target, {}).get("convex") == SANDBOX

    def select_tables(self, names: Iterable[str], exclude: Iterable[str] = ()) -> list[TargetTable]:
        """Target tables by target or source name, by both as `source→target`, or by a glob such as
        `ari_*`; all if none is named.

        Raises UserError for an unknown name, and for one that matches two tables.
        """
        wanted = list(names)
        named = [t for name in wanted for t in self._tables_named(name)]
        out = {t.name for name in exclude for t in self._tables_named(name)}
        chosen = {t.name for t in named} if wanted else set(self.tables)
        return [t for t in self.tables.values() if t.name in chosen - out]

    def _tables_named(self, name: str) -> list[TargetTable]:
        matches = [
            t
            for t in self.tables.values()
            if name == t.full_name or fnmatchcase(t.name, name) or fnmatchcase(t.source, name)
        ]
        if not matches:
            raise UserError(
                f"`{name}` is neither a source nor a target of the plan"
                + is_it(name, [*self.tables, *(t.source for t in self.tables.values())]),
                f"one of: {', '.join(self.tables)}",
                tables=[name],
            )
        if len(matches) > 1 and not _is_glob(name):
            raise UserError(
                f"`{name}` means more than one table: " + ", ".join(t.full_name for t in matches),
                f"name one of them as it is written here, such as {matches[-1].full_name}",
                tables=[t.name for t in matches],
            )
        return matches

    def select_sources(
        self, names: Iterable[str], exclude: Iterable[str] = ()
    ) -> list[SourceTable]:
        """Sources by source or target name, or by a glob; all if none is named."""
        wanted = list(names)
        chosen = {s for name in wanted for s in self._sources_named(name)} or set(self.sources)
        out = {s for name in exclude for s in self._sources_named(name)}
        return [s for s in self.sources.values() if s.name in chosen - out]

    def _sources_named(self, name: str) -> set[str]:
        matches = {s for s in self.sources if fnmatchcase(s, name)}
        matches |= {
            t.source
            for t in self.tables.values()
            if name == t.full_name or fnmatchcase(t.name, name)
        }
        if not matches:
            raise UserError(
                f"`{name}` is neither a source nor a target of the plan"
                + is_it(name, [*self.sources, *self.tables]),
                f"one of: {', '.join(self.sources)}",
                tables=[name],
            )
        if len(matches) > 1 and not _is_glob(name):
            raise UserError(
                f"`{name}` means more than one source: {', '.join(sorted(matches))}",
                "name the source of the one that you mean",
                tables=sorted(matches),
            )
        return matches


def split_name(text: str) -> tuple[str, str]:
    """(schema or "", table) of `table`, `schema.table`, or both quoted as SQL does."""
    quoted = re.fullmatch(r'(?:(.*)\.)?"((?:[^"]|"")+)"', text, re.DOTALL)
    schema, table = (quoted[1] or "", quoted[2]) if quoted else text.rpartition(".")[::2]
    if len(schema) > 2 and schema[0] == schema[-1] == '"':
        schema = schema[1:-1]
    return schema.replace('""', '"'), table.replace('""', '"') if quoted else table


def _is_glob(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def allowed_rejects(limit: str | int, rows: int) -> int:
    """How many of `rows` may be rejected under a limit that is a number or a percentage."""
    if isinstance(limit, int):
        return limit
    return int(Fraction(limit.rstrip("%")) * rows / 100)
