"""A missing source that is probably a misspelt name in the plan."""

from __future__ import annotations

from stages.errors import FileError
from stages.extract.catalog import Relations
from stages.names import nearest
from stages.project.plan import Plan, SourceTable
from stages.project.plan_entries import entry_error

# One letter in five may differ or be missing; `form_templates` does not match `form_submissions`.
ALIKE = 0.8


def refuse_misspelt(plan: Plan, entry: SourceTable, catalog: Relations) -> None:
    """Raise UserError, with the plan's line, if a missing source is probably misspelt."""
    error = misspelt(plan, entry, catalog)
    if error:
        raise error


def misspelt(plan: Plan, entry: SourceTable, catalog: Relations) -> FileError | None:
    """The error for a missing source, if another table was probably meant.

    That is one of almost the same name, or of the same name in another schema, that the plan does
    not use. An entry with `on_missing` is never refused: its table is known to be optional.
    """
    if entry.says_on_missing:
        return None
    used: set[str | None] = {table.source for table in plan.tables.values()}
    used |= {table.source for table in plan.references.values()}
    taken = {(s.schema, s.table) for s in plan.sources.values() if s.name in used}
    free = [place for place in catalog if place not in taken]
    elsewhere = [f"{schema}.{table}" for schema, table in free if table == entry.table]
    beside = nearest(entry.table, [t for s, t in free if s == entry.schema], ALIKE)
    near = beside or next(iter(elsewhere), None)
    if near is None:
        return None
    where, name = _place(plan, entry)
    return entry_error(
        plan.file,
        where,
        f"the source has no table {entry.schema}.{entry.table}; is it `{near}`?",
        name,
        f'name it in {plan.file}; or, if it may be missing, say on_missing = "report" in '
        f"[sources.{entry.name}]",
    )


def _place(plan: Plan, entry: SourceTable) -> tuple[str, str]:
    """The TOML table of the plan that names a source, and the entry in it."""
    if entry.table != entry.name:
        return f"sources.{entry.name}", "table"
    for kind, tables in (("tables", plan.tables), ("reference", plan.references)):
        for name, table in tables.items():
            if table.source == entry.name:
                return f"{kind}.{name}", "source"
    return f"sources.{entry.name}", ""
