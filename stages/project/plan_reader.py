"""Read plan.toml into one frozen Plan. What it may contain is defined here, and nowhere else."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from stages.errors import FileError, Place
from stages.names import is_it
from stages.project.plan import (
    SANDBOX,
    SETTING_NAMES,
    Plan,
    ReferenceTable,
    SideFile,
    SourceTable,
    TargetTable,
    split_name,
)
from stages.project.plan_entries import NAME, Entries
from stages.project.text_files import read_text_file

# The most digits of DuckDB's DECIMAL.
DECIMAL_DIGITS = 38
# DuckDB's names for the types that a side file's texts can be cast to.
SIDE_TYPES = (
    "VARCHAR, BOOLEAN, INTEGER, BIGINT, HUGEINT, DOUBLE, DECIMAL(p,s), DATE, TIME, TIMESTAMP, "
    "TIMESTAMPTZ, UUID, JSON"
)
SIDE_TYPE = re.compile(
    SIDE_TYPES.replace(", ", "|").replace("(p,s)", r"\(\d+, *\d+\)"), re.IGNORECASE
)


def load_plan(file: Path) -> Plan:
    """Read and check plan.toml. Raises UserError that names the file and the entry."""
    try:
        text = read_text_file(file)
        raw = tomllib.loads(text)
    except FileNotFoundError:
        raise FileError(
            f"there is no plan: {file} is missing",
            "run from the project's folder, or with --project DIR",
            file=file,
        ) from None
    except tomllib.TOMLDecodeError as error:
        words = str(error)
        end = re.search(r" \(at line (\d+), column \d+\)$| \(at end of document\)$", words)
        line = None
        if end:
            line = int(end[1] or len(text.splitlines()))
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
            name: self.target(name, item)
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
                "only",
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
            only=self.flag(raw, "only", where),
            exclude=exclude,
            as_text=self.texts(raw, "as_text", where),
            include_secrets=self.texts(raw, "include_secrets", where),
            unused=self.texts(raw, "unused", where),
            on_missing=cast(
                "Literal['report', 'fail']",
                self.choice(raw, "on_missing", ("report", "fail"), where),
            ),
            says_on_missing="on_missing" in raw,
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

    def target(self, name: str, raw: Any) -> dict[str, str]:
        where = f"[targets.{name}]"
        names = [setting.lower() for setting in SETTING_NAMES]
        self.known(raw, ["convex", *names], where)
        if "convex" in raw:
            self.choice(raw, "convex", (SANDBOX,), where)
            other = next((n for n in names if n in raw and not n.startswith("supabase_")), None)
            if other:
                raise self.fail(
                    f"{where}: a sandbox has keys of its own, so `{other}` has no effect",
                    where,
                    other,
                )
        return {entry: self.text(raw, entry, "", where) for entry in raw}

    def side(self, name: str, raw: Any, sources: Mapping[str, SourceTable]) -> SideFile:
        where = f"[side.{name}]"
        self.known(raw, ("types", "keys", "of", "of_column", "orphans"), where)
        types = self.types(raw, where)
        if types and not raw.keys() & {"keys", "of", "of_column", "orphans"}:
            return SideFile(name=name, types=types)
        of = self.text(raw, "of", "", where)
        if of not in sources:
            raise self.fail(
                f"{where}: `of` names `{of}`, which is no source{is_it(of, sources)}", where, "of"
            )
        return SideFile(
            name=name,
            types=types,
            keys=self.text(raw, "keys", "", where),
            of=of,
            of_column=self.text(raw, "of_column", "", where) if "of_column" in raw else None,
            orphans=cast(
                "Literal['fail', 'report']", self.choice(raw, "orphans", ("fail", "report"), where)
            ),
        )

    def types(self, raw: dict[str, Any], where: str) -> dict[str, str]:
        types = raw.get("types", {})
        if not isinstance(types, dict):
            raise self.fail(f"{where}: `types` is not a table of column = type", where, "types")
        for column, kind in types.items():
            if not isinstance(kind, str) or not _is_side_type(kind):
                raise self.fail(
                    f"{where}: types.{column} is {kind!r}; it must be one of {SIDE_TYPES}",
                    where,
                    f"types.{column}",
                )
        return types

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
                f'{where}: `values` must be a table of field = {{ "from" = "to" }}, '
                "all of them texts",
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
                f'{where}: `unique` must be a list of lists of fields, such as [["email"]]',
                where,
                "unique",
            )
        return tuple(tuple(group) for group in groups)

    def source_name(self, raw: dict[str, Any], default: str, where: str) -> str:
        source = self.text(raw, "source", default, where)
        if not NAME.fullmatch(source):
            raise self.fail(
                f"{where}: `source` must be the NAME of a [sources.NAME], not {source!r}",
                where,
                "source",
            )
        return source

    def limit(self, value: Any, where: str) -> str | int:
        number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        share = isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?%", value)
        if not number and not share:
            raise self.fail(
                f'{where}: max_rejects must be a number, or a share such as "2%"',
                where,
                "max_rejects",
            )
        return cast("str | int", value)


def _is_side_type(kind: str) -> bool:
    if not SIDE_TYPE.fullmatch(kind):
        return False
    digits = [int(number) for number in re.findall(r"\d+", kind)]
    return not digits or digits[1] <= digits[0] in range(1, DECIMAL_DIGITS + 1)
