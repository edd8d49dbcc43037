"""plan.toml → one frozen Plan. What it may hold is said here, and nowhere else."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

from stages.errors import FileError, Place, UserError
from stages.project.plan_entries import NAME, Entries

Orphan = Literal["reject", "null", "fail", "drop"]
# What `[targets.NAME]` may rename; lower case there.
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
    exclude: tuple[str, ...] = ()
    as_text: tuple[str, ...] = ()
    include_secrets: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    on_missing: Literal["report", "fail"] = "report"
    floats: Literal["15 digits"] | None = None


@dataclass(frozen=True, kw_only=True)
class ReferenceTable:
    """`[reference.NAME]`: a table that Convex has already; `keys` finds its ids by source key."""

    name: str
    source: str | None = None
    keys: str | None = None


@dataclass(frozen=True, kw_only=True)
class TargetTable:
    """`[tables.NAME]`: one Convex table to load, its source, its model and its rules.

    `creation_time` and `order_by` name columns of the source (grain row) or fields (derived).
    `values` maps texts that the model gives to others, by field; `unique` lists groups of fields
    whose values together may be there once.
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
        """`source→target`, which is no other table's."""
        return f"{self.source}→{self.name}"

    @property
    def drops(self) -> str:
        """The file of rows that are left out on purpose, beside the model."""
        return self.model.removesuffix(".sql") + ".drop.sql"


