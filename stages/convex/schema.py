"""convex/schema.ts as Convex itself exports it: fields, validators, references.

The file is executed with the project's own `convex`, not parsed, so that spread tables, shared
validators and helper modules are resolved. Source of the JSON's form: `schema.export()`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stages.convex.module_problem import module_problem
from stages.errors import FileError, UserError
from stages.project.text_files import require_utf_8
from stages.state.fingerprints import fingerprint, hash_file
from stages.state.records import Record, read_whole, write_record
from stages.state.workspace import Workspace

EXPORTER = Path(__file__).with_name("export_schema.mjs")
BUNDLER = EXPORTER.with_name("bundle.mjs")
Validator = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a table: its validator as JSON, and whether it may be absent.

    `demanded`: some member of a union of objects requires a value for it.
    """

    name: str
    validator: Validator
    optional: bool
    demanded: bool = False

    @property
    def kind(self) -> str:
        return str(self.validator["type"])

    def members(self) -> list[Validator]:
        """The validator's alternatives: those of a union, however nested, or itself."""
        return members(self.validator)

    def references(self) -> Iterator[str]:
        """Tables that a v.id anywhere in this field names."""
        yield from _references(self.validator)


@dataclass(frozen=True)
class Schema:
    """The exported schema."""

    exported: Mapping[str, Any]

    @cached_property
    def tables(self) -> Mapping[str, Mapping[str, Any]]:
        """Table name → its export."""
        return {table["tableName"]: table for table in self.exported["tables"]}

    def document(self, table: str) -> Validator:
        """The validator of a table's documents. Raises UserError if there is no such table."""
        if table not in self.tables:
            raise UserError(
                f"convex/schema.ts has no table `{table}`",
                f"it has: {', '.join(sorted(self.tables))}",
            )
        document: Validator = self.tables[table]["documentType"]
        return document

    def fields(self, table: str, columns: Iterable[str] = ()) -> dict[str, Field]:
        """Fields of a table in the order of schema.ts.

        A union of objects has the fields of all its members; one that a member lacks is optional.
        Documents of v.any() declare no fields: their fields are `columns`, those of the model.
        Raises UserError if there is no such table.
        """
        members_of_table = members(self.document(table))
        if any(member["type"] != "object" for member in members_of_table):
            named = self.document(table).get("fields", {})
            return {
                name: Field(name=name, validator=named.get(name, {"type": "any"}), optional=True)
                for name in columns
            }
        names = dict.fromkeys(name for member in members_of_table for name in member["value"])
        return {name: _merged(name, members_of_table) for name in names}

    def references(self) -> Mapping[str, set[str]]:
        """Table → tables that its v.id fields name, except Convex's system tables."""
        return self._references

    @cached_property
    def _references(self) -> Mapping[str, set[str]]:
        return {
            name: {t for t in _references(table["documentType"]) if not is_system(t)}
            for name, table in self.tables.items()
        }


def is_system(table: str) -> bool:
    """Whether it is a system table of Convex, such as `_storage`; values hold its ids already."""
    return table.startswith("_")


def members(validator: Validator) -> list[Validator]:
    """A union's alternatives, including those of nested unions; else the validator itself."""
    if validator["type"] != "union":
        return [validator]
    return [member for part in validator["value"] for member in members(part)]


def _merged(name: str, objects: list[Validator]) -> Field:
    """A field of a union of objects: it accepts what any of them accepts."""
    given = [member["value"][name] for member in objects if name in member["value"]]
    validators: list[Validator] = []
    for value in given:
        if value["fieldType"] not in validators:
            validators.append(value["fieldType"])
    return Field(
        name=name,
        validator=validators[0] if len(validators) == 1 else {"type": "union", "value": validators},
        optional=len(given) < len(objects) or any(value["optional"] for value in given),
        demanded=len(objects) > 1 and any(_demanded(value) for value in given),
    )


def _demanded(field: Mapping[str, Any]) -> bool:
    kinds = [member["type"] for member in members(field["fieldType"])]
    return not field["optional"] and "null" not in kinds


