"""`stages init`: everything that a migration needs, written next to the existing files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stages.convex.schema import Schema
from stages.errors import UserError
from stages.init import git_ignore
from stages.init.additions import additions
from stages.init.baseline import make_baseline, picture_of, write_baseline
from stages.init.catalog import Catalog, table_name
from stages.init.contents import Contents, make_contents, project_name
from stages.init.options import PUBLIC, InitOptions
from stages.init.pairing import Renames, read_renames
from stages.init.project_files import convex_place, place_of, text_of
from stages.init.result import InitResult, listed_todos
from stages.init.schema_source import export_text, imports_tables, new_schema, project_schema
from stages.init.source import read_source
from stages.init.tool_files import ToolFiles, functions_text, route_text, tool_texts
from stages.init.update import update
from stages.names import twins
from stages.state.durable import write_project_file
from stages.state.workspace import Workspace

if TYPE_CHECKING:
    from stages.progress import Progress
    from stages.project.settings import Source


def init(project: Path, source: Source, options: InitOptions, progress: Progress) -> InitResult:
    """Write a migration of `source` into `project`, or update the one that it has.

    A first run changes no existing file; an update changes none of the user's lines. Raises
    UserError if there already is a migration (without `update`), if schema.ts can't be read, or if
    no table of the source is in it.
    """
    workspace = Workspace(project=project, data=project / "data", target="default")
    if options.of_existing:
        return update(workspace, source, options, progress)
    if workspace.plan.exists():
        raise UserError(
            f"{workspace.plan} already exists: this project has a migration",
            "after the source or schema.ts has changed: stages init --update",
        )
    renames = read_renames(options.renames)
    schemas = tuple(dict.fromkeys([*(options.schemas or PUBLIC), *renames.schemas()]))
    options = replace(options, schemas=schemas)
    if imports_tables(workspace):
        ToolFiles(workspace=workspace, recorded={}).renew(
            {name: text for name, text in tool_texts(workspace, None, http=False).items()
             if not (project / name).exists()}
        )  # fmt: skip
    catalog, evidence = read_source(source, schemas, options.via, progress)
    schema, renames, files = _schema(workspace, catalog, options, renames)
    contents = make_contents(catalog, schema, renames, evidence, options.references)
    files |= _migration(workspace, contents)
    files |= tool_texts(workspace, functions_text(schema, contents, None), http=options.http_action)
    if options.http_action:
        files |= route_text(workspace)
    _refuse_others(project, files)
    if not (project / ".gitignore").exists():
        files[".gitignore"] = git_ignore.text()
    plan = place_of(workspace, workspace.plan)
    written = _write(project, {n: text for n, text in files.items() if n != plan})
    picture = picture_of(
        catalog, schema, {paired.table.place for paired in contents.pairing.tables.values()}
    )
    write_baseline(workspace, make_baseline(options, catalog, picture, files))
    # Last: its presence means that there is a migration.
    written += _write(project, {plan: files[plan]})
    pairing = contents.pairing
    return InitResult(
        written=tuple(name for name in files if name in written),
        add=tuple(additions(workspace, schema, http=options.http_action)),
        todos=listed_todos(files),
        without_source=tuple(n for n in pairing.without_source if n not in contents.references),
        without_target=tuple(table_name(place) for place in pairing.without_target),
    )


def _schema(
    workspace: Workspace, catalog: Catalog, options: InitOptions, renames: Renames
) -> tuple[Schema, Renames, dict[str, str]]:
    """The Convex schema, the renames that lead to it, and the file to write, if it is a new one."""
    if not options.write_schema:
        return project_schema(workspace), renames, {}
    written = new_schema(workspace, catalog, options)
    files = {convex_place(workspace, "schema.ts"): written.text}
    return export_text(written.text, workspace.project), written.renames, files


def _migration(workspace: Workspace, contents: Contents) -> dict[str, str]:
    models = {target: contents.model(target) for target in contents.known}
    if two := twins(target for target, text in models.items() if text is not None):
        raise UserError(
            f"convex/schema.ts has the tables `{two[0]}` and `{two[1]}`, which differ only in case",
            "rename one of them: stages keeps each table in files of its name",
        )
    files = {}
    for target, text in models.items():
        if text is not None:
            files[place_of(workspace, workspace.model(contents.model_file(target)))] = text
    files[place_of(workspace, workspace.not_carried)] = contents.not_carried()
    files[place_of(workspace, workspace.plan)] = contents.plan(project_name(workspace.project))
    return files


def _refuse_others(project: Path, files: Mapping[str, str]) -> None:
    """Raise UserError for existing files that differ from what init would write."""
    differ = [name for name, text in files.items() if text_of(project / name) not in (None, text)]
    if differ:
        raise UserError(
            f"existing files differ from what init would write: {', '.join(differ)}",
            "move them away, then run: stages init",
        )


def _write(project: Path, files: Mapping[str, str]) -> list[str]:
    """Write the files that do not exist yet, and return their names."""
    written = [name for name in files if not (project / name).exists()]
    for name in written:
        write_project_file(project / name, files[name].encode())
    return written