@dataclass(frozen=True, kw_only=True)
class SideFile:
    """`[side.NAME]`: whose keys a file beside the plan has, and what one without a row means.

    `keys` is the file's column; `of` the source, `of_column` its column where that is not its key.
    """

    name: str
    keys: str
    of: str
    of_column: str | None = None
    orphans: Literal["fail", "report"] = "fail"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The whole migration, checked as far as that goes without the source or the schema.

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

    def select_tables(self, names: Iterable[str], exclude: Iterable[str] = ()) -> list[TargetTable]:
        """Target tables by target or source name, by both as `source→target`, or by a glob such as
        `ari_*`; all for none.

        Raises UserError for an unknown name, and for one that means two tables.
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
                f"`{name}` is neither a source nor a target of the plan",
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
        """Sources by source or target name, or by a glob; all where none is named."""
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
                f"`{name}` is neither a source nor a target of the plan",
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


def load_plan(file: Path) -> Plan:
    """Read and check plan.toml. Raises UserError that names the file and the entry."""
    try:
        raw = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise FileError(
            f"there is no plan: {file} is missing",
            "run from the project's folder, or with --project DIR",
            file=file,
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        words = str(error)
        end = re.search(r" \(at line (\d+), column \d+\)$| \(at end of document\)$", words)
        line = None
        if end:
            line = int(end[1] or len(file.read_text("utf-8").splitlines()))
            words = words.removesuffix(end[0])
        raise FileError(
            f"{Place(file.name, line)}: {words}", f"edit {file}", file=file, line=line
        ) from None
    return _Reader(file).plan(raw)


class _Reader(Entries):
    """Turns tables of the TOML file into dataclasses."""

    def plan(self, raw: dict[str, Any]) -> Plan:
        self.known(
            raw,
            (
                "name",
                "module",
                "default_target",
                "max_rejects",
                "report",
                "sources",
                "reference",
                "tables",
                "side",
                "targets",
            ),
            "the plan",
        )
        report = self.known(raw.get("report", {}), ("json", "summary"), "[report]")
        module = self.text(raw, "module", "migrate", "the plan")
        tables = {
            name: self.table(name, item, module)
            for name, item in self.named(raw.get("tables", {}), "tables").items()
        }
        sources = {
            name: self.source(name, item)
            for name, item in self.named(raw.get("sources", {}), "sources").items()
        }
        for table in tables.values():
            sources.setdefault(table.source, self.source(table.source, {}))
        references = {
            name: self.reference(name, item)
            for name, item in self.named(raw.get("reference", {}), "reference").items()
        }
        for reference in references.values():
            if reference.name in tables:
                raise self.fail(
                    f"`{reference.name}` is both in [reference] and in [tables]",
                    "[reference]",
                    reference.name,
                )
            if reference.source:
                sources.setdefault(reference.source, self.source(reference.source, {}))
        sides = {
            name: self.side(name, item, sources)
            for name, item in self.named(raw.get("side", {}), "side").items()
        }
        if not tables:
            raise self.fail("there is no [tables.NAME]")
        targets = {
            name: self.known(item, [s.lower() for s in SETTING_NAMES], f"[targets.{name}]")
            for name, item in self.named(raw.get("targets", {}), "targets").items()
        }
        return Plan(
            file=self.file,
            name=self.text(raw, "name", self.file.parent.parent.parent.name or "plan", "the plan"),
            module=module,
            sources=sources,
            references=references,
            tables=tables,
            sides=sides,
            targets=targets,
            report_json=self.text(
                report, "json", ".planning/migrations/data-migration-report.json", "[report]"
            ),
            report_summary=self.text(
                report, "summary", ".planning/migrations/SUMMARY.md", "[report]"
            ),
            max_rejects=self.limit(raw.get("max_rejects", 0), "max_rejects"),
            default_target=self.text(raw, "default_target", "", "the plan")
            if "default_target" in raw
            else None,
        )

    def source(self, name: str, raw: Any) -> SourceTable:
        where = f"[sources.{name}]"
        self.known(
            raw,
            (
                "table",
                "key",
                "where",
                "exclude",
                "as_text",
                "include_secrets",
                "unused",
                "on_missing",
                "floats",
            ),
            where,
        )
        schema, table = split_name(self.text(raw, "table", name, where))
        key = self.texts(raw, "key", where)
        exclude = self.texts(raw, "exclude", where)
        if set(key) & set(exclude):
            raise self.fail(f"{where}: a key column is excluded", where, "exclude")
        return SourceTable(
            name=name,
            schema=schema or "public",
            table=table,
            key=key,
            where=self.text(raw, "where", "", where) if "where" in raw else None,
            exclude=exclude,
            as_text=self.texts(raw, "as_text", where),
            include_secrets=self.texts(raw, "include_secrets", where),
            unused=self.texts(raw, "unused", where),
            on_missing=cast(
                "Literal['report', 'fail']",
                self.choice(raw, "on_missing", ("report", "fail"), where),
            ),
            floats=cast("Literal['15 digits']", self.choice(raw, "floats", ("15 digits",), where))
            if "floats" in raw
            else None,
        )

    def reference(self, name: str, raw: Any) -> ReferenceTable:
        where = f"[reference.{name}]"
        self.known(raw, ("source", "keys"), where)
        keys = self.text(raw, "keys", "", where) if "keys" in raw else None
        source = self.source_name(raw, "", where) if "source" in raw else None
        if keys and source is None:
            raise self.fail(
                f"{where}: `keys` needs the `source` whose keys it looks up", where, "keys"
            )
        return ReferenceTable(name=name, source=source, keys=keys)

    def side(self, name: str, raw: Any, sources: Mapping[str, SourceTable]) -> SideFile:
        where = f"[side.{name}]"
        self.known(raw, ("keys", "of", "of_column", "orphans"), where)
        of = self.text(raw, "of", "", where)
        if of not in sources:
            raise self.fail(f"{where}: `of` names `{of}`, which is no source", where, "of")
        return SideFile(
            name=name,
            keys=self.text(raw, "keys", "", where),
            of=of,
            of_column=self.text(raw, "of_column", "", where) if "of_column" in raw else None,
            orphans=cast(
                "Literal['fail', 'report']", self.choice(raw, "orphans", ("fail", "report"), where)
            ),
        )

    def table(self, name: str, raw: Any, module: str) -> TargetTable:
        where = f"[tables.{name}]"
        self.known(
            raw,
            (
                "source",
                "model",
                "function",
                "grain",
                "orphans",
                "references",
                "keep_null",
                "from",
                "values",
                "unique",
                "creation_time",
                "order_by",
                "max_rejects",
            ),
            where,
        )
        orphans = raw.get("orphans", {})
        if not isinstance(orphans, dict):
            raise self.fail(f"{where}: `orphans` is not a table of field = rule", where, "orphans")
        for fieldname in orphans:
            self.choice(orphans, fieldname, ("reject", "null", "fail", "drop"), f"{where} orphans")
        references = raw.get("references", {})
        if not isinstance(references, dict) or not all(
            isinstance(target, str) for target in references.values()
        ):
            raise self.fail(
                f"{where}: `references` is not a table of path = Convex table", where, "references"
            )
        lineage = raw.get("from", {})
        if not isinstance(lineage, dict) or not all(isinstance(c, str) for c in lineage.values()):
            raise self.fail(
                f"{where}: `from` is not a table of field = source column", where, "from"
            )
        created = self.text(raw, "creation_time", "", where) if "creation_time" in raw else None
        return TargetTable(
            name=name,
            source=self.source_name(raw, name, where),
            model=self.text(raw, "model", f"models/{name}.sql", where),
            function=self.text(
                raw, "function", f"{module}:bulkInsert{name[:1].upper()}{name[1:]}", where
            ),
            grain=cast(
                "Literal['row', 'derived']", self.choice(raw, "grain", ("row", "derived"), where)
            ),
            orphans=orphans,
            references=references,
            keep_null=self.texts(raw, "keep_null", where),
            lineage=lineage,
            values=self.value_maps(raw, where),
            unique=self.unique(raw, where),
            creation_time=created,
            order_by=self.texts(raw, "order_by", where) or ((created,) if created else ()),
            max_rejects=self.limit(raw["max_rejects"], where) if "max_rejects" in raw else None,
        )

    def value_maps(self, raw: dict[str, Any], where: str) -> dict[str, dict[str, str]]:
        maps = raw.get("values", {})
        if not isinstance(maps, dict) or not all(
            isinstance(pairs, dict) and pairs and all(isinstance(v, str) for v in pairs.values())
            for pairs in maps.values()
        ):
            raise self.fail(
                f'{where}: `values` is a table of field = {{ "from" = "to" }}, all of them texts',
                where,
                "values",
            )
        return maps

    def unique(self, raw: dict[str, Any], where: str) -> tuple[tuple[str, ...], ...]:
        groups = raw.get("unique", [])
        if not isinstance(groups, list) or not all(
            isinstance(group, list) and group and all(isinstance(name, str) for name in group)
            for group in groups
        ):
            raise self.fail(
                f'{where}: `unique` is a list of lists of fields, such as [["email"]]',
                where,
                "unique",
            )
        return tuple(tuple(group) for group in groups)

    def source_name(self, raw: dict[str, Any], default: str, where: str) -> str:
        source = self.text(raw, "source", default, where)
        if not NAME.fullmatch(source):
            raise self.fail(
                f"{where}: `source` is the NAME of a [sources.NAME], not {source!r}",
                where,
                "source",
            )
        return source

    def limit(self, value: Any, where: str) -> str | int:
        number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        share = isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?%", value)
        if not number and not share:
            raise self.fail(
                f'{where}: max_rejects is a number, or a share such as "2%"', where, "max_rejects"
            )
        return cast("str | int", value)


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
    """How many of `rows` may be rejected by a limit that is a number or a share."""
    if isinstance(limit, int):
        return limit
    return int(Fraction(limit.rstrip("%")) * rows / 100)