def _references(validator: Validator) -> Iterator[str]:
    kind = validator["type"]
    if kind == "id":
        yield validator["tableName"]
    elif kind == "any":
        # Places that the plan names, see validators/positions.py.
        for member in validator.get("fields", {}).values():
            yield from _references(member)
        for part in ("items", "values"):
            if part in validator:
                yield from _references(validator[part])
    elif kind == "array":
        yield from _references(validator["value"])
    elif kind == "union":
        for member in validator["value"]:
            yield from _references(member)
    elif kind == "object":
        for member in validator["value"].values():
            yield from _references(member["fieldType"])
    elif kind == "record":
        yield from _references(validator["keys"])
        yield from _references(validator["values"]["fieldType"])


class SchemaCache(Record, kw_only=True):
    """schema.json: the export, and the files that it was made from, relative to convex/."""

    made_from: str
    inputs: list[str]
    exported: dict[str, Any]

    @classmethod
    def way_on(cls, file: Path) -> str:
        return "any command rebuilds it"


def load_schema(workspace: Workspace) -> Schema:
    """The project's schema; exported again only if a file that it was made from has changed.

    Raises UserError if schema.ts is missing or can't be executed.
    """
    stored = read_whole(SchemaCache, workspace.schema)
    if not stored or stored.made_from != made_from(workspace.convex, stored.inputs):
        exported, inputs = _export(workspace.convex, workspace.convex)
        made = made_from(workspace.convex, inputs)
        stored = SchemaCache(made_from=made, inputs=inputs, exported=exported)
        write_record(workspace.schema, stored)
    return Schema(stored.exported)


def staged_schema(workspace: Workspace) -> Schema | None:
    """The schema as it was last exported, or None; it may be outdated.

    A damaged cache is rebuilt.
    """
    if not workspace.schema.exists():
        return None
    stored = read_whole(SchemaCache, workspace.schema)
    return Schema(stored.exported) if stored else load_schema(workspace)


def is_outdated(workspace: Workspace) -> bool:
    """Whether a file that the last export was made from has changed; nothing is executed."""
    stored = read_whole(SchemaCache, workspace.schema)
    try:
        return stored is not None and stored.made_from != made_from(workspace.convex, stored.inputs)
    except FileError:  # a convex.json that can't be read, which a transform names
        return True


def export_schema(convex: Path, packages: Path | None = None) -> dict[str, Any]:
    """Execute convex/schema.ts in Node and return the result of `schema.export()`.

    `packages` is the folder whose `convex` is used, if it is not that of the schema. Raises
    UserError with file and line if that fails.
    """
    return _export(convex, packages or convex)[0]


def schema_file(convex: Path) -> Path:
    """The schema's file: schema.ts, or schema.js where only that exists."""
    typescript, javascript = convex / "schema.ts", convex / "schema.js"
    return javascript if javascript.exists() and not typescript.exists() else typescript


def _export(convex: Path, packages: Path) -> tuple[dict[str, Any], list[str]]:
    """The exported schema, and the files that it was made from, relative to convex/."""
    file = schema_file(convex)
    if not file.exists():
        raise FileError(
            f"{file} is missing",
            "stages loads into tables that it declares; stages init --write-schema makes one from "
            "the source's catalog",
            file=file,
        )
    require_utf_8(file)
    node = shutil.which("node")
    if not node:
        raise UserError("node is not on the PATH", "install Node.js 20 or newer")
    folder = convex.resolve()
    ran = subprocess.run(
        [node, str(EXPORTER), str(folder / file.name), str(packages.resolve())],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        result = json.loads(ran.stdout)
    except json.JSONDecodeError:
        result = {"problem": "module", "place": None, "message": _error_line(ran.stderr)}
    if "problem" in result:
        raise module_problem(file, packages, result)
    for path in result["inputs"]:
        if "node_modules" not in Path(path).parts:
            require_utf_8(Path(path))  # esbuild replaces other bytes with U+FFFD
    return result["exported"], [os.path.relpath(path, folder) for path in result["inputs"]]


def _error_line(stderr: str) -> str:
    """The line of Node's output that names the error; its last one is Node's version."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = (line for line in lines if re.match(r"(\w*Error\b|node: )", line))
    return next(errors, lines[0] if lines else "it ended without a result")


def made_from(convex: Path, inputs: list[str]) -> str:
    """What the export depends on: its files, how they are resolved, and the exporter."""
    files = [convex / name for name in (*inputs, "tsconfig.json", "../tsconfig.json")]
    return fingerprint(
        inputs,
        [hash_file(file) if file.exists() else None for file in files],
        hash_file(EXPORTER),
        hash_file(BUNDLER),
    )
