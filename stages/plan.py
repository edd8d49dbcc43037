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

from stages.errors import UserError

Orphan = Literal["reject", "null", "fail", "drop"]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
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
    on_missing: Literal["report", "fail"] = "report"


@dataclass(frozen=True, kw_only=True)
class ReferenceTable:
    """`[reference.NAME]`: a table that Convex has already; `keys` finds its ids by source key."""

    name: str
    source: str | None = None
    keys: str | None = None


@dataclass(frozen=True, kw_only=True)
class TargetTable:
    """`[tables.NAME]`: one Convex table to load, its source, its model and its rules."""

    name: str
    source: str
    model: str
    function: str
    grain: Literal["row", "derived"] = "row"
    orphans: Mapping[str, Orphan] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    keep_null: tuple[str, ...] = ()
    lineage: Mapping[str, str] = field(default_factory=dict)
    max_rejects: str | int | None = None


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
    targets: Mapping[str, Mapping[str, str]]
    report_json: str
    report_summary: str
    max_rejects: str | int = 0

    def select_tables(self, names: Iterable[str], exclude: Iterable[str] = ()) -> list[TargetTable]:
        """Target tables by target or source name, or by a glob such as `ari_*`; all for none.

        Raises UserError for an unknown name, and for one that means two tables.
        """
        wanted = list(names)
        found = [t for name in wanted for t in self._tables_named(name)]
        out = {t.name for name in exclude for t in self._tables_named(name)}
        chosen = {t.name for t in found} if wanted else set(self.tables)
        return [t for t in self.tables.values() if t.name in chosen - out]

    def _tables_named(self, name: str) -> list[TargetTable]:
        matches = [
            t
            for t in self.tables.values()
            if fnmatchcase(t.name, name) or fnmatchcase(t.source, name)
        ]
        if not matches:
            raise UserError(
                f"`{name}` is neither a source nor a target of the plan",
                f"one of: {', '.join(self.tables)}",
            )
        if len(matches) > 1 and not _is_glob(name):
            raise UserError(
                f"`{name}` means more than one table: "
                + ", ".join(f"{t.source} → {t.name}" for t in matches),
                "name the target table",
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
        matches |= {t.source for t in self.tables.values() if fnmatchcase(t.name, name)}
        if not matches:
            raise UserError(
                f"`{name}` is neither a source nor a target of the plan",
                f"one of: {', '.join(self.sources)}",
            )
        if len(matches) > 1 and not _is_glob(name):
            raise UserError(
                f"`{name}` means more than one source: {', '.join(sorted(matches))}",
                "name the source of the one that you mean",
            )
        return matches


def load_plan(file: Path) -> Plan:
    """Read and check plan.toml. Raises UserError that names the file and the entry."""
    try:
        raw = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"there is no plan: {file} is missing",
            "run from the project's folder, or with --project DIR",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file.name}: {error}", f"edit {file}") from None
    return _Reader(file).plan(raw)


