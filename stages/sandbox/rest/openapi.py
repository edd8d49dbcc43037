"""The root document: Swagger 2.0 with one definition per relation, as far as readers need it.

Narrower than PostgREST's: no functions, no `parameters`, and no foreign keys inferred for views.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CATALOG = (Path(__file__).parent / "openapi.sql").read_text(encoding="utf-8")

# PostgREST 14.8 and later name integer formats as OpenAPI does.
_FORMATS = {"smallint": "int32", "integer": "int32", "bigint": "int64"}
_TYPES = {
    "boolean": "boolean",
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
    "numeric": "number",
    "real": "number",
    "double precision": "number",
}
_UNTYPED = {"json", "jsonb"}


def _json_type(name: str) -> dict[str, Any]:
    if name in _UNTYPED:
        return {}
    if name.endswith("[]"):
        return {"type": "array", "items": _json_type(name.removesuffix("[]"))}
    return {"type": _TYPES.get(name, "string")}


def _default(name: str, expression: str) -> dict[str, Any]:
    """A constant default as JSON; an expression only if the type is a string."""
    if _json_type(name).get("type") == "string":
        text = expression.removesuffix(f"::{name}")
        return {"default": text.strip("'") if text != expression else expression}
    try:
        return {"default": json.loads(expression)}
    except json.JSONDecodeError:
        return {}


def _description(column: dict[str, Any]) -> dict[str, Any]:
    notes = []
    if column["primary"]:
        notes.append("This is a Primary Key.<pk/>")
    if foreign := column["foreign"]:
        table, name = foreign["table"], foreign["column"]
        notes.append(
            f"This is a Foreign Key to `{table}.{name}`.<fk table='{table}' column='{name}'/>"
        )
    parts = [column["comment"], "\n".join(["Note:", *notes]) if notes else None]
    text = "\n\n".join(part for part in parts if part)
    return {"description": text} if text else {}


def _property(column: dict[str, Any]) -> dict[str, Any]:
    name = column["type"]
    document = {"format": _FORMATS.get(name, name)} | _json_type(name) | _description(column)
    if column["default"] is not None:
        document |= _default(name, column["default"])
    if column["enum"]:
        document["enum"] = column["enum"]
    if column["length"]:
        document["maxLength"] = column["length"]
    return document


def _path(table: str, comment: str | None, insertable: bool) -> dict[str, Any]:
    common = {"tags": [table]} | ({"description": comment} if comment else {})
    read = {"200": {"description": "OK"}, "206": {"description": "Partial Content"}}
    path: dict[str, Any] = {"get": common | {"responses": read}}
    if insertable:
        path["post"] = common | {"responses": {"201": {"description": "Created"}}}
    return path


def describe(
    relations: Iterable[tuple[str, str | None, bool, list[dict[str, Any]]]], host: str
) -> dict[str, Any]:
    """Build the document from rows of `openapi.sql` (name, comment, insertable, columns)."""
    definitions: dict[str, Any] = {}
    paths: dict[str, Any] = {
        "/": {"get": {"tags": ["Introspection"], "responses": {"200": {"description": "OK"}}}}
    }
    for name, comment, insertable, columns in relations:
        definition: dict[str, Any] = {"description": comment} if comment else {}
        if required := [column["name"] for column in columns if column["required"]]:
            definition["required"] = required
        definition["type"] = "object"
        definition["properties"] = {column["name"]: _property(column) for column in columns}
        definitions[name] = definition
        paths[f"/{name}"] = _path(name, comment, insertable)
    return {
        "swagger": "2.0",
        "info": {
            "title": "REST stand-in of the sandbox",
            "description": "Speaks as PostgREST does to a reader",
            "version": "14.8",
        },
        "host": host,
        "basePath": "/",
        "schemes": ["http"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "paths": paths,
        **({"definitions": definitions} if definitions else {}),
    }
