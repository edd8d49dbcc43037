"""Calls that write a migration and keep it up to date with its source and schema.ts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from stages.inspection import Inspection
from stages.options import Tables, table_names

if TYPE_CHECKING:
    from stages.extract.transport import Via
    from stages.init.result import InitResult


class Beginning(Inspection):
    """The call that creates or updates a migration."""

    def init(
        self,
        *,
        write_schema: bool = False,
        case: str | None = None,
        renames: Sequence[str] = (),
        references: Sequence[str] = (),
        schemas: Sequence[str] = (),
        via: Via = "auto",
        http_action: bool = False,
        update: bool = False,
        apply: bool = False,
        redo: Tables = (),
        done: Tables = (),
    ) -> InitResult:
        """Write a migration for this project: plan, models and loading functions, from the source's
        catalog and convex/schema.ts, which is executed. No existing file is changed. `schemas`
        defaults to Postgres' `public` schema.

        With `update`, look for changes in both since then, and write only files that belong to
        stages; with `apply`, also write changes that touch no line of the user's. `redo`: Convex
        tables whose models are rewritten, keeping a copy; `done`: tables whose changes have been
        dealt with.
        """
        from stages.init.options import InitOptions
        from stages.init.run import init

        options = InitOptions(
            write_schema=write_schema,
            case=cast("Any", case),
            renames=tuple(renames),
            references=tuple(references),
            schemas=tuple(schemas),
            via=via,
            http_action=http_action,
            update=update,
            apply=apply,
            redo=table_names(redo),
            done=table_names(done),
        )
        with self._errors("init"):
            source = self._source_of(self.plan_if_any if options.of_existing else None)
            self.progress.note(f"{source.label} → {self.project}")
            result = init(self.project, source, options, self.progress)
        return dataclasses.replace(
            result,
            notes=tuple(map(self.hint, result.notes)),
            changes=tuple(
                dataclasses.replace(change, why=self.hint(change.why)) for change in result.changes
            ),
        )
