"""`stages init`: everything that a migration needs, written beside what is there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

from stages.convex.schema import Schema, export_schema, schema_file
from stages.errors import UserError
from stages.init.catalog import Catalog, read_postgres, read_rest
from stages.init.model import Todo, key_model_text, model_text, todos
from stages.init.names import Case
from stages.init.not_carried import not_carried_text
from stages.init.pairing import LEDGER, Pairing, Renames, pair_tables, read_renames
from stages.init.plan_text import in_reference_order, plan_text
from stages.init.schema_text import schema_text
from stages.init.typescript import (
    generated,
    http_action,
    http_route,
    ledger_tables,
    loading_functions,
)
from stages.project.plan import Plan, ReferenceTable, TargetTable
from stages.project.plan_reader import load_plan
from stages.project.text_files import read_text_file
from stages.state.workspace import Workspace

if TYPE_CHECKING:
    from stages.extract.transport import Via
    from stages.progress import Progress
    from stages.project.settings import Source

# What git must not see → lines that say so.
IGNORED = {
    "/data/": {"/data/", "/data", "data/", "data", "/data/*", "data/*"},
    ".env.local": {".env.local", "/.env.local", ".env*.local", ".env*", ".env.*", "*.local"},
}


@dataclass(frozen=True, kw_only=True)
class InitOptions:
    """What the command line says. `references` are tables that Convex has already."""

    write_schema: bool = False
    http_action: bool = False
    update: bool = False
    renames: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    case: Case | None = None
    via: Via = "auto"
    schemas: tuple[str, ...] = ("public",)


@dataclass(frozen=True, kw_only=True)
class Addition:
    """Lines for a person to add to a file of their own."""

    file: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class InitResult:
    """What was written, paths relative to the project; what was left as it is, with a diff to what
    init would write; what a person has to add and to decide."""

    written: tuple[str, ...]
    kept: Mapping[str, str]
    add: tuple[Addition, ...]
    todos: tuple[Todo, ...]
    without_source: tuple[str, ...]
    without_target: tuple[str, ...]


def init(project: Path, source: Source, options: InitOptions, progress: Progress) -> InitResult:
    """Write a migration of `source` into `project`; no file that is there is changed.

    Raises UserError where there is a migration already (without `update`), where schema.ts can't
    be read, and where nothing of the source is in it.
    """
    workspace = Workspace(project=project, data=project / "data", target="default")
    if workspace.plan.exists() and not options.update:
        raise UserError(
            f"{workspace.plan} is there already: this project has a migration",
            "after the source or schema.ts has changed: stages init --update",
        )
    schemas = tuple(dict.fromkeys(options.schemas))
    catalog = _read_catalog(source, replace(options, schemas=schemas), progress)
    renames = read_renames(options.renames)
    schema, renames, files = _schema(workspace, catalog, schemas, options, renames)
    references = options.references
    plan = load_plan(workspace.plan) if workspace.plan.exists() else None
    if plan is not None:
        renames = _as_planned(plan, catalog, schema, renames)
        references += tuple(name for name in plan.references if name in schema.tables)
    pairing = pair_tables(catalog, schema, renames, schemas)
    if not pairing.tables:
        raise UserError(
            "no table of the source is called as one of convex/schema.ts: the source has "
            + (", ".join(name for _, name in catalog.tables) or "none"),
            "say which is which with --rename source_table=convexTable, or name others with "
            "--schema",
        )
    reference_tables = _references(schema, pairing, references)
    files |= _migration(workspace, catalog, schema, pairing, reference_tables)
    files |= _functions(schema, pairing, reference_tables, plan, options, workspace)
    if not (project / ".gitignore").exists():
        files[".gitignore"] = "".join(f"{line}\n" for line in IGNORED)
    written_files, kept = _write(project, files, options.update)
    decisions = tuple(
        todo
        for name, text in files.items()
        if name.endswith((".sql", ".toml"))
        for todo in todos(name, text)
    )
    return InitResult(
        written=written_files,
        kept=kept,
        add=tuple(_additions(workspace, schema, options)),
        todos=decisions,
        without_source=tuple(n for n in pairing.without_source if n not in reference_tables),
        without_target=tuple(".".join(place) for place in pairing.without_target),
    )


def _schema(
    workspace: Workspace,
    catalog: Catalog,
    schemas: tuple[str, ...],
    options: InitOptions,
    renames: Renames,
) -> tuple[Schema, Renames, dict[str, str]]:
    """The Convex schema, the renames that lead to it, and the file to write it to."""
    files: dict[str, str] = {}
    existing = schema_file(workspace.convex)
    has_schema = existing.exists()
    if options.write_schema:
        if has_schema and not options.update:
            raise UserError(f"{existing} is there already", "leave out --write-schema")
        written = schema_text(catalog, schemas, options.case, renames)
        files[_place(workspace, "schema.ts")] = written.text
    if has_schema:
        return Schema(export_schema(workspace.convex)), renames, files
    if options.write_schema:
        return _export_text(written.text, workspace.project), written.renames, files
    raise UserError(
        f"{existing} is missing",
        "stages init --write-schema makes one of the source's catalog",
    )


def _as_planned(plan: Plan, catalog: Catalog, schema: Schema, renames: Renames) -> Renames:
    """The renames, and besides them the pairs of tables that the plan has already."""
    tables = dict(renames.tables)
    entries: list[TargetTable | ReferenceTable] = [
        *plan.tables.values(),
        *plan.references.values(),
    ]
    for entry in entries:
        source = plan.sources.get(entry.source or "")
        if source is None or entry.name not in schema.tables or entry.name in tables.values():
            continue
        if (source.schema, source.table) in catalog.tables:
            tables.setdefault(f"{source.schema}.{source.table}", entry.name)
    return replace(renames, tables=tables)


def _read_catalog(source: Source, options: InitOptions, progress: Progress) -> Catalog:
    from stages.extract.postgres import PostgresReader
    from stages.extract.rest_probe import find_printed_otherwise
    from stages.extract.transport import connect_source

    with connect_source(source, options.via, (*options.schemas, "auth"), progress) as reader:
        if isinstance(reader, PostgresReader):
            return read_postgres(reader, options.schemas)
        progress.note(
            "read over REST, which shows columns, primary keys, foreign keys of one column, enums "
            "and defaults, and nothing else"
        )
        for problem in find_printed_otherwise(reader):
            progress.note(problem)
        return read_rest(reader, options.schemas)


def _export_text(text: str, project: Path) -> Schema:
    """A schema.ts that is not written yet, as the project's own Convex exports it."""
    folder = Path(tempfile.mkdtemp(prefix="stages-init-"))
    try:
        (folder / "schema.ts").write_text(text, "utf-8")
        (folder / "stagesTables.ts").write_text(ledger_tables(), "utf-8")
        return Schema(export_schema(folder, packages=project))
    finally:
        shutil.rmtree(folder)


