"""What init remembers: source and schema as they were, its options, and the texts that it wrote.

It is committed next to the plan. It holds no rows, and no values but labels that a model lists. A
later `init --update` compares with it, and uses it as the base for merging.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, cast

import msgspec

from stages.convex.schema import Schema
from stages.init.catalog import Catalog, CatalogTable, Place
from stages.init.names import Case
from stages.init.options import PUBLIC, InitOptions
from stages.init.pairing import LEDGER
from stages.init.picture import Picture
from stages.state.records import Record, read_record, write_record
from stages.state.workspace import Workspace

# Never merged: .gitignore belongs to the user.
NOT_KEPT = {".gitignore"}


class Baseline(Record, kw_only=True, omit_defaults=True):
    """init.json. `renames` are as on the command line; `files`: name → text; `partial`: the source
    was read over REST. A new field of a catalog's dataclass needs a default."""

    schemas: list[str]
    tables: list[CatalogTable]
    convex: list[dict[str, Any]]
    files: dict[str, str]
    renames: list[str] = msgspec.field(default_factory=list)
    references: list[str] = msgspec.field(default_factory=list)
    case: Case | None = None
    http_action: bool = False
    write_schema: bool = False
    partial: bool = False

    @classmethod
    def way_on(cls, file: Path) -> str:
        return f"restore it from git, or remove {file} and start over: stages init --update --apply"

    def picture(self) -> Picture:
        """Source and schema as they were."""
        return Picture(
            tables={table.place: table for table in self.tables},
            convex={table["tableName"]: table for table in self.convex},
        )


def with_remembered(given: InitOptions, baseline: Baseline | None) -> InitOptions:
    """The options of this run, together with those of earlier runs."""
    if baseline is None:
        return replace(given, schemas=given.schemas or PUBLIC)
    named = {text.partition("=")[2] for text in given.renames}
    before = [text for text in baseline.renames if text.partition("=")[2] not in named]
    return replace(
        given,
        renames=(*before, *given.renames),
        references=tuple(dict.fromkeys([*baseline.references, *given.references])),
        schemas=tuple(dict.fromkeys([*baseline.schemas, *given.schemas])),
        case=given.case or baseline.case,
        http_action=given.http_action or baseline.http_action,
    )


def picture_of(catalog: Catalog, schema: Schema, besides: Collection[Place]) -> Picture:
    """What belongs to the application: the tables of the requested schemas and those of `besides`,
    and all of schema.ts except the ledger."""
    return Picture(
        tables={
            place: table
            for place, table in catalog.tables.items()
            if place[0] in catalog.schemas or place in besides
        },
        convex={name: table for name, table in schema.tables.items() if name != LEDGER},
    )


def make_baseline(
    options: InitOptions, catalog: Catalog, picture: Picture, files: Mapping[str, str]
) -> Baseline:
    """The record of a run with these options."""
    return Baseline(
        schemas=list(options.schemas),
        tables=list(picture.tables.values()),
        convex=[dict(table) for table in picture.convex.values()],
        files=kept_files(files),
        renames=list(options.renames),
        references=list(options.references),
        case=options.case,
        http_action=options.http_action,
        write_schema=options.write_schema,
        partial=catalog.partial,
    )


def kept_files(files: Mapping[str, str]) -> dict[str, str]:
    """The texts of a run that a baseline keeps, by name."""
    return {name: text for name, text in sorted(files.items()) if name not in NOT_KEPT}


def read_baseline(workspace: Workspace) -> Baseline | None:
    """The baseline, or None if there is none. Raises Damaged, and UserError for a newer one."""
    return read_record(Baseline, workspace.baseline)


def write_baseline(workspace: Workspace, baseline: Baseline) -> None:
    """Write it durably, without values that are defaults."""
    lean = cast("list[CatalogTable]", [_lean(table) for table in baseline.tables])
    write_record(workspace.baseline, msgspec.structs.replace(baseline, tables=lean))


def _lean(value: Any) -> Any:
    if is_dataclass(value):
        return {
            each.name: _lean(getattr(value, each.name))
            for each in fields(value)
            if getattr(value, each.name) != each.default
        }
    if isinstance(value, Mapping):
        return {name: _lean(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_lean(each) for each in value]
    return value
