"""What a row refers to, and what refers to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stages.convex.schema import Schema
from stages.convex.values import Shape, references_sql
from stages.project.freshness import has_other_form
from stages.project.staged_schema import staged_shapes
from stages.show.find import Staged
from stages.show.shown import Referrers, ShownReference
from stages.sql import file_sql, name_sql
from stages.state.manifests import read_transform

FIRST = 3


def references_of(
    staged: Staged,
    fields: Mapping[str, Shape],
    table: str,
    key: str,
    given: Mapping[str, str | None] | None,
) -> Iterator[ShownReference]:
    """The references of a document, in the order of its fields; for a rejected row those of plain
    id fields, from what the model outputs for it (`given`)."""
    found: list[tuple[str, Shape, str]] = []
    if given is not None:
        found += [
            (n, s, str(given[n])) for n, s in fields.items() if s.kind == "id" and given.get(n)
        ]
    else:
        documents = file_sql(staged.workspace.documents(table))
        for name, shape in fields.items():
            for number, place in enumerate(shape.positions):
                listed = references_sql(shape, number, name_sql(name), bound=False)
                rows = staged.rows(
                    f"SELECT DISTINCT unnest({listed}) AS ref FROM read_parquet({documents}) "
                    f"WHERE _source_id = ? AND {name_sql(name)} IS NOT NULL ORDER BY ref",
                    key,
                )
                found += [(place.path, shape, row[0]) for row in rows if row[0] is not None]
    for path, shape, reference in found:
        target, _, source_id = reference.partition(":")
        if target in shape.targets:
            convex_id, state = _state(staged, target, source_id)
            yield ShownReference(
                field=path, table=target, source_id=source_id, convex_id=convex_id, state=state
            )


def _state(staged: Staged, table: str, key: str) -> tuple[str | None, str]:
    """(Convex id, `document` or the reason why there is none)."""
    ids = staged.rows(f"SELECT convex_id FROM {staged.ids(table)} WHERE source_id = ?", key)
    convex_id = ids[0][0] if ids else None
    workspace = staged.workspace
    documents, rejects = workspace.documents(table), workspace.rejects(table)
    if convex_id is None and table in staged.plan.references:
        rejects = workspace.unknown_keys(table)
    elif convex_id is not None or (
        documents.exists()
        and staged.rows(
            f"SELECT 1 FROM read_parquet({file_sql(documents)}) WHERE _source_id = ?", key
        )
    ):
        return convex_id, "document"
    if rejects.exists():
        for (rule,) in staged.rows(
            f"SELECT rule FROM read_parquet({file_sql(rejects)}) WHERE source_id = ?", key
        ):
            return convex_id, f"rejected: {rule}"
    return convex_id, "missing"


def referrers_of(staged: Staged, schema: Schema, table: str, key: str) -> Iterator[Referrers]:
    """The tables of the plan whose rows refer to this one, or are rejected because it is."""
    reference = f"{table}:{key}"
    for name, other in staged.plan.tables.items():
        manifest = read_transform(staged.workspace.transform(name))
        if manifest is None or not manifest.parts or name not in schema.tables:
            continue
        if has_other_form(staged.workspace, other, manifest):
            continue
        for field, shape in staged_shapes(staged.workspace, schema, name).items():
            for number, place in enumerate(shape.positions):
                if table in place.targets:
                    yield from _referrers(staged, name, field, shape, number, reference)


def _referrers(
    staged: Staged, table: str, field: str, shape: Shape, number: int, reference: str
) -> Iterator[Referrers]:
    workspace = staged.workspace
    path = shape.positions[number].path
    column = name_sql(field)
    listed = references_sql(shape, number, column, bound=False)
    refers = f"{column} = $1" if shape.kind == "id" else f"list_contains({listed}, $1)"
    ((rows, first),) = staged.rows(
        f"SELECT count(*), (list(_source_id ORDER BY _source_id))[:{FIRST}] FROM "
        f"read_parquet({file_sql(workspace.documents(table))}) WHERE {refers}",
        reference,
    )
    # How reasons begin: `orders:7 is rejected: …`, `plans:3: nothing in Convex matches it`.
    ((rejected,),) = staged.rows(
        f"SELECT count(*) FROM read_parquet({file_sql(workspace.rejects(table))}) WHERE field = $2 "
        "AND (starts_with(reason, $1 || ' is rejected: ') OR starts_with(reason, $1 || ': '))",
        reference,
        path,
    )
    if rows or rejected:
        yield Referrers(
            table=table, field=path, rows=rows, first=tuple(first or ()), rejected=rejected
        )