class _Reader:
    """Turns tables of the TOML file into dataclasses, refusing every name that it does not know."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def fail(self, message: str) -> UserError:
        return UserError(f"{self.file.name}: {message}", f"edit {self.file}")

    def known(self, raw: Any, allowed: Iterable[str], where: str) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise self.fail(f"{where} is not a table")
        extra = sorted(set(raw) - set(allowed))
        if extra:
            raise self.fail(f"{where} has an unknown entry `{extra[0]}`")
        return raw

    def named(self, raw: Any, where: str) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise self.fail(f"[{where}] is not a table")
        for name in raw:
            if not NAME.fullmatch(name):
                raise self.fail(f"[{where}.{name}]: a name has letters, digits, _ and - only")
        twins: dict[str, str] = {}
        for name in raw:
            other = twins.setdefault(name.lower(), name)
            if other != name:
                raise self.fail(f"[{where}.{name}] and [{where}.{other}] differ only in case")
        return raw

    def text(self, raw: dict[str, Any], name: str, default: str, where: str) -> str:
        value = raw.get(name, default)
        if not isinstance(value, str) or not value:
            raise self.fail(f"{where}: `{name}` is not a text")
        return value

    def texts(self, raw: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
        value = raw.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.fail(f"{where}: `{name}` is not a list of texts")
        return tuple(value)

    def choice(self, raw: dict[str, Any], name: str, choices: tuple[str, ...], where: str) -> str:
        value = raw.get(name, choices[0])
        if value not in choices:
            raise self.fail(f"{where}: `{name}` is one of {', '.join(choices)}, not {value!r}")
        return cast("str", value)

    def plan(self, raw: dict[str, Any]) -> Plan:
        self.known(
            raw,
            (
                "name",
                "module",
                "max_rejects",
                "report",
                "sources",
                "reference",
                "tables",
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
                raise self.fail(f"`{reference.name}` is both in [reference] and in [tables]")
            if reference.source:
                sources.setdefault(reference.source, self.source(reference.source, {}))
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
            targets=targets,
            report_json=self.text(
                report, "json", ".planning/migrations/data-migration-report.json", "[report]"
            ),
            report_summary=self.text(
                report, "summary", ".planning/migrations/SUMMARY.md", "[report]"
            ),
            max_rejects=self.limit(raw.get("max_rejects", 0), "max_rejects"),
        )

    def source(self, name: str, raw: Any) -> SourceTable:
        where = f"[sources.{name}]"
        self.known(
            raw,
            ("table", "key", "where", "exclude", "as_text", "include_secrets", "on_missing"),
            where,
        )
        schema, table = split_name(self.text(raw, "table", name, where))
        key = self.texts(raw, "key", where)
        exclude = self.texts(raw, "exclude", where)
        if set(key) & set(exclude):
            raise self.fail(f"{where}: a key column is excluded")
        return SourceTable(
            name=name,
            schema=schema or "public",
            table=table,
            key=key,
            where=self.text(raw, "where", "", where) if "where" in raw else None,
            exclude=exclude,
            as_text=self.texts(raw, "as_text", where),
            include_secrets=self.texts(raw, "include_secrets", where),
            on_missing=cast(
                "Literal['report', 'fail']",
                self.choice(raw, "on_missing", ("report", "fail"), where),
            ),
        )

    def reference(self, name: str, raw: Any) -> ReferenceTable:
        where = f"[reference.{name}]"
        self.known(raw, ("source", "keys"), where)
        keys = self.text(raw, "keys", "", where) if "keys" in raw else None
        source = self.source_name(raw, "", where) if "source" in raw else None
        if keys and source is None:
            raise self.fail(f"{where}: `keys` needs the `source` whose keys it looks up")
        return ReferenceTable(name=name, source=source, keys=keys)

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
                "max_rejects",
            ),
            where,
        )
        orphans = raw.get("orphans", {})
        if not isinstance(orphans, dict):
            raise self.fail(f"{where}: `orphans` is not a table of field = rule")
        for fieldname in orphans:
            self.choice(orphans, fieldname, ("reject", "null", "fail", "drop"), f"{where} orphans")
        references = raw.get("references", {})
        if not isinstance(references, dict) or not all(
            isinstance(target, str) for target in references.values()
        ):
            raise self.fail(f"{where}: `references` is not a table of path = Convex table")
        lineage = raw.get("from", {})
        if not isinstance(lineage, dict) or not all(isinstance(c, str) for c in lineage.values()):
            raise self.fail(f"{where}: `from` is not a table of field = source column")
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
            max_rejects=self.limit(raw["max_rejects"], where) if "max_rejects" in raw else None,
        )

    def source_name(self, raw: dict[str, Any], default: str, where: str) -> str:
        source = self.text(raw, "source", default, where)
        if not NAME.fullmatch(source):
            raise self.fail(f"{where}: `source` is the NAME of a [sources.NAME], not {source!r}")
        return source

    def limit(self, value: Any, where: str) -> str | int:
        number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        share = isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?%", value)
        if not number and not share:
            raise self.fail(f'{where}: max_rejects is a number, or a share such as "2%"')
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
