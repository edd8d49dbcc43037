"""auth.users and auth.identities: which of their columns are read, and rows of the Auth admin API.

The lists of columns are the same over both transports. Secrets are not on them: they are read only
directly, and only where `include_secrets` names them.
Source: the Auth service's code. It reads JSON into Go's values and writes these, so that numbers
are floats there, and it leaves out an empty email or phone, and an identity_data without members.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from stages.extract.types import Column, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

    from stages.extract.reader import Span

USERS = ("auth", "users")
IDENTITIES = ("auth", "identities")
PER_PAGE = 500
# Rows that are given on at once.
BATCH_ROWS = 10_000


@dataclass(frozen=True, kw_only=True)
class Field:
    """A column: its type, its name in the admin API, and the value that the API leaves out."""

    type: str
    member: str
    left_out: Any = None


def _field(kind: str, member: str, left_out: Any = None) -> Field:
    return Field(type=kind, member=member, left_out=left_out)


TABLES: dict[tuple[str, str], dict[str, Field]] = {
    USERS: {
        "id": _field("uuid", "id"),
        "aud": _field("varchar", "aud"),
        "role": _field("varchar", "role"),
        "email": _field("varchar", "email"),
        "phone": _field("text", "phone"),
        "email_confirmed_at": _field("timestamptz", "email_confirmed_at"),
        "phone_confirmed_at": _field("timestamptz", "phone_confirmed_at"),
        "last_sign_in_at": _field("timestamptz", "last_sign_in_at"),
        "raw_app_meta_data": _field("jsonb", "app_metadata"),
        "raw_user_meta_data": _field("jsonb", "user_metadata"),
        "created_at": _field("timestamptz", "created_at"),
        "updated_at": _field("timestamptz", "updated_at"),
        "banned_until": _field("timestamptz", "banned_until"),
        "is_anonymous": _field("bool", "is_anonymous"),
    },
    IDENTITIES: {
        "id": _field("uuid", "identity_id"),
        "user_id": _field("uuid", "user_id"),
        "provider_id": _field("text", "id"),
        "provider": _field("text", "provider"),
        "identity_data": _field("jsonb", "identity_data", {}),
        "email": _field("text", "email"),
        "last_sign_in_at": _field("timestamptz", "last_sign_in_at"),
        "created_at": _field("timestamptz", "created_at"),
        "updated_at": _field("timestamptz", "updated_at"),
    },
}


def columns(place: tuple[str, str]) -> tuple[Column, ...]:
    """Columns of one of TABLES as REST gives them."""
    return tuple(Column(name=name, type=each.type) for name, each in TABLES[place].items())


def position(place: tuple[str, str], name: str) -> int:
    """Where a column stands, over both transports; secrets come last."""
    listed = list(TABLES[place])
    return listed.index(name) if name in listed else len(listed)


def parsed(content: bytes) -> Any:
    """An answer's JSON, each object's members in the order of a jsonb. Raises ValueError."""
    return json.loads(content, object_pairs_hook=_as_jsonb)


def _as_jsonb(members: list[tuple[str, Any]]) -> dict[str, Any]:
    def order(member: tuple[str, Any]) -> tuple[int, bytes]:
        name = member[0].encode()
        return len(name), name

    return dict(sorted(members, key=order))


def table_of(
    place: tuple[str, str], objects: Iterable[dict[str, Any]], wanted: tuple[Column, ...]
) -> pa.Table:
    """Objects of the admin API as Arrow. Raises ValueError for what are no such objects."""
    import pyarrow as pa

    from stages.extract.decode import decode

    objects = list(objects)
    schema = arrow_schema(wanted)
    arrays = []
    for column, field in zip(wanted, schema, strict=True):
        spec = TABLES[place][column.name]
        values = [_value(each, spec, column) for each in objects]
        if column.rule.form == "boolean":
            arrays.append(pa.array(values, pa.bool_()))
        else:
            texts = pa.array(values, pa.string())
            arrays.append(decode(texts, column.rule.form, field.type, column.name))
    return pa.Table.from_arrays(arrays, schema=schema)


def _value(found: dict[str, Any], spec: Field, column: Column) -> Any:
    value = found.get(spec.member, spec.left_out)
    if value is None or column.rule.form == "boolean":
        return value
    if spec.type != "jsonb" and isinstance(value, str):
        # The Auth service writes a null so.
        return None if value == "" and spec.member in ("phone", "email") else value
    return json.dumps(value, ensure_ascii=False)


def in_key_order(tables: list[pa.Table], span: Span) -> Iterator[pa.Table]:
    """All rows of a span by id, each once: a user who came meanwhile shifts the pages."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not any(table.num_rows for table in tables):
        return
    table = pa.concat_tables(tables).combine_chunks()
    ids = table.column("id").chunk(0).storage.cast(pa.binary())
    order = pc.sort_indices(ids)
    ids = ids.take(order)
    first = [row == 0 or ids[row] != ids[row - 1] for row in range(len(ids))]
    keep = pa.array(first, pa.bool_())
    for key, compare in ((span.after, pc.greater), (span.until, pc.less_equal)):
        if key is not None:
            bound = pa.scalar(UUID(key[0]).bytes, pa.binary())
            keep = pc.and_(keep, compare(ids, bound))
    kept = table.take(order).filter(keep)
    for start in range(0, kept.num_rows, BATCH_ROWS):
        yield kept.slice(start, BATCH_ROWS)
