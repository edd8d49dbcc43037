"""auth.users: which of its columns are read, and reading it over REST by the Auth admin API.

The list of columns is the same over both transports. Secrets are not on it: they are read only
directly, and only where `include_secrets` names them.
Source: the Auth service's admin API; it re-writes metadata as JSON, so its text is not Postgres'.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from stages.extract.types import Column, arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

    from stages.extract.reader import Span

PLACE = ("auth", "users")
PER_PAGE = 500
# Column → its name in the admin API, where that is another one.
USERS: dict[str, tuple[str, str]] = {
    "id": ("uuid", "id"),
    "aud": ("varchar", "aud"),
    "role": ("varchar", "role"),
    "email": ("varchar", "email"),
    "phone": ("text", "phone"),
    "email_confirmed_at": ("timestamptz", "email_confirmed_at"),
    "phone_confirmed_at": ("timestamptz", "phone_confirmed_at"),
    "last_sign_in_at": ("timestamptz", "last_sign_in_at"),
    "raw_app_meta_data": ("jsonb", "app_metadata"),
    "raw_user_meta_data": ("jsonb", "user_metadata"),
    "created_at": ("timestamptz", "created_at"),
    "updated_at": ("timestamptz", "updated_at"),
    "banned_until": ("timestamptz", "banned_until"),
    "is_anonymous": ("bool", "is_anonymous"),
}


def columns() -> tuple[Column, ...]:
    """Columns of auth.users as REST gives them."""
    return tuple(Column(name=name, type=kind) for name, (kind, _) in USERS.items())


def position(name: str) -> int:
    """Where a column stands, over both transports; secrets come last."""
    return list(USERS).index(name) if name in USERS else len(USERS)


def users_table(content: bytes, wanted: tuple[Column, ...]) -> pa.Table:
    """A page of the admin API's users as Arrow. Raises ValueError for what is no such page."""
    import pyarrow as pa

    from stages.extract.decode import decode

    users = json.loads(content)["users"]
    schema = arrow_schema(wanted)
    arrays = []
    for column, field in zip(wanted, schema, strict=True):
        values = [_value(user, column) for user in users]
        if column.rule.form == "boolean":
            arrays.append(pa.array(values, pa.bool_()))
        else:
            texts = pa.array(values, pa.string())
            arrays.append(decode(texts, column.rule.form, field.type, column.name))
    return pa.Table.from_arrays(arrays, schema=schema)


def in_key_order(pages: list[pa.Table], span: Span) -> pa.Table:
    """All users of a span by id, each once: a user who came meanwhile shifts the pages."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = pa.concat_tables(pages).combine_chunks()
    ids = table.column("id").chunk(0).storage.cast(pa.binary())
    order = pc.sort_indices(ids)
    ids = ids.take(order)
    first = [row == 0 or ids[row] != ids[row - 1] for row in range(len(ids))]
    keep = pa.array(first, pa.bool_())
    for key, compare in ((span.after, pc.greater), (span.until, pc.less_equal)):
        if key is not None:
            bound = pa.scalar(UUID(key[0]).bytes, pa.binary())
            keep = pc.and_(keep, compare(ids, bound))
    return table.take(order).filter(keep)


def _value(user: dict[str, Any], column: Column) -> Any:
    value = user.get(USERS[column.name][1])
    if value is None or column.rule.form == "boolean":
        return value
    if column.rule.form == "json":
        return json.dumps(value, ensure_ascii=False)
    if column.name in ("phone", "email") and value == "":
        return None  # the Auth service writes a null so
    return str(value)
