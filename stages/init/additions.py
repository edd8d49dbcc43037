"""What is still missing in the user's own files, which init does not touch."""

from __future__ import annotations

from collections.abc import Iterator

from stages.convex.schema import Schema, schema_file
from stages.init import git_ignore
from stages.init.pairing import LEDGER
from stages.init.project_files import convex_place, text_of
from stages.init.result import Addition
from stages.state.workspace import Workspace


def additions(workspace: Workspace, schema: Schema, *, http: bool) -> Iterator[Addition]:
    """Lines for schema.ts, http.ts and .gitignore."""
    if LEDGER not in schema.tables:
        yield _ledger(workspace)
    route = text_of(workspace.convex / "http.ts") or ""
    if http and "stagesHttp" not in route:
        yield Addition(
            file=convex_place(workspace, "http.ts"),
            lines=(
                'import * as stages from "./stages";',
                'import { httpChannel } from "./stagesHttp";',
                "…",
                'http.route({ path: "/migrate", method: "POST", '
                'handler: httpChannel("stages", stages) });',
            ),
        )
    missing = git_ignore.missing_lines(text_of(workspace.project / ".gitignore") or "")
    if missing:
        yield Addition(file=".gitignore", lines=missing)


def _ledger(workspace: Workspace) -> Addition:
    file = schema_file(workspace.convex)
    define, imports, tables = "export default defineSchema", [], "stagesTables"
    if "defineEntSchema" in (text_of(file) or ""):
        # convex-ents accepts only tables of its own kind.
        define, tables = "const schema = defineEntSchema", "defineEntsFromTables(stagesTables)"
        imports = ['import { defineEntsFromTables } from "convex-ents";']
    return Addition(
        file=convex_place(workspace, file.name),
        lines=(
            *imports,
            'import { stagesTables } from "./stagesTables";',
            "…",
            f"{define}({{",
            "  …",
            f"  ...{tables},",
            "});",
        ),
    )