def _references(schema: Schema, pairing: Pairing, named: Iterable[str]) -> list[str]:
    """Tables that Convex has already: those that are named, and those that are only referred to."""
    named_tables = dict.fromkeys(named)
    for name in named_tables:
        if name not in schema.tables:
            raise UserError(
                f"--reference: convex/schema.ts has no table `{name}`",
                f"it has: {', '.join(sorted(schema.tables))}",
            )
    loaded = [name for name in pairing.tables if name not in named_tables]
    graph = schema.references()
    referred = {target for name in loaded for target in graph[name]}
    references = [
        name
        for name in schema.tables
        if name != LEDGER
        and (name in named_tables or (name in referred and name not in pairing.tables))
    ]
    return in_reference_order(references, schema)


def _migration(
    workspace: Workspace, catalog: Catalog, schema: Schema, pairing: Pairing, references: list[str]
) -> dict[str, str]:
    def named(file: Path) -> str:
        return file.relative_to(workspace.project).as_posix()

    files = {}
    for target in references:
        if target in pairing.tables:
            text = key_model_text(pairing.tables[target], pairing, references)
            files[named(workspace.model(f"keys/{target}.sql"))] = text
    for target, paired in pairing.tables.items():
        if target not in references:
            text = model_text(paired, catalog, pairing)
            files[named(workspace.model(f"models/{target}.sql"))] = text
    files[named(workspace.not_carried)] = not_carried_text(catalog, pairing)
    name = workspace.project.resolve().name or "migration"
    files[named(workspace.plan)] = plan_text(name, pairing, references)
    return files


