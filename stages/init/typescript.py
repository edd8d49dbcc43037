"""The TypeScript of a project's convex/ folder: the files of stages/convex/functions.

Only the tables that are loaded, and the names of two modules, differ from project to project.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from string import Template

import stages.convex

FUNCTIONS = Path(stages.convex.__file__).with_name("functions")
TABLES_HERE = "// bulkInsert: one line for each table\n"
REFERENCES_HERE = "// referenced: the tables that the plan refers to\n"
# Files that `npx convex codegen` generates identically for every project.
GENERATED = ("server.js", "server.d.ts", "dataModel.d.ts")
ROUTE = Template("""\
/** One route: the second channel to $module.ts, see $channel.ts. */
import { httpRouter } from "convex/server";
import { httpChannel } from "./$channel";
import * as $module from "./$module";

const http = httpRouter();

http.route({ path: "/migrate", method: "POST", handler: httpChannel("$module", $module) });

export default http;
""")


def loading_functions(tables: Iterable[str], references: Iterable[str]) -> str:
    """convex/stages.ts: one bulkInsert… for each table that the plan loads, and readPage, epoch,
    adopt, remove and others, which accept only these tables and the plan's references."""
    # The names that the plan has by default.
    lines = (
        f'export const bulkInsert{table[:1].upper()}{table[1:]} = bulkInsert("{table}");\n'
        for table in tables
    )
    listed = "".join(f'  "{table}",\n' for table in references)
    set_text = f"[\n{listed}]" if listed else "[]"
    referenced = f"const referencedTables = new Set<Loadable>({set_text});\n"
    return (
        _text("stages.ts").replace(TABLES_HERE, "".join(lines)).replace(REFERENCES_HERE, referenced)
    )


def ledger_tables() -> str:
    """convex/stagesTables.ts: the ledger's table, to be spread into schema.ts."""
    return _text("stagesTables.ts")


def generated() -> dict[str, str]:
    """File → text of convex/_generated, so that the functions run before the first push."""
    return {name: _text(f"_generated/{name}") for name in GENERATED}


def http_action() -> str:
    """convex/stagesHttp.ts: the second channel."""
    return _text("stagesHttp.ts")


def http_route(module: str = "stages", channel: str = "stagesHttp") -> str:
    """convex/http.ts with a single route to that channel, for a project that has no http.ts."""
    return ROUTE.substitute(module=module, channel=channel)


def _text(name: str) -> str:
    return (FUNCTIONS / name).read_text("utf-8")
