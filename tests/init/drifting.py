"""A project of three tables after init, whose source and schema.ts a test changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg

from stages.cli.init_lines import update_lines
from stages.init.result import InitResult
from stages.project.settings import Source
from tests.init.support import (
    model_file,
    run_init,
)
from tests.support.project_copies import edit

TITLE = "posts.headline=posts.title"


@dataclass(frozen=True, kw_only=True)
class Blog:
    """A project after init, whose source and schema.ts a test changes."""

    folder: Path
    source: Source
    connection: psycopg.Connection

    def alter(self, *statements: str) -> None:
        for statement in statements:
            self.connection.execute(statement)

    def edit_schema(self, old: str, new: str) -> None:
        edit(self.folder / "convex" / "schema.ts", old, new)

    def edit_model(self, name: str, old: str, new: str) -> None:
        edit(model_file(self.folder, name), old, new)

    def run(self, **options: object) -> InitResult:
        return run_init(self.folder, self.source, **options)

    def printed(self, **options: object) -> str:
        return text_of(self.run(**options))


def text_of(result: InitResult) -> str:
    return "\n".join(update_lines(result, lambda text: text))


NO_CHANGE = "no change in the source or in schema.ts since the last init"
