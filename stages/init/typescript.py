"""convex/stages.ts for another project, out of this repository's own files.

They are joined to one file: the library that migrate.ts imports, then what migrate.ts registers,
with the other project's tables. So there is one source of the functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

CONVEX = Path(__file__).resolve().parents[2] / "convex"
REGISTERED = "migrate.ts"
# What every project has, or gets, by itself.
KEPT = ("./schema", "./_generated/")
IMPORT = re.compile(r"^import (type )?(?:(\w+)|\{([^}]*)\}) from \"([^\"]+)\";\n", re.MULTILINE)
HEADER = """\
/**
 * What `stages` calls to load, read back and remove documents; written by `stages init`. All of it
 * is internal: only the deployment's admin key reaches it. Delete it when the migration is over.
 */
"""


def stages_module(tables: Iterable[str]) -> str:
    """convex/stages.ts: one bulkInsert… a table, and readPage, epoch, adopt, remove."""
    files: list[Path] = []
    _collect(CONVEX / REGISTERED, files)
    imports: dict[str, dict[str, bool]] = {}
    defaults: dict[str, str] = {}
    bodies = []
    for file in files:
        text = file.read_text("utf-8")
        for statement in IMPORT.finditer(text):
            whole_type, default, names, module = statement.groups()
            if not _kept(module):
                continue
            if default:
                defaults[module] = default
            for name in (n.strip() for n in (names or "").split(",") if n.strip()):
                plain = name.removeprefix("type ")
                is_type = bool(whole_type) or name != plain
                names_of_module = imports.setdefault(module, {})
                names_of_module[plain] = names_of_module.get(plain, True) and is_type
        body = IMPORT.sub("", text)
        if file.name == REGISTERED:
            body = _registrations(body, tables)
        else:
            body = re.sub(r"^export ", "", body, flags=re.MULTILINE)
        bodies.append(re.sub(r"\A/\*\*\n.*?\*/\n", "", body, flags=re.DOTALL).strip("\n"))
    lines = [_import(module, names) for module, names in sorted(imports.items(), key=_place)]
    lines += [f'import {name} from "{module}";' for module, name in sorted(defaults.items())]
    return HEADER + "\n".join(lines) + "\n\n" + "\n\n".join(bodies) + "\n"


def ledger_tables() -> str:
    """convex/stagesTables.ts, as it is here."""
    return (CONVEX / "stagesTables.ts").read_text("utf-8")


def generated() -> dict[str, str]:
    """File → text of what `npx convex codegen` makes alike for every project."""
    folder = CONVEX / "_generated"
    return {
        name: (folder / name).read_text("utf-8")
        for name in ("server.js", "server.d.ts", "dataModel.d.ts")
    }


def http_action() -> str:
    """convex/stagesHttp.ts: the second channel, as it is here."""
    return (CONVEX / "channel.ts").read_text("utf-8")


def http_route() -> str:
    """convex/http.ts with the one route to that channel, for a project that has none."""
    text = (CONVEX / "http.ts").read_text("utf-8")
    text = text.replace("channel.ts", "stagesHttp.ts").replace('"./channel"', '"./stagesHttp"')
    return (
        text.replace("migrate.ts", "stages.ts")
        .replace('"./migrate"', '"./stages"')
        .replace("* as migrate", "* as stages")
        .replace('httpChannel("migrate", migrate)', 'httpChannel("stages", stages)')
    )


def _registrations(body: str, tables: Iterable[str]) -> str:
    # The names that the plan has where nothing is said.
    ours = [
        f'export const bulkInsert{table[:1].upper()}{table[1:]} = bulkInsert("{table}");'
        for table in tables
    ]
    kept = re.sub(
        r"^export const bulkInsert\w+ = bulkInsert\(\"\w+\"\);\n", "", body, flags=re.MULTILINE
    )
    comment = re.match(r"\A/\*\*\n.*?\*/\n", kept, flags=re.DOTALL)
    rest = kept[comment.end() :] if comment else kept
    return "\n".join([*ours, "", rest.strip("\n")])


def _collect(file: Path, files: list[Path]) -> None:
    """A file's own imports, then itself, each once."""
    for match in IMPORT.finditer(file.read_text("utf-8")):
        module = match[4]
        if module.startswith("./") and not _kept(module):
            other = file.with_name(module.removeprefix("./") + ".ts")
            if other not in files:
                _collect(other, files)
    if file not in files:
        files.append(file)


def _kept(module: str) -> bool:
    return not module.startswith("./") or module.startswith(KEPT)


def _place(entry: tuple[str, object]) -> tuple[bool, str]:
    return entry[0].startswith("."), entry[0]


def _import(module: str, names: dict[str, bool]) -> str:
    all_types = all(names.values())
    listed = [
        f"type {name}" if is_type and not all_types else name
        for name, is_type in sorted(names.items(), key=lambda item: item[0].lower())
    ]
    head = "import type" if all_types else "import"
    line = f'{head} {{ {", ".join(listed)} }} from "{module}";'
    if len(line) <= 100:
        return line
    inner = "".join(f"  {name},\n" for name in listed)
    return f'{head} {{\n{inner}}} from "{module}";'
