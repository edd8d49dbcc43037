"""`stages show`: everything that the staged files know about one row."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from stages.convex.schema import Schema
from stages.convex.values import Shape, document_sql
from stages.errors import FileError
from stages.project.freshness import has_other_form, stale
from stages.project.models import Model, read_model
from stages.project.plan import Plan, ReferenceTable, SourceTable, TargetTable
from stages.project.staged_schema import staged_shapes, staged_with_references
from stages.rejects import edit_of, edit_of_table, rejects_sql
from stages.show.find import Staged, find_row, find_subject, source_of
from stages.show.links import references_of, referrers_of
from stages.show.model_lines import made_by
from stages.show.shown import Shown, ShownChange, ShownField, ShownReject, SourceValue
from stages.sql import file_sql, name_sql
from stages.state.manifests import read_extract, read_transform
from stages.state.workspace import Workspace, form_file
from stages.transform.sql_ast import parse
from stages.views import NULL_FOR_NO_VALUE, bound_sql, connect

Complete = Callable[[str], str]


def show(workspace: Workspace, plan: Plan, name: str, key: str, complete: Complete) -> Shown:
    """The row of a table that has this source key or Convex id, as far as files show.

    Raises UserError if there is no such table, or no such row.
    """
    subject = find_subject(plan, name)
    with connect(workspace, plan, locked=False) as connection:
        for macro in NULL_FOR_NO_VALUE:
            connection.execute(macro)
        staged = Staged(connection=connection, workspace=workspace, plan=plan)
        source_id = find_row(staged, subject.name, key)
        shown = _shown(staged, subject, source_id)
    rejects = tuple(dataclasses.replace(r, edit=complete(r.edit)) for r in shown.rejects)
    return dataclasses.replace(shown, rejects=rejects)


def _shown(staged: Staged, subject: TargetTable | ReferenceTable | SourceTable, key: str) -> Shown:
    ids = staged.rows(
        f"SELECT convex_id, did FROM {staged.ids(subject.name)} WHERE source_id = ?", key
    )
    convex_id, did = ids[0] if ids else (None, None)
    schema = staged_with_references(staged.workspace, staged.plan)
    source = source_of(staged.plan, subject.name) or ""
    of_row = isinstance(subject, TargetTable) and subject.grain == "derived"
    shown = Shown(
        kind="table",
        table=subject.name,
        source=source,
        source_id=key,
        convex_id=convex_id,
        row=() if of_row else tuple(_source_values(staged, source, key)),
        model="",
        loaded=did,
    )
    if isinstance(subject, SourceTable):
        return dataclasses.replace(shown, kind="source", loaded=None)
    shown = dataclasses.replace(
        shown, referrers=tuple(referrers_of(staged, schema, subject.name, key)) if schema else ()
    )
    if isinstance(subject, ReferenceTable):
        return dataclasses.replace(
            shown,
            kind="reference",
            model=subject.keys or "",
            loaded=None,
            rejects=tuple(_rejected_keys(staged, subject, key)),
            document=_known_document(staged, subject.name, convex_id),
        )
    return _of_table(staged, schema, subject, shown)


# ── a table of the plan ─────────────────────────────────────────────────────────────────────


def _of_table(staged: Staged, schema: Schema | None, table: TargetTable, shown: Shown) -> Shown:
    workspace, key = staged.workspace, shown.source_id
    shown = dataclasses.replace(
        shown,
        model=table.model,
        changes=tuple(_changes(staged, table, key)),
        rejects=tuple(_rejects(staged, table, key)),
    )
    manifest = read_transform(workspace.transform(table.name))
    if schema is None or manifest is None or table.name not in schema.tables:
        return shown
    documents = workspace.documents(table.name)
    fields = staged_shapes(workspace, schema, table.name)
    whole = not has_other_form(workspace, table, manifest)
    document = bound = None
    if documents.exists() and whole:
        document = _document(staged, table, fields, f"read_parquet({file_sql(documents)})", key)
        sql = bound_sql(workspace, staged.plan, table, fields)
        bound = document and _document(
            staged, table, fields, f"(FROM ({sql}) WHERE len(_unbound) = 0)", key
        )
    given = {} if document else _given(staged, table, key)
    return dataclasses.replace(
        shown,
        stale=stale(workspace, staged.plan, table, manifest),
        document=document,
        bound=bound,
        fields=tuple(_fields(staged, table, fields, given)),
        references=tuple(
            references_of(staged, fields, table.name, key, given if document is None else None)
        )
        if whole
        else (),
    )


def _document(
    staged: Staged, table: TargetTable, fields: Mapping[str, Shape], relation: str, key: str
) -> dict[str, Any] | None:
    """One document as encoded JSON, from a relation that has a column for each field."""
    rows = staged.rows(
        f"SELECT {document_sql(fields, table.keep_null)} FROM {relation} WHERE _source_id = ?", key
    )
    document: dict[str, Any] | None = json.loads(rows[0][0]) if rows else None
    return document


def _fields(
    staged: Staged, table: TargetTable, shapes: Mapping[str, Shape], given: Mapping[str, str | None]
) -> Iterator[ShownField]:
    """The fields in the order of schema.ts, with what makes them."""
    model = _model(staged, table)
    made = made_by(model.text, parse(staged.connection, model.text), shapes) if model else {}
    columns = _columns(staged, table.source)
    for name in shapes:
        if name in made:
            read = (columns[c] for c in sorted(made[name].columns) if c in columns)
            yield ShownField(
                name=name, lines=made[name].pieces, columns=tuple(read), given=given.get(name)
            )
        elif given.get(name) is not None:
            yield ShownField(name=name, given=given[name])


def _model(staged: Staged, table: TargetTable) -> Model | None:
    try:
        return read_model(staged.workspace, table.model)
    except FileError:
        return None


def _given(staged: Staged, table: TargetTable, key: str) -> dict[str, str | None]:
    """Column → what the model outputs for a row now, as text; empty if it outputs no row."""
    import duckdb

    model = _model(staged, table)
    if model is None:
        return {}
    try:
        relation = staged.connection.sql(
            f"SELECT COLUMNS(*)::VARCHAR FROM ({model.text}) WHERE _source_id::VARCHAR = $key",
            params={"key": key},
        )
        rows = relation.fetchall()
    except duckdb.Error:
        return {}
    return dict(zip(relation.columns, rows[0], strict=True)) if rows else {}


def _changes(staged: Staged, table: TargetTable, key: str) -> Iterator[ShownChange]:
    file = staged.workspace.changes(table.name)
    if file.exists():
        for field, rule, old, new in staged.rows(
            f'SELECT field, rule, "old", "new" FROM read_parquet({file_sql(file)}) '
            "WHERE source_id = ? ORDER BY field, rule",
            key,
        ):
            yield ShownChange(field=field, rule=rule, old=old, new=new)


def _rejects(staged: Staged, table: TargetTable, key: str) -> Iterator[ShownReject]:
    for stage, field, rule, reason in staged.rows(
        f"SELECT stage, field, rule, reason FROM ({rejects_sql(staged.workspace, [table])}) "
        "WHERE source_id = ?",
        key,
    ):
        edit = edit_of_table(staged.workspace, table, rule)
        yield ShownReject(stage=stage, field=field, rule=rule, reason=reason, edit=edit)


# ── a source row, and what Convex already had ───────────────────────────────────────────────


def _columns(staged: Staged, source: str) -> dict[str, str]:
    """Column of a source in lower case → its staged name."""
    if not staged.has_extract(source):
        return {}
    rows = staged.rows(f"DESCRIBE FROM {staged.source_rows(source)}")
    return {row[0].lower(): row[0] for row in rows}


def _source_values(staged: Staged, source: str, key: str) -> Iterator[SourceValue]:
    """The columns of a source row; none if it does not exist."""
    names = _columns(staged, source).values()
    if not names:
        return
    texts = ", ".join(f"{name_sql(name)}::VARCHAR" for name in names)
    rows = staged.rows(
        f"SELECT {texts} FROM {staged.source_rows(source)} "
        f"WHERE {staged.source_key(source)} = ? LIMIT 1",
        key,
    )
    manifest = read_extract(staged.workspace.extract(source))
    types = {column.name: column.postgres for column in (manifest.columns if manifest else ())}
    for row in rows:
        for name, value in zip(names, row, strict=True):
            yield SourceValue(column=name, type=types.get(name, ""), value=value)


def _rejected_keys(staged: Staged, table: ReferenceTable, key: str) -> Iterator[ShownReject]:
    file = staged.workspace.unknown_keys(table.name)
    if file.exists():
        for rule, reason in staged.rows(
            f"SELECT rule, reason FROM read_parquet({file_sql(file)}) WHERE source_id = ?", key
        ):
            edit = edit_of(staged.workspace, table.name, table.keys or "", rule)
            yield ShownReject(stage="transform", field="", rule=rule, reason=reason, edit=edit)


def _known_document(staged: Staged, table: str, convex_id: str | None) -> dict[str, Any] | None:
    """A document that Convex had in a reference table when that was extracted."""
    if convex_id is None or not form_file(staged.workspace.reference(table)).exists():
        return None
    rows = staged.rows(
        f"SELECT to_json(r)::VARCHAR FROM reference.{name_sql(table)} r WHERE _id = ?", convex_id
    )
    document: dict[str, Any] | None = json.loads(rows[0][0]) if rows else None
    return document