def _functions(
    schema: Schema,
    pairing: Pairing,
    references: list[str],
    plan: Plan | None,
    options: InitOptions,
    workspace: Workspace,
) -> dict[str, str]:
    """The functions for the tables of the plan that init writes, and of the plan of today.

    A reference without a source is not decided yet: it may become a table with a model of its own.
    """
    planned = plan.references.values() if plan else ()
    referenced = {name for name in references if name in pairing.tables}
    referenced |= {entry.name for entry in planned if entry.source}
    loaded = {*pairing.tables, *references, *(plan.tables if plan else ())} - referenced
    functions = loading_functions(
        [name for name in schema.tables if name in loaded],
        [name for name in schema.tables if name in referenced],
    )
    files = {"stagesTables.ts": ledger_tables(), "stages.ts": functions}
    if options.http_action:
        files["stagesHttp.ts"] = http_action()
        if not (workspace.convex / "http.ts").exists():
            files["http.ts"] = http_route()
    if not (workspace.convex / "_generated").exists():
        # So that the functions run before the first push, which makes these anew.
        files |= {f"_generated/{name}": text for name, text in generated().items()}
    return {_place(workspace, name): text for name, text in files.items()}


def _place(workspace: Workspace, name: str) -> str:
    """A file of the functions' folder, as seen from the project: `convex/schema.ts`."""
    return Path(os.path.relpath(workspace.convex / name, workspace.project)).as_posix()


def _write(
    project: Path, files: Mapping[str, str], update: bool
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Write the files that are not there. What is there and differs is a diff, or a refusal."""
    existing = {name: _text_of(project / name) for name in files}
    differ = [name for name, text in existing.items() if text not in (None, files[name])]
    if differ and not update:
        raise UserError(
            f"there already, and not as init would write it: {', '.join(differ)}",
            "move it away, or keep it with: stages init --update",
        )
    written = []
    for name, text in files.items():
        if existing[name] is None:
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text, "utf-8")
            written.append(name)
    return tuple(written), {name: _diff(name, existing[name] or "", files[name]) for name in differ}


def _text_of(file: Path) -> str | None:
    try:
        return read_text_file(file)
    except FileNotFoundError:
        return None


def _diff(name: str, old: str, new: str) -> str:
    lines = unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), name, f"{name} (of today)"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _additions(workspace: Workspace, schema: Schema, options: InitOptions) -> Iterable[Addition]:
    """What is still missing in files that init does not touch."""
    if LEDGER not in schema.tables:
        yield Addition(
            file=_place(workspace, schema_file(workspace.convex).name),
            lines=(
                'import { stagesTables } from "./stagesTables";',
                "…",
                "export default defineSchema({",
                "  …",
                "  ...stagesTables,",
                "});",
            ),
        )
    route = _text_of(workspace.convex / "http.ts") or ""
    if options.http_action and "stagesHttp" not in route:
        yield Addition(
            file=_place(workspace, "http.ts"),
            lines=(
                'import * as stages from "./stages";',
                'import { httpChannel } from "./stagesHttp";',
                "…",
                'http.route({ path: "/migrate", method: "POST", '
                'handler: httpChannel("stages", stages) });',
            ),
        )
    ignored = (_text_of(workspace.project / ".gitignore") or "").splitlines()
    missing = [line for line, same in IGNORED.items() if not same & set(ignored)]
    if missing:
        yield Addition(file=".gitignore", lines=tuple(missing))
