"""The files of convex/ that belong to stages: the loading functions, and what they need.

Each run renews them, until the user edits one: from then on it is the user's, and is merged like
their other files. To get the original back, remove the file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from stages.convex.schema import Schema
from stages.init.contents import Contents
from stages.init.file_merges import FileMerge, merge_text
from stages.init.project_files import convex_place, takes_text, text_of, write_text_of
from stages.init.typescript import (
    generated,
    http_action,
    http_route,
    ledger_tables,
    loading_functions,
)
from stages.project.plan import Plan
from stages.state.workspace import Workspace

GENERATED = "_generated/"


def tool_texts(workspace: Workspace, functions: str | None, *, http: bool) -> dict[str, str]:
    """File → its text. `functions` is the text of stages.ts, which needs the schema; files of
    `_generated` are included only if the project has none."""
    texts = {"stagesTables.ts": ledger_tables()}
    if functions is not None:
        texts["stages.ts"] = functions
    if http:
        texts["stagesHttp.ts"] = http_action()
    if not (workspace.convex / "_generated").exists():
        # So that the functions run before the first push, which generates these again.
        texts |= {f"{GENERATED}{name}": text for name, text in generated().items()}
    return {convex_place(workspace, name): text for name, text in texts.items()}


def route_text(workspace: Workspace) -> dict[str, str]:
    """http.ts with a single route to the HTTP action, if the project has no http.ts; from then on
    it is the user's."""
    if (workspace.convex / "http.ts").exists():
        return {}
    return {convex_place(workspace, "http.ts"): http_route()}


def functions_text(
    schema: Schema, contents: Contents, plan: Plan | None, targets: Collection[str] | None = None
) -> str:
    """stages.ts for the tables of the contents (or only `targets`) and of the current plan.

    A reference without a source is still undecided: it may become a table with its own model, so
    it counts as one that is loaded.
    """
    pairs, references = contents.pairing.tables, contents.references
    chosen = {*pairs, *references} if targets is None else {*targets}
    planned = plan.references.values() if plan else ()
    referenced = {name for name in references if name in pairs and name in chosen}
    referenced |= {entry.name for entry in planned if entry.source}
    loaded = {*chosen, *(entry.name for entry in planned), *(plan.tables if plan else ())}
    loaded -= referenced
    return loading_functions(
        [name for name in schema.tables if name in loaded],
        [name for name in schema.tables if name in referenced],
    )


@dataclass(kw_only=True)
class ToolFiles:
    """Renews these files. `recorded` is what init wrote last, `written` what this run wrote;
    `edited` are files that the user has edited, with the text that init would write."""

    workspace: Workspace
    recorded: dict[str, str]
    written: list[str] = field(default_factory=list)
    edited: dict[str, str] = field(default_factory=dict)

    def renew(self, texts: Mapping[str, str]) -> None:
        """Write files that are missing, or unchanged since init wrote them."""
        for name, text in texts.items():
            file = self.workspace.project / name
            current = text_of(file)
            if current is not None and current not in (text, self.recorded.get(name)):
                self.edited[name] = text
                continue
            if current != text:
                write_text_of(file, text)
                self.written.append(name)
            self.recorded[name] = text

    def write_new(self, texts: Mapping[str, str]) -> None:
        """Write files that are the user's from then on, unless init has written them before."""
        for name, text in texts.items():
            if name not in self.recorded:
                self.renew({name: text})

    def merges(self) -> list[FileMerge]:
        """The merges of edited files, except those for which init does not know what it wrote."""
        return [self._merge(name, text) for name, text in self.edited.items()
                if name in self.recorded]  # fmt: skip

    def _merge(self, name: str, text: str) -> FileMerge:
        file = self.workspace.project / name
        return merge_text(
            name,
            written=self.recorded[name],
            now=text,
            mine=text_of(file) or "",
            takes=lambda _: takes_text(file),
        )

    def renew_generated(self) -> None:
        """Renew the files of _generated that init made; those made by codegen are left alone."""
        for name, text in generated().items():
            place = convex_place(self.workspace, f"{GENERATED}{name}")
            file = self.workspace.project / place
            if place in self.recorded and text_of(file) in (None, self.recorded[place]):
                self.renew({place: text})
